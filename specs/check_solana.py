#!/usr/bin/env python3
"""Second reading of Solana messages, written from specs/solana.md alone.

Reads every message of specs/examples/solana.json, says what policy reads of it, and compares; refuses what the
page refuses. Exits with 1 if anything differs.
"""

import hashlib
import json
import pathlib
import sys

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PRIME = 2**255 - 19


def base58(text):
    number = 0
    for letter in text:
        number = number * 58 + ALPHABET.index(letter)
    return number.to_bytes(32, "big")


SYSTEM = bytes(32)
TOKEN = base58("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = base58("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = base58("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
BUDGET = base58("ComputeBudget111111111111111111111111111111")
MEMO = base58("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXwDGmGfcHr")
NATIVE_MINT = base58("So11111111111111111111111111111111111111112")
PRECOMPILES = [base58(it) for it in (
    "Ed25519SigVerify111111111111111111111111111", "KeccakSecp256k11111111111111111111111111111",
    "Secp256r1SigVerify1111111111111111111111111")]
BLOCKHASHES = base58("SysvarRecentB1ockHashes11111111111111111111")
RENT = base58("SysvarRent111111111111111111111111111111111")


class Refused(Exception):
    pass


class Opaque(Exception):
    pass


class Bytes:
    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, count):
        if self.at + count > len(self.content):
            raise Refused("truncated")
        self.at += count
        return self.content[self.at - count:self.at]

    def length(self):
        value = 0
        for place in range(3):
            byte = self.take(1)[0]
            if byte == 0 and place:
                raise Refused("length")
            value |= (byte & 127) << (7 * place)
            if byte < 128:
                if value > 65535:
                    raise Refused("length")
                return value
        raise Refused("length")


def parse(content):
    data = Bytes(content)
    first = data.take(1)[0]
    versioned = first == 0x80
    if first > 0x80:
        raise Refused("version")
    signers = data.take(1)[0] if versioned else first
    readonly_signers, readonly_others = data.take(2)
    keys = [data.take(32) for _ in range(data.length())]
    blockhash = data.take(32)
    if signers + readonly_others > len(keys) or readonly_signers >= signers:
        raise Refused("header")
    if len(set(keys)) != len(keys):
        raise Refused("duplicate_key")
    if 1 + 64 * signers + len(content) > 1232:
        raise Refused("too_long")

    def account(index):
        if index >= len(keys):
            raise Refused("index")
        end = signers - readonly_signers if index < signers else len(keys) - readonly_others
        return keys[index], index < signers, index < end

    orders = []
    for _ in range(data.length()):
        program = data.take(1)[0]
        if program == 0:
            raise Refused("index")
        accounts = [account(index) for index in data.take(data.length())]
        orders.append((account(program)[0], accounts, data.take(data.length())))
    if not orders:
        raise Refused("no_instruction")
    if versioned and data.length():
        raise Refused("lookup_tables")
    if data.at != len(content):
        raise Refused("trailing")
    return keys[:signers], blockhash, orders


def digest(domain, body):
    return hashlib.sha256(bytes([len(domain)]) + domain.encode() + body).digest()


def on_curve(point):
    y = int.from_bytes(point, "little") & (2**255 - 1)
    u, v = (y * y - 1) % PRIME, (-121665 * pow(121666, -1, PRIME) * y * y + 1) % PRIME
    square = u * pow(v, -1, PRIME) % PRIME
    return square == 0 or pow(square, (PRIME - 1) // 2, PRIME) == 1


def associated(wallet, program, mint):
    for bump in range(255, -1, -1):
        seeds = wallet + program + mint + bytes([bump]) + ASSOCIATED + b"ProgramDerivedAddress"
        found = hashlib.sha256(seeds).digest()
        if not on_curve(found):
            return found
    return None


class Reader:
    """The effects of one message for one account."""

    def __init__(self, chain, account):
        self.chain, self.account, self.owned, self.terms = chain, account, {}, set()

    def id(self, key):
        body = self.chain.to_bytes(8, "little") + key
        return "0x" + digest("keystead/solana-address/v1", body)[:20].hex()

    def hash(self, order):
        program, accounts, data = order
        body = program + len(accounts).to_bytes(4, "little")
        body += b"".join(key + bytes([signer, writable]) for key, signer, writable in accounts)
        return "0x" + digest("keystead/solana-instruction/v1", body + len(data).to_bytes(4, "little") + data).hex()

    def effects(self, order):
        program, accounts, data = order
        read = {SYSTEM: self.system, TOKEN: self.token, TOKEN_2022: self.token, ASSOCIATED: self.associated,
                BUDGET: self.budget, MEMO: self.memo}.get(program)
        try:
            if read is None:
                raise Opaque("unknown_selector")
            return read(order)
        except Opaque as reason:
            self.owned.clear()
            return [self.opaque(order, program, str(reason))]

    def opaque(self, order, to, reason):
        return {"opaque": {"to": self.id(to), "value": "0", "data_hash": self.hash(order), "reason": reason}}

    def moves(self, asset, source, to, amount):
        return {"transfer": {"asset": asset, "from": self.id(source), "to": self.id(to), "amount": str(amount)}}

    def authority(self, change, target, subject):
        subject = None if subject is None else self.id(subject)
        return {"authority": {"change": change, "target": self.id(target), "subject": subject}}

    def system(self, order):
        _, accounts, data = order
        number = int.from_bytes(data[:4], "little") if len(data) >= 4 else None
        rest = data[4:]
        lamports = int.from_bytes(rest[:8], "little")
        if number is None:
            raise Opaque("malformed_arguments")
        if number == 2:
            source, to = form(accounts, "Sw", rest, 8)
            owned = self.owned.get(to)
            wallet = owned[1] if owned and owned[2] == NATIVE_MINT else to
            return [self.moves("native", source, wallet, lamports)]
        if number == 5:
            source, to, hashes, rent, _ = form(accounts, "wwrrs", rest, 8)
            same((hashes, BLOCKHASHES), (rent, RENT))
            return [self.moves("native", source, to, lamports)]
        if number == 0:
            source, new = form(accounts, "SS", rest, 48)
            owner, kinds = rest[16:], [self.moves("native", source, new, lamports)]
            if new == self.account or owner not in (SYSTEM, TOKEN, TOKEN_2022):
                kinds.append(self.authority("owner", new, owner))
            return kinds
        if number == 1:
            target, = form(accounts, "S", rest, 32)
            return [self.authority("owner", target, rest)]
        if number == 6:
            target, hashes, rent = form(accounts, "wrr", rest, 32)
            same((hashes, BLOCKHASHES), (rent, RENT))
            return [self.authority("owner", target, rest)]
        if number == 7:
            target, _ = form(accounts, "ws", rest, 32)
            return [self.authority("owner", target, rest)]
        if number == 4:
            _, hashes, authority = form(accounts, "wrs", rest, 0)
            same((hashes, BLOCKHASHES))
            return ["no_value" if self.first else {"cancel": {"account": self.id(authority)}}]
        raise Opaque("unknown_selector")

    def token(self, order):
        program, accounts, data = order
        if not data:
            raise Opaque("malformed_arguments")
        number, rest = data[0], data[1:]
        amount = int.from_bytes(rest[:8], "little")
        proven = lambda key: self.owned.get(key) if self.owned.get(key, (None,))[0] == program else None
        if number == 12:
            source, mint, to, by = form(accounts, "wrws", rest, 9)
            owned = proven(to)
            return [self.moves({"token": self.id(mint)}, by, owned[1] if owned else to, amount)]
        if number == 3:
            source, to, by = form(accounts, "wws", rest, 8)
            owned = proven(to) or proven(source)
            if not owned:
                raise Opaque("unstated_amount")
            wallet = proven(to)[1] if proven(to) else to
            return [self.moves({"token": self.id(owned[2])}, by, wallet, amount)]
        if number in (4, 13):
            keys = form(accounts, "wrs" if number == 4 else "wrrs", rest, 8 if number == 4 else 9)
            token, delegate, owner = (keys[0] if number == 4 else keys[1]), keys[-2], keys[-1]
            amount = 2**256 - 1 if amount >= 2**63 else amount
            right = {"token": self.id(token), "owner": self.id(owner), "spender": self.id(delegate),
                     "amount": str(amount), "increase": False, "deadline": None, "by_signature": False}
            unstated = [self.opaque(order, delegate, "unstated_amount")] if number == 4 else []
            return [{"allowance": right}] + unstated
        if number == 5:
            _, owner = form(accounts, "ws", rest, 0)
            return [{"cancel": {"account": self.id(owner)}}]
        if number == 6:
            some = len(rest) > 1 and rest[1] == 1
            target, _ = form(accounts, "ws", rest, 34 if some else 2)
            if rest[1] > 1 or rest[0] > (17 if program == TOKEN_2022 else 3):
                raise Opaque("malformed_arguments")
            named = {1: "switch", 2: "owner", 3: "owner", 8: "module", 10: "guard", 16: "switch"}
            self.owned.pop(target, None)
            return [self.authority(named.get(rest[0], "role"), target, rest[2:] if some else None)]
        if number == 9:
            account, to, _ = form(accounts, "wws", rest, 0)
            self.owned.pop(account, None)
            return ["no_value" if to == self.account else self.opaque(order, to, "unstated_amount")]
        if number == 17:
            form(accounts, "w", rest, 0)
            return ["no_value"]
        raise Opaque("unknown_selector")

    def associated(self, order):
        _, accounts, data = order
        if data not in (b"", b"\0", b"\1"):
            raise Opaque("unknown_selector")
        funder, account, wallet, mint, system, program = form(accounts, "Swrrrr", b"", 0)
        if system != SYSTEM or program not in (TOKEN, TOKEN_2022) or associated(wallet, program, mint) != account:
            raise Opaque("malformed_arguments")
        self.owned[account] = (program, wallet, mint)
        if program == TOKEN:
            return [self.moves("native", funder, wallet, 2039280)]
        return ["no_value" if wallet == self.account else self.opaque(order, wallet, "unstated_amount")]

    def budget(self, order):
        term = budget_term(order)
        if term is None or term[0] in self.terms:
            raise Opaque("malformed_arguments")
        self.terms.add(term[0])
        return ["no_value"]

    def memo(self, order):
        _, accounts, data = order
        if not all(signer for _, signer, _ in accounts):
            raise Opaque("malformed_arguments")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise Opaque("not_text")
        if not all(letter.isprintable() for letter in text):
            raise Opaque("not_text")
        return [{"statement": {"message": "0x" + data.hex()}}]


def budget_term(order):
    program, accounts, data = order
    if program != BUDGET or accounts or not data or len(data) != {1: 5, 2: 5, 3: 9, 4: 5}.get(data[0]):
        return None
    value = int.from_bytes(data[1:], "little")
    heap = 32768 <= value <= 262144 and value % 1024 == 0
    good = {1: heap, 4: value > 0}.get(data[0], True)
    return (data[0], value) if good else None


def form(accounts, rights, rest, length):
    """Exactly these accounts (r reads, w changes, s signs, S both) and so many bytes."""
    if len(accounts) != len(rights) or len(rest) != length:
        raise Opaque("malformed_arguments")
    for (_, signer, writable), right in zip(accounts, rights):
        if (right in "sS" and not signer) or (right in "wS" and not writable):
            raise Opaque("malformed_arguments")
    return [key for key, _, _ in accounts]


def same(*pairs):
    if any(found != expected for found, expected in pairs):
        raise Opaque("malformed_arguments")


def fee(signers, orders):
    def most(number, length, default):
        set_ = [data for program, _, data in orders if program == BUDGET and data[:1] == bytes([number])]
        return max((int.from_bytes(it[1:length], "little") for it in set_ if len(it) >= length), default=default)

    price, limit = most(3, 9, 0), most(2, 5, 200000 * len(orders))
    checked = sum(data[0] for program, _, data in orders if program in PRECOMPILES and data)
    priority = -(-price * min(limit, 1400000) // 1000000)
    return min(5000 * (len(signers) + checked) + priority, 2**64 - 1)


def explain(chain, account, content):
    signers, blockhash, orders = parse(content)
    if account not in signers:
        raise Refused("not_a_signer")
    reader, items = Reader(chain, account), []
    for at, order in enumerate(orders):
        program, _, data = order
        reader.first = at == 0
        plain = program == SYSTEM and data[:4] in (b"\2\0\0\0", b"\5\0\0\0")
        for kind in reader.effects(order):
            known = plain and "opaque" not in kind
            one = program in (TOKEN, TOKEN_2022, ASSOCIATED, BUDGET)
            selector = (data[:1] or b"\0") + bytes(3) if one else data[:4] if len(data) >= 4 and program != MEMO else None
            items.append({"path": [at], "contract": None if known else reader.id(program), "arguments": [],
                          "selector": None if known or selector is None else list(selector), "kind": kind})
    slot, (program, accounts, data) = None, orders[0]
    if program == SYSTEM and data[:4] == b"\4\0\0\0" and accounts:
        place = digest("keystead/solana-nonce/v1", chain.to_bytes(8, "little") + accounts[0][0] + blockhash)
        slot = {"chain": chain, "account": "0x" + place[:20].hex(), "nonce": 0}
    paid = fee(signers, orders) if signers[0] == account else 0
    return {"signing_digest": hashlib.sha256(content).hexdigest(), "chain": chain, "slot": slot, "items": items,
            "fee": {"max": str(paid), "per_gas": "0", "tip_per_gas": "0"}, "typed": None, "coins": None}


def main():
    path = pathlib.Path(__file__).resolve().parent / "examples" / "solana.json"
    examples, wrong = json.loads(path.read_text()), 0
    for example in examples:
        try:
            found = explain(example["chain"], bytes.fromhex(example["account"]), bytes.fromhex(example["message"]))
        except Refused as reason:
            found = {"refused": f"solana.{reason}"}
        if json.dumps(found, sort_keys=True) != json.dumps(example["effects"], sort_keys=True):
            wrong += 1
            print(f"{example['name']}: expected {example['effects']}, computed {found}")
    print(f"solana.json: {len(examples)} messages, {wrong} wrong")
    return 1 if wrong or not examples else 0


if __name__ == "__main__":
    sys.exit(main())

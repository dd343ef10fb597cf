#!/usr/bin/env python3
"""Second reading of NEAR transactions, written from specs/near.md alone.

Reads every transaction of specs/examples/near.json, says what it does, and compares; refuses what the page refuses.
Exits with 1 if anything differs.
"""

import hashlib
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
KEYS = {0: ("ed25519", 32), 1: ("secp256k1", 64), 2: ("ml-dsa-65", 1952)}


class Refused(Exception):
    pass


def base58(content):
    number, text = int.from_bytes(content, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(content) - len(content.lstrip(b"\0"))) + text


class Bytes:
    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, count):
        if self.at + count > len(self.content):
            raise Refused("truncated")
        self.at += count
        return self.content[self.at - count:self.at]

    def number(self, count):
        return int.from_bytes(self.take(count), "little")

    def octets(self):
        return self.take(self.number(4))

    def text(self):
        try:
            return self.octets().decode()
        except UnicodeDecodeError:
            raise Refused("text")

    def account(self):
        name = self.text()
        if not is_account(name):
            raise Refused("account")
        return name

    def key(self):
        kind = self.number(1)
        if kind not in KEYS:
            raise Refused("key_kind")
        name, length = KEYS[kind]
        key = self.take(length)
        if kind == 2:
            return "ml-dsa-65-hash:" + base58(hashlib.sha3_256(b"near:ml-dsa-65-pubkey-hash:v1" + key).digest())
        return f"{name}:{base58(key)}"

    def flag(self):
        tag = self.number(1)
        if tag > 1:
            raise Refused("tag")
        return tag == 1


def is_account(name):
    return 2 <= len(name) <= 64 and re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*", name) is not None


def once(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a field twice")
    return dict(pairs)


def called(token, method, args, deposit):
    reason = "malformed_arguments" if method == "ft_transfer" else "unknown_selector"
    opaque = {"opaque": [token, method, str(deposit), reason]}, "opaque"
    if method != "ft_transfer" or deposit != 1:
        return opaque
    try:
        fields = json.loads(args.decode(), object_pairs_hook=once)
    except ValueError:
        return opaque
    if not isinstance(fields, dict) or set(fields) != {"receiver_id", "amount"}:
        return opaque
    to, amount = fields["receiver_id"], fields["amount"]
    good = isinstance(to, str) and isinstance(amount, str)
    if not good or not is_account(to) or not re.fullmatch(r"0|[1-9][0-9]*", amount) or int(amount) >= 2**128:
        return opaque
    return {"token_transfer": [token, to, amount]}, "transfer"


def action(bytes_, receiver):
    number = bytes_.number(1)
    if number == 0:
        return {"account_created": [receiver]}, "authority"
    if number == 1:
        return {"code_replaced": [receiver, hashlib.sha256(bytes_.octets()).hexdigest()]}, "authority"
    if number == 2:
        method, args, _, deposit = bytes_.text(), bytes_.octets(), bytes_.number(8), bytes_.number(16)
        return called(receiver, method, args, deposit)
    if number == 3:
        return {"transfer": [receiver, str(bytes_.number(16))]}, "transfer"
    if number == 4:
        stake = bytes_.number(16)
        bytes_.key()
        return {"staked": [str(stake)]}, "authority"
    if number == 5:
        key, _, may = bytes_.key(), bytes_.number(8), "everything"
        if not bytes_.flag():
            allowance = str(bytes_.number(16)) if bytes_.flag() else None
            contract = bytes_.text()
            may = [contract, [bytes_.text() for _ in range(bytes_.number(4))], allowance]
        return {"key_added": [receiver, key, may]}, "authority"
    if number == 6:
        return {"key_deleted": [receiver, bytes_.key()]}, "authority"
    if number == 7:
        beneficiary = bytes_.account()
        if beneficiary == receiver:
            raise Refused("beneficiary")
        return {"account_deleted": [receiver, beneficiary]}, "authority"
    raise Refused("action")


def read(content):
    if len(content) > 256 * 1024:
        raise Refused("too_long")
    if len(content) > 1 and content[0] == 1 and content[1]:
        raise Refused("version")
    bytes_ = Bytes(content)
    signer, key, nonce, receiver = bytes_.account(), bytes_.key(), bytes_.number(8), bytes_.account()
    bytes_.take(32)
    count = bytes_.number(4)
    if not 1 <= count <= 100:
        raise Refused("actions")
    effects = []
    for position in range(count):
        kind, danger = action(bytes_, receiver)
        effects.append({"action": position, "kind": kind, "class": danger})
    if bytes_.at != len(content):
        raise Refused("trailing")
    hash_ = hashlib.sha256(content).hexdigest()
    return {"hash": hash_, "signer": signer, "key": key, "nonce": nonce, "receiver": receiver, "effects": effects}


def main():
    examples, wrong = json.loads((HERE / "examples" / "near.json").read_text()), 0
    for example in examples:
        expected = {name: value for name, value in example.items() if name not in ("name", "transaction")}
        try:
            found = read(bytes.fromhex(example["transaction"]))
        except Refused as refused:
            found = {"refused": f"near.{refused}"}
        if found != expected:
            wrong += 1
            print(f"{example['name']}: expected {expected}, found {found}")
    print(f"{len(examples)} transactions, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

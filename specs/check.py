#!/usr/bin/env python3
"""Second implementation of the canonical encoding, written from specs/canonical.md and specs/types.md alone.

Recomputes every vector in specs/vectors/*.json from its JSON form: the document's bytes and its
digest. Prints one line per file and exits with 1 if a single vector differs.
"""

import hashlib
import hmac
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
INTEGERS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16}
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[{}:,=]")


def unhex(text):
    return bytes.fromhex(text.removeprefix("0x"))


def sized(content):
    return len(content).to_bytes(4, "little") + content


class Types:
    """The grammar of specs/types.md: `name = type`, one after the other."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(re.sub(r"#.*", "", text))
        self.at = 0
        self.named = {}
        while self.at < len(self.tokens):
            name = self.take()
            self.take("=")
            self.named[name] = self.type()

    def take(self, expected=None):
        token = self.tokens[self.at]
        if expected is not None and token != expected:
            raise SystemExit(f"types: expected {expected!r}, found {token!r} at token {self.at}")
        self.at += 1
        return token

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def type(self):
        if self.peek() == "{":
            return ("struct", self.fields())
        word = self.take()
        if word == "enum":
            return ("enum", self.variants())
        if word in ("list", "set", "map", "option", "signed", "tail"):
            return (word, self.type())
        if word == "raw":
            return ("raw", int(self.take()))
        return ("word", word)

    def fields(self):
        self.take("{")
        fields = []
        while self.peek() != "}":
            name = self.take()
            self.take(":")
            fields.append((name, self.type()))
            if self.peek() == ",":
                self.take()
        self.take("}")
        return fields

    def variants(self):
        self.take("{")
        variants = {}
        while self.peek() != "}":
            number, tag = int(self.take()), self.take()
            content = None if self.peek() in (",", "}") else self.type()
            variants[tag] = (number, content)
            if self.peek() == ",":
                self.take()
        self.take("}")
        return variants

    def encode(self, type_, value):
        kind, what = type_
        return getattr(self, "encode_" + kind)(what, value)

    def encode_struct(self, fields, value):
        last, (kind, _) = fields[-1] if fields else ("", ("", None))
        if kind == "tail":
            first, there = fields[0][0], last in value
            value = {**value, first: value[first] | there << 31}
            fields = fields if there else fields[:-1]
        if set(value) != {name for name, _ in fields}:
            raise ValueError(f"fields {sorted(value)} instead of {sorted(n for n, _ in fields)}")
        return b"".join(self.encode(type_, value[name]) for name, type_ in fields)

    def encode_enum(self, variants, value):
        tag, content = (value, None) if isinstance(value, str) else next(iter(value.items()))
        number, type_ = variants[tag]
        return bytes([number]) + (b"" if type_ is None else self.encode(type_, content))

    def encode_list(self, type_, value):
        return len(value).to_bytes(4, "little") + b"".join(self.encode(type_, item) for item in value)

    def encode_set(self, type_, value):
        items = [self.encode(type_, item) for item in value]
        return len(items).to_bytes(4, "little") + b"".join(sorted(items, key=lambda item: item[4:]))

    def encode_map(self, type_, value):
        items = [self.encode(("word", "name"), name) + self.encode(type_, value[name]) for name in sorted(value)]
        return len(items).to_bytes(4, "little") + b"".join(items)

    def encode_option(self, type_, value):
        return b"\0" if value is None else b"\1" + self.encode(type_, value)

    def encode_tail(self, type_, value):
        return self.encode(type_, value)

    def encode_signed(self, type_, value):
        fields = [("body", type_), ("signer", ("word", "name")), ("signature", ("raw", 64 + 3309))]
        return self.encode_struct(fields, value)

    def encode_raw(self, length, value):
        content = unhex(value) if isinstance(value, str) else bytes(value)
        if len(content) != length:
            raise ValueError(f"{len(content)} bytes instead of {length}")
        return content

    def encode_word(self, word, value):
        if word in INTEGERS:
            return int(value).to_bytes(INTEGERS[word], "little")
        if word == "bool":
            return b"\1" if value else b"\0"
        if word == "amount":
            return int(value).to_bytes(32, "little")
        if word in ("hash", "address"):
            return self.encode_raw(32 if word == "hash" else 20, value)
        if word == "bytes":
            return sized(unhex(value))
        if word == "text":
            return value.encode()
        if word == "octets":
            return sized(bytes(value))
        if word == "string":
            return sized(value.encode())
        if word == "name":
            if not NAME.fullmatch(value):
                raise ValueError(f"{value!r} is not a name")
            return sized(value.encode())
        return self.encode(self.named[word], value)


def document(types, domain, type_name, value):
    header = bytes([len(domain)]) + domain.encode()
    return header + types.encode_word(type_name, value)


def mixed(material, salt, info):
    """HKDF-SHA-512 (RFC 5869), 32 bytes."""
    extracted = hmac.digest(salt.encode(), material, "sha512")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha512")[:32]


def main():
    pages = ("types.md", "keys.md", "ethereum.md", "bitcoin.md", "solana.md", "near.md", "enclave.md", "wire.md", "log.md", "consensus.md", "ceremony.md", "rebuild.md", "words.md", "threshold.md", "entropy.md", "attestation.md", "quantum.md")
    text = "".join((HERE / page).read_text() for page in pages)
    blocks = re.findall(r"```types\n(.*?)```", text, re.S)
    types = Types("\n".join(blocks))
    rows = re.findall(r"^\| `(keystead/[^`]+)` \| `(\w+)` \|", text, re.M)
    domains = dict(rows)
    checked, wrong, seen = 0, 0, set()
    for path in sorted((HERE / "vectors").glob("*.json")):
        vectors = json.loads(path.read_text())
        for vector in vectors:
            domain = vector["domain"]
            seen.add(domain)
            checked += 1
            found = document(types, domain, domains[domain], vector["json"])
            digest = hashlib.sha256(found).hexdigest()
            if found.hex() != vector["document"] or digest != vector["digest"]:
                wrong += 1
                print(f"{path.name}: {vector['name']}: expected {vector['digest']}, computed {digest}")
            if (rule := vector.get("mixed")) and mixed(found, rule["salt"], rule["info"]).hex() != rule["seed"]:
                wrong += 1
                print(f"{path.name}: {vector['name']}: another seed")
        print(f"{path.name}: {len(vectors)} vectors")
    for domain in sorted(set(domains) - seen):
        wrong += 1
        print(f"no vector for {domain}")
    print(f"{checked} vectors, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

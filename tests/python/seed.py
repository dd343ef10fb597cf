#!/usr/bin/env python3
"""Computes a seed again from its receipt, written from specs/entropy.md alone, with Python's standard library.

    seed.py RECEIPT.json OPENINGS.json [ROLLS] [--flips FLIPS] [--file FILE] [--promise HEX] [--witness WORD.json KEY]...

RECEIPT.json is what anybody may see: a receipt, or what `keystead key show KEY --json` says of a key. OPENINGS.json has
the salt of each source, and the samples of the machine's own. ROLLS is a text file with what people rolled (1 to 6) or
flipped (h and t), from their paper, and FLIPS one more where they did both; FILE is the file of bytes that they brought.
HEX is what people wrote down before the first roll. WORD.json is what a witness signed (`keystead entropy witness --json`), and
KEY a file with a public key that the roster has of them, in hexadecimal: which receipt and promise it is of, and the Ed25519 half of the
signature are verified, the half by ML-DSA-65 is not. Prints the seed and the numbers of its 24 BIP-39 words, or says what does not hold.
"""

import argparse
import hashlib
import hmac
import json
import pathlib

SOURCES = ["operating_system", "jitter", "rdseed", "dice", "coins", "file", "token", "tpm"]
BROUGHT = {"dice", "coins", "file"}
SYMBOLS = {"dice": {str(n): n for n in range(1, 7)}, "coins": {"h": 1, "t": 0, "1": 1, "0": 0}}


def document(domain, body):
    return bytes([len(domain)]) + domain.encode() + body


def digest(domain, body):
    return hashlib.sha256(document(domain, body)).hexdigest()


def u32(number):
    return number.to_bytes(4, "little")


def listed(items):
    return u32(len(items)) + b"".join(items)


def source(name):
    return bytes([SOURCES.index(name)])


def record(it):
    numbers = ("samples", "millibits", "window", "repetitions", "proportion")
    return source(it["source"]) + b"".join(u32(it[n]) for n in numbers) + bytes.fromhex(it["commitment"])


def opening(name, salt, samples):
    return digest("keystead/entropy-opening/v1", source(name) + bytes.fromhex(salt) + u32(len(samples)) + samples)


def mixed(inputs):
    body = listed([source(name) + u32(len(samples)) + samples for name, samples in inputs])
    material = document("keystead/seed-material/v1", body)
    extracted = hmac.digest(b"keystead/seed/v2", material, "sha512")
    return hmac.digest(extracted, b"seed\x01", "sha512")[:32]


def word_numbers(seed):
    """From 1 to 2048, as printed lists of BIP-39's words count them."""
    bits = int.from_bytes(seed + hashlib.sha256(seed).digest()[:1], "big")
    return [(bits >> 11 * (23 - at) & 2047) + 1 for at in range(24)]


def samples_of(opened, brought):
    if "samples" in opened:
        return bytes.fromhex(opened["samples"])
    given = brought.get(opened["source"])
    if given is None:
        raise SystemExit(f"{opened['source']}: what was brought is not named")
    if opened["source"] == "file":
        return given.read_bytes()
    symbols = SYMBOLS[opened["source"]]
    letters = given.read_text().lower()
    return bytes(symbols[letter] for letter in letters if not letter.isspace() and letter != ",")


P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def added(one, other):
    """On the curve of Ed25519 (RFC 8032, 5.1.4), in extended coordinates."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = one, other
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    found = (0, 1, 1, 0)
    while number:
        found = added(found, point) if number & 1 else found
        point = added(point, point)
        number >>= 1
    return found


def point_of(octets):
    number = int.from_bytes(octets, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * ROOT % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise SystemExit("a key or signature is no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def ed25519_verifies(key, message, signature):
    base = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    s = int.from_bytes(signature[32:], "little")
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left, right = times(s, base), added(point_of(signature[:32]), times(hashed, point_of(key)))
    same = all((left[at] * right[2] - right[at] * left[2]) % P == 0 for at in (0, 1))
    return s < ORDER and same


def text(value):
    return u32(len(value)) + value.encode()


def option(value):
    return b"\0" if value is None else b"\1" + bytes.fromhex(value)


def receipt_digest(it):
    body = text(it["maker"]) + it["at"].to_bytes(8, "little") + listed([record(s) for s in it["sources"]])
    body += option(it["promise"]) + bytes.fromhex(it["check"]) + listed([text(name) for name in it["witnesses"]])
    return digest("keystead/entropy-receipt/v1", body)


def watched(receipt, word, key):
    who, said = word["signer"], word["body"]
    if said["receipt"] != receipt_digest(receipt):
        raise SystemExit(f"{who} watched another seed: the word is of another receipt")
    if said["noted"] not in (None, receipt["promise"]):
        raise SystemExit(f"{who} wrote down another promise")
    body = bytes.fromhex(said["receipt"]) + option(said["noted"]) + said["at"].to_bytes(8, "little")
    message = b"keystead/signed/v1\0" + bytes.fromhex(digest("keystead/entropy-witness/v1", body))
    if not ed25519_verifies(key[:32], message, bytes.fromhex(word["signature"])[:64]):
        raise SystemExit(f"{who}: no key of theirs signed this")
    noted = said["noted"] is not None
    return {"witness": who, "noted": noted, "ed25519": "verified", "ml_dsa_65": "not looked at"}


def receipt_of(told):
    """A receipt, or the only one of a key."""
    if "sources" in told:
        return told
    (receipt,) = told["key"]["life"]["receipts"].values()
    return receipt


def recompute(receipt, openings, brought, promised):
    inputs = [(it["source"], samples_of(it, brought)) for it in openings]
    if [it["source"] for it in receipt["sources"]] != [name for name, _ in inputs]:
        raise SystemExit("the openings are of other sources than the receipt's")
    for it, opened, (name, samples) in zip(receipt["sources"], openings, inputs):
        if opening(name, opened["salt"], samples) != it["commitment"]:
            raise SystemExit(f"{name}: these samples are not the ones of the commitment")
    own = listed([record(it) for it in receipt["sources"] if it["source"] not in BROUGHT])
    promise = digest("keystead/entropy-promise/v1", own)
    if promised is not None and promised != promise:
        raise SystemExit("the machine did not keep the promise that you wrote down")
    brought = any(it["source"] in BROUGHT for it in receipt["sources"])
    if receipt["promise"] != (promise if brought else None):
        raise SystemExit("the promise in the receipt is not of these sources")
    seed = mixed(inputs)
    if digest("keystead/seed-check/v1", seed) != receipt["check"]:
        raise SystemExit("the receipt is of another seed")
    return seed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("receipt", type=pathlib.Path)
    parser.add_argument("openings", type=pathlib.Path)
    parser.add_argument("rolls", type=pathlib.Path, nargs="?")
    parser.add_argument("--flips", type=pathlib.Path)
    parser.add_argument("--file", type=pathlib.Path)
    parser.add_argument("--promise")
    parser.add_argument("--witness", type=pathlib.Path, nargs=2, action="append", default=[])
    asked = parser.parse_args()
    told, openings = (json.loads(path.read_text()) for path in (asked.receipt, asked.openings))
    brought = {"dice": asked.rolls, "coins": asked.flips or asked.rolls, "file": asked.file}
    receipt = receipt_of(told)
    seed = recompute(receipt, openings, brought, asked.promise)
    files = [(json.loads(word.read_text()), key.read_text().strip().strip('"')) for word, key in asked.witness]
    witnesses = [watched(receipt, word, bytes.fromhex(key)) for word, key in files]
    print(json.dumps({"seed": seed.hex(), "words": word_numbers(seed), "witnesses": witnesses}))


if __name__ == "__main__":
    main()

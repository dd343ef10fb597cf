#!/usr/bin/env python3
"""Computes a seed again from its receipt, written from specs/entropy.md alone, with Python's standard library.

    seed.py RECEIPT.json OPENINGS.json [ROLLS] [--flips FLIPS] [--file FILE] [--promise HEX]

RECEIPT.json is what anybody may see: a receipt, or what `keystead key show KEY --json` says of a key. OPENINGS.json has
the salt of each source, and the samples of the machine's own. ROLLS is a text file with what people rolled (1 to 6) or
flipped (h and t), from their paper, and FLIPS one more where they did both; FILE is the file of bytes that they brought.
HEX is what people wrote down before the first roll. Prints the seed and the numbers of its 24 BIP-39 words, or says what
does not hold.
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
    asked = parser.parse_args()
    told, openings = (json.loads(path.read_text()) for path in (asked.receipt, asked.openings))
    brought = {"dice": asked.rolls, "coins": asked.flips or asked.rolls, "file": asked.file}
    seed = recompute(receipt_of(told), openings, brought, asked.promise)
    print(json.dumps({"seed": seed.hex(), "words": word_numbers(seed)}))


if __name__ == "__main__":
    main()

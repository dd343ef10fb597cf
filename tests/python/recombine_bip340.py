"""Puts a BIP-340 key together from the shares that left, and signs with its first address: docs/exit.md, without a line of Keystead's.

    recombine_bip340.py DIGEST share.json…

Each file is the plain text of one age file. DIGEST is 32 bytes in hexadecimal. Needs Python alone. The address is that of
`tr` at `m/86/0/0`, its first one to receive at (BIP-341, BIP-340).
"""

import hashlib
import hmac
import json
import os
import sys

from recombine import N, compressed, multiply, root

PATH = [86, 0, 0, 0, 0]


def tagged(tag, data):
    name = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(name + name + data).digest()


def number(data):
    return int.from_bytes(data, "big")


def child(key, chain_code, index):
    """BIP-32, not hardened: the child and its chain code."""
    left_right = hmac.new(chain_code, compressed(key) + index.to_bytes(4, "big"), hashlib.sha512).digest()
    return (number(left_right[:32]) + key) % N, left_right[32:]


def even(key):
    """The key whose point has an even y, and that point's x."""
    x, y = multiply(key)
    return (N - key if y % 2 else key), x.to_bytes(32, "big")


def sign(key, x, digest):
    mask = tagged("BIP0340/aux", os.urandom(32))
    hidden = bytes(a ^ b for a, b in zip(key.to_bytes(32, "big"), mask))
    nonce, point = even(number(tagged("BIP0340/nonce", hidden + x + digest)) % N)
    challenge = number(tagged("BIP0340/challenge", point + x + digest)) % N
    return point + ((nonce + challenge * key) % N).to_bytes(32, "big")


def main(digest, *files):
    shares = [json.load(open(file)) for file in files]
    if len({share["index"] for share in shares}) != len(shares):
        sys.exit("one share twice")
    key, chain_code = root(shares), bytes.fromhex(shares[0]["chain_code"])
    for index in PATH:
        key, chain_code = child(key, chain_code, index)
    internal, x = even(key)
    output, x = even((internal + number(tagged("TapTweak", x))) % N)
    print(json.dumps({"output_key": x.hex(), "signature": sign(output, x, bytes.fromhex(digest)).hex()}))


main(*sys.argv[1:])

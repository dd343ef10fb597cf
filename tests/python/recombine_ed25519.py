"""Puts an Ed25519 key together from the shares that left, and signs with it: docs/exit.md, without a line of Keystead's.

    recombine_ed25519.py MESSAGE share.json…

Each file is the plain text of one age file. MESSAGE is in hexadecimal. Needs Python alone.
"""

import hashlib
import json
import os
import sys

P = 2**255 - 19
N = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def recovered(y, odd):
    """The x of a point, from its y and the lowest bit (RFC 8032, 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x if x % 2 == odd else P - x


G = (recovered(4 * pow(5, -1, P) % P, 0), 4 * pow(5, -1, P) % P)


def add(a, b):
    twist = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + twist, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - twist, -1, P)
    return x % P, y % P


def multiply(scalar):
    sum, point = (0, 1), G
    while scalar:
        if scalar & 1:
            sum = add(sum, point)
        scalar, point = scalar >> 1, add(point, point)
    return sum


def encoded(scalar):
    x, y = multiply(scalar)
    return (y | (x & 1) << 255).to_bytes(32, "little")


def root(shares):
    """Lagrange at zero: each share times the product of j / (j - i) over the others' indices j."""
    key = 0
    for share in shares:
        scalar, i = int.from_bytes(bytes.fromhex(share["share"]), "little"), share["index"]
        if encoded(scalar).hex() != share["public_shares"][i - 1]:
            sys.exit(f"the share of {share['holder']} is not the one that its public side is of")
        for other in shares:
            if other is not share:
                scalar = scalar * other["index"] * pow(other["index"] - i, -1, N) % N
        key = (key + scalar) % N
    if encoded(key).hex() != shares[0]["public_key"]:
        sys.exit(f"{len(shares)} shares are not the key: it takes {shares[0]['threshold']}, of one epoch")
    return key


def challenge(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % N


def sign(key, message):
    """RFC 8032, 5.1.6, with random bytes in the place of the prefix that a seed would have."""
    nonce = challenge(os.urandom(32), message)
    point = encoded(nonce)
    return point + ((nonce + challenge(point, encoded(key), message) * key) % N).to_bytes(32, "little")


def main(message, *files):
    shares = [json.load(open(file)) for file in files]
    if len({share["index"] for share in shares}) != len(shares):
        sys.exit("one share twice")
    if {share["scheme"] for share in shares} != {"ed25519"}:
        sys.exit("these are shares of another scheme")
    signature = sign(root(shares), bytes.fromhex(message))
    print(json.dumps({"public_key": shares[0]["public_key"], "signature": signature.hex()}))


main(*sys.argv[1:])

"""Puts an ECDSA key together from the shares that left, and pays from it: docs/exit.md, without a line of Keystead's.

    recombine.py RPC TO WEI share.json…

Each file is the plain text of one age file. The arithmetic needs Python alone; eth-account signs the payment.
"""

import hashlib
import hmac
import json
import sys
import urllib.request

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(a, b):
    if a is None or b is None:
        return b or a
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(scalar, point=G):
    sum = None
    while scalar:
        if scalar & 1:
            sum = add(sum, point)
        scalar, point = scalar >> 1, add(point, point)
    return sum


def compressed(scalar):
    x, y = multiply(scalar)
    return (2 + y % 2).to_bytes(1, "big") + x.to_bytes(32, "big")


def root(shares):
    """Lagrange at zero: each share times the product of j / (j - i) over the others' indices j."""
    key = 0
    for share in shares:
        scalar, i = int(share["share"], 16), share["index"]
        if compressed(scalar).hex() != share["public_shares"][i - 1]:
            sys.exit(f"the share of {share['holder']} is not the one that its public side is of")
        for other in shares:
            if other is not share:
                scalar = scalar * other["index"] * pow(other["index"] - i, -1, N) % N
        key = (key + scalar) % N
    if compressed(key).hex() != shares[0]["public_key"]:
        sys.exit(f"{len(shares)} shares are not the key: it takes {shares[0]['threshold']}, of one epoch")
    return key


def child(key, chain_code, index):
    """BIP-32, not hardened. A key that was imported as one secret has no chain code, and no child."""
    if not any(chain_code):
        return key
    data = compressed(key) + index.to_bytes(4, "big")
    left = hmac.new(chain_code, data, hashlib.sha512).digest()[:32]
    return (int.from_bytes(left, "big") + key) % N


def ask(rpc, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(rpc, body, {"content-type": "application/json"})
    answer = json.load(urllib.request.urlopen(request))
    if "error" in answer:
        sys.exit(str(answer["error"]))
    return answer["result"]


def main(rpc, to, wei, *files):
    from eth_account import Account

    shares = [json.load(open(file)) for file in files]
    if len({share["index"] for share in shares}) != len(shares):
        sys.exit("one share twice")
    key = root(shares)
    account = Account.from_key(child(key, bytes.fromhex(shares[0]["chain_code"]), 0).to_bytes(32, "big"))
    payment = {
        "chainId": int(ask(rpc, "eth_chainId"), 16),
        "nonce": int(ask(rpc, "eth_getTransactionCount", account.address, "latest"), 16),
        "to": to,
        "value": int(wei),
        "gas": 21000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**9,
    }
    signed = account.sign_transaction(payment)
    print(json.dumps({"address": account.address, "hash": ask(rpc, "eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())}))


if __name__ == "__main__":
    main(*sys.argv[1:])

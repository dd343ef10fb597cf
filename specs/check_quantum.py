#!/usr/bin/env python3
"""Second derivation of quantum-resistant keys, written from specs/quantum.md, FIPS 204 and FIPS 205 alone.

Grows each key of specs/examples/quantum.json from its seed: the path, ML-DSA.KeyGen_internal (FIPS 204, algorithm 6) and
slh_keygen_internal (FIPS 205, algorithm 18), and compares public key and fingerprint. Exits with 1 if anything differs.
"""

import hashlib
import hmac
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
Q = 8380417
PARAMETERS = {"ML-DSA-44": (4, 4, 2), "ML-DSA-65": (6, 5, 4), "ML-DSA-87": (8, 7, 2)}
CODES = {"ML-DSA-44": 0, "ML-DSA-65": 1, "ML-DSA-87": 2, "SLH-DSA-SHA2-128s": 3}


def step(key, content):
    return hmac.digest(key, content, "sha512")


def leaf(seed, path, code, length):
    node = step(b"Keystead quantum seed", seed)
    for index in path:
        node = step(node[32:], b"\0" + node[:32] + (index | 1 << 31).to_bytes(4, "big"))
    return hmac.digest(node, b"Keystead quantum key" + bytes([code]) + b"\x01", "sha512")[:length]


def fingerprint(code, key):
    domain = b"keystead/quantum-key/v1"
    return hashlib.sha256(bytes([len(domain)]) + domain + bytes([code]) + key).hexdigest()


ZETAS = [pow(1753, int(f"{place:08b}"[::-1], 2), Q) for place in range(256)]


def ntt(poly):
    w, k, length = list(poly), 0, 128
    while length:
        for start in range(0, 256, 2 * length):
            k += 1
            for j in range(start, start + length):
                t = ZETAS[k] * w[j + length] % Q
                w[j + length], w[j] = (w[j] - t) % Q, (w[j] + t) % Q
        length //= 2
    return w


def inverse_ntt(poly):
    w, k, length = list(poly), 256, 1
    while length < 256:
        for start in range(0, 256, 2 * length):
            k -= 1
            for j in range(start, start + length):
                t = w[j]
                w[j], w[j + length] = (t + w[j + length]) % Q, -ZETAS[k] * (t - w[j + length]) % Q
        length *= 2
    return [value * 8347681 % Q for value in w]


def uniform(seed):
    stream, values = hashlib.shake_128(seed).digest(1344), []
    for at in range(0, len(stream), 3):
        value = int.from_bytes(stream[at:at + 3], "little") & 0x7FFFFF
        if value < Q and len(values) < 256:
            values.append(value)
    assert len(values) == 256
    return values


def bounded(seed, eta):
    values = []
    for byte in hashlib.shake_256(seed).digest(544):
        for half in (byte & 15, byte >> 4):
            if eta == 2 and half < 15:
                values.append(2 - half % 5)
            elif eta == 4 and half < 9:
                values.append(4 - half)
    assert len(values) >= 256
    return values[:256]


def ml_dsa(xi, k, l, eta):
    expanded = hashlib.shake_256(xi + bytes([k, l])).digest(128)
    rho, rho_prime = expanded[:32], expanded[32:96]
    s1 = [ntt(bounded(rho_prime + r.to_bytes(2, "little"), eta)) for r in range(l)]
    s2 = [bounded(rho_prime + (r + l).to_bytes(2, "little"), eta) for r in range(k)]
    packed = rho
    for r in range(k):
        sums = [0] * 256
        for s in range(l):
            column = uniform(rho + bytes([s, r]))
            sums = [(total + a * b) % Q for total, a, b in zip(sums, column, s1[s])]
        t = [(a + b) % Q for a, b in zip(inverse_ntt(sums), s2[r])]
        # The low part is in (-4096, 4096], so the high part is rounded to the nearest, halves down.
        high = sum(((value + 4095) >> 13) << (10 * place) for place, value in enumerate(t))
        packed += high.to_bytes(320, "little")
    return packed


def slh_dsa_sha2_128s(seed):
    sk_seed, pk_seed = seed[:16], seed[32:48]
    start = hashlib.sha256(pk_seed + bytes(48))

    def hashed(kind, one, two, three, content):
        place = start.copy()
        # ADRS, compressed: layer 6, tree 0, the type, and three words.
        place.update(bytes([6]) + bytes(8) + bytes([kind]))
        place.update(b"".join(word.to_bytes(4, "big") for word in (one, two, three)) + content)
        return place.digest()[:16]

    def one_time_key(pair):
        ends = b""
        for chain in range(35):
            value = hashed(5, pair, chain, 0, sk_seed)
            for at in range(15):
                value = hashed(0, pair, chain, at, value)
            ends += value
        return hashed(1, pair, 0, 0, ends)

    nodes = [one_time_key(pair) for pair in range(512)]
    for height in range(1, 10):
        pairs = [nodes[at] + nodes[at + 1] for at in range(0, len(nodes), 2)]
        nodes = [hashed(2, 0, height, index, both) for index, both in enumerate(pairs)]
    return pk_seed + nodes[0]


def base_2b(content, bits, count):
    number = int.from_bytes(content, "big") >> (8 * len(content) - bits * count)
    return [number >> bits * (count - 1 - place) & (1 << bits) - 1 for place in range(count)]


def slh_dsa_sha2_128s_verifies(key, message, signature):
    """slh_verify with an empty context (FIPS 205, algorithms 20 and 24)."""
    pk_seed, root = key[:16], key[16:]
    blocks = [signature[at:at + 16] for at in range(0, len(signature), 16)]
    inner = hashlib.sha256(blocks[0] + key + b"\0\0" + message).digest()
    digest = hashlib.sha256(blocks[0] + pk_seed + inner + bytes(4)).digest()[:30]
    tree = int.from_bytes(digest[21:28], "big") % 2**54
    leaf = int.from_bytes(digest[28:30], "big") % 2**9
    start = hashlib.sha256(pk_seed + bytes(48))

    def hashed(layer, tree, kind, words, content):
        place = start.copy()
        place.update(bytes([layer]) + tree.to_bytes(8, "big") + bytes([kind]))
        place.update(b"".join(word.to_bytes(4, "big") for word in words) + content)
        return place.digest()[:16]

    def climbed(layer, tree, kind, pair, node, index, path):
        for height, other in enumerate(path, 1):
            both = other + node if index & 1 else node + other
            index >>= 1
            node = hashed(layer, tree, kind, (pair, height, index), both)
        return node

    roots = b""
    for number, index in enumerate(base_2b(digest[:21], 12, 14)):
        secret, path = blocks[1 + 13 * number], blocks[2 + 13 * number:14 + 13 * number]
        index += number << 12
        node = hashed(0, tree, 3, (leaf, 0, index), secret)
        roots += climbed(0, tree, 3, leaf, node, index, path)
    node = hashed(0, tree, 4, (leaf, 0, 0), roots)
    for layer in range(7):
        at = 1 + 14 * 13 + 44 * layer
        digits = base_2b(node, 4, 32)
        rest = sum(15 - digit for digit in digits) << 4
        digits += base_2b(rest.to_bytes(2, "big"), 4, 3)
        ends = b""
        for chain, (digit, value) in enumerate(zip(digits, blocks[at:at + 35])):
            for step_number in range(digit, 15):
                value = hashed(layer, tree, 0, (leaf, chain, step_number), value)
            ends += value
        node = hashed(layer, tree, 1, (leaf, 0, 0), ends)
        node = climbed(layer, tree, 2, 0, node, leaf, blocks[at + 35:at + 44])
        tree, leaf = tree >> 9, tree % 2**9
    return node == root


def signatures():
    """The signatures by SLH-DSA among the vectors, each with its key and what it is over."""
    vectors = json.loads((HERE / "vectors" / "quantum.json").read_text())
    named = {vector["domain"].split("/")[1]: vector for vector in vectors}
    keys = named["quantum-quorum"]["json"]["keys"]
    message = bytes.fromhex(named["quantum-quorum-message"]["document"])
    for seat in named["quantum-quorum-signature"]["json"]["seats"]:
        if hashes := seat["signature"].get("slh_dsa_sha2_128s"):
            yield bytes.fromhex(keys[seat["index"]]["slh_dsa_sha2_128s"]), message, bytes.fromhex(hashes)
    word, statement = named["anchor-word"]["json"], bytes.fromhex(named["anchor-statement"]["document"])
    (key,), (seat,) = word["anchor"]["keys"], word["signature"]["seats"]
    key = bytes.fromhex(key["slh_dsa_sha2_128s"])
    anchor = document("keystead/quantum-quorum/v1", b"\x01\x01\0\0\0\x03" + key)
    sized = len(statement).to_bytes(4, "little") + statement
    message = document("keystead/quantum-quorum-message/v1", hashlib.sha256(anchor).digest() + sized)
    yield key, message, bytes.fromhex(seat["signature"]["slh_dsa_sha2_128s"])


def document(domain, body):
    return bytes([len(domain)]) + domain.encode() + body


def main():
    keys = json.loads((HERE / "examples" / "quantum.json").read_text())
    wrong = 0
    for key in keys:
        name, code = key["scheme"], CODES[key["scheme"]]
        path = (code, key["account"], key["index"])
        seed = bytes.fromhex(key["seed"])
        if name in PARAMETERS:
            found = ml_dsa(leaf(seed, path, code, 32), *PARAMETERS[name])
        else:
            found = slh_dsa_sha2_128s(leaf(seed, path, code, 48))
        if found.hex() != key["public_key"] or fingerprint(code, found) != key["fingerprint"]:
            wrong += 1
            print(f"{name} {path}: another key")
    signed = list(signatures())
    for key, message, signature in signed:
        bent = bytes([signature[0] ^ 1]) + signature[1:]
        if not slh_dsa_sha2_128s_verifies(key, message, signature) or slh_dsa_sha2_128s_verifies(key, message, bent):
            wrong += 1
            print("SLH-DSA-SHA2-128s: a signature")
    print(f"{len(keys)} keys and {len(signed)} signatures, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

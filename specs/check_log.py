#!/usr/bin/env python3
"""Second implementation of the log's tree, written from specs/log.md alone.

Takes the folder of an exported log, recomputes every tile from the header documents, and the root from
them, and compares: tiles byte for byte, the root and the size with the checkpoint. Signatures are not its
matter. Exits with 1 if anything differs.
"""

import base64
import hashlib
import pathlib
import sys

WIDTH = 256


def sha256(content):
    return hashlib.sha256(content).digest()


def leaf(document):
    return sha256(b"\0" + document)


def root(hashes):
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1" + root(hashes[:split]) + root(hashes[split:]))


def number(n):
    path = f"{n % 1000:03}"
    while n >= 1000:
        n //= 1000
        path = f"x{n % 1000:03}/{path}"
    return path


def tiles(count):
    """Number and width of each tile of a level with this many hashes."""
    for first in range(0, count, WIDTH):
        width = min(WIDTH, count - first)
        yield first // WIDTH, width, number(first // WIDTH) + ("" if width == WIDTH else f".p/{width}")


def documents(bundle):
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        if len(bundle) < 2 + length:
            raise ValueError("a bundle ends within an entry")
        yield bundle[2 : 2 + length]
        bundle = bundle[2 + length :]


def main(folder):
    origin, size, expected, *rest = (folder / "checkpoint").read_text().split("\n")
    size, wrong, files = int(size), 0, 0
    hashes = []
    for _, width, path in tiles(size):
        found = [leaf(it) for it in documents((folder / "tile/entries" / path).read_bytes())]
        wrong += len(found) != width
        hashes += found
    top = root(hashes)
    level = 0
    while hashes:
        for n, width, path in tiles(len(hashes)):
            files += 1
            content = b"".join(hashes[n * WIDTH : n * WIDTH + width])
            if (folder / "tile" / str(level) / path).read_bytes() != content:
                wrong += 1
                print(f"tile/{level}/{path} differs")
        full = len(hashes) // WIDTH
        hashes = [root(hashes[n * WIDTH : (n + 1) * WIDTH]) for n in range(full)]
        level += 1
    wrong += base64.b64encode(top).decode() != expected
    print(f"{origin}: {size} headers, {files} tiles, root {top.hex()}, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

"""Bitcoin Core's own validation (libbitcoinkernel) of one regtest chain, spoken to line by line.

    block HEX     what Core makes of a block: `taken` into the chain, `stored` on another branch, or `refused`
    hash HEIGHT   the hash of the chain's block at that height, or `none`
    raw HEIGHT    that block as Core has it on its disk, in hex

It decides nothing itself. The end of its input ends it.
"""

import sys

import pbk

manager = pbk.load_chainman(sys.argv[1], pbk.ChainType.REGTEST)


def entry(height):
    chain = manager.get_active_chain()
    return chain.block_tree_entries[height] if height <= chain.height else None


def take(raw):
    try:
        block = pbk.Block(raw)
        manager.process_block(block)
    except Exception as error:
        return f"refused {error}"
    known = manager.block_tree_entries[block.block_hash]
    found = entry(known.height)
    return "taken" if found is not None and found.block_hash == block.block_hash else "stored"


def answer(word, given):
    if word == "block":
        return take(bytes.fromhex(given))
    found = entry(int(given))
    if found is None:
        return "none"
    return str(found.block_hash) if word == "hash" else bytes(manager.blocks[found]).hex()


print("ready", flush=True)
for line in sys.stdin:
    print(answer(*line.split()), flush=True)

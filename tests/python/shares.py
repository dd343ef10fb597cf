"""Splits and combines by SLIP-39 with its authors' library, for the tests: one JSON object in, one answer out."""

import json
import sys

from shamir_mnemonic import combine_mnemonics, generate_mnemonics

asked = json.load(sys.stdin)
if "split" in asked:
    groups = [tuple(group) for group in asked["groups"]]
    answer = generate_mnemonics(asked["threshold"], groups, bytes.fromhex(asked["split"]), iteration_exponent=0)
else:
    answer = combine_mnemonics(asked["combine"]).hex()
json.dump(answer, sys.stdout)

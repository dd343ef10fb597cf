"""eth-account on random cases: a case a line from standard input, an answer a line. differ.py transactions|typed_data"""

import json
import sys

from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data


def transactions(it):
    if "spoiled" in it:
        return {"error": "not asked"}
    if it.get("kind") == "authorization":
        asked = {"chainId": it["chainId"], "address": it["to"], "nonce": it["nonce"]}
        signed = Account.sign_authorization(asked, it["key"])
        word = signed.r.to_bytes(32, "big") + signed.s.to_bytes(32, "big") + bytes([signed.y_parity])
        return {"signature": "0x" + word.hex(), "digest": "0x" + bytes(signed.authorization_hash).hex()}
    names = ["chainId", "nonce", "gas", "value", "data", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"]
    names += ["maxFeePerBlobGas", "blobVersionedHashes", "accessList", "authorizationList"]
    asked = {name: it[name] for name in names if it.get(name) is not None}
    if it["type"] > 0:
        asked["type"] = it["type"]
    asked["to"] = it["to"] or b""
    signed = Account.sign_transaction(asked, it["key"])
    read = Account.recover_transaction(it["raw"])
    return {
        "raw": "0x" + bytes(signed.raw_transaction).hex(),
        "hash": "0x" + bytes(signed.hash).hex(),
        "from": read.lower(),
    }


def typed_data(it):
    document = json.loads(it["json"])
    known = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address", "salt": "bytes32"}
    present = [{"name": name, "type": kind} for name, kind in known.items() if name in document["domain"]]
    document["types"].setdefault("EIP712Domain", present)
    return {"word": "0x" + bytes(_hash_eip191_message(encode_typed_data(full_message=document))).hex()}


answer = {"transactions": transactions, "typed_data": typed_data}[sys.argv[1]]
for line in sys.stdin:
    try:
        said = answer(json.loads(line))
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(said))

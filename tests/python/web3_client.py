"""web3.py as its users have it: client.py URL ACCOUNT EXCHANGE TOKEN"""

import sys

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from web3 import Web3

url, account, exchange, token = sys.argv[1:]
w3 = Web3(Web3.HTTPProvider(url))
assert w3.eth.chain_id == 31337
assert account in w3.eth.accounts

paid = w3.eth.send_transaction({"from": account, "to": exchange, "value": 1000})
assert w3.eth.wait_for_transaction_receipt(paid)["status"] == 1

abi = [{
    "type": "function", "name": "transfer", "stateMutability": "nonpayable",
    "inputs": [{"name": "to", "type": "address"}, {"name": "value", "type": "uint256"}],
    "outputs": [{"name": "", "type": "bool"}],
}]
sent = w3.eth.contract(address=token, abi=abi).functions.transfer(exchange, 2500000).transact({"from": account})
assert w3.eth.wait_for_transaction_receipt(sent)["status"] == 1

signature = w3.eth.sign(account, text="I agree.")
assert Account.recover_message(encode_defunct(text="I agree."), signature=signature) == account

note = {
    "domain": {"name": "Desk", "version": "1", "chainId": 31337, "verifyingContract": token},
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
        ],
        "Note": [{"name": "text", "type": "string"}, {"name": "amount", "type": "uint256"}],
    },
    "primaryType": "Note",
    "message": {"text": "hello", "amount": 7},
}
answer = w3.provider.make_request("eth_signTypedData_v4", [account, note])
signature = answer["result"]
assert Account.recover_message(encode_typed_data(full_message=note), signature=signature) == account

try:
    w3.eth.send_transaction({"from": account, "to": token, "value": 1, "gas": 100000})
    answer = "a hash"
except Exception as error:
    answer = str(error)
assert "is denied" in answer, answer

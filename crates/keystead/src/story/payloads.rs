//! The bytes of the refused acts.

use alloy_primitives::{Address, Bytes, U256, address};
use serde_json::{Value, json};

use super::cast::{CHAIN, TREASURY, USDC};

/// Whoever asks for more than they should.
pub(super) const STRANGER: Address = address!("00000000000000000000000000000000005742a6");

/// An EIP-2612 permit: `STRANGER` may take a million USDC.
pub(super) fn permit(owner: Address) -> Value {
    json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
            ],
            "Permit": [
                {"name": "owner", "type": "address"}, {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"}, {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ],
        },
        "primaryType": "Permit",
        "domain": {"name": "USD Coin", "version": "2", "chainId": CHAIN, "verifyingContract": USDC},
        "message": {
            "owner": owner, "spender": STRANGER, "value": "1000000000000", "nonce": 0,
            "deadline": "1999999999",
        },
    })
}

/// A call of the treasury's `execTransaction` whose operation is a delegate call of a stranger's code:
/// what the signers of Bybit's cold wallet were shown as an ordinary transfer.
pub(super) fn delegate_call(from: Address) -> Value {
    json!([{
        "from": from, "to": TREASURY, "gas": "0x493e0", "value": "0x0",
        "maxFeePerGas": "0xb2d05e00", "maxPriorityFeePerGas": "0x3b9aca00", "input": exec_transaction(),
    }])
}

/// `execTransaction(to, value, data, operation, safeTxGas, baseGas, gasPrice, gasToken, refundReceiver,
/// signatures)` in the one canonical layout of the ABI.
fn exec_transaction() -> Bytes {
    let number = |value: u64| U256::from(value).to_be_bytes::<32>();
    let inner = transfer();
    let padded = inner.len().div_ceil(32) * 32;
    let data_at = 10 * 32;
    let signatures_at = data_at + 32 + padded;
    let mut head = vec![
        STRANGER.into_word().0,
        number(0),
        number(data_at as u64),
        number(DELEGATE_CALL),
        number(0),
        number(0),
        number(0),
        number(0),
        number(0),
        number(signatures_at as u64),
    ];
    head.push(number(inner.len() as u64));
    let mut bytes = [EXEC_TRANSACTION.to_vec(), head.concat(), inner].concat();
    bytes.resize(4 + signatures_at, 0);
    bytes.extend(number(65));
    bytes.extend([1; 65]);
    bytes.resize(4 + signatures_at + 32 + 96, 0);
    bytes.into()
}

/// What it was dressed up as: `transfer(address,uint256)`.
fn transfer() -> Vec<u8> {
    [TRANSFER.as_slice(), &STRANGER.into_word().0, &[0; 32]].concat()
}

const EXEC_TRANSACTION: [u8; 4] = [0x6a, 0x76, 0x12, 0x02];
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const DELEGATE_CALL: u64 = 1;

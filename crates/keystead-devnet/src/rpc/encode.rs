//! Blocks, receipts and transactions as the execution API writes them.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Transaction as _, Typed2718 as _};
use alloy_primitives::{Address, B256, Bloom, Bytes, U256};
use serde_json::{Value, json};

use crate::transaction::SignedTransaction;
use crate::{Block, Devnet, Log, Receipt};

pub(super) fn quantity(value: impl TryInto<U256>) -> Value {
    let value: U256 = value.try_into().unwrap_or_default();
    Value::String(format!("{value:#x}"))
}

pub(super) fn block(chain: &Devnet, block: &Block, full: bool) -> Value {
    let header = block.header();
    let transaction = block.transaction().map(|hash| match full {
        true => chain.receipt(hash).map_or(Value::Null, |it| match transaction(it) {
            Value::Null => unsigned(it),
            signed => signed,
        }),
        false => json!(hash),
    });
    json!({
        "number": quantity(block.number()),
        "hash": block.hash(),
        "parentHash": header.parent_hash,
        "nonce": "0x0000000000000000",
        "mixHash": B256::ZERO,
        "sha3Uncles": EMPTY_OMMER_ROOT_HASH,
        "logsBloom": Bloom::ZERO,
        "transactionsRoot": header.transactions_root,
        "stateRoot": header.state_root,
        "receiptsRoot": header.receipts_root,
        "miner": Address::ZERO,
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "size": "0x0",
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "baseFeePerGas": quantity(header.base_fee_per_gas.unwrap_or_default()),
        "withdrawalsRoot": header.withdrawals_root,
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": header.parent_beacon_block_root,
        "requestsHash": header.requests_hash,
        "uncles": [],
        "withdrawals": [],
        "transactions": transaction.into_iter().collect::<Vec<_>>(),
    })
}

pub(super) fn receipt(receipt: &Receipt) -> Value {
    let logs: Vec<Value> =
        receipt.outcome.logs.iter().enumerate().map(|(index, entry)| log(receipt, index, entry)).collect();
    json!({
        "transactionHash": receipt.hash,
        "transactionIndex": "0x0",
        "blockHash": receipt.block_hash,
        "blockNumber": quantity(receipt.block),
        "from": receipt.from,
        "to": receipt.to,
        "contractAddress": receipt.outcome.created,
        "gasUsed": quantity(receipt.outcome.gas_used),
        "cumulativeGasUsed": quantity(receipt.outcome.gas_used),
        "effectiveGasPrice": quantity(receipt.gas_price),
        "type": quantity(kind(receipt)),
        "status": quantity(u64::from(receipt.outcome.is_success())),
        "logsBloom": bloom(receipt),
        "logs": logs,
    })
}

/// `null` for a transaction that was sent without a signature.
pub(super) fn transaction(receipt: &Receipt) -> Value {
    let Some(signed) = &receipt.signed else {
        return Value::Null;
    };
    let mut fields = common(receipt, signed);
    if let Some(fields) = fields.as_object_mut() {
        let tx = &signed.envelope;
        if tx.is_dynamic_fee() {
            fields.insert("maxFeePerGas".to_owned(), quantity(tx.max_fee_per_gas()));
            let priority = tx.max_priority_fee_per_gas().unwrap_or_default();
            fields.insert("maxPriorityFeePerGas".to_owned(), quantity(priority));
        }
        if let Some(list) = tx.access_list() {
            fields.insert("accessList".to_owned(), access_list(list));
        }
        if let Some(list) = tx.authorization_list() {
            fields.insert("authorizationList".to_owned(), authorizations(list));
        }
        if let Some(chain_id) = tx.chain_id() {
            fields.insert("chainId".to_owned(), quantity(chain_id));
        }
    }
    fields
}

/// In a block something stands for a transaction without a signature, too.
fn unsigned(receipt: &Receipt) -> Value {
    json!({
        "hash": receipt.hash,
        "blockHash": receipt.block_hash,
        "blockNumber": quantity(receipt.block),
        "transactionIndex": "0x0",
        "from": receipt.from,
        "to": receipt.to,
        "nonce": quantity(receipt.nonce),
        "value": quantity(receipt.value),
        "gasPrice": quantity(receipt.gas_price),
        "type": "0x0",
    })
}

/// Those logs of a receipt that somebody asked for.
pub(super) fn logs(receipt: &Receipt, takes: impl Fn(&Log) -> bool) -> Vec<Value> {
    let logs = receipt.outcome.logs.iter().enumerate().filter(|(_, entry)| takes(entry));
    logs.map(|(index, entry)| log(receipt, index, entry)).collect()
}

fn common(receipt: &Receipt, signed: &SignedTransaction) -> Value {
    let tx = &signed.envelope;
    let signature = tx.signature();
    let parity = u64::from(signature.v());
    let v = match (tx.is_legacy(), tx.chain_id()) {
        (true, Some(chain_id)) => parity.saturating_add(35).saturating_add(chain_id.saturating_mul(2)),
        (true, None) => parity.saturating_add(27),
        (false, _) => parity,
    };
    json!({
        "hash": receipt.hash,
        "blockHash": receipt.block_hash,
        "blockNumber": quantity(receipt.block),
        "transactionIndex": "0x0",
        "from": receipt.from,
        "to": receipt.to,
        "nonce": quantity(receipt.nonce),
        "value": quantity(receipt.value),
        "gas": quantity(tx.gas_limit()),
        "gasPrice": quantity(receipt.gas_price),
        "input": tx.input(),
        "type": quantity(kind(receipt)),
        "v": quantity(v),
        "yParity": quantity(parity),
        "r": quantity(signature.r()),
        "s": quantity(signature.s()),
    })
}

fn access_list(list: &alloy_eips::eip2930::AccessList) -> Value {
    list.iter().map(|item| json!({"address": item.address, "storageKeys": item.storage_keys})).collect()
}

fn authorizations(list: &[alloy_eips::eip7702::SignedAuthorization]) -> Value {
    let entry = |item: &alloy_eips::eip7702::SignedAuthorization| {
        json!({
            "chainId": quantity(item.chain_id),
            "address": item.address,
            "nonce": quantity(item.nonce),
            "yParity": quantity(u64::from(item.y_parity())),
            "r": quantity(item.r()),
            "s": quantity(item.s()),
        })
    };
    list.iter().map(entry).collect()
}

fn log(receipt: &Receipt, index: usize, entry: &Log) -> Value {
    json!({
        "address": entry.address,
        "topics": entry.data.topics(),
        "data": Bytes::clone(&entry.data.data),
        "blockNumber": quantity(receipt.block),
        "blockHash": receipt.block_hash,
        "transactionHash": receipt.hash,
        "transactionIndex": "0x0",
        "logIndex": quantity(index),
        "removed": false,
    })
}

fn bloom(receipt: &Receipt) -> Bloom {
    let mut bloom = Bloom::ZERO;
    receipt.outcome.logs.iter().for_each(|entry| bloom.accrue_log(entry));
    bloom
}

fn kind(receipt: &Receipt) -> u64 {
    receipt.signed.as_ref().map_or(0, |signed| u64::from(signed.envelope.ty()))
}

//! When two answers say the same, though two programs wrote them.

use alloy_primitives::{B256, keccak256};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::{EndpointError, answer};

/// What an endpoint said, by what it is compared.
#[derive(Debug)]
pub(crate) struct Said {
    /// Of all of it; hex digits in either case are the same.
    pub(crate) whole: B256,
    /// Of the members that the execution API names. Nodes add some of their own, and leave out what is null.
    pub(crate) known: B256,
    answer: Result<Box<RawValue>, EndpointError>,
}

/// How much of an answer is agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// All of it.
    All,
    /// The members that the execution API names.
    Known,
}

impl Said {
    pub(crate) fn value(raw: Box<RawValue>) -> Result<Self, EndpointError> {
        let mut value = value_of(&raw)?;
        level(&mut value);
        let whole = digest(&value);
        keep_known(&mut value);
        Ok(Self { whole, known: digest(&value), answer: Ok(raw) })
    }

    /// An error object. Numbers and words differ between programs; what a revert returned does not.
    pub(crate) fn error(error: EndpointError) -> Self {
        let (code, data) = match &error {
            EndpointError::Rpc { code, data, .. } => {
                (Some(*code), data.as_deref().map(str::to_ascii_lowercase))
            }
            _ => (None, None),
        };
        // What a call returned is the chain's word. Without it, a refusal of the moment says nothing of the chain.
        let kind = (error.is_execution(), error.is_no_state());
        let known = match (&data, kind) {
            (Some(data), _) => format!("error {data}"),
            (None, (false, false)) => format!("error {code:?}"),
            (None, kind) => format!("error {kind:?}"),
        };
        let whole = format!("error {code:?} {data:?}");
        Self { whole: keccak256(whole), known: keccak256(known), answer: Err(error) }
    }

    /// The number that it is, where it is one.
    pub(crate) fn number(&self) -> Option<u64> {
        self.answer.as_ref().ok().and_then(|raw| answer::number(raw).ok())
    }

    /// What the caller gets: no more than what is agreed.
    pub(crate) fn told(&self, whole: Whole) -> Result<Value, EndpointError> {
        let mut value = value_of(self.answer.as_ref().map_err(Clone::clone)?)?;
        if whole == Whole::Known {
            keep_known(&mut value);
        }
        Ok(value)
    }
}

pub(crate) fn value_of(raw: &RawValue) -> Result<Value, EndpointError> {
    answer::parse(raw, "JSON")
}

/// One way to write each value.
fn level(value: &mut Value) {
    value.sort_all_objects();
    lower(value);
}

fn lower(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("0x") || text.starts_with("0X") => {
            text.make_ascii_lowercase()
        }
        Value::Array(list) => list.iter_mut().for_each(lower),
        Value::Object(fields) => fields.values_mut().for_each(lower),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An object of which nothing is known stays what it is.
fn keep_known(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(keep_known),
        Value::Object(fields) => {
            if fields.keys().any(|name| is_known(name)) {
                fields.retain(|name, value| is_known(name) && !value.is_null());
            }
            values(fields);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn values(fields: &mut Map<String, Value>) {
    fields.values_mut().for_each(keep_known);
}

fn is_known(name: &str) -> bool {
    KNOWN.binary_search(&name).is_ok()
}

fn digest(value: &Value) -> B256 {
    keccak256(value.to_string())
}

/// The members of the execution API's objects: blocks, transactions, receipts, logs, proofs, histories of fees, runs. In
/// the order of the alphabet.
const KNOWN: &[&str] = &[
    "accessList",
    "accountProof",
    "address",
    "amount",
    "authorizationList",
    "balance",
    "baseFeePerBlobGas",
    "baseFeePerGas",
    "blobGasPrice",
    "blobGasUsed",
    "blobGasUsedRatio",
    "blobVersionedHashes",
    "blockHash",
    "blockNumber",
    "calls",
    "chainId",
    "code",
    "codeHash",
    "contractAddress",
    "cumulativeGasUsed",
    "data",
    "difficulty",
    "effectiveGasPrice",
    "error",
    "excessBlobGas",
    "extraData",
    "from",
    "gas",
    "gasLimit",
    "gasPrice",
    "gasUsed",
    "gasUsedRatio",
    "hash",
    "index",
    "input",
    "key",
    "logIndex",
    "logs",
    "logsBloom",
    "maxFeePerBlobGas",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
    "miner",
    "mixHash",
    "nonce",
    "number",
    "oldestBlock",
    "parentBeaconBlockRoot",
    "parentHash",
    "proof",
    "r",
    "receiptsRoot",
    "removed",
    "requestsHash",
    "returnData",
    "reward",
    "root",
    "s",
    "sha3Uncles",
    "size",
    "stateRoot",
    "status",
    "storageHash",
    "storageKeys",
    "storageProof",
    "timestamp",
    "to",
    "topics",
    "transactionHash",
    "transactionIndex",
    "transactions",
    "transactionsRoot",
    "type",
    "uncles",
    "v",
    "validatorIndex",
    "value",
    "withdrawals",
    "withdrawalsRoot",
    "yParity",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(value: &Value) -> Said {
        Said::value(serde_json::value::to_raw_value(value).unwrap()).unwrap()
    }

    #[test]
    fn a01_answers_are_compared_by_what_they_say() {
        assert!(KNOWN.is_sorted());
        let one = json!({"status": "0x1", "to": "0xAb", "root": null, "l1Fee": "0x5"});
        for (other, whole, known) in [
            (json!({"l1Fee": "0x5", "root": null, "to": "0xab", "status": "0x1"}), true, true),
            (json!({"status": "0x1", "to": "0xab", "contractAddress": null}), false, true),
            (json!({"status": "0x0", "to": "0xab", "root": null, "l1Fee": "0x5"}), false, false),
            (json!({"status": "0x1", "root": null, "l1Fee": "0x5"}), false, false),
            (json!({"theirs": 1}), false, false),
            (json!(null), false, false),
        ] {
            let (one, it) = (said(&one), said(&other));
            assert_eq!((one.whole == it.whole, one.known == it.known), (whole, known), "{other}");
        }
        assert_eq!(said(&one).told(Whole::Known), Ok(json!({"status": "0x1", "to": "0xAb"})));
        assert_ne!(said(&json!({"theirs": 1})).known, said(&json!({"theirs": 2})).known);
    }

    #[test]
    fn a01_a_revert_is_what_it_returned() {
        let error = |code: i64, data: Option<&str>| {
            let (message, data) = ("no".to_owned(), data.map(Into::into));
            Said::error(EndpointError::Rpc { code, message, data })
        };
        let one = error(3, Some(r#""0xAA""#));
        assert_eq!(one.whole, error(3, Some(r#""0xaa""#)).whole);
        assert_eq!(one.known, error(-32000, Some(r#""0xaa""#)).known);
        assert_ne!(one.known, error(3, Some(r#""0xab""#)).known);
        assert_ne!(one.known, error(3, None).known);
        assert_ne!(error(3, None).known, error(-32005, None).known, "a limit is no revert");
    }
}

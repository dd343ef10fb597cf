//! `eth_fillTransaction`: the transaction as it would be asked for, unsigned and in geth's form.

use alloy_consensus::transaction::RlpEcdsaEncodableTx as _;
use alloy_consensus::{Transaction as _, Typed2718 as _, TypedTransaction};
use alloy_eips::eip2930::AccessListItem;
use alloy_primitives::{Signature, U256, keccak256};
use alloy_rlp::Header;
use keystead_intent::ChainId;
use serde_json::{Value, json};

use super::RpcError;
use super::method::{Reply, one, quantity};
use crate::coordinator::Inner;
use crate::transaction::TransactionRequest;

impl Inner {
    /// Fills what is open, for any account: nothing is asked for, and no nonce is taken.
    pub(super) async fn eth_fill_transaction(&self, params: Value, owner: &str) -> Reply {
        let request: TransactionRequest = one(params, "a transaction object")?;
        let chain = self.settings.chain;
        request.check(chain).map_err(RpcError::params)?;
        let from = request.from()?;
        let _fills = self.shares.of(owner).fill().await?;
        let held = self.journal().held(from);
        let gas = self.gas_terms(&request, from, &held).await?;
        let unsigned = request.unsigned(chain, gas);
        let raw = without_signature(&unsigned);
        Ok(json!({"raw": const_hex::encode_prefixed(&raw), "tx": object(&unsigned, chain, &raw)}))
    }
}

/// As geth encodes a transaction that nobody signed: v, r and s are zero, also where EIP-155 has no zero v.
fn without_signature(unsigned: &TypedTransaction) -> Vec<u8> {
    let mut raw = Vec::new();
    match unsigned {
        TypedTransaction::Legacy(it) => {
            let payload_length = it.rlp_encoded_fields_length() + ZEROS.len();
            Header { list: true, payload_length }.encode(&mut raw);
            it.rlp_encode_fields(&mut raw);
            raw.extend_from_slice(&ZEROS);
        }
        other => other.eip2718_encode(&Signature::new(U256::ZERO, U256::ZERO, false), &mut raw),
    }
    raw
}

/// The RLP of three zeros.
const ZEROS: [u8; 3] = [0x80; 3];

fn object(it: &TypedTransaction, chain: ChainId, raw: &[u8]) -> Value {
    let mut fields = vec![
        ("type", json!(quantity(it.ty().into()))),
        ("chainId", json!(quantity(chain.0))),
        ("nonce", json!(quantity(it.nonce()))),
        ("to", json!(it.to())),
        ("gas", json!(quantity(it.gas_limit()))),
        ("gasPrice", json!(it.gas_price().map(U256::from))),
        ("value", json!(it.value())),
        ("input", json!(it.input())),
        ("hash", json!(keccak256(raw))),
    ];
    fields.extend(["v", "r", "s"].map(|name| (name, json!("0x0"))));
    if it.is_dynamic_fee() {
        let tip = it.max_priority_fee_per_gas().map(U256::from);
        fields.push(("maxFeePerGas", json!(U256::from(it.max_fee_per_gas()))));
        fields.push(("maxPriorityFeePerGas", json!(tip)));
    }
    if let Some(list) = it.access_list() {
        let entry = |it: &AccessListItem| json!({"address": it.address, "storageKeys": it.storage_keys});
        fields.push(("accessList", list.0.iter().map(entry).collect()));
        fields.push(("yParity", json!("0x0")));
    }
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use keystead_intent::GasTerms;

    use super::*;

    /// The first is EIP-155's own example, with its signature left out.
    #[test]
    fn a_filled_transaction_has_geths_form() {
        let to = r#""to":"0x3535353535353535353535353535353535353535""#;
        let gas = GasTerms {
            nonce: 9,
            gas_limit: 21_000,
            max_fee_per_gas: 20_000_000_000,
            max_priority_fee_per_gas: 1,
        };
        for (fields, raw) in [
            (
                format!(r#"{to},"value":"0xde0b6b3a7640000","gasPrice":"0x4a817c800""#),
                "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080808080",
            ),
            (
                format!(r#"{to},"value":"0x1""#),
                "02e70109018504a817c8008252089435353535353535353535353535353535353535350180c0808080",
            ),
        ] {
            let request: TransactionRequest = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
            let unsigned = request.unsigned(ChainId(1), gas);
            assert_eq!(const_hex::encode(without_signature(&unsigned)), raw, "{fields}");
            let object = object(&unsigned, ChainId(1), &[]);
            let dynamic = object["type"] == "0x2";
            assert_eq!(object["nonce"], "0x9");
            assert_eq!(object["gasPrice"].is_null(), dynamic, "{object}");
            assert_eq!(object["maxFeePerGas"] == "0x4a817c800", dynamic, "{object}");
            assert_eq!(object["accessList"].is_array(), dynamic, "{object}");
        }
    }
}

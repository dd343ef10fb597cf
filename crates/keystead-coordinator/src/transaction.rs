//! The transaction objects of JSON-RPC, and the actions that they mean.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEip2930, TxLegacy, TypedTransaction};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use keystead_base::Amount;
use keystead_intent::{AccountRef, Action, Asset, ChainId, ContractCall, GasTerms, RawEthereum, Transfer};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::quantity;

/// A transaction as a caller describes it. Unknown fields are errors: one that we do not read could
/// change what the transaction means.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TransactionRequest {
    pub(crate) from: Option<Address>,
    pub(crate) to: Option<Address>,
    #[serde(default, deserialize_with = "quantity::small")]
    pub(crate) gas: Option<U64>,
    #[serde(default, deserialize_with = "quantity::whole")]
    pub(crate) gas_price: Option<U256>,
    #[serde(default, deserialize_with = "quantity::whole")]
    pub(crate) max_fee_per_gas: Option<U256>,
    #[serde(default, deserialize_with = "quantity::whole")]
    pub(crate) max_priority_fee_per_gas: Option<U256>,
    #[serde(default, deserialize_with = "quantity::whole")]
    pub(crate) value: Option<U256>,
    #[serde(default, deserialize_with = "quantity::bytes")]
    pub(crate) data: Option<Bytes>,
    #[serde(default, deserialize_with = "quantity::bytes")]
    pub(crate) input: Option<Bytes>,
    #[serde(default, deserialize_with = "quantity::small")]
    pub(crate) nonce: Option<U64>,
    #[serde(default, deserialize_with = "quantity::small")]
    pub(crate) chain_id: Option<U64>,
    #[serde(rename = "type", default, deserialize_with = "quantity::small")]
    pub(crate) kind: Option<U64>,
    pub(crate) access_list: Option<Vec<Touched>>,
}

/// One entry of an access list (EIP-2930).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Touched {
    address: Address,
    storage_keys: Vec<B256>,
}

/// A transaction with nothing left open.
#[derive(Clone, Debug)]
pub(crate) struct Complete {
    pub(crate) account: AccountRef,
    pub(crate) chain: ChainId,
    pub(crate) gas: GasTerms,
}

impl TransactionRequest {
    /// What does not fit together, before anybody is asked for anything.
    pub(crate) fn check(&self, chain: ChainId) -> Result<(), String> {
        if let (Some(data), Some(input)) = (&self.data, &self.input)
            && data != input
        {
            return Err("`data` and `input` differ".to_owned());
        }
        if let Some(found) = self.chain_id.filter(|found| found.to::<u64>() != chain.0) {
            return Err(format!("`chainId` is {found}, this coordinator speaks for {}", chain.0));
        }
        match self.kind.map(|kind| kind.to::<u64>()) {
            None | Some(0..=2) => {}
            Some(kind) => {
                return Err(format!(
                    "transactions of type {kind} are asked for with keystead_signRaw or `keystead request raw`, not here"
                ));
            }
        }
        let eip1559 = self.max_fee_per_gas.is_some() || self.max_priority_fee_per_gas.is_some();
        if eip1559 && self.gas_price.is_some() {
            return Err("`gasPrice` and `maxFeePerGas` exclude each other".to_owned());
        }
        Ok(())
    }

    pub(crate) fn payload(&self) -> Bytes {
        self.data.clone().or_else(|| self.input.clone()).unwrap_or_default()
    }

    /// What `eth_estimateGas` is asked.
    pub(crate) fn estimate(&self) -> Value {
        json!([{"from": self.from, "to": self.to, "value": self.value, "input": self.payload()}])
    }

    fn access_list(&self) -> AccessList {
        let item =
            |it: &Touched| AccessListItem { address: it.address, storage_keys: it.storage_keys.clone() };
        AccessList(self.access_list.iter().flatten().map(item).collect())
    }

    /// The action: a transfer or a call where it is one, the raw bytes otherwise.
    pub(crate) fn action(&self, it: &Complete) -> Action {
        let value = self.value.unwrap_or_default();
        let (account, chain, gas, data) = (it.account.clone(), it.chain, it.gas, self.payload());
        if let Some(preimage) = self.raw(it) {
            return Action::RawEthereum(RawEthereum { account, chain, preimage });
        }
        match self.to {
            Some(to) if data.is_empty() => Action::Transfer(Transfer {
                account,
                chain,
                asset: Asset::Native,
                to,
                amount: Amount(value),
                gas,
            }),
            to => Action::ContractCall(ContractCall {
                account,
                chain,
                to: to.unwrap_or_default(),
                value: Amount(value),
                data,
                gas,
            }),
        }
    }

    /// Whether an action is this very transaction, whatever was left open when it was asked for.
    pub(crate) fn is(&self, action: &Action) -> bool {
        let (account, chain, gas) = match action {
            Action::Transfer(it) => (it.account.clone(), it.chain, it.gas),
            Action::ContractCall(it) => (it.account.clone(), it.chain, it.gas),
            _ => return false,
        };
        let fee = |asked: Option<U256>, found: u128| asked.is_none_or(|asked| asked == U256::from(found));
        self.gas_price.is_none()
            && self.nonce.is_some_and(|nonce| nonce.to::<u64>() == gas.nonce)
            && self.gas.is_none_or(|limit| limit.to::<u64>() == gas.gas_limit)
            && fee(self.max_fee_per_gas, gas.max_fee_per_gas)
            && fee(self.max_priority_fee_per_gas, gas.max_priority_fee_per_gas)
            && self.action(&Complete { account, chain, gas }) == *action
    }

    /// The bytes of a form that no typed action has: legacy, access list, creation.
    fn raw(&self, it: &Complete) -> Option<Bytes> {
        let is_action = |it: &TxEip1559| it.to.is_call() && it.access_list.0.is_empty();
        match self.unsigned(it.chain, it.gas) {
            TypedTransaction::Eip1559(transaction) if is_action(&transaction) => None,
            transaction => Some(transaction.encoded_for_signing().into()),
        }
    }

    /// The transaction with what it leaves open filled in.
    pub(crate) fn unsigned(&self, chain: ChainId, gas: GasTerms) -> TypedTransaction {
        let (kind, to) =
            (self.kind.map(|kind| kind.to::<u64>()), self.to.map_or(TxKind::Create, TxKind::Call));
        let (value, input) = (self.value.unwrap_or_default(), self.payload());
        let access_list = self.access_list();
        let (chain_id, nonce, gas_limit) = (chain.0, gas.nonce, gas.gas_limit);
        let gas_price = gas.max_fee_per_gas;
        let legacy =
            kind == Some(0) || (kind.is_none() && self.gas_price.is_some() && access_list.0.is_empty());
        if legacy {
            let chain_id = Some(chain_id);
            return TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input }.into();
        }
        if kind == Some(1) || self.gas_price.is_some() {
            return TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }.into();
        }
        TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: gas.max_fee_per_gas,
            max_priority_fee_per_gas: gas.max_priority_fee_per_gas,
            to,
            value,
            access_list,
            input,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId(31337);

    fn complete() -> Complete {
        let gas = GasTerms { nonce: 7, gas_limit: 21_000, max_fee_per_gas: 9, max_priority_fee_per_gas: 1 };
        Complete { account: AccountRef { key: "hot".parse().unwrap(), index: 0 }, chain: CHAIN, gas }
    }

    fn kind(text: &str) -> Result<String, String> {
        let request: TransactionRequest = serde_json::from_str(text).map_err(|error| error.to_string())?;
        request.check(CHAIN)?;
        Ok(match request.action(&complete()) {
            Action::RawEthereum(raw) => format!("raw {:02x}", raw.preimage[0]),
            other => other.kind().as_str().to_owned(),
        })
    }

    #[test]
    fn a_transaction_object_means_one_action() {
        let to = r#""to":"0x00000000000000000000000000000000000b0b00""#;
        for (fields, found) in [
            (format!("{to},\"value\":\"0x1\""), "transfer"),
            (format!("{to},\"data\":\"0x12345678\""), "contract_call"),
            (format!("{to},\"input\":\"0x12345678\",\"type\":\"0x2\""), "contract_call"),
            (format!("{to},\"gasPrice\":\"0x1\""), "raw e"),
            (format!("{to},\"type\":\"0x1\",\"accessList\":[]"), "raw 01"),
            ("\"data\":\"0x6000\"".to_owned(), "raw 02"),
        ] {
            let action = kind(&format!("{{{fields}}}")).unwrap();
            assert!(action.starts_with(found), "{fields}: {action}");
        }
    }

    #[test]
    fn s05_a_transaction_is_known_again_by_all_that_was_asked() {
        let to = "0x00000000000000000000000000000000000b0b00";
        let parse = |text: &str| serde_json::from_str::<TransactionRequest>(text).unwrap();
        let first = parse(&format!(r#"{{"to":"{to}","value":"0x1","nonce":"0x7"}}"#));
        let action = first.action(&complete());
        for (fields, known) in [
            (r#""value":"0x1","nonce":"0x7""#, true),
            (r#""value":"0x1","nonce":"0x7","gas":"0x5208","maxFeePerGas":"0x9""#, true),
            (r#""value":"0x1","nonce":"0x7","maxFeePerGas":"0xa""#, false),
            (r#""value":"0x1","nonce":"0x7","gas":"0x5209""#, false),
            (r#""value":"0x2","nonce":"0x7""#, false),
            (r#""value":"0x1","nonce":"0x8""#, false),
            (r#""value":"0x1""#, false),
            (r#""value":"0x1","nonce":"0x7","data":"0x01""#, false),
            (r#""value":"0x1","nonce":"0x7","gasPrice":"0x9""#, false),
        ] {
            assert_eq!(parse(&format!(r#"{{"to":"{to}",{fields}}}"#)).is(&action), known, "{fields}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_is_unknown_is_refused() {
        for (fields, word) in [
            (r#""data":"0x01","input":"0x02""#, "differ"),
            (r#""chainId":"0x1""#, "chainId"),
            (r#""type":"0x3""#, "request raw"),
            (r#""gasPrice":"0x1","maxFeePerGas":"0x1""#, "exclude"),
            (r#""authorizationList":[]"#, "unknown field"),
            (r#""Data":"0x""#, "unknown field"),
            (r#""data":"0x","data":"0x01""#, "duplicate field"),
            (r#""nonce":"0x10000000000000007""#, "2^64"),
            (r#""type":"0x02""#, "leading zeros"),
            (r#""type":"0X2""#, "quantity"),
            (r#""value":"10""#, "quantity"),
        ] {
            assert!(kind(&format!("{{{fields}}}")).unwrap_err().contains(word), "{fields}");
        }
    }
}

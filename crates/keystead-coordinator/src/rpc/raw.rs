//! `keystead_signRaw`: the very bytes whose Keccak-256 is signed, as libraries have them in hand.

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Bytes, U64};
use alloy_rlp::Decodable as _;
use keystead_intent::{AccountRef, Action, ChainId, GasTerms, RawEthereum};
use serde_json::{Value, json};

use super::method::{Reply, parse};
use crate::coordinator::Inner;
use crate::transaction::{Complete, TransactionRequest};

impl Inner {
    pub(super) async fn keystead_sign_raw(&self, params: Value) -> Reply {
        let (from, preimage): (Address, Bytes) = parse(params, "[address, the bytes to sign]")?;
        let account = self.ours(from).await?;
        let obtained = self.sign(action(account, self.settings.chain, preimage)).await?;
        Ok(json!(obtained.signed.raw))
    }
}

/// A transfer or a call where the bytes are those of one, so that rules that name them apply; else the bytes.
fn action(account: AccountRef, chain: ChainId, preimage: Bytes) -> Action {
    match typed(&preimage).filter(|it| it.chain_id == chain.0 && it.access_list.0.is_empty()) {
        Some(it) => {
            let gas = GasTerms {
                nonce: it.nonce,
                gas_limit: it.gas_limit,
                max_fee_per_gas: it.max_fee_per_gas,
                max_priority_fee_per_gas: it.max_priority_fee_per_gas,
            };
            let request = TransactionRequest {
                to: it.to.to().copied(),
                value: Some(it.value),
                data: Some(it.input),
                kind: Some(U64::from(2)),
                ..TransactionRequest::default()
            };
            request.action(&Complete { account, chain, gas })
        }
        None => Action::RawEthereum(RawEthereum { account, chain, preimage }),
    }
}

/// An EIP-1559 transaction, if the bytes are exactly its own.
fn typed(preimage: &[u8]) -> Option<TxEip1559> {
    let (kind, mut fields) = preimage.split_first()?;
    let transaction = TxEip1559::decode(&mut fields).ok().filter(|_| *kind == 2 && fields.is_empty())?;
    (transaction.encoded_for_signing() == preimage).then_some(transaction)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{TxKind, U256};

    use super::*;

    const CHAIN: ChainId = ChainId(31337);

    fn transaction(to: TxKind, input: &'static [u8]) -> TxEip1559 {
        TxEip1559 {
            chain_id: CHAIN.0,
            nonce: 7,
            gas_limit: 21_000,
            max_fee_per_gas: 9,
            max_priority_fee_per_gas: 1,
            to,
            value: U256::from(5),
            input: Bytes::from_static(input),
            ..TxEip1559::default()
        }
    }

    #[test]
    fn s02_bytes_become_the_action_that_they_are_or_stay_what_they_are() {
        let (call, account) =
            (TxKind::Call(Address::repeat_byte(1)), || AccountRef { key: "hot".parse().unwrap(), index: 0 });
        let elsewhere = TxEip1559 { chain_id: 1, ..transaction(call, b"") };
        let mut trailing = transaction(call, b"").encoded_for_signing();
        trailing.push(0);
        for (preimage, kind) in [
            (transaction(call, b"").encoded_for_signing(), "transfer"),
            (transaction(call, b"data").encoded_for_signing(), "contract_call"),
            (transaction(TxKind::Create, b"code").encoded_for_signing(), "raw_ethereum"),
            (elsewhere.encoded_for_signing(), "raw_ethereum"),
            (trailing, "raw_ethereum"),
            (vec![5, 0xc0], "raw_ethereum"),
            (Vec::new(), "raw_ethereum"),
        ] {
            let found = action(account(), CHAIN, preimage.clone().into());
            assert_eq!(found.kind().as_str(), kind, "{preimage:?}");
            if let Action::RawEthereum(raw) = found {
                assert_eq!(raw.preimage, preimage, "nothing is made of it");
            }
        }
    }
}

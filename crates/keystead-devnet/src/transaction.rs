//! From raw signed bytes to what the interpreter takes.

use alloy_consensus::transaction::SignerRecoverable as _;
use alloy_consensus::{Transaction as _, TxEnvelope, Typed2718 as _};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes};
use revm::context::TxEnv;
use revm::context::either::Either;

use crate::DevnetError;

/// The longest raw transaction: geth's limit for its pool.
pub const MAX_RAW_TRANSACTION_BYTES: usize = 128 * 1024;

/// A transaction whose signature was checked.
#[derive(Clone, Debug)]
pub(crate) struct SignedTransaction {
    pub(crate) envelope: TxEnvelope,
    pub(crate) hash: B256,
    pub(crate) from: Address,
    pub(crate) raw: Bytes,
}

impl SignedTransaction {
    pub(crate) fn decode(raw: &[u8]) -> Result<Self, DevnetError> {
        if raw.len() > MAX_RAW_TRANSACTION_BYTES {
            return Err(DevnetError::TooLong { limit: MAX_RAW_TRANSACTION_BYTES, found: raw.len() });
        }
        let envelope = TxEnvelope::decode_2718_exact(raw)
            .map_err(|error| DevnetError::Decode { reason: error.to_string() })?;
        let from = envelope.recover_signer().map_err(|_| DevnetError::Signature)?;
        Ok(Self { hash: *envelope.tx_hash(), from, raw: Bytes::copy_from_slice(raw), envelope })
    }

    pub(crate) fn to_env(&self) -> TxEnv {
        let tx = &self.envelope;
        TxEnv {
            tx_type: tx.ty(),
            caller: self.from,
            gas_limit: tx.gas_limit(),
            gas_price: tx.max_fee_per_gas(),
            kind: tx.kind(),
            value: tx.value(),
            data: tx.input().clone(),
            nonce: tx.nonce(),
            chain_id: tx.chain_id(),
            access_list: tx.access_list().cloned().unwrap_or_default(),
            gas_priority_fee: tx.max_priority_fee_per_gas(),
            blob_hashes: tx.blob_versioned_hashes().map(<[B256]>::to_vec).unwrap_or_default(),
            max_fee_per_blob_gas: tx.max_fee_per_blob_gas().unwrap_or_default(),
            authorization_list: tx
                .authorization_list()
                .unwrap_or_default()
                .iter()
                .cloned()
                .map(Either::Left)
                .collect(),
        }
    }
}

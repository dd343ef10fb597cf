//! Transactions and EIP-7702 authorizations from their signing preimages, canonical or not at all.

use std::sync::LazyLock;

use alloy_consensus::{
    EthereumTypedTransaction, SignableTransaction, Transaction as _, TxEip1559, TxEip2930, TxEip4844,
    TxEip7702, TxLegacy,
};
use alloy_eips::eip7702;
use alloy_primitives::{Address, U256, keccak256};
use alloy_rlp::{Decodable, Encodable as _};
use keystead_base::Amount;
use keystead_intent::{ChainId, Fee};
use secp256k1::{Message, Secp256k1, VerifyOnly, ecdsa};

use crate::BuildError;

/// Any unsigned transaction; a blob transaction without its blobs.
pub type Transaction = EthereumTypedTransaction<TxEip4844>;

/// An EIP-7702 authorization with a chain id that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) chain: ChainId,
    pub(crate) delegate: Address,
    pub(crate) nonce: u64,
}

/// Parses a transaction's signing preimage.
pub(crate) fn parse(preimage: &[u8]) -> Result<Transaction, BuildError> {
    let transaction = decode(preimage)?;
    // INVARIANT S2: what is explained is what is signed, so nothing may decode from two encodings.
    if transaction.encoded_for_signing() != preimage {
        return Err(BuildError::NotCanonical);
    }
    check(&transaction)?;
    Ok(transaction)
}

/// Parses an authorization's signing preimage.
pub(crate) fn parse_authorization(preimage: &[u8]) -> Result<Authorization, BuildError> {
    let body = preimage
        .strip_prefix(&[AUTHORIZATION_MAGIC])
        .ok_or_else(|| BuildError::UnknownForm { found: preimage.first().copied() })?;
    let authorization: eip7702::Authorization = all(body)?;
    let mut again = Vec::with_capacity(body.len());
    authorization.encode(&mut again);
    if again != body {
        return Err(BuildError::NotCanonical);
    }
    let chain = u64::try_from(authorization.chain_id).map_err(|_| BuildError::NotCanonical)?;
    check_nonce(authorization.nonce)?;
    Ok(Authorization { chain: ChainId(chain), delegate: authorization.address, nonce: authorization.nonce })
}

impl Authorization {
    /// The form that alloy signs and encodes.
    pub(crate) fn to_alloy(self) -> eip7702::Authorization {
        eip7702::Authorization {
            chain_id: U256::from(self.chain.0),
            address: self.delegate,
            nonce: self.nonce,
        }
    }
}

/// The most that the network may take: gas limit × ceiling, and for blobs theirs.
pub(crate) fn fee(transaction: &Transaction) -> Fee {
    let gas =
        Amount::from(transaction.gas_limit()).saturating_mul(Amount::from(transaction.max_fee_per_gas()));
    let blob_gas = Amount::from(transaction.blob_gas_used().unwrap_or_default());
    let blobs = blob_gas.saturating_mul(Amount::from(transaction.max_fee_per_blob_gas().unwrap_or_default()));
    Fee {
        max: gas.saturating_add(blobs),
        per_gas: Amount::from(transaction.max_fee_per_gas()),
        tip_per_gas: Amount::from(transaction.priority_fee_or_price()),
    }
}

/// Whose code an authorization in a list changes; none when its signature is nobody's.
pub(crate) fn authority(signed: &eip7702::SignedAuthorization) -> Option<Address> {
    let odd_y = match signed.y_parity() {
        0 => false,
        1 => true,
        _ => return None,
    };
    recover(signed.signature_hash().0, signed.r(), signed.s(), odd_y)
}

/// The address whose key made a signature over a digest.
pub(crate) fn recover(digest: [u8; 32], r: U256, s: U256, odd_y: bool) -> Option<Address> {
    let mut compact = [0; 64];
    let (left, right) = compact.split_at_mut(32);
    left.copy_from_slice(&r.to_be_bytes::<32>());
    right.copy_from_slice(&s.to_be_bytes::<32>());
    let id = if odd_y { ecdsa::RecoveryId::One } else { ecdsa::RecoveryId::Zero };
    let signature = ecdsa::RecoverableSignature::from_compact(&compact, id).ok()?;
    let key = CURVE.recover_ecdsa(Message::from_digest(digest), &signature).ok()?;
    let point = key.serialize_uncompressed();
    point.get(1..).map(|xy| Address::from_word(keccak256(xy)))
}

fn decode(preimage: &[u8]) -> Result<Transaction, BuildError> {
    let unknown = BuildError::UnknownForm { found: preimage.first().copied() };
    let (first, body) = preimage.split_first().ok_or_else(|| unknown.clone())?;
    match first {
        0x01 => all::<TxEip2930>(body).map(Transaction::Eip2930),
        0x02 => all::<TxEip1559>(body).map(Transaction::Eip1559),
        0x03 => all::<TxEip4844>(body).map(Transaction::Eip4844),
        0x04 => all::<TxEip7702>(body).map(Transaction::Eip7702),
        0xc0.. => all::<TxLegacy>(preimage).map(Transaction::Legacy),
        _ => Err(unknown),
    }
}

fn all<T: Decodable>(mut bytes: &[u8]) -> Result<T, BuildError> {
    let value = T::decode(&mut bytes).map_err(BuildError::Rlp)?;
    match bytes.is_empty() {
        true => Ok(value),
        false => Err(BuildError::NotCanonical),
    }
}

fn check(transaction: &Transaction) -> Result<(), BuildError> {
    check_nonce(transaction.nonce())?;
    let (ceiling, tip) = (transaction.max_fee_per_gas(), transaction.max_priority_fee_per_gas());
    match tip {
        Some(found) if found > ceiling => return Err(BuildError::Tip { ceiling, found }),
        _ => {}
    }
    let current = |hashes: &[alloy_primitives::B256]| {
        !hashes.is_empty() && hashes.iter().all(|hash| hash.first() == Some(&BLOB_HASH_VERSION))
    };
    if !transaction.blob_versioned_hashes().is_none_or(current) {
        return Err(BuildError::Blobs);
    }
    match transaction.authorization_list().is_some_and(<[_]>::is_empty) {
        true => Err(BuildError::NoAuthorizations),
        false => Ok(()),
    }
}

fn check_nonce(nonce: u64) -> Result<(), BuildError> {
    match nonce {
        u64::MAX => Err(BuildError::Nonce),
        _ => Ok(()),
    }
}

/// Made once: a context costs nearly as much as a recovery.
static CURVE: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// What EIP-7702 puts before the RLP of an authorization.
const AUTHORIZATION_MAGIC: u8 = 0x05;
/// EIP-4844: the version byte of a KZG commitment's hash.
const BLOB_HASH_VERSION: u8 = 0x01;

#[cfg(test)]
pub(crate) mod tests;

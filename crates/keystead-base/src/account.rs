//! The public side of an HD key: addresses without a secret, and the proof that somebody holds the secret.

use std::sync::LazyLock;

use alloy_primitives::{Address, keccak256};
use borsh::{BorshDeserialize, BorshSerialize};
use hmac::{Hmac, KeyInit, Mac};
use secp256k1::{Message, PublicKey, Scalar, Secp256k1, VerifyOnly, ecdsa::Signature};
use serde::{Deserialize, Serialize};
use sha2::Sha512;

use crate::Digest;

/// A BIP-32 extended public key: for `m/44'/60'/0'/0` (BIP-44) enough to know every address of a key, and to
/// sign nothing.
///
/// Together with one account's *secret* it would give away the others (BIP-32, "implications"); accounts'
/// secrets therefore never leave the enclave.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct PublicAccount {
    /// 0x02 or 0x03: the parity of the point.
    pub parity: u8,
    /// The point's x coordinate.
    pub x: Digest,
    /// The chain code.
    pub chain_code: Digest,
}

impl PublicAccount {
    /// From a compressed point (SEC 1, 2.3.3) and a chain code, as BIP-32 has them.
    #[must_use]
    pub fn new(compressed: [u8; 33], chain_code: [u8; 32]) -> Self {
        let [parity, x @ ..] = compressed;
        Self { parity, x: Digest(x), chain_code: Digest(chain_code) }
    }

    /// The point as 33 compressed bytes.
    #[must_use]
    pub fn compressed(&self) -> [u8; 33] {
        let mut bytes = [self.parity; 33];
        bytes.iter_mut().skip(1).zip(self.x.0).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The address with this index: BIP-32 `CKDpub`, then the last 20 bytes of Keccak-256.
    ///
    /// `None` when the point is not on the curve, the index is hardened, or the child is invalid
    /// (which happens with probability below 2^-127).
    #[must_use]
    pub fn address(&self, index: u32) -> Option<Address> {
        self.child(index).map(|key| address_of(&key))
    }

    /// The public key with this index as 64 bytes `x || y`, the uncompressed point (SEC 1, 2.3.3) without its first byte;
    /// none where [`Self::address`] gives none.
    #[must_use]
    pub fn point(&self, index: u32) -> Option<[u8; 64]> {
        let uncompressed = self.child(index)?.serialize_uncompressed();
        uncompressed.get(1..)?.try_into().ok()
    }

    fn child(&self, index: u32) -> Option<PublicKey> {
        if index >= 1 << 31 {
            return None;
        }
        let parent = PublicKey::from_slice(&self.compressed()).ok()?;
        let mut mac = Hmac::<Sha512>::new_from_slice(self.chain_code.as_bytes()).ok()?;
        mac.update(&self.compressed());
        mac.update(&index.to_be_bytes());
        let left: [u8; 32] = mac.finalize().into_bytes().get(..32)?.try_into().ok()?;
        let tweak = Scalar::from_be_bytes(left).ok()?;
        parent.add_exp_tweak(&CURVE, &tweak).ok()
    }

    /// Whether 64 bytes r ‖ s over `challenge` are the first account's: whoever made them holds the secret.
    #[must_use]
    pub fn proves_control(&self, challenge: &Digest, proof: &[u8]) -> bool {
        let Some(key) = self.child(0) else { return false };
        let Ok(signature) = Signature::from_compact(proof) else { return false };
        let message = Message::from_digest(challenge.0);
        CURVE.verify_ecdsa(message, &signature, &key).is_ok()
    }
}

fn address_of(key: &PublicKey) -> Address {
    let uncompressed = key.serialize_uncompressed();
    let point = uncompressed.get(1..).unwrap_or_default();
    Address::from_word(keccak256(point))
}

/// Made once: a context costs nearly as much as an operation on it.
static CURVE: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

//! The one secret behind a key: 256 bits, written as 24 words, grown into all of its accounts.

use keystead_base::{PublicAccount, Secret};
use keystead_quantum::{QuantumKey, QuantumNode, Scheme};

use crate::{DeriveError, Fill, HdRoot, Mnemonic, MnemonicError, Purpose};

/// Bytes of entropy behind a key: 24 words.
pub const SEED_BYTES: usize = 32;

/// 256 bits of BIP-39 entropy: what is born in the enclave, sealed, and backed up.
///
/// Any standard wallet restores the same accounts from its words, with no passphrase.
pub struct HdSeed(Secret<[u8; SEED_BYTES]>);

impl HdSeed {
    /// A seed from bytes that nobody can guess (E1: the caller mixed them from two sources).
    #[must_use]
    pub fn generate(fill: Fill<'_>) -> Self {
        let mut entropy = Secret::new([0; SEED_BYTES]);
        fill(entropy.expose_mut());
        Self(entropy)
    }

    /// Takes over entropy that was sealed or backed up.
    #[must_use]
    pub fn from_entropy(entropy: Secret<[u8; SEED_BYTES]>) -> Self {
        Self(entropy)
    }

    /// The entropy, to be sealed or backed up.
    #[must_use]
    pub fn entropy(&self) -> &Secret<[u8; SEED_BYTES]> {
        &self.0
    }

    /// The 24 words.
    ///
    /// # Errors
    ///
    /// Never for 32 bytes; the library's signature has an error.
    pub fn mnemonic(&self) -> Result<Mnemonic, MnemonicError> {
        Mnemonic::from_entropy(self.0.expose())
    }

    /// The root of the accounts: BIP-39 without a passphrase, then BIP-32.
    ///
    /// # Errors
    ///
    /// [`DeriveError`] for one seed in 2^127.
    pub fn root(&self) -> Result<HdRoot, DeriveError> {
        let mnemonic = self.mnemonic().map_err(|_| DeriveError::Curve)?;
        HdRoot::from_seed(&mnemonic.seed(""))
    }

    /// The key of ML-DSA-65: BIP-39 without a passphrase, then `m/1'/0'/0'` (specs/quantum.md).
    ///
    /// # Errors
    ///
    /// [`DeriveError::Quantum`] when the library refuses the seed.
    pub fn ml_dsa_65(&self) -> Result<QuantumKey, DeriveError> {
        let mnemonic = self.mnemonic().map_err(|_| DeriveError::Curve)?;
        Ok(QuantumNode::master(mnemonic.seed("").expose()).key(Scheme::MlDsa65, 0, 0)?)
    }

    /// The public side of the key that this seed is for this purpose.
    ///
    /// # Errors
    ///
    /// [`DeriveError`]: nothing grows there, or the purpose is none of a seed's.
    pub fn account(&self, purpose: Purpose) -> Result<PublicAccount, DeriveError> {
        match purpose {
            Purpose::HdSeed => Ok(self.root()?.ethereum()?.public()),
            Purpose::MlDsa65Seed => {
                let key = self.ml_dsa_65()?;
                let bytes = key.public().as_bytes().first_chunk().ok_or(DeriveError::Purpose)?;
                Ok(PublicAccount::ml_dsa_65(bytes))
            }
            Purpose::Member
            | Purpose::MemberBesideToken
            | Purpose::ThresholdShare
            | Purpose::TokenKey
            | Purpose::SeedOpenings => Err(DeriveError::Purpose),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_bring_the_same_seed_back() {
        let seed = HdSeed::generate(&mut |bytes| bytes.fill(7));
        let words = seed.mnemonic().unwrap().words();
        let again =
            HdSeed::from_entropy(Mnemonic::from_words(words.expose()).unwrap().entropy_256().unwrap());
        assert_eq!(again.entropy().expose(), seed.entropy().expose());
    }
}

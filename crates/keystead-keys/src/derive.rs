//! BIP-32 over libsecp256k1: `m/44'/60'/0'/0/index` (BIP-44), secret and public.

use bip32::ChildNumber;
use keystead_base::{Blame, Coded, PublicAccount, Secret};
use keystead_quantum::QuantumError;
use secp256k1::{PublicKey, Scalar, Secp256k1, SecretKey};

/// A BIP-32 root, one step below which all accounts of a key grow.
pub struct HdRoot(bip32::ExtendedPrivateKey<ScalarKey>);

impl HdRoot {
    /// The root of a 64-byte BIP-39 seed.
    ///
    /// # Errors
    ///
    /// [`DeriveError`] for one seed in 2^127.
    pub fn from_seed(seed: &Secret<[u8; 64]>) -> Result<Self, DeriveError> {
        Ok(Self(bip32::ExtendedPrivateKey::new(seed.expose())?))
    }

    /// The node `m/44'/60'/0'/0`, whose children are the accounts.
    ///
    /// # Errors
    ///
    /// [`DeriveError`] for one seed in 2^127.
    pub fn ethereum(&self) -> Result<ChildSecret, DeriveError> {
        self.descend(&ETHEREUM_PATH.map(|step| step.0))
    }

    /// The node at the end of a path from here; from 2^31 on a step is hardened.
    ///
    /// # Errors
    ///
    /// [`DeriveError`] for one path in 2^127.
    pub fn descend(&self, path: &[u32]) -> Result<ChildSecret, DeriveError> {
        let mut node = self.0.clone();
        for step in path {
            node = node.derive_child(ChildNumber(*step))?;
        }
        Ok(ChildSecret(node))
    }

    /// The first four bytes of the root's key hash (BIP-32, "Key identifiers").
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 4] {
        bip32::PublicKey::fingerprint(self.0.public_key().public_key())
    }
}

/// The secret side of an account node or of one account.
pub struct ChildSecret(bip32::ExtendedPrivateKey<ScalarKey>);

impl ChildSecret {
    /// The account at `index`, below 2^31.
    ///
    /// # Errors
    ///
    /// [`DeriveError`] for an index that is hardened, or one in 2^127.
    pub fn account(&self, index: u32) -> Result<Self, DeriveError> {
        Ok(Self(self.0.derive_child(account_step(index)?)?))
    }

    /// The scalar, for the one context that signs with it.
    #[must_use]
    pub fn scalar(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.private_key().0.secret_bytes())
    }

    /// The fingerprint of the node above (BIP-32, "Key identifiers").
    #[must_use]
    pub fn parent_fingerprint(&self) -> [u8; 4] {
        self.0.attrs().parent_fingerprint
    }

    /// The public side.
    #[must_use]
    pub fn public(&self) -> PublicAccount {
        let key = self.0.public_key();
        PublicAccount::new(key.to_bytes(), key.attrs().chain_code)
    }
}

fn account_step(index: u32) -> Result<ChildNumber, DeriveError> {
    ChildNumber::new(index, false).map_err(|_| DeriveError::Index { found: index })
}

/// Why nothing grows at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// An address index with the hardened bit.
    #[error("an address index is below 2147483648 (BIP-32), found {found}")]
    Index {
        /// The index.
        found: u32,
    },
    /// A scalar or point outside the curve.
    #[error("the derived scalar or point is not on secp256k1")]
    Curve,
    /// No key of ML-DSA-65, or no signature of one.
    #[error(transparent)]
    Quantum(#[from] QuantumError),
    /// Another kind of secret.
    #[error("no key grows from a secret of this kind")]
    Purpose,
}

impl Coded for DeriveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Index { .. } => "derive.index",
            Self::Curve => "derive.curve",
            Self::Quantum(error) => error.code(),
            Self::Purpose => "derive.purpose",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Index { .. } => Blame::Caller,
            Self::Curve => Blame::Environment,
            Self::Quantum(error) => error.blame(),
            Self::Purpose => Blame::Peer,
        }
    }
}

impl From<bip32::Error> for DeriveError {
    fn from(_: bip32::Error) -> Self {
        Self::Curve
    }
}

/// A scalar as BIP-32 computes with it.
#[derive(Clone)]
struct ScalarKey(SecretKey);

impl Drop for ScalarKey {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl bip32::PrivateKey for ScalarKey {
    type PublicKey = PublicPoint;

    fn from_bytes(bytes: &bip32::PrivateKeyBytes) -> bip32::Result<Self> {
        SecretKey::from_byte_array(*bytes).map(Self).map_err(|_| bip32::Error::Crypto)
    }

    fn to_bytes(&self) -> bip32::PrivateKeyBytes {
        self.0.secret_bytes()
    }

    fn derive_child(&self, other: bip32::PrivateKeyBytes) -> bip32::Result<Self> {
        let tweak = Scalar::from_be_bytes(other).map_err(|_| bip32::Error::Crypto)?;
        self.0.add_tweak(&tweak).map(Self).map_err(|_| bip32::Error::Crypto)
    }

    fn public_key(&self) -> PublicPoint {
        PublicPoint(PublicKey::from_secret_key(&Secp256k1::signing_only(), &self.0))
    }
}

struct PublicPoint(PublicKey);

impl bip32::PublicKey for PublicPoint {
    fn from_bytes(bytes: bip32::PublicKeyBytes) -> bip32::Result<Self> {
        PublicKey::from_byte_array_compressed(bytes).map(Self).map_err(|_| bip32::Error::Crypto)
    }

    fn to_bytes(&self) -> bip32::PublicKeyBytes {
        self.0.serialize()
    }

    fn derive_child(&self, other: bip32::PrivateKeyBytes) -> bip32::Result<Self> {
        let tweak = Scalar::from_be_bytes(other).map_err(|_| bip32::Error::Crypto)?;
        let context = Secp256k1::verification_only();
        self.0.add_exp_tweak(&context, &tweak).map(Self).map_err(|_| bip32::Error::Crypto)
    }
}

const HARDENED: u32 = ChildNumber::HARDENED_FLAG;
/// `44'/60'/0'/0`: BIP-44 purpose, Ethereum's coin type (SLIP-44), account 0, external chain.
const ETHEREUM_PATH: [ChildNumber; 4] =
    [ChildNumber(44 | HARDENED), ChildNumber(60 | HARDENED), ChildNumber(HARDENED), ChildNumber(0)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mnemonic;
    use alloy_primitives::Address;

    #[test]
    fn the_vectors_of_bip32_hold() {
        let mut count = 0;
        for line in include_str!("../tests/vectors/bip32.txt").lines().filter(|l| !l.starts_with('#')) {
            let [seed, path, xprv, xpub] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
            let seed = const_hex::decode(seed).unwrap();
            let path = path.parse().unwrap();
            let key = bip32::ExtendedPrivateKey::<ScalarKey>::derive_from_path(&seed, &path).unwrap();
            assert_eq!(key.to_string(bip32::Prefix::XPRV).as_str(), xprv);
            assert_eq!(key.public_key().to_string(bip32::Prefix::XPUB), xpub);
            count += 1;
        }
        assert_eq!(count, 17);
    }

    /// The addresses that hardhat and anvil print for their default mnemonic.
    #[test]
    fn accounts_are_those_of_other_wallets() {
        let words = "test test test test test test test test test test test junk";
        let root = HdRoot::from_seed(&Mnemonic::from_words(words).unwrap().seed("")).unwrap();
        let node = root.ethereum().unwrap();
        for (index, address, secret) in [
            (
                0,
                "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
                "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            ),
            (
                1,
                "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
                "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
            ),
        ] {
            let account = node.account(index).unwrap();
            assert_eq!(const_hex::encode(account.scalar().expose()), secret);
            let point = PublicKey::from_byte_array_compressed(account.public().compressed()).unwrap();
            let coordinates = &point.serialize_uncompressed()[1..];
            assert_eq!(Address::from_raw_public_key(coordinates).to_checksum(None), address);
        }
        assert_eq!(node.account(1 << 31).map(|_| ()).unwrap_err().code(), "derive.index");
    }
}

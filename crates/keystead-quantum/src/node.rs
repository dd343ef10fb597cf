//! From a wallet's seed to a key, by hardened steps alone (specs/quantum.md).

use aws_lc_rs::{hkdf, hmac};
use keystead_base::Secret;

use crate::scheme::{ML_DSA_SEED_BYTES, SLH_DSA_128_SEED_BYTES};
use crate::{QuantumError, QuantumKey, Scheme};

/// A place in the tree of quantum-resistant keys: 32 bytes of key, then 32 of chain code.
///
/// There are no public steps: lattices and hashes have none. The tree shares nothing with BIP-32's and SLIP-10's but
/// the seed that they grow from.
pub struct QuantumNode(Secret<[u8; 64]>);

impl QuantumNode {
    /// The master node of a BIP-39 seed.
    #[must_use]
    pub fn master(seed: &[u8]) -> Self {
        Self::step(MASTER.as_bytes(), &[seed])
    }

    /// The hardened child at `index`; the hardened bit is set here.
    #[must_use]
    pub fn child(&self, index: u32) -> Self {
        let number = (index | 1 << 31).to_be_bytes();
        let (key, chain_code) = self.0.expose().split_at(32);
        Self::step(chain_code, &[&[0], key, &number])
    }

    /// The key pair at `m / scheme' / account' / index'`, where `scheme` is the scheme's code.
    ///
    /// # Errors
    ///
    /// [`QuantumError`] when the library refuses the seed.
    pub fn key(&self, scheme: Scheme, account: u32, index: u32) -> Result<QuantumKey, QuantumError> {
        self.child(u32::from(scheme.code())).child(account).child(index).leaf(scheme)
    }

    /// The key pair of `scheme` that this node's seed makes.
    fn leaf(&self, scheme: Scheme) -> Result<QuantumKey, QuantumError> {
        match scheme {
            Scheme::MlDsa44 | Scheme::MlDsa65 | Scheme::MlDsa87 => {
                QuantumKey::from_seed(scheme, self.seed::<ML_DSA_SEED_BYTES>(scheme)?.expose())
            }
            Scheme::SlhDsaSha2128s => {
                QuantumKey::from_seed(scheme, self.seed::<SLH_DSA_128_SEED_BYTES>(scheme)?.expose())
            }
        }
    }

    /// HKDF-Expand of the node under the scheme's own info: one node never makes the same bytes for two schemes.
    fn seed<const N: usize>(&self, scheme: Scheme) -> Result<Secret<[u8; N]>, QuantumError> {
        let info = [LEAF.as_bytes(), &[scheme.code()]];
        let node = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, self.0.expose());
        let mut seed = Secret::new([0; N]);
        node.expand(&info, Length(N))
            .and_then(|bytes| bytes.fill(seed.expose_mut()))
            .map_err(|_| QuantumError::Seed { scheme })?;
        Ok(seed)
    }

    fn step(key: &[u8], parts: &[&[u8]]) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA512, key));
        parts.iter().for_each(|part| context.update(part));
        let mut both = Secret::new([0; 64]);
        both.expose_mut().copy_from_slice(context.sign().as_ref());
        Self(both)
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// As SLIP-10 has `Bitcoin seed` and `ed25519 seed` for its trees.
const MASTER: &str = "Keystead quantum seed";
const LEAF: &str = "Keystead quantum key";

#[cfg(test)]
mod tests {
    use keystead_keys::{Mnemonic, Slip10Key};

    use super::*;

    fn seed() -> Secret<[u8; 64]> {
        let words = "test test test test test test test test test test test junk";
        Mnemonic::from_words(words).unwrap().seed("")
    }

    #[test]
    fn no_two_places_have_the_same_key() {
        let root = QuantumNode::master(seed().expose());
        let mut seen = std::collections::BTreeSet::new();
        for (account, index) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for scheme in [Scheme::MlDsa44, Scheme::MlDsa65, Scheme::MlDsa87] {
                let key = root.key(scheme, account, index).unwrap();
                assert!(seen.insert(key.public().as_bytes()[..32].to_vec()), "{scheme} {account} {index}");
            }
        }
    }

    #[test]
    fn a_node_makes_other_seeds_for_other_schemes_and_other_trees() {
        let node = QuantumNode::master(seed().expose()).child(0);
        let one: Secret<[u8; 32]> = node.seed(Scheme::MlDsa44).unwrap();
        let other: Secret<[u8; 32]> = node.seed(Scheme::MlDsa65).unwrap();
        assert_ne!(one.expose(), other.expose());
        assert_ne!(
            Slip10Key::master(seed().expose()).seed(),
            &QuantumNode::master(seed().expose()).0.expose()[..32]
        );
    }

    #[test]
    fn a_step_is_hardened_whether_asked_for_or_not() {
        let root = QuantumNode::master(seed().expose());
        assert_eq!(root.child(5).0.expose(), root.child(5 | 1 << 31).0.expose());
    }
}

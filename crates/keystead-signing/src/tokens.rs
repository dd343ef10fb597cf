//! Keys in PKCS#11 tokens: the processes that the enclave started before it confined itself, and which key is in which.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{ClusterId, Digest, Name, PublicAccount, Secret};
use keystead_homes::{
    Home as _, HomeError, Label, Pool, ProcessHome, PublicKey, Scheme, ToSign, TokenProcess,
};
use serde::{Deserialize, Serialize};

use crate::EthereumSignature;
use crate::vault::VaultError;

/// Tokens that hold the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGroup {
    /// What ceremonies call them.
    pub name: Name,
    /// How the process of each is started.
    pub tokens: Vec<TokenProcess>,
}

/// One token, as its enclave saw it last.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenReport {
    /// Its group.
    pub group: Name,
    /// What people call it.
    pub token: String,
    /// Why it is left out, where it is.
    pub lost: Option<String>,
    /// How often it answered since the enclave started.
    pub answered: u64,
}

/// The tokens of an enclave, and the keys in them.
#[derive(Default)]
pub(crate) struct Tokens {
    groups: BTreeMap<Name, Pool<ProcessHome>>,
    keys: BTreeMap<Name, TokenKey>,
}

/// A key in a group of tokens.
#[derive(Clone)]
pub(crate) struct TokenKey {
    pub(crate) epoch: u32,
    pub(crate) account: PublicAccount,
    pub(crate) address: Address,
    place: TokenKeyPlace,
}

/// Where a key is, as it lies sealed on the disk ([specs/keys.md], "Keys in tokens"): no secret, but nobody else's word.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct TokenKeyPlace {
    pub(crate) group: Name,
    label: String,
    point: [u8; 33],
}

impl Tokens {
    /// Starts the process of each token, while that is still allowed.
    pub(crate) fn start(groups: &[TokenGroup]) -> Result<Self, HomeError> {
        let mut started = BTreeMap::new();
        for group in groups {
            let homes = group.tokens.iter().cloned().map(ProcessHome::start);
            let homes = homes.collect::<Result<Vec<_>, _>>()?;
            let pool = Pool::new(group.name.as_str(), homes)?;
            started.insert(group.name.clone(), pool);
        }
        Ok(Self { groups: started, keys: BTreeMap::new() })
    }

    /// The descriptors that reading and writing must stay allowed on.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        self.groups.values().flat_map(Pool::homes).filter_map(ProcessHome::descriptor).collect()
    }

    /// Makes a key in all tokens of a group.
    pub(crate) fn generate(
        &mut self,
        cluster: ClusterId,
        name: &Name,
        group: &Name,
    ) -> Result<(TokenKey, Vec<u8>), TokenKeyError> {
        if self.keys.contains_key(name) {
            return Err(VaultError::Known { key: name.clone() }.into());
        }
        let label = label(cluster, name)?;
        let public = self.group(group)?.generate(&label, Scheme::EcdsaSecp256k1)?;
        let point = <[u8; 33]>::try_from(public.bytes.as_slice());
        let point = point.map_err(|_| TokenKeyError::Place { key: name.clone() })?;
        let place = TokenKeyPlace { group: group.clone(), label: label.to_string(), point };
        let sealed = borsh::to_vec(&place).map_err(|_| TokenKeyError::Place { key: name.clone() })?;
        Ok((self.add(name, 0, place)?, sealed))
    }

    /// Takes over where a key is. Whether it still is there is found out when it signs.
    pub(crate) fn open(&mut self, name: &Name, epoch: u32, place: &[u8]) -> Result<(), TokenKeyError> {
        let place: TokenKeyPlace =
            borsh::from_slice(place).map_err(|_| TokenKeyError::Place { key: name.clone() })?;
        self.add(name, epoch, place).map(drop)
    }

    fn add(&mut self, name: &Name, epoch: u32, place: TokenKeyPlace) -> Result<TokenKey, TokenKeyError> {
        if self.keys.contains_key(name) {
            return Err(VaultError::Known { key: name.clone() }.into());
        }
        let account = PublicAccount::lone(place.point);
        // INVARIANT E3: the same public key twice means that randomness failed or a file was copied.
        if let Some((twin, _)) = self.keys.iter().find(|(_, it)| it.account == account) {
            return Err(VaultError::Twin { key: name.clone(), twin: twin.clone() }.into());
        }
        let address = account.address(0).ok_or_else(|| TokenKeyError::Place { key: name.clone() })?;
        let key = TokenKey { epoch, account, address, place };
        self.keys.insert(name.clone(), key.clone());
        Ok(key)
    }

    pub(crate) fn key(&self, name: &Name) -> Option<&TokenKey> {
        self.keys.get(name)
    }

    /// Signs. INVARIANT S7: what a token's process says was verified is verified here, with the public side that was sealed
    /// when the key was born; a token that signs otherwise is left out, and the next one asked.
    pub(crate) fn sign(&self, name: &Name, digest: &Digest) -> Result<EthereumSignature, TokenKeyError> {
        let TokenKey { place, .. } =
            self.key(name).ok_or_else(|| VaultError::Unknown { key: name.clone() })?;
        let public = PublicKey { scheme: Scheme::EcdsaSecp256k1, bytes: place.point.to_vec() };
        let label = Label::new(&place.label)?;
        let signature = self.group(&place.group)?.sign_as(&label, &public, ToSign::Digest(digest))?;
        let y_parity = signature.recovery.ok_or_else(|| TokenKeyError::Place { key: name.clone() })?;
        Ok(EthereumSignature { rs: signature.bytes, y_parity })
    }

    /// INVARIANT K5: wipes a key in every token of its group, or says which one could not be asked.
    pub(crate) fn destroy(&mut self, name: &Name) -> Result<(), TokenKeyError> {
        let TokenKey { place, .. } =
            self.key(name).ok_or_else(|| VaultError::Unknown { key: name.clone() })?;
        let label = Label::new(&place.label)?;
        for home in self.group(&place.group)?.homes() {
            match home.destroy(&label) {
                // Gone already: by a destruction that came half-way.
                Ok(()) | Err(HomeError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.keys.remove(name);
        Ok(())
    }

    /// Raw samples of the generators of all groups' tokens, for whoever tests and mixes them; none where no token gives any.
    pub(crate) fn random(&self, out: &mut Secret<Vec<u8>>) -> bool {
        self.groups.values().any(|pool| pool.random(out.expose_mut()).is_ok())
    }

    /// Asks each token whether it is there.
    pub(crate) fn report(&self) -> Vec<TokenReport> {
        let reports = self.groups.iter().flat_map(|(group, pool)| {
            pool.check();
            pool.members().into_iter().map(|it| TokenReport {
                group: group.clone(),
                token: it.name,
                lost: it.lost.map(|error| error.to_string()),
                answered: it.answered,
            })
        });
        reports.collect()
    }

    fn group(&self, name: &Name) -> Result<&Pool<ProcessHome>, TokenKeyError> {
        self.groups.get(name).ok_or_else(|| TokenKeyError::NoGroup { group: name.clone() })
    }
}

/// Under what name tokens know a key. A part of it is drawn for it alone: what an earlier try left is never taken for it.
fn label(cluster: ClusterId, key: &Name) -> Result<Label, HomeError> {
    let mut drawn = [0; 8];
    crate::entropy::kernel_random(&mut drawn);
    let cluster: String = cluster.0.to_string().chars().take(CLUSTER_DIGITS).collect();
    Label::new(&format!("keystead/{cluster}/{key}/{}", const_hex::encode(drawn)))
}

/// Why a key in tokens is not made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenKeyError {
    /// No such tokens.
    #[error("this node has no tokens `{group}`; name them in `[[node.enclave.tokens]]`, and start it anew")]
    NoGroup {
        /// What the ceremony calls them.
        group: Name,
    },
    /// A place that does not read, or a point that is none.
    #[error("the sealed place of `{key}` is not that of a key in tokens")]
    Place {
        /// The key.
        key: Name,
    },
    /// A name that is taken, or that nobody has.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The tokens.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl keystead_base::Coded for TokenKeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoGroup { .. } => "tokens.no_group",
            Self::Place { .. } => "tokens.place",
            Self::Vault(error) => error.code(),
            Self::Home(error) => error.code(),
        }
    }

    fn blame(&self) -> keystead_base::Blame {
        match self {
            Self::NoGroup { .. } => keystead_base::Blame::Environment,
            Self::Place { .. } => keystead_base::Blame::Peer,
            Self::Vault(error) => error.blame(),
            Self::Home(error) => error.blame(),
        }
    }
}

const CLUSTER_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    #[test]
    fn e3_one_public_key_has_one_name() {
        let mut tokens = Tokens::default();
        // The generator of the curve, which is the key 1.
        let hex = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let point = const_hex::decode_to_array(hex).unwrap();
        let place = TokenKeyPlace { group: "hsm".parse().unwrap(), label: "keystead/one".to_owned(), point };
        let place = borsh::to_vec(&place).unwrap();
        let mut open = |name: &str| tokens.open(&name.parse().unwrap(), 0, &place).map_err(|it| it.code());
        assert_eq!(open("one"), Ok(()));
        assert_eq!(open("two"), Err("vault.twin"));
    }
}

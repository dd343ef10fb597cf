//! The beginning: what the founders signed, and the cluster's id.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{
    Blame, Canonical, ClusterId, Coded, Digest, HybridPublicKey, HybridSignature, HybridSigner, KeyError,
    Name, SignatureError, Timestamp, signing_message,
};
use keystead_policy::PolicyVersion;
use serde::{Deserialize, Serialize};

use crate::coins::{UnfitWallet, check_registered};

/// Version 0 of everything, and who answers for it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The cluster's name, for people.
    pub name: Name,
    /// When the ceremony took place.
    pub created: Timestamp,
    /// Whose signatures make this genesis valid, by name ascending: all of them.
    pub founders: Vec<Founder>,
    /// Policy version 0, with the first roster.
    pub policy: PolicyVersion,
}

impl Canonical for Genesis {
    const DOMAIN: &'static str = "keystead/genesis/v1";
}

/// One founder and the key that signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// The founder's name.
    pub name: Name,
    /// The founder's key.
    pub key: HybridPublicKey,
}

impl Genesis {
    /// The cluster's id: what every later document names.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        ClusterId(self.digest())
    }

    /// One founder's signature.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the library fails to sign.
    pub fn sign(&self, key: &HybridSigner) -> Result<HybridSignature, KeyError> {
        key.sign(&signing_message(&self.digest()))
    }
}

/// A genesis with its founders' signatures, in the founders' order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedGenesis {
    /// What was signed.
    pub genesis: Genesis,
    /// One signature for each founder.
    pub signatures: Vec<HybridSignature>,
}

impl Canonical for SignedGenesis {
    const DOMAIN: &'static str = "keystead/signed-genesis/v1";
}

impl SignedGenesis {
    /// Verifies every founder's signature and gives the genesis with its id.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] names the founder or the rule.
    pub fn verify(&self) -> Result<(&Genesis, ClusterId), GenesisError> {
        let genesis = &self.genesis;
        let (founders, signatures) = (genesis.founders.len(), self.signatures.len());
        if founders == 0 || founders != signatures {
            return Err(GenesisError::Signatures { founders, signatures });
        }
        if genesis.policy.number != 0 || genesis.policy.previous != Digest::ZERO {
            return Err(GenesisError::Version { found: genesis.policy.number });
        }
        let message = signing_message(&genesis.digest());
        for (founder, signature) in genesis.founders.iter().zip(&self.signatures) {
            founder
                .key
                .verify(&message, signature)
                .map_err(|error| GenesisError::Founder { name: founder.name.clone(), error })?;
        }
        check_registered(&genesis.policy)?;
        Ok((genesis, genesis.cluster()))
    }
}

/// Why a genesis is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not one signature for each founder.
    #[error("a genesis needs one signature of each founder, found {signatures} for {founders} founders")]
    Signatures {
        /// How many founders.
        founders: usize,
        /// How many signatures.
        signatures: usize,
    },
    /// A policy that is not the first.
    #[error("a genesis holds policy version 0 without predecessor, found version {found}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// A founder's signature fails.
    #[error("founder {name}: {error}")]
    Founder {
        /// Which founder.
        name: Name,
        /// Which half.
        error: SignatureError,
    },
    /// A shared wallet that nobody could spend from.
    #[error(transparent)]
    Wallet(#[from] UnfitWallet),
}

impl Coded for GenesisError {
    fn code(&self) -> &'static str {
        match self {
            Self::Signatures { .. } => "genesis.signatures",
            Self::Version { .. } => "genesis.version",
            Self::Founder { .. } => "genesis.founder",
            Self::Wallet(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

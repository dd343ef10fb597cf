//! Wallets of Bitcoin's that a key shares with others: people register their descriptors, whose keys nobody else can prove.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Name;
use keystead_intent::ChainId;
use serde::{Deserialize, Serialize};

use crate::PolicyError;
use crate::limits::MAX_INNER;
use crate::structure::{Known, ascending, at_most, unknown};

/// A wallet whose coins take signatures of others, too.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedWallet {
    /// The network.
    pub chain: ChainId,
    /// What requests and people call it.
    pub name: Name,
    /// The key of ours that signs.
    pub key: Name,
    /// `wsh(sortedmulti(k,KEY,…))` in its canonical text, the key of ours among the others.
    pub descriptor: String,
}

/// The descriptor itself is read where the keys are known.
pub(crate) fn check(wallets: &[SharedWallet], known: &Known) -> Result<(), PolicyError> {
    at_most("the list of shared wallets", wallets.len(), MAX_INNER)?;
    ascending("shared wallets", wallets.iter().map(|it| (it.chain, &it.name)))?;
    wallets.iter().try_for_each(|it| {
        known.check_chain(&it.name, it.chain)?;
        at_most("a descriptor, in bytes,", it.descriptor.len(), MAX_DESCRIPTOR_BYTES)?;
        match it.chain.bitcoin() {
            Some(_) => Ok(()),
            None => Err(unknown(&it.name, "network of Bitcoin's", it.chain)),
        }
    })
}

/// As `keystead-bitcoin` reads them.
const MAX_DESCRIPTOR_BYTES: usize = 4_096;

//! What is ours: named descriptors of one network, and where a script is in them.

use std::collections::BTreeMap;

use bitcoin::{Script, ScriptBuf};
use keystead_base::{Blame, Coded, Name};

use crate::{Derived, Descriptor, Network, Place};

/// The most descriptors of one wallet.
pub const MAX_DESCRIPTORS: usize = 100;

/// Descriptors of one network, each with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    network: Network,
    descriptors: Vec<(Name, Descriptor)>,
}

/// A script of ours: which descriptor, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owned {
    /// The descriptor's position in the wallet.
    pub descriptor: usize,
    /// Where in it.
    pub place: Place,
}

impl Wallet {
    /// A wallet of these descriptors.
    ///
    /// # Errors
    ///
    /// [`WalletError`]: too many, none, a name or a descriptor twice, or one of another network.
    pub fn new(network: Network, descriptors: Vec<(Name, Descriptor)>) -> Result<Self, WalletError> {
        if descriptors.is_empty() || descriptors.len() > MAX_DESCRIPTORS {
            return Err(WalletError::Size { limit: MAX_DESCRIPTORS, found: descriptors.len() });
        }
        if let Some((name, other)) = descriptors.iter().find(|(_, it)| it.network() != network) {
            let (name, found) = (name.clone(), other.network());
            return Err(WalletError::WrongNetwork { name, expected: network, found });
        }
        let wallet = Self { network, descriptors };
        match wallet.repeated() {
            Some(name) => Err(WalletError::Twice { name }),
            None => Ok(wallet),
        }
    }

    fn repeated(&self) -> Option<Name> {
        let repeats = |at: usize, name: &Name, it: &Descriptor| {
            let mut others = self.descriptors.iter().skip(at + 1);
            others.any(|(other_name, other)| other_name == name || other == it)
        };
        let mut all = self.descriptors.iter().enumerate();
        all.find(|(at, (name, it))| repeats(*at, name, it)).map(|(_, (name, _))| name.clone())
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> Network {
        self.network
    }

    /// The descriptors with their names.
    #[must_use]
    pub fn descriptors(&self) -> &[(Name, Descriptor)] {
        &self.descriptors
    }

    /// The name and the descriptor that something of ours belongs to.
    #[must_use]
    pub fn descriptor(&self, owned: Owned) -> Option<&(Name, Descriptor)> {
        self.descriptors.get(owned.descriptor)
    }

    /// Everything about a script of ours.
    #[must_use]
    pub fn derive(&self, owned: Owned) -> Option<Derived> {
        self.descriptor(owned)?.1.derive(owned.place)
    }

    /// Whether a script is the one of ours at this place.
    #[must_use]
    pub fn is_at(&self, script: &Script, owned: Owned) -> bool {
        self.descriptor(owned).is_some_and(|(_, it)| it.is_at(script, owned.place))
    }

    /// Where a script is among `count` indexes from `first` on, in any descriptor.
    #[must_use]
    pub fn find(&self, script: &Script, first: u32, count: u16) -> Option<Owned> {
        let mut all = self.descriptors.iter().enumerate();
        all.find_map(|(descriptor, (_, it))| {
            Some(Owned { descriptor, place: it.find(script, first, count)? })
        })
    }

    /// The scripts at the first `count` indexes of both branches of all descriptors.
    pub(crate) fn scripts(&self, count: u16) -> BTreeMap<ScriptBuf, Owned> {
        let descriptors = 0..self.descriptors.len();
        let owned = descriptors.flat_map(|descriptor| {
            let places = Place::first(count);
            places.map(move |place| Owned { descriptor, place })
        });
        owned.filter_map(|owned| Some((self.derive(owned)?.script_pubkey, owned))).collect()
    }
}

/// Why descriptors are no wallet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// None, or too many.
    #[error("a wallet has between 1 and {limit} descriptors, found {found}")]
    Size {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A descriptor of another network.
    #[error("descriptor `{name}` is for {found}, the wallet for {expected}")]
    WrongNetwork {
        /// The descriptor.
        name: Name,
        /// The wallet's network.
        expected: Network,
        /// The descriptor's network.
        found: Network,
    },
    /// The same name or the same descriptor in two places.
    #[error("descriptor `{name}` is there twice, by its name or by its text")]
    Twice {
        /// The first of them.
        name: Name,
    },
}

impl Coded for WalletError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "wallet.size",
            Self::WrongNetwork { .. } => "wallet.wrong_network",
            Self::Twice { .. } => "wallet.twice",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;

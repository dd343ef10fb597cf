//! The address book as it stands at one moment (S12).

use std::collections::BTreeMap;

use alloy_primitives::Address;
use keystead_base::{Name, Timestamp};
use keystead_intent::ChainId;

use crate::aspect::Aspect;
use crate::{AddressEntry, Facts, Reason};

/// Names and cool-offs by chain and address.
#[derive(Debug)]
pub(crate) struct AddressBook {
    entries: BTreeMap<(ChainId, Address), (Name, Timestamp)>,
}

/// What is known of one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// The effect has none, or none that needs to be known.
    Free,
    /// The account itself.
    Own,
    /// In the book and past its cool-off.
    Known(&'a Name),
    /// In the book, and too young.
    Cooling(&'a Name, Address, Timestamp),
    /// Not in the book.
    Unknown(Address),
}

impl AddressBook {
    pub(crate) fn of(entries: &[AddressEntry]) -> Self {
        let entries =
            entries.iter().map(|it| ((it.chain, it.address), (it.name.clone(), it.usable_from))).collect();
        Self { entries }
    }

    pub(crate) fn standing(&self, chain: ChainId, aspect: &Aspect, facts: &Facts<'_>) -> Standing<'_> {
        let Some(address) = aspect.destination else { return Standing::Free };
        let cooled = facts.cooling.until(chain, address);
        match self.entries.get(&(chain, address)).map(|(name, from)| (name, cooled.max(*from))) {
            Some((name, usable_from)) if usable_from <= facts.now => Standing::Known(name),
            _ if facts.account == Some(address) && aspect.asset.is_some() => Standing::Own,
            Some((name, usable_from)) => Standing::Cooling(name, address, usable_from),
            None => Standing::Unknown(address),
        }
    }
}

impl Standing<'_> {
    /// The name that people gave it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Known(name) | Self::Cooling(name, ..) => name.as_str(),
            Self::Free | Self::Own | Self::Unknown(_) => "",
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::Known(_) | Self::Own)
    }

    /// INVARIANT S12: why this destination does not pass by itself.
    pub(crate) fn objection(&self) -> Option<Reason> {
        match self {
            Self::Free | Self::Own | Self::Known(_) => None,
            Self::Cooling(_, address, until) => {
                Some(Reason::DestinationCooling { address: *address, until: *until })
            }
            Self::Unknown(address) => Some(Reason::DestinationUnknown { address: *address }),
        }
    }
}

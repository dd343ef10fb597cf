//! The names of the signed address book on one chain.

use alloy_primitives::Address;

/// Names by address, as the policy in force lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressBook {
    entries: Vec<(Address, String)>,
}

impl AddressBook {
    /// The entries of one chain.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (Address, String)>) -> Self {
        Self { entries: entries.into_iter().collect() }
    }

    /// The name of an address.
    #[must_use]
    pub fn name(&self, address: Address) -> Option<&str> {
        self.entries().find(|(known, _)| *known == address).map(|(_, name)| name)
    }

    /// Every address with its name.
    pub fn entries(&self) -> impl Iterator<Item = (Address, &str)> {
        self.entries.iter().map(|(address, name)| (*address, name.as_str()))
    }
}

//! The names of the signed address book on one chain, and addresses that only look like one of them.

use alloy_primitives::Address;

/// How many bytes people compare at each end of an address: four characters.
const COMPARED_BYTES: usize = 2;

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

/// Whether two addresses begin and end alike and are not the same: nobody who compares the first and the last four
/// characters tells them apart, and one that ends so can be made in hours.
#[must_use]
pub fn look_alike(one: Address, other: Address) -> bool {
    let ends = |address: &Address| {
        let bytes = address.0.0;
        (bytes.first_chunk::<COMPARED_BYTES>().copied(), bytes.last_chunk::<COMPARED_BYTES>().copied())
    };
    one != other && ends(&one) == ends(&other)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    #[test]
    fn s12_addresses_with_the_same_ends_look_alike() {
        let known = address!("d9a1b2c3d4e5f60718293a4b5c6d7e8f90a153a9");
        for (other, expected) in [
            (known, false),
            (address!("d9a1ffffffffffffffffffffffffffffffff53a9"), true),
            (address!("d9a1b2c3d4e5f60718293a4b5c6d7e8f90a153a8"), false),
            (address!("d9a0b2c3d4e5f60718293a4b5c6d7e8f90a153a9"), false),
        ] {
            assert_eq!(look_alike(known, other), expected, "{other}");
        }
    }
}

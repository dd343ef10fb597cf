//! How long entries of the address book cool off, counted from the block that made them so (S12).

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use imbl::OrdMap;
use keystead_base::Timestamp;
use keystead_intent::ChainId;

use crate::{AddressEntry, PolicyVersion};

/// Until when entries are too young, whatever moment their version names. Nobody who approves a version
/// has to compare clocks: an entry is usable from the later of the two moments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cooling(OrdMap<(ChainId, Address), Timestamp>);

impl Cooling {
    /// The end of an address's cool-off; the beginning of time for one that is not cooling.
    #[must_use]
    pub fn until(&self, chain: ChainId, address: Address) -> Timestamp {
        self.0.get(&(chain, address)).copied().unwrap_or_default()
    }

    /// What cools off after `next` took over from `current` in a block of this time.
    ///
    /// Every entry that is new, or has another name or moment than before, cools off for as long as the
    /// stricter of the two versions says, so that no version shortens its own wait. An entry that stays
    /// as it was goes on cooling; one that is gone is forgotten.
    #[must_use]
    pub fn after(&self, current: &PolicyVersion, next: &PolicyVersion, at: Timestamp) -> Self {
        let seconds = current.timing.cool_off_seconds.max(next.timing.cool_off_seconds);
        let before = |entry: &AddressEntry| {
            let place = (entry.chain, entry.address);
            let found = current.address_book.binary_search_by_key(&place, |it| (it.chain, it.address));
            found.ok().and_then(|index| current.address_book.get(index))
        };
        let until = |entry: &AddressEntry| match before(entry) == Some(entry) {
            true => self.until(entry.chain, entry.address),
            false => at.plus_seconds(seconds),
        };
        let ends = next.address_book.iter().map(|entry| ((entry.chain, entry.address), until(entry)));
        Self(ends.filter(|(_, until)| *until > at).collect())
    }
}

impl BorshSerialize for Cooling {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        let row =
            |((chain, address), until): (&(ChainId, Address), &Timestamp)| (*chain, address.0.0, *until);
        self.0.iter().map(row).collect::<Vec<_>>().serialize(writer)
    }
}

impl BorshDeserialize for Cooling {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let pairs = Vec::<(ChainId, [u8; 20], Timestamp)>::deserialize_reader(reader)?;
        let ascend = pairs.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1));
        if !ascend {
            return Err(borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, "addresses do not ascend"));
        }
        Ok(Self(pairs.into_iter().map(|(chain, address, until)| ((chain, address.into()), until)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{CHAIN, FRIEND, NOW, STRANGER, YOUNG, name, version};

    fn entry(who: &str, address: Address) -> AddressEntry {
        AddressEntry { chain: CHAIN, address, name: name(who), usable_from: Timestamp::default() }
    }

    #[test]
    fn s12_a_cool_off_counts_from_the_block_that_activates() {
        let current = version();
        let mut next = current.clone();
        next.timing.cool_off_seconds = 0;
        next.address_book.push(entry("stranger", STRANGER));
        let next = next.into_canonical();
        // The shorter wait of the very version that adds the entry does not help it.
        let first = Cooling::default().after(&current, &next, NOW);
        assert_eq!(first.until(CHAIN, STRANGER), NOW.plus_seconds(current.timing.cool_off_seconds));
        assert_eq!(first.until(CHAIN, FRIEND), Timestamp::default());

        let again = next.clone();
        assert_eq!(first.after(&next, &again, NOW.plus_seconds(1)), first, "what stays goes on cooling");
        let later = NOW.plus_seconds(current.timing.cool_off_seconds);
        assert_eq!(first.after(&next, &again, later), Cooling::default());
        let mut gone = next.clone();
        gone.address_book.retain(|it| it.address != STRANGER);
        assert_eq!(first.after(&next, &gone, NOW), Cooling::default());
    }

    #[test]
    fn s12_another_name_or_moment_is_another_entry() {
        let current = version();
        let change = |change: fn(&mut AddressEntry)| {
            let mut next = current.clone();
            next.address_book.iter_mut().filter(|it| it.address == YOUNG).for_each(change);
            Cooling::default().after(&current, &next, NOW).until(CHAIN, YOUNG)
        };
        let cools = NOW.plus_seconds(current.timing.cool_off_seconds);
        assert_eq!(change(|_| {}), Timestamp::default());
        assert_eq!(change(|it| it.usable_from = Timestamp::default()), cools);
        assert_eq!(change(|it| it.name = name("exchange")), cools);
    }

    #[test]
    fn a_cooling_table_has_one_encoding() {
        let mut next = version();
        next.address_book.extend([entry("stranger", STRANGER), entry("b", Address::repeat_byte(1))]);
        let cooling = Cooling::default().after(&version(), &next, NOW);
        let bytes = borsh::to_vec(&cooling).unwrap();
        assert_eq!(borsh::from_slice::<Cooling>(&bytes).unwrap(), cooling);
        let mut twice = bytes.clone();
        twice[4..4 + 36].copy_from_slice(&bytes[4 + 36..4 + 72]);
        assert!(borsh::from_slice::<Cooling>(&twice).is_err());
    }
}

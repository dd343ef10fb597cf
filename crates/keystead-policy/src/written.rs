//! Addresses of Bitcoin as they are written. The address book knows a destination by its id, which says nothing of how it
//! looks; people need the text to tell one that only looks like it.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_intent::ChainId;
use serde::{Deserialize, Serialize};

use crate::PolicyError;
use crate::limits::MAX_ADDRESSES;
use crate::structure::{Known, ascending, at_most, not_zero, unknown, within};

/// One address. Its name is that of the address book's entry with its id; without one it says nothing.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct WrittenAddress {
    /// The network.
    pub chain: ChainId,
    /// Letters and digits, at most [`MAX_ADDRESS_BYTES`] of them. Nobody decides by it.
    pub address: String,
}

pub(crate) fn check(all: &[WrittenAddress], known: &Known) -> Result<(), PolicyError> {
    at_most("the list of written addresses", all.len(), MAX_ADDRESSES)?;
    ascending("written addresses", all.iter())?;
    all.iter().try_for_each(|it| {
        known.check_chain("written addresses", it.chain)?;
        if it.chain.bitcoin().is_none() {
            return Err(unknown("written addresses", "network of Bitcoin's", it.chain));
        }
        let plain = it.address.bytes().filter(u8::is_ascii_alphanumeric).count();
        not_zero("the letters and digits of an address", it.chain, plain as u64)?;
        within("what is no letter or digit in an address", it.address.len().saturating_sub(plain) as u64, 0)?;
        within("the length of an address", plain as u64, MAX_ADDRESS_BYTES)
    })
}

/// As long as an address of BIP-173 may be.
pub const MAX_ADDRESS_BYTES: u64 = 90;

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;
    use crate::fixture::version;
    use crate::{BitcoinTerms, Engine};

    #[test]
    fn an_address_is_written_in_letters_and_digits_once() {
        let chain = ChainId::BITCOIN_REGTEST;
        let ethereum = version().chains[0];
        let long = "b".repeat(91);
        for (written, code) in [
            (vec![(chain, "bcrt1qa"), (chain, "bcrt1qb")], None),
            (vec![(chain, "bcrt1qb"), (chain, "bcrt1qa")], Some("policy.order")),
            (vec![(chain, "bcrt1qa"), (chain, "bcrt1qa")], Some("policy.order")),
            (vec![(chain, "")], Some("policy.empty")),
            (vec![(chain, "bcrt1 qa")], Some("policy.too_large")),
            (vec![(chain, long.as_str())], Some("policy.too_large")),
            (vec![(ethereum, "bcrt1qa")], Some("policy.unknown")),
            (vec![(ChainId::BITCOIN_SIGNET, "tb1qa")], Some("policy.unknown")),
        ] {
            let mut version = version();
            version.chains.push(chain);
            let all =
                written.iter().map(|(chain, it)| WrittenAddress { chain: *chain, address: (*it).into() });
            version.bitcoin = Some(BitcoinTerms { written: all.collect(), ..BitcoinTerms::default() });
            let found = Engine::compile(version).err().map(|error| error.code());
            assert_eq!(found, code, "{written:?}");
        }
    }
}

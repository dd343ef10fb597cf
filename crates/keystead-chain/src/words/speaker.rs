//! Numbers, tokens and addresses as people read them, in every sentence of ours: written here and nowhere else.

use alloy_primitives::Address;
use keystead_base::{Amount, Timestamp};
use keystead_intent::{AccountRef, Asset, AssetIndex, ChainId};

use super::{AddressBook, look_alike};

/// What somebody knows who puts bytes into words: the signed registry and address book, and the account that signs.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    chain: ChainId,
    registry: &'a AssetIndex,
    book: &'a AddressBook,
    own: Option<(Address, &'a AccountRef)>,
}

impl<'a> Speaker<'a> {
    /// Somebody who knows no account as one's own.
    #[must_use]
    pub fn new(chain: ChainId, registry: &'a AssetIndex, book: &'a AddressBook) -> Self {
        Self { chain, registry, book, own: None }
    }

    /// The same, with the account of one's own that would sign.
    ///
    /// Somebody else may have named its address. It is therefore called our own only where the account gives
    /// something away; where it would receive, its address needs a name in the address book like any other's.
    #[must_use]
    pub fn with_own(self, own: Option<(Address, &'a AccountRef)>) -> Self {
        Self { own, ..self }
    }

    /// The chain that is spoken of.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// The signed registry.
    #[must_use]
    pub fn registry(&self) -> &'a AssetIndex {
        self.registry
    }

    /// An amount of an asset, for instance `1.5 USDC`; in base units where the registry does not know it.
    #[must_use]
    pub fn amount(&self, asset: Asset, amount: Amount) -> String {
        let said = self.registry.amount(self.chain, asset, amount);
        match asset {
            Asset::Token(token) => said + &self.warning(token),
            Asset::Native => said,
        }
    }

    /// A token by its symbol.
    #[must_use]
    pub fn token(&self, token: Address) -> String {
        let warning = self.warning(token);
        match self.registry.asset(self.chain, Asset::Token(token)) {
            Some(entry) => format!("{}{warning}", entry.symbol),
            None => format!("the token {token} {NOT_IN_REGISTRY}{warning}"),
        }
    }

    /// Whoever gives something away: the account that signs is called our own here, and only here.
    #[must_use]
    pub fn giver(&self, address: Address) -> String {
        match self.own {
            Some((own, account)) if own == address && self.book.name(address).is_none() => {
                format!("our own account {}/{} ({address})", account.key, account.index)
            }
            _ => self.who(address),
        }
    }

    /// An address by its name and in full, or said to be unknown.
    #[must_use]
    pub fn who(&self, address: Address) -> String {
        let said = match self.name(address) {
            Some(name) => format!("{} ({address})", name.escape_default()),
            None if address.is_zero() => "NOBODY (the zero address)".to_owned(),
            None => format!("{address} {NOT_IN_ADDRESS_BOOK}"),
        };
        said + &self.warning(address)
    }

    fn name(&self, address: Address) -> Option<&str> {
        let registered = || self.registry.contract(self.chain, address).map(|entry| entry.name.as_str());
        let token =
            || self.registry.asset(self.chain, Asset::Token(address)).map(|entry| entry.symbol.as_str());
        self.book.name(address).or_else(registered).or_else(token)
    }

    /// INVARIANT S12: an address that begins and ends like a known one is another, and is said to be, whatever it
    /// is called.
    fn warning(&self, address: Address) -> String {
        let own = self.own.map(|(own, _)| (own, "our own account"));
        let known = self.book.entries().chain(self.registry.known(self.chain)).chain(own);
        let mut alike = known.filter(|(known, _)| look_alike(*known, address));
        alike.next().map_or_else(String::new, |(known, name)| {
            format!(", WHICH LOOKS LIKE {} ({known}) AND IS ANOTHER", name.escape_default())
        })
    }
}

/// Permits count seconds; far beyond any calendar they mean for ever.
pub(super) fn until(deadline: Amount) -> String {
    moment(deadline).map_or_else(|| ", without an end".to_owned(), |moment| format!(", until {moment}"))
}

/// A moment in Unix seconds, where a calendar has it.
#[must_use]
pub fn moment(seconds: Amount) -> Option<Timestamp> {
    let seconds = u64::try_from(seconds.0).ok().filter(|seconds| *seconds <= LAST_SECOND)?;
    Some(Timestamp(0).plus_seconds(seconds))
}

/// The end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
const NOT_IN_ADDRESS_BOOK: &str = "NOT IN ADDRESS BOOK";
const NOT_IN_REGISTRY: &str = "NOT IN REGISTRY";

//! Numbers, tokens and addresses as people read them, in every sentence of ours: written here and nowhere else.

use alloy_primitives::Address;
use keystead_base::{Amount, Timestamp};
use keystead_intent::{AccountRef, Asset, AssetIndex, ChainId};
use keystead_speech::{Language, Phrase, look_alike};

use super::AddressBook;

/// What somebody knows who puts bytes into words: the signed registry and address book, and the account that signs.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    chain: ChainId,
    registry: &'a AssetIndex,
    book: &'a AddressBook,
    own: Option<(Address, &'a AccountRef)>,
    language: Language,
}

impl<'a> Speaker<'a> {
    /// Somebody who knows no account as one's own.
    #[must_use]
    pub fn new(chain: ChainId, registry: &'a AssetIndex, book: &'a AddressBook) -> Self {
        Self { chain, registry, book, own: None, language: Language::English }
    }

    /// The same, with the account of one's own that would sign.
    ///
    /// Somebody else may have named its address. It is therefore called our own only where the account gives
    /// something away; where it would receive, its address needs a name in the address book like any other's.
    #[must_use]
    pub fn with_own(self, own: Option<(Address, &'a AccountRef)>) -> Self {
        Self { own, ..self }
    }

    /// The same in another language than English.
    #[must_use]
    pub fn with_language(self, language: Language) -> Self {
        Self { language, ..self }
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

    /// A phrase in the reader's language.
    #[must_use]
    pub fn say(&self, phrase: Phrase<'_>) -> String {
        self.language.say(&phrase)
    }

    /// An amount of an asset, for instance `1.5 USDC`; in base units where the registry does not know it.
    #[must_use]
    pub fn amount(&self, asset: Asset, amount: Amount) -> String {
        match (self.registry.asset(self.chain, asset), asset) {
            (None, Asset::Token(token)) => {
                let (amount, token_text) = (amount.to_string(), token.to_string());
                let said = Phrase::UnitsOfUnknownToken { amount: &amount, token: &token_text };
                self.say(said) + &self.warning(token)
            }
            (Some(_), Asset::Token(token)) => {
                self.registry.amount(self.chain, asset, amount) + &self.warning(token)
            }
            (_, Asset::Native) => self.registry.amount(self.chain, asset, amount),
        }
    }

    /// A token by its symbol.
    #[must_use]
    pub fn token(&self, token: Address) -> String {
        let warning = self.warning(token);
        match self.registry.asset(self.chain, Asset::Token(token)) {
            Some(entry) => format!("{}{warning}", entry.symbol),
            None => self.say(Phrase::UnknownToken { token: &token.to_string() }) + &warning,
        }
    }

    /// Whoever gives something away: the account that signs is called our own here, and only here.
    #[must_use]
    pub fn giver(&self, address: Address) -> String {
        match self.own_without_name(address) {
            Some(account) => self.say(Phrase::OwnAccount {
                key: account.key.as_str(),
                index: &account.index.to_string(),
                address: &address.to_string(),
            }),
            None => self.who(address),
        }
    }

    /// Whoever loses something in a run, which is about accounts of ours alone.
    pub(super) fn loser(&self, address: Address) -> String {
        match (self.own_without_name(address), self.name(address)) {
            (None, None) => self.say(Phrase::AnotherAccount { address: &address.to_string() }),
            _ => self.giver(address),
        }
    }

    /// An address of which nobody says whether it gives or receives: the account that signs is said to be so by the
    /// node, which may lie, and still has no name.
    #[must_use]
    pub fn party(&self, address: Address) -> String {
        let who = self.who(address);
        match self.own_without_name(address) {
            Some(account) => self.say(Phrase::OwnByTheNodesWord {
                who: &who,
                key: account.key.as_str(),
                index: &account.index.to_string(),
            }),
            None => who,
        }
    }

    fn own_without_name(&self, address: Address) -> Option<&AccountRef> {
        let own = self.own.filter(|(own, _)| *own == address && self.book.name(address).is_none());
        own.map(|(_, account)| account)
    }

    /// An address by its name and in full, or said to be unknown.
    #[must_use]
    pub fn who(&self, address: Address) -> String {
        let said = match self.name(address) {
            Some(name) => format!("{} ({address})", name.escape_default()),
            None if address.is_zero() => self.say(Phrase::Nobody {}),
            None => self.say(Phrase::NotInAddressBook { address: &address.to_string() }),
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
        let own_name = self.say(Phrase::OwnAccountAlone {});
        let own = self.own.map(|(own, _)| (own, own_name.as_str()));
        let known = self.book.entries().chain(self.registry.known(self.chain)).chain(own);
        let mut alike = known.filter(|(known, _)| look_alike(&known.0.0, &address.0.0));
        alike.next().map_or_else(String::new, |(known, name)| {
            let (name, address) = (name.escape_default().to_string(), known.to_string());
            self.say(Phrase::LooksLike { name: &name, address: &address })
        })
    }

    /// Permits count seconds; far beyond any calendar they mean for ever.
    pub(super) fn until(&self, deadline: Amount) -> String {
        match moment(deadline) {
            Some(moment) => self.say(Phrase::Until { moment: &moment.to_string() }),
            None => self.say(Phrase::WithoutEnd {}),
        }
    }
}

/// A moment in Unix seconds, where a calendar has it.
#[must_use]
pub fn moment(seconds: Amount) -> Option<Timestamp> {
    let seconds = u64::try_from(seconds.0).ok().filter(|seconds| *seconds <= LAST_SECOND)?;
    Some(Timestamp(0).plus_seconds(seconds))
}

/// The end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

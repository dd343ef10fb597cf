//! What policy is asked, and the facts that it may use: nothing else has a say.

use alloy_primitives::Address;
use keystead_base::{Name, Timestamp};
use keystead_intent::{ActionKind, AuthorityChange, Effects, Run};

use crate::{AssuranceLevel, Cooling, Prices, Sections};

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks: a person or a service of the roster.
    pub requester: &'a Name,
    /// What kind of request it is.
    pub action: ActionKind,
    /// The key that would sign, or that a ceremony is about.
    pub key: Option<&'a Name>,
    /// What it would do.
    pub subject: Subject<'a>,
    /// What is known at this moment.
    pub facts: &'a Facts<'a>,
}

/// What a request would do.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// Sign bytes with these effects.
    Payload(&'a Effects),
    /// Change authority; for a new policy version with the sections that differ.
    Authority(&'a AuthorityChange, Sections),
}

/// What is known at the moment of the decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The block's time.
    pub now: Timestamp,
    /// The address of the account that would sign.
    pub account: Option<Address>,
    /// The kind of home that the key has.
    pub assurance: AssuranceLevel,
    /// What things are worth.
    pub prices: &'a Prices,
    /// Which entries of the address book are too young, whatever moment they name.
    pub cooling: &'a Cooling,
    /// What came of running it.
    pub simulation: Simulated<'a>,
    /// How many nonces below that of the transaction nobody has; 0 where it has none.
    pub nonce_ahead: u64,
    /// How many seconds ago a backup of the key was restored last; 0 of a key in shares.
    pub drill_age_seconds: u64,
}

/// What is known of a run of what would be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Simulated<'a> {
    /// Nothing: nobody ran it.
    #[default]
    No,
    /// It is no transaction, so there is nothing to run.
    NotApplicable,
    /// The nodes ran it, and came to the same.
    Ran(&'a Run),
}

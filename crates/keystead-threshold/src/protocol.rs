//! What a protocol says of itself: what it waits for in a round, and what it does with what it heard.

use std::collections::BTreeMap;

use keystead_base::{Name, Secret};
use keystead_keys::Fill;

use crate::{Abort, Begun, Kind, SessionId};

/// The longest payload of a message, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 512 * 1024;

/// A protocol as a state that is consumed by each of its rounds.
///
/// What a round's message depends on (nonces, polynomials, kept state) is gone when the message is there, because
/// `advance` takes the state by value (S5).
pub trait Protocol: Sized {
    /// What it ends in.
    type Output;

    /// How many rounds a run has at every node, echoes not counted. Only before the first one this is asked.
    fn rounds(&self, begun: &Begun) -> u8;

    /// What the present round waits for. Before the first round this is not asked.
    fn expects(&self, begun: &Begun) -> Expects;

    /// Takes in what was heard (nothing, the first time) and goes on.
    ///
    /// # Errors
    ///
    /// [`Abort`] names whoever broke the protocol.
    fn advance(self, begun: &Begun, heard: Heard, fill: Fill<'_>) -> Result<Next<Self>, Abort>;
}

/// What follows a round.
pub enum Next<P: Protocol> {
    /// Another one, opened by these messages.
    Round(P, Vec<Draft>),
    /// Nothing more.
    Done(P::Output),
}

/// Whom a round waits for: at most one broadcast and one direct message of each sender.
#[derive(Clone, Debug)]
pub struct Expects {
    /// The broadcasts' kind and senders.
    pub broadcast: Option<(Kind, Vec<Name>)>,
    /// The direct messages' kind and senders.
    pub direct: Option<(Kind, Vec<Name>)>,
    /// Whether all compare what they heard in the broadcasts before any goes on.
    pub echo: bool,
}

impl Expects {
    /// Broadcasts, which all compare before they go on.
    pub fn broadcast(kind: Kind, from: impl IntoIterator<Item = Name>) -> Self {
        Self { broadcast: Some((kind, from.into_iter().collect())), direct: None, echo: true }
    }

    /// Messages to this node alone.
    pub fn direct(kind: Kind, from: impl IntoIterator<Item = Name>) -> Self {
        Self { broadcast: None, direct: Some((kind, from.into_iter().collect())), echo: false }
    }

    /// And messages to this node alone.
    #[must_use]
    pub fn and_direct(mut self, kind: Kind, from: impl IntoIterator<Item = Name>) -> Self {
        self.direct = Some((kind, from.into_iter().collect()));
        self
    }

    /// Broadcasts that nobody compares, because what they end in is verified anyway.
    #[must_use]
    pub fn without_echo(mut self) -> Self {
        self.echo = false;
        self
    }
}

/// What was heard in a round, by sender.
#[derive(Debug, Default)]
pub struct Heard {
    /// What each said to all.
    pub broadcasts: BTreeMap<Name, Secret<Vec<u8>>>,
    /// What each said to this node alone.
    pub directs: BTreeMap<Name, Secret<Vec<u8>>>,
}

/// A message as a protocol writes it.
#[derive(Debug)]
pub struct Draft {
    /// Its kind.
    pub kind: Kind,
    /// For whom; `None` for all.
    pub to: Option<Name>,
    /// Its content.
    pub payload: Secret<Vec<u8>>,
}

impl Draft {
    /// For all.
    #[must_use]
    pub fn broadcast(kind: Kind, payload: Secret<Vec<u8>>) -> Self {
        Self { kind, to: None, payload }
    }

    /// For one.
    #[must_use]
    pub fn direct(kind: Kind, to: Name, payload: Secret<Vec<u8>>) -> Self {
        Self { kind, to: Some(to), payload }
    }
}

/// A message that leaves a machine. A direct one is secret: [`crate::Post`] encrypts it.
#[derive(Debug)]
pub struct Parcel {
    /// The run.
    pub session: SessionId,
    /// The round.
    pub round: u8,
    /// Its kind.
    pub kind: Kind,
    /// For whom; `None` for all others in the run.
    pub to: Option<Name>,
    /// Its content.
    pub payload: Secret<Vec<u8>>,
}

/// A message that reaches a machine, its sender authenticated ([`crate::Post`]).
#[derive(Debug)]
pub struct Delivery {
    /// The run.
    pub session: SessionId,
    /// The round.
    pub round: u8,
    /// Its kind.
    pub kind: Kind,
    /// Who signed it.
    pub from: Name,
    /// For whom; `None` for all.
    pub to: Option<Name>,
    /// Its content.
    pub payload: Secret<Vec<u8>>,
}

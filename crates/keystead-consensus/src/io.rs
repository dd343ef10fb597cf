//! What goes into a replica and what comes out.

use std::collections::BTreeSet;

use keystead_base::{Digest, Name};
use keystead_decision::{Admitted, Applied, Commit, Entry};

use crate::{Message, Objection, Record, TimeoutStep};

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// Entries whose senders were verified: of this node's own clients, or from another node's.
    Submit {
        /// The node that handed them over; none for this node's own clients.
        from: Option<Name>,
        /// The entries.
        entries: Vec<Admitted>,
    },
    /// A message of another node, known by its pinned connection.
    Received {
        /// Who sent it.
        from: Name,
        /// The message.
        message: Box<Message>,
    },
    /// A timer that this replica asked for has run out.
    Timer(Timer),
    /// What this node's own endpoints say of the facts of a block, or of one entry.
    Checked {
        /// The digest that the question named.
        header: Digest,
        /// Nothing to object, or what.
        verdict: Result<(), Objection>,
    },
    /// A connection to another node was opened.
    Connected(Name),
    /// From time to time, and when something is due: delays end, laggards are noticed.
    Beat,
}

/// Something to be done, in this order.
#[derive(Debug)]
pub enum Output {
    /// Make this durable. What follows may rest on it.
    Record(Record),
    /// Send, once everything before is durable.
    Send {
        /// The receivers.
        to: BTreeSet<Name>,
        /// The message.
        message: Message,
    },
    /// A block is committed: make it durable, then let it out.
    Committed(Box<Committed>),
    /// Come back after so many milliseconds, once, unless the height is over by then: [`crate::Timers`] keeps it.
    Timer {
        /// Which.
        timer: Timer,
        /// After how long.
        millis: u64,
    },
    /// Look these up at this node's own endpoints, and answer with [`Input::Checked`].
    Check {
        /// The digest of the block's header, or of the one entry that another node handed over.
        header: Digest,
        /// The entries whose facts cannot be recomputed.
        entries: Vec<Entry>,
        /// Who handed the entry over; none for a block.
        from: Option<Name>,
    },
    /// Send committed blocks from this height on, as [`Message::Blocks`].
    Serve {
        /// To whom.
        to: Name,
        /// The first height.
        from: u64,
    },
    /// A node does not vote for a block: this one, or another that said so.
    Objected {
        /// Who.
        node: Name,
        /// Why.
        objection: Objection,
    },
    /// A node was seen to say two things.
    Misbehaved(Misbehavior),
    /// Entries that will not enter the log: their senders are not admitted any more, or the pool is full.
    Dropped(Vec<Digest>),
    /// A round begins.
    Round {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
        /// Who proposes.
        leader: Name,
    },
    /// This node cannot go on by itself: the quorum committed what this node finds invalid.
    Diverged {
        /// At which height.
        height: u64,
        /// The digest of the header that this node computes.
        expected: Digest,
        /// The digest of the one that the quorum committed.
        found: Digest,
    },
}

/// A committed block with everything that rests on it.
#[derive(Debug)]
pub struct Committed {
    /// The block, its decisions and the state after it.
    pub applied: Applied,
    /// The votes.
    pub commit: Commit,
    /// The digests of the entries' documents, in their order.
    pub entries: Vec<Digest>,
    /// Whether it was learned from another node's log, not decided here.
    pub learned: bool,
}

/// A timer, named by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The step.
    pub step: TimeoutStep,
}

/// Two signed words that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misbehavior {
    /// Who.
    pub node: Name,
    /// The height.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// Whether two proposals (or two votes).
    pub proposals: bool,
}

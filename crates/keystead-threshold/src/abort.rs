//! How a run ends early: what went wrong, and who did it.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded, Name};
use serde::{Deserialize, Serialize};

use crate::SessionId;

/// Who made a run end.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Culprit {
    /// This node, for certain.
    Node(Name),
    /// One of two: a sender that told two things, or a witness that lies about it. What the sender
    /// signed for each of them decides ([`crate::Dispute`]).
    OneOf {
        /// Who is said to have sent two things.
        sender: Name,
        /// Who says so.
        witness: Name,
    },
    /// The protocol cannot tell.
    Unknown,
    /// Our own state, our own caller.
    Ourselves,
}

/// What went wrong.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The message belongs to another run.
    #[error("a message of another session")]
    OtherSession,
    /// The sender has no part in the run.
    #[error("the sender takes no part in the session")]
    Stranger,
    /// The message was meant for another node.
    #[error("a message for another node")]
    Misaddressed,
    /// The message comes too early, or is of the wrong kind.
    #[error("a message out of its turn")]
    OutOfOrder,
    /// The sender said something else before to this node alone, in the same round.
    #[error("two different messages of one round")]
    Contradiction,
    /// The bytes are no message of this kind.
    #[error("a message that does not parse")]
    Malformed,
    /// Two nodes were told different things.
    #[error("a broadcast that differs from node to node")]
    Equivocation,
    /// A proof of knowledge or of consistency fails.
    #[error("a proof that does not verify")]
    Proof,
    /// A share does not lie on the committed polynomial.
    #[error("a share that does not fit its commitment")]
    Share,
    /// A commitment is opened to something else.
    #[error("an opening that does not fit its commitment")]
    Opening,
    /// A part of a signature is wrong.
    #[error("a signature share that does not verify")]
    SignatureShare,
    /// An oblivious-transfer check failed: every further run with that node leaks bits of the share.
    #[error("a multiplication check that fails: never run with this node again")]
    Multiplication,
    /// The result does not verify, and nobody is to blame for certain.
    #[error("the result does not verify")]
    Result,
    /// Nothing came in time.
    #[error("no message in time")]
    Silence,
    /// Our own share, argument or library call does not fit.
    #[error("our own state does not fit the session")]
    Own,
    /// The sender signed two broadcasts of one round that differ ([`crate::told_two_things`]).
    #[error("two signed broadcasts of one round: never run with this node again")]
    TwoThings,
}

impl Fault {
    /// Whether one such fault is enough to never run with that node again, until an operator says otherwise.
    #[must_use]
    pub fn bans(self) -> bool {
        matches!(self, Self::Multiplication | Self::TwoThings)
    }
}

/// A run that ended without a result.
#[derive(
    Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize, thiserror::Error,
)]
#[serde(deny_unknown_fields)]
#[error("the run ended: {fault}")]
pub struct Abort {
    /// The run.
    pub session: SessionId,
    /// Who made it end.
    pub culprit: Culprit,
    /// What went wrong.
    pub fault: Fault,
}

impl Coded for Abort {
    fn code(&self) -> &'static str {
        match self.fault {
            Fault::OtherSession => "threshold.other_session",
            Fault::Stranger => "threshold.stranger",
            Fault::Misaddressed => "threshold.misaddressed",
            Fault::OutOfOrder => "threshold.out_of_order",
            Fault::Contradiction => "threshold.contradiction",
            Fault::Malformed => "threshold.malformed",
            Fault::Equivocation => "threshold.equivocation",
            Fault::Proof => "threshold.proof",
            Fault::Share => "threshold.share",
            Fault::Opening => "threshold.opening",
            Fault::SignatureShare => "threshold.signature_share",
            Fault::Multiplication => "threshold.multiplication",
            Fault::Result => "threshold.result",
            Fault::Silence => "threshold.silence",
            Fault::Own => "threshold.own",
            Fault::TwoThings => "threshold.two_things",
        }
    }

    fn blame(&self) -> Blame {
        match self.culprit {
            Culprit::Node(_) | Culprit::OneOf { .. } => Blame::Peer,
            Culprit::Unknown => Blame::Environment,
            Culprit::Ourselves => Blame::Caller,
        }
    }
}

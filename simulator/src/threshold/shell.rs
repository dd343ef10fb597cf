//! What a node has of the world in one step: messages out, words to the log, writes that a crash may cut off.

use keystead_base::{Digest, Name, Secret};
use keystead_threshold::{Delivery, Kind, Parcel, SessionId};

use super::ThresholdBug;
use super::log::{State, Word};
use super::oracle::Oracle;
use super::report::ThresholdReport;
use crate::Dice;

/// A protocol message on its way; who sent it is known, as the product's signatures make it known.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) session: SessionId,
    pub(crate) round: u8,
    pub(crate) kind: Kind,
    pub(crate) from: Name,
    pub(crate) addressee: Option<Name>,
    pub(crate) payload: Vec<u8>,
}

impl Wire {
    pub(crate) fn of(from: &Name, parcel: &Parcel) -> Self {
        Self {
            session: parcel.session,
            round: parcel.round,
            kind: parcel.kind,
            from: from.clone(),
            addressee: parcel.to.clone(),
            payload: parcel.payload.expose().clone(),
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        Delivery {
            session: self.session,
            round: self.round,
            kind: self.kind,
            from: self.from.clone(),
            to: self.addressee.clone(),
            payload: Secret::new(self.payload.clone()),
        }
    }
}

/// What a signature is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Something that the log granted.
    Grant(u64),
    /// To show that a node's new share signs.
    Proof(Digest, Name),
    /// None: it is a ceremony, whose share is kept by that epoch and that attempt.
    Ceremony(u32, Digest),
}

/// A leader's call to a run of a signature.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) what: What,
    pub(crate) leader: Name,
    pub(crate) signers: Vec<Name>,
    pub(crate) salt: u64,
    /// What the leader says that is to be signed; nobody goes by it.
    pub(crate) text: [u8; 32],
}

/// What travels between nodes.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    Call(Call),
    Wire(Wire),
}

/// The node's process is gone: what it had in memory, and what it was about to do.
#[derive(Debug)]
pub(crate) struct Crashed;

/// The world as one node reaches it in one step.
pub(crate) struct Shell<'a> {
    pub(crate) now: u64,
    pub(crate) dice: &'a mut Dice,
    pub(crate) oracle: &'a mut Oracle,
    pub(crate) report: &'a mut ThresholdReport,
    /// What the log truly says; the oracle's, never the node's.
    pub(crate) log: &'a State,
    pub(crate) bug: Option<ThresholdBug>,
    pub(crate) stormy: bool,
    pub(crate) mail: Vec<(Name, Mail)>,
    pub(crate) words: Vec<Word>,
}

impl Shell<'_> {
    pub(crate) fn has(&self, bug: ThresholdBug) -> bool {
        self.bug == Some(bug)
    }

    /// A place where the process may end.
    pub(crate) fn survive(&mut self, place: &'static str) -> Result<(), Crashed> {
        if self.stormy && self.dice.chance(CRASH_PER_MILLE) {
            self.report.fault(place);
            return Err(Crashed);
        }
        Ok(())
    }

    /// One durable write: there is all of it or nothing, and the process may end before and behind it.
    pub(crate) fn write(&mut self, apply: impl FnOnce()) -> Result<(), Crashed> {
        self.survive("crash before a write")?;
        apply();
        self.survive("crash behind a write")
    }

    pub(crate) fn send(&mut self, to: &Name, mail: Mail) -> Result<(), Crashed> {
        self.survive("crash before a send")?;
        self.mail.push((to.clone(), mail));
        Ok(())
    }
}

/// How often the process ends at such a place.
const CRASH_PER_MILLE: u64 = 3;

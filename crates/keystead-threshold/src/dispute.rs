//! Where two nodes were told different things: what each of them was told, as its sender signed it, says who lies.

use std::collections::BTreeMap;

use keystead_base::{Digest, Name, Secret, tagged_hash};

use crate::{
    Abort, Address, Culprit, Delivery, Envelope, Fault, Kind, Message, Record, SessionId, Unwritten,
};

/// What a node said to all in one round of a run, its signature verified, or in its channel where one other takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    session: SessionId,
    round: u8,
    sender: Name,
    what: Digest,
}

impl Said {
    /// What a message says to all; none where it is for one node.
    #[must_use]
    pub fn of(message: &Delivery) -> Option<Self> {
        let Delivery { session, round, kind, from, to, payload } = message;
        let what = spoken(*kind, payload.expose());
        to.is_none().then(|| Self { session: *session, round: *round, sender: from.clone(), what })
    }

    /// What signed bytes say to all, if `sender` signed them with these keys.
    #[must_use]
    pub fn signed(bytes: &[u8], sender: &Name, keys: &Address) -> Option<Self> {
        let Message::Broadcast(signed) = Message::read(bytes).ok()? else { return None };
        signed.verify(&keys.signing).ok().filter(|_| signed.signer == *sender)?;
        let Envelope { session, round, kind, payload } = signed.body;
        Some(Self { session, round, sender: signed.signer, what: spoken(kind, &payload) })
    }
}

/// INVARIANT K6: the node that told two things in one round of one run. Nothing else shows it: neither the word of
/// another, nor the same said again, nor what belongs to another run or round.
#[must_use]
pub fn told_two_things<'a>(one: &'a Said, other: &Said) -> Option<&'a Name> {
    let place = |it: &Said| (it.session, it.round, it.sender.clone());
    (place(one) == place(other) && one.what != other.what).then_some(&one.sender)
}

/// What the others of a run said to all in it, as it came.
#[derive(Debug)]
pub struct Told<M> {
    others: Vec<Name>,
    said: BTreeMap<(Name, u8), Vec<(Said, M)>>,
}

impl<M> Told<M> {
    /// Of a run with these others, which has heard nothing.
    #[must_use]
    pub fn new(others: Vec<Name>) -> Self {
        Self { others, said: BTreeMap::new() }
    }

    /// Keeps what the run is about to take in: the first of each sender in a round, and another one that differs.
    pub fn keep(&mut self, message: &Delivery, shown: impl FnOnce() -> M) {
        let Some(said) = Said::of(message).filter(|it| self.others.contains(&it.sender)) else { return };
        let place = self.said.entry((said.sender.clone(), said.round)).or_default();
        if place.len() < 2 && place.iter().all(|(before, _)| *before != said) {
            place.push((said, shown()));
        }
    }

    /// The run is in this round: only that one and the one before it can still come into dispute.
    pub fn forget_before(&mut self, round: u8) {
        self.said.retain(|(_, of), _| *of >= round.saturating_sub(1));
    }

    /// The run ended. Where somebody told two things, or is said to have: what this node was told by it.
    #[must_use]
    pub fn show(self, key: &Name, abort: &Abort) -> Option<Shown<M>> {
        let sender = doubted(abort)?.clone();
        let of_it = self.said.into_iter().filter(|((from, _), _)| *from == sender);
        let (told, messages): (Vec<Said>, Vec<M>) = of_it.flat_map(|(_, said)| said).unzip();
        let others = self.others.into_iter().filter(|it| *it != sender).collect();
        let dispute = Dispute { key: key.clone(), session: abort.session, sender, told };
        let (sender, dispute) = (dispute.sender.clone(), Some(dispute));
        Some(Shown { sender, messages, others, dispute: dispute.filter(|_| abort.fault != Fault::TwoThings) })
    }
}

/// What a node shows of a run that ended so.
#[derive(Debug)]
pub struct Shown<M> {
    /// Who told two things, or is said to have.
    pub sender: Name,
    /// What the sender said to all, as it came.
    pub messages: Vec<M>,
    /// To whom it is shown: all others of the run but the sender.
    pub others: Vec<Name>,
    /// What waits for what they were told; none where both broadcasts are here already, or who shows them again after a lift
    /// would have the sender kept out for them again.
    pub dispute: Option<Dispute>,
}

/// A run that is over, and what its sender in doubt said in it.
#[derive(Debug)]
pub struct Dispute {
    key: Name,
    session: SessionId,
    sender: Name,
    told: Vec<Said>,
}

impl Dispute {
    /// The run.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Who is said to have told two things.
    #[must_use]
    pub fn sender(&self) -> &Name {
        &self.sender
    }

    /// Whether this node was told something else: then the sender is kept out, once the record is written.
    #[must_use]
    pub fn settle(&self, theirs: &Said) -> Option<Unwritten<Abort>> {
        self.told.iter().find_map(|ours| proven(&self.key, ours, theirs))
    }
}

/// The end of a run of this key in which somebody told two things: it is kept out, once the record is written.
#[must_use]
pub fn proven(key: &Name, one: &Said, other: &Said) -> Option<Unwritten<Abort>> {
    let culprit = Culprit::Node(told_two_things(one, other)?.clone());
    let abort = Abort { session: one.session, culprit, fault: Fault::TwoThings };
    Some(Unwritten::new(Record::Aborted { key: key.clone(), abort: abort.clone() }, abort))
}

/// Whose words are in dispute when a run ends so.
fn doubted(abort: &Abort) -> Option<&Name> {
    match (&abort.culprit, abort.fault) {
        (Culprit::OneOf { sender, .. }, _) => Some(sender),
        (Culprit::Node(node), Fault::Equivocation | Fault::TwoThings) => Some(node),
        (Culprit::Node(_) | Culprit::Unknown | Culprit::Ourselves, _) => None,
    }
}

/// Only compared within this process: a peer that repeats itself says the same.
pub(crate) fn spoken(kind: Kind, payload: &[u8]) -> Digest {
    let mut bytes = Secret::new(vec![kind as u8]);
    bytes.expose_mut().extend_from_slice(payload);
    tagged_hash("keystead/threshold-seen", bytes.expose())
}

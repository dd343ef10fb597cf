//! One run in this enclave: its machine, whom it speaks with, and what it is for.

use std::collections::BTreeSet;
use std::sync::Arc;

use keystead_base::{Digest, Name, RequestId};
use keystead_threshold::{
    Abort, Begun, Delivery, EcdsaSignature, End, Machine, Parcel, Post, Protocol, SessionId, Step, Told,
    Unwritten,
};

use super::dealing::DealingSeed;
use super::share::AnyShare;
use crate::Struck;
use crate::entropy::kernel_random;

/// A run and its surroundings.
pub(super) struct Run {
    pub(super) machine: Box<dyn AnyMachine>,
    pub(super) post: Arc<Post>,
    pub(super) aim: Aim,
    /// What it was told, for a dispute.
    pub(super) told: Told<Vec<u8>>,
    /// Who has spoken in it.
    pub(super) heard: BTreeSet<Name>,
    /// Runs are given up in the order in which they began.
    pub(super) number: u64,
}

impl Run {
    /// Takes a message in, and keeps it as it came where it may come into dispute.
    pub(super) fn on_message(&mut self, message: Delivery, bytes: &[u8]) -> Turn {
        // Of the round before it takes this in: it may end in comparing what was said in it.
        self.told.forget_before(self.machine.round());
        self.told.keep(&message, || bytes.to_vec());
        self.machine.on_message(message)
    }
}

/// What a run is for.
#[derive(Clone, Debug)]
pub(super) enum Aim {
    /// Shares of this epoch, for the ceremony of this request.
    Deal { request: RequestId, key: Name, epoch: u32 },
    /// A signature that the log granted.
    Sign { request: RequestId, height: u64, digest: Digest },
    /// The proof that a holder's new share signs.
    Prove { request: RequestId, key: Name, epoch: u32, prover: Name, challenge: Digest },
}

impl Aim {
    /// The request that it serves.
    pub(super) fn request(&self) -> RequestId {
        match self {
            Self::Deal { request, .. } | Self::Sign { request, .. } | Self::Prove { request, .. } => *request,
        }
    }

    /// INVARIANT K3, D1: a ceremony that begins ends what was begun before for the same key, by another request, too: its
    /// share, coming late, would take the place of one that is in force.
    pub(super) fn is_replaced_by(&self, next: &Self) -> bool {
        matches!((self, next), (Self::Deal { key: one, .. }, Self::Deal { key: two, .. }) if one == two)
    }
}

/// A signature of any scheme, as its protocol verified it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Made {
    Ecdsa(EcdsaSignature),
    /// 64 bytes of FROST's.
    Schnorr([u8; 64]),
}

impl Made {
    /// Both halves.
    pub(crate) fn bytes(&self) -> [u8; 64] {
        match self {
            Self::Ecdsa(it) => {
                let mut bytes = [0; 64];
                bytes.iter_mut().zip(it.r.iter().chain(&it.s)).for_each(|(to, from)| *to = *from);
                bytes
            }
            Self::Schnorr(bytes) => *bytes,
        }
    }

    /// The same after whatever struck it: in the product what it was.
    pub(crate) fn struck(&self, strike: &dyn Fn(Struck, &mut [u8])) -> Self {
        let mut bytes = self.bytes();
        strike(Struck::Signature, &mut bytes);
        match self {
            Self::Schnorr(_) => Self::Schnorr(bytes),
            Self::Ecdsa(it) => {
                let (mut made, mut id) = (*it, [it.recovery_id]);
                strike(Struck::RecoveryId, &mut id);
                made.r.iter_mut().chain(&mut made.s).zip(bytes).for_each(|(to, from)| *to = from);
                [made.recovery_id] = id;
                Self::Ecdsa(made)
            }
        }
    }

    /// The half that must never repeat.
    pub(crate) fn r(&self) -> [u8; 32] {
        let mut half = [0; 32];
        half.iter_mut().zip(self.bytes()).for_each(|(to, from)| *to = from);
        half
    }
}

/// What one turn of a machine brought.
pub(super) struct Turn {
    pub(super) parcels: Vec<Parcel>,
    pub(super) end: Option<TurnEnd>,
}

/// How a run ended.
pub(super) enum TurnEnd {
    /// With a share, for those who hold the key afterwards.
    Dealt(Option<Box<AnyShare>>),
    Signed(Made),
    Aborted(Unwritten<Abort>),
}

/// A machine, whatever its protocol.
pub(super) trait AnyMachine {
    /// Draws from this seed, too, from now on.
    fn mix(&mut self, seed: DealingSeed);
    fn start(&mut self) -> Turn;
    fn on_message(&mut self, message: Delivery) -> Turn;
    fn give_up(&mut self) -> Turn;
    fn id(&self) -> SessionId;
    /// The key that it is about.
    fn key(&self) -> Name;
    /// Everyone but this node: whom a broadcast goes to.
    fn others(&self) -> Vec<Name>;
    /// The round that it is in, as envelopes count.
    fn round(&self) -> u8;
    /// The round that it is in, how many it has, and who has not been heard in this one.
    fn stands(&self) -> (u8, u8, Vec<Name>);
}

/// A machine that waits for its run to be begun.
pub(super) type Prepared = Box<dyn FnOnce(Begun) -> Box<dyn AnyMachine>>;

/// A protocol in its first state, and how its output is read.
pub(super) fn prepared<P, R>(protocol: P, read: R) -> Prepared
where
    P: Protocol + 'static,
    R: Fn(P::Output) -> TurnEnd + 'static,
{
    Box::new(move |begun| Box::new(Typed { machine: Machine::new(begun, protocol), read, seed: None }))
}

struct Typed<P: Protocol, R> {
    machine: Machine<P>,
    read: R,
    /// Of a birth.
    seed: Option<DealingSeed>,
}

fn fill(seed: &mut Option<DealingSeed>, out: &mut [u8]) {
    match seed {
        Some(seed) => seed.fill(out, &mut kernel_random),
        None => kernel_random(out),
    }
}

impl<P: Protocol, R: Fn(P::Output) -> TurnEnd> Typed<P, R> {
    fn turn(&self, step: Step<P::Output>) -> Turn {
        let end = step.end.map(|end| match end {
            End::Done(output) => (self.read)(output),
            End::Aborted(abort) => TurnEnd::Aborted(abort),
        });
        Turn { parcels: step.messages, end }
    }
}

impl<P: Protocol, R: Fn(P::Output) -> TurnEnd> AnyMachine for Typed<P, R> {
    fn mix(&mut self, seed: DealingSeed) {
        self.seed = Some(seed);
    }

    fn start(&mut self) -> Turn {
        let seed = &mut self.seed;
        let step = self.machine.start(&mut |out: &mut [u8]| fill(seed, out));
        self.turn(step)
    }

    fn on_message(&mut self, message: Delivery) -> Turn {
        let seed = &mut self.seed;
        let step = self.machine.on_message(message, &mut |out: &mut [u8]| fill(seed, out));
        self.turn(step)
    }

    fn give_up(&mut self) -> Turn {
        let step = self.machine.give_up();
        self.turn(step)
    }

    fn id(&self) -> SessionId {
        self.machine.begun().id()
    }

    fn key(&self) -> Name {
        self.machine.begun().session().key.clone()
    }

    fn others(&self) -> Vec<Name> {
        self.machine.begun().others().cloned().collect()
    }

    fn round(&self) -> u8 {
        self.machine.round()
    }

    fn stands(&self) -> (u8, u8, Vec<Name>) {
        (self.machine.round(), self.machine.rounds(), self.machine.missing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d01_a_ceremony_ends_every_other_one_of_its_key() {
        let deal = |request: u8, key: &str| Aim::Deal {
            request: RequestId(Digest([request; 32])),
            key: key.parse().unwrap(),
            epoch: 4,
        };
        let sign = Aim::Sign { request: RequestId(Digest([1; 32])), height: 1, digest: Digest::ZERO };
        assert!(deal(1, "hot").is_replaced_by(&deal(1, "hot")), "it begins again");
        assert!(deal(1, "hot").is_replaced_by(&deal(2, "hot")), "people asked for another one");
        assert!(!deal(1, "hot").is_replaced_by(&deal(1, "cold")));
        assert!(!sign.is_replaced_by(&deal(1, "hot")) && !deal(1, "hot").is_replaced_by(&sign));
    }
}

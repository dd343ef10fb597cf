//! One run in this enclave: its machine, whom it speaks with, and what it is for.

use std::sync::Arc;

use keystead_base::{Digest, Name, RequestId};
use keystead_threshold::{
    Abort, Ceremony, Delivery, Dkls23, EcdsaEngine, EcdsaShare, EcdsaSignature, End, Machine, Parcel, Post,
    SessionId, Step, Unwritten,
};

use crate::entropy::kernel_random;

type Signing = <Dkls23 as EcdsaEngine>::Sign;

/// A run and its surroundings.
pub(super) struct Run {
    pub(super) machine: AnyMachine,
    pub(super) post: Arc<Post>,
    pub(super) aim: Aim,
    /// Runs are given up in the order in which they began.
    pub(super) number: u64,
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

/// The two kinds of machine.
pub(super) enum AnyMachine {
    Ceremony(Box<Machine<Ceremony<Dkls23>>>),
    Signing(Box<Machine<Signing>>),
}

/// What one turn of a machine brought.
pub(super) struct Turn {
    pub(super) parcels: Vec<Parcel>,
    pub(super) end: Option<TurnEnd>,
}

/// How a run ended.
pub(super) enum TurnEnd {
    /// With a share, for those who hold the key afterwards.
    Dealt(Option<Box<EcdsaShare<Dkls23>>>),
    Signed(EcdsaSignature),
    Aborted(Unwritten<Abort>),
}

impl AnyMachine {
    pub(super) fn start(&mut self) -> Turn {
        match self {
            Self::Ceremony(machine) => dealt(machine.start(&mut kernel_random)),
            Self::Signing(machine) => signed(machine.start(&mut kernel_random)),
        }
    }

    pub(super) fn on_message(&mut self, message: Delivery) -> Turn {
        match self {
            Self::Ceremony(machine) => dealt(machine.on_message(message, &mut kernel_random)),
            Self::Signing(machine) => signed(machine.on_message(message, &mut kernel_random)),
        }
    }

    pub(super) fn on_unreadable(&mut self, from: &Name) -> Turn {
        match self {
            Self::Ceremony(machine) => dealt(machine.on_unreadable(from)),
            Self::Signing(machine) => signed(machine.on_unreadable(from)),
        }
    }

    pub(super) fn give_up(&mut self) -> Turn {
        match self {
            Self::Ceremony(machine) => dealt(machine.give_up()),
            Self::Signing(machine) => signed(machine.give_up()),
        }
    }

    pub(super) fn id(&self) -> SessionId {
        match self {
            Self::Ceremony(machine) => machine.begun().id(),
            Self::Signing(machine) => machine.begun().id(),
        }
    }

    /// Everyone but this node: whom a broadcast goes to.
    pub(super) fn others(&self) -> Vec<Name> {
        match self {
            Self::Ceremony(machine) => machine.begun().others().cloned().collect(),
            Self::Signing(machine) => machine.begun().others().cloned().collect(),
        }
    }
}

fn dealt(step: Step<Option<EcdsaShare<Dkls23>>>) -> Turn {
    turn(step, |share| TurnEnd::Dealt(share.map(Box::new)))
}

/// The share that signed ends here: the next run reads it anew.
fn signed(step: Step<(EcdsaShare<Dkls23>, EcdsaSignature)>) -> Turn {
    turn(step, |(_, signature)| TurnEnd::Signed(signature))
}

fn turn<T>(step: Step<T>, done: impl FnOnce(T) -> TurnEnd) -> Turn {
    let end = step.end.map(|end| match end {
        End::Done(output) => done(output),
        End::Aborted(abort) => TurnEnd::Aborted(abort),
    });
    Turn { parcels: step.messages, end }
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

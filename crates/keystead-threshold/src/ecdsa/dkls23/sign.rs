//! One ECDSA signature by exactly t holders, of a child derived for it alone.

use std::collections::BTreeMap;

use dkls23_core::protocols::signing::{
    Broadcast3to4, KeepPhase1to2, KeepPhase2to3, SignData, TransmitPhase1to2, TransmitPhase2to3,
    UniqueKeep1to2, UniqueKeep2to3,
};
use dkls23_core::protocols::{PartiesMessage, Party, PartyIndex};
use k256::Secp256k1;
use keystead_base::{Digest, Name};
use keystead_keys::Fill;

use super::super::{EcdsaShare, EcdsaSignature, is_good};
use super::{Dkls23, abort, compressed, heard, index, write};
use crate::{Abort, Begun, Culprit, Draft, Expects, Fault, Heard, Kind, Next, Protocol, Purpose};

/// A signer's part. What is kept between rounds is consumed by the next one, and never stored (S5).
pub struct Sign {
    share: EcdsaShare<Dkls23>,
    state: State,
}

enum State {
    Start,
    Offered(Box<Child>, UniqueKeep1to2<Secp256k1>, BTreeMap<PartyIndex, KeepPhase1to2<Secp256k1>>),
    Answered(Box<Child>, UniqueKeep2to3<Secp256k1>, BTreeMap<PartyIndex, KeepPhase2to3<Secp256k1>>),
    Summed(Box<Child>, String, Broadcast3to4<Secp256k1>),
}

/// The signing key at the session's path, for this signature only.
struct Child {
    party: Party<Secp256k1>,
    data: SignData,
    digest: Digest,
}

impl Sign {
    pub(super) fn new(share: EcdsaShare<Dkls23>) -> Self {
        Self { share, state: State::Start }
    }
}

impl Protocol for Sign {
    /// The share comes back with the signature, for the next one.
    type Output = (EcdsaShare<Dkls23>, EcdsaSignature);

    fn rounds(&self, _: &Begun) -> u8 {
        3
    }

    fn expects(&self, begun: &Begun) -> Expects {
        let others = begun.others().cloned();
        match self.state {
            State::Start | State::Offered(..) => Expects::direct(Kind::MultiplyOffer, others),
            State::Answered(..) => Expects::direct(Kind::MultiplyAnswer, others),
            // The signature is verified, and with it the sum.
            State::Summed(..) => Expects::broadcast(Kind::SignatureShare, others).without_echo(),
        }
    }

    fn advance(self, begun: &Begun, heard: Heard, _: Fill<'_>) -> Result<Next<Self>, Abort> {
        let Self { share, state } = self;
        match state {
            State::Start => offer(begun, share),
            State::Offered(child, unique, kept) => answer(begun, share, child, (unique, kept), &heard),
            State::Answered(child, unique, kept) => sum(begun, share, child, (unique, kept), &heard),
            State::Summed(child, x, ours) => assemble(begun, share, &child, &x, ours, &heard),
        }
    }
}

fn offer(begun: &Begun, share: EcdsaShare<Dkls23>) -> Result<Next<Sign>, Abort> {
    share.check(begun)?;
    let child = Box::new(child(begun, &share)?);
    let (unique, kept, out) =
        child.party.sign_phase1(&child.data).map_err(|found| found_abort(begun, &found))?;
    let send = |message: &TransmitPhase1to2| {
        let payload = write(begun, message)?;
        Ok(Draft::direct(Kind::MultiplyOffer, name(begun, message.parties.receiver)?, payload))
    };
    let drafts = out.iter().map(send).collect::<Result<_, Abort>>()?;
    Ok(Next::Round(Sign { share, state: State::Offered(child, unique, kept) }, drafts))
}

/// INVARIANT S6: the run's id, which binds key, path, signers, epoch and digest, is the library's id of it, too.
fn child(begun: &Begun, share: &EcdsaShare<Dkls23>) -> Result<Child, Abort> {
    let own = || begun.own_fault();
    let Purpose::Sign { digest, path, .. } = &begun.session().purpose else {
        return Err(own());
    };
    let steps = path.iter().map(|step| format!("/{step}")).collect::<String>();
    let party =
        share.engine.0.derive_from_path(&format!("m{steps}"), |_| String::new()).map_err(|_| own())?;
    let holders = &begun.session().holders;
    let counterparties = begun.others().map(|name| index(begun, holders, name)).collect::<Result<_, _>>()?;
    let sign_id = begun.id().0.as_bytes().to_vec();
    let data = SignData { sign_id, counterparties, message_hash: *digest.as_bytes() };
    Ok(Child { party, data, digest: *digest })
}

fn answer(
    begun: &Begun,
    share: EcdsaShare<Dkls23>,
    child: Box<Child>,
    (unique, kept): (UniqueKeep1to2<Secp256k1>, BTreeMap<PartyIndex, KeepPhase1to2<Secp256k1>>),
    heard_now: &Heard,
) -> Result<Next<Sign>, Abort> {
    let mut offers: Vec<TransmitPhase1to2> = Vec::new();
    for (from, payload) in &heard_now.directs {
        let offer: TransmitPhase1to2 = heard(begun, from, payload)?;
        check_parties(begun, from, &offer.parties)?;
        offers.push(offer);
    }
    // INVARIANT S5: the library consumes what was kept before there is an answer to send.
    let done = child.party.sign_phase2(&child.data, unique, kept, &offers);
    let (unique, kept, out) = done.map_err(|found| found_abort(begun, &found))?;
    let send = |message: &TransmitPhase2to3<Secp256k1>| {
        let payload = write(begun, message)?;
        Ok(Draft::direct(Kind::MultiplyAnswer, name(begun, message.parties.receiver)?, payload))
    };
    let drafts = out.iter().map(send).collect::<Result<_, Abort>>()?;
    Ok(Next::Round(Sign { share, state: State::Answered(child, unique, kept) }, drafts))
}

fn sum(
    begun: &Begun,
    share: EcdsaShare<Dkls23>,
    child: Box<Child>,
    (unique, kept): (UniqueKeep2to3<Secp256k1>, BTreeMap<PartyIndex, KeepPhase2to3<Secp256k1>>),
    heard_now: &Heard,
) -> Result<Next<Sign>, Abort> {
    let mut answers: Vec<TransmitPhase2to3<Secp256k1>> = Vec::new();
    for (from, payload) in &heard_now.directs {
        let answer: TransmitPhase2to3<Secp256k1> = heard(begun, from, payload)?;
        check_parties(begun, from, &answer.parties)?;
        answers.push(answer);
    }
    let done = child.party.sign_phase3(&child.data, unique, kept, &answers);
    let (x, ours) = done.map_err(|found| found_abort(begun, &found))?;
    let drafts = vec![Draft::broadcast(Kind::SignatureShare, write(begun, &ours)?)];
    Ok(Next::Round(Sign { share, state: State::Summed(child, x, ours) }, drafts))
}

fn assemble(
    begun: &Begun,
    share: EcdsaShare<Dkls23>,
    child: &Child,
    x: &str,
    ours: Broadcast3to4<Secp256k1>,
    heard_now: &Heard,
) -> Result<Next<Sign>, Abort> {
    let mut all = vec![ours];
    for (from, payload) in &heard_now.broadcasts {
        all.push(heard(begun, from, payload)?);
    }
    // Whose sum was wrong the protocol does not tell: they hide one another.
    let done = child.party.sign_phase4(&child.data, x, &all, true);
    let (s, recovery_id) = done.map_err(|found| found_abort(begun, &found))?;
    let own = || begun.own_fault();
    let (r, s) = (word(x).ok_or_else(own)?, word(&s).ok_or_else(own)?);
    let key = compressed(&child.party.pk).try_into().map_err(|_| own())?;
    let signature = EcdsaSignature { r, s, recovery_id, key };
    if !is_good(&signature, child.digest) {
        return Err(begun.abort(Culprit::Unknown, Fault::Result));
    }
    Ok(Next::Done((share, signature)))
}

fn check_parties(begun: &Begun, from: &Name, parties: &PartiesMessage) -> Result<(), Abort> {
    let holders = &begun.session().holders;
    let fits = parties.sender == index(begun, holders, from)?
        && parties.receiver == index(begun, holders, begun.me())?;
    if fits { Ok(()) } else { Err(begun.blame(from, Fault::Malformed)) }
}

fn found_abort(begun: &Begun, found: &dkls23_core::protocols::Abort) -> Abort {
    abort(begun, &begun.session().holders, found)
}

fn name(begun: &Begun, index: PartyIndex) -> Result<Name, Abort> {
    begun.session().holders.name_of(index.as_u8()).cloned().ok_or_else(|| begun.own_fault())
}

/// The 32 bytes of the library's 64 hexadecimal digits.
fn word(text: &str) -> Option<[u8; 32]> {
    const_hex::decode_to_array(text).ok()
}

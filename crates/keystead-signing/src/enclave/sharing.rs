//! Keys in shares: what the log allows becomes a session here, and a run's end what may leave.

use std::collections::BTreeMap;

use keystead_base::{Canonical as _, ClusterId, Digest, KeyScheme, Name, RequestId, Secret, Timestamp};
use keystead_bitcoin::SigningDigest;
use keystead_chain::Unsigned;
use keystead_decision::{
    Certificate, Convened, Decision, Grant, Header, HeldPermit, ProvenSeat, SeatClaim, Sharing,
    SigningPermit, share_challenge,
};
use keystead_entropy::EntropyReceipt;
use keystead_intent::KeyCeremony;
use keystead_keys::{Purpose as Sealing, SealLabel, Sealed};
use keystead_threshold::{
    Abort, Attempt, Culprit, EcdsaSignature, Fault, Holders, PublicShares, Purpose, Record, Scheme, Session,
    SessionId,
};

use super::inputs::{ToJoin, input_signed};
use super::messages::message_signed;
use super::{Enclave, EnclaveControls, fits};
use crate::entropy::kernel_random;
use crate::protocol::{ItemResult, OpenedKey, Released, SeatFor};
use crate::threshold::{
    Convoked, DealingSeed, Dealt, DealtShare, Ended, Finish, Made, Moved, Outgoing, Progress, Proving,
    RunAim, RunEnd, RunStart, Signature, Standing, ThresholdError,
};
use crate::{EnclaveError, EthereumSignature};

/// A right that was shown while its block was the head, until it expires.
pub(super) struct Admitted {
    pub(super) permit: HeldPermit,
    /// Whose decisions its own stands among.
    pub(super) header: Digest,
    pub(super) policy_version: u64,
    /// What is signed for each input, where it is a PSBT.
    pub(super) inputs: Vec<SigningDigest>,
    /// What Ed25519 signs, where it is a message of Solana's.
    pub(super) message: Option<Box<keystead_solana::Unsigned>>,
}

/// Rights whose keys are held in shares, by request and height.
#[derive(Default)]
pub(super) struct Rights(BTreeMap<(RequestId, u64), Admitted>);

impl Rights {
    pub(super) fn admit(&mut self, place: (RequestId, u64), right: Admitted, now: Timestamp) {
        self.0.retain(|_, it| it.permit.grant().expires > now);
        // At the limit the lowest is renewed, as if it had expired.
        while self.0.len() >= MAX_ADMITTED || self.inputs() > MAX_ADMITTED_INPUTS {
            self.0.pop_first();
        }
        self.0.insert(place, right);
    }

    fn inputs(&self) -> usize {
        self.0.values().map(|it| it.inputs.len()).sum()
    }
}

/// What a share of a new epoch is proven with.
pub(super) struct Fresh {
    key: Name,
    scheme: Scheme,
    epoch: u32,
    holders: Holders,
    policy_version: u64,
    /// The digest of the decision that convened its ceremony.
    convened: Digest,
    since: Timestamp,
    /// At a birth: what this holder's contribution is made of.
    receipt: Option<EntropyReceipt>,
}

/// Ceremonies of this life, by request.
#[derive(Default)]
pub(super) struct Proofs(BTreeMap<RequestId, Fresh>);

impl Fresh {
    /// What the shares of a run are proven with, whose epoch is the one that it makes.
    pub(super) fn of(run: &Session, convened: &Convened, decision: Digest, since: Timestamp) -> Self {
        Self {
            key: run.key.clone(),
            scheme: run.scheme,
            epoch: convened.next_epoch(),
            holders: run.holders.clone(),
            policy_version: run.policy_version,
            convened: decision,
            since,
            receipt: None,
        }
    }
}

impl Proofs {
    /// A key has one ceremony at a time; of other keys' the oldest makes room.
    pub(super) fn add(&mut self, request: RequestId, fresh: Fresh) {
        self.0.retain(|_, it| it.key != fresh.key);
        if self.0.len() >= MAX_FRESH
            && let Some(oldest) = self.0.iter().min_by_key(|(_, it)| it.since).map(|(of, _)| *of)
        {
            self.0.remove(&oldest);
        }
        self.0.insert(request, fresh);
    }
}

impl<C: EnclaveControls> Enclave<C> {
    /// A seat of this very life. It takes part in nothing before the log convenes a ceremony with it.
    pub(super) fn seat(&mut self, it: SeatFor) -> Result<ProvenSeat, EnclaveError> {
        self.protected()?;
        let SeatFor { request, key, node } = it;
        let (cluster, seat) = (self.cluster()?, self.threshold.seat(request)?);
        Ok(self.threshold.prove_seat(SeatClaim { cluster, key, request, node, seat })?)
    }

    /// All participants have seats: the run begins, as the log describes it and nobody else.
    pub(super) fn convene(&mut self, it: &Certificate, now: Timestamp) -> Result<Progress, EnclaveError> {
        let log = self.log.as_mut().ok_or(EnclaveError::NotReady)?;
        let (convened, policy_version, decision) = log.permit_convened(it, now)?.into_parts();
        self.protected()?;
        let request = it.decision.subject;
        if convened.importer().is_some() {
            return self.await_dealing(request, convened, (policy_version, decision));
        }
        let session = session_of(self.cluster()?, &convened, policy_version, decision)?;
        let (seed, receipt) = self.birth_seed(&session, now)?;
        let fresh = Fresh {
            key: convened.key().clone(),
            scheme: session.scheme,
            epoch: convened.next_epoch(),
            holders: Holders::new(convened.threshold, convened.holders.clone())
                .map_err(ThresholdError::from)?,
            policy_version,
            convened: decision,
            since: now,
            receipt,
        };
        let old = old_shares(&convened)?;
        let convoked = Convoked { request, session, seats: convened.seats, old, seed };
        let moved = self.threshold.convene(convoked)?;
        self.fresh.add(request, fresh);
        self.progress(moved, now)
    }

    /// INVARIANT E1: what a holder contributes to a birth is of all sources of its machine, tested; where one fails it takes no part.
    fn birth_seed(
        &mut self,
        session: &Session,
        now: Timestamp,
    ) -> Result<(Option<DealingSeed>, Option<EntropyReceipt>), EnclaveError> {
        if session.purpose != Purpose::Generate {
            return Ok((None, None));
        }
        let draw = self.draw();
        let (seed, receipt) = self.sources.seed(&draw, now)?;
        Ok((Some(DealingSeed::new(seed)), Some(receipt)))
    }

    /// INVARIANT S3: the item was permitted as any other; what is signed with it are the runs that ask again.
    pub(super) fn admit(
        &mut self,
        header: &Header,
        decision: &Decision,
        permit: SigningPermit,
        unsigned: &Unsigned,
        now: Timestamp,
    ) -> Result<ItemResult, EnclaveError> {
        let permit = permit.hold();
        let grant = permit.grant();
        let holding = self.threshold.holding(&grant.account.key, grant.epoch)?;
        let address = holding.account.address(grant.account.index);
        fits(grant, unsigned, address.ok_or(ThresholdError::Share)?)?;
        let place = (decision.subject, header.height);
        let (header, policy_version, inputs) = (header.digest(), decision.policy.number, Vec::new());
        self.rights.admit(place, Admitted { permit, header, policy_version, inputs, message: None }, now);
        Ok(ItemResult::Admitted)
    }

    /// Begins a run that signs; the session is built here of what was granted.
    pub(super) fn join(&mut self, start: &RunStart, now: Timestamp) -> Result<Progress, EnclaveError> {
        let moved = match &start.aim {
            RunAim::Request { request, height } => {
                self.join_request(start, (*request, *height), None, now)?
            }
            RunAim::Input { request, height, input } => {
                self.join_request(start, (*request, *height), Some(*input), now)?
            }
            RunAim::Proof { request, prover } => self.join_proof(start, request, prover)?,
        };
        self.progress(moved, now)
    }

    fn join_request(
        &mut self,
        start: &RunStart,
        (request, height): (RequestId, u64),
        input: Option<u32>,
        now: Timestamp,
    ) -> Result<Moved, EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let right = self.rights.0.get(&(request, height)).ok_or(ThresholdError::NotAdmitted)?;
        // INVARIANT S3, S14: what was learned since counts, at the start of every run.
        let grant = log.still_permits(&right.permit, now)?.into_grant();
        let holding = self.threshold.holding(&grant.account.key, grant.epoch)?;
        let ToJoin { digest, path, message } = right.signs(&grant, &holding.account, input)?;
        let key = grant.account.key;
        let purpose = Purpose::Sign { signers: start.signers.clone(), digest, path };
        let session = Session {
            cluster: self.cluster()?,
            key,
            scheme: holding.scheme,
            epoch: grant.epoch,
            holders: holding.public.holders.clone(),
            policy_version: right.policy_version,
            purpose,
            attempt: attempt(right.header, request, start),
        };
        Ok(self.threshold.sign(Signature { request, height, message, session })?)
    }

    /// The challenge names cluster, key, epoch, ceremony and node: nothing else takes such a signature.
    fn join_proof(
        &mut self,
        start: &RunStart,
        request: &RequestId,
        prover: &Name,
    ) -> Result<Moved, EnclaveError> {
        let fresh = self.fresh.0.get(request).ok_or(ThresholdError::NotAdmitted)?;
        if !start.signers.contains(prover) {
            return Err(ThresholdError::NotAdmitted.into());
        }
        let cluster = self.cluster()?;
        let challenge = share_challenge(cluster, &fresh.key, fresh.epoch, &fresh.convened, prover);
        let path = match fresh.scheme {
            Scheme::EcdsaDkls23 => self.threshold.holding(&fresh.key, fresh.epoch)?.account.path(0),
            Scheme::Bip340Frost | Scheme::Ed25519Frost => Vec::new(),
        };
        let digest = fresh.scheme.names(challenge.as_bytes()).ok_or(ThresholdError::NotAdmitted)?;
        let purpose = Purpose::Sign { signers: start.signers.clone(), digest, path };
        let session = Session {
            cluster,
            key: fresh.key.clone(),
            scheme: fresh.scheme,
            epoch: fresh.epoch,
            holders: fresh.holders.clone(),
            policy_version: fresh.policy_version,
            purpose,
            attempt: attempt(fresh.convened, *request, start),
        };
        Ok(self.threshold.prove(Proving { request: *request, prover: prover.clone(), challenge, session })?)
    }

    pub(super) fn deliver(
        &mut self,
        messages: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Progress, EnclaveError> {
        let mut moved = self.end_unpermitted(now);
        moved.add(self.threshold.deliver(messages));
        self.progress(moved, now)
    }

    /// INVARIANT S3, S14: a share of a signature leaves before the signature does, so that a right which ended is asked for
    /// before every word, and not at the end alone.
    fn end_unpermitted(&mut self, now: Timestamp) -> Moved {
        let mut moved = Moved::default();
        for (session, place) in self.threshold.signing() {
            let right = self.rights.0.get(&place).map(|it| &it.permit);
            let permitted =
                |permit| self.log.as_ref().is_some_and(|log| log.still_permits(permit, now).is_ok());
            if !right.is_some_and(permitted) {
                moved.add(self.threshold.give_up(session));
            }
        }
        moved
    }

    pub(super) fn give_up(&mut self, session: SessionId, now: Timestamp) -> Result<Progress, EnclaveError> {
        let moved = self.threshold.give_up(session);
        self.progress(moved, now)
    }

    /// INVARIANT S5, K6: what earlier lives wrote comes before this one begins anything, and nobody lifts a ban later by it.
    pub(super) fn recall(&mut self, records: &[Record]) -> Result<(), EnclaveError> {
        if self.threshold.has_begun() {
            return Err(EnclaveError::AlreadyReady);
        }
        self.threshold.recall(records);
        Ok(())
    }

    /// INVARIANT K6: a node that was caught takes part again where people say so by the log, and by nobody else's word.
    pub(super) fn lift(&mut self, it: &Certificate, now: Timestamp) -> Result<(), EnclaveError> {
        let (ceremony, _) = self.ceremony(it, now)?.into_parts();
        let KeyCeremony::Lift { key, node } = ceremony else { return Err(EnclaveError::Ceremony) };
        self.threshold.recall(&[Record::Lifted { key, node }]);
        Ok(())
    }

    pub(super) fn erase(&mut self, key: &Name, epoch: u32, whole: bool) {
        self.threshold.erase(key, epoch);
        // INVARIANT K4: the key was whole here until its shares took over.
        if whole && self.vault.key(key).is_ok_and(|it| it.epoch <= epoch) {
            let _wiped = self.vault.wipe(key);
        }
        // What it was proven with is over with the epoch before it.
        self.fresh.0.retain(|_, it| it.key != *key || it.epoch > epoch.saturating_add(1));
    }

    pub(super) fn open_share(
        &mut self,
        sealed: &Sealed,
        label: SealLabel,
    ) -> Result<OpenedKey, EnclaveError> {
        let sealing = self.sealing.as_ref().ok_or(EnclaveError::NotReady)?;
        let mut document = Secret::new(vec![0; sealed.secret_bytes()]);
        sealing.open(sealed, &label, document.expose_mut())?;
        let opened = OpenedKey { key: label.name.clone(), epoch: label.epoch };
        self.threshold.open(label.name, label.epoch, &document)?;
        Ok(opened)
    }

    pub(super) fn progress(&mut self, moved: Moved, now: Timestamp) -> Result<Progress, EnclaveError> {
        let Moved { records, messages, ended, stands } = moved;
        let messages = messages.into_iter().map(|(to, message)| Outgoing { to, message }).collect();
        let mut told = Vec::with_capacity(ended.len());
        for (session, finish) in ended {
            let (request, end) = self.end(session, finish, now)?;
            told.push(Ended { session, request, end });
        }
        // A run may have moved on and ended in one turn.
        let goes_on = |it: &Standing| told.iter().all(|end| end.session != it.session);
        let stands = stands.into_values().filter(goes_on).collect();
        Ok(Progress { records, messages, ended: told, stands })
    }

    fn end(
        &mut self,
        session: SessionId,
        finish: Finish,
        now: Timestamp,
    ) -> Result<(RequestId, RunEnd), EnclaveError> {
        Ok(match finish {
            Finish::Dealt(dealt) => (dealt.request, RunEnd::Dealt(Box::new(self.seal_share(*dealt)?))),
            Finish::Dismissed { request } => (request, RunEnd::Dismissed),
            Finish::Proved { request, prover, proof } => (request, RunEnd::Proved { prover, proof }),
            Finish::Aborted { request, abort } => (request, RunEnd::Aborted(abort)),
            Finish::Signed { request, height, digest, signature } => {
                // It is over all the same: whoever counts the runs under way, or waits for this one, is told.
                let kept = Abort { session, culprit: Culprit::Ourselves, fault: Fault::Own };
                let released = self.release(&(request, height), (digest, now), &signature);
                (request, released.unwrap_or(RunEnd::Aborted(kept)))
            }
        })
    }

    /// INVARIANT S7: verified with the account's public key over the digest that was granted, and no r twice: what a fault made
    /// of it after the run verified it does not leave either.
    /// INVARIANT S14: a right that ended while the run was under way gives nothing.
    fn release(
        &mut self,
        place: &(RequestId, u64),
        (digest, now): (Digest, Timestamp),
        made: &Made,
    ) -> Option<RunEnd> {
        let made = &made.struck(&|at, bytes| self.controls.strike(at, bytes));
        let (right, height) = (self.rights.0.get(place)?, place.1);
        let grant: Grant = self.log.as_ref()?.still_permits(&right.permit, now).ok()?.into_grant();
        if !right.inputs.is_empty() {
            let input = right.inputs.iter().find(|it| it.digest == digest)?.clone();
            let signature = input_signed(&input, made)?;
            let fresh = self.repeats.admit(made.r(), input.digest);
            return fresh.then_some(RunEnd::SignedInput { height, signature });
        }
        if let Some(message) = right.message.clone() {
            let released = message_signed((&grant, digest), &message, made)?;
            let fresh = self.repeats.admit(made.r(), digest);
            return fresh.then_some(RunEnd::SignedMessage { height, released });
        }
        let Made::Ecdsa(made) = made else { return None };
        let account = grant.account.key.clone();
        let holding = self.threshold.holding(&account, grant.epoch).ok()?;
        let signature = signed_by(&holding.account.point(grant.account.index)?, &digest, made)?;
        let released = Released { signing_digest: digest, account: grant.address, signature };
        let good = digest == grant.signing_digest && self.repeats.admit(signature.r(), digest);
        good.then_some(RunEnd::Signed { height, released })
    }

    fn seal_share(&self, dealt: Dealt) -> Result<DealtShare, EnclaveError> {
        let Dealt { request, key, epoch, account, shares, document } = dealt;
        let receipt = self.fresh.0.get(&request).and_then(|it| it.receipt.clone());
        let (cluster, purpose) = (Some(self.cluster()?), Sealing::ThresholdShare);
        let label = SealLabel { cluster, name: key.clone(), purpose, epoch };
        let sealing = self.sealing.as_ref().ok_or(EnclaveError::NotReady)?;
        let sealed = sealing.seal(label, document.expose(), &mut kernel_random)?;
        Ok(DealtShare { key, epoch, account, shares, sealed, receipt })
    }
}

/// INVARIANT S7: the signature, where it recovers to this point (its two coordinates) over this very digest.
pub(super) fn signed_by(
    point: &[u8; 64],
    digest: &Digest,
    made: &EcdsaSignature,
) -> Option<EthereumSignature> {
    let mut rs = [0; 64];
    rs.iter_mut().zip(made.r.iter().chain(&made.s)).for_each(|(to, from)| *to = *from);
    let signature = EthereumSignature { rs, y_parity: made.recovery_id };
    let recovered = (made.recovery_id < 2).then(|| signature.recover(digest)).flatten()?;
    let key = secp256k1::PublicKey::from_slice(&recovered).ok()?.serialize_uncompressed();
    (key.get(1..) == Some(&point[..])).then_some(signature)
}

/// The session of a ceremony as the log convened it.
fn session_of(
    cluster: ClusterId,
    convened: &Convened,
    policy_version: u64,
    decision: Digest,
) -> Result<Session, ThresholdError> {
    let next = Holders::new(convened.threshold, convened.holders.clone())?;
    let before = |old: &Sharing| Holders::new(old.threshold, old.holders.clone());
    let old = convened.old.as_ref().map(before).transpose()?;
    let (holders, purpose) = match (&convened.ceremony, old) {
        (KeyCeremony::Generate { .. }, None) => (next, Purpose::Generate),
        (KeyCeremony::Refresh { .. }, Some(old)) => (old, Purpose::Refresh),
        (KeyCeremony::Reshare { dealers, .. }, Some(old)) => {
            (old, Purpose::Reshare { dealers: dealers.clone(), next })
        }
        // INVARIANT K3: whoever found the lost share has nothing of the next epoch, as after any resharing.
        (KeyCeremony::Repair { helpers, .. }, Some(old)) => {
            (old, Purpose::Reshare { dealers: helpers.clone(), next })
        }
        _ => return Err(ThresholdError::NotAdmitted),
    };
    Ok(Session {
        cluster,
        key: convened.key().clone(),
        scheme: scheme_of(convened).ok_or(ThresholdError::NotAdmitted)?,
        epoch: convened.epoch,
        holders,
        policy_version,
        purpose,
        attempt: decision,
    })
}

/// What the key signs: as it is to be born, or as it is.
fn scheme_of(convened: &Convened) -> Option<Scheme> {
    let scheme = match (&convened.ceremony, &convened.account) {
        (KeyCeremony::Generate { kind, .. }, _) => kind.is_shared().then(|| kind.scheme()),
        (_, account) => account.and_then(|it| it.scheme()),
    };
    Some(match scheme? {
        KeyScheme::Ecdsa => Scheme::EcdsaDkls23,
        KeyScheme::Bip340 => Scheme::Bip340Frost,
        KeyScheme::Ed25519 => Scheme::Ed25519Frost,
        KeyScheme::MlDsa65 => return None,
    })
}

fn old_shares(
    convened: &Convened,
) -> Result<Option<(PublicShares, keystead_base::PublicAccount)>, ThresholdError> {
    let Some(old) = &convened.old else { return Ok(None) };
    let account = convened.account.ok_or(ThresholdError::NotAdmitted)?;
    let holders = Holders::new(old.threshold, old.holders.clone())?;
    let key = account.public_key();
    Ok(Some((PublicShares { holders, key, shares: old.shares.clone() }, account)))
}

/// Different for each try and each set of signers: a session is begun once.
fn attempt(ground: Digest, request: RequestId, start: &RunStart) -> Digest {
    Attempt { ground, request, number: start.attempt, signers: start.signers.clone() }.digest()
}

/// Rights that wait for their runs.
const MAX_ADMITTED: usize = 4096;
/// Inputs of PSBTs among them, beside those of the newest one.
const MAX_ADMITTED_INPUTS: usize = 4096;
/// Ceremonies whose shares are yet to be proven.
const MAX_FRESH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(byte: u8) -> RequestId {
        RequestId(Digest([byte; 32]))
    }

    fn fresh(key: &str, since: u64) -> Fresh {
        let names = ["a", "b"].map(|it| it.parse().unwrap()).to_vec();
        let holders = Holders::new(2, names).unwrap();
        let (key, since) = (key.parse().unwrap(), Timestamp(since));
        let scheme = Scheme::EcdsaDkls23;
        Fresh {
            key,
            scheme,
            epoch: 1,
            holders,
            policy_version: 0,
            convened: Digest::ZERO,
            since,
            receipt: None,
        }
    }

    #[test]
    fn d03_the_oldest_ceremony_makes_room_and_not_the_lowest() {
        let mut proofs = Proofs::default();
        let max = u8::try_from(MAX_FRESH).unwrap();
        for n in 0..max {
            // The later, the lower.
            proofs.add(request(200 - n), fresh(&format!("key-{n}"), u64::from(n)));
        }
        proofs.add(request(250), fresh("another", 99));
        assert_eq!(proofs.0.len(), MAX_FRESH);
        assert!(!proofs.0.contains_key(&request(200)), "the oldest");
        assert!(proofs.0.contains_key(&request(200 - max + 1)), "the lowest");
        proofs.add(request(3), fresh("another", 100));
        assert!(!proofs.0.contains_key(&request(250)), "a key has one at a time");
    }
}

//! This node's part in ceremonies of shared keys: a seat, a share that is durable, and the proof that it signs.

use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Canonical as _, Name, RequestId, merkle::Inclusion};
use keystead_decision::{Certificate, Convened, Convening, KeyStep, Outcome, State, leaves};
use keystead_intent::{Importer, KeyCeremony};
use keystead_policy::AssuranceLevel;
use keystead_signing::{ClientError, DealtShare, Refusal, SeatFor, TakeDealing};
use keystead_wire::Refused;
use tokio::time::Instant;

use super::{Dealing, OwnSeat, Turns, begun};
use crate::blocks::Durable;
use crate::rolls::UNUSED_ROLLS;
use crate::signer::Signer;
use crate::{Event, NodeError, clock};

impl Signer {
    /// Follows the ceremonies that are under way, from the state alone: whatever a crash left out is taken up again.
    pub(crate) async fn convenings(&mut self, state: &State) -> Result<(), NodeError> {
        let height = state.height();
        let open = state.convenings().map(|(key, it)| (key.clone(), it.clone()));
        let ours = open.filter(|(_, it)| it.participants().contains(&self.shared.node));
        for (key, convening) in ours.collect::<Vec<_>>() {
            self.take_seat(&key, &convening, height)?;
            self.take_dealing(&convening).await?;
            self.prove_share(&convening);
        }
        self.see_epochs(state);
        let live = |request: &RequestId| state.convenings().any(|(_, it)| it.request == *request);
        let over = self.runs.dealing.iter().filter(|(request, _)| !live(request));
        // Whoever waits in a ceremony that people ended, or that another one took the place of, waits no more.
        for session in over.filter_map(|(_, it)| it.session).collect::<Vec<_>>() {
            let moved = self.enclave.give_up(session)?;
            self.moved(moved).await?;
        }
        self.runs.seats.retain(|request, _| live(request));
        self.runs.proving.retain(|request, _| live(request));
        self.runs.dealing.retain(|request, _| live(request));
        self.forget_undone(state).await?;
        self.called_before().await
    }

    /// The log knows the seat that this enclave has in its present life.
    fn take_seat(&mut self, key: &Name, it: &Convening, height: u64) -> Result<(), NodeError> {
        if !self.runs.seats.contains_key(&it.request) {
            let (unrolled, asked) = (self.unrolled(key, &it.ceremony), self.seat_for(key, it));
            let seat = match unrolled.and_then(|()| self.enclave.seat(asked)) {
                Ok(seat) => seat,
                Err(ClientError::Refused(refusal)) => {
                    let refused = Refused { code: refusal.code, text: refusal.text };
                    self.shared.board.failed(&it.request, refused);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            self.runs.seats.insert(it.request, OwnSeat { seat, told: 0 });
        }
        let Some(own) = self.runs.seats.get_mut(&it.request) else { return Ok(()) };
        let known = it.seats.get(&self.shared.node) == Some(&own.seat.seat);
        let told_just_now = own.told > 0 && height < own.told.saturating_add(HEIGHTS_TO_WAIT);
        if !known && !told_just_now {
            own.told = height;
            let step = KeyStep::Seated { request: it.request, seat: Box::new(own.seat.clone()) };
            self.shared.report_key_later(key.clone(), step);
        }
        Ok(())
    }

    /// INVARIANT E1: whoever rolled gets no key in shares without their rolls.
    fn unrolled(&self, key: &Name, ceremony: &KeyCeremony) -> Result<(), ClientError> {
        match matches!(ceremony, KeyCeremony::Generate { .. }) {
            true => self.home.rolls.none_for(key),
            false => Ok(()),
        }
    }

    fn seat_for(&self, key: &Name, it: &Convening) -> SeatFor {
        SeatFor { request: it.request, key: key.clone(), node: self.shared.node.clone() }
    }

    /// Carries out what a block begins of ceremonies.
    pub(crate) async fn convoked(&mut self, block: &Durable, index: usize) -> Result<(), NodeError> {
        let Some(decision) = block.decisions.get(index) else { return Ok(()) };
        let Outcome::Convened(convened) = &decision.outcome else { return Ok(()) };
        let request = decision.subject;
        if convened.importer() == Some(&Importer::Home(self.shared.node.clone())) {
            self.deal_whole(block, index, convened)?;
        }
        let own = self.runs.seats.get(&request).map(|it| &it.seat.seat);
        if own.is_none() || convened.seats.get(&self.shared.node) != own {
            return Ok(());
        }
        let Some(proof) = Inclusion::prove(&leaves(&block.decisions), index) else { return Ok(()) };
        let certificate = Certificate { commit: block.commit.clone(), decision: decision.clone(), proof };
        self.convene(request, convened, certificate).await
    }

    async fn convene(
        &mut self,
        request: RequestId,
        convened: &Convened,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        let is_birth = matches!(convened.ceremony, KeyCeremony::Generate { .. });
        let refused = match self.unrolled(convened.key(), &convened.ceremony) {
            Err(ClientError::Refused(refusal)) => Some(refusal),
            Err(error) => return Err(error.into()),
            Ok(()) if is_birth => self.pour_or_why()?,
            Ok(()) => None,
        };
        if let Some(refusal) = refused {
            self.not_begun(request, refusal);
            return Ok(());
        }
        match self.enclave.convene(certificate) {
            Ok(progress) => {
                let (session, until) = (begun(&progress), Instant::now() + CEREMONY_TIME);
                self.runs.proving.remove(&request);
                let (begun, attempt, taken) = (clock::now(), convened.attempt, false);
                self.runs.dealing.insert(request, Dealing { begun, attempt, session, taken, until });
                self.moved(progress).await
            }
            Err(ClientError::Refused(refusal)) => {
                self.not_begun(request, refusal);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn not_begun(&mut self, request: RequestId, refusal: Refusal) {
        let refused = Refused { code: refusal.code, text: refusal.text };
        // Another seat lets nobody in again who is kept out here, takes no rolls, and makes all others begin anew.
        let hopeless = refused.code.starts_with("threshold_begin.") || refused.code == UNUSED_ROLLS;
        self.shared.event(Event::NotSigned { request, refused });
        if !hopeless {
            self.begin_anew(request);
        }
    }

    /// The key is whole here, and all who are to hold it have seats: the enclave deals it, and the log carries that to all alike.
    fn deal_whole(&mut self, block: &Durable, index: usize, convened: &Convened) -> Result<(), NodeError> {
        let Some(decision) = block.decisions.get(index) else { return Ok(()) };
        let Some(proof) = Inclusion::prove(&leaves(&block.decisions), index) else { return Ok(()) };
        let certificate = Certificate { commit: block.commit.clone(), decision: decision.clone(), proof };
        let (request, attempt) = (decision.subject, convened.attempt);
        match self.enclave.deal(certificate) {
            Ok(dealing) => {
                self.shared.report_dealing_later(request, attempt, dealing);
                Ok(())
            }
            Err(ClientError::Refused(refusal)) => {
                let refused = Refused { code: refusal.code, text: refusal.text };
                self.shared.board.failed(&request, refused.clone());
                self.shared.event(Event::NotSigned { request, refused });
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The log has what was dealt for the attempt that this enclave was shown convened: it begins with that.
    async fn take_dealing(&mut self, it: &Convening) -> Result<(), NodeError> {
        let Some(dealing) = &it.dealing else { return Ok(()) };
        let own = self.runs.dealing.get_mut(&it.request).filter(|own| own.attempt == it.attempt);
        let Some(own) = own.filter(|own| !own.taken) else { return Ok(()) };
        own.taken = true;
        match self.enclave.take(TakeDealing { request: it.request, dealing: (**dealing).clone() }) {
            Ok(progress) => {
                if let Some(own) = self.runs.dealing.get_mut(&it.request) {
                    (own.session, own.until) = (begun(&progress), Instant::now() + CEREMONY_TIME);
                }
                self.moved(progress).await
            }
            Err(ClientError::Refused(refusal)) => {
                self.not_begun(it.request, refusal);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// INVARIANT S5: nothing resumes. Another seat makes all others begin again, too.
    pub(super) fn begin_anew(&mut self, request: RequestId) {
        self.runs.dealing.remove(&request);
        self.runs.seats.remove(&request);
        let state = self.shared.state();
        let Some((key, convening)) = state.convenings().find(|(_, it)| it.request == request) else { return };
        let (key, convening) = (key.clone(), convening.clone());
        if let Err(error) = self.take_seat(&key, &convening, state.height()) {
            self.shared.postponed("a seat in a ceremony", &error);
        }
    }

    pub(super) async fn give_up_ceremonies(&mut self, now: Instant) -> Result<(), NodeError> {
        let late = |it: &&Dealing| it.until <= now;
        let over = self.runs.dealing.values().filter(late).filter_map(|it| it.session);
        for session in over.collect::<Vec<_>>() {
            let moved = self.enclave.give_up(session)?;
            self.moved(moved).await?;
        }
        self.runs.dealing.values_mut().filter(|it| it.until <= now).for_each(|it| it.session = None);
        Ok(())
    }

    /// The seal is durable before the log hears of the share: what the log counts on is there after a crash.
    pub(super) async fn share_dealt(&mut self, request: RequestId, it: DealtShare) -> Result<(), NodeError> {
        let Some(dealing) = self.runs.dealing.get_mut(&request) else { return Ok(()) };
        dealing.session = None;
        let attempt = dealing.attempt;
        // Of an earlier attempt, whose shares no right ever named.
        self.shared.ledger.erase_sealed_epoch(&it.key, it.epoch).await?;
        let (seal, receipt) = (it.sealed.to_document(), it.receipt.as_ref().map(|it| it.to_document()));
        self.shared.ledger.save_born_key(&it.key, it.epoch, &seal, receipt.as_deref()).await?;
        if receipt.is_some() {
            self.lived.remove(&it.key);
        }
        self.held.insert((it.key.clone(), it.epoch));
        let (assurance, protections) = (AssuranceLevel::Process, self.in_force.clone());
        let DealtShare { key, account, shares, .. } = it;
        let step = KeyStep::Dealt { request, attempt, account, shares, assurance, protections };
        self.shared.report_key_later(key, step);
        Ok(())
    }

    /// All next holders said the same: this node's share signs with others before anything rests on it.
    fn prove_share(&mut self, it: &Convening) {
        let me = &self.shared.node;
        let here = self.runs.dealing.get(&it.request).is_some_and(|own| own.attempt == it.attempt);
        let wanted = it.agreed().is_some() && it.holders.contains(me) && !it.proven.contains(me);
        if here && wanted && !self.runs.proving.contains_key(&it.request) {
            self.runs.proving.insert(it.request, Turns::new(Instant::now()));
        }
    }

    pub(super) fn share_proved(&mut self, request: RequestId, prover: &Name, proof: Vec<u8>) {
        if *prover != self.shared.node || self.runs.proving.remove(&request).is_none() {
            return;
        }
        let Some(attempt) = self.runs.dealing.get(&request).map(|it| it.attempt) else { return };
        let (shared, state) = (Arc::clone(&self.shared), self.shared.state());
        let key = state.convenings().find(|(_, it)| it.request == request).map(|(key, _)| key.clone());
        if let Some(key) = key {
            shared.report_key_later(key, KeyStep::Proven { request, attempt, proof });
        }
    }
}

/// How many blocks a seat has time to be committed before it is said again.
const HEIGHTS_TO_WAIT: u64 = 8;
/// How long a ceremony may take: a set-up takes a second or two of each holder's machine.
const CEREMONY_TIME: Duration = Duration::from_secs(60);

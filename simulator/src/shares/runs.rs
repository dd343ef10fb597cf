//! Runs at a node: begun once, durable before a word leaves, ended by a result, a fault or silence.

use std::convert::Infallible;

use keystead_base::{Canonical as _, Digest, Name, RequestId};
use keystead_threshold::{
    Abort, Attempt, Begun, Culprit, Fault, Holders, Purpose, Record, Scheme, Session, SessionId, Unwritten,
};

use super::{Aim, Call, Live, Mail, engine, vault};
use crate::disk::Write;
use crate::simulation::{Event, Simulation};
use crate::threshold::evil::Mischief;
use crate::threshold::run::{Ended, Out, Run};
use crate::threshold::shell::Wire;
use crate::{Bug, Dice};

/// How long a run may take.
const RUN_MILLIS: u64 = 2_500;
/// How long a leader has before it is the next one's turn.
const TURN_MILLIS: u64 = 1_500;
/// How many messages are kept of a run that did not begin here.
const MAX_EARLY: usize = 64;

impl Simulation {
    /// Timers, and what the log says by now.
    pub(crate) fn shares_wake(&mut self, node: usize) {
        if !self.plan.shares || self.places[node].replica.is_none() {
            return;
        }
        self.give_up_late(node);
        self.erase_over(node);
        self.follow_ceremony(node);
        self.lead_rights(node);
    }

    /// A process starts from what its disk has.
    pub(crate) fn shares_start(&mut self, node: usize) {
        if !self.plan.shares {
            return;
        }
        let mut holder = super::Holder::default();
        let place = &mut self.places[node];
        place.disk.runs().iter().for_each(|record| holder.journal.apply(record));
        place.holder = Some(holder);
        let life = place.life;
        let pause = self.share_dice.between(50, 500);
        self.after(pause, Event::SharesTimer { node, life });
    }

    pub(crate) fn shares_timer(&mut self, node: usize, life: u32) {
        self.after(400, Event::SharesTimer { node, life });
        self.shares_wake(node);
    }

    pub(super) fn begin_run(
        &mut self,
        node: usize,
        session: Session,
        aim: Aim,
        make: impl FnOnce(Begun) -> Option<Box<dyn Run>>,
    ) {
        let place = &mut self.places[node];
        let Some(holder) = &mut place.holder else { return };
        let Ok(unwritten) = holder.journal.begin(session.clone(), &place.name) else { return };
        let mischief = if place.lies { Mischief::draw(&mut self.share_dice) } else { Mischief::Nothing };
        self.check_begin(node, &session, &aim);
        if !self.make_durable(node, Write::Run(unwritten.record().clone())) {
            return;
        }
        let Some(holder) = &mut self.places[node].holder else { return };
        let begun = unwritten.write(&mut holder.journal, |_| Ok::<_, Infallible>(()));
        let begun = begun.unwrap_or_else(|never| match never {});
        let (id, others) = (begun.id(), begun.others().cloned().collect());
        let mut draw = Dice::new(self.share_dice.roll());
        let Some(mut run) = make(begun) else { return };
        let out = run.start(&mut |bytes| fill(&mut draw, bytes));
        let deadline = self.now + RUN_MILLIS;
        if mischief != Mischief::Nothing {
            self.report.count(mischief.name());
        }
        let early = holder.early.remove(&id).unwrap_or_default();
        holder.runs.insert(id, Live { run, aim, others, mischief, deadline, draw });
        self.took(node, id, out);
        early.into_iter().for_each(|wire| self.on_wire(node, wire));
    }

    /// Written and synced, unless the node dies before or behind it.
    pub(super) fn make_durable(&mut self, node: usize, write: Write) -> bool {
        if self.burns(node) {
            return false;
        }
        self.places[node].disk.write(write);
        self.places[node].disk.sync();
        !self.burns(node)
    }

    pub(crate) fn on_share_mail(&mut self, node: usize, mail: Mail) {
        match mail {
            Mail::Wire(wire) => self.on_wire(node, wire),
            Mail::Call(call) => self.on_call(node, &call),
            Mail::Signed(request) => {
                if let Some(holder) = &mut self.places[node].holder {
                    holder.signed.insert(request);
                }
            }
        }
    }

    fn on_wire(&mut self, node: usize, wire: Wire) {
        let place = &mut self.places[node];
        let Some(holder) = &mut place.holder else { return };
        if place.lies && holder.heard.len() < MAX_EARLY {
            holder.heard.push(wire.clone());
        }
        let id = wire.session;
        let Some(live) = holder.runs.get_mut(&id) else {
            let early = holder.early.entry(id).or_default();
            if early.len() < MAX_EARLY {
                early.push(wire);
            }
            return;
        };
        let Live { run, draw, .. } = live;
        let out = run.on_message(wire.delivery(), &mut |bytes| fill(draw, bytes));
        self.took(node, id, out);
    }

    /// INVARIANT S3: the session is made of what the log showed this node, whatever a leader calls for.
    fn on_call(&mut self, node: usize, call: &Call) {
        let Some((session, aim)) = self.session_of(node, call) else { return };
        let Some(share) = self.places[node].disk.share(&vault(), session.epoch) else { return };
        self.begin_run(node, session, aim, |begun| engine::signing(begun, &share));
    }

    fn session_of(&self, node: usize, call: &Call) -> Option<(Session, Aim)> {
        let holder = self.places[node].holder.as_ref()?;
        if let Some(prover) = &call.prover {
            let begun = holder.convened.get(&call.request)?;
            let it = &begun.convened;
            let digest = self.challenge(begun, prover);
            let (request, prover, epoch) = (call.request, prover.clone(), it.next_epoch());
            let holders = Holders::new(it.threshold, it.holders.clone()).ok()?;
            let aim = Aim::Prove { request, prover };
            return Some((
                self.signature(call, (digest, begun.digest), (epoch, holders), begun.policy_version),
                aim,
            ));
        }
        let right = holder.rights.get(&call.request)?;
        let frozen = self.places[node].disk.state().frozen().holds(&vault());
        if right.expires <= self.clock(node) || (frozen && self.plan.bug != Some(Bug::FreezeIgnored)) {
            return None;
        }
        let share = engine::read(&self.places[node].disk.share(&vault(), right.epoch)?)?;
        let holding = (right.epoch, share.public().holders.clone());
        let session = self.signature(call, (right.digest, right.header), holding, right.policy_version);
        let aim = Aim::Sign { request: call.request, digest: right.digest, epoch: right.epoch };
        Some((session, aim))
    }

    fn signature(
        &self,
        call: &Call,
        (digest, ground): (Digest, Digest),
        (epoch, holders): (u32, Holders),
        policy_version: u64,
    ) -> Session {
        let signers = call.signers.clone();
        let attempt =
            Attempt { ground, request: call.request, number: call.number, signers: signers.clone() };
        Session {
            cluster: self.genesis.genesis.cluster(),
            key: vault(),
            scheme: Scheme::EcdsaDkls23,
            epoch,
            holders,
            policy_version,
            purpose: Purpose::Sign { signers, digest, path: vec![0] },
            attempt: attempt.digest(),
        }
    }

    /// Whoever's turn it is leads a run for what is allowed and not signed.
    fn lead_rights(&mut self, node: usize) {
        let now = self.clock(node);
        let Some(holder) = &self.places[node].holder else { return };
        let open = holder.rights.iter().filter(|(id, it)| it.expires > now && !holder.signed.contains(id));
        let open: Vec<(RequestId, u64, u32)> = open.map(|(id, it)| (*id, it.since, it.epoch)).collect();
        for (request, since, epoch) in open {
            let Some(share) = self.places[node].disk.share(&vault(), epoch) else { continue };
            let Some(share) = engine::read(&share) else { continue };
            let members = share.public().holders.members().to_vec();
            let turn = self.now.saturating_sub(since) / TURN_MILLIS;
            let index = usize::try_from(turn + u64::from(request.0.0[0])).unwrap_or_default() % members.len();
            if members[index] == self.places[node].name {
                self.lead(node, request, None, &members, usize::from(share.public().holders.threshold()));
            }
        }
    }

    pub(super) fn lead_proof(&mut self, node: usize, request: RequestId) {
        let place = &self.places[node];
        let Some(begun) = place.holder.as_ref().and_then(|it| it.convened.get(&request)) else { return };
        let (members, threshold) = (begun.convened.holders.clone(), usize::from(begun.convened.threshold));
        let me = place.name.clone();
        self.lead(node, request, Some(me), &members, threshold);
    }

    fn lead(
        &mut self,
        node: usize,
        request: RequestId,
        prover: Option<Name>,
        members: &[Name],
        threshold: usize,
    ) {
        let me = self.places[node].name.clone();
        let now = self.now;
        let Some(holder) = &mut self.places[node].holder else { return };
        let led = holder.told.entry((request, "led")).or_default();
        if *led > 0 && *led + TURN_MILLIS > now {
            return;
        }
        *led = now;
        let mut others: Vec<&Name> = members.iter().filter(|it| **it != me).collect();
        // Who is nearest is chance here.
        let nearest = self.share_dice.index(others.len().max(1));
        others.rotate_left(nearest);
        let Some(signers) = holder.tried.next(&me, &others, threshold) else { return };
        let number = self.share_dice.roll() as u32;
        let call = Call { request, prover, number, signers };
        for to in call.signers.iter().filter(|it| **it != me) {
            if !self.send_share(node, to, Mail::Call(call.clone())) {
                return;
            }
        }
        self.on_call(node, &call);
    }

    fn took(&mut self, node: usize, id: SessionId, out: Out) {
        let place = &self.places[node];
        let Some(live) = place.holder.as_ref().and_then(|it| it.runs.get(&id)) else { return };
        let (mischief, others) = (live.mischief, live.others.clone());
        let heard = place.holder.as_ref().map(|it| it.heard.clone()).unwrap_or_default();
        let me = place.name.clone();
        for parcel in &out.messages {
            let wire = Wire::of(&me, parcel);
            for to in others.iter().filter(|to| parcel.to.as_ref().is_none_or(|only| only == *to)) {
                for wire in mischief.twist(wire.clone(), &heard, &mut self.share_dice) {
                    self.check_word(node, id);
                    if !self.send_share(node, to, Mail::Wire(wire)) {
                        return;
                    }
                }
            }
        }
        let Some(end) = out.end else { return };
        let Some(holder) = &mut self.places[node].holder else { return };
        let Some(live) = holder.runs.remove(&id) else { return };
        if !matches!(live.aim, Aim::Deal { .. }) {
            let signers = [std::slice::from_ref(&me), &live.others].concat();
            match &end {
                Ok(_) => holder.tried.signed(&signers),
                Err(unwritten) => {
                    if let Record::Aborted { abort, .. } = unwritten.record() {
                        holder.tried.failed(&me, &signers, &abort.culprit);
                    }
                }
            }
        }
        match end {
            Ok(ended) => self.run_ended(node, &live.aim, ended),
            Err(unwritten) => self.run_aborted(node, &live.aim, unwritten),
        }
    }

    fn run_ended(&mut self, node: usize, aim: &Aim, ended: Ended) {
        match (aim, ended) {
            (Aim::Deal { request, attempt, epoch }, Ended::Share(bytes)) => {
                self.share_dealt(node, *request, *attempt, *epoch, bytes);
            }
            (Aim::Prove { request, prover }, Ended::Signature(proof)) => {
                let ours = *prover == self.places[node].name;
                let holder = self.places[node].holder.as_mut().filter(|_| ours);
                if let Some(begun) = holder.and_then(|it| it.convened.get_mut(request)) {
                    begun.proof = Some(proof.to_vec());
                }
            }
            (Aim::Sign { request, digest, epoch }, Ended::Signature(made)) => {
                self.share_signed(node, *request, digest, *epoch, &made);
            }
            _ => {}
        }
    }

    /// The share is durable before the log hears of it.
    fn share_dealt(&mut self, node: usize, request: RequestId, attempt: u32, epoch: u32, bytes: Vec<u8>) {
        let Some(share) = engine::read(&bytes) else { return };
        let public = share.public().clone();
        if !self.make_durable(node, Write::Share { key: vault(), epoch, bytes }) {
            return;
        }
        let holder = self.places[node].holder.as_mut();
        let begun = holder.and_then(|it| it.convened.get_mut(&request));
        if let (Some(begun), Some(account)) =
            (begun.filter(|it| it.convened.attempt == attempt), engine::account(&public))
        {
            begun.dealt = Some((account, public.shares));
        }
    }

    fn share_signed(
        &mut self,
        node: usize,
        request: RequestId,
        digest: &Digest,
        epoch: u32,
        made: &[u8; 64],
    ) {
        self.check_signature(node, &request, digest, epoch, made);
        let Some(holder) = &mut self.places[node].holder else { return };
        holder.signed.insert(request);
        for to in (0..self.places.len()).filter(|it| *it != node) {
            let to = self.places[to].name.clone();
            if !self.send_share(node, &to, Mail::Signed(request)) {
                return;
            }
        }
    }

    /// INVARIANT K6: who ended a run is durable before anything follows from it.
    fn run_aborted(&mut self, node: usize, aim: &Aim, end: Unwritten<Abort>) {
        let record = end.record().clone();
        if !self.make_durable(node, Write::Run(record)) {
            return;
        }
        let Some(holder) = &mut self.places[node].holder else { return };
        let abort = end.write(&mut holder.journal, |_| Ok::<_, Infallible>(()));
        let abort = abort.unwrap_or_else(|never| match never {});
        if let Aim::Deal { request, attempt, .. } = aim {
            let present = holder.convened.get(request).is_some_and(|it| it.convened.attempt == *attempt);
            // Nothing resumes: another seat makes all begin again.
            if present {
                holder.seats.remove(request);
                holder.convened.remove(request);
            }
        }
        if let (Culprit::Node(name), false) = (&abort.culprit, abort.fault == Fault::Silence) {
            let name = name.clone();
            self.check_named(node, &name, &abort);
        }
    }

    fn give_up_late(&mut self, node: usize) {
        let now = self.now;
        let Some(holder) = &self.places[node].holder else { return };
        let late: Vec<SessionId> =
            holder.runs.iter().filter(|(_, live)| live.deadline < now).map(|(id, _)| *id).collect();
        for id in late {
            let holder = self.places[node].holder.as_mut();
            let Some(live) = holder.and_then(|it| it.runs.get_mut(&id)) else { continue };
            let out = live.run.give_up();
            self.took(node, id, out);
        }
    }

    /// INVARIANT K3: shares of an epoch that is over are wiped once no right can name it.
    fn erase_over(&mut self, node: usize) {
        let (now, rights) = (self.now, self.oracle.policy.timing.certificate_seconds * 1_000);
        let place = &mut self.places[node];
        let Some(key) = place.disk.state().key(&vault()) else { return };
        let in_force = key.epoch;
        let Some(holder) = &mut place.holder else { return };
        let since = *holder.over.entry(in_force).or_insert(now);
        let old: Vec<u32> = place.disk.epochs(&vault()).into_iter().filter(|it| *it < in_force).collect();
        if since + rights < now {
            for epoch in old {
                if !self.make_durable(node, Write::Erase { key: vault(), epoch }) {
                    return;
                }
            }
        }
    }

    /// False when the node died before it could.
    fn send_share(&mut self, from: usize, to: &Name, mail: Mail) -> bool {
        if self.burns(from) {
            return false;
        }
        let Some(to) = self.index_of(to) else { return true };
        for pause in self.network.deliveries(&mut self.share_dice, from, to) {
            let life = self.places[to].life;
            self.after(pause, Event::ShareMail { to, life, mail: Box::new(mail.clone()) });
        }
        true
    }
}

fn fill(dice: &mut Dice, bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = dice.roll() as u8);
}

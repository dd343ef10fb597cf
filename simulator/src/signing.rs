//! The key's home: its back end signs what the newest block allows; every node watches the chain.

use keystead_base::{RequestId, Signed, tagged_hash};
use keystead_consensus::{Committed, Input};
use keystead_decision::{Decision, Entry, Fate, FreshAnswer, Grant, Outcome, Phase, Renewal, Settlement};
use keystead_fixture::name;

use crate::Bug;
use crate::chain::Broadcast;
use crate::disk::Write;
use crate::shell::HOME;
use crate::simulation::{Event, Simulation};

/// A node reports the end of a request again after so many milliseconds.
const REPORT_AGAIN_MILLIS: u64 = 15_000;

impl Simulation {
    /// The back end learns of the block and signs what it allows.
    pub(crate) fn sign_allowed(&mut self, committed: &Committed) {
        let Some(back_end) = &mut self.places[HOME].back_end else { return };
        if let Err(error) =
            back_end.learn(&committed.commit, &committed.applied.block.entries, &committed.applied.state)
        {
            return self.oracle.object("S3", format!("the back end refuses a committed block: {error}"));
        }
        for (index, decision) in committed.applied.decisions.iter().enumerate() {
            if matches!(decision.outcome, Outcome::Allow(_)) {
                self.sign(committed, index, decision);
            }
        }
    }

    fn sign(&mut self, committed: &Committed, index: usize, decision: &Decision) {
        self.confirm_head();
        let Some(payment) = self.asked.get(&decision.subject).and_then(|it| it.payment()) else { return };
        let now = self.clock(HOME);
        let decisions = &committed.applied.decisions;
        let home = &self.places[HOME];
        let permit = home
            .back_end
            .as_ref()
            .and_then(|it| it.permit(&committed.commit, decisions, index, &payment.digest, now));
        let Some(grant) = permit.filter(|_| !home.disk.has_signed(&decision.subject)) else { return };
        if self.plan.bug == Some(Bug::StaleHead) {
            let (pause, height) = (self.dice.between(1_000, 15_000), decision.height);
            return self.after(pause, Event::SignLate { height, index });
        }
        let frozen = committed.applied.state.frozen().holds(&name("hot"));
        self.release(&decision.subject, &grant, decision.height, frozen);
    }

    /// Once for each start, the back end has the nodes that its own can reach name the newest head.
    fn confirm_head(&mut self) {
        let (nonce, now) =
            (tagged_hash("a nonce of the simulator", &self.dice.roll().to_be_bytes()), self.clock(HOME));
        let cluster = self.genesis.genesis.cluster();
        let reached = self.places.iter().enumerate().filter(|(index, place)| {
            place.replica.is_some() && (*index == HOME || self.network.reaches(HOME, *index))
        });
        let answers = reached.filter_map(|(_, place)| {
            let head = place.disk.blocks().last().map(|it| it.commit.clone());
            FreshAnswer::by_node(cluster, nonce, head, place.name.clone(), &place.signer).ok()
        });
        let answers: Vec<_> = answers.collect();
        if let Some(back_end) = &mut self.places[HOME].back_end {
            back_end.confirm(nonce, answers, now);
        }
    }

    /// With the bug `StaleHead`: what was allowed earlier is signed now, whatever was committed since.
    pub(crate) fn sign_late(&mut self, height: u64, index: usize) {
        let home = &self.places[HOME];
        let Some(stored) = home.disk.blocks().iter().find(|it| it.commit.header.height == height) else {
            return;
        };
        let Some(decision) = stored.decisions.get(index).cloned() else { return };
        let Outcome::Allow(grant) = &decision.outcome else { return };
        if home.back_end.is_none() || grant.expires <= self.clock(HOME) {
            return;
        }
        let frozen = home.disk.state().frozen().holds(&name("hot"));
        self.release(&decision.subject, grant, height, frozen);
    }

    /// INVARIANT S1: that it signs is durable before the signature leaves.
    fn release(&mut self, id: &RequestId, grant: &Grant, height: u64, frozen: bool) {
        let Some(payment) = self.asked.get(id).and_then(|it| it.payment()) else { return };
        let broadcast = Broadcast {
            request: *id,
            nonce: payment.nonce,
            digest: grant.signing_digest,
            wei: payment.total(),
        };
        let replaces = payment.replaces.is_some();
        let durable = self.places[HOME].disk.height();
        self.places[HOME].disk.write(Write::Signed(*id));
        self.places[HOME].disk.sync();
        self.oracle.signed(&broadcast, replaces, durable, height, frozen);
        if grant.epoch > 0 {
            self.report.count("signed after a rebuild");
        }
        let pause = self.until_broadcast();
        self.after(pause, Event::Include(broadcast));
    }

    /// Most signatures are spent soon, some are hoarded for longer than any window.
    fn until_broadcast(&mut self) -> u64 {
        match self.dice.below(100) {
            0..=59 => self.dice.between(500, 6_000),
            60..=84 => self.dice.between(6_000, 50_000),
            _ => self.dice.between(60_000, 300_000),
        }
    }

    /// A node reports what became final; the key's home asks again for what it did not sign in time.
    pub(crate) fn watch(&mut self, node: usize) {
        let mut entries = Vec::new();
        let open: Vec<_> = self.places[node]
            .state()
            .requests()
            .filter(|(_, it)| it.phase == Phase::Allowed)
            .filter_map(|(id, it)| Some((*id, it.slot?)))
            .collect();
        for (id, slot) in open {
            let last = self.places[node].reported.get(&id).copied();
            if last.is_some_and(|it| it + REPORT_AGAIN_MILLIS > self.now) {
                continue;
            }
            match self.told_fate(node, &id, slot.nonce) {
                Some(fate) => entries.push(self.settlement(node, id, slot, fate)),
                None if node == HOME && !self.places[node].disk.has_signed(&id) => {
                    entries.push(self.renewal(id));
                }
                None => continue,
            }
            self.places[node].reported.insert(id, self.now);
        }
        for entry in entries {
            self.submitted(node, entry);
        }
    }

    /// What a node says became of a request. Where another one's transaction may pass for its own, a lying node says
    /// so of a replacement that came too late: what the first one spent would count no more. In other runs nobody
    /// would believe it, and their seeds stay the runs that they were.
    fn told_fate(&self, node: usize, id: &RequestId, nonce: u64) -> Option<Fate> {
        let fate = self.chain.fate(id, nonce);
        let twists = self.places[node].lies && self.plan.bug == Some(Bug::SettledByAnother);
        match fate {
            Some(Fate::Dead { .. }) if twists => self.chain.settled_by(nonce),
            Some(Fate::Settled { .. }) if twists => None,
            fate => fate,
        }
    }

    pub(crate) fn settlement(
        &self,
        node: usize,
        request: RequestId,
        slot: keystead_intent::Slot,
        fate: Fate,
    ) -> Entry {
        let cluster = self.genesis.genesis.cluster();
        let place = &self.places[node];
        let body = Settlement { cluster, request, slot: Some(slot), fate };
        Entry::Settlement(Signed::new(body, place.name.clone(), &place.signer).expect("a signature"))
    }

    fn renewal(&self, request: RequestId) -> Entry {
        let place = &self.places[HOME];
        let body = Renewal { cluster: self.genesis.genesis.cluster(), request, at: self.clock(HOME) };
        Entry::Renew(Signed::new(body, place.name.clone(), &place.signer).expect("a signature"))
    }

    /// A lying node says that an open payment is over: its amount would count no more.
    pub(crate) fn false_settlement(&mut self, node: usize) {
        let open = self.oracle.open();
        if open.is_empty() {
            return;
        }
        let id = *self.dice.pick(&open);
        let slot = self.places[node].state().request(&id).and_then(|it| it.slot);
        let Some(slot) = slot.filter(|it| self.chain.fate(&id, it.nonce).is_none()) else { return };
        self.report.count("false settlement");
        let entry = self.settlement(node, id, slot, Fate::Dead { by: id.0 });
        let Some(replica) = &self.places[node].replica else { return };
        if let Ok(admitted) = replica.state().admit(entry) {
            self.feed(node, Input::Submit { from: None, entries: vec![admitted] });
        }
    }
}

//! What must not happen to the key in shares, looked at after each step of it.

use std::collections::BTreeMap;

use keystead_base::{Canonical as _, Digest, Name, PublicAccount, RequestId};
use keystead_decision::{Outcome, Phase};
use keystead_threshold::{Abort, Record, Session, SessionId};

use super::{Aim, engine, vault};
use crate::oracle::Stand;
use crate::simulation::Simulation;

/// The account of the key in shares.
#[derive(Debug, Default)]
pub(crate) struct SharesReport {
    /// Statements that people asked for.
    pub(crate) asked: u64,
    /// And when.
    pub(crate) statements: BTreeMap<RequestId, u64>,
    /// Those that were signed.
    signed: BTreeMap<RequestId, u64>,
    allowed: BTreeMap<RequestId, u64>,
    account: Option<PublicAccount>,
    epoch: u32,
}

/// How long something that is allowed may take once all is healed.
const SIGNED_WITHIN_MILLIS: u64 = 20_000;
/// How long an epoch's share may outlive it: as long as rights do, and a wake or two.
const OUTLIVES_MILLIS: u64 = 30_000;

impl Simulation {
    /// INVARIANT S3: what a run signs the node's own durable log allows; and what it deals is convened there.
    pub(super) fn check_begin(&mut self, node: usize, session: &Session, aim: &Aim) {
        let place = &self.places[node];
        if place.lies {
            return;
        }
        let decisions = || place.disk.blocks().iter().flat_map(|it| &it.decisions);
        let known = match aim {
            Aim::Deal { .. } => decisions().any(|it| it.digest() == session.attempt),
            Aim::Sign { request, digest, epoch } => decisions().any(|it| match &it.outcome {
                Outcome::Allow(grant) => {
                    it.subject == *request && grant.signing_digest == *digest && grant.epoch == *epoch
                }
                _ => false,
            }),
            Aim::Prove { request, .. } => {
                decisions().any(|it| it.subject == *request && matches!(&it.outcome, Outcome::Convened(_)))
            }
        };
        let id = session.id();
        let again = place.disk.runs().iter().any(|it| begins(it, id));
        if !known {
            self.oracle.object("S3", format!("node-{} begins {aim:?} that its log does not know", node + 1));
        }
        // A crash before the record forgets the run, of which not a word has left.
        if again {
            self.oracle.object("S5", format!("node-{} begins a run a second time", node + 1));
        }
    }

    /// INVARIANT S1, S5: not a word of a run that the disk does not know.
    pub(super) fn check_word(&mut self, node: usize, session: SessionId) {
        let place = &self.places[node];
        if !place.lies && !place.disk.runs().iter().any(|it| begins(it, session)) {
            self.oracle
                .object("S1", format!("node-{} speaks in a run that its disk does not know", node + 1));
        }
    }

    /// INVARIANT K6: an honest node names nobody honest.
    pub(super) fn check_named(&mut self, node: usize, named: &Name, abort: &Abort) {
        let honest = self
            .index_of(named)
            .is_some_and(|it| !self.places[it].lies && self.places[it].rolled_back.is_none());
        if !self.places[node].lies && honest {
            self.oracle.object("K6", format!("node-{} names {named} for {abort}", node + 1));
        }
        self.report.count("named");
    }

    /// INVARIANT S3, S7: by the key's own account, over what the log allows.
    pub(super) fn check_signature(
        &mut self,
        node: usize,
        request: &RequestId,
        digest: &Digest,
        epoch: u32,
        made: &[u8; 64],
    ) {
        let good = self.shares.account.is_some_and(|it| engine::verifies(&it, digest, made));
        if !good {
            let text = format!("node-{} has a signature of epoch {epoch} that is not the key's", node + 1);
            self.oracle.object("S7", text);
        }
        if self.oracle.stand(request) != Some(Stand::Allowed) {
            self.oracle.object("S3", format!("{request} is signed and not allowed"));
        }
        if self.shares.signed.insert(*request, self.now).is_none() {
            self.report.count("signed in shares");
        }
    }

    /// INVARIANT K3, D1: at each new block the key is the same, its epoch counts up, and each honest holder has its share.
    pub(crate) fn check_shares(&mut self) {
        if !self.plan.shares {
            return;
        }
        let Some((_, place)) = self.honest_front() else { return };
        let Some(key) = place.state().key(&vault()).cloned() else { return };
        let allowed = place.state().requests().filter(|(_, it)| it.phase == Phase::Allowed);
        let allowed: Vec<RequestId> = allowed.map(|(id, _)| *id).collect();
        for id in allowed.into_iter().filter(|it| self.shares.statements.contains_key(it)).collect::<Vec<_>>()
        {
            self.shares.allowed.entry(id).or_insert(self.now);
        }
        if self.shares.account.is_none() {
            self.report.count("key born in shares");
        } else if self.shares.account != Some(key.account) {
            self.oracle.object("K3", "the key in shares has another account");
        }
        if key.epoch < self.shares.epoch {
            self.oracle.object("K3", format!("epoch {} follows {}", key.epoch, self.shares.epoch));
        }
        if key.epoch > self.shares.epoch {
            self.report.count("epoch taken over");
        }
        (self.shares.account, self.shares.epoch) = (Some(key.account), key.epoch);
        let holders = key.sharing.map(|it| it.holders).unwrap_or_default();
        for name in &holders {
            let Some(place) = self.index_of(name).map(|it| &self.places[it]) else { continue };
            let has = place.disk.share(&vault(), key.epoch).is_some();
            if !has && !place.lies && place.rolled_back.is_none() {
                self.oracle.object("D1", format!("{name} has no share of epoch {}", key.epoch));
            }
        }
    }

    /// INVARIANT D3, K3: at the end what was allowed in good time is signed, and nobody keeps what is over.
    pub(crate) fn check_shares_end(&mut self) {
        let Some((healed, _)) = self.stated.filter(|_| self.plan.shares) else { return };
        let unsigned = self.shares.allowed.iter().filter(|(id, at)| {
            **at >= healed && **at + SIGNED_WITHIN_MILLIS < self.now && !self.shares.signed.contains_key(*id)
        });
        let unsigned = unsigned.count();
        if unsigned > 0 && self.enough_left() {
            self.oracle.object("D3", format!("{unsigned} statements are allowed and not signed"));
        }
        let epoch = self.shares.epoch;
        for place in self.places.iter().filter(|it| !it.lies) {
            let kept = place.disk.epochs(&vault()).into_iter().any(|it| it < epoch);
            let since = place.holder.as_ref().and_then(|it| it.over.get(&epoch)).copied();
            if kept && since.is_some_and(|at| at + OUTLIVES_MILLIS < self.now) {
                let text = format!("{} keeps a share of an epoch that is over", place.name);
                return self.oracle.object("K3", text);
            }
        }
    }

    /// Whether two honest holders have their shares: a node that was put back may have lost its own.
    fn enough_left(&self) -> bool {
        let good = self.places.iter().filter(|it| !it.lies);
        good.filter(|it| it.disk.share(&vault(), self.shares.epoch).is_some()).count() >= 2
    }
}

fn begins(record: &Record, id: SessionId) -> bool {
    matches!(record, Record::Begun { session, .. } if *session == id)
}

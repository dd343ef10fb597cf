//! Blocks: one header for each height, every root recomputed, every decision judged again.

use std::collections::BTreeSet;

use keystead_base::{Canonical as _, Digest, Name, Timestamp, merkle};
use keystead_consensus::Committed;
use keystead_decision::{Decision, Entry, Header, Outcome, SignedRebuild, verify_commit};
use keystead_policy::Roster;

use super::{Oracle, Stand};
use crate::asked::What;
use crate::chain::Chain;
use crate::rules::{MORE_NEEDED, SKEW_SECONDS};
use crate::simulation::Requests;

/// How far the clock of an honest node may be off besides, in milliseconds.
const OFFSET_MILLIS: u64 = 1_000;

impl Oracle {
    /// An honest node committed a block.
    pub(crate) fn committed(&mut self, now: u64, asked: &Requests, chain: &Chain, it: &Committed) {
        let header = &it.commit.header;
        let digest = header.digest();
        let index = usize::try_from(header.height).unwrap_or_default().saturating_sub(1);
        match self.headers.get(index) {
            Some((known, _)) if *known == digest => {}
            Some((known, _)) => {
                let height = header.height;
                self.object("S3", format!("two blocks at height {height}: {known} and {digest}"));
            }
            None => self.new_block(now, asked, chain, it),
        }
    }

    fn new_block(&mut self, now: u64, asked: &Requests, chain: &Chain, it: &Committed) {
        self.check_header(now, it);
        let header = &it.commit.header;
        self.time = header.time;
        for entry in &it.applied.block.entries {
            self.enter(entry, header);
        }
        let mut next = None;
        for decision in &it.applied.decisions {
            self.judge(asked, chain, decision, &mut next);
        }
        self.check_freezes(&it.applied.block.entries, &it.applied.decisions);
        if let Some(policy) = next {
            self.activate(policy, header.height);
        }
        if header.policy != self.policy.reference() {
            self.object("S13", format!("the header names policy {}", header.policy.number));
        }
        if header.frozen != self.frozen {
            self.object("S14", "the header does not say what is frozen");
        }
        let leaf = merkle::leaf_hash(&header.to_document());
        self.headers.push((header.digest(), leaf));
    }

    fn check_header(&mut self, now: u64, it: &Committed) {
        let header = &it.commit.header;
        let parent = self.headers.last().map_or(self.genesis.genesis.cluster().0, |it| it.0);
        let leaves: Vec<Digest> = self.headers.iter().map(|it| it.1).collect();
        let documents = |items: Vec<Vec<u8>>| {
            merkle::root(&items.iter().map(|it| merkle::leaf_hash(it)).collect::<Vec<_>>())
        };
        let entries = documents(it.applied.block.entries.iter().map(|it| it.to_document()).collect());
        let decisions = documents(it.applied.decisions.iter().map(|it| it.to_document()).collect());
        let latest = Timestamp(now + OFFSET_MILLIS).plus_seconds(SKEW_SECONDS);
        let cluster = self.genesis.genesis.cluster();
        let findings = [
            (header.height == self.height() + 1, "L2", "a gap in the heights"),
            (header.parent == parent, "L2", "the parent is another block"),
            (header.history == merkle::root(&leaves), "L1", "the root of the history is wrong"),
            (header.entries == entries, "L1", "the root of the entries is wrong"),
            (header.decisions == decisions, "L1", "the root of the decisions is wrong"),
            (header.time > self.time, "S10", "the block's time does not advance"),
            (header.time <= latest, "S10", "the block's time is ahead of all clocks"),
            (
                verify_commit(cluster, self.voters(&it.applied.block.entries), &it.commit).is_ok(),
                "S3",
                "the votes do not make a quorum",
            ),
        ];
        for (_, invariant, text) in findings.into_iter().filter(|it| !it.0) {
            self.object(invariant, format!("height {}: {text}", header.height));
        }
    }

    fn enter(&mut self, entry: &Entry, header: &Header) {
        match entry {
            Entry::Requests(signed) => {
                for intent in &signed.body.intents {
                    self.announced.entry(intent.id()).or_insert(header.time);
                }
            }
            Entry::Approval(signed) => {
                let known = self.approvals.entry(signed.body.request).or_default();
                known.push((signed.body.clone(), header.height));
            }
            Entry::Rebuild(signed) => self.rebuilds(signed, header),
            Entry::Veto(_)
            | Entry::Freeze(_)
            | Entry::Price(_)
            | Entry::Settlement(_)
            | Entry::Key(_)
            | Entry::Renew(_)
            | Entry::Tick
            | Entry::Simulation(_)
            | Entry::Finding(_)
            | Entry::Witness(_) => {}
        }
    }

    /// Who votes for a block: for the rebuild that people signed its own nodes, and nobody else for any other.
    fn voters(&self, entries: &[Entry]) -> &Roster {
        match (entries, &self.rebuild) {
            ([Entry::Rebuild(signed)], Some(expected)) if **signed == *expected => {
                &expected.rebuild.policy.roster
            }
            _ => &self.policy.roster,
        }
    }

    /// INVARIANT S13, S14: it is the next block after the one that people named, frozen; enough of them signed it.
    fn rebuilds(&mut self, signed: &SignedRebuild, header: &Header) {
        let people: BTreeSet<&Name> = signed.signatures.iter().map(|it| &it.person).collect();
        let approve = people.iter().filter(|it| self.may_approve(it)).count();
        if self.rebuild.as_ref() != Some(signed) || approve < MORE_NEEDED {
            self.object("S13", format!("a rebuild that {approve} people signed at height {}", header.height));
        }
        if signed.rebuild.height != self.height() {
            self.object("L2", "a rebuild goes on from another block than the last");
        }
        (self.frozen.everything, self.rebuilt) = (true, true);
    }

    fn judge(
        &mut self,
        asked: &Requests,
        chain: &Chain,
        decision: &Decision,
        next: &mut Option<keystead_policy::PolicyVersion>,
    ) {
        self.turn_policy(decision, next);
        let id = &decision.subject;
        match &decision.outcome {
            Outcome::Deny { .. } if self.stand(id) != Some(Stand::Allowed) => self.set(id, Stand::Over),
            Outcome::Wait { .. } | Outcome::Simulate { .. } => self.set(id, Stand::Waits),
            Outcome::Allow(grant) => {
                self.allowed(asked, id, grant);
                self.set(id, Stand::Allowed);
            }
            Outcome::Activated { policy } => {
                *next = self.activates(asked, id, policy);
                self.set(id, Stand::Over);
            }
            Outcome::Thawed { key } => {
                self.check_consent(asked, id);
                match key {
                    Some(key) => drop(self.frozen.keys.remove(key)),
                    None => (self.frozen, self.rebuilt) = (Default::default(), false),
                }
                self.set(id, Stand::Over);
            }
            Outcome::Frozen { key: Some(key), .. } => drop(self.frozen.keys.insert(key.clone())),
            Outcome::Frozen { key: None, .. } => self.frozen.everything = true,
            Outcome::Found { finding } => drop(self.frozen.keys.insert(finding.account.key.clone())),
            Outcome::Ended { fate } => {
                self.ended(asked, chain, id, *fate);
                self.set(id, Stand::Over);
            }
            Outcome::Ceremony { .. } => self.set(id, Stand::Over),
            Outcome::Counted { person } => self.check_counted(asked, decision, person),
            Outcome::Deny { .. }
            | Outcome::Refused { .. }
            | Outcome::Key { .. }
            | Outcome::Priced
            | Outcome::Convened(_)
            | Outcome::Compromised { .. }
            | Outcome::Simulated => {}
        }
    }

    /// At the end of the block that activates a version open requests are announced anew under it.
    fn turn_policy(&mut self, decision: &Decision, next: &mut Option<keystead_policy::PolicyVersion>) {
        if next.as_ref().is_some_and(|it| it.reference() == decision.policy)
            && let Some(policy) = next.take()
        {
            self.activate(policy, decision.height);
        }
        if decision.policy != self.policy.reference() {
            self.object("S13", format!("decided under policy {}", decision.policy.number));
        }
    }

    fn activate(&mut self, policy: keystead_policy::PolicyVersion, height: u64) {
        self.policy = policy;
        self.activated = (height, self.time);
        self.note_limit();
    }

    fn set(&mut self, id: &keystead_base::RequestId, stand: Stand) {
        self.stands.insert(*id, stand);
    }

    /// INVARIANT S13: the next number, and the digest of the version before.
    fn activates(
        &mut self,
        asked: &Requests,
        id: &keystead_base::RequestId,
        policy: &keystead_policy::PolicyRef,
    ) -> Option<keystead_policy::PolicyVersion> {
        if let Some(rebuild) = self.rebuild.as_ref().filter(|it| it.rebuild.digest() == id.0) {
            return Some(rebuild.rebuild.policy.clone());
        }
        self.check_consent(asked, id);
        let Some(What::Policy(version)) = asked.get(id).map(|it| &it.what) else {
            self.object("S13", "a policy is in force that nobody asked for");
            return None;
        };
        let follows = version.number == self.policy.number + 1 && version.previous == self.policy.digest();
        if !follows || version.reference() != *policy {
            let (before, found) = (self.policy.number, policy.number);
            self.object("S13", format!("policy {found} does not follow policy {before}"));
        }
        Some(version.as_ref().clone())
    }

    /// INVARIANT S14: a freeze that is committed freezes.
    fn check_freezes(&mut self, entries: &[Entry], decisions: &[Decision]) {
        let freezes = |it: &Entry| match it {
            Entry::Freeze(signed) => signed.body.person.as_str() == "eve" && signed.body.expires >= self.time,
            _ => false,
        };
        let expected = entries.iter().filter(|it| freezes(it)).count();
        let found = decisions.iter().filter(|it| matches!(it.outcome, Outcome::Frozen { .. })).count();
        if found < expected {
            self.object("S14", "a committed freeze froze nothing");
        }
    }
}

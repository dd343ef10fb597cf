//! `keystead key transcript`: the life of a key as its log holds it, every block checked from the pinned genesis on.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::{Canonical as _, Coded as _, Name, RequestId};
use keystead_decision::{
    Commit, Convened, Decision, Entry, KeyEvent, KeyStep, Outcome, PublicAccount, Seat, Strict,
};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, Verdict};
use keystead_ledger::{Auditor, StoredBlock};
use serde_json::{Value, json};

use super::Session;
use crate::failure::Failure;
use crate::member;
use crate::output::{Report, Voice};

/// Nothing here believes the node: a block that a quorum did not vote for, or that breaks a rule, ends it.
pub(super) async fn run(session: &Session, key: &Name, voice: Voice) -> Result<Report, Failure> {
    let genesis = member::genesis(&session.config)?;
    let controls = Strict::default();
    let mut auditor = Auditor::begin(&genesis, session.config.cluster, &controls)?;
    let mut transcript = Transcript::of(key);
    let mut from = 1;
    loop {
        let blocks = session.link.blocks(from).await?;
        let Some(last) = blocks.last() else { break };
        from = last.commit.header.height + 1;
        for block in blocks {
            let (commit, entries) = (block.commit.clone(), block.entries.clone());
            let decisions = auditor.block(StoredBlock { commit: block.commit, entries: block.entries })?;
            transcript.read(&commit, &entries, &decisions);
        }
        voice.progress(&format!("{} blocks", from - 1));
    }
    let report = auditor.finish()?;
    let text = transcript.steps.iter().map(Step::line).collect::<String>();
    let steps: Vec<Value> = transcript.steps.iter().map(Step::json).collect();
    let head = format!("{} blocks verify; what they say of `{key}`:\n", report.blocks);
    let audit = json!({"blocks": report.blocks, "root": report.root});
    Ok(Report::new(json!({"key": key, "verified": true, "log": audit, "steps": steps}), head + &text))
}

/// What was read so far.
struct Transcript<'a> {
    key: &'a Name,
    /// The requests that are about the key.
    requests: BTreeSet<RequestId>,
    steps: Vec<Step>,
}

/// One line: what happened, and which quorum says so.
struct Step {
    height: u64,
    time: String,
    voters: Vec<Name>,
    request: Option<RequestId>,
    who: Option<Name>,
    what: &'static str,
    more: Value,
}

impl<'a> Transcript<'a> {
    fn of(key: &'a Name) -> Self {
        Self { key, requests: BTreeSet::new(), steps: Vec::new() }
    }

    fn read(&mut self, commit: &Commit, entries: &[Entry], decisions: &[Decision]) {
        let (key, mut events) = (self.key, BTreeMap::new());
        for entry in entries {
            match entry {
                Entry::Requests(batch) => {
                    let asked = batch.body.intents.iter().filter_map(|it| Some((it, ceremony(&it.action)?)));
                    for (intent, of) in asked.filter(|(_, of)| of.key() == key) {
                        self.requests.insert(intent.id());
                        let more = json!({"change": AuthorityChange::Key(of.clone()).kind()});
                        let who = Some(batch.signer.clone());
                        self.say(commit, Some(intent.id()), who, ("asked", more));
                    }
                }
                Entry::Approval(it) if self.requests.contains(&it.body.request) => {
                    let what = match it.body.verdict {
                        Verdict::Approve => "approved",
                        Verdict::Reject => "rejected",
                    };
                    let more = json!({"device": it.body.device});
                    self.say(commit, Some(it.body.request), Some(it.body.person.clone()), (what, more));
                }
                Entry::Key(it) if it.body.key == *self.key => {
                    events.insert(RequestId(it.body.digest()), (it.signer.clone(), it.body.clone()));
                }
                _ => {}
            }
        }
        decisions.iter().for_each(|it| self.decided(commit, it, &events));
    }

    fn decided(
        &mut self,
        commit: &Commit,
        decision: &Decision,
        events: &BTreeMap<RequestId, (Name, KeyEvent)>,
    ) {
        let subject = decision.subject;
        if let Some((node, event)) = events.get(&subject) {
            let (request, what, more) = word(&event.step);
            let (what, more) = match &decision.outcome {
                Outcome::Key { state, .. } => (what, with(more, "state", json!(state))),
                Outcome::Deny { reasons, .. } => {
                    let codes: Vec<_> = reasons.iter().map(|it| it.code()).collect();
                    ("refused", with(with(more, "word", json!(what)), "reasons", json!(codes)))
                }
                _ => (what, more),
            };
            return self.say(commit, request, Some(node.clone()), (what, more));
        }
        if !self.requests.contains(&subject) {
            return;
        }
        let (what, more) = match &decision.outcome {
            Outcome::Ceremony { epoch, .. } => ("allowed", json!({"epoch": epoch})),
            Outcome::Convened(it) => ("convened", convened(it)),
            Outcome::Key { state, .. } => ("carried out", json!({"state": state})),
            Outcome::Compromised { rotate } => ("compromised", json!({"rotate": rotate})),
            Outcome::Deny { reasons, .. } => {
                let codes: Vec<_> = reasons.iter().map(|it| it.code()).collect();
                ("denied", json!({"reasons": codes}))
            }
            _ => return,
        };
        self.say(commit, Some(subject), None, (what, more));
    }

    fn say(
        &mut self,
        commit: &Commit,
        request: Option<RequestId>,
        who: Option<Name>,
        (what, more): (&'static str, Value),
    ) {
        let (height, time) = (commit.header.height, commit.header.time.to_string());
        let voters = commit.votes.iter().map(|it| it.node.clone()).collect();
        self.steps.push(Step { height, time, voters, request, who, what, more });
    }
}

impl Step {
    fn json(&self) -> Value {
        json!({
            "height": self.height, "time": self.time, "voters": self.voters, "request": self.request,
            "who": self.who, "what": self.what, "more": self.more,
        })
    }

    fn line(&self) -> String {
        let who = self.who.as_ref().map(|it| format!("{it} ")).unwrap_or_default();
        let voters: Vec<_> = self.voters.iter().map(Name::as_str).collect();
        let (what, more) = (self.what, &self.more);
        format!("{} {} [{}] {who}{what} {more}\n", self.height, self.time, voters.join(","))
    }
}

fn ceremony(action: &Action) -> Option<&KeyCeremony> {
    match action {
        Action::Authority(AuthorityChange::Key(ceremony)) => Some(ceremony),
        _ => None,
    }
}

/// The request of a node's word, how it is called, and what of it fits a line.
fn word(step: &KeyStep) -> (Option<RequestId>, &'static str, Value) {
    match step {
        KeyStep::Created { request, account, .. } => (Some(*request), "created", public(account)),
        KeyStep::BackedUp { request, backup } => (Some(*request), "backed up", json!({"backup": backup})),
        KeyStep::Drilled { backup, .. } => (None, "drilled", json!({"backup": backup})),
        KeyStep::Protected { protections } => (None, "protected", json!({"protections": protections})),
        KeyStep::Destroyed => (None, "destroyed", json!({})),
        KeyStep::Restored { request, recipient, .. } => {
            (Some(*request), "restored", json!({"recipient": recipient}))
        }
        KeyStep::Wallet { wallet, .. } => (None, "wallet", json!({"chain": wallet.chain})),
        KeyStep::Seated { request, seat } => {
            (Some(*request), "seated", json!({"seat": fingerprint(&seat.seat)}))
        }
        KeyStep::Dealt { request, attempt, account, shares, assurance, .. } => {
            let shares: Vec<_> = shares.iter().map(const_hex::encode).collect();
            let more = with(public(account), "attempt", json!(attempt));
            let more = with(more, "assurance", json!(assurance));
            (Some(*request), "dealt", with(more, "public_shares", json!(shares)))
        }
        KeyStep::Proven { request, attempt, .. } => (Some(*request), "proven", json!({"attempt": attempt})),
        KeyStep::Imported { request, attempt, dealing } => {
            let more = json!({
                "attempt": attempt, "dealer": dealing.signer, "dealing": dealing.body.digest(),
                "public_key": const_hex::encode(dealing.body.point()),
            });
            (Some(*request), "imported", more)
        }
        KeyStep::InTokens { request, account, .. } => (Some(*request), "born in tokens", public(account)),
        KeyStep::Lost { epoch } => (None, "lost", json!({"epoch": epoch})),
        KeyStep::Received { receipt } => (None, "receipt", json!({"receipt": receipt})),
        KeyStep::Wiped { request, account, epoch, erased } => {
            let more = with(with(public(account), "epoch", json!(epoch)), "erased", json!(erased));
            (Some(*request), "certified its destruction", more)
        }
        KeyStep::Controlled { height, .. } => (None, "proved control", json!({"block": height})),
        KeyStep::Left { request, file } => (Some(*request), "left", json!({"file": file})),
    }
}

fn convened(it: &Convened) -> Value {
    let seats: BTreeMap<_, _> = it.seats.iter().map(|(name, seat)| (name, fingerprint(seat))).collect();
    json!({
        "attempt": it.attempt, "epoch": it.next_epoch(), "threshold": it.threshold, "holders": it.holders,
        "seats": seats,
    })
}

fn public(account: &PublicAccount) -> Value {
    json!({"public_key": const_hex::encode(account.compressed())})
}

fn fingerprint(seat: &Seat) -> String {
    seat.signing.fingerprint().to_string()
}

fn with(mut value: Value, key: &str, more: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.insert(key.to_owned(), more);
    }
    value
}

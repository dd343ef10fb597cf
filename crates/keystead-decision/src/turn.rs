//! One block's turn over the state: what is due first, then each entry, then changes of authority.

use std::sync::Arc;

use keystead_base::{Canonical, Digest, Name, RequestId, Signed, Timestamp};
use keystead_intent::{Action, Approval, DangerClass, Freeze, RequestBatch, Veto};
use keystead_policy::Reason;

use crate::state::ActivePolicy;
use crate::{Controls, Decision, Entry, Event, Outcome, Phase, State};

/// The work on one block.
pub(crate) struct Turn<'a, C> {
    pub(crate) state: State,
    pub(crate) controls: &'a C,
    /// The policy version that takes over at the end of this block.
    pub(crate) successor: Option<Arc<ActivePolicy>>,
    decisions: Vec<Decision>,
}

impl<'a, C: Controls> Turn<'a, C> {
    pub(crate) fn begin(state: &State, time: Timestamp, controls: &'a C) -> Self {
        let mut turn = Self::quietly(state, time, controls);
        turn.end_periods();
        turn.what_is_due();
        turn
    }

    /// As [`Turn::begin`], and nothing that is due comes first.
    pub(crate) fn quietly(state: &State, time: Timestamp, controls: &'a C) -> Self {
        let mut state = state.clone();
        state.height += 1;
        state.time = time;
        Self { state, controls, successor: None, decisions: Vec::new() }
    }

    /// A look at what a ruling would be, on a copy that nobody keeps.
    pub(crate) fn look(state: &State, controls: &'a C) -> Self {
        Self { state: state.clone(), controls, successor: None, decisions: Vec::new() }
    }

    pub(crate) fn enter(&mut self, entry: &Entry) {
        match entry {
            Entry::Requests(signed) => self.requests(&signed.body),
            Entry::Approval(signed) => self.approval(signed),
            Entry::Veto(signed) => self.veto(signed),
            Entry::Freeze(signed) => self.freeze(signed),
            Entry::Price(signed) => self.price(signed),
            Entry::Settlement(signed) => self.settlement(&signed.body),
            Entry::Key(signed) => self.key_event(&signed.signer, &signed.body),
            Entry::Renew(signed) => self.renew(&signed.body),
            Entry::Simulation(signed) => self.simulation(signed),
            Entry::Finding(signed) => self.found(signed),
            Entry::Witness(word) => self.witness(word),
            Entry::Tick => {}
            Entry::Rebuild(signed) => self.rebuild(&signed.rebuild),
        }
    }

    pub(crate) fn end(mut self) -> (State, Vec<Decision>) {
        if let Some(successor) = self.successor.take() {
            // INVARIANT S12: cool-offs run from this block, whatever the approvers' clocks said.
            let (current, next) = (self.state.policy.engine.version(), successor.engine.version());
            self.state.cooling = self.state.cooling.after(current, next, self.state.time);
            self.state.policy = successor;
            self.announce_anew();
        }
        self.convoke();
        (self.state, self.decisions)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state.time
    }

    /// Writes a decision.
    pub(crate) fn decide(&mut self, subject: RequestId, rules: Vec<Name>, outcome: Outcome) {
        self.decisions.push(Decision {
            cluster: self.state.cluster,
            height: self.state.height,
            subject,
            policy: self.state.policy.engine.reference(),
            rules,
            outcome,
        });
    }

    /// The digest of the decision that was written last.
    pub(crate) fn decided_last(&self) -> Option<Digest> {
        self.decisions.last().map(Canonical::digest)
    }

    /// Refuses a request for good.
    pub(crate) fn deny(&mut self, id: &RequestId, rules: Vec<Name>, reasons: Vec<Reason>) {
        let class = self.state.requests.get(id).map(|request| request.class);
        self.step(id, Event::Deny);
        self.decide(*id, rules, Outcome::Deny { class, reasons });
    }

    /// Moves a request on in its table; a transition that must not happen stops the node.
    pub(crate) fn step(&mut self, id: &RequestId, event: Event) {
        let Some(request) = self.state.requests.get_mut(id).map(Arc::make_mut) else { return };
        let before = request.phase;
        let after = before.after(event);
        assert!(after.is_some(), "no transition from {before:?} by {event:?}");
        request.phase = after.unwrap_or(before);
        let is_over = request.phase.is_final();
        if before == Phase::Open {
            self.state.open = self.state.open.saturating_sub(1);
            self.state.waits_no_more(id);
        }
        if is_over {
            self.state.let_go(id);
        }
    }

    fn what_is_due(&mut self) {
        let now = self.now();
        while let Some((at, id)) = self.state.due.get_min().copied() {
            if at > now {
                break;
            }
            self.state.due.remove(&(at, id));
            self.due(&id);
        }
    }

    fn due(&mut self, id: &RequestId) {
        let Some(request) = self.state.requests.get(id) else { return };
        let (phase, expires) = (request.phase, request.intent.expires);
        match phase {
            Phase::Open if expires <= self.now() => {
                self.deny(id, Vec::new(), vec![Reason::Expired { at: expires }])
            }
            Phase::Open => self.reconsider(id),
            // INVARIANT S10: that the request is over ends no right that was given on it.
            Phase::Allowed if self.is_over(id) => self.lapse(id),
            Phase::Allowed | Phase::Applied | Phase::Denied | Phase::Settled | Phase::Dead => {}
        }
        self.let_go_if_over(id);
        self.end_convening_if_over(id);
        self.forget_if_over(id);
    }

    /// Forgets what can neither change nor be asked for again.
    fn forget_if_over(&mut self, id: &RequestId) {
        let Some(request) = self.state.requests.get(id) else { return };
        if request.phase.is_final() && request.intent.expires <= self.now() {
            let nonce = (request.intent.requester.clone(), request.intent.nonce);
            self.state.requests.remove(id);
            self.state.nonces.remove(&nonce);
        }
    }

    fn requests(&mut self, batch: &RequestBatch) {
        for intent in &batch.intents {
            let id = intent.id();
            if self.state.requests.contains_key(&id) {
                continue; // The same request again is the same request.
            }
            match self.presentable(intent) {
                Ok(()) => match &intent.action {
                    Action::Authority(change) => self.authority(id, intent, change),
                    _ => self.payload(id, intent),
                },
                Err(reason) => {
                    self.decide(id, Vec::new(), Outcome::Deny { class: None, reasons: vec![reason] })
                }
            }
        }
    }

    fn presentable(&self, intent: &keystead_intent::Intent) -> Result<(), Reason> {
        let now = self.now();
        let lifetime = self.state.policy.engine.version().timing.max_lifetime_seconds;
        if intent.expires <= now {
            return Err(Reason::Expired { at: intent.expires });
        }
        if intent.expires > now.plus_seconds(lifetime) {
            return Err(Reason::LivesTooLong { latest: now.plus_seconds(lifetime), found: intent.expires });
        }
        match self.state.nonces.get(&(intent.requester.clone(), intent.nonce)) {
            Some(earlier) => Err(Reason::Duplicate { of: *earlier }),
            None => Ok(()),
        }
    }

    fn approval(&mut self, signed: &Signed<Approval>) {
        let (id, person) = (signed.body.request, signed.body.person.clone());
        if let Err(reason) = self.approval_counts(signed) {
            return self.decide(id, Vec::new(), Outcome::Refused { person, reason });
        }
        if let Some(request) = self.state.requests.get_mut(&id).map(Arc::make_mut) {
            request.approvals.push(signed.clone());
        }
        self.decide(id, Vec::new(), Outcome::Counted { person });
        self.reconsider(&id);
    }

    fn approval_counts(&self, signed: &Signed<Approval>) -> Result<(), Reason> {
        let id = &signed.body.request;
        let request = self.open_request(id)?;
        let requirement = self.requirement(id, request)?;
        let mut approvals = request.approvals.clone();
        approvals.push(signed.clone());
        let context = self.context(id, request);
        let tally = keystead_quorum::authorize(&requirement, &context, &approvals, self.controls.checks());
        let newest = request.approvals.len();
        match tally.err().and_then(|it| it.refused.into_iter().find(|refused| refused.index == newest)) {
            Some(refused) => Err(not_counted(&refused.refusal)),
            None => Ok(()),
        }
    }

    fn open_request(&self, id: &RequestId) -> Result<&crate::Request, Reason> {
        match self.state.requests.get(id) {
            Some(request) if request.phase == Phase::Open => Ok(request.as_ref()),
            Some(_) => Err(Reason::NotOpen { request: *id }),
            None => Err(Reason::RequestUnknown { request: *id }),
        }
    }

    fn veto(&mut self, signed: &Signed<Veto>) {
        let (id, person) = (signed.body.request, signed.body.person.clone());
        match self.veto_counts(signed) {
            Ok(()) => self.deny(&id, Vec::new(), vec![Reason::Vetoed { by: person }]),
            Err(reason) => self.decide(id, Vec::new(), Outcome::Refused { person, reason }),
        }
    }

    fn veto_counts(&self, signed: &Signed<Veto>) -> Result<(), Reason> {
        let request = self.open_request(&signed.body.request)?;
        let context = self.context(&signed.body.request, request);
        let requirement = self.requirement(&signed.body.request, request)?;
        keystead_quorum::verify_veto(signed, &context, &requirement.vetoers)
            .map(drop)
            .map_err(|refusal| not_counted(&refusal))
    }

    fn freeze(&mut self, signed: &Signed<Freeze>) {
        let body = &signed.body;
        let subject = RequestId(body.digest());
        let person = body.person.clone();
        let verified = keystead_quorum::verify_freeze(
            signed,
            self.state.cluster,
            self.state.roster(),
            self.now(),
            self.state.policy.engine.version().timing.max_lifetime_seconds,
        );
        if let Err(refusal) = verified {
            let reason = not_counted(&refusal);
            return self.decide(subject, Vec::new(), Outcome::Refused { person, reason });
        }
        // INVARIANT S14: from this block's header on, no certificate for what is frozen is accepted.
        match &body.key {
            Some(key) => drop(self.state.frozen.keys.insert(key.clone())),
            None => self.state.frozen.everything = true,
        }
        self.decide(subject, Vec::new(), Outcome::Frozen { key: body.key.clone(), person });
    }

    fn price(&mut self, signed: &Signed<keystead_policy::Price>) {
        let policy = Arc::clone(&self.state.policy);
        let Some(rule) = &policy.engine.version().prices else { return };
        let subject = RequestId(signed.body.digest());
        match self.state.prices.insert(signed, rule) {
            Ok(()) => self.decide(subject, Vec::new(), Outcome::Priced),
            Err(error) => {
                let (person, reason) = (signed.signer.clone(), not_counted(&error));
                self.decide(subject, Vec::new(), Outcome::Refused { person, reason });
            }
        }
    }

    /// INVARIANT S11: approvals gathered before a change of policy are void after it; delays start anew.
    fn announce_anew(&mut self) {
        if !self.controls.voids_approvals() {
            return;
        }
        let open: Vec<RequestId> =
            self.state.requests.iter().filter(|(_, it)| it.phase == Phase::Open).map(|(id, _)| *id).collect();
        for id in open {
            if let Some(request) = self.state.requests.get_mut(&id).map(Arc::make_mut) {
                request.approvals.clear();
                request.announced = self.state.time;
                // What was waited for in vain under another policy says nothing of this one.
                request.simulate_by = request.simulate_by.filter(|until| *until > self.state.time);
            }
            self.reconsider(&id);
        }
    }

    /// The danger class of a change of authority.
    pub(crate) const AUTHORITY: DangerClass = DangerClass::Authority;
}

/// A refusal as a reason.
pub(crate) fn not_counted(refusal: &impl keystead_base::Coded) -> Reason {
    Reason::NotCounted { code: refusal.code().to_owned(), text: refusal.to_string() }
}

//! From a request to a decision: decode, policy, approvals, slots, limits, reservation.

use std::sync::Arc;

use alloy_primitives::Address;
use keystead_base::{Canonical, KeyScheme, RequestId, Timestamp};
use keystead_intent::{AccountRef, Action, DangerClass, EffectKind, Effects, Intent};
use keystead_policy::{
    AssuranceLevel, Charge, Facts, Question, Reason, Requirement, Ruling, SimulationReason, Subject,
};
use keystead_quorum::{Authorization, Context, Shortfall};

use crate::coins::purse_of;
use crate::messages::blockhash_over_at;
use crate::reading::Remembered;
use crate::to_sign::ToSign;
use crate::turn::{Turn, not_counted};
use crate::{Controls, Event, Grant, MAX_OPEN_REQUESTS, Outcome, Phase, Renewal, Request, approval_digest};

/// A payload understood: the bytes to sign, and what they would do.
pub(crate) struct Understood {
    pub(crate) address: Address,
    pub(crate) unsigned: ToSign,
    pub(crate) effects: Effects,
}

/// A ruling that lets the request pass, once its requirement is met.
pub(crate) struct Passed {
    pub(crate) requirement: Requirement,
    pub(crate) charges: Vec<Charge>,
    pub(crate) rules: Vec<keystead_base::Name>,
}

/// A ruling that does not: the rules that speak against it, and the reasons.
pub(crate) type Refused = (Vec<keystead_base::Name>, Vec<Reason>);

impl<C: Controls> Turn<'_, C> {
    /// A request with bytes to sign arrives.
    pub(crate) fn payload(&mut self, id: RequestId, intent: &Intent) {
        match self.first_look(intent) {
            Ok((understood, remembered)) => {
                let class = understood.effects.class();
                let digest = understood.unsigned.granted(self.controls);
                self.open(id, intent, digest, class, remembered);
                self.rule_on(&id, understood);
            }
            Err(reason) => self.decide(id, Vec::new(), Outcome::Deny { class: None, reasons: vec![reason] }),
        }
    }

    /// INVARIANT S2: decodes the raw payload itself; what cannot be decoded is denied.
    fn first_look(&mut self, intent: &Intent) -> Result<(Understood, Remembered), Reason> {
        let Action::Psbt(it) = &intent.action else {
            return Ok((self.understand(&intent.action)?, Remembered::default()));
        };
        self.worth_reading(intent)?;
        let read = self.read(it)?;
        Ok((read.understood(), read.remembered()))
    }

    /// Remembers a request that is understood.
    pub(crate) fn open(
        &mut self,
        id: RequestId,
        intent: &Intent,
        signing_digest: keystead_base::Digest,
        class: DangerClass,
        remembered: Remembered,
    ) {
        let request = Request {
            intent: intent.clone(),
            signing_digest,
            class,
            announced: self.now(),
            phase: Phase::Open,
            approvals: Vec::new(),
            charges: Vec::new(),
            slot: None,
            simulation: None,
            simulate_by: None,
            coins: Vec::new(),
            remembered,
        };
        self.state.keep(&request);
        self.state.nonces.insert((intent.requester.clone(), intent.nonce), id);
        self.state.requests.insert(id, Arc::new(request));
        self.state.due.insert((intent.expires, id));
        self.state.open += 1;
    }

    /// INVARIANT S2: decodes the raw payload itself; what cannot be decoded is denied.
    pub(crate) fn understand(&mut self, action: &Action) -> Result<Understood, Reason> {
        if let Action::Psbt(it) = action {
            return Ok(self.read(it)?.understood());
        }
        if let Action::Solana(it) = action {
            return self.understand_message(it);
        }
        if let Action::Near(it) = action {
            return self.understand_near(it);
        }
        let account = action.account().ok_or_else(no_account)?;
        let address = self.address(account)?;
        let unsigned = self.controls.build(action, address).map_err(|error| Reason::Undecodable {
            code: keystead_base::Coded::code(&error).to_owned(),
            text: error.to_string(),
        })?;
        let effects = self.controls.explain(&unsigned, self.state.policy.engine.registry());
        Ok(Understood { address, unsigned: ToSign::Ethereum(unsigned), effects })
    }

    fn address(&mut self, account: &AccountRef) -> Result<Address, Reason> {
        let now = self.now();
        let key =
            self.state.keys.get_mut(&account.key).ok_or(Reason::KeyUnknown { key: account.key.clone() })?;
        let inactive = Reason::KeyInactive { key: account.key.clone() };
        self.controls.signs(key, &account.key, now)?;
        if key.kind.scheme() != KeyScheme::Ecdsa {
            return Err(Reason::KindRefused { key: account.key.clone(), kind: key.kind });
        }
        let address = key.signing_address(account.index).ok_or(inactive)?;
        key.addresses.insert(account.index, address);
        Ok(address)
    }

    /// Everything about an open request is asked again, now: policy, approvals, delay, slot, limits.
    pub(crate) fn reconsider(&mut self, id: &RequestId) {
        let Some(request) = self.state.requests.get(id).cloned() else { return };
        if let Action::Authority(change) = &request.intent.action {
            return self.reconsider_authority(id, &request, change);
        }
        let understood = match self.understand_request(&request) {
            Ok(understood) => understood,
            Err(reason) => return self.deny(id, Vec::new(), vec![reason]),
        };
        self.rule_on(id, understood);
    }

    fn rule_on(&mut self, id: &RequestId, understood: Understood) {
        let Some(request) = self.state.requests.get(id).cloned() else { return };
        self.announce_without_run(id, &request, &understood);
        let Some(request) = self.state.requests.get(id).cloned() else { return };
        let judged = self.judge(id, &request, &understood);
        if self.waits_for_run(&request, &understood, &judged) {
            return self.await_run(id, &request, &understood);
        }
        match judged {
            Ok(passed) => self.settle_question(id, &request, understood, passed),
            Err((rules, reasons)) => self.deny(id, rules, reasons),
        }
    }

    fn judge(&self, id: &RequestId, request: &Request, understood: &Understood) -> Result<Passed, Refused> {
        let action = &request.intent.action;
        let account = action.account().ok_or_else(|| (Vec::new(), vec![no_account()]))?;
        if self.controls.frozen(&self.state.frozen, &account.key) {
            return Err((Vec::new(), vec![Reason::Frozen { key: Some(account.key.clone()) }]));
        }
        let passed = self.ask(request, understood, account)?;
        let mut reasons = Vec::new();
        let (effects, replaces) = (&understood.effects, action.replaces());
        if let Some(slot) = &effects.slot {
            reasons.extend(self.controls.slot(&self.state, slot, id, replaces).err());
        }
        if let (Some(spend), Some(purse)) = (&effects.coins, purse_of(request)) {
            reasons.extend(self.controls.coins(&self.state, &purse, spend, id, replaces).err());
        }
        reasons.extend(
            passed.charges.iter().filter_map(|charge| self.controls.window(&self.state, charge).err()),
        );
        if reasons.is_empty() { Ok(passed) } else { Err((passed.rules, reasons)) }
    }

    fn ask(
        &self,
        request: &Request,
        understood: &Understood,
        account: &AccountRef,
    ) -> Result<Passed, Refused> {
        self.within_life(request, understood, account).map_err(|reason| (Vec::new(), vec![reason]))?;
        let assurance = self.protected(account).map_err(|reason| (Vec::new(), vec![reason]))?;
        let facts = Facts {
            now: self.now(),
            account: Some(understood.address),
            assurance,
            prices: &self.state.prices,
            cooling: &self.state.cooling,
            simulation: self.simulated(request, understood),
            drill_age_seconds: self.drill_age(account),
            nonce_ahead: understood.effects.slot.as_ref().map_or(0, |it| self.state.free_below(it)),
        };
        let question = Question {
            requester: &request.intent.requester,
            action: request.intent.action.kind(),
            key: Some(&account.key),
            subject: Subject::Payload(&understood.effects),
            facts: &facts,
        };
        pass(self.controls.rule(&self.state.policy.engine, &question))
    }

    /// Since the last drill of a backup; the age of a key that is unknown makes no difference any more.
    fn drill_age(&self, account: &AccountRef) -> u64 {
        self.state.keys.get(&account.key).map_or(u64::MAX, |key| key.drill_age(self.now()))
    }

    /// A key whose home reports less than policy demands signs nothing; its home refuses by itself too.
    fn protected(&self, account: &AccountRef) -> Result<AssuranceLevel, Reason> {
        let key = self
            .state
            .keys
            .get(&account.key)
            .ok_or_else(|| Reason::KeyUnknown { key: account.key.clone() })?;
        let missing = self.state.policy.engine.version().unprotected(key.assurance, &key.protections);
        match missing.is_empty() {
            true => Ok(key.assurance),
            false => Err(Reason::Unprotected { key: account.key.clone(), missing }),
        }
    }

    /// What approvals of this request are bound to.
    pub(crate) fn context<'s>(&'s self, id: &RequestId, request: &'s Request) -> Context<'s> {
        Context {
            cluster: self.state.cluster,
            request: *id,
            signing_digest: request.approval_digest(),
            policy: self.state.policy.engine.reference(),
            requester: &request.intent.requester,
            announced: request.announced,
            now: self.now(),
            expires: request.intent.expires,
            max_lifetime_seconds: self.state.policy.engine.version().timing.max_lifetime_seconds,
            roster: self.state.roster(),
        }
    }

    /// What the request needs under the policy in force.
    pub(crate) fn requirement(&self, id: &RequestId, request: &Request) -> Result<Requirement, Reason> {
        let mut look = Self::begin_look(self);
        let ruling = match &request.intent.action {
            Action::Authority(change) => look.judge_authority(request, change).map(|(passed, _)| passed),
            _ => {
                let understood = look.understand_request(request)?;
                let judged = look.judge(id, request, &understood);
                if look.waits_for_run(request, &understood, &judged) {
                    return Err(SimulationReason::Pending { request: *id }.into());
                }
                judged
            }
        };
        match ruling {
            Ok(passed) => Ok(passed.requirement),
            Err((_, reasons)) => Err(reasons.into_iter().next().unwrap_or_else(no_account)),
        }
    }

    fn begin_look(&self) -> Turn<'_, C> {
        Turn::look(&self.state, self.controls)
    }

    fn settle_question(&mut self, id: &RequestId, request: &Request, understood: Understood, passed: Passed) {
        let agreed = keystead_quorum::authorize(
            &passed.requirement,
            &self.context(id, request),
            &request.approvals,
            self.controls.checks(),
        );
        if agreed.is_ok() && self.run_is_stale(request, &understood) {
            return self.await_run(id, request, &understood);
        }
        self.await_no_run(id, request, &understood);
        match agreed {
            Ok(authorization) => self.allow(id, request, &understood, passed, authorization),
            Err(shortfall) => self.short(id, request, passed, &shortfall),
        }
    }

    /// Not enough people agree: for good, or so far.
    pub(crate) fn short(&mut self, id: &RequestId, request: &Request, passed: Passed, shortfall: &Shortfall) {
        match (&shortfall.rejected_by, shortfall.expired_at) {
            (Some(by), _) => self.deny(id, passed.rules, vec![Reason::Rejected { by: by.clone() }]),
            (None, Some(at)) => self.deny(id, passed.rules, vec![Reason::Expired { at }]),
            (None, None) => self.wait(id, request, passed),
        }
    }

    /// Tells who has to approve and from when on; once for each announcement.
    fn wait(&mut self, id: &RequestId, request: &Request, passed: Passed) {
        if self.state.open as usize > MAX_OPEN_REQUESTS {
            return self.deny(
                id,
                passed.rules,
                vec![Reason::TooManyOpen { limit: MAX_OPEN_REQUESTS as u64 }],
            );
        }
        let ready = request.announced.plus_seconds(passed.requirement.delay_seconds);
        if ready > self.now() {
            self.state.due.insert((ready, *id));
        }
        if request.announced == self.now() {
            let (class, signing_digest) = (request.class, request.signing_digest);
            let outcome = Outcome::Wait { class, signing_digest, requirement: passed.requirement, ready };
            self.decide(*id, passed.rules, outcome);
        }
    }

    /// INVARIANT S1, S10: reserves amounts and slot in the same step that allows.
    fn allow(
        &mut self,
        id: &RequestId,
        request: &Request,
        understood: &Understood,
        passed: Passed,
        authorization: Authorization,
    ) {
        let Some(account) = request.intent.action.account() else { return };
        let digest = understood.unsigned.granted(self.controls);
        let digest = approval_digest(digest, request.simulation.as_ref());
        let policy = self.state.policy.engine.reference();
        let granted = match authorization.redeem(digest, policy, self.now()) {
            Ok(granted) => granted,
            Err(mismatch) => return self.deny(id, passed.rules, vec![not_counted(&mismatch)]),
        };
        self.reserve(id, &understood.effects, passed.charges);
        self.count_use(&account.key);
        self.note_rights(understood.address, &understood.effects);
        let certificate_ends = self.now().plus_seconds(self.certificate_seconds());
        let expires = certificate_ends.min(granted.expires);
        let grant = self.grant(account, understood, request, expires);
        self.decide(*id, passed.rules, Outcome::Allow(grant));
        self.schedule_end(id, over_at(&understood.effects, self.now()));
    }

    fn reserve(&mut self, id: &RequestId, effects: &Effects, charges: Vec<Charge>) {
        let (now, skew) = (self.now(), self.state.policy.engine.version().timing.skew_seconds);
        for charge in &charges {
            self.state.windows.reserve(charge, now, skew);
        }
        if let Some(slot) = effects.slot {
            self.state.take_slot(slot, *id);
        }
        let coins = effects.coins.as_ref().map(|it| it.coins.clone()).unwrap_or_default();
        if let Some(purse) = self.state.requests.get(id).and_then(|it| purse_of(it)) {
            self.state.take_coins(&purse, &coins, *id);
        }
        self.step(id, Event::Allow);
        if let Some(request) = self.state.requests.get_mut(id).map(Arc::make_mut) {
            (request.charges, request.slot, request.coins) = (charges, effects.slot, coins);
        }
    }

    fn certificate_seconds(&self) -> u64 {
        self.state.policy.engine.version().timing.certificate_seconds
    }

    fn grant(
        &self,
        account: &AccountRef,
        understood: &Understood,
        request: &Request,
        expires: Timestamp,
    ) -> Grant {
        Grant {
            account: account.clone(),
            address: understood.address,
            epoch: self.state.keys.get(&account.key).map(|key| key.epoch).unwrap_or_default(),
            chain: understood.effects.chain,
            signing_digest: request.signing_digest,
            slot: understood.effects.slot,
            class: request.class,
            expires,
        }
    }

    fn schedule_end(&mut self, id: &RequestId, over: Option<Timestamp>) {
        let counts = self.controls.counts_unsettled();
        match over {
            Some(at) if at > self.now() => drop(self.state.due.insert((at, *id))),
            Some(_) => self.lapse(id),
            None if !counts => self.lapse(id),
            None => {}
        }
    }

    /// Whether the right of an allowed request is over by itself. Read from its bytes again, whatever became of
    /// its key; what cannot be read counts on.
    pub(crate) fn is_over(&self, id: &RequestId) -> bool {
        let Some(request) = self.state.requests.get(id).filter(|it| it.slot.is_none()) else { return false };
        let effects = self.effects_of(&request.intent.action);
        effects.and_then(|it| over_at(&it, request.announced)).is_some_and(|at| at <= self.now())
    }

    fn effects_of(&self, action: &Action) -> Option<Effects> {
        if let Action::Solana(it) = action {
            return self.effects_of_message(it);
        }
        if let Action::Near(it) = action {
            return self.effects_of_near(it);
        }
        let account = action.account()?;
        let address = self.state.keys.get(&account.key)?.account.address(account.index)?;
        let unsigned = self.controls.build(action, address).ok()?;
        Some(self.controls.explain(&unsigned, self.state.policy.engine.registry()))
    }

    /// INVARIANT S4: a fresh certificate for the same digest, if policy still allows it and nothing is frozen.
    pub(crate) fn renew(&mut self, renewal: &Renewal) {
        let id = renewal.request;
        let Some(request) = self.state.requests.get(&id).cloned() else { return };
        if request.phase != Phase::Allowed {
            let reasons = vec![Reason::NotOpen { request: id }];
            return self.decide(id, Vec::new(), Outcome::Deny { class: Some(request.class), reasons });
        }
        match self.renewed(&request) {
            Ok((rules, grant)) => self.decide(id, rules, Outcome::Allow(grant)),
            Err((rules, reasons)) => {
                self.decide(id, rules, Outcome::Deny { class: Some(request.class), reasons });
            }
        }
    }

    fn renewed(&mut self, request: &Request) -> Result<(Vec<keystead_base::Name>, Grant), Refused> {
        let alone = |reason| (Vec::new(), vec![reason]);
        let account = request.intent.action.account().ok_or_else(|| alone(no_account()))?.clone();
        if self.controls.frozen(&self.state.frozen, &account.key) {
            return Err(alone(Reason::Frozen { key: Some(account.key) }));
        }
        let understood = self.understand_request(request).map_err(alone)?;
        let id = RequestId(request.intent.digest());
        if self.lacks_demanded_run(request, &understood) {
            return Err(alone(SimulationReason::Pending { request: id }.into()));
        }
        let passed = self.ask(request, &understood, &account)?;
        let authorization = keystead_quorum::authorize(
            &passed.requirement,
            &self.context(&id, request),
            &request.approvals,
            self.controls.checks(),
        );
        let digest = understood.unsigned.granted(self.controls);
        let digest = approval_digest(digest, request.simulation.as_ref());
        let policy = self.state.policy.engine.reference();
        let granted = match authorization.map(|it| it.redeem(digest, policy, self.now())) {
            Ok(Ok(granted)) => granted,
            Ok(Err(mismatch)) => return Err((passed.rules, vec![not_counted(&mismatch)])),
            Err(shortfall) => return Err((passed.rules, vec![not_counted(&shortfall)])),
        };
        let expires = self.now().plus_seconds(self.certificate_seconds()).min(granted.expires);
        Ok((passed.rules, self.grant(&account, &understood, request, expires)))
    }
}

/// Turns a ruling into a result.
pub(crate) fn pass(ruling: Ruling) -> Result<Passed, Refused> {
    match ruling {
        Ruling::Pass { requirement, charges, rules } => Ok(Passed { requirement, charges, rules }),
        Ruling::Deny { reasons, rules } => Err((rules, reasons)),
    }
}

/// For actions that have no account to sign with: changes of authority never come here.
fn no_account() -> Reason {
    Reason::Undecodable { code: "request.no_account".to_owned(), text: "there is nothing to sign".to_owned() }
}

/// When a signature without a slot is over by itself: at once when it gives nothing away, at the
/// latest deadline when it gives only rights with deadlines; otherwise only a settlement ends it.
fn over_at(effects: &Effects, now: Timestamp) -> Option<Timestamp> {
    if effects.slot.is_some() {
        return None;
    }
    if let Some(at) = blockhash_over_at(effects, now) {
        return Some(at);
    }
    effects.items.iter().try_fold(now, |latest, effect| match &effect.kind {
        EffectKind::Statement { .. } | EffectKind::Cancel { .. } | EffectKind::NoValue => Some(latest),
        EffectKind::Allowance(allowance) => {
            let seconds = u64::try_from(allowance.deadline?.0).ok()?;
            Some(latest.max(Timestamp::default().plus_seconds(seconds)))
        }
        _ => None,
    })
}

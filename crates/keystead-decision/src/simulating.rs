//! Runs of transactions: which requests wait for one, and what comes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use imbl::OrdSet;
use keystead_base::{Canonical, ClusterId, Digest, RequestId, Signed, Timestamp};
use keystead_intent::{Run, SimulatedBlock};
use keystead_policy::{Reason, RunTerms, Simulated, SimulationReason};
use serde::{Deserialize, Serialize};

use crate::judge::{Passed, Refused, Understood};
use crate::turn::Turn;
use crate::{Controls, MAX_OPEN_REQUESTS, Outcome, Phase, Request, State};

/// What a node found when it ran the transaction of a request after one block. Each other node runs it itself, on
/// the state that its own endpoints agree on, before it lets this pass: the block's hash names one state, so all of
/// them come to the same.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// The cluster.
    pub cluster: ClusterId,
    /// The request, which names the chain.
    pub request: RequestId,
    /// The block that it was run after.
    pub block: SimulatedBlock,
    /// What came of it.
    pub run: Run,
}

impl Canonical for Simulation {
    const DOMAIN: &'static str = "keystead/simulation/v1";
}

/// The run that counts for a request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsed {
    /// The height of the log at which it was taken over: that block holds the entry.
    pub height: u64,
    /// The chain's block that it was run after.
    pub block: SimulatedBlock,
    /// What came of it; of several runs the first one, where the later ones took no more.
    pub run: Run,
}

/// What people agree to where a run was shown to them. Its digest is what their approvals name: they count for
/// nothing else than what was shown, whoever showed it and whenever they arrive.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenRun {
    /// The digest of the bytes to sign.
    pub signing_digest: Digest,
    /// The run.
    pub run: Run,
}

impl Canonical for SeenRun {
    const DOMAIN: &'static str = "keystead/seen-run/v1";
}

/// What approvals of a request name: the digest of the bytes to sign, together with their run where there is one.
#[must_use]
pub fn approval_digest(signing_digest: Digest, rehearsed: Option<&Rehearsed>) -> Digest {
    match rehearsed {
        Some(it) => SeenRun { signing_digest, run: it.run.clone() }.digest(),
        None => signing_digest,
    }
}

impl<C: Controls> Turn<'_, C> {
    /// Whether a request waits for its first run. What was judged without one and is denied whatever comes of a run is
    /// denied at once: nobody keeps nodes busy with it.
    pub(crate) fn waits_for_run(
        &self,
        request: &Request,
        understood: &Understood,
        judged: &Result<Passed, Refused>,
    ) -> bool {
        let waits = request.simulation.is_none() && self.run_is_stale(request, understood);
        let (Some(account), true) = (request.intent.action.account(), waits) else { return false };
        match judged {
            Ok(_) => true,
            Err((_, reasons)) => self.state.policy.engine.could_pass_when_run(&account.key, reasons),
        }
    }

    /// Whether policy demands a run of a request, and there is none.
    pub(crate) fn lacks_demanded_run(&self, request: &Request, understood: &Understood) -> bool {
        request.simulation.is_none() && self.run_terms(request, understood).is_some_and(|it| it.demanded)
    }

    /// Whether the run that counts for a request is too old to allow it on, and another one may come yet.
    pub(crate) fn run_is_stale(&self, request: &Request, understood: &Understood) -> bool {
        !self.goes_on_without(request, understood) && self.has_no_recent_run(request, understood)
    }

    /// What rules see of a run. One that is too old is none where the request goes on without a newer one.
    pub(crate) fn simulated<'r>(&self, request: &'r Request, understood: &Understood) -> Simulated<'r> {
        match (&request.simulation, understood.unsigned.transaction()) {
            (_, None) => Simulated::NotApplicable,
            (None, Some(_)) => Simulated::No,
            (Some(_), Some(_))
                if self.goes_on_without(request, understood)
                    && self.has_no_recent_run(request, understood) =>
            {
                Simulated::No
            }
            (Some(rehearsed), Some(_)) => Simulated::Ran(&rehearsed.run),
        }
    }

    fn has_no_recent_run(&self, request: &Request, understood: &Understood) -> bool {
        let Some(terms) = self.run_terms(request, understood) else { return false };
        request.simulation.as_ref().is_none_or(|it| !terms.rule.is_recent(&it.block, self.now()))
    }

    /// Whether nobody demands a run of this request, and it was waited for one as long as policy says.
    fn goes_on_without(&self, request: &Request, understood: &Understood) -> bool {
        let waited = request.simulate_by.is_some_and(|until| until <= self.now());
        waited && self.run_terms(request, understood).is_some_and(|it| !it.demanded)
    }

    fn run_terms(&self, request: &Request, understood: &Understood) -> Option<RunTerms<'_>> {
        understood.unsigned.transaction()?;
        let key = &request.intent.action.account()?.key;
        self.state.policy.engine.run_terms(key, &understood.effects)
    }

    /// From now on people may approve what has no run and needs none: they are told now.
    pub(crate) fn announce_without_run(
        &mut self,
        id: &RequestId,
        request: &Request,
        understood: &Understood,
    ) {
        let (now, until) = (self.now(), request.simulate_by);
        let is_first = request.simulation.is_none() && until.is_some_and(|until| request.announced < until);
        if is_first && self.goes_on_without(request, understood) {
            self.change(id, |it| it.announced = now);
        }
    }

    /// Waits for a run, and no longer than policy says: what is unknown then is denied.
    pub(crate) fn await_run(&mut self, id: &RequestId, request: &Request, understood: &Understood) {
        let Some(terms) = self.run_terms(request, understood) else { return };
        if self.state.open as usize > MAX_OPEN_REQUESTS {
            let limit = MAX_OPEN_REQUESTS as u64;
            return self.deny(id, Vec::new(), vec![Reason::TooManyOpen { limit }]);
        }
        let wait = terms.wait_seconds;
        match request.simulate_by {
            Some(until) if until <= self.now() => {
                self.deny(id, Vec::new(), vec![SimulationReason::Unknown { until }.into()]);
            }
            Some(_) => {}
            None => self.ask_for_run(id, request, self.now().plus_seconds(wait)),
        }
    }

    fn ask_for_run(&mut self, id: &RequestId, request: &Request, until: Timestamp) {
        self.change(id, |it| it.simulate_by = Some(until));
        self.state.due.insert((until, *id));
        let (class, signing_digest) = (request.class, request.signing_digest);
        self.decide(*id, Vec::new(), Outcome::Simulate { class, signing_digest, until });
    }

    /// A node says what came of running a request that waits for it. Where people agreed to a run that took no less,
    /// that one stays, on the newer block. Otherwise their approvals name another run and are void.
    pub(crate) fn simulation(&mut self, signed: &Signed<Simulation>) {
        let (id, subject) = (signed.body.request, RequestId(signed.body.digest()));
        if let Err(reason) = self.state.awaits(&signed.body) {
            let person = signed.signer.clone();
            return self.decide(subject, Vec::new(), Outcome::Refused { person, reason });
        }
        let Simulation { block, run, .. } = signed.body.clone();
        let (now, height) = (self.now(), self.state.height);
        self.change(&id, |request| {
            let seen = request.simulation.take().map(|seen| seen.run);
            let agreed = seen.filter(|seen| run.takes_no_more_than(seen));
            if agreed.is_none() {
                request.approvals.clear();
                request.announced = now;
            }
            request.simulation = Some(Rehearsed { height, block, run: agreed.unwrap_or(run) });
            request.simulate_by = None;
        });
        self.decide(subject, Vec::new(), Outcome::Simulated);
        self.reconsider(&id);
    }

    /// A request waits for a run as long as policy wants one: not for one that nobody needs any more. That it was waited
    /// for in vain is remembered where it goes on without: once is enough.
    pub(crate) fn await_no_run(&mut self, id: &RequestId, request: &Request, understood: &Understood) {
        if request.simulate_by.is_some() && !self.goes_on_without(request, understood) {
            self.change(id, |it| it.simulate_by = None);
        }
    }

    fn change(&mut self, id: &RequestId, change: impl FnOnce(&mut Request)) {
        if let Some(request) = self.state.requests.get_mut(id).map(Arc::make_mut) {
            change(request);
        }
    }
}

impl State {
    /// The requests that wait for a run, with the moment until which they do.
    pub fn awaiting_runs(&self) -> impl Iterator<Item = (&RequestId, Timestamp)> {
        let open = self.requests.iter().filter(|(_, request)| request.phase == Phase::Open);
        let awaiting = open.filter_map(|(id, request)| Some((id, request.simulate_by?)));
        awaiting.filter(|(_, until)| *until > self.time)
    }

    /// Whether this request waits for a run, and this one is on a recent state.
    ///
    /// # Errors
    ///
    /// [`Reason`] when it does not count, whatever it says.
    pub fn awaits(&self, simulation: &Simulation) -> Result<(), Reason> {
        let id = simulation.request;
        let request = self.requests.get(&id).ok_or(Reason::RequestUnknown { request: id })?;
        if request.phase != Phase::Open || request.simulate_by.is_none_or(|until| until <= self.time) {
            return Err(Reason::NotOpen { request: id });
        }
        let rule = self.policy.engine.version().simulation.as_ref().ok_or(Reason::NotOpen { request: id })?;
        if rule.is_recent(&simulation.block, self.time) {
            return Ok(());
        }
        let oldest = self.time.minus_seconds(rule.max_age_seconds);
        let found = Timestamp::default().plus_seconds(simulation.block.time_seconds);
        Err(SimulationReason::Stale { oldest, found }.into())
    }

    /// Every account of ours that ever gave anything away by this log: each of them took a slot, or signed what gives a
    /// right without one. From no other can anybody take what an allowance lets them take.
    #[must_use]
    pub fn accounts(&self) -> &OrdSet<Address> {
        &self.accounts
    }

    /// Reads them off, where the state came as a document.
    pub(crate) fn count_accounts(&mut self) {
        let slots = self.slots.keys().map(|slot| slot.account);
        self.accounts = slots.chain(self.rights.iter().map(|(_, account, _)| *account)).collect();
    }

    /// The accounts that tokens are asked about in any case: the one that signs, and the first one of each key.
    #[must_use]
    pub fn watched_accounts(&self, account: Address) -> BTreeSet<Address> {
        let firsts = self.keys.values().filter_map(|key| key.address(0)).take(MAX_WATCHED_KEYS);
        firsts.chain([account]).collect()
    }
}

/// The most keys whose first accounts are asked about in any case, by name.
const MAX_WATCHED_KEYS: usize = 64;

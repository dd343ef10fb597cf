//! Changes of authority: the same way, to another end.

use std::sync::Arc;

use keystead_base::{Canonical, Coded, Name, RequestId, Timestamp};
use keystead_intent::{ActionKind, AuthorityChange, Intent, KeyCeremony, KeyMove, KeyState};
use keystead_policy::{
    AssuranceLevel, Facts, PolicyVersion, Question, Reason, Sections, Simulated, Subject, larger,
};

use crate::coins::check_registered;
use crate::finding::FoundSince;
use crate::incident::said;
use crate::judge::{Passed, Refused, pass};
use crate::key_moves::{frees, key_of, kind_of, move_of, not_from, split_among};
use crate::reading::Remembered;
use crate::state::ActivePolicy;
use crate::turn::{Turn, not_counted};
use crate::{Controls, DealtReport, Event, KeyEvent, KeyLife, KeyStep, Outcome, Phase, Request, ShareHome};

impl<C: Controls> Turn<'_, C> {
    /// A change of authority is asked for.
    pub(crate) fn authority(&mut self, id: RequestId, intent: &Intent, change: &AuthorityChange) {
        match self.possible(change) {
            Ok(_) => {
                self.open(id, intent, id.0, Self::AUTHORITY, Remembered::default());
                self.reconsider(&id);
            }
            Err(reason) => {
                let class = Some(Self::AUTHORITY);
                self.decide(id, Vec::new(), Outcome::Deny { class, reasons: vec![reason] });
            }
        }
    }

    pub(crate) fn reconsider_authority(
        &mut self,
        id: &RequestId,
        request: &Request,
        change: &AuthorityChange,
    ) {
        let (passed, next) = match self.judge_authority(request, change) {
            Ok(passed) => passed,
            Err((rules, reasons)) => return self.deny(id, rules, reasons),
        };
        match keystead_quorum::authorize(
            &passed.requirement,
            &self.context(id, request),
            &request.approvals,
            self.controls.checks(),
        ) {
            Ok(authorization) => {
                let redeemed = authorization.redeem(
                    request.signing_digest,
                    self.state.policy.engine.reference(),
                    self.now(),
                );
                match redeemed {
                    Ok(_) => self.carry_out(id, request, change, passed, next),
                    Err(mismatch) => self.deny(id, passed.rules, vec![not_counted(&mismatch)]),
                }
            }
            Err(shortfall) => self.short(id, request, passed, &shortfall),
        }
    }

    pub(crate) fn judge_authority(
        &self,
        request: &Request,
        change: &AuthorityChange,
    ) -> Result<(Passed, Option<ActivePolicy>), Refused> {
        let (sections, next) = self.possible(change).map_err(|reason| (Vec::new(), vec![reason]))?;
        self.nothing_newer(request, change).map_err(|since| (Vec::new(), vec![not_counted(&since)]))?;
        let facts = Facts {
            now: self.now(),
            account: None,
            assurance: AssuranceLevel::Process,
            prices: &self.state.prices,
            cooling: &self.state.cooling,
            simulation: Simulated::NotApplicable,
            nonce_ahead: 0,
            drill_age_seconds: 0,
        };
        let question = Question {
            requester: &request.intent.requester,
            action: ActionKind::Authority,
            key: key_of(change),
            subject: Subject::Authority(change, sections),
            facts: &facts,
        };
        let mut passed = pass(self.controls.rule(&self.state.policy.engine, &question))?;
        if self.state.rebuilt && frees(change) {
            let requester = &request.intent.requester;
            let others = self.state.roster().people.iter().filter(|it| it.name != *requester);
            passed.requirement.needs = larger(&passed.requirement.needs, others);
        }
        Ok((passed, next))
    }

    /// INVARIANT S13: whether the change follows from where the cluster stands.
    fn possible(&self, change: &AuthorityChange) -> Result<(Sections, Option<ActivePolicy>), Reason> {
        match change {
            AuthorityChange::Policy { document }
            | AuthorityChange::Roster { document }
            | AuthorityChange::AddressBook { document } => self.next_policy(change, document),
            AuthorityChange::Thaw { key } => {
                self.can_thaw(key.as_ref()).map(|()| (Sections::default(), None))
            }
            AuthorityChange::Compromise { suspects, why } => {
                self.can_be_declared(suspects, why).map(|()| (Sections::default(), None))
            }
            AuthorityChange::Key(ceremony) => {
                self.ceremony_possible(ceremony).map(|()| (Sections::default(), None))
            }
        }
    }

    /// INVARIANT L4: what people did not know when they were asked, they did not look into.
    fn nothing_newer(&self, request: &Request, change: &AuthorityChange) -> Result<(), FoundSince> {
        let AuthorityChange::Thaw { key: Some(key) } = change else { return Ok(()) };
        self.state.found_since(key, request.announced).map_or(Ok(()), Err)
    }

    fn next_policy(
        &self,
        change: &AuthorityChange,
        document: &[u8],
    ) -> Result<(Sections, Option<ActivePolicy>), Reason> {
        if let Some(successor) = &self.successor {
            let (gathered, current) =
                (self.state.policy.engine.version().number, successor.engine.version().number);
            return Err(Reason::PolicyChanged { gathered, current });
        }
        let unfit = |code: &str, text: String| Reason::PolicyRefused { code: code.to_owned(), text };
        let next =
            PolicyVersion::from_document(document).map_err(|error| unfit(error.code(), error.to_string()))?;
        let current = self.state.policy.engine.version();
        let sections = self
            .controls
            .successor(current, &next)
            .map_err(|error| unfit(error.code(), error.to_string()))?;
        self.controls.devices(current, &next).map_err(|error| unfit(error.code(), error.to_string()))?;
        sections.fit(change).map_err(|error| unfit(error.code(), error.to_string()))?;
        check_registered(&next).map_err(|error| unfit(error.code(), error.to_string()))?;
        let active = ActivePolicy::compile(next).map_err(|error| unfit(error.code(), error.to_string()))?;
        Ok((sections, Some(active)))
    }

    fn ceremony_possible(&self, ceremony: &KeyCeremony) -> Result<(), Reason> {
        let name = ceremony.key();
        let Some(key) = self.state.keys.get(name) else {
            return match ceremony {
                KeyCeremony::Create { kind, .. } => self.can_be_created(name, *kind),
                KeyCeremony::Generate { kind, threshold, holders, .. } => {
                    self.can_be_generated(name, *kind, *threshold, holders)
                }
                KeyCeremony::Abort { request, .. } => self.can_be_aborted(name, request),
                KeyCeremony::Import { .. } => self.can_be_imported(ceremony),
                KeyCeremony::CreateInTokens { .. } => self.is_free(name),
                _ => Err(Reason::KeyUnknown { key: name.clone() }),
            };
        };
        self.may_leave(name, key, ceremony)?;
        match ceremony {
            KeyCeremony::Create { .. }
            | KeyCeremony::Generate { .. }
            | KeyCeremony::CreateInTokens { .. } => {
                return Err(Reason::KeyExists { key: name.clone() });
            }
            // INVARIANT K4: what never was whole cannot leave whole, and no token lets its keys out.
            KeyCeremony::Backup { .. }
            | KeyCeremony::Split { .. }
            | KeyCeremony::Export { .. }
            | KeyCeremony::Restore { .. }
                if key.kind.is_shared() || key.kind.is_in_tokens() =>
            {
                return Err(Reason::KindRefused { key: name.clone(), kind: key.kind });
            }
            KeyCeremony::Refresh { .. } | KeyCeremony::Reshare { .. } | KeyCeremony::Repair { .. } => {
                self.can_be_shared_anew(key, ceremony)?
            }
            KeyCeremony::Abort { request, .. } => return self.can_be_aborted(name, request),
            KeyCeremony::Import { .. } => self.can_be_imported(ceremony)?,
            KeyCeremony::Lift { node, .. } => self.can_be_lifted(name, key, node)?,
            KeyCeremony::Limit { terms, .. } => return self.can_be_limited(name, key, terms),
            KeyCeremony::Succeed { successor, .. } => return self.can_succeed(name, key, successor),
            KeyCeremony::Deactivate { why, .. } => said(why)?,
            KeyCeremony::Exit { recipients, .. } => self.can_leave(name, key, recipients)?,
            KeyCeremony::Backup { recipients, .. } => self.can_receive(recipients)?,
            KeyCeremony::Split { group_threshold, groups, .. } => {
                self.can_receive(&split_among(name, *group_threshold, groups)?)?
            }
            KeyCeremony::Export { recipient, .. } => self.can_receive(std::slice::from_ref(recipient))?,
            // Without a backup that was drilled there is nothing to restore, and nobody was paid there yet.
            KeyCeremony::Restore { .. } if !key.state.receives() => {
                return Err(not_from(name, key.state, ceremony));
            }
            KeyCeremony::Suspend { .. }
            | KeyCeremony::Resume { .. }
            | KeyCeremony::Destroy { .. }
            | KeyCeremony::Restore { .. } => {}
        }
        key.state.after(move_of(ceremony)).map(|_| ()).ok_or_else(|| not_from(name, key.state, ceremony))
    }

    fn can_receive(&self, recipients: &[Name]) -> Result<(), Reason> {
        let able =
            |name: &&Name| self.state.roster().person(name).is_some_and(|person| person.recipient.is_some());
        match recipients.iter().find(|name| !able(name)) {
            Some(name) => Err(Reason::NotARecipient { person: name.clone() }),
            None if recipients.is_empty() => Err(Reason::NoRecipients),
            None => Ok(()),
        }
    }

    fn carry_out(
        &mut self,
        id: &RequestId,
        request: &Request,
        change: &AuthorityChange,
        passed: Passed,
        next: Option<ActivePolicy>,
    ) {
        self.step(id, Event::Apply);
        let outcome = match change {
            AuthorityChange::Policy { .. }
            | AuthorityChange::Roster { .. }
            | AuthorityChange::AddressBook { .. } => {
                let Some(next) = next else { return };
                let policy = next.engine.reference();
                self.successor = Some(Arc::new(next));
                Outcome::Activated { policy }
            }
            AuthorityChange::Thaw { key } => self.thaw(key.clone(), request.announced),
            AuthorityChange::Compromise { suspects, why } => self.declared(suspects, why),
            AuthorityChange::Key(ceremony) => self.ceremony(request, ceremony),
        };
        self.decide(*id, passed.rules, outcome);
    }

    /// Moves a key on in its table, and keeps what headers say about it true.
    pub(crate) fn move_key(&mut self, name: &Name, event: KeyMove) -> Result<KeyState, Reason> {
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        let Some(after) = key.state.after(event) else {
            return Err(Reason::KeyStep { key: name.clone(), state: key.state, change: kind_of(event) });
        };
        key.state = after;
        // From this block's header on, the signing back ends refuse outstanding certificates themselves.
        self.restop(name);
        Ok(after)
    }

    /// What was found after `asked` stays, and keeps its key frozen.
    fn thaw(&mut self, key: Option<Name>, asked: Timestamp) -> Outcome {
        self.state.clear_findings(key.as_ref(), asked);
        match &key {
            Some(key) => drop(self.state.frozen.keys.remove(key)),
            None => {
                self.state.frozen.everything = false;
                self.state.rebuilt = false;
                self.state.incident = None;
                let found = self.state.keys_with_findings();
                self.state.frozen.keys.retain(|key| found.contains(key));
            }
        }
        Outcome::Thawed { key }
    }

    /// What the log can do alone it does here; for the rest the back end gets a permission.
    fn ceremony(&mut self, request: &Request, ceremony: &KeyCeremony) -> Outcome {
        let key = ceremony.key();
        match ceremony {
            KeyCeremony::Suspend { .. } | KeyCeremony::Resume { .. } => {
                return self.moved(key, move_of(ceremony));
            }
            KeyCeremony::Deactivate { .. } => {
                let moved = self.moved(key, move_of(ceremony));
                if !matches!(moved, Outcome::Deny { .. }) {
                    self.state.convened.remove(key);
                }
                return moved;
            }
            KeyCeremony::Limit { terms, .. } => {
                self.limited(key, terms);
                return Outcome::Key { key: key.clone(), state: self.state_of(key) };
            }
            KeyCeremony::Succeed { successor, .. } => {
                self.succeeded(key, successor);
                return Outcome::Key { key: key.clone(), state: self.state_of(key) };
            }
            KeyCeremony::Abort { request, .. } => return self.abort_convening(key, request),
            KeyCeremony::Destroy { .. } => {
                if let denied @ Outcome::Deny { .. } = self.moved(key, KeyMove::Destroy) {
                    return denied;
                }
                self.state.convened.remove(key);
                self.let_be_wiped(key, request.intent.id());
            }
            KeyCeremony::Exit { .. } => {
                // INVARIANT S14: what is about to be known elsewhere signs here no more, whoever hands out how much of it.
                if let denied @ Outcome::Deny { .. } = self.moved(key, KeyMove::Exit) {
                    return denied;
                }
                self.state.convened.remove(key);
            }
            KeyCeremony::Generate { .. }
            | KeyCeremony::Refresh { .. }
            | KeyCeremony::Reshare { .. }
            | KeyCeremony::Import { .. }
            | KeyCeremony::Repair { .. } => self.open_convening(request, ceremony),
            KeyCeremony::Create { .. }
            | KeyCeremony::Backup { .. }
            | KeyCeremony::Split { .. }
            | KeyCeremony::Export { .. }
            | KeyCeremony::Lift { .. }
            | KeyCeremony::CreateInTokens { .. }
            | KeyCeremony::Restore { .. } => {}
        }
        let epoch = self.state.keys.get(key).map(|key| key.epoch).unwrap_or_default();
        let seconds = self.state.policy.engine.version().timing.certificate_seconds;
        let expires = self.now().plus_seconds(seconds).min(request.intent.expires);
        Outcome::Ceremony { ceremony: ceremony.clone(), epoch, expires }
    }

    fn moved(&mut self, key: &Name, event: KeyMove) -> Outcome {
        match self.move_key(key, event) {
            Ok(state) => Outcome::Key { key: key.clone(), state },
            Err(reason) => Outcome::Deny { class: Some(Self::AUTHORITY), reasons: vec![reason] },
        }
    }

    /// A node reports what its back end did with a key.
    pub(crate) fn key_event(&mut self, node: &Name, event: &KeyEvent) {
        let subject = RequestId(event.digest());
        match self.key_step(node, event) {
            Ok(state) => self.decide(subject, Vec::new(), Outcome::Key { key: event.key.clone(), state }),
            Err(reason) => {
                self.decide(subject, Vec::new(), Outcome::Deny { class: None, reasons: vec![reason] })
            }
        }
    }

    fn key_step(&mut self, node: &Name, event: &KeyEvent) -> Result<KeyState, Reason> {
        self.reported_at_home(node, event)?;
        let name = &event.key;
        match &event.step {
            KeyStep::Created { request, kind, account, assurance, protections } => {
                self.asked_for(request, |it| {
                    matches!(it, KeyCeremony::Create { key, kind: asked, home }
                        if *key == event.key && asked == kind && home == node)
                })?;
                self.can_be_created(&event.key, *kind)?;
                let life =
                    KeyLife { owner: self.requester_of(request), born: self.now(), ..KeyLife::default() };
                let key = crate::Key {
                    assurance: *assurance,
                    protections: protections.clone(),
                    ..crate::Key::born(*kind, *account, node.clone(), life)
                };
                self.new_key(&event.key, key)
            }
            KeyStep::BackedUp { request, backup } => self.backed_up(request, &event.key, *backup),
            KeyStep::Drilled { backup, proof } => self.drilled(&event.key, *backup, proof),
            KeyStep::Protected { protections } => self.protected_by(node, &event.key, protections),
            KeyStep::Destroyed => self.wiped(node, &event.key),
            KeyStep::Seated { request, seat } => self.seated(node, &event.key, request, seat),
            KeyStep::Dealt { request, attempt, account, shares, assurance, protections } => {
                let home = ShareHome::new(*assurance, protections);
                let report = DealtReport { account: *account, shares: shares.clone(), home };
                self.dealt(node, &event.key, (request, *attempt), report)
            }
            KeyStep::Proven { request, attempt, proof } => {
                self.proven(node, &event.key, (request, *attempt), proof)
            }
            KeyStep::Left { request, file } => {
                self.asked_for(request, |it| matches!(it, KeyCeremony::Exit { key, .. } if key == name))?;
                self.left(node, &event.key, *file)
            }
            KeyStep::Imported { request, attempt, dealing } => {
                self.imported(&event.key, (request, *attempt), dealing)
            }
            KeyStep::Lost { epoch } => self.lost(node, &event.key, *epoch),
            KeyStep::Received { .. } | KeyStep::Wiped { .. } | KeyStep::Controlled { .. } => {
                self.life_step(node, event)
            }
            KeyStep::Wallet { wallet, proof } => self.wallet_recorded(&event.key, wallet, proof),
            KeyStep::Restored { request, recipient, assurance, protections, proof } => {
                self.asked_for(request, |it| {
                    matches!(it, KeyCeremony::Restore { key, home } if *key == event.key && home == node)
                })?;
                let home = (node.clone(), *assurance, protections.clone());
                let state = self.restored(&event.key, home, recipient, proof)?;
                // Once: a home that kept the seed would otherwise take the key back from the next one.
                self.step(request, Event::Settle);
                Ok(state)
            }
            KeyStep::InTokens { request, account, assurance, protections, proof } => {
                self.asked_for(request, |it| {
                    matches!(it, KeyCeremony::CreateInTokens { key, home, .. }
                        if *key == event.key && home == node)
                })?;
                let home = (node.clone(), *assurance, protections.clone());
                self.born_in_tokens(&event.key, request, *account, home, proof)
            }
        }
    }

    /// What a back end did with a key, only the node says whose back end it is. Whoever restored a backup may
    /// report the drill: its proof speaks for itself.
    fn reported_at_home(&self, node: &Name, event: &KeyEvent) -> Result<(), Reason> {
        let Some(key) = self.state.keys.get(&event.key) else { return Ok(()) };
        match &event.step {
            KeyStep::Created { .. }
            | KeyStep::InTokens { .. }
            | KeyStep::Drilled { .. }
            | KeyStep::Restored { .. }
            | KeyStep::Seated { .. }
            | KeyStep::Dealt { .. }
            | KeyStep::Imported { .. }
            | KeyStep::Proven { .. } => Ok(()),
            _ if key.is_held_by(node) => Ok(()),
            _ => {
                let (key, home) = (event.key.clone(), key.home.clone());
                Err(Reason::NotHome { key, home, node: node.clone() })
            }
        }
    }

    pub(crate) fn asked_for(
        &self,
        id: &RequestId,
        fits: impl Fn(&KeyCeremony) -> bool,
    ) -> Result<(), Reason> {
        let request = self.state.requests.get(id).ok_or(Reason::RequestUnknown { request: *id })?;
        match &request.intent.action {
            keystead_intent::Action::Authority(AuthorityChange::Key(ceremony))
                if request.phase == Phase::Applied && fits(ceremony) =>
            {
                Ok(())
            }
            _ => Err(Reason::NotOpen { request: *id }),
        }
    }

    /// INVARIANT E3: two keys with one public key are never accepted.
    pub(crate) fn new_key(&mut self, name: &Name, key: crate::Key) -> Result<KeyState, Reason> {
        let first = key.account.address(0);
        let twin = self.state.keys.iter().any(|(other, it)| {
            let same = it.account.public_key() == key.account.public_key();
            other == name || same || (first.is_some() && it.account.address(0) == first)
        });
        // No key of ours but those of tokens is without children; what was imported is as it was elsewhere.
        let lone = key.account.is_lone();
        let has_its_form = lone == key.kind.is_in_tokens() || (lone && key.imported);
        let has_its_form = has_its_form && (key.imported || !key.account.is_taproot());
        if twin || key.account.scheme() != Some(key.kind.scheme()) || !has_its_form {
            return Err(Reason::KeyExists { key: name.clone() });
        }
        let state = key.state;
        self.state.keys.insert(name.clone(), key);
        Ok(state)
    }
}

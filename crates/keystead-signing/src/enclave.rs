//! The enclave's side: every request is checked against the log by the enclave itself.

mod backing_up;
mod control;
mod controls;
mod creating;
#[cfg(test)]
mod faults;
mod gathering;
mod importing;
mod in_tokens;
mod inputs;
mod leaving;
mod messages;
mod near;
mod quantum;
mod restoring;
mod sharing;
mod spending;
mod state;

use keystead_base::{Canonical as _, ClusterId, Digest, Name, Secret, Timestamp};
use keystead_chain::Unsigned;
use keystead_decision::{
    CeremonyPermit, Certificate, FreshAnswer, Grant, Header, LightClient, PublicAccount,
};
use keystead_intent::KeyCeremony;
use keystead_keys::{HdSeed, Kdf, Purpose, Sealed, SealingKey};
use keystead_policy::AssuranceLevel;

pub use self::controls::{EnclaveControls, Strict, Struck};
use crate::curve::Curve;
use crate::entropy::{MachineDraw, Sources, kernel_random};
use crate::passphrase::Passphrase;
use crate::protocol::{
    Advance, Batch, BatchItem, HeldKey, Hello, ItemResult, MAX_BATCH_ITEMS, OpenedKey, Position, Ready,
    Refusal, Released, Reply, Request,
};
use crate::repeats::Repeats;
use crate::threshold::{Arena, Progress, Speech, Threshold};
use crate::tokens::Tokens;
use crate::vault::{Slots, Vault};
use crate::{EnclaveError, Feature, Hardening};

/// What an enclave process is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds the keys of this cluster and signs for it.
    Signer(ClusterId),
    /// Restores one backup and proves control; holds nothing afterwards.
    Scratch,
}

/// What an enclave begins with.
pub(crate) struct Start {
    pub(crate) role: Role,
    pub(crate) required: Vec<Feature>,
    pub(crate) hardening: Hardening,
    pub(crate) passphrase: Passphrase,
    /// Their processes were started before calls were forbidden.
    pub(crate) tokens: Tokens,
}

/// The state of an enclave. It lives on a stack in secret pages.
pub(crate) struct Enclave<C> {
    start: Start,
    log: Option<LightClient>,
    sealing: Option<SealingKey>,
    vault: Vault,
    curve: Curve<C>,
    repeats: Repeats,
    receiving: Option<restoring::Receiving>,
    /// Keys in shares, and the runs that use them.
    threshold: Threshold,
    rights: sharing::Rights,
    fresh: sharing::Proofs,
    imports: importing::Imports,
    /// Keys in tokens.
    tokens: Tokens,
    /// Whether the sources of seeds are well.
    sources: Sources,
    /// The machine's part of the next seed that people roll for.
    promised: Option<MachineDraw>,
    /// What the machine's TPM gave to the next draw.
    poured: Option<Secret<Vec<u8>>>,
    controls: C,
    state: state::State,
}

impl<C: EnclaveControls> Enclave<C> {
    pub(crate) fn new(mut start: Start, slots: Slots, arena: Arena, controls: C) -> Self {
        // INVARIANT S7: before anything is computed that could leave.
        let state = state::State::power_on(&controls);
        let (curve, repeats) = (Curve::new(&random(), controls.clone()), Repeats::new());
        let vault = Vault::new(slots, random());
        let threshold = Threshold::new(arena, Speech::of(&controls));
        let (rights, fresh) = Default::default();
        let (log, sealing, receiving, sources) = (None, None, None, Sources::default());
        let tokens = std::mem::take(&mut start.tokens);
        Self {
            start,
            log,
            sealing,
            vault,
            curve,
            repeats,
            receiving,
            threshold,
            rights,
            tokens,
            sources,
            promised: None,
            poured: None,
            fresh,
            imports: Default::default(),
            controls,
            state,
        }
    }

    /// Answers one request. `now` is the enclave's own clock.
    pub(crate) fn answer(&mut self, request: Request, now: Timestamp) -> Reply {
        // INVARIANT S7: in the error state nothing that was computed leaves; wiping goes on.
        if let Err(error) = self.state.operational(needs_health(&request))
            && !only_wipes(&request)
        {
            return Reply::Refused(Refusal::of(&error));
        }
        // INVARIANT E1: after a source failed nothing is born here, and nothing is signed.
        if let Err(error) = self.sources.well()
            && needs_health(&request)
        {
            return Reply::Refused(Refusal::of(&error));
        }
        let reply = match request {
            Request::Hello(hello) => self.hello(&hello).map(|ready| Reply::Ready(Box::new(ready))),
            Request::Advance(advance) => self.advance(&advance).map(Reply::Advanced),
            Request::Create(it) => self.create(&it, now).map(|key| Reply::Created(Box::new(key))),
            Request::Backup(it) => self.backup(&it, now).map(|file| Reply::BackedUp(Box::new(file))),
            Request::Split(it) => self.split(&it, now).map(|file| Reply::Split(Box::new(file))),
            Request::OpenShare(it) => self.open_words(&it).map(Reply::Words),
            Request::Gather(it) => self.gather(&it),
            Request::Drill(drill) => self.drill(&drill).map(|proof| Reply::Drilled(Box::new(proof))),
            Request::Destroy(it) => self.destroy(&it, now).map(Reply::Destroyed),
            Request::Sign(batch) => self.sign(&batch, now).map(Reply::Signed),
            Request::AskFresh => self.ask_fresh(now).map(Reply::Nonce),
            Request::ConfirmFresh(answer) => self.confirm_fresh(&answer, now).map(Reply::Advanced),
            Request::Receive(it) => self.receive(&it, now).map(Reply::Receiver),
            Request::Restore(file) => self.restore(&file).map(|key| Reply::Restored(Box::new(key))),
            Request::HandOver(it) => self.hand_over(&it).map(|file| Reply::BackedUp(Box::new(file))),
            Request::Wallet(it) => self.prove_wallet(&it).map(|wallet| Reply::Wallet(Box::new(wallet))),
            Request::Open(seals) => self.open(&seals).map(Reply::Opened),
            Request::Recall(records) => self.recall(&records).map(|()| Reply::Done),
            Request::Erase { key, epoch, whole } => {
                self.erase(&key, epoch, whole);
                Ok(Reply::Done)
            }
            Request::Seat(it) => self.seat(*it).map(|seat| Reply::Seated(Box::new(seat))),
            Request::Convene(it) => self.convene(&it, now).map(moved),
            Request::Join(start) => self.join(&start, now).map(moved),
            Request::Deliver(messages) => self.deliver(messages, now).map(moved),
            Request::GiveUp(session) => self.give_up(session, now).map(moved),
            Request::Leave(it) => self.leave(&it, now).map(Reply::Left),
            Request::Lift(it) => self.lift(&it, now).map(|()| Reply::Done),
            Request::Deal(it) => self.deal(&it, now).map(|dealing| Reply::Dealt(Box::new(dealing))),
            Request::Whole(it) => self.whole(&it).map(|whole| Reply::Whole(Box::new(whole))),
            Request::Take(it) => self.take(&it, now).map(moved),
            Request::Control(key) => self.prove_control(&key).map(|proof| Reply::Controlled(Box::new(proof))),
            Request::Public(key) => self.public(&key).map(|held| Reply::Public(Box::new(held))),
            Request::Prove { key, request } => self.prove(&key, request).map(Reply::Proof),
            Request::Promise => self.promise().map(|promise| Reply::Promised(Box::new(promise))),
            Request::CreateFrom(it) => self.create_from(&it, now).map(|it| Reply::CreatedFrom(Box::new(it))),
            Request::Pour(it) => self.pour(&it).map(|()| Reply::Done),
            Request::OpenSeed(it) => self.open_seed(&it, now).map(Reply::Left),
            Request::Tokens => Ok(Reply::Tokens(self.tokens.report())),
        };
        reply.unwrap_or_else(|error| Reply::Refused(self.refusal(&error)))
    }

    /// INVARIANT S7: a fault that was caught is no reason to go on.
    fn refusal(&mut self, error: &EnclaveError) -> Refusal {
        Refusal::of(&self.state.note(error))
    }

    fn hello(&mut self, hello: &Hello) -> Result<Ready, EnclaveError> {
        let cluster = self.begins()?;
        let draw = self.draw();
        self.sources.check(&draw)?;
        let log = LightClient::new(&hello.genesis, cluster)?;
        if self.sealing.is_none() {
            self.sealing = Some(self.start.passphrase.stretch(Kdf::new(&mut kernel_random))?);
        }
        self.start.passphrase.forget();
        self.log = Some(log);
        Ok(Ready { hardening: self.start.hardening.clone(), cluster, self_tests: self.state.passed() })
    }

    /// What comes before the log does: nothing else was said so far, and the process is as it must be.
    fn begins(&self) -> Result<ClusterId, EnclaveError> {
        let cluster = self.cluster()?;
        if self.log.is_some() {
            return Err(EnclaveError::AlreadyReady);
        }
        self.hardened()?;
        Ok(cluster)
    }

    /// Takes a page of keys, as many pages as there are, before the log begins and the passphrase is forgotten.
    fn open(&mut self, seals: &[Sealed]) -> Result<Vec<OpenedKey>, EnclaveError> {
        let cluster = self.begins()?;
        if seals.len() > MAX_BATCH_ITEMS {
            return Err(EnclaveError::BatchSize { limit: MAX_BATCH_ITEMS, found: seals.len() });
        }
        seals.iter().map(|sealed| self.open_one(sealed, cluster)).collect()
    }

    fn hardened(&self) -> Result<(), EnclaveError> {
        let missing = self.start.hardening.missing(&self.start.required);
        if missing.is_empty() { Ok(()) } else { Err(EnclaveError::Hardening { missing }) }
    }

    fn open_one(&mut self, sealed: &Sealed, cluster: ClusterId) -> Result<OpenedKey, EnclaveError> {
        let label = sealed.label().clone();
        if label.cluster != Some(cluster) || label.purpose == Purpose::Member {
            return Err(EnclaveError::ForeignSeal { name: label.name });
        }
        if self.sealing.as_ref().is_none_or(|sealing| sealing.kdf() != sealed.kdf()) {
            self.sealing = Some(self.start.passphrase.stretch(*sealed.kdf())?);
        }
        match label.purpose {
            Purpose::ThresholdShare => return self.open_share(sealed, label),
            Purpose::TokenKey => return self.open_in_tokens(sealed, label),
            Purpose::SeedOpenings | Purpose::MemberBesideToken => {
                return Err(EnclaveError::ForeignSeal { name: label.name });
            }
            Purpose::HdSeed | Purpose::MlDsa65Seed | Purpose::Member => {}
        }
        let mut entropy = Secret::new([0; 32]);
        if let Some(sealing) = &self.sealing {
            sealing.open(sealed, &label, entropy.expose_mut())?;
        }
        let opened = OpenedKey { key: label.name, epoch: label.epoch };
        let seed = HdSeed::from_entropy(entropy);
        // Nothing is derived from it before it is needed: 2,048 rounds for each key would be most of a start.
        self.vault.open(opened.key.clone(), opened.epoch, (label.purpose, &seed), None)?;
        Ok(opened)
    }

    fn public(&mut self, name: &Name) -> Result<HeldKey, EnclaveError> {
        if let Some(key) = self.tokens.key(name) {
            return Ok(held(name, key.epoch, &key.account));
        }
        let (epoch, account) = (self.vault.key(name)?.epoch, self.vault.public(name)?);
        Ok(held(name, epoch, &account))
    }

    fn advance(&mut self, advance: &Advance) -> Result<Position, EnclaveError> {
        let log = self.log.as_mut().ok_or(EnclaveError::NotReady)?;
        for transition in &advance.transitions {
            log.follow(transition)?;
        }
        if let Some(head) = &advance.head {
            log.advance(head)?;
        }
        Ok(position(log))
    }

    /// The nonce is the kernel's and of this very moment: whatever was signed before cannot name it.
    fn ask_fresh(&mut self, now: Timestamp) -> Result<Digest, EnclaveError> {
        let log = self.log.as_mut().ok_or(EnclaveError::NotReady)?;
        let mut nonce = [0; 32];
        kernel_random(&mut nonce);
        log.ask_fresh(Digest(nonce), now);
        Ok(Digest(nonce))
    }

    fn confirm_fresh(&mut self, answer: &FreshAnswer, now: Timestamp) -> Result<Position, EnclaveError> {
        let log = self.log.as_mut().ok_or(EnclaveError::NotReady)?;
        log.confirm_fresh(answer, now)?;
        Ok(position(log))
    }

    fn ceremony(&mut self, it: &Certificate, now: Timestamp) -> Result<CeremonyPermit, EnclaveError> {
        let log = self.log.as_mut().ok_or(EnclaveError::NotReady)?;
        Ok(log.permit_ceremony(it, now)?)
    }

    /// Policy can demand more than the command that started this process; it can never demand less.
    fn protected(&self) -> Result<(), EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let missing = self.start.hardening.missing(log.required(AssuranceLevel::Process));
        if missing.is_empty() { Ok(()) } else { Err(EnclaveError::Unprotected { missing }) }
    }

    fn destroy(&mut self, certificate: &Certificate, now: Timestamp) -> Result<Name, EnclaveError> {
        let (ceremony, epoch) = self.ceremony(certificate, now)?.into_parts();
        let KeyCeremony::Destroy { key } = ceremony else { return Err(EnclaveError::Ceremony) };
        if self.threshold.holds(&key) {
            // Those of a ceremony that was under way, too; and what the key was before it had shares.
            self.threshold.erase(&key, u32::MAX);
            if self.vault.key(&key).is_ok() {
                self.vault.wipe(&key)?;
            }
            return Ok(key);
        }
        if let Some(held) = self.tokens.key(&key) {
            in_epoch(&key, held.epoch, epoch)?;
            self.tokens.destroy(&key)?;
            return Ok(key);
        }
        in_epoch(&key, self.vault.key(&key)?.epoch, epoch)?;
        self.vault.wipe(&key)?;
        Ok(key)
    }

    fn sign(&mut self, batch: &Batch, now: Timestamp) -> Result<Vec<ItemResult>, EnclaveError> {
        if batch.items.len() > MAX_BATCH_ITEMS {
            return Err(EnclaveError::BatchSize { limit: MAX_BATCH_ITEMS, found: batch.items.len() });
        }
        let log = self.log.as_mut().ok_or(EnclaveError::NotReady)?;
        log.advance(&batch.commit)?;
        self.protected()?;
        let header = &batch.commit.header;
        Ok(batch
            .items
            .iter()
            .map(|item| {
                let done = self.sign_item(header, item, now);
                done.unwrap_or_else(|error| ItemResult::Refused(self.refusal(&error)))
            })
            .collect())
    }

    /// By what the payload is: each kind has a domain of its own.
    fn sign_item(
        &mut self,
        header: &Header,
        item: &BatchItem,
        now: Timestamp,
    ) -> Result<ItemResult, EnclaveError> {
        if let Some(payload) = spending::payload_of(item) {
            return match self.in_shares(&payload.account.key, granted(item)) {
                true => self.admit_spend(header, item, &payload, now),
                false => self.spend(header, item, &payload, now).map(ItemResult::Spent),
            };
        }
        if let Some(payload) = messages::payload_of(item) {
            return self.admit_message(header, item, &payload, now);
        }
        if let Some(payload) = near::payload_of(item) {
            return self.sign_near(header, item, &payload, now).map(ItemResult::SignedMessage);
        }
        self.sign_one(header, item, now)
    }

    /// INVARIANT S3: the permit comes from the log that this process follows itself.
    fn sign_one(
        &mut self,
        header: &Header,
        item: &BatchItem,
        now: Timestamp,
    ) -> Result<ItemResult, EnclaveError> {
        let unsigned = Unsigned::from_document(&item.unsigned)?;
        let digest = self.controls.digest_to_grant(&unsigned, granted(item));
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let permit = log.permit_decided(header, &item.decision, &item.proof, &digest, now)?;
        if granted(item).is_some_and(|it| self.in_shares(&it.account.key, Some(it))) {
            return self.admit(header, &item.decision, permit, &unsigned, now);
        }
        let grant = permit.into_grant();
        let name = &grant.account.key;
        if self.tokens.key(name).is_some() {
            return self.sign_in_tokens(&grant, &unsigned);
        }
        in_epoch(name, self.vault.key(name)?.epoch, grant.epoch)?;
        let account = self.vault.account(name, grant.account.index)?;
        fits(&grant, &unsigned, account.address)?;
        let digest = unsigned.signing_digest();
        let signature = self.curve.sign(&self.vault.scalar(&account), &account.public, &digest)?;
        if !self.repeats.admit(signature.r(), digest) {
            return Err(EnclaveError::RepeatedNonce);
        }
        Ok(ItemResult::Signed(Released { signing_digest: digest, account: account.address, signature }))
    }

    /// Whether this process has a share of the key, and not all of it; of one that was imported, in the epoch that is granted.
    fn in_shares(&self, key: &Name, granted: Option<&Grant>) -> bool {
        let has_share = |grant: &Grant| self.threshold.holding(key, grant.epoch).is_ok();
        granted.is_some_and(has_share) || (self.vault.key(key).is_err() && self.threshold.holds(key))
    }

    fn cluster(&self) -> Result<ClusterId, EnclaveError> {
        match self.start.role {
            Role::Signer(cluster) => Ok(cluster),
            Role::Scratch => Err(EnclaveError::Role),
        }
    }
}

/// What a process in its error state still does.
fn only_wipes(request: &Request) -> bool {
    matches!(request, Request::Erase { .. } | Request::GiveUp(_))
}

/// Whether a request makes, uses or hands out a secret; following the log and wiping go on without.
fn needs_health(request: &Request) -> bool {
    match request {
        Request::Create(_)
        | Request::Backup(_)
        | Request::Drill(_)
        | Request::Sign(_)
        | Request::Receive(_)
        | Request::Restore(_)
        | Request::HandOver(_)
        | Request::Wallet(_)
        | Request::Seat(_)
        | Request::Convene(_)
        | Request::Join(_)
        | Request::Deliver(_)
        | Request::Leave(_)
        | Request::Split(_)
        | Request::OpenShare(_)
        | Request::Gather(_)
        | Request::Deal(_)
        | Request::Whole(_)
        | Request::Take(_)
        | Request::Prove { .. }
        | Request::Control(_)
        | Request::Promise
        | Request::CreateFrom(_)
        | Request::OpenSeed(_) => true,
        Request::Hello(_)
        | Request::Open(_)
        | Request::Recall(_)
        | Request::Public(_)
        | Request::Advance(_)
        | Request::AskFresh
        | Request::ConfirmFresh(_)
        | Request::Destroy(_)
        | Request::GiveUp(_)
        | Request::Lift(_)
        | Request::Tokens
        | Request::Pour(_)
        | Request::Erase { .. } => false,
    }
}

fn moved(progress: Progress) -> Reply {
    Reply::Moved(Box::new(progress))
}

/// 32 bytes of the kernel's, on the secret stack.
fn random() -> Secret<[u8; 32]> {
    let mut bytes = Secret::new([0; 32]);
    kernel_random(bytes.expose_mut());
    bytes
}

/// What the parent says was granted: only what a certificate proves counts.
fn granted(item: &BatchItem) -> Option<&Grant> {
    match &item.decision.outcome {
        keystead_decision::Outcome::Allow(grant) => Some(grant),
        _ => None,
    }
}

fn in_epoch(key: &Name, expected: u32, found: u32) -> Result<(), EnclaveError> {
    if expected == found { Ok(()) } else { Err(EnclaveError::Epoch { key: key.clone(), expected, found }) }
}

fn position(log: &LightClient) -> Position {
    Position { height: log.height(), policy: log.policy() }
}

/// The key's own address, the decision's and the payload's are one, and so are the chains (S8).
fn fits(grant: &Grant, unsigned: &Unsigned, address: alloy_primitives::Address) -> Result<(), EnclaveError> {
    for found in [grant.address, unsigned.account()] {
        if found != address {
            return Err(EnclaveError::Account { expected: address, found });
        }
    }
    if unsigned.chain() != grant.chain {
        return Err(EnclaveError::Chain { expected: grant.chain, found: unsigned.chain() });
    }
    Ok(())
}

fn held(name: &Name, epoch: u32, account: &PublicAccount) -> HeldKey {
    HeldKey { key: name.clone(), epoch, account: *account }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keystead_entropy::{EntropyError, Source};

    use super::*;
    use crate::threshold::ARENA_BYTES;

    /// One that was told nothing so far.
    fn enclave() -> Enclave<Strict> {
        let (required, passphrase) = (Vec::new(), Passphrase::read(b"a word".as_slice()).unwrap());
        let role = Role::Signer(ClusterId(Digest::ZERO));
        let (hardening, tokens) = (Hardening::default(), Tokens::default());
        let start = Start { role, required, hardening, passphrase, tokens };
        Enclave::new(start, Slots::new().unwrap(), Arena::new(ARENA_BYTES).unwrap(), Strict)
    }

    /// Each request of the specification's vectors, with its name.
    fn requests() -> Vec<(String, Request)> {
        let file = include_str!("../../../specs/vectors/enclave.json");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(file).unwrap();
        let requests = vectors.iter().filter(|it| it["domain"] == Request::DOMAIN);
        let read = |it: &serde_json::Value| {
            let json = &it["json"];
            let named = json.as_str().or_else(|| json.as_object()?.keys().next().map(String::as_str));
            let document = const_hex::decode(it["document"].as_str().unwrap()).unwrap();
            (named.unwrap().to_owned(), Request::from_document(&document).unwrap())
        };
        requests.map(read).collect()
    }

    /// INVARIANT E1: the source is named, whatever is asked that makes, uses or hands out a secret; the log goes on.
    #[test]
    fn e1_after_a_failed_source_nothing_is_born_and_nothing_is_signed() {
        let failed = EntropyError::Stuck { source_name: Source::Rdseed, run: 9 };
        let told = |enclave: &mut Enclave<Strict>, request| match enclave.answer(request, Timestamp(1)) {
            Reply::Refused(refusal) => (refusal.code == "entropy.stuck").then_some(refusal.text),
            _ => None,
        };
        let mut refused = BTreeSet::new();
        for (name, request) in requests() {
            assert_eq!(told(&mut enclave(), request.clone()), None, "{name}: well");
            let mut unwell = enclave();
            unwell.sources.failed = Some(failed);
            if let Some(text) = told(&mut unwell, request) {
                assert!(text.contains("rdseed"), "{text}");
                refused.insert(name);
            }
        }
        let expected = [
            "backup",
            "control",
            "convene",
            "create",
            "create_from",
            "deal",
            "deliver",
            "drill",
            "gather",
            "hand_over",
            "hello",
            "join",
            "leave",
            "open_seed",
            "open_share",
            "promise",
            "prove",
            "receive",
            "restore",
            "seat",
            "sign",
            "split",
            "take",
            "wallet",
            "whole",
        ];
        assert_eq!(refused, expected.map(str::to_owned).into());
    }
}

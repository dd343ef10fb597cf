//! The signer: owns the enclave, shows it durable blocks, and has it sign what they allow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alloy_primitives::{Address, B256};
use keystead_base::{Canonical, Digest, Name, RequestId, merkle::Inclusion};
use keystead_bitcoin::Spend;
use keystead_chain::{Assembled, Unsigned, assemble_released};
use keystead_decision::{Commit, Decision, Frozen, Grant, LightError, Outcome, Phase, State, leaves};
use keystead_intent::{Action, ChainId};
use keystead_ledger::SignatureRecord;
use keystead_policy::Feature;
use keystead_signing::{BatchItem, ClientError, EnclaveClient, EthereumSignature, ItemResult};
use keystead_trace::Kind;
use keystead_wire::{Refused, RequestView};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::blocks::Durable;
use crate::enclave::{EnclaveHome, Started, follow};
use crate::restore::HandOver;
use crate::shared::Shared;
use crate::threshold::{MAX_RUN_WORDS, RunWord, Runs};
use crate::{Event, NodeError, bitcoin, near, solana, views};

/// The stage. It has a thread of its own, because calls to the enclave block.
pub(crate) struct Signer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) home: EnclaveHome,
    pub(crate) enclave: EnclaveClient,
    /// The protections of the enclave that are fully in force.
    pub(crate) in_force: Vec<Feature>,
    /// The shares that the enclave has, by key and epoch.
    pub(crate) held: BTreeSet<(Name, u32)>,
    /// What the enclave knows to be frozen.
    pub(crate) frozen: Frozen,
    /// A quorum has confirmed the newest head to this enclave once.
    pub(crate) confirmed: bool,
    /// The wallets that the log was told of, and at which height.
    pub(crate) told: BTreeMap<(Name, ChainId), u64>,
    /// At which height receipts and proofs of a key were told last.
    pub(crate) lived: BTreeMap<Name, u64>,
    /// Keys in shares.
    pub(crate) runs: Runs,
    /// The height of the block that the enclave was shown last.
    pub(crate) shown: u64,
}

/// What a signature of the enclave is for.
pub(crate) struct Work {
    pub(crate) request: RequestId,
    pub(crate) key: Name,
    /// The epoch of the key that its right names.
    pub(crate) epoch: u32,
    payload: Payload,
    /// Of the payload: computed once.
    digest: Digest,
    position: u64,
}

/// The payload, read on this node.
enum Payload {
    Ethereum(Box<Unsigned>),
    Bitcoin(Box<Spend>),
    Solana(Box<keystead_solana::Unsigned>),
    Near(Box<keystead_near::Unsigned>),
}

impl Payload {
    fn account(&self) -> Address {
        match self {
            Self::Ethereum(unsigned) => unsigned.account(),
            Self::Bitcoin(spend) => spend.wallet(),
            Self::Solana(message) => message.account().id(message.cluster()),
            Self::Near(unsigned) => unsigned.signer(),
        }
    }

    fn signing_digest(&self) -> Digest {
        match self {
            Self::Ethereum(unsigned) => unsigned.signing_digest(),
            Self::Bitcoin(spend) => spend.signing_digest(),
            Self::Solana(message) => message.signing_digest(),
            Self::Near(unsigned) => unsigned.signing_digest(),
        }
    }
}

impl Work {
    /// INVARIANT S7: the enclave verified the signature with this account's key over this digest before it
    /// released it. To recover the signer here once more would find the same; other nodes, which do not
    /// believe this one, do ([`Shared::heard_of`]).
    fn is_meant_by(&self, digest: Digest, account: Address) -> bool {
        (digest, account) == (self.digest, self.payload.account())
    }

    /// What its right names.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// What is read of its PSBT, where it is one.
    pub(crate) fn spend(&self) -> Option<&Spend> {
        match &self.payload {
            Payload::Ethereum(_) | Payload::Solana(_) | Payload::Near(_) => None,
            Payload::Bitcoin(spend) => Some(spend),
        }
    }
}

impl Signer {
    pub(crate) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Durable>,
        mut handed_over: mpsc::Receiver<HandOver>,
        mut words: mpsc::Receiver<RunWord>,
    ) -> Result<(), NodeError> {
        let mut heard = Vec::new();
        let mut look = tokio::time::interval(LOOK_PERIOD);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let due = self.next_due();
            let done = tokio::select! {
                biased;
                block = inbox.recv() => match block {
                    Some(block) => {
                        self.process(&block).await?;
                        self.show_health();
                        self.show_runs();
                        continue;
                    }
                    None => return Ok(()),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.run_due().await,
                _ = look.tick() => self.look_around(),
                Some(it) = handed_over.recv() => self.hand_over(it).await,
                1.. = words.recv_many(&mut heard, MAX_RUN_WORDS) => {
                    self.heard_words(std::mem::take(&mut heard)).await
                }
            };
            self.stands(done).await?;
            self.show_health();
            self.show_runs();
        }
    }

    /// At the tokens, and whether people want to roll.
    fn look_around(&mut self) -> Result<(), NodeError> {
        if self.home.has_tokens {
            self.look_at_tokens()?;
        }
        self.promise_where_asked()
    }

    /// People see in `status` that the enclave signs nothing any more, and why.
    fn show_health(&self) {
        if let Some(why) = self.enclave.unwell() {
            self.shared.enclave_is_unwell(why);
        }
    }

    /// An enclave that ended between blocks is started again where it was. What it refuses of others' words ends nothing.
    async fn stands(&mut self, done: Result<(), NodeError>) -> Result<(), NodeError> {
        match done {
            Err(NodeError::Enclave(error @ ClientError::Refused(_))) => {
                self.shared.postponed("a run of a key in shares", &error);
                Ok(())
            }
            Err(NodeError::Enclave(error)) => {
                let head = self.shared.ledger.block(self.shown).await?.map(|it| it.commit);
                self.start_again(self.shown, head, &error).await
            }
            other => other,
        }
    }

    /// Does what a block allows. An enclave that ended is started again; what it did not sign is renewed.
    pub(crate) async fn process(&mut self, block: &Durable) -> Result<(), NodeError> {
        match self.show(block).await {
            Ok(()) => Ok(()),
            Err(NodeError::Enclave(error)) if !matches!(error, ClientError::Refused(_)) => {
                self.restart(block, &error).await
            }
            Err(error) => Err(error),
        }
    }

    async fn show(&mut self, block: &Durable) -> Result<(), NodeError> {
        self.advance(block)?;
        self.confirm(block).await?;
        self.report_wallets(&block.state)?;
        self.report_life(&block.state).await?;
        for index in 0..block.decisions.len() {
            self.ceremony(block, index).await?;
            self.convoked(block, index).await?;
        }
        self.sign(block)?;
        self.shown = block.commit.header.height;
        self.convenings(&block.state).await
    }

    /// Changes of policy and freezes reach the enclave even when there is nothing to sign.
    fn advance(&mut self, block: &Durable) -> Result<(), NodeError> {
        let header = &block.commit.header;
        match &block.next_policy {
            Some(transition) => follow(&mut self.enclave, vec![transition.clone()], None)?,
            None if self.frozen != header.frozen || self.owes_a_proof(&block.state) => {
                follow(&mut self.enclave, Vec::new(), Some(block.commit.clone()))?;
            }
            None => {}
        }
        self.frozen = header.frozen.clone();
        Ok(())
    }

    fn sign(&mut self, block: &Durable) -> Result<(), NodeError> {
        let (work, items) = self.work(block);
        if work.is_empty() {
            return Ok(());
        }
        let start = SystemTime::now();
        let results = match self.enclave.sign(&block.commit, items) {
            Ok(results) => results,
            Err(ClientError::Refused(refusal)) => {
                work.iter().map(|_| ItemResult::Refused(refusal.clone())).collect()
            }
            Err(error) => return Err(error.into()),
        };
        let height = block.commit.header.height;
        for (work, result) in work.into_iter().zip(results) {
            let code = match &result {
                ItemResult::Refused(refusal) => Some(refusal.code.as_str()),
                ItemResult::Signed(_)
                | ItemResult::Spent(_)
                | ItemResult::Admitted
                | ItemResult::SignedMessage(_) => None,
            };
            self.shared.traces.part(&[work.request], ("enclave.sign", Kind::Client), start, code);
            match result {
                ItemResult::Admitted => self.admitted(&block.state, height, work),
                // Other holders sign without it; a fresh certificate would not give it one.
                ItemResult::Refused(it) if self.lacks_share(&block.state, &work, &it.code) => {
                    let refused = Refused { code: it.code, text: it.text };
                    self.shared.event(Event::NotSigned { request: work.request, refused });
                }
                result => self.signed(height, work, result),
            }
        }
        Ok(())
    }

    /// The payloads that a block's decisions allow and that have no signature yet.
    fn work(&self, block: &Durable) -> (Vec<Work>, Vec<BatchItem>) {
        let proofs = Inclusion::prove_all(&leaves(&block.decisions));
        let wanted = block.decisions.iter().zip(proofs).filter_map(|(decision, proof)| {
            let Outcome::Allow(grant) = &decision.outcome else { return None };
            if !self.is_for_us(&block.state, grant) || self.shared.board.has_signature(&decision.subject) {
                return None;
            }
            let prepared = self.prepare(&block.state, decision, grant, proof);
            prepared.inspect_err(|refused| self.refused(&decision.subject, refused.clone())).ok()
        });
        wanted.unzip()
    }

    /// Whether this node's enclave signs for a right: of a key in shares, those of the epoch that the right names do.
    fn is_for_us(&self, state: &State, grant: &Grant) -> bool {
        match self.runs.sharing(state, &grant.account.key, grant.epoch) {
            Some(sharing) => sharing.holds(&self.shared.node),
            None => self.shared.holds(state, &grant.account.key),
        }
    }

    /// INVARIANT D3: a holder whose share is lost holds nobody up.
    fn lacks_share(&self, state: &State, work: &Work, code: &str) -> bool {
        ["vault.unknown", "threshold.no_share"].contains(&code)
            && self.runs.sharing(state, &work.key, work.epoch).is_some()
    }

    fn prepare(
        &self,
        state: &State,
        decision: &Decision,
        grant: &Grant,
        proof: Inclusion,
    ) -> Result<(Work, BatchItem), Refused> {
        let request = state.request(&decision.subject).ok_or_else(over)?;
        if !matches!(request.phase, Phase::Allowed | Phase::Settled) {
            return Err(over());
        }
        // INVARIANT S14: a freeze that was committed later than this right is known here already.
        let key = &grant.account.key;
        if state.frozen().holds(key) || self.shared.state().frozen().holds(key) {
            return Err(Refused::of(&LightError::Frozen { key: key.clone() }));
        }
        if state.frozen().stops(key) || self.shared.state().frozen().stops(key) {
            return Err(Refused::of(&LightError::Stopped { key: key.clone() }));
        }
        // INVARIANT S2: the bytes are built from the intent here as everywhere, never taken from a peer.
        let (payload, unsigned) = payload(state, &request.intent.action, grant)?;
        let digest = payload.signing_digest();
        let (request, position, key) = (decision.subject, proof.index, key.clone());
        let work = Work { request, key, epoch: grant.epoch, position, payload, digest };
        Ok((work, BatchItem { decision: decision.clone(), proof, unsigned }))
    }

    pub(crate) fn signed(&self, height: u64, work: Work, result: ItemResult) {
        let request = work.request;
        match signed(height, work, result) {
            Ok(record) => {
                self.shared.board.signed(&request, views::payload(&record));
                self.shared.share_signature(&record);
                self.shared.unstored.add(record);
            }
            Err(refused) => self.refused(&request, refused),
        }
    }

    pub(crate) fn refused(&self, request: &RequestId, refused: Refused) {
        self.shared.board.refused(request, refused.clone());
        self.shared.event(Event::NotSigned { request: *request, refused });
        self.shared.sweep.notify_one();
    }

    /// A fresh process follows the log to the block that the old one ended at.
    async fn restart(&mut self, block: &Durable, error: &ClientError) -> Result<(), NodeError> {
        let height = block.commit.header.height;
        self.start_again(height, Some(block.commit.clone()), error).await?;
        self.shown = height;
        self.give_up(block, &Refused::of(error));
        Ok(())
    }

    async fn start_again(
        &mut self,
        height: u64,
        head: Option<Commit>,
        error: &ClientError,
    ) -> Result<(), NodeError> {
        let refused = Refused::of(error);
        self.shared.event(Event::EnclaveRestarted { refused: refused.clone() });
        self.forget_moved().await?;
        let Started { client: mut enclave, held, in_force } = self.home.start(&self.shared).await?;
        let transitions = self.shared.ledger.transitions(height).await?;
        let last = transitions.last().map_or(0, |it| it.commit.header.height);
        follow(&mut enclave, transitions, head.filter(|it| it.header.height > last))?;
        self.enclave = enclave;
        self.in_force = in_force;
        self.held = held.into_iter().map(|it| (it.key, it.epoch)).collect();
        self.report_protections();
        self.told.clear();
        self.confirmed = false;
        // What was admitted in the old process is renewed.
        self.forget_runs().iter().for_each(|request| self.refused(request, refused.clone()));
        self.see_epochs(&self.shared.state());
        Ok(())
    }

    /// What the old process left undone: rights are renewed, ceremonies are asked for again by people.
    fn give_up(&self, block: &Durable, refused: &Refused) {
        for decision in &block.decisions {
            let done = |it: &RequestView| it.signed.is_some() || it.stage.is_over() || it.file.is_some();
            let is_done = self.shared.board.view(&decision.subject).is_some_and(|it| done(&it));
            match decision.outcome {
                Outcome::Allow(_) if !is_done => self.refused(&decision.subject, refused.clone()),
                Outcome::Ceremony { .. } if !is_done => {
                    self.shared.board.failed(&decision.subject, refused.clone());
                }
                _ => {}
            }
        }
    }
}

/// The bytes that a request signs, and the document of them that the enclave reads for itself.
fn payload(state: &State, action: &Action, grant: &Grant) -> Result<(Payload, Vec<u8>), Refused> {
    if let Action::Psbt(it) = action {
        return Ok((Payload::Bitcoin(Box::new(bitcoin::read(state, it)?)), it.to_document()));
    }
    if let Action::Solana(it) = action {
        return Ok((Payload::Solana(Box::new(solana::read(state, it)?)), it.to_document()));
    }
    if let Action::Near(it) = action {
        return Ok((Payload::Near(Box::new(near::read(state, it)?)), it.to_document()));
    }
    let unsigned = keystead_chain::build(action, grant.address).map_err(|error| Refused::of(&error))?;
    let document = unsigned.to_document();
    Ok((Payload::Ethereum(Box::new(unsigned)), document))
}

/// What the enclave's answer makes, where it is the answer that was asked for.
fn signed(height: u64, work: Work, result: ItemResult) -> Result<SignatureRecord, Refused> {
    let other = || Refused::of(&ClientError::Other);
    match result {
        ItemResult::Refused(refusal) => Err(Refused { code: refusal.code, text: refusal.text }),
        ItemResult::Admitted => Err(other()),
        ItemResult::Signed(it) if !work.is_meant_by(it.signing_digest, it.account) => Err(other()),
        ItemResult::Spent(it) if !work.is_meant_by(it.signing_digest, it.wallet) => Err(other()),
        ItemResult::SignedMessage(it) if !work.is_meant_by(it.signing_digest, it.account) => Err(other()),
        ItemResult::SignedMessage(it) => {
            let place = (work.request, height, work.position);
            match &work.payload {
                Payload::Solana(message) => {
                    solana::record(place, message, &it.signature).map_err(|error| Refused::of(&error))
                }
                Payload::Near(unsigned) => {
                    near::record(place, unsigned, &it.signature).map_err(|error| Refused::of(&error))
                }
                Payload::Ethereum(_) | Payload::Bitcoin(_) => Err(other()),
            }
        }
        ItemResult::Signed(it) => {
            let Payload::Ethereum(unsigned) = &work.payload else { return Err(other()) };
            let (r, s) = (B256::from(it.signature.r()), B256::from(it.signature.s()));
            let assembled = assemble_released(unsigned, r, s, it.signature.y_parity == 1);
            let assembled = assembled.map_err(|error| Refused::of(&error))?;
            Ok(record(height, &work, &it.signature, assembled))
        }
        ItemResult::Spent(it) => {
            let Payload::Bitcoin(spend) = work.payload else { return Err(other()) };
            let place = (work.request, height, work.position);
            bitcoin::record(place, *spend, &it.signatures).map_err(|error| Refused::of(&error))
        }
    }
}

/// For a right that ended before it was used.
pub(crate) fn over() -> Refused {
    Refused { code: "node.over".to_owned(), text: "the request is over".to_owned() }
}

fn record(height: u64, work: &Work, signature: &EthereumSignature, assembled: Assembled) -> SignatureRecord {
    SignatureRecord {
        request: work.request,
        height,
        position: work.position,
        signing_digest: work.digest,
        signature: signature.rs.iter().copied().chain([signature.y_parity]).collect(),
        signed: assembled.raw.to_vec(),
        transaction: assembled.hash.map(|hash| Digest(hash.0)),
    }
}

/// How often tokens are asked whether they are there, and people whether they want to roll.
const LOOK_PERIOD: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    #[test]
    fn s07_a_signature_over_another_payload_is_not_this_one_s() {
        let us = Address::repeat_byte(1);
        let unsigned =
            Unsigned::parse(us, ChainId(1), keystead_chain::Payload::Message(b"hello".into())).unwrap();
        let digest = unsigned.signing_digest();
        let payload = Payload::Ethereum(Box::new(unsigned));
        let (request, key) = (RequestId(Digest::ZERO), "hot".parse().unwrap());
        let work = Work { request, key, epoch: 0, payload, digest, position: 0 };
        for (signing_digest, account, meant) in
            [(digest, us, true), (Digest::ZERO, us, false), (digest, Address::repeat_byte(2), false)]
        {
            assert_eq!(work.is_meant_by(signing_digest, account), meant);
        }
    }
}

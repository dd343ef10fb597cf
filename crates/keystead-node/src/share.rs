//! What a node does with the words of other nodes, and what it tells them besides votes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use keystead_base::{Canonical as _, Digest, Name, RequestId, Signed};
use keystead_chain::assemble;
use keystead_consensus::{CommittedBlock, MAX_MESSAGE_BLOCKS, Message, Objection};
use keystead_decision::{Decision, Entry, Fate, Finding, Outcome, Settlement, Simulation, State};
use keystead_intent::{Action, Intent};
use keystead_ledger::SignatureRecord;
use keystead_policy::PolicyVersion;
use keystead_transmit::{Verdict, Watched};
use keystead_wire::{MAX_PEER_MESSAGES, Peer, PeerMessage, Refused, SharedSignature};
use tokio::time::timeout;

use crate::consensus::document;
use crate::error::{CallError, FactError};
use crate::replica::Heard;
use crate::shared::Shared;
use crate::threshold::RunWord;
use crate::{Event, bitcoin, near, solana, views};

impl Shared {
    /// Hands something to the replica; waits while it is busy.
    pub(crate) async fn hear(&self, heard: Heard) {
        // A replica that ended is reported by its own stage.
        let _ = self.heard.send(heard).await;
    }

    /// Takes messages of another node.
    pub(crate) async fn heard_of(
        self: &Arc<Self>,
        peer: &Peer,
        documents: Vec<Vec<u8>>,
    ) -> Result<(), CallError> {
        let from = &peer.name;
        if self.state().roster().node(from).is_none() {
            return Err(CallError::NotANode { name: from.clone() });
        }
        let found = documents.len();
        if found > MAX_PEER_MESSAGES {
            return Err(CallError::Entries { limit: MAX_PEER_MESSAGES, found });
        }
        let mut signatures = Vec::new();
        for document in documents {
            match PeerMessage::from_document(&document)? {
                PeerMessage::Consensus(message) => match *message {
                    Message::Entries(entries) => self.heard_entries(from, entries).await,
                    message => self.hear(Heard::Message(from.clone(), Box::new(message))).await,
                },
                PeerMessage::Signed(signed) => signatures.push(signed),
                PeerMessage::WantSigned(request) => self.send_signature(from.clone(), request),
                // Over a broker nobody sees from where: a port alone is no address.
                PeerMessage::Listens(_) if peer.address.ip().is_unspecified() => {}
                PeerMessage::Listens(port) => {
                    self.peers.calls_from(from, SocketAddr::new(peer.address.ip(), port))
                }
                PeerMessage::Threshold(message) => self.heard_run(from, RunWord::Message(message)),
                PeerMessage::Joins(call) => self.heard_run(from, RunWord::Call(from.clone(), call)),
            }
        }
        if !signatures.is_empty() {
            self.heard_signatures(from, signatures);
        }
        Ok(())
    }

    /// Entries of another node's clients: their senders are verified here; the replica asks for their facts.
    async fn heard_entries(&self, from: &Name, entries: Vec<Entry>) {
        let mut admitted = Vec::with_capacity(entries.len());
        for entry in entries {
            match self.state().admit(entry) {
                Ok(it) => admitted.push(it),
                Err(error) => {
                    let (peer, refused) = (from.clone(), Refused::of(&error));
                    self.event(Event::NotAdmitted { peer, refused });
                }
            }
        }
        if !admitted.is_empty() {
            self.hear(Heard::Entries(from.clone(), admitted)).await;
        }
    }

    /// INVARIANT S10: what frees a reservation is believed only where this node's own endpoints say the same.
    pub(crate) async fn check_facts(
        self: &Arc<Self>,
        height: u64,
        header: Digest,
        entries: &[Entry],
        from: Option<&Name>,
    ) -> Result<(), Objection> {
        let settlements: Vec<&Settlement> = entries.iter().filter_map(settlement).collect();
        self.fetch_signatures(&settlements).await;
        for it in settlements {
            let checked = self.check_settlement(it).await;
            checked.map_err(|error| Objection::of(height, header, &error))?;
        }
        for it in entries.iter().filter_map(simulation) {
            let checked = self.check_simulation(it, from).await;
            checked.map_err(|error| Objection::of(height, header, &error))?;
        }
        for it in entries.iter().filter_map(finding) {
            let checked = self.check_finding(it).await;
            checked.map_err(|error| Objection::of(height, header, &error))?;
        }
        Ok(())
    }

    /// A node that was away lacks what the key's home signed meanwhile, and cannot look for it on a chain: it asks
    /// the others, and waits a moment. Without an answer it objects, and they go on without its vote.
    async fn fetch_signatures(&self, settlements: &[&Settlement]) {
        let mut lacking = Vec::new();
        for it in settlements.iter().take(MAX_PEER_MESSAGES) {
            let known =
                self.board.has(&it.request) || views::restore(self, &it.request).await.unwrap_or(false);
            if known && self.transaction_of(&it.request).await.is_none() {
                let asked = PeerMessage::WantSigned(it.request).to_document();
                self.peers.send(&self.other_nodes(), &asked);
                lacking.push(it.request);
            }
        }
        let arrive = async {
            for request in &lacking {
                self.board.wait(request, |view| view.signed.is_some()).await;
            }
        };
        // What has not come by then shows in the check.
        let _ = timeout(FETCH_TIME, arrive).await;
    }

    async fn transaction_of(&self, request: &RequestId) -> Option<Digest> {
        views::view(self, request).await.ok().flatten()?.signed?.transaction
    }

    async fn check_settlement(&self, settlement: &Settlement) -> Result<(), FactError> {
        let request = settlement.request;
        let unknown = || FactError::Unknown { request };
        let Some(slot) = settlement.slot else { return self.check_spend(settlement).await };
        let view = self.views.get(&slot.chain.0).ok_or_else(unknown)?;
        let own = self.transaction_of(&request).await.ok_or_else(unknown)?;
        let watched = Watched { hash: B256::from(own.0), account: slot.account, nonce: slot.nonce };
        match bears_out(settlement.fate, own, &view.watch(&watched).await) {
            Some(true) => Ok(()),
            Some(false) => Err(FactError::Differs { request }),
            None => Err(unknown()),
        }
    }

    /// Does something for another node, beside everything else; not at all when that node has too much of it done.
    fn errand(&self, peer: &Name, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(place) = self.errands.place(peer) {
            tokio::spawn(async move {
                work.await;
                drop(place);
            });
        }
    }

    /// Sends committed blocks to a node that lacks them.
    pub(crate) fn serve_blocks(self: &Arc<Self>, to: Name, from: u64) {
        let (shared, peer) = (Arc::clone(self), to.clone());
        self.errand(&peer, async move {
            let limit = MAX_MESSAGE_BLOCKS as u64;
            let stored = match shared.ledger.blocks(from, limit).await {
                Ok(stored) => stored,
                Err(error) => return shared.postponed("sending blocks", &error),
            };
            let mut bytes = 0;
            let mut blocks = Vec::new();
            for block in stored {
                bytes += borsh::object_length(&block.entries).unwrap_or(usize::MAX / 2);
                if bytes > MAX_SERVED_BYTES && !blocks.is_empty() {
                    break;
                }
                blocks.push(CommittedBlock { commit: block.commit, entries: block.entries });
            }
            shared.peers.send_one(&to, document(Message::Blocks(blocks)));
        });
    }

    /// Tells the others what this node's back end signed.
    pub(crate) fn share_signature(&self, record: &SignatureRecord) {
        self.peers.send(&self.other_nodes(), &PeerMessage::Signed(shared_signature(record)).to_document());
    }

    fn send_signature(self: &Arc<Self>, to: Name, request: RequestId) {
        let (shared, peer) = (Arc::clone(self), to.clone());
        self.errand(&peer, async move {
            if let Ok(Some(record)) = shared.ledger.signature(&request).await {
                let message = PeerMessage::Signed(shared_signature(&record));
                shared.peers.send_one(&to, message.to_document());
            }
        });
    }

    /// INVARIANT S7: a signature that another node made is verified before it is kept or shown. Those that came
    /// together are one errand: a large block's would be too many, and those beyond the limit would be lost.
    fn heard_signatures(self: &Arc<Self>, from: &Name, mut signatures: Vec<SharedSignature>) {
        let shared = Arc::clone(self);
        let reached = self.state().height();
        signatures.retain(|signed| is_near(signed.height, reached));
        self.errand(from, async move {
            let mut state = shared.state.clone();
            for signed in signatures {
                let reached = state.wait_for(|it| it.height() >= signed.height);
                if !matches!(timeout(CATCH_UP_TIME, reached).await, Ok(Ok(_))) {
                    return;
                }
                if let Some(record) = shared.verified(signed).await {
                    shared.board.signed(&record.request, views::payload(&record));
                    shared.unstored.add(record);
                }
            }
        });
    }

    /// The right that a block gave at this place.
    async fn right(&self, height: u64, place: u64) -> Option<Decision> {
        if let Some(decision) = self.recent.at(height, place) {
            return Some(decision);
        }
        let decisions = self.ledger.decisions(height).await.ok()?;
        decisions.into_iter().nth(usize::try_from(place).ok()?)
    }

    async fn verified(&self, signed: SharedSignature) -> Option<SignatureRecord> {
        let decision = self.right(signed.height, signed.position).await?;
        if decision.subject != signed.request {
            return None;
        }
        let intent = match self.state().request(&signed.request).filter(|it| it.is_whole()) {
            Some(request) => request.intent.clone(),
            None => self.ledger.request(&signed.request).await.ok()??.intent,
        };
        let state = self.state();
        let current = state.policy().engine.version();
        // A version that came since may have another wallet under that name, or none.
        let earlier = match decision.policy.number == current.number {
            true => None,
            false => Some(self.ledger.policy(decision.policy.number).await.ok()??.1),
        };
        let (version, signature) = (earlier.as_ref().unwrap_or(current), &signed.payload.signature);
        recovered_signature(&state, version, &decision, signed.position, &intent, signature)
    }
}

/// INVARIANT S7: what a signature (65 bytes r ‖ s ‖ y-parity, the signatures of a PSBT, 64 bytes of Ed25519, or 3,309 of ML-DSA-65) under a decision at this
/// place of its block makes; none unless the decision allows exactly the bytes that the intent makes, and its account
/// signed them. `state` says which wallet a key has on Bitcoin, and `version`, the policy that the decision was made under, which
/// it shares.
#[must_use]
pub fn recovered_signature(
    state: &State,
    version: &PolicyVersion,
    decision: &Decision,
    position: u64,
    intent: &Intent,
    signature: &[u8],
) -> Option<SignatureRecord> {
    let Outcome::Allow(grant) = &decision.outcome else { return None };
    if let Action::Psbt(spent) = &intent.action {
        let wallet = bitcoin::wallet_of(state, version, spent)?;
        return bitcoin::recovered(decision, grant, position, intent, (&wallet, spent), signature);
    }
    if let Action::Solana(it) = &intent.action {
        return solana::recovered(state, (decision, grant, position), intent, it, signature);
    }
    if let Action::Near(it) = &intent.action {
        return near::recovered(state, (decision, grant, position), intent, it, signature);
    }
    let unsigned = keystead_chain::build(&intent.action, grant.address).ok()?;
    if intent.id() != decision.subject || unsigned.signing_digest() != grant.signing_digest {
        return None;
    }
    let (r, s) = (signature.get(..32)?, signature.get(32..64)?);
    let odd = *signature.get(64)? == 1;
    let assembled = assemble(&unsigned, B256::from_slice(r), B256::from_slice(s), odd).ok()?;
    Some(SignatureRecord {
        request: decision.subject,
        height: decision.height,
        position,
        signing_digest: grant.signing_digest,
        signature: signature.to_vec(),
        signed: assembled.raw.to_vec(),
        transaction: assembled.hash.map(|hash| Digest(hash.0)),
    })
}

/// INVARIANT S10: whether what was seen of a request's own transaction is the fate that another node claims;
/// none where nothing is known. Settled by *another* transaction of its slot is a lie that would free what
/// that one spent: a replacement's end releases the request that it stood in for.
fn bears_out(claimed: Fate, own: Digest, seen: &Verdict) -> Option<bool> {
    match (seen, claimed) {
        (Verdict::Unknown(_) | Verdict::Pending { .. }, _) => None,
        (Verdict::Settled { receipt, .. }, Fate::Settled { transaction }) => {
            Some(transaction == own && receipt.succeeded)
        }
        (Verdict::Settled { receipt, .. }, Fate::Reverted { transaction }) => {
            Some(transaction == own && !receipt.succeeded)
        }
        (Verdict::Replaced { .. }, Fate::Dead { .. }) => Some(true),
        (Verdict::Settled { .. }, Fate::Dead { .. })
        | (Verdict::Replaced { .. }, Fate::Settled { .. } | Fate::Reverted { .. }) => Some(false),
    }
}

fn settlement(entry: &Entry) -> Option<&Settlement> {
    match entry {
        Entry::Settlement(signed) => Some(&signed.body),
        _ => None,
    }
}

fn finding(entry: &Entry) -> Option<&Finding> {
    match entry {
        Entry::Finding(signed) => Some(&signed.body),
        _ => None,
    }
}

fn simulation(entry: &Entry) -> Option<&Signed<Simulation>> {
    match entry {
        Entry::Simulation(signed) => Some(signed),
        _ => None,
    }
}

fn shared_signature(record: &SignatureRecord) -> SharedSignature {
    SharedSignature {
        request: record.request,
        height: record.height,
        position: record.position,
        payload: views::payload(record),
    }
}

/// INVARIANT D3: what is said of heights far ahead takes no place of an errand until then; it is asked for again once
/// this node is there.
fn is_near(height: u64, reached: u64) -> bool {
    height <= reached.saturating_add(HEIGHTS_AWAITED)
}

/// What the blocks of one message have at most together, so that they fit a document.
const MAX_SERVED_BYTES: usize = 2 * 1024 * 1024;
/// How many blocks ahead of this node a signature is waited with.
const HEIGHTS_AWAITED: u64 = 4;
/// How long a signature waits for the block that it rests on.
const CATCH_UP_TIME: Duration = Duration::from_secs(20);
/// How long a node waits for signatures that it lacks, before it objects: less than a round.
const FETCH_TIME: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_base::Amount;
    use keystead_transmit::ReceiptFacts;

    #[test]
    fn s10_a_request_ends_only_as_its_own_transaction_did() {
        let (own, other) = (Digest([1; 32]), Digest([2; 32]));
        let settled = |transaction| Fate::Settled { transaction };
        let dead = Fate::Dead { by: other };
        let replaced = Verdict::Replaced { by: Some(B256::from(other.0)) };
        let receipt =
            ReceiptFacts { block: 1, block_hash: B256::ZERO, succeeded: true, fee: Amount::default() };
        let failed = ReceiptFacts { succeeded: false, ..receipt.clone() };
        let executed = Verdict::Settled { receipt, time_seconds: 1 };
        let failed = Verdict::Settled { receipt: failed, time_seconds: 1 };
        let reverted = |transaction| Fate::Reverted { transaction };
        assert_eq!(bears_out(reverted(own), own, &failed), Some(true));
        assert_eq!(bears_out(reverted(other), own, &failed), Some(false), "another one's hash");
        assert_eq!(bears_out(settled(own), own, &failed), Some(false), "nobody was paid");
        assert_eq!(bears_out(reverted(own), own, &executed), Some(false), "somebody was paid");
        assert_eq!(bears_out(dead, own, &failed), Some(false), "its nonce is its own");
        assert_eq!(bears_out(reverted(own), own, &replaced), Some(false), "it is in no block");
        assert_eq!(bears_out(settled(own), own, &executed), Some(true));
        assert_eq!(bears_out(settled(other), own, &executed), Some(false), "another one's hash");
        assert_eq!(bears_out(dead, own, &executed), Some(false), "its money is spent");
        let pending = Verdict::Pending { seen: None };
        assert_eq!(bears_out(dead, own, &replaced), Some(true));
        assert_eq!(bears_out(settled(own), own, &replaced), Some(false), "it can never execute");
        assert_eq!(
            bears_out(settled(other), own, &replaced),
            Some(false),
            "what the other one spent would be freed"
        );
        for claimed in [settled(own), settled(other), dead] {
            assert_eq!(bears_out(claimed, own, &pending), None, "not final");
        }
    }

    #[test]
    fn d03_a_signature_of_a_height_far_ahead_is_not_waited_with() {
        let near = [(7, 7), (0, 7), (11, 7), (u64::MAX, u64::MAX)];
        assert!(near.iter().all(|(height, reached)| is_near(*height, *reached)));
        assert!(!is_near(12, 7) && !is_near(u64::MAX, 7));
    }
}

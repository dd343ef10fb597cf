//! PSBTs of requests: read once, bounded for each requester, and let go when nothing can come of them any more.

use std::sync::{Arc, OnceLock};

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use imbl::OrdMap;
use keystead_base::{Digest, Name, RequestId};
use keystead_intent::{Action, ActionKind, Effects, Intent, PsbtSpend};
use keystead_policy::Reason;

use crate::coins::undecodable;
use crate::judge::Understood;
use crate::to_sign::ToSign;
use crate::turn::Turn;
use crate::{Controls, Phase, Request, State};

/// The most PSBTs of one requester that wait for people at once.
pub const MAX_WAITING_PSBTS: u64 = 100;

/// The most bytes of one requester's PSBTs that wait, or may be signed still.
pub const MAX_KEPT_PSBT_BYTES: u64 = 16 * 1024 * 1024;

/// What policy and the log need of a PSBT: a few thousand bytes, however many came along to prove them.
#[derive(Debug)]
pub(crate) struct ReadPsbt {
    wallet: Address,
    signing_digest: Digest,
    effects: Effects,
}

/// What was read of a request's PSBT. It follows from its bytes and from a wallet that is recorded once, so it is no
/// part of the state: whoever starts from a snapshot reads again when the request is next spoken of.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub(crate) struct Remembered(#[borsh(skip)] OnceLock<Arc<ReadPsbt>>);

impl PartialEq for Remembered {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Remembered {}

/// How much of one requester's PSBTs the state keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kept {
    waiting: u64,
    bytes: u64,
}

impl<C: Controls> Turn<'_, C> {
    /// Whether a PSBT is worth reading: what is denied whatever it says costs nobody more than a look.
    pub(crate) fn worth_reading(&self, intent: &Intent) -> Result<(), Reason> {
        let Action::Psbt(it) = &intent.action else { return Ok(()) };
        let (engine, key) = (&self.state.policy.engine, &it.account.key);
        if !engine.version().chains.contains(&it.chain) {
            return Err(Reason::ChainNotAllowed { chain: it.chain });
        }
        if self.controls.frozen(&self.state.frozen, key) {
            return Err(Reason::Frozen { key: Some(key.clone()) });
        }
        if !engine.could_permit(&intent.requester, ActionKind::Psbt, key) {
            let (requester, key) = (intent.requester.clone(), key.clone());
            return Err(Reason::RequesterNotPermitted { requester, key });
        }
        self.state.can_keep(&intent.requester, it.psbt.len() as u64)
    }

    /// What a request would do; a PSBT is read the first time only.
    pub(crate) fn understand_request(&mut self, request: &Request) -> Result<Understood, Reason> {
        match &request.intent.action {
            Action::Psbt(it) => self.understand_remembered(request, it),
            action => self.understand(action),
        }
    }

    fn understand_remembered(&self, request: &Request, it: &PsbtSpend) -> Result<Understood, Reason> {
        let wallet = self.state.wallet_for(it)?.id();
        if let Some(read) = request.remembered.0.get().filter(|read| read.wallet == wallet) {
            return Ok(read.understood());
        }
        if it.psbt.is_empty() {
            return Err(Reason::Expired { at: request.intent.expires });
        }
        // A wallet can get another text while a request waits. What was remembered of the one before stays, and counts no
        // more: a node that starts from a snapshot never had it.
        let read = Arc::new(self.read(it)?);
        let understood = read.understood();
        let _ = request.remembered.0.set(read);
        Ok(understood)
    }

    /// INVARIANT S2: the PSBT is read by this node itself, against the wallet that the log recorded.
    pub(crate) fn read(&self, it: &PsbtSpend) -> Result<ReadPsbt, Reason> {
        let wallet = self.state.wallet_for(it)?;
        let spend = self.controls.read_psbt(&wallet, &it.psbt).map_err(|error| undecodable(&error))?;
        let effects = self.controls.explain_psbt(&spend);
        Ok(ReadPsbt { wallet: wallet.id(), signing_digest: spend.signing_digest(), effects })
    }

    /// The right to a signature ends with its request, and then nobody reads its bytes again. Its coins and its amounts
    /// stay where they are.
    pub(crate) fn let_go_if_over(&mut self, id: &RequestId) {
        let over = self.state.requests.get(id).is_some_and(|it| it.intent.expires <= self.now());
        if over {
            self.state.let_go(id);
        }
    }
}

impl ReadPsbt {
    pub(crate) fn understood(&self) -> Understood {
        Understood {
            address: self.wallet,
            unsigned: ToSign::Bitcoin(self.signing_digest),
            effects: self.effects.clone(),
        }
    }

    pub(crate) fn remembered(self) -> Remembered {
        let read = OnceLock::new();
        read.get_or_init(|| Arc::new(self));
        Remembered(read)
    }
}

impl Request {
    /// Whether it is all there: the bytes of a PSBT leave the state before its request does, and are in the log for ever.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !matches!(&self.intent.action, Action::Psbt(it) if it.psbt.is_empty())
    }

    fn psbt_bytes(&self) -> Option<u64> {
        match &self.intent.action {
            Action::Psbt(it) if !it.psbt.is_empty() => Some(it.psbt.len() as u64),
            _ => None,
        }
    }
}

impl State {
    fn can_keep(&self, requester: &Name, bytes: u64) -> Result<(), Reason> {
        let kept = self.kept.get(requester).copied().unwrap_or_default();
        let fits = kept.bytes.saturating_add(bytes) <= MAX_KEPT_PSBT_BYTES;
        if fits && kept.waiting < MAX_WAITING_PSBTS {
            return Ok(());
        }
        Err(Reason::TooManyPsbts {
            requester: requester.clone(),
            limit: MAX_WAITING_PSBTS,
            limit_bytes: MAX_KEPT_PSBT_BYTES,
        })
    }

    /// A request was opened.
    pub(crate) fn keep(&mut self, request: &Request) {
        let Some(bytes) = request.psbt_bytes() else { return };
        let kept = self.kept.entry(request.intent.requester.clone()).or_default();
        kept.bytes = kept.bytes.saturating_add(bytes);
        kept.waiting = kept.waiting.saturating_add(u64::from(request.phase == Phase::Open));
    }

    /// A request was open, and is something else now.
    pub(crate) fn waits_no_more(&mut self, id: &RequestId) {
        let Some(request) = self.requests.get(id).filter(|it| it.psbt_bytes().is_some()) else { return };
        if let Some(kept) = self.kept.get_mut(&request.intent.requester) {
            kept.waiting = kept.waiting.saturating_sub(1);
        }
    }

    /// Nothing can come of a PSBT any more: its bytes, what was read of them and what people said leave the state.
    pub(crate) fn let_go(&mut self, id: &RequestId) {
        let Some(request) = self.requests.get_mut(id).map(Arc::make_mut) else { return };
        let Some(bytes) = request.psbt_bytes() else { return };
        if let Action::Psbt(it) = &mut request.intent.action {
            it.psbt = Vec::new().into();
        }
        (request.approvals, request.remembered) = (Vec::new(), Remembered::default());
        let requester = request.intent.requester.clone();
        let Some(kept) = self.kept.get_mut(&requester) else { return };
        kept.bytes = kept.bytes.saturating_sub(bytes);
        if kept.bytes == 0 {
            self.kept.remove(&requester);
        }
    }

    /// What follows from the requests alone, for a state that is read from a snapshot.
    pub(crate) fn count_kept(&mut self) {
        self.kept = OrdMap::new();
        for request in self.requests.clone().values() {
            self.keep(request);
        }
    }
}

//! The coordinator: from an action to its signature, and to the chain.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, keccak256};
use keystead_base::{
    BASE_SELF_TESTS, ClusterId, Coded as _, HybridSigner, Name, RequestId, SelfTested, Timestamp,
};
use keystead_decision::Outcome;
use keystead_intent::{AccountRef, Action, ChainId, Intent};
use keystead_trace::{Field, Kind, Span, Tracer, current};
use keystead_transmit::{ChainView, TransmitError};
use keystead_wire::{Client, NodeClient, RequestStage, RequestView, SignedPayload, Target};
use tokio::sync::Semaphore;

use crate::accounts::Accounts;
use crate::again::Looks;
use crate::feed::Feed;
use crate::hooks::Hooks;
use crate::journal::{Journal, Promise, Promised};
use crate::meters::Meters;
use crate::nonces::Nonces;
use crate::once::{Flights, Repeats};
use crate::relay::Relay;
use crate::rest::{AskedFile, MAX_STREAMS};
use crate::share::Shares;
use crate::wording::Wording;
use crate::{Batcher, CoordinatorError, RequestError, Stage, Step, clock, follow, probes};

/// What a coordinator is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its own name among the services of the roster.
    pub service: Name,
    /// The chain that it speaks for.
    pub chain: ChainId,
    /// How long a caller is kept while people are waited for.
    pub deadline: Duration,
    /// How long a request lives in the log.
    pub lifetime: Duration,
    /// How many addresses of each key are listed.
    pub addresses_per_key: u32,
}

/// The coordinator. Clones are one coordinator.
#[derive(Clone)]
pub struct Coordinator {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) node: NodeClient,
    pub(crate) relay: Client,
    pub(crate) chain: Option<ChainView>,
    pub(crate) accounts: Accounts,
    pub(crate) nonces: Nonces,
    pub(crate) flights: Flights,
    pub(crate) repeats: Repeats,
    pub(crate) meters: Meters,
    /// When a node was last looked for, and whether it answered.
    pub(crate) looked: tokio::sync::Mutex<Option<(Instant, bool)>>,
    pub(crate) hooks: OnceLock<Hooks>,
    /// Carries connections between nodes, where it is told to.
    pub(crate) lines: OnceLock<Relay>,
    tracer: OnceLock<Tracer>,
    /// Places for streams of events.
    pub(crate) streams: Arc<Semaphore>,
    /// Who listens to new blocks.
    pub(crate) feed: Feed,
    /// What each caller may hold.
    pub(crate) shares: Shares,
    /// What was sent and may have to be sent again.
    pub(crate) looks: Looks,
    /// When this run began: what was promised before, an earlier one promised.
    pub(crate) started: Timestamp,
    pub(crate) wording: Wording,
    batcher: Batcher,
    journal: Mutex<Journal>,
    asked: Mutex<AskedFile>,
    waiting: Semaphore,
    /// It signs requests for its service, and hashes what it is given (S7).
    _tested: SelfTested,
}

impl Coordinator {
    /// Starts: what an earlier run promised to broadcast is taken up again. It talks to the first of `nodes` that
    /// it can reach, and to another when that one is gone.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError`] when a self-test fails, the journal cannot be read or written, or the transport key is refused.
    pub fn start(
        settings: Settings,
        nodes: Vec<Target>,
        signer: HybridSigner,
        chain: Option<ChainView>,
        journal: &Path,
    ) -> Result<Self, CoordinatorError> {
        let tested = SelfTested::power_on(&[BASE_SELF_TESTS], &|_, _| {})?;
        let relay = Client::among(nodes.clone())?;
        let node = NodeClient::among(nodes)?;
        let started = clock::now();
        let asked = AskedFile::open(&journal.with_extension("keys"), started);
        let journal = Journal::open(journal, started).map_err(CoordinatorError::Journal)?;
        let inner = Arc::new(Inner {
            batcher: Batcher::start(node.clone(), settings.service.clone(), signer),
            accounts: Accounts::new(node.clone(), settings.addresses_per_key),
            nonces: Nonces::default(),
            flights: Flights::default(),
            repeats: Repeats::default(),
            meters: Meters::default(),
            looked: tokio::sync::Mutex::default(),
            hooks: OnceLock::new(),
            lines: OnceLock::new(),
            tracer: OnceLock::new(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            feed: Feed::default(),
            shares: Shares::default(),
            looks: Looks::default(),
            started,
            wording: Wording::default(),
            journal: Mutex::new(journal),
            asked: Mutex::new(asked.map_err(CoordinatorError::Journal)?),
            waiting: Semaphore::new(MAX_WAITING_CALLERS),
            settings,
            node,
            relay,
            chain,
            _tested: tested,
        });
        tokio::spawn(follow::sweep(Arc::downgrade(&inner)));
        tokio::spawn(probes::measure(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Tells a collector of requests from now on; whoever calls this twice is heard the first time.
    pub fn trace(&self, tracer: Tracer) {
        drop(self.inner.tracer.set(tracer));
    }

    /// Carries connections between these nodes from now on; whoever calls this twice is heard the first time.
    pub fn carry(&self, nodes: Vec<(Name, Target)>) {
        drop(self.inner.lines.set(Relay::start(nodes)));
    }
}

/// What a request came to at the end of one call.
pub(crate) struct Obtained {
    pub(crate) request: RequestId,
    pub(crate) signed: SignedPayload,
}

impl Inner {
    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever is told of requests; nobody unless a collector is configured.
    pub(crate) fn tracer(&self) -> Tracer {
        self.tracer.get().cloned().unwrap_or_default()
    }

    /// A part of what runs here, for the collector.
    pub(crate) fn part(&self, name: &'static str, kind: Kind) -> Span {
        self.tracer().span(name, kind, current())
    }

    /// The requests that callers may ask for again by their keys.
    pub(crate) fn asked(&self) -> MutexGuard<'_, AskedFile> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn chain(&self) -> Result<&ChainView, RequestError> {
        self.chain.as_ref().ok_or(RequestError::NoChain)
    }

    pub(crate) async fn account(&self, address: Address) -> Result<Option<AccountRef>, RequestError> {
        Ok(self.accounts.find(address).await?)
    }

    pub(crate) fn intent(&self, action: Action) -> Result<Intent, RequestError> {
        let nonce = clock::fresh_nonce().map_err(|error| RequestError::Environment(error.to_string()))?;
        Ok(Intent {
            cluster: self.settings.cluster,
            requester: self.settings.service.clone(),
            nonce,
            expires: clock::now().plus_seconds(self.settings.lifetime.as_secs()),
            action,
        })
    }

    /// Submits; gives the request back denied, waiting or signed. Nobody takes it for lost meanwhile.
    pub(crate) async fn submit(&self, intent: Intent) -> Result<RequestView, RequestError> {
        let _flight = self.flights.begin(intent.id());
        let start = Instant::now();
        let mut span = self.part("coordinator.submit", Kind::Client);
        span.say(Field::Request(intent.id()));
        let asked = span.around(self.batcher.ask(intent)).await;
        match &asked {
            Ok(view) => span.say(Field::Outcome(view.decision.outcome.word())),
            Err(error) => span.fail(error.code()),
        }
        drop(span);
        let view = asked?;
        self.meters.decided(&view, start.elapsed());
        self.saw(&view);
        Ok(view)
    }

    /// Waits for the signature, for as long as a caller is kept.
    pub(crate) async fn signature(&self, view: RequestView) -> Result<Obtained, RequestError> {
        let found = self.await_signature(view).await;
        self.meters.signing(&found);
        found
    }

    async fn await_signature(&self, view: RequestView) -> Result<Obtained, RequestError> {
        let (request, deadline, start) = (view.request, self.settings.deadline, Instant::now());
        let (mut view, mut waits) = (view, None);
        loop {
            let left = deadline.saturating_sub(start.elapsed());
            let policy = view.decision.policy;
            match (judge(view), left.is_zero()) {
                (Err(error), _) => return Err(self.wording.add(&self.node, error, policy).await),
                (Ok(Standing::Signed(obtained)), _) => return Ok(obtained),
                (Ok(Standing::Under(stage)), true) => return Err(late(request, stage, deadline)),
                (Ok(Standing::Under(_)), false) => {}
            }
            let _place = self.waiting.try_acquire().map_err(|_| RequestError::Busy)?;
            waits.get_or_insert_with(|| self.part("coordinator.wait", Kind::Client));
            let next = self.node.wait(request, left.min(ONE_WAIT)).await?;
            view = next.ok_or(RequestError::Ended { request, stage: None })?;
            self.saw(&view);
        }
    }

    /// Callers that are kept right now.
    pub(crate) fn callers_waiting(&self) -> usize {
        MAX_WAITING_CALLERS.saturating_sub(self.waiting.available_permits())
    }

    /// From an action to its signature.
    pub(crate) async fn sign(&self, action: Action) -> Result<Obtained, RequestError> {
        let intent = self.intent(action)?;
        self.signature(self.submit(intent).await?).await
    }

    /// Promises to send a request once it is signed. Durable when this returns.
    pub(crate) fn promise(&self, request: RequestId, promise: Promise) -> Result<Promised, RequestError> {
        self.journal().promise(request, promise).map_err(|error| RequestError::unkept(&error))
    }

    /// Notes what happened to a promised request. A note that is lost is found out again from the node.
    pub(crate) fn note(&self, request: RequestId, step: Step) {
        if let Err(error) = self.journal().step(request, step) {
            follow::report(request, &error);
        }
    }

    /// Sends signed bytes to the chain, and gives the transaction's hash. What is there already is not sent
    /// again.
    pub(crate) async fn send(&self, obtained: &Obtained) -> Result<B256, RequestError> {
        let (request, raw) = (obtained.request, &obtained.signed.raw);
        let sent = [Stage::Broadcast, Stage::Settled].map(Some);
        let stage = self.journal().stage(&request);
        if sent.contains(&stage) {
            return Ok(keccak256(raw));
        }
        self.note(request, Step::Sign);
        let mut span = self.part("coordinator.broadcast", Kind::Client);
        span.say(Field::Request(request));
        span.say(Field::Chain(self.settings.chain.0));
        let sent = match self.chain()?.send(raw).await {
            Ok(sent) => Ok(sent.hash),
            Err(error) => self.mined(request, raw, error).await,
        };
        let hash = sent.inspect_err(|error| span.fail(error.code()))?;
        self.note(request, Step::Send);
        Ok(hash)
    }

    /// A transaction that stands in a block is refused by every endpoint: its nonce is used, by itself.
    async fn mined(
        &self,
        request: RequestId,
        raw: &[u8],
        error: TransmitError,
    ) -> Result<B256, RequestError> {
        let hash = keccak256(raw);
        match self.chain()?.receipt(hash).await {
            Ok(Some(_)) => Ok(hash),
            Ok(None) | Err(_) => Err(RequestError::Broadcast { request, error }),
        }
    }
}

/// Where a request stands while nothing speaks against it.
enum Standing {
    Signed(Obtained),
    Under(RequestStage),
}

fn judge(view: RequestView) -> Result<Standing, RequestError> {
    let (request, stage) = (view.request, view.stage);
    if let (RequestStage::Denied, Outcome::Deny { reasons, .. }) = (stage, &view.decision.outcome) {
        let (rules, reasons) = (view.decision.rules.clone(), reasons.clone());
        let words = reasons.iter().map(ToString::to_string).collect();
        return Err(RequestError::Denied { request, rules, reasons, words });
    }
    if let Some(signed) = view.signed {
        return Ok(Standing::Signed(Obtained { request, signed }));
    }
    match (view.refusal, stage) {
        (Some(refusal), _) => Err(RequestError::Unsignable { request, refusal }),
        (None, stage) if stage.is_over() => Err(RequestError::Ended { request, stage: Some(stage) }),
        (None, stage) => Ok(Standing::Under(stage)),
    }
}

fn late(request: RequestId, stage: RequestStage, deadline: Duration) -> RequestError {
    match stage {
        RequestStage::Waiting => RequestError::Waiting { request, deadline },
        _ => RequestError::Unsigned { request, deadline },
    }
}

/// Callers that are kept at once; each holds one open question to the node, which has 512 places for one client: 128 are for
/// questions that are carried, and the rest for the coordinator's own.
const MAX_WAITING_CALLERS: usize = 320;
/// One question to the node lasts no longer.
const ONE_WAIT: Duration = Duration::from_secs(60);

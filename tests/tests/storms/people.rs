//! The people and services of the desk as clients of any node, whatever becomes of the nodes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keystead_base::{ClusterId, RequestId, RequestNonce, Secret, Timestamp};
use keystead_decision::{Decision, Entry, Outcome};
use keystead_intent::{
    AccountRef, Action, Approval, Asset, AuthorityChange, Freeze, GasTerms, Intent, RequestBatch, Transfer,
    Verdict,
};
use keystead_tests::cluster::signed;
use keystead_tests::fixture::{CHAIN, Desk, Member, name};
use keystead_wire::{
    EntryAnswer, Hello, Identity, Limits, NodeClient, NodeStatus, RequestStage, RequestView, Role, Target,
};
use tokio::time::interval;

/// Everybody of the desk, and where the nodes listen.
pub(crate) struct People {
    pub(crate) desk: Desk,
    pub(crate) cluster: ClusterId,
    /// Where each node listens, and the key that it proves.
    seats: Mutex<Vec<(String, [u8; 32])>>,
    asked: AtomicU64,
}

impl People {
    pub(crate) fn new(desk: Desk, cluster: ClusterId, addresses: Vec<String>) -> Self {
        let keys = desk.nodes.iter().map(|node| node.transport().0.0);
        let seats = Mutex::new(addresses.into_iter().zip(keys).collect());
        Self { desk, cluster, seats, asked: AtomicU64::new(1) }
    }

    /// From now on another node stands there.
    pub(crate) fn reseat(&self, node: usize, address: String, member: &Member) {
        self.seats.lock().unwrap()[node] = (address, member.transport().0.0);
    }

    /// How somebody reaches a node; a call is given up after `patience`.
    fn target(&self, who: &str, node: usize, patience: Duration) -> Target {
        let member = self.member(who);
        let (address, server) = self.seats.lock().unwrap()[node].clone();
        Target {
            address,
            server,
            identity: Identity::from_seed(&Secret::new(member.transport_seed)).unwrap(),
            hello: Hello::new(self.cluster, Role::Person, 1),
            limits: Limits { call: patience, ..Limits::default() },
        }
    }

    /// A client that connects with its first question.
    pub(crate) fn client(&self, who: &str, node: usize, patience: Duration) -> NodeClient {
        NodeClient::new(self.target(who, node, patience)).unwrap()
    }

    fn member(&self, who: &str) -> &Member {
        self.desk.person(who)
    }

    /// What a node says of itself; none when it does not answer.
    pub(crate) async fn status(&self, node: usize) -> Option<NodeStatus> {
        self.client("eve", node, ANSWER).status().await.ok()
    }

    /// An intent of this requester that nobody asked before.
    pub(crate) fn intent(&self, requester: &str, action: Action) -> Intent {
        let now = now();
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.asked.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        nonce[8..].copy_from_slice(&now.0.to_be_bytes());
        let (cluster, expires) = (self.cluster, now.plus_seconds(3600));
        Intent { cluster, requester: name(requester), nonce: RequestNonce(nonce), expires, action }
    }

    /// The signed entry of one intent.
    pub(crate) fn entry(&self, intent: &Intent) -> Entry {
        let member = self.member(intent.requester.as_str());
        Entry::Requests(signed(RequestBatch { intents: vec![intent.clone()] }, member))
    }

    /// Asks this node until it answers, and gives where the request stands when it is over.
    pub(crate) async fn ask(&self, who: &str, node: usize, action: Action) -> RequestView {
        let intent = self.intent(who, action);
        let view = match self.submit(who, node, self.entry(&intent)).await {
            EntryAnswer::Requests(views) => views.into_iter().next().unwrap(),
            other => panic!("not a request's answer: {other:?}"),
        };
        match view.stage {
            RequestStage::Allowed => self.wait(node, intent.id()).await,
            _ => view,
        }
    }

    /// A request, once it is over.
    pub(crate) async fn wait(&self, node: usize, request: RequestId) -> RequestView {
        let client = self.client("cleo", node, PATIENCE);
        retry(async || {
            client.wait(request, Duration::from_secs(10)).await.ok().flatten().filter(|it| it.stage.is_over())
        })
        .await
    }

    /// Submits until this node answers.
    pub(crate) async fn submit(&self, who: &str, node: usize, entry: Entry) -> EntryAnswer {
        let client = self.client(who, node, PATIENCE);
        retry(async || client.submit(vec![entry.clone()]).await.ok()?.pop()).await
    }

    /// Asks for a change of authority at one node, has it approved at two others, and waits until it is done.
    pub(crate) async fn change(&self, nodes: [usize; 3], change: AuthorityChange) -> RequestView {
        let request = self.allow(nodes, change).await;
        self.wait(nodes[0], request).await
    }

    /// The same until it is allowed.
    pub(crate) async fn allow(&self, nodes: [usize; 3], change: AuthorityChange) -> RequestId {
        let asked = self.ask("cleo", nodes[0], Action::Authority(change)).await;
        assert_eq!(asked.stage, RequestStage::Waiting, "{asked:?}");
        for (who, node) in [("ana", nodes[1]), ("ben", nodes[2])] {
            let approval = self.approval(who, node, &asked.request).await;
            self.submit(who, node, Entry::Approval(signed(approval, self.member(who)))).await;
        }
        asked.request
    }

    async fn approval(&self, who: &str, node: usize, request: &RequestId) -> Approval {
        let client = self.client(who, node, ANSWER);
        let detail = retry(async || client.request(*request).await.ok().flatten()).await;
        let Outcome::Wait { signing_digest, .. } = detail.view.decision.outcome else {
            panic!("not waiting: {:?}", detail.view)
        };
        Approval {
            cluster: self.cluster,
            request: *request,
            signing_digest,
            policy_version: detail.view.decision.policy.number,
            verdict: Verdict::Approve,
            person: name(who),
            device: name("laptop"),
            expires: now().plus_seconds(600),
        }
    }

    /// Stops everything, through this node.
    pub(crate) async fn freeze(&self, node: usize) -> Vec<Decision> {
        let freeze = Freeze {
            cluster: self.cluster,
            key: None,
            person: name("eve"),
            device: name("laptop"),
            expires: now().plus_seconds(600),
        };
        let entry = Entry::Freeze(signed(freeze, self.member("eve")));
        match self.submit("eve", node, entry).await {
            EntryAnswer::Decided(decisions) => decisions,
            other => panic!("not decided: {other:?}"),
        }
    }
}

/// The answer of something that is tried until it has one.
pub(crate) async fn retry<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let (mut pace, start) = (interval(PACE), Instant::now());
    loop {
        pace.tick().await;
        if let Some(answer) = attempt().await {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "D3: nothing came of it in {PATIENCE:?}");
    }
}

/// A transfer of wei from one of the key's accounts.
pub(crate) fn transfer(index: u32, to: alloy_primitives::Address, wei: u64, nonce: u64) -> Action {
    let gas = GasTerms {
        nonce,
        gas_limit: GAS_LIMIT,
        max_fee_per_gas: MAX_FEE_PER_GAS,
        max_priority_fee_per_gas: 1_000_000_000,
    };
    let account = AccountRef { key: name("hot"), index };
    Action::Transfer(Transfer { account, chain: CHAIN, asset: Asset::Native, to, amount: wei.into(), gas })
}

/// The clock of this machine.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(elapsed.as_millis()).unwrap())
}

/// How long a question that a node answers from memory may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(3);
/// Longer than anything takes on a busy machine; reached only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
const PACE: Duration = Duration::from_millis(50);
const GAS_LIMIT: u64 = 21_000;
const MAX_FEE_PER_GAS: u128 = 4_000_000_000;

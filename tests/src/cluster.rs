//! A running node of the fixture's desk, with real TLS, a real ledger and a real enclave process.
//!
//! A [`NodeHome`] is the folder that survives; a [`Station`] is the node running in it, and everybody
//! of the desk as its clients.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::Address;
use keystead_base::{Canonical, Name, RequestId, RequestNonce, Secret, Signed, Timestamp};
use keystead_decision::{Controls, Decision, Entry, KeyState, Outcome, SignedGenesis};
use keystead_intent::{
    Action, Approval, Asset, AuthorityChange, Freeze, Intent, KeyCeremony, KeyKind, RequestBatch, Transfer,
    Verdict, Veto,
};
use keystead_keys::{BackupFile, MemberKey, MemberKeyFile};
use keystead_node::{
    Config, EnclaveConfig, Event, Events, MemberConfig, NodeError, NodeLimits, PeerConfig, RunningNode, run,
    run_under, scratch_arguments,
};
use keystead_policy::PolicyVersion;
use keystead_signing::{Drill, EnclaveClient};
use keystead_wire::{
    DrillReport, EntryAnswer, Hello, Identity, KeyView, Limits, NodeClient, RequestStage, RequestView, Role,
    Target,
};

use crate::fixture::{CHAIN, Desk, Member, name};
use crate::world::{gas, hot};
use crate::{binary, free_port};

/// Opens every key file and every seal of a [`NodeHome`].
pub const PASSPHRASE: &str = "a passphrase of the tests";

/// The folder of a node, with its genesis and its key file.
pub struct NodeHome {
    /// Who is who.
    pub desk: Desk,
    /// The genesis.
    pub genesis: SignedGenesis,
    /// How the node is started.
    pub config: Config,
    /// Which of the fixture's nodes it is.
    index: usize,
    folder: tempfile::TempDir,
}

impl NodeHome {
    /// The fixture's policy.
    pub fn new() -> Self {
        Self::with_policy(|_| {})
    }

    /// The fixture's policy, changed; everybody can receive backups.
    pub fn with_policy(change: impl FnOnce(&mut PolicyVersion)) -> Self {
        Self::member_of(Desk::default(), 0, change)
    }

    /// The homes of several nodes of one cluster, each of which knows where the others listen.
    pub fn several(nodes: u8, change: impl Fn(&mut PolicyVersion)) -> Vec<Self> {
        let member = |it: u8| Member::new(&format!("node-{}", it + 1), it + 1);
        let desk = || Desk { nodes: (0..nodes).map(member).collect(), ..Desk::default() };
        let addresses: Vec<String> = (0..nodes).map(|_| format!("127.0.0.1:{}", free_port())).collect();
        let peer = |(node, address): (&Member, &String)| PeerConfig {
            name: node.name.clone(),
            address: address.clone(),
        };
        let peers: Vec<PeerConfig> = desk().nodes.iter().zip(&addresses).map(peer).collect();
        let homes = addresses.iter().enumerate().map(|(index, address)| {
            let mut home = Self::member_of(desk(), index, &change);
            home.config.listen.clone_from(address);
            home.config.peers.clone_from(&peers);
            home
        });
        homes.collect()
    }

    fn member_of(desk: Desk, index: usize, change: impl FnOnce(&mut PolicyVersion)) -> Self {
        let mut policy = desk.policy();
        for (person, member) in policy.roster.people.iter_mut().zip(&desk.people) {
            let recipient = member_key(member).recipient().expect("a recipient key").public();
            person.recipient = Some(recipient.as_bytes().to_vec());
        }
        change(&mut policy);
        let genesis = desk.genesis_with(policy);
        let folder = tempfile::Builder::new().prefix("keystead-node-").tempdir().expect("a folder");
        let config = config(&folder);
        furnish(&config, &genesis, &desk.nodes[index]);
        Self { desk, genesis, config, index, folder }
    }

    /// The home of another machine: it knows this genesis and where the nodes of this home's configuration
    /// listen, and none of them knows of it.
    pub fn newcomer(&self, member: Member) -> Self {
        let desk = Desk { nodes: vec![member], ..Desk::default() };
        let folder = tempfile::Builder::new().prefix("keystead-node-").tempdir().expect("a folder");
        let mut config = config(&folder);
        config.peers.clone_from(&self.config.peers);
        furnish(&config, &self.genesis, &desk.nodes[0]);
        Self { desk, genesis: self.genesis.clone(), config, index: 0, folder }
    }

    /// The node's own keys.
    pub fn own(&self) -> &Member {
        &self.desk.nodes[self.index]
    }

    /// A file of the folder.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Starts the node, as often as one likes, one after the other.
    pub async fn start(self) -> Station {
        self.try_start().await.unwrap_or_else(|(_, error)| panic!("the node does not start: {error}"))
    }

    /// Starts a node that proposes and votes under other controls than the product's.
    pub async fn start_under<C: Controls + Clone + 'static>(self, controls: C) -> Station {
        let events = Arc::new(Recorder::default());
        let told = Arc::clone(&events) as Arc<dyn Events>;
        let node = run_under(self.config.clone(), told, controls).await.expect("a node that starts");
        Station { home: self, node, events, asked: AtomicU64::new(1) }
    }

    /// Starts the node, or says why it does not.
    pub async fn try_start(self) -> Result<Station, (Self, NodeError)> {
        let events = Arc::new(Recorder::default());
        match run(self.config.clone(), Arc::clone(&events) as Arc<dyn Events>).await {
            Ok(node) => Ok(Station { home: self, node, events, asked: AtomicU64::new(1) }),
            Err(error) => Err((self, error)),
        }
    }
}

impl Default for NodeHome {
    fn default() -> Self {
        Self::new()
    }
}

/// The events of a node, as lines.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Events for Recorder {
    fn event(&self, event: Event) {
        self.0.lock().expect("nobody panics here").push(event.to_string());
    }
}

/// A running node and its clients.
pub struct Station {
    /// The folder.
    pub home: NodeHome,
    /// The node.
    pub node: RunningNode,
    events: Arc<Recorder>,
    asked: AtomicU64,
}

impl Station {
    /// A node of the fixture's policy whose key `hot` is active.
    pub async fn with_hot_key() -> Self {
        Self::with_hot_key_under(|_| {}).await
    }

    /// The same under another policy.
    pub async fn with_hot_key_under(change: impl FnOnce(&mut PolicyVersion)) -> Self {
        let station = NodeHome::with_policy(change).start().await;
        station.make_hot_key().await;
        station
    }

    /// Stops the node; its folder stays.
    pub async fn stop(self) -> NodeHome {
        self.node.shutdown().await.expect("a node that stops in good order");
        self.home
    }

    /// What the node told so far.
    pub fn events(&self) -> Vec<String> {
        self.events.0.lock().expect("nobody panics here").clone()
    }

    /// A client with this member's transport key.
    pub async fn client(&self, who: &str) -> NodeClient {
        NodeClient::connect(self.target(self.member(who))).await.expect("a pinned client")
    }

    /// How this member reaches the node.
    pub fn target(&self, member: &Member) -> Target {
        let role = if member.name.as_str() == "desk" { Role::Service } else { Role::Person };
        let limits = Limits { handshake: PATIENCE, frame: PATIENCE, call: PATIENCE, ..Limits::default() };
        Target {
            address: self.node.address().to_string(),
            server: self.home.own().transport().0.0,
            identity: Identity::from_seed(&Secret::new(member.transport_seed)).expect("a seed"),
            hello: Hello::new(self.node.cluster(), role, 1),
            limits,
        }
    }

    /// The node itself, as the desk knows it.
    pub fn node_member(&self) -> &Member {
        &self.home.desk.nodes[self.home.index]
    }

    /// Somebody of the desk.
    pub fn member(&self, who: &str) -> &Member {
        match who {
            "desk" => &self.home.desk.desk,
            _ => self.home.desk.person(who),
        }
    }

    /// The block time, or the clock's when that is later.
    pub async fn now(&self) -> Timestamp {
        let status = self.client("eve").await.status().await.expect("a status");
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        status.time.max(Timestamp(u64::try_from(elapsed.as_millis()).expect("a clock of this age")))
    }

    /// An intent that expires an hour from `now`.
    pub fn intent(&self, requester: &str, action: Action, now: Timestamp) -> Intent {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.asked.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        // Another process of the same folder asks other things.
        nonce[8..].copy_from_slice(&now.0.to_be_bytes());
        Intent {
            cluster: self.node.cluster(),
            requester: name(requester),
            nonce: RequestNonce(nonce),
            expires: now.plus_seconds(3600),
            action,
        }
    }

    /// The signed entry of these intents, all of one requester.
    pub fn entry(&self, intents: Vec<Intent>) -> Entry {
        let member = self.member(intents[0].requester.as_str());
        Entry::Requests(signed(RequestBatch { intents }, member))
    }

    /// Asks for one thing and gives where it stands.
    pub async fn ask(&self, requester: &str, action: Action) -> RequestView {
        let intent = self.intent(requester, action, self.now().await);
        self.submit_request(requester, self.entry(vec![intent])).await
    }

    /// Submits an entry with one request.
    pub async fn submit_request(&self, who: &str, entry: Entry) -> RequestView {
        match self.submit(who, entry).await {
            EntryAnswer::Requests(views) => views.into_iter().next().expect("one request"),
            other => panic!("not a request's answer: {other:?}"),
        }
    }

    /// Submits one entry.
    pub async fn submit(&self, who: &str, entry: Entry) -> EntryAnswer {
        let answers = self.client(who).await.submit(vec![entry]).await.expect("an answer");
        answers.into_iter().next().expect("one answer for one entry")
    }

    /// Says yes to what the log says of a request, directly to the node.
    pub async fn approve(&self, who: &str, request: &RequestId) -> Vec<Decision> {
        let approval = self.approval(who, request).await;
        self.decided(who, Entry::Approval(signed(approval, self.member(who)))).await
    }

    /// An approval, not yet signed.
    pub async fn approval(&self, who: &str, request: &RequestId) -> Approval {
        let detail = self.client(who).await.request(*request).await.expect("an answer").expect("a request");
        let Outcome::Wait { signing_digest, .. } = detail.view.decision.outcome else {
            panic!("not waiting: {:?}", detail.view)
        };
        Approval {
            cluster: self.node.cluster(),
            request: *request,
            signing_digest,
            policy_version: detail.view.decision.policy.number,
            verdict: Verdict::Approve,
            person: name(who),
            device: name("laptop"),
            expires: self.now().await.plus_seconds(600),
        }
    }

    /// Stops a request.
    pub async fn veto(&self, who: &str, request: &RequestId) -> Vec<Decision> {
        let veto = Veto {
            cluster: self.node.cluster(),
            request: *request,
            person: name(who),
            device: name("laptop"),
            expires: self.now().await.plus_seconds(600),
        };
        self.decided(who, Entry::Veto(signed(veto, self.member(who)))).await
    }

    /// Stops everything.
    pub async fn freeze(&self, who: &str) -> Vec<Decision> {
        self.decided(who, self.freeze_entry(who).await).await
    }

    /// The signed order to stop everything.
    pub async fn freeze_entry(&self, who: &str) -> Entry {
        let freeze = Freeze {
            cluster: self.node.cluster(),
            key: None,
            person: name(who),
            device: name("laptop"),
            expires: self.now().await.plus_seconds(600),
        };
        Entry::Freeze(signed(freeze, self.member(who)))
    }

    /// Asks for a change of authority, approves it twice, and waits until it is carried out.
    pub async fn change(&self, change: AuthorityChange) -> RequestView {
        let asked = self.ask("cleo", Action::Authority(change)).await;
        assert_eq!(asked.stage, RequestStage::Waiting, "{asked:?}");
        self.approve("ana", &asked.request).await;
        self.approve("ben", &asked.request).await;
        self.wait(&asked.request).await
    }

    /// A request once it is over.
    pub async fn wait(&self, request: &RequestId) -> RequestView {
        let waited = self.client("cleo").await.wait(*request, PATIENCE).await;
        waited.expect("an answer").expect("a request")
    }

    /// The key `hot`.
    pub async fn hot(&self) -> KeyView {
        let keys = self.client("cleo").await.keys().await.expect("keys");
        keys.into_iter().find(|it| it.name == name("hot")).expect("the key `hot`")
    }

    /// Its first address.
    pub async fn account(&self) -> Address {
        self.hot().await.address.expect("an active key")
    }

    /// Creates `hot` at `node-1`, backs it up to `ana`, and drills the backup in a scratch enclave.
    pub async fn make_hot_key(&self) {
        self.make_hot_key_at("node-1").await;
    }

    /// The same at another node of the cluster.
    pub async fn make_hot_key_at(&self, home: &str) {
        let create = KeyCeremony::Create { key: name("hot"), kind: KeyKind::HdSecp256k1, home: name(home) };
        let created = self.change(AuthorityChange::Key(create)).await;
        assert_eq!(created.stage, RequestStage::Applied, "{created:?}");
        let backup = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("ana")] };
        let backed_up = self.change(AuthorityChange::Key(backup)).await;
        assert_eq!(backed_up.stage, RequestStage::Applied, "{backed_up:?}");
        assert_eq!(self.hot().await.address, None, "no address before a drill");
        self.drill().await;
        assert_eq!(self.hot().await.state, KeyState::Active);
    }

    /// Restores the backup of `hot` in a scratch enclave, and reports the proof to this node.
    pub async fn drill(&self) {
        let client = self.client("ana").await;
        let digest = self.hot().await.backup.expect("a backup");
        let file = client.backup(digest).await.expect("an answer").expect("a file");
        let file = BackupFile::from_document(&file).expect("a backup file");
        let passphrase = &self.home.config.enclave.passphrase;
        let arguments = scratch_arguments(passphrase.as_os_str());
        let mut scratch = EnclaveClient::spawn(binary("test_enclave"), arguments).expect("a process");
        let member = sealed(self.member("ana"));
        let proof =
            scratch.drill(Drill { file, recipient: name("ana"), member, after: None }).expect("a drill");
        let report = DrillReport { key: name("hot"), backup: proof.backup, proof: proof.proof };
        let answer = client.drill(report).await.expect("an answer");
        assert!(matches!(answer, EntryAnswer::Decided(_)), "{answer:?}");
    }

    async fn decided(&self, who: &str, entry: Entry) -> Vec<Decision> {
        match self.submit(who, entry).await {
            EntryAnswer::Decided(decisions) => decisions,
            other => panic!("not decided: {other:?}"),
        }
    }
}

/// A transfer of wei from the first account of `hot`.
pub fn ether(to: Address, wei: u128, nonce: u64) -> Action {
    Action::Transfer(Transfer {
        account: hot(),
        chain: CHAIN,
        asset: Asset::Native,
        to,
        amount: wei.into(),
        gas: gas(nonce),
    })
}

/// The most that [`ether`] pays for gas.
pub fn fee() -> u128 {
    let gas = gas(0);
    u128::from(gas.gas_limit) * gas.max_fee_per_gas
}

/// A body with this member's signature.
pub fn signed<T: Canonical>(body: T, member: &Member) -> Signed<T> {
    Signed::new(body, member.name.clone(), &member.signer).expect("a signature")
}

/// All secrets of a member of the fixture: those that the fixture names, and a recipient's.
pub fn member_key(member: &Member) -> MemberKey {
    let byte = member.transport_seed[0] ^ 0x80;
    MemberKey::generate(Name::clone(&member.name), &mut |bytes| {
        bytes.fill(byte);
        bytes[64..96].copy_from_slice(&member.transport_seed);
    })
}

/// A member's key file under [`PASSPHRASE`].
pub fn sealed(member: &Member) -> MemberKeyFile {
    let key = member_key(member);
    key.seal(PASSPHRASE.as_bytes(), &mut |bytes| bytes.fill(9)).expect("a sealed key")
}

fn furnish(config: &Config, genesis: &SignedGenesis, node: &Member) {
    std::fs::write(&config.genesis, genesis.to_document()).expect("a file");
    std::fs::write(&config.member.key, sealed(node).to_document()).expect("a file");
    std::fs::write(&config.enclave.passphrase, format!("{PASSPHRASE}\n")).expect("a file");
}

fn config(folder: &tempfile::TempDir) -> Config {
    let path = |file: &str| folder.path().join(file);
    Config {
        data: path("data"),
        genesis: path("genesis"),
        member: MemberConfig { key: path("node.key"), passphrase: path("passphrase"), token: None },
        enclave: EnclaveConfig {
            program: Some(binary("test_enclave")),
            passphrase: path("passphrase"),
            tpm: None,
            require: Vec::new(),
            root: None,
            tokens: Vec::new(),
        },
        ledger: None,
        listen: "127.0.0.1:0".to_owned(),
        metrics: None,
        chains: Vec::new(),
        bitcoin: Vec::new(),
        peers: Vec::new(),
        nats: None,
        nats_login: None,
        times: keystead_node::Times::default(),
        limits: NodeLimits::default(),
    }
}

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

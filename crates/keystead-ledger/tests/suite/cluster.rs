//! A cluster of one in memory, with a short life: a key is born, backed up, drilled, and signs.

use std::collections::BTreeMap;

use keystead_base::{
    Canonical, Digest, HYBRID_SEED_BYTES, HybridSigner, Name, RequestId, RequestNonce, Secret, Signed,
    Timestamp,
};
use keystead_decision::{
    Admitted, Decision, Entry, Founder, Genesis, KeyEvent, KeyStep, Outcome, SignedGenesis, State, Strict,
    drill_challenge, propose, sign_vote, vote_for,
};
use keystead_intent::{
    AccountRef, Action, Approval, AuthorityChange, ChainId, DangerClass, Freeze, Intent, KeyCeremony,
    KeyKind, Message, RequestBatch, Verdict,
};
use keystead_keys::{ChildSecret, HdSeed};
use keystead_ledger::{Appended, Checkpoint, SignatureRecord, SignedCheckpoint, origin};
use keystead_policy::{
    AssuranceLevel, Device, Factor, Need, Node, Person, PolicyVersion, QuorumRow, Roster, Rule, Service,
    Timing, TransportKey,
};

/// The cluster, as far as it has got.
pub(crate) struct Cluster {
    pub(crate) genesis: SignedGenesis,
    pub(crate) state: State,
    /// The decisions of all blocks so far, by height.
    pub(crate) decisions: BTreeMap<u64, Vec<Decision>>,
    nonce: u8,
}

impl Cluster {
    /// The same genesis every time.
    pub(crate) fn new() -> Self {
        let genesis = Genesis {
            name: name("hot"),
            created: NOW,
            founders: vec![Founder { name: name("ana"), key: signer(ANA).public().clone() }],
            policy: policy(),
        };
        let signatures = vec![genesis.sign(&signer(ANA)).unwrap()];
        let state = State::genesis(&genesis).unwrap();
        let genesis = SignedGenesis { genesis, signatures };
        Self { genesis, state, decisions: BTreeMap::new(), nonce: 0 }
    }

    /// The next block, with these entries.
    pub(crate) fn step(&mut self, entries: Vec<Entry>) -> Appended {
        let admit = |entry| self.state.admit(entry).unwrap();
        let entries: Vec<Admitted> = entries.into_iter().map(admit).collect();
        let time = Timestamp(self.state.time().0 + 1000);
        let applied = propose(&self.state, time, &name(NODE_NAME), &entries, &Strict::default());
        let vote = sign_vote(&vote_for(&applied.block.header, 0, 0), name(NODE_NAME), &node_key()).unwrap();
        let block = Appended::new(&applied, 0, vec![vote]);
        self.state = applied.state;
        self.decisions.insert(self.state.height(), applied.decisions);
        block
    }

    /// A block in which nothing happens.
    pub(crate) fn tick(&mut self) -> Appended {
        self.step(vec![Entry::Tick])
    }

    /// A request of the service that nobody can fulfil, and its id.
    pub(crate) fn denied(&mut self) -> (Entry, RequestId) {
        self.ask(name("desk"), DESK, message("no-such-key"))
    }

    /// A request of the service to sign a message, and its id.
    pub(crate) fn message(&mut self) -> (Entry, RequestId) {
        self.ask(name("desk"), DESK, message("hot"))
    }

    /// Everything that happens until the key `hot` may sign: seven blocks.
    pub(crate) fn activate_key(&mut self) -> Vec<Appended> {
        let account = account();
        let create =
            KeyCeremony::Create { key: name("hot"), kind: KeyKind::HdSecp256k1, home: name(NODE_NAME) };
        let (mut blocks, created) = self.change(AuthorityChange::Key(create));
        blocks.push(self.event(KeyStep::Created {
            request: created,
            kind: KeyKind::HdSecp256k1,
            account: account.public(),
            assurance: AssuranceLevel::Process,
            protections: Vec::new(),
        }));
        let backup = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("ben")] };
        let (more, asked) = self.change(AuthorityChange::Key(backup));
        blocks.extend(more);
        blocks.push(self.event(KeyStep::BackedUp { request: asked, backup: BACKUP }));
        let challenge = drill_challenge(self.state.cluster(), &name("hot"), 0, &BACKUP, None);
        let proof = sign(&account, &challenge);
        blocks.push(self.event(KeyStep::Drilled { backup: BACKUP, proof }));
        blocks
    }

    /// A block that freezes everything.
    pub(crate) fn freeze(&mut self) -> Appended {
        let freeze = Freeze {
            cluster: self.state.cluster(),
            key: None,
            person: name("ana"),
            device: name("laptop"),
            expires: self.soon(),
        };
        self.step(vec![Entry::Freeze(Signed::new(freeze, name("ana"), &signer(ANA)).unwrap())])
    }

    /// Two blocks that change the policy: it gets one more chain.
    pub(crate) fn change_policy(&mut self) -> Vec<Appended> {
        let current = self.state.policy().engine.version().clone();
        let mut next = PolicyVersion { number: current.number + 1, previous: current.digest(), ..current };
        next.chains.push(ChainId(100 + next.number));
        let document = next.to_document().into();
        self.change(AuthorityChange::Policy { document }).0
    }

    /// The checkpoint of the log so far, signed by the node.
    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        let body = Checkpoint {
            origin: origin(&self.genesis.genesis.name, self.state.cluster()),
            size: self.state.height(),
            root: self.state.history().root(),
        };
        SignedCheckpoint::sign(body, &node_key()).unwrap()
    }

    /// The record of the signature that the latest decision about this request allows.
    pub(crate) fn signature(&self, request: RequestId) -> SignatureRecord {
        let places = self.decisions.values().flat_map(|block| (0..).zip(block));
        let (position, decision) = places.filter(|(_, it)| it.subject == request).last().unwrap();
        let Outcome::Allow(grant) = &decision.outcome else { panic!("{:?}", decision.outcome) };
        SignatureRecord {
            request,
            height: decision.height,
            position,
            signing_digest: grant.signing_digest,
            signature: sign(&account(), &grant.signing_digest),
            signed: Vec::new(),
            transaction: None,
        }
    }

    /// One block in which ana asks, one in which ben approves.
    fn change(&mut self, change: AuthorityChange) -> (Vec<Appended>, RequestId) {
        let (asked, id) = self.ask(name("ana"), ANA, Action::Authority(change));
        let first = self.step(vec![asked]);
        let approval = Approval {
            cluster: self.state.cluster(),
            request: id,
            signing_digest: id.0,
            policy_version: self.state.policy().engine.version().number,
            verdict: Verdict::Approve,
            person: name("ben"),
            device: name("laptop"),
            expires: self.soon(),
        };
        let second =
            self.step(vec![Entry::Approval(Signed::new(approval, name("ben"), &signer(BEN)).unwrap())]);
        (vec![first, second], id)
    }

    fn event(&mut self, step: KeyStep) -> Appended {
        let event = KeyEvent { cluster: self.state.cluster(), key: name("hot"), step };
        self.step(vec![Entry::Key(Signed::new(event, name(NODE_NAME), &node_key()).unwrap())])
    }

    fn ask(&mut self, requester: Name, key: u8, action: Action) -> (Entry, RequestId) {
        self.nonce += 1;
        let intent = Intent {
            cluster: self.state.cluster(),
            requester: requester.clone(),
            nonce: RequestNonce([self.nonce; 16]),
            expires: self.soon(),
            action,
        };
        let id = intent.id();
        let batch = RequestBatch { intents: vec![intent] };
        (Entry::Requests(Signed::new(batch, requester, &signer(key)).unwrap()), id)
    }

    fn soon(&self) -> Timestamp {
        self.state.time().plus_seconds(600)
    }
}

/// The node's key.
pub(crate) fn node_key() -> HybridSigner {
    signer(NODE)
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn signer(byte: u8) -> HybridSigner {
    HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).unwrap()
}

fn message(key: &str) -> Action {
    let account = AccountRef { key: name(key), index: 0 };
    Action::Message(Message { account, chain: CHAIN, bytes: b"hello".to_vec().into() })
}

fn account() -> ChildSecret {
    HdSeed::from_entropy(Secret::new([7; 32])).root().unwrap().ethereum().unwrap()
}

fn sign(account: &ChildSecret, digest: &Digest) -> Vec<u8> {
    let scalar = account.account(0).unwrap().scalar();
    let secret = secp256k1::SecretKey::from_byte_array(*scalar.expose()).unwrap();
    let message = secp256k1::Message::from_digest(digest.0);
    secp256k1::Secp256k1::new().sign_ecdsa(message, &secret).serialize_compact().to_vec()
}

fn policy() -> PolicyVersion {
    let rule = |id: &str, cedar: &str| Rule { id: name(id), cedar: cedar.to_owned() };
    let row = |id: &str, classes: &[DangerClass], needs: Vec<Need>| QuorumRow {
        id: name(id),
        keys: Vec::new(),
        classes: classes.to_vec(),
        changes: Vec::new(),
        from: None,
        needs,
        delay_seconds: 0,
        vetoers: Vec::new(),
    };
    let approver = Need { role: name("approver"), count: 1, factors: Vec::new() };
    PolicyVersion {
        number: 0,
        previous: Digest::ZERO,
        roster: roster(),
        rules: vec![
            rule(
                "govern",
                r#"permit(principal in Role::"founder", action == Action::"authority", resource);"#,
            ),
            rule("speak", r#"permit(principal, action in Action::"sign", resource);"#),
        ],
        windows: Vec::new(),
        quorums: vec![
            row("authority", &[DangerClass::Authority], vec![approver]),
            row("speaking", &[DangerClass::Statement], Vec::new()),
        ],
        address_book: Vec::new(),
        assets: Vec::new(),
        contracts: Vec::new(),
        chains: vec![CHAIN],
        prices: None,
        caps: Vec::new(),
        protections: Vec::new(),
        fresh_heads: Vec::new(),
        simulation: None,
        bitcoin: None,
        timing: Timing {
            max_lifetime_seconds: 86_400,
            certificate_seconds: 60,
            skew_seconds: 5,
            cool_off_seconds: 3600,
        },
        fee_caps: Vec::new(),
        tolerances: Vec::new(),
    }
    .into_canonical()
}

fn roster() -> Roster {
    let node = Node {
        name: name(NODE_NAME),
        key: node_key().public().clone(),
        transport: TransportKey(Digest([NODE; 32])),
        operator: String::new(),
        host: String::new(),
        provider: String::new(),
        build: String::new(),
        boot: 0,
    };
    let desk = Service {
        name: name("desk"),
        key: signer(DESK).public().clone(),
        transport: TransportKey(Digest([DESK; 32])),
        roles: vec![name("trader")],
    };
    Roster {
        quorum: 1,
        nodes: vec![node],
        services: vec![desk],
        people: vec![person("ana", ANA), person("ben", BEN)],
        devices: None,
    }
}

fn person(text: &str, byte: u8) -> Person {
    let device = Device {
        name: name("laptop"),
        factor: Factor::Software,
        key: signer(byte).public().clone(),
        transport: TransportKey(Digest([byte; 32])),
    };
    let roles = ["approver", "founder", "freezer"].map(name).to_vec();
    Person { name: name(text), roles, devices: vec![device], recipient: Some(vec![byte; 1216]) }
}

pub(crate) const NODE_NAME: &str = "node-1";
const NODE: u8 = 1;
const DESK: u8 = 2;
const ANA: u8 = 3;
const BEN: u8 = 4;
const CHAIN: ChainId = ChainId(1);
/// Monday, 2026-11-23 20:15:02 UTC.
const NOW: Timestamp = Timestamp(1_795_464_902_000);
/// The digest of a backup file; no such file is needed here.
const BACKUP: Digest = Digest([0xb4; 32]);

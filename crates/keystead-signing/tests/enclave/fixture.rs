//! A cluster of one, small enough to write its blocks by hand, and an enclave that follows it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::Bytes;
use keystead_base::{
    Canonical as _, ClusterId, Digest, HybridSigner, Name, RequestId, Secret, Timestamp, merkle, tagged_hash,
};
use keystead_chain::{Payload, Unsigned};
use keystead_decision::{
    Certificate, Commit, Decision, FreshAnswer, Frozen, Genesis, Grant, Header, Outcome, SignedGenesis,
    Transition, leaves, sign_vote, vote_for,
};
use keystead_intent::{AccountRef, ChainId, DangerClass, KeyCeremony, KeyKind};
use keystead_keys::{BackupFile, MemberKey, MemberKeyFile, Sealed};
use keystead_policy::{
    AssuranceLevel, FreshHeadDemand, FreshHeadRule, Node, Person, PolicyVersion, Roster, Timing, TransportKey,
};
use keystead_signing::{
    Advance, BatchItem, ClientError, EnclaveClient, EnclaveControls, EnclaveOptions, EthereumSignature,
    Feature, HeldKey, Hello, ItemResult, Role, Strict,
};

use crate::self_tests::Faulty;

/// The chain of every payload here.
pub(crate) const CHAIN: ChainId = ChainId(1);

/// The log, the recipient of backups, and a folder for the passphrase.
pub(crate) struct Cluster {
    pub(crate) genesis: SignedGenesis,
    pub(crate) policy: PolicyVersion,
    pub(crate) node: HybridSigner,
    pub(crate) height: u64,
    pub(crate) frozen: Frozen,
    pub(crate) ann: MemberKeyFile,
    /// Opens the enclaves' seals and the recipient's key file; in no binary, so that it can be looked for.
    pub(crate) passphrase: String,
    folder: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let ann = MemberKey::generate(name("ann"), &mut |bytes| bytes.fill(7));
        let node = HybridSigner::from_seed(&Secret::new([1; 64])).unwrap();
        let policy = policy(&node, ann.recipient().unwrap().public().as_bytes().to_vec());
        let genesis =
            Genesis { name: name("test"), created: Timestamp(1), founders: vec![founder(&node)], policy };
        let signatures = vec![genesis.sign(&node).unwrap()];
        let folder = tempfile::tempdir().unwrap();
        let passphrase = tagged_hash("passphrase", folder.path().as_os_str().as_encoded_bytes()).to_string();
        let ann = ann.seal(passphrase.as_bytes(), &mut |bytes| bytes.fill(9)).unwrap();
        fs::write(folder.path().join("passphrase"), format!("{passphrase}\n")).unwrap();
        let (policy, frozen) = (genesis.policy.clone(), Frozen::default());
        Self {
            genesis: SignedGenesis { genesis, signatures },
            policy,
            node,
            height: 0,
            frozen,
            ann,
            passphrase,
            folder,
        }
    }

    pub(crate) fn id(&self) -> ClusterId {
        self.genesis.genesis.cluster()
    }

    /// A block with these outcomes, and a certificate for each.
    pub(crate) fn block(&mut self, outcomes: Vec<Outcome>) -> Vec<Certificate> {
        self.height += 1;
        let decisions: Vec<Decision> = outcomes.into_iter().map(|outcome| self.decision(outcome)).collect();
        let leaves = leaves(&decisions);
        let commit = self.commit(merkle::root(&leaves));
        decisions
            .into_iter()
            .enumerate()
            .map(|(index, decision)| {
                let proof = merkle::Inclusion::prove(&leaves, index).unwrap();
                Certificate { commit: commit.clone(), decision, proof }
            })
            .collect()
    }

    pub(crate) fn certificate(&mut self, outcome: Outcome) -> Certificate {
        self.block(vec![outcome]).remove(0)
    }

    pub(crate) fn commit(&self, decisions: Digest) -> Commit {
        let header = Header {
            cluster: self.id(),
            height: self.height,
            time: Timestamp(self.height + 1),
            parent: Digest::ZERO,
            proposer: name("node-1"),
            history: Digest::ZERO,
            entries: Digest::ZERO,
            decisions,
            policy: self.policy.reference(),
            roster: self.policy.roster.digest(),
            frozen: self.frozen.clone(),
        };
        self.voted(header)
    }

    pub(crate) fn voted(&self, header: Header) -> Commit {
        let vote = sign_vote(&vote_for(&header, 0, 0), name("node-1"), &self.node).unwrap();
        Commit { header, round: 0, votes: vec![vote] }
    }

    /// The next policy version, and the transition to it.
    pub(crate) fn next_policy(&mut self) -> Transition {
        self.changed_policy(|_| {})
    }

    /// As [`Self::next_policy`], with a change.
    pub(crate) fn changed_policy(&mut self, change: impl FnOnce(&mut PolicyVersion)) -> Transition {
        let previous = self.policy.digest();
        self.policy = PolicyVersion { number: self.policy.number + 1, previous, ..self.policy.clone() };
        change(&mut self.policy);
        self.height += 1;
        Transition { commit: self.commit(merkle::root(&[])), policy: self.policy.clone(), rebuild: None }
    }

    fn decision(&self, outcome: Outcome) -> Decision {
        Decision {
            cluster: self.id(),
            height: self.height,
            subject: RequestId(Digest([3; 32])),
            policy: self.policy.reference(),
            rules: Vec::new(),
            outcome,
        }
    }

    pub(crate) fn passphrase_file(&self) -> PathBuf {
        self.folder.path().join("passphrase")
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// An enclave that has not been told anything yet. `strict` requires every protection.
    pub(crate) fn start(&self, role: &str, options: &[&str]) -> EnclaveClient {
        self.start_with(&self.passphrase_file(), role, options)
    }

    /// A scratch enclave whose file holds a whole key.
    pub(crate) fn scratch_of(&self, whole: &str) -> EnclaveClient {
        let file = self.path("whole");
        fs::write(&file, whole).unwrap();
        self.start_with(&file, "scratch", &[])
    }

    fn start_with(&self, passphrase: &Path, role: &str, options: &[&str]) -> EnclaveClient {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let role = if role == "scratch" { role.to_owned() } else { self.id().to_string() };
        command.args(["enclave", &role]).arg(passphrase).args(options);
        EnclaveClient::start(&mut command).unwrap()
    }

    pub(crate) fn signer(&self, seals: Vec<Sealed>, options: &[&str]) -> Result<EnclaveClient, ClientError> {
        let mut enclave = self.start("signer", options);
        enclave.open(seals)?;
        enclave.hello(self.hello())?;
        self.confirm(&mut enclave)?;
        Ok(enclave)
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello { genesis: self.genesis.clone() }
    }

    /// The quorum, which is one node here, says which head is the newest.
    pub(crate) fn confirm(&self, enclave: &mut EnclaveClient) -> Result<(), ClientError> {
        let nonce = enclave.ask_fresh()?;
        enclave.confirm_fresh(self.fresh_answer(nonce)).map(drop)
    }

    pub(crate) fn fresh_answer(&self, nonce: Digest) -> FreshAnswer {
        let head = (self.height > 0).then(|| self.commit(merkle::root(&[])));
        FreshAnswer::by_node(self.id(), nonce, head, name("node-1"), &self.node).unwrap()
    }

    /// A signing enclave with the key `hot`, its seal, and its public side.
    pub(crate) fn with_hot_key(&mut self, options: &[&str]) -> (EnclaveClient, Sealed, HeldKey) {
        let mut enclave = self.signer(Vec::new(), options).unwrap();
        let certificate = self.certificate(ceremony(create("hot")));
        let created = enclave.create(certificate).unwrap();
        (enclave, created.sealed, created.held)
    }

    pub(crate) fn backup(&mut self, enclave: &mut EnclaveClient) -> BackupFile {
        let backup = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("ann")] };
        let certificate = self.certificate(ceremony(backup));
        enclave.backup(certificate).unwrap()
    }
}

/// The child's side of [`Cluster::start`].
pub(crate) fn become_enclave(words: &[&str]) {
    let [role, passphrase, options @ ..] = words else { panic!("an enclave needs a role and a passphrase") };
    let role = match *role {
        "scratch" => Role::Scratch,
        cluster => Role::Signer(ClusterId(cluster.parse().unwrap())),
    };
    if options.contains(&"nobody") {
        crate::attacker::become_nobody();
    }
    if options.contains(&"unlockable") {
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        rustix::process::setrlimit(rustix::process::Resource::Memlock, none).unwrap();
    }
    let required = if options.contains(&"strict") { Feature::ALL.to_vec() } else { Vec::new() };
    let root = options.iter().position(|it| *it == "root").map(|at| crate::rooted::root(&options[at + 1..]));
    let tokens = options.iter().position(|it| *it == "tokens");
    let tokens = tokens.map(|at| crate::in_tokens::groups(&options[at + 1..])).unwrap_or_default();
    let start = EnclaveOptions { role, passphrase: PathBuf::from(passphrase), required, root, tokens };
    let fault = options.iter().position(|it| *it == "fault").and_then(|at| options.get(at + 1));
    let ended = match fault {
        Some(fault) => keystead_signing::run_with(start, Faulty((*fault).to_owned())),
        None if options.contains(&"twin") => keystead_signing::run_with(start, BelievesTheParent),
        None => keystead_signing::run_with(start, Strict),
    };
    if let Err(error) = ended {
        eprintln!("enclave: {error}");
        std::process::exit(1);
    }
}

/// The twin: takes the granted digest for the payload's own.
#[derive(Clone)]
struct BelievesTheParent;

impl EnclaveControls for BelievesTheParent {
    fn spend_to_grant(&self, spend: &keystead_bitcoin::Spend, granted: Option<&Grant>) -> Digest {
        granted.map_or_else(|| spend.signing_digest(), |grant| grant.signing_digest)
    }

    fn digest_to_grant(&self, unsigned: &Unsigned, granted: Option<&Grant>) -> Digest {
        granted.map_or_else(|| unsigned.signing_digest(), |grant| grant.signing_digest)
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn create(key: &str) -> KeyCeremony {
    KeyCeremony::Create { key: name(key), kind: KeyKind::HdSecp256k1, home: name("node-1") }
}

pub(crate) fn ceremony(ceremony: KeyCeremony) -> Outcome {
    Outcome::Ceremony { ceremony, epoch: 0, expires: soon() }
}

pub(crate) fn soon() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(now.as_millis() as u64).plus_seconds(3600)
}

/// A message that `held` would sign with index 0.
pub(crate) fn message(held: &HeldKey, text: &str) -> Unsigned {
    let address = held.account.address(0).unwrap();
    Unsigned::parse(address, CHAIN, Payload::Message(Bytes::from(text.as_bytes().to_vec()))).unwrap()
}

/// The grant for exactly this payload.
pub(crate) fn grant(unsigned: &Unsigned) -> Grant {
    Grant {
        account: AccountRef { key: name("hot"), index: 0 },
        address: unsigned.account(),
        epoch: 0,
        chain: unsigned.chain(),
        signing_digest: unsigned.signing_digest(),
        slot: None,
        class: DangerClass::Statement,
        expires: soon(),
    }
}

/// Asks for one signature under `certificate`: the signature, or the code of the refusal.
pub(crate) fn sign(
    enclave: &mut EnclaveClient,
    certificate: &Certificate,
    unsigned: &Unsigned,
) -> Result<EthereumSignature, String> {
    let item = BatchItem {
        decision: certificate.decision.clone(),
        proof: certificate.proof.clone(),
        unsigned: unsigned.to_document(),
    };
    match enclave.sign(&certificate.commit, vec![item]) {
        Ok(results) => match results.into_iter().next().unwrap() {
            ItemResult::Signed(released) => {
                let named = (released.signing_digest, released.account);
                assert_eq!(named, (unsigned.signing_digest(), unsigned.account()));
                Ok(released.signature)
            }
            ItemResult::Refused(refusal) => Err(refusal.code),
            ItemResult::Spent(_) => panic!("a message is no PSBT"),
            ItemResult::SignedMessage(_) => panic!("a message of Ethereum's is none of Solana's"),
            ItemResult::Admitted => panic!("its key is not held in shares"),
        },
        Err(ClientError::Refused(refusal)) => Err(refusal.code),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn advance(enclave: &mut EnclaveClient, transitions: Vec<Transition>, head: Option<Commit>) {
    enclave.advance(Advance { transitions, head }).unwrap();
}

fn founder(node: &HybridSigner) -> keystead_decision::Founder {
    keystead_decision::Founder { name: name("founder"), key: node.public().clone() }
}

fn policy(node: &HybridSigner, recipient: Vec<u8>) -> PolicyVersion {
    let node = Node {
        name: name("node-1"),
        key: node.public().clone(),
        transport: TransportKey(Digest([1; 32])),
        operator: String::new(),
        host: String::new(),
        provider: String::new(),
        build: String::new(),
        boot: 0,
    };
    let ann =
        Person { name: name("ann"), roles: Vec::new(), devices: Vec::new(), recipient: Some(recipient) };
    PolicyVersion {
        number: 0,
        previous: Digest::ZERO,
        roster: Roster {
            quorum: 1,
            nodes: vec![node],
            services: Vec::new(),
            people: vec![ann],
            devices: None,
        },
        rules: Vec::new(),
        windows: Vec::new(),
        quorums: Vec::new(),
        address_book: Vec::new(),
        assets: Vec::new(),
        contracts: Vec::new(),
        chains: vec![CHAIN, ChainId::BITCOIN_REGTEST],
        prices: None,
        caps: Vec::new(),
        protections: Vec::new(),
        fresh_heads: vec![FreshHeadRule { level: AssuranceLevel::Process, demand: FreshHeadDemand::AtBoot }],
        simulation: None,
        bitcoin: None,
        timing: Timing {
            max_lifetime_seconds: 3600,
            certificate_seconds: 60,
            skew_seconds: 5,
            cool_off_seconds: 0,
        },
        fee_caps: Vec::new(),
        tolerances: Vec::new(),
    }
}

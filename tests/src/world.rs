//! The authorization path without its processes: the real state machine, votes, light client, signer
//! and EVM, wired with any set of [`Controls`].
//!
//! An attack is one function over a `World<C>`: run with [`Strict`](keystead_decision::Strict) the theft
//! fails; run by a twin binary whose controls lack one method's body, it succeeds.

use alloy_primitives::{Address, B256, Bytes, U256};
use keystead_base::{
    Canonical, Digest, Name, RequestId, RequestNonce, Secret, Signed, Timestamp, merkle::Inclusion,
};
use keystead_chain::{Assembled, Unsigned, assemble};
use keystead_decision::{
    Applied, Block, Certificate, Commit, Controls, Decision, Entry, FreshAnswer, Grant, KeyEvent, KeyState,
    KeyStep, LightClient, LightError, Outcome, PublicAccount, SignedGenesis, State, Transition,
    drill_challenge, leaves, propose, sign_vote, vote_for, wallet_challenge,
};
use keystead_devnet::{Devnet, DevnetError, Receipt};
use keystead_intent::{
    AccountRef, Action, Approval, Asset, AuthorityChange, BitcoinWallet, ContractCall, Freeze, GasTerms,
    Intent, KeyCeremony, KeyKind, RawEthereum, RequestBatch, Transfer, Verdict, Veto,
};
use keystead_keys::{ChildSecret, HdSeed};
use keystead_policy::{AssuranceLevel, PolicyVersion, Reason};
use secp256k1::{Message, Secp256k1, SecretKey};

use crate::fixture::{BIRTH, CHAIN, Desk, ETHER, Member, name};

/// The desk of the fixture with its log, its key `hot` and its chain.
pub struct World<C> {
    /// Who is who.
    pub desk: Desk,
    /// The genesis.
    pub genesis: SignedGenesis,
    /// The replicated state.
    pub state: State,
    /// What the log committed.
    pub log: Vec<(Commit, Block, Vec<Decision>)>,
    /// What the signer believes.
    pub light: LightClient,
    /// The chain.
    pub chain: Devnet,
    controls: C,
    hot: ChildSecret,
    asked: u64,
}

impl<C: Controls> World<C> {
    /// A world whose key `hot` is active and whose first account has 1,000 ether.
    pub fn new(controls: C) -> Self {
        Self::with_policy(controls, |_| {})
    }

    /// The same with a policy version 0 of one's own.
    pub fn with_policy(controls: C, change: impl FnOnce(&mut PolicyVersion)) -> Self {
        Self::of(Desk::default(), controls, change)
    }

    /// The same of a desk of one's own, with more nodes for instance.
    pub fn of(desk: Desk, controls: C, change: impl FnOnce(&mut PolicyVersion)) -> Self {
        let mut policy = desk.policy();
        change(&mut policy);
        let genesis = desk.genesis_with(policy);
        let state = State::genesis(&genesis.genesis).expect("a policy that compiles");
        let light = LightClient::new(&genesis, state.cluster()).expect("a genesis that verifies");
        let hot = root_of(HOT);
        let chain = Devnet::new(CHAIN.0, BIRTH.seconds());
        let mut world = Self { desk, genesis, state, log: Vec::new(), light, chain, controls, hot, asked: 0 };
        let mut light = world.boot();
        world.confirm(&mut light, Digest([1; 32])).expect("a quorum that answers");
        world.light = light;
        world.make_key("hot", HOT);
        let account = world.account();
        world.chain.fund(account, U256::from(1_000 * ETHER));
        world
    }

    /// The controls.
    pub fn controls(&self) -> &C {
        &self.controls
    }

    /// The first account of `hot`.
    pub fn account(&self) -> Address {
        self.account_at(0)
    }

    /// An account of `hot`.
    pub fn account_at(&self, index: u32) -> Address {
        self.public().address(index).expect("an address")
    }

    /// The account that signs a request.
    pub fn signer_of(&self, id: &RequestId) -> Address {
        let request = self.state.request(id).expect("a request that is remembered");
        self.account_at(request.intent.action.account().expect("an account").index)
    }

    /// The block time.
    pub fn now(&self) -> Timestamp {
        self.state.time()
    }

    /// Commits one block, a second later, and shows the signer what it must know.
    pub fn commit(&mut self, entries: Vec<Entry>) -> Vec<Decision> {
        let time = self.now().plus_seconds(1);
        self.commit_at(time, entries)
    }

    /// Commits one block at this time. Entries that are not admitted are left out, as a node would.
    pub fn commit_at(&mut self, time: Timestamp, entries: Vec<Entry>) -> Vec<Decision> {
        let before = self.state.policy().engine.reference();
        let (commit, decisions) = self.decide(time, entries);
        if commit.header.policy == before {
            self.light.advance(&commit).expect("a head that verifies");
        } else {
            let policy = self.state.policy().engine.version().clone();
            let entries = self.log.last().map(|(_, block, _)| block.entries.clone()).unwrap_or_default();
            self.light.follow(&Transition::of(commit, policy, &entries)).expect("a transition that verifies");
        }
        decisions
    }

    /// Commits one block, a second later, that nobody shows to the signer.
    pub fn commit_unseen(&mut self, entries: Vec<Entry>) -> Vec<Decision> {
        self.decide(self.now().plus_seconds(1), entries).1
    }

    fn decide(&mut self, time: Timestamp, entries: Vec<Entry>) -> (Commit, Vec<Decision>) {
        let admitted: Vec<_> = entries.into_iter().filter_map(|entry| self.state.admit(entry).ok()).collect();
        let proposer = &self.desk.nodes[0].name;
        let Applied { block, decisions, state } =
            propose(&self.state, time, proposer, &admitted, &self.controls);
        self.state = state;
        let commit = self.vote(&block);
        self.log.push((commit.clone(), block, decisions.clone()));
        (commit, decisions)
    }

    /// A commit of this block by all nodes.
    pub fn vote(&self, block: &Block) -> Commit {
        let vote = vote_for(&block.header, 0, 0);
        let votes = self
            .desk
            .nodes
            .iter()
            .map(|node| sign_vote(&vote, node.name.clone(), &node.signer).expect("a vote"))
            .collect();
        Commit { header: block.header.clone(), round: 0, votes }
    }

    /// A signer that has just started: it knows the genesis and nothing else.
    pub fn boot(&self) -> LightClient {
        LightClient::new(&self.genesis, self.state.cluster()).expect("a genesis that verifies")
    }

    /// What every node answers to a signer's nonce: its newest head, in one answer.
    pub fn fresh_answer(&self, nonce: Digest) -> FreshAnswer {
        let answers = self.desk.nodes.iter().map(|node| self.fresh_word(node, nonce, self.head()));
        FreshAnswer::gather(answers.collect()).expect("a node")
    }

    /// What one node answers that takes `head` for the newest.
    pub fn fresh_word(&self, node: &Member, nonce: Digest, head: Option<Commit>) -> FreshAnswer {
        FreshAnswer::by_node(self.state.cluster(), nonce, head, node.name.clone(), &node.signer)
            .expect("a word")
    }

    /// The newest commit.
    pub fn head(&self) -> Option<Commit> {
        self.log.last().map(|(commit, _, _)| commit.clone())
    }

    /// Has all nodes confirm the newest head to a signer that drew this nonce just now.
    ///
    /// # Errors
    ///
    /// [`LightError`] where the signer does not believe them.
    pub fn confirm(&self, light: &mut LightClient, nonce: Digest) -> Result<(), LightError> {
        light.ask_fresh(nonce, self.now());
        light.confirm_fresh(&self.fresh_answer(nonce), self.now())
    }

    /// An intent of this requester that expires in an hour.
    pub fn intent(&mut self, requester: &str, action: Action) -> Intent {
        self.asked += 1;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.asked.to_be_bytes());
        Intent {
            cluster: self.state.cluster(),
            requester: name(requester),
            nonce: RequestNonce(nonce),
            expires: self.now().plus_seconds(3600),
            action,
        }
    }

    /// A signed entry with these intents, all of one requester.
    pub fn requests(&self, intents: Vec<Intent>) -> Entry {
        let signer = self.member(&intents[0].requester);
        let batch = RequestBatch { intents };
        Entry::Requests(Signed::new(batch, signer.name.clone(), &signer.signer).expect("a signature"))
    }

    /// Asks for one thing: the request's id and what was decided about it.
    pub fn ask(&mut self, requester: &str, action: Action) -> (RequestId, Outcome) {
        let intent = self.intent(requester, action);
        let id = intent.id();
        let decisions = self.commit(vec![self.requests(vec![intent])]);
        (id, outcome_of(&decisions, &id))
    }

    /// One person's yes, as the person's own client would sign it.
    pub fn approval(&self, who: &str, id: &RequestId) -> Approval {
        let request = self.state.request(id).expect("a request that is remembered");
        Approval {
            cluster: self.state.cluster(),
            request: *id,
            signing_digest: request.approval_digest(),
            policy_version: self.state.policy().engine.version().number,
            verdict: Verdict::Approve,
            person: name(who),
            device: name("laptop"),
            expires: self.now().plus_seconds(600),
        }
    }

    /// Signs an approval with its person's key.
    pub fn sign_approval(&self, approval: Approval) -> Entry {
        let signer = self.member(&approval.person);
        Entry::Approval(Signed::new(approval, signer.name.clone(), &signer.signer).expect("a signature"))
    }

    /// One person approves: every decision that follows.
    pub fn approve(&mut self, who: &str, id: &RequestId) -> Vec<Decision> {
        let entry = self.sign_approval(self.approval(who, id));
        self.commit(vec![entry])
    }

    /// One person vetoes.
    pub fn veto(&mut self, who: &str, id: &RequestId) -> Vec<Decision> {
        let (person, expires) = (name(who), self.now().plus_seconds(600));
        let veto =
            Veto { cluster: self.state.cluster(), request: *id, person, device: name("laptop"), expires };
        let signer = self.member(&veto.person);
        let entry = Entry::Veto(Signed::new(veto, signer.name.clone(), &signer.signer).expect("a signature"));
        self.commit(vec![entry])
    }

    /// One person freezes a key, or everything.
    pub fn freeze(&mut self, who: &str, key: Option<&str>) -> Vec<Decision> {
        let entry = self.freeze_entry(who, key);
        self.commit(vec![entry])
    }

    /// The signed order to freeze.
    pub fn freeze_entry(&self, who: &str, key: Option<&str>) -> Entry {
        let freeze = Freeze {
            cluster: self.state.cluster(),
            key: key.map(name),
            person: name(who),
            device: name("laptop"),
            expires: self.now().plus_seconds(600),
        };
        let signer = self.member(&freeze.person);
        Entry::Freeze(Signed::new(freeze, signer.name.clone(), &signer.signer).expect("a signature"))
    }

    /// Proposes a policy version and has `ana` and `ben` approve it; `cleo` asks.
    pub fn adopt(&mut self, change: impl FnOnce(&mut PolicyVersion)) -> Vec<Decision> {
        let mut next = self.state.policy().engine.version().clone();
        next.previous = next.digest();
        next.number += 1;
        change(&mut next);
        let document = Bytes::from(next.to_document());
        let (id, _) = self.ask("cleo", Action::Authority(AuthorityChange::Policy { document }));
        self.approve("ana", &id);
        self.approve("ben", &id)
    }

    /// What the signer does with a certificate for these bytes: checks it and signs.
    ///
    /// # Errors
    ///
    /// [`LightError`] where the signer refuses.
    pub fn sign(&mut self, certificate: &Certificate, unsigned: &Unsigned) -> Result<Assembled, LightError> {
        let digest = unsigned.signing_digest();
        let now = self.now();
        let grant = self.light.permit_signing(certificate, &digest, now)?.into_grant();
        Ok(self.sign_with(&grant, unsigned))
    }

    /// What the bare key does with any digest, whoever hands it in: r, s, and whether y is odd.
    pub fn sign_digest(&self, index: u32, digest: &Digest) -> (B256, B256, bool) {
        let secret = self.hot.account(index).expect("an account").scalar();
        let key = SecretKey::from_byte_array(*secret.expose()).expect("a scalar");
        let message = Message::from_digest(digest.0);
        let (id, rs) = Secp256k1::new().sign_ecdsa_recoverable(message, &key).serialize_compact();
        (B256::from_slice(&rs[..32]), B256::from_slice(&rs[32..]), i32::from(id) == 1)
    }

    /// The certificate for what the log last said about a request.
    pub fn certificate(&self, id: &RequestId) -> Option<Certificate> {
        self.log.iter().rev().find_map(|(commit, _, decisions)| {
            let index = decisions.iter().rposition(|it| it.subject == *id)?;
            let proof = Inclusion::prove(&leaves(decisions), index)?;
            Some(Certificate { commit: commit.clone(), decision: decisions[index].clone(), proof })
        })
    }

    /// The bytes that a request signs.
    pub fn unsigned(&self, id: &RequestId) -> Unsigned {
        let request = self.state.request(id).expect("a request that is remembered");
        keystead_chain::build(&request.intent.action, self.signer_of(id)).expect("a request that builds")
    }

    /// Signs what was allowed under the certificate of the newest block, and executes it.
    ///
    /// # Errors
    ///
    /// The chain's own refusal.
    ///
    /// # Panics
    ///
    /// When the signer refuses: the caller expects a signature.
    pub fn sign_and_execute(&mut self, id: &RequestId) -> Result<Receipt, DevnetError> {
        let certificate = self.certificate(id).expect("a decision");
        let unsigned = self.unsigned(id);
        let signed = self.sign(&certificate, &unsigned).expect("a signer that agrees");
        self.chain.execute_raw(&signed.raw)
    }

    /// A transfer of wei from the first account of `hot`.
    pub fn ether(&self, to: Address, wei: u128, nonce: u64) -> Action {
        Action::Transfer(Transfer {
            account: hot(),
            chain: CHAIN,
            asset: Asset::Native,
            to,
            amount: wei.into(),
            gas: gas(nonce),
        })
    }

    /// A call from the first account of `hot`.
    pub fn call(&self, to: Address, data: impl Into<Bytes>, nonce: u64) -> Action {
        Action::ContractCall(ContractCall {
            account: hot(),
            chain: CHAIN,
            to,
            value: 0_u64.into(),
            data: data.into(),
            gas: gas(nonce),
        })
    }

    /// Raw bytes to sign for the first account of `hot`.
    pub fn raw(&self, preimage: impl Into<Bytes>) -> Action {
        Action::RawEthereum(RawEthereum { account: hot(), chain: CHAIN, preimage: preimage.into() })
    }

    fn member(&self, who: &Name) -> &Member {
        let everybody = self.desk.people.iter().chain([&self.desk.desk]).chain(&self.desk.nodes);
        everybody.into_iter().find(|it| &it.name == who).expect("a member of the fixture")
    }

    fn public(&self) -> PublicAccount {
        self.hot.public()
    }

    fn sign_with(&self, grant: &Grant, unsigned: &Unsigned) -> Assembled {
        let (r, s, odd_y) = self.sign_digest(grant.account.index, &unsigned.signing_digest());
        assemble(unsigned, r, s, odd_y).expect("a signature of this account")
    }

    /// Another key whose backup was drilled, of a seed of this byte.
    pub fn make_key(&mut self, called: &str, seed: u8) {
        let secret = root_of(seed);
        let born = (KeyKind::HdSecp256k1, secret.public());
        self.make_whole_key(called, seed, born, |it| proof_of(&secret, it));
    }

    /// Another key of this kind, whose backup was drilled with this proof.
    ///
    /// # Panics
    ///
    /// When the log does not take it over.
    pub fn make_whole_key(
        &mut self,
        called: &str,
        seed: u8,
        (kind, account): (KeyKind, PublicAccount),
        proof: impl Fn(&Digest) -> Vec<u8>,
    ) {
        let (key, home, assurance) = (name(called), name("node-1"), AssuranceLevel::Process);
        let request = self.ceremony(KeyCeremony::Create { key: key.clone(), kind, home });
        self.key_event(&key, KeyStep::Created { request, kind, account, assurance, protections: vec![] });
        let backup = keystead_base::tagged_hash("a backup of the fixture", &[seed]);
        let recipients = self.state.roster().people.iter().filter(|it| it.recipient.is_some());
        let recipients: Vec<Name> = recipients.map(|it| it.name.clone()).collect();
        let backed = self.ceremony(KeyCeremony::Backup { key: key.clone(), recipients });
        self.key_event(&key, KeyStep::BackedUp { request: backed, backup });
        let challenge = drill_challenge(self.state.cluster(), &key, 0, &backup, None);
        self.key_event(&key, KeyStep::Drilled { backup, proof: proof(&challenge) });
        assert_eq!(self.state.key(&key).map(|it| it.state), Some(KeyState::Active));
    }

    /// The compressed point of the first account of `hot`.
    ///
    /// # Panics
    ///
    /// Never for a seed that has an account.
    #[must_use]
    pub fn first_child_of_hot(&self) -> [u8; 33] {
        self.hot.account(0).expect("an account").public().compressed()
    }

    /// What only somebody who has the key `hot` can say of a challenge.
    pub fn proof(&self, challenge: &Digest) -> Vec<u8> {
        proof_of(&self.hot, challenge)
    }

    fn ceremony(&mut self, ceremony: KeyCeremony) -> RequestId {
        let (id, _) = self.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
        self.approve("ana", &id);
        self.approve("ben", &id);
        id
    }

    /// The home of `hot` reports a wallet of it.
    ///
    /// # Panics
    ///
    /// When the log does not take it over.
    pub fn record_wallet(&mut self, wallet: &BitcoinWallet) {
        let challenge = wallet_challenge(self.state.cluster(), &name("hot"), &wallet.digest());
        let proof = self.proof(&challenge);
        self.key_event(&name("hot"), KeyStep::Wallet { wallet: wallet.clone(), proof });
        let key = self.state.key(&name("hot")).expect("the key");
        assert_eq!(key.wallets.get(&wallet.chain), Some(wallet));
    }

    fn key_event(&mut self, key: &Name, step: KeyStep) -> Vec<Decision> {
        let event = KeyEvent { cluster: self.state.cluster(), key: key.clone(), step };
        let node = &self.desk.nodes[0];
        let entry = Entry::Key(Signed::new(event, node.name.clone(), &node.signer).expect("a signature"));
        self.commit(vec![entry])
    }
}

/// The byte that the seed of `hot` is made of.
const HOT: u8 = 7;

fn root_of(seed: u8) -> ChildSecret {
    let seed = HdSeed::from_entropy(Secret::new([seed; 32]));
    seed.root().expect("a root").ethereum().expect("an account")
}

fn proof_of(secret: &ChildSecret, challenge: &Digest) -> Vec<u8> {
    let secret = secret.account(0).expect("an account").scalar();
    let key = SecretKey::from_byte_array(*secret.expose()).expect("a scalar");
    Secp256k1::new().sign_ecdsa(Message::from_digest(challenge.0), &key).serialize_compact().to_vec()
}

/// The first account of `hot`.
#[must_use]
pub fn hot() -> AccountRef {
    AccountRef { key: name("hot"), index: 0 }
}

/// Terms that any simple transaction fits in.
#[must_use]
pub fn gas(nonce: u64) -> GasTerms {
    GasTerms {
        nonce,
        gas_limit: 400_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    }
}

/// What was last decided about a request.
///
/// # Panics
///
/// When nothing was.
#[must_use]
pub fn outcome_of(decisions: &[Decision], id: &RequestId) -> Outcome {
    let last = decisions.iter().rev().find(|it| it.subject == *id);
    last.map(|it| it.outcome.clone()).expect("a decision about the request")
}

/// The reasons of a denial; none for anything else.
#[must_use]
pub fn reasons(outcome: &Outcome) -> Vec<Reason> {
    match outcome {
        Outcome::Deny { reasons, .. } => reasons.clone(),
        Outcome::Refused { reason, .. } => vec![reason.clone()],
        _ => Vec::new(),
    }
}

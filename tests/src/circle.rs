//! The holders of a shared key as the log hears them: their seats, their reports, and signatures of the key itself.
//!
//! The log sees a public account and signatures of its first child, whoever made them together: here one seed makes
//! them, so that the state machine is tested without the protocols.

use keystead_base::{ClusterId, Digest, HybridSignature, Name, RequestId, Secret, Signed, Timestamp};
use keystead_decision::{
    Applied, Certificate, Controls, Convened, Dealing, Decision, Entry, KeyEvent, KeyStep, Outcome,
    ProvenSeat, PublicAccount, SealedPoint, Seat, SeatClaim, ShareHome, Sharing, share_challenge,
};
use keystead_intent::{Action, AuthorityChange, BackupGroup, Importer, KeyCeremony, KeyKind};
use keystead_keys::{ChildSecret, HdSeed};
use keystead_policy::{AssuranceLevel, Feature, Reason};
use secp256k1::{Keypair, Message, Secp256k1, SecretKey};

use crate::fixture::{Desk, Member, name};
use crate::world::{World, outcome_of, reasons};

/// A key whose first child signs.
pub struct Secp {
    root: ChildSecret,
}

impl Secp {
    /// The key of one byte.
    ///
    /// # Panics
    ///
    /// When the seed has no account.
    #[must_use]
    pub fn new(byte: u8) -> Self {
        let seed = HdSeed::from_entropy(Secret::new([byte; 32]));
        Self { root: seed.root().expect("a root").ethereum().expect("an account") }
    }

    /// What its addresses derive from.
    #[must_use]
    pub fn account(&self) -> PublicAccount {
        self.root.public()
    }

    /// The compressed point of the first child.
    ///
    /// # Panics
    ///
    /// Never for a seed that has an account.
    #[must_use]
    pub fn first_child(&self) -> [u8; 33] {
        self.root.account(0).expect("an account").public().compressed()
    }

    /// 64 bytes r ‖ s of the first child.
    ///
    /// # Panics
    ///
    /// Never for a seed that has an account.
    #[must_use]
    pub fn sign(&self, digest: &Digest) -> Vec<u8> {
        let secret = self.root.account(0).expect("an account").scalar();
        let key = SecretKey::from_byte_array(*secret.expose()).expect("a scalar");
        Secp256k1::new().sign_ecdsa(Message::from_digest(digest.0), &key).serialize_compact().to_vec()
    }
}

impl Secp {
    /// The account of the same key, were it one that signs BIP-340 alone.
    #[must_use]
    pub fn schnorr(&self) -> PublicAccount {
        PublicAccount::bip340(self.account().compressed())
    }

    /// The account of the same key, were it that of a taproot wallet elsewhere.
    #[must_use]
    pub fn taproot(&self) -> PublicAccount {
        PublicAccount::taproot(self.account().compressed(), self.account().chain_code.0)
    }

    /// 64 bytes of BIP-340 by the key itself.
    ///
    /// # Panics
    ///
    /// Never for a seed that has an account.
    #[must_use]
    pub fn sign_bip340(&self, digest: &Digest) -> Vec<u8> {
        let key = SecretKey::from_byte_array(*self.root.scalar().expose()).expect("a scalar");
        let pair = Keypair::from_secret_key(&Secp256k1::new(), &key);
        Secp256k1::new().sign_schnorr_no_aux_rand(digest.as_bytes(), &pair).to_byte_array().to_vec()
    }
}

impl Secp {
    /// The Ed25519 key of the same scalar's bytes, as an account.
    #[must_use]
    pub fn edwards(&self) -> PublicAccount {
        PublicAccount::ed25519(self.edwards_key().verifying_key().to_bytes())
    }

    /// 64 bytes of Ed25519 by that key.
    #[must_use]
    pub fn sign_ed25519(&self, message: &[u8]) -> Vec<u8> {
        use ed25519_dalek::Signer as _;

        self.edwards_key().sign(message).to_bytes().to_vec()
    }

    /// The address of that key.
    #[must_use]
    pub fn solana(&self) -> keystead_solana::Pubkey {
        keystead_solana::Pubkey(self.edwards_key().verifying_key().to_bytes())
    }

    fn edwards_key(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(self.root.scalar().expose())
    }
}

/// The name of the shared key.
#[must_use]
pub fn treasury() -> Name {
    name("treasury")
}

/// The names of some nodes.
#[must_use]
pub fn nodes(numbers: &[u8]) -> Vec<Name> {
    numbers.iter().map(|it| name(&format!("node-{it}"))).collect()
}

/// A desk with five nodes.
#[must_use]
pub fn five() -> Desk {
    let nodes = (1..=5).map(|it| Member::new(&format!("node-{it}"), it)).collect();
    Desk { nodes, ..Desk::default() }
}

/// The birth of a key any two of the first three nodes sign with.
#[must_use]
pub fn birth() -> KeyCeremony {
    let kind = KeyKind::ThresholdSecp256k1;
    KeyCeremony::Generate { key: treasury(), kind, threshold: 2, holders: nodes(&[1, 2, 3]) }
}

/// The import of a person's key, which any two of the first three nodes sign with then.
#[must_use]
pub fn import(account: PublicAccount, from: Importer) -> KeyCeremony {
    let (kind, holders) = (KeyKind::ThresholdSecp256k1, nodes(&[1, 2, 3]));
    KeyCeremony::Import { key: treasury(), kind, account, from, threshold: 2, holders }
}

/// What is dealt to three holders of a key, of the form that the log sees.
#[must_use]
pub fn dealing(cluster: ClusterId, convened: Digest, point: impl AsRef<[u8]>) -> Dealing {
    let (point, mut second) = (point.as_ref(), vec![9; point.as_ref().len()]);
    second[0] = 3;
    let sealed = |tag: u8| SealedPoint { encapsulated: vec![tag; 1120], ciphertext: vec![tag; 48] };
    Dealing {
        cluster,
        key: treasury(),
        convened,
        device: Some(name("laptop")),
        coefficients: vec![point.to_vec(), second],
        proof: vec![5; 64],
        points: (1..=3).map(sealed).collect(),
    }
}

/// Different for each `tag`.
#[must_use]
pub fn seat(tag: u8) -> Seat {
    let signing = Member::new("seat", tag).signer.public().clone();
    let byte = |at: usize| if at.is_multiple_of(3) || at >= 1184 { tag } else { 0 };
    Seat { signing, recipient: (0..1216).map(byte).collect() }
}

/// The word of a node that the seat of `tag` is its own.
///
/// # Panics
///
/// Never for a seat of the fixture.
#[must_use]
pub fn sits(claim: SeatClaim, tag: u8) -> KeyStep {
    let request = claim.request;
    let proven = claim.prove(&Member::new("seat", tag).signer).expect("a signature");
    KeyStep::Seated { request, seat: Box::new(proven) }
}

/// Public shares in the right form for so many holders, different for each `tag`.
#[must_use]
pub fn shares(holders: u8, tag: u8) -> Vec<Vec<u8>> {
    (1..=holders).map(|it| [vec![2, tag, it], vec![0; 30]].concat()).collect()
}

/// What a holder says of new shares.
#[must_use]
pub fn dealt(request: RequestId, attempt: u32, account: PublicAccount, shares: Vec<Vec<u8>>) -> KeyStep {
    let (assurance, protections) = (AssuranceLevel::Process, Feature::ALL.to_vec());
    KeyStep::Dealt { request, attempt, account, shares, assurance, protections }
}

impl<C: Controls> World<C> {
    /// Asks for a ceremony and has `ana` and `ben` approve it.
    pub fn allow(&mut self, ceremony: KeyCeremony) -> (RequestId, Outcome) {
        let (id, first) = self.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
        if !matches!(first, Outcome::Wait { .. }) {
            return (id, first);
        }
        self.approve("ana", &id);
        let last = self.approve("ben", &id);
        (id, outcome_of(&last, &id))
    }

    /// What a person deals for the attempt under way.
    ///
    /// # Panics
    ///
    /// When no import of the key has begun.
    #[must_use]
    pub fn dealt_by(&self, who: &str, request: RequestId, point: impl AsRef<[u8]>) -> KeyStep {
        let convening = self.state.convening(&treasury()).expect("a ceremony");
        let convened = convening.convened.expect("one that has begun");
        let member = self.desk.person(who);
        let body = dealing(self.state.cluster(), convened, point);
        let signed = Signed::new(body, member.name.clone(), &member.signer).expect("a signature");
        KeyStep::Imported { request, attempt: convening.attempt, dealing: Box::new(signed) }
    }

    /// What a node says of the shared key.
    ///
    /// # Panics
    ///
    /// For a node that the fixture does not have.
    #[must_use]
    pub fn word(&self, node: u8, step: KeyStep) -> Entry {
        let body = KeyEvent { cluster: self.state.cluster(), key: treasury(), step };
        let member = &self.desk.nodes[usize::from(node) - 1];
        Entry::Key(Signed::new(body, member.name.clone(), &member.signer).expect("a signature"))
    }

    /// A node says something of the shared key, in a block of its own.
    pub fn says(&mut self, node: u8, step: KeyStep) -> Vec<Decision> {
        let entry = self.word(node, step);
        self.commit(vec![entry])
    }

    /// What every node shows as carried out with the newest block.
    ///
    /// # Panics
    ///
    /// When there is no block.
    pub fn carried_out(&self) -> Vec<RequestId> {
        let (_, block, decisions) = self.log.last().expect("a block").clone();
        Applied { block, decisions, state: self.state.clone() }.carried_out().into_iter().collect()
    }

    /// The code with which that is refused.
    ///
    /// # Panics
    ///
    /// When it is not refused.
    pub fn refusal(&mut self, node: u8, step: KeyStep) -> &'static str {
        use keystead_base::Coded as _;
        let decisions = self.says(node, step);
        let found: Vec<Reason> = reasons(&decisions[0].outcome);
        found.first().unwrap_or_else(|| panic!("{decisions:?}")).code()
    }

    /// The word of a node that the seat of `tag` is its own, for the shared key.
    #[must_use]
    pub fn seated(&self, node: u8, request: RequestId, tag: u8) -> KeyStep {
        let (cluster, node) = (self.state.cluster(), nodes(&[node]).remove(0));
        sits(SeatClaim { cluster, key: treasury(), request, node, seat: seat(tag) }, tag)
    }

    /// Each of these nodes takes a seat, its own in this attempt, all in one block.
    pub fn take_seats(&mut self, request: RequestId, who: &[u8], tag: u8) -> Vec<Decision> {
        let step = |node: u8| self.seated(node, request, tag + node);
        let entries = who.iter().map(|it| self.word(*it, step(*it))).collect();
        self.commit(entries)
    }

    /// Each of these nodes says the same of the new shares.
    pub fn all_deal(&mut self, request: RequestId, attempt: u32, who: &[u8], key: &Secp) -> Vec<Decision> {
        let holders = u8::try_from(who.len()).expect("few");
        let step = dealt(request, attempt, key.account(), shares(holders, 7));
        let entries = who.iter().map(|it| self.word(*it, step.clone())).collect();
        self.commit(entries)
    }

    /// What the new shares are to sign for one node.
    ///
    /// # Panics
    ///
    /// When no ceremony of the key has begun.
    #[must_use]
    pub fn challenge_for(&self, node: u8) -> Digest {
        let convening = self.state.convening(&treasury()).expect("a ceremony");
        let (cluster, epoch) = (self.state.cluster(), convening.next_epoch());
        let convened = convening.convened.expect("one that has begun");
        share_challenge(cluster, &treasury(), epoch, &convened, &nodes(&[node])[0])
    }

    /// What the new shares sign for one node.
    ///
    /// # Panics
    ///
    /// When no ceremony of the key has begun.
    #[must_use]
    pub fn proof_for(&self, request: RequestId, node: u8, key: &Secp) -> KeyStep {
        let attempt = self.state.convening(&treasury()).expect("a ceremony").attempt;
        KeyStep::Proven { request, attempt, proof: key.sign(&self.challenge_for(node)) }
    }

    /// The whole of a ceremony, from its seats on.
    pub fn carry_through(&mut self, request: RequestId, takes_part: &[u8], holders: &[u8], key: &Secp) {
        self.take_seats(request, takes_part, 100);
        self.all_deal(request, 1, holders, key);
        for node in holders {
            let step = self.proof_for(request, *node, key);
            self.says(*node, step);
        }
    }

    /// Gives birth to an Ed25519 key that any two of the first three nodes sign with.
    ///
    /// # Panics
    ///
    /// When somebody is refused.
    pub fn birth_of_ed25519(&mut self, key: &Secp) {
        let (kind, holders) = (KeyKind::ThresholdEd25519, nodes(&[1, 2, 3]));
        let birth = KeyCeremony::Generate { key: treasury(), kind, threshold: 2, holders };
        let (request, _) = self.allow(birth);
        self.take_seats(request, &[1, 2, 3], 100);
        let shares: Vec<Vec<u8>> = (1..=3).map(|byte| vec![byte; 32]).collect();
        for node in [1, 2, 3] {
            self.says(node, dealt(request, 1, key.edwards(), shares.clone()));
        }
        for node in [1, 2, 3] {
            let proof = key.sign_ed25519(self.challenge_for(node).as_bytes());
            self.says(node, KeyStep::Proven { request, attempt: 1, proof });
        }
        assert_eq!(self.state.key(&treasury()).map(|it| it.state), Some(keystead_intent::KeyState::Active));
    }

    /// The certificate of what was decided last about a request, shown to a signer that knows its block.
    ///
    /// # Panics
    ///
    /// When nothing was decided.
    #[must_use]
    pub fn certified(&self, request: &RequestId) -> Certificate {
        self.certificate(request).expect("a decision")
    }
}

/// Each ceremony of shared keys, and of backups in shares, for vectors.
#[must_use]
pub fn every_ceremony() -> Vec<(&'static str, KeyCeremony)> {
    let (key, holders, dealers) = (treasury(), nodes(&[1, 2, 4, 5]), nodes(&[1, 3]));
    vec![
        ("generate", birth()),
        ("refresh", KeyCeremony::Refresh { key: key.clone() }),
        ("reshare", KeyCeremony::Reshare { key: key.clone(), threshold: 3, holders, dealers }),
        ("repair", KeyCeremony::Repair { key: key.clone(), lost: name("node-3"), helpers: nodes(&[1, 2]) }),
        ("exit", KeyCeremony::Exit { key: key.clone(), recipients: vec!["age1pq1qq".to_owned()] }),
        ("abort", KeyCeremony::Abort { key: key.clone(), request: RequestId(Digest([5; 32])) }),
        ("lift", KeyCeremony::Lift { key: key.clone(), node: name("node-3") }),
        ("split", KeyCeremony::Split { key, group_threshold: 2, groups: circles() }),
        ("import of a person", import(account(), Importer::Person(name("cleo")))),
        ("import of a home", import(account(), Importer::Home(name("node-1")))),
    ]
}

/// Who holds the shares of a backup.
fn circles() -> Vec<BackupGroup> {
    let group = |threshold, members: &[&str]| {
        let members = members.iter().map(|it| name(it)).collect();
        BackupGroup { threshold, members }
    };
    vec![group(2, &["ana", "ben", "cleo"]), group(1, &["dora"])]
}

/// Each step in such a ceremony, for vectors.
#[must_use]
pub fn every_step(request: RequestId) -> Vec<(&'static str, KeyStep)> {
    vec![
        ("seated", KeyStep::Seated { request, seat: Box::new(ProvenSeat { seat: seat(3), proof: fixed() }) }),
        ("dealt", dealt(request, 1, account(), shares(3, 7))),
        ("proven", KeyStep::Proven { request, attempt: 1, proof: vec![1, 2, 3] }),
        ("lost", KeyStep::Lost { epoch: 3 }),
        ("left", KeyStep::Left { request, file: Digest([6; 32]) }),
        ("imported", imported(request)),
    ]
}

fn imported(request: RequestId) -> KeyStep {
    let body = dealing(ClusterId(Digest([1; 32])), Digest([2; 32]), account().compressed());
    // One half of a signature is random: what stands in a vector is a fixed one.
    let signature = fixed();
    let dealing = Box::new(Signed { body, signer: name("cleo"), signature });
    KeyStep::Imported { request, attempt: 1, dealing }
}

fn fixed() -> HybridSignature {
    HybridSignature::from_parts([3; 64], Box::new([4; 3309]))
}

fn account() -> PublicAccount {
    PublicAccount { parity: 2, x: Digest([7; 32]), chain_code: Digest([8; 32]) }
}

/// The beginning of a refresh, for vectors.
#[must_use]
pub fn begun(expires: Timestamp) -> Outcome {
    let home = ShareHome { assurance: AssuranceLevel::Process, protections: vec![Feature::Seccomp] };
    let old = Sharing {
        threshold: 2,
        holders: nodes(&[1, 2]),
        seats: [(name("node-1"), seat(3))].into(),
        shares: shares(2, 7),
        homes: [(name("node-1"), home)].into(),
    };
    Outcome::Convened(Convened {
        ceremony: KeyCeremony::Refresh { key: treasury() },
        epoch: 3,
        attempt: 2,
        threshold: old.threshold,
        holders: old.holders.clone(),
        old: Some(old),
        account: Some(account()),
        seats: [(name("node-2"), seat(4))].into(),
        expires,
    })
}

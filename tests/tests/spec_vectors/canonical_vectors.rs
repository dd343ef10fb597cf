//! Vectors of the canonical encoding: stored files, read by the product and by the second implementation.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-tests --test spec_vectors canonical_vectors` writes them anew: a change of
//! wire form, which needs a new version in its domain.

use std::process::Command;

use alloy_primitives::{Address, Bytes};
use keystead_base::{
    Amount, Canonical, ClusterId, Digest, HYBRID_SEED_BYTES, HybridSigner, RequestId, RequestNonce, Secret,
    Signed, Timestamp,
};
use keystead_decision::ceremony::{Assent, Contribution, SignedContribution, SignedTranscript, Transcript};
use keystead_decision::{
    Block, Certificate, Commit, Dealing, Decision, Entry, Fate, FreshHead, Frozen, Genesis, Grant, Header,
    KeyEvent, KeyState, KeyStep, Outcome, PublicAccount, Renewal, SeatClaim, Settlement, SignedGenesis,
    Strict, Vote, share_challenge, wallet_challenge,
};
use keystead_intent::{
    AccountRef, Action, Approval, Asset, AuthorityChange, ChainId, DangerClass, Freeze, Intent, KeyCeremony,
    KeyKind, Message, NearTransaction, PsbtSpend, RawEthereum, Replacement, RequestBatch, Rotation, Slot,
    SolanaMessage, TypedData, Veto,
};
use keystead_keys::{BackupSubject, Purpose, RECIPIENT_SEED_BYTES, RecipientKey};
use keystead_policy::{
    AssuranceLevel, Feature, Need, PolicyRef, PolicyVersion, Price, Reason, Requirement, Roster,
};
use keystead_tests::circle::{begun, dealing, every_ceremony, every_step, seat};
use keystead_tests::fixture::{BIRTH, CHAIN, FRIEND, TOKEN, name};
use keystead_tests::hall::Hall;
use keystead_tests::purse::Purse;
use keystead_tests::reasons::{every_life_reason, every_reason, every_share_fault};
use keystead_tests::root;
use keystead_tests::vectors::{Vector, check, vector};
use keystead_tests::world::{World, hot};
use serde_json::json;

use crate::life_vectors;
use crate::policy_vectors::policies;

fn check_file(file: &str) -> usize {
    let text = std::fs::read_to_string(root().join("specs/vectors").join(file)).unwrap();
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
    let counts = [
        check::<Intent>(&vectors),
        check::<RequestBatch>(&vectors),
        check::<Approval>(&vectors),
        check::<Veto>(&vectors),
        check::<Freeze>(&vectors),
        check::<Price>(&vectors),
        check::<Roster>(&vectors),
        check::<PolicyVersion>(&vectors),
        check::<Genesis>(&vectors),
        check::<SignedGenesis>(&vectors),
        check::<Contribution>(&vectors),
        check::<SignedContribution>(&vectors),
        check::<Transcript>(&vectors),
        check::<Assent>(&vectors),
        check::<SignedTranscript>(&vectors),
        check::<Entry>(&vectors),
        check::<Settlement>(&vectors),
        check::<KeyEvent>(&vectors),
        check::<Renewal>(&vectors),
        check::<Header>(&vectors),
        check::<Block>(&vectors),
        check::<Vote>(&vectors),
        check::<Commit>(&vectors),
        check::<FreshHead>(&vectors),
        check::<Decision>(&vectors),
        check::<Certificate>(&vectors),
        check::<Dealing>(&vectors),
        check::<SeatClaim>(&vectors),
    ];
    let checked = counts.iter().sum();
    assert_eq!(checked, vectors.len(), "{file} holds a domain that this test does not know");
    checked
}

#[test]
fn the_product_reads_every_vector_both_ways() {
    bless_if_asked();
    for file in ["intents.json", "words.json", "policy.json", "ceremony.json", "log.json", "decisions.json"] {
        assert!(check_file(file) > 0, "{file}");
    }
}

#[test]
fn what_only_its_maker_hashes_is_hashed_as_the_vectors_say() {
    bless_if_asked();
    let text = std::fs::read_to_string(root().join("specs/vectors/hashes.json")).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Vector>>(&text).unwrap(), hashes());
}

#[test]
fn the_second_implementation_recomputes_every_vector() {
    bless_if_asked();
    let output = Command::new("python3").arg(root().join("specs/check.py")).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn bless_if_asked() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("KEYSTEAD_BLESS").is_none() {
            return;
        }
        let mut world = World::new(Strict::default());
        write("hashes.json", &hashes());
        write("intents.json", &intents());
        write("words.json", &words(&world));
        write("policy.json", &policies(&world));
        write("ceremony.json", &ceremony());
        write("log.json", &log(&mut world));
        write("decisions.json", &decisions(&world));
    });
}

fn write(file: &str, vectors: &[Vector]) {
    let mut text = serde_json::to_string_pretty(vectors).unwrap();
    text.push('\n');
    std::fs::write(root().join("specs/vectors").join(file), text).unwrap();
}

/// Fingerprints, challenges and payloads: the digests are the product's, the bytes are written here again.
fn hashes() -> Vec<Vector> {
    let (cluster, backup, key) = (ClusterId(Digest([1; 32])), Digest([2; 32]), name("hot"));
    let signer = HybridSigner::from_seed(&Secret::new([4; HYBRID_SEED_BYTES])).unwrap();
    let recipient = RecipientKey::from_seed(&Secret::new([5; RECIPIENT_SEED_BYTES])).unwrap().public();
    let recipient_bytes = borsh::to_vec(&recipient).unwrap();
    let account = PublicAccount::new([6; 33], [7; 32]);
    let subject = BackupSubject { cluster, key: key.clone(), purpose: Purpose::HdSeed, epoch: 3, account };
    let place = json!({"subject": subject, "recipient": "ana", "fingerprint": backup});
    let place_bytes = borsh::to_vec(&(&subject, name("ana"), backup)).unwrap();
    let wallet_bytes = borsh::to_vec(&(cluster, &key, backup)).unwrap();
    let mut vectors = crate::drills::vectors(cluster, &key, &backup);
    vectors.extend([
        hashed(
            "a wallet's challenge",
            "wallet-proof",
            json!({"cluster": cluster, "key": key, "wallet": backup}),
            &wallet_bytes,
            wallet_challenge(cluster, &key, &backup),
        ),
        hashed(
            "a share's challenge",
            "share-proof",
            json!({"cluster": cluster, "key": key, "epoch": 3, "convened": backup, "node": "node-1"}),
            &borsh::to_vec(&(cluster, &key, 3_u32, backup, name("node-1"))).unwrap(),
            share_challenge(cluster, &key, 3, &backup, &name("node-1")),
        ),
        life_vectors::control(cluster, &key, &backup),
        hashed(
            "a chain code",
            "bip340-chain-code",
            json!("02".repeat(33)),
            &[2; 33],
            PublicAccount::bip340([2; 33]).chain_code,
        ),
        hashed(
            "a key's fingerprint",
            "hybrid-key",
            json!(signer.public()),
            &borsh::to_vec(signer.public()).unwrap(),
            signer.public().fingerprint(),
        ),
        hashed(
            "a recipient key's fingerprint",
            "recipient-key",
            json!(const_hex::encode(&recipient_bytes)),
            &recipient_bytes,
            recipient.fingerprint(),
        ),
        hashed(
            "what a backup's copy is bound to",
            "backup-copy",
            place,
            &place_bytes,
            keystead_base::tagged_hash("keystead/backup-copy/v1", &place_bytes),
        ),
        unsigned_message(),
    ]);
    vectors
}

pub(crate) fn hashed(
    what: &str,
    domain: &str,
    json: serde_json::Value,
    body: &[u8],
    digest: Digest,
) -> Vector {
    let domain = format!("keystead/{domain}/v1");
    let length = u8::try_from(domain.len()).unwrap();
    let document = [&[length], domain.as_bytes(), body].concat();
    Vector { name: what.to_owned(), domain, json, document: const_hex::encode(document), digest }
}

fn unsigned_message() -> Vector {
    let message = Message { account: hot(), chain: CHAIN, bytes: Bytes::from_static(b"hello") };
    let unsigned = keystead_chain::build(&Action::Message(message), FRIEND).unwrap();
    let json = json!({"account": FRIEND, "chain": CHAIN, "payload": {"message": "0x68656c6c6f"}});
    Vector {
        name: "a message to sign".to_owned(),
        domain: "keystead/unsigned/v1".to_owned(),
        json,
        document: const_hex::encode(unsigned.to_document()),
        digest: unsigned.digest(),
    }
}

fn intent(action: Action) -> Intent {
    Intent {
        cluster: ClusterId(Digest([1; 32])),
        requester: name("desk"),
        nonce: RequestNonce([2; 16]),
        expires: Timestamp(1_795_467_600_123),
        action,
    }
}

fn intents() -> Vec<Vector> {
    let gas = keystead_tests::world::gas(7);
    let raw = RawEthereum { account: hot(), chain: CHAIN, preimage: Bytes::from_static(&[2, 0xc0]) };
    let transfer = |asset| keystead_intent::Transfer {
        account: hot(),
        chain: CHAIN,
        asset,
        to: FRIEND,
        amount: Amount::MAX,
        gas,
    };
    let call = keystead_intent::ContractCall {
        account: AccountRef { key: name("warm.2"), index: 2_147_483_647 },
        chain: ChainId(1),
        to: TOKEN,
        value: Amount::from(1_u64),
        data: Bytes::from_static(&[0xa9, 0x05, 0x9c, 0xbb]),
        gas,
    };
    let typed = TypedData { account: hot(), chain: CHAIN, json: "{\"primaryType\":\"Mail\"}".to_owned() };
    let message = Message { account: hot(), chain: CHAIN, bytes: Bytes::from_static("grüße".as_bytes()) };
    let replacement = Replacement { replaces: RequestId(Digest([3; 32])), transaction: raw.clone() };
    let document = Bytes::from_static(&[1, 2, 3]);
    let authority = [
        ("policy", AuthorityChange::Policy { document: document.clone() }),
        ("roster", AuthorityChange::Roster { document: document.clone() }),
        ("address book", AuthorityChange::AddressBook { document }),
        ("thaw everything", AuthorityChange::Thaw { key: None }),
        ("thaw a key", AuthorityChange::Thaw { key: Some(name("hot")) }),
        (
            "create",
            key(KeyCeremony::Create { key: name("hot"), kind: KeyKind::HdSecp256k1, home: name("node-1") }),
        ),
        ("backup", key(KeyCeremony::Backup { key: name("hot"), recipients: vec![name("ana"), name("ben")] })),
        ("export", key(KeyCeremony::Export { key: name("hot"), recipient: name("ana") })),
        ("suspend", key(KeyCeremony::Suspend { key: name("hot") })),
        ("resume", key(KeyCeremony::Resume { key: name("hot") })),
        ("destroy", key(KeyCeremony::Destroy { key: name("hot") })),
        ("restore", key(KeyCeremony::Restore { key: name("hot"), home: name("node-2") })),
        (
            "create in tokens",
            key(KeyCeremony::CreateInTokens {
                key: name("vault"),
                home: name("node-1"),
                tokens: name("hsm"),
            }),
        ),
    ];
    let mut all = vec![
        ("native transfer", intent(Action::Transfer(transfer(Asset::Native)))),
        ("token transfer", intent(Action::Transfer(transfer(Asset::Token(TOKEN))))),
        ("contract call", intent(Action::ContractCall(call))),
        ("typed data", intent(Action::TypedData(typed))),
        ("message", intent(Action::Message(message))),
        ("raw", intent(Action::RawEthereum(raw))),
        ("replacement", intent(Action::Replacement(replacement))),
        ("psbt", intent(Action::Psbt(psbt(None)))),
        ("psbt that replaces", intent(Action::Psbt(psbt(Some(RequestId(Digest([3; 32]))))))),
    ];
    let authority = authority.into_iter().chain(life_vectors::changes());
    all.extend(authority.map(|(what, change)| (what, intent(Action::Authority(change)))));
    let shared = every_ceremony().into_iter();
    all.extend(shared.map(|(what, it)| (what, intent(Action::Authority(key(it))))));
    all.push(("a message of Solana's", intent(Action::Solana(solana()))));
    all.push(("a transaction of NEAR's", intent(Action::Near(near()))));
    let mut vectors: Vec<Vector> = all.iter().map(|(what, intent)| vector(what, intent)).collect();
    let intents = all.into_iter().take(2).map(|(_, intent)| intent).collect();
    vectors.push(vector("a batch of two", &RequestBatch { intents }));
    vectors
}

fn near() -> NearTransaction {
    let transaction = Bytes::from_static(b"\x07\x00\x00\x00us.near\x02");
    NearTransaction { account: hot(), chain: ChainId::NEAR_TESTNET, transaction }
}

fn solana() -> SolanaMessage {
    let message = Bytes::from_static(b"\x80\x01\x00");
    SolanaMessage { account: hot(), chain: ChainId::SOLANA_DEVNET, message }
}

fn psbt(replaces: Option<RequestId>) -> PsbtSpend {
    let psbt = Bytes::from_static(b"psbt\xff\x00");
    PsbtSpend { account: hot(), chain: ChainId::BITCOIN_REGTEST, psbt, replaces, shared: None }
}

fn key(ceremony: KeyCeremony) -> AuthorityChange {
    AuthorityChange::Key(ceremony)
}

fn words(world: &World<Strict>) -> Vec<Vector> {
    let (cluster, request) = (world.state.cluster(), RequestId(Digest([4; 32])));
    let (person, device, expires) = (name("ana"), name("laptop"), Timestamp(1_795_467_600_000));
    let mut approval = Approval {
        cluster,
        request,
        signing_digest: Digest([5; 32]),
        policy_version: 3,
        verdict: keystead_intent::Verdict::Approve,
        person: person.clone(),
        device: device.clone(),
        expires,
    };
    let yes = vector("yes", &approval);
    approval.verdict = keystead_intent::Verdict::Reject;
    let veto = Veto { cluster, request, person: person.clone(), device: device.clone(), expires };
    let freeze = |key| Freeze { cluster, key, person: person.clone(), device: device.clone(), expires };
    let price = Price {
        chain: CHAIN,
        asset: Asset::Token(TOKEN),
        currency: "USD".to_owned(),
        micro_per_unit: 1_000_123,
        decimals: 6,
        at: BIRTH,
    };
    vec![
        yes,
        vector("no", &approval),
        vector("veto", &veto),
        vector("freeze a key", &freeze(Some(name("hot")))),
        vector("freeze everything", &freeze(None)),
        vector("a price", &price),
    ]
}

/// A node, a service and three founders.
fn ceremony() -> Vec<Vector> {
    let hall = Hall::of(1);
    let draft = hall.draft();
    let mut vectors: Vec<Vector> = ["node-1", "desk", "ana"]
        .map(|who| vector(&format!("{who} contributes"), hall.own(who).body()))
        .into();
    vectors.push(vector("with its signature", hall.own("desk")));
    vectors.push(vector("a transcript", draft.transcript()));
    vectors.extend(["desk", "ana"].map(|who| vector("an assent", &hall.assent(&draft, who).unwrap())));
    let finished = draft.finish(hall.assents(&hall.draft())).unwrap();
    vectors.push(vector("a finished ceremony", finished.signed()));
    vectors
}

fn log(world: &mut World<Strict>) -> Vec<Vector> {
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    world.freeze("eve", Some("hot"));
    let (cluster, account) = (world.state.cluster(), world.account());
    let slot = Some(Slot { chain: CHAIN, account, nonce: 0 });
    let settled =
        Settlement { cluster, request: id, slot, fate: Fate::Settled { transaction: Digest([6; 32]) } };
    let reverted =
        Settlement { cluster, request: id, slot, fate: Fate::Reverted { transaction: Digest([6; 32]) } };
    let dead = Settlement { cluster, request: id, slot: None, fate: Fate::Dead { by: Digest([6; 32]) } };
    let renewal = Renewal { cluster, request: id, at: BIRTH };
    let public = PublicAccount { parity: 2, x: Digest([7; 32]), chain_code: Digest([8; 32]) };
    let created = KeyStep::Created {
        request: id,
        kind: KeyKind::HdSecp256k1,
        account: public,
        assurance: AssuranceLevel::Process,
        protections: vec![Feature::SecretMemory, Feature::Seccomp],
    };
    let (recipient, assurance) = (Digest([10; 32]), AssuranceLevel::Process);
    let (protections, proof) = (vec![Feature::Seccomp], vec![1, 2, 3]);
    let steps = [
        ("created", created),
        ("backed up", KeyStep::BackedUp { request: id, backup: Digest([9; 32]) }),
        ("drilled", KeyStep::Drilled { backup: Digest([9; 32]), proof: vec![1, 2, 3] }),
        ("protected", KeyStep::Protected { protections: vec![Feature::Landlock] }),
        ("destroyed", KeyStep::Destroyed),
        ("wiped", KeyStep::Wiped { request: id, account: life_vectors::WIPED, epoch: 3, erased: 1 }),
        ("controlled", KeyStep::Controlled { height: 9, proof: vec![1, 2, 3] }),
        ("restored", KeyStep::Restored { request: id, recipient, assurance, protections, proof }),
        ("wallet", KeyStep::Wallet { wallet: Purse::of_seed(7).recorded, proof: vec![1, 2, 3] }),
        ("in tokens", life_vectors::in_tokens(id)),
    ];
    let steps = steps.into_iter().chain(every_step(id));
    let events = steps.map(|(what, step)| vector(what, &KeyEvent { cluster, key: name("hot"), step }));
    let node = &world.desk.nodes[0];
    let renew = Entry::Renew(Signed::new(renewal.clone(), node.name.clone(), &node.signer).unwrap());
    let mut vectors: Vec<Vector> = events.collect();
    vectors.extend([
        vector("settled", &settled),
        vector("dead", &dead),
        vector("reverted", &reverted),
        vector("a renewal", &renewal),
        vector("a renewal as an entry", &renew),
        vector("a tick", &Entry::Tick),
        vector("the word of a witness as an entry", &life_vectors::witness()),
        vector("a whole key dealt", &dealing(cluster, Digest([5; 32]), public.compressed())),
        vector(
            "a seat's claim",
            &SeatClaim { cluster, key: name("hot"), request: id, node: name("node-1"), seat: seat(3) },
        ),
        vector(
            "a fresh head",
            &FreshHead { cluster, nonce: Digest([3; 32]), height: 7, header: Digest([4; 32]) },
        ),
        vector("no head yet", &FreshHead { cluster, nonce: Digest([3; 32]), height: 0, header: cluster.0 }),
    ]);
    for (commit, block, _) in world.log.iter().rev().take(2) {
        vectors.push(vector("a header", &commit.header));
        vectors.push(vector("a vote", &commit.vote(0)));
        vectors.push(vector("a commit", commit));
        vectors.push(vector("a block", block));
        vectors.extend(block.entries.iter().map(|entry| vector("an entry", entry)));
    }
    vectors
}

fn decisions(world: &World<Strict>) -> Vec<Vector> {
    let policy = PolicyRef { number: 1, digest: Digest([1; 32]) };
    let id = RequestId(Digest([2; 32]));
    let requirement = Requirement {
        needs: vec![Need {
            role: name("approver"),
            count: 2,
            factors: vec![keystead_policy::Factor::Software],
        }],
        delay_seconds: 60,
        vetoers: vec![name("vetoer")],
        rows: vec![name("large-two")],
    };
    let grant = Grant {
        account: hot(),
        address: Address::repeat_byte(3),
        epoch: 1,
        chain: CHAIN,
        signing_digest: Digest([4; 32]),
        slot: Some(Slot { chain: CHAIN, account: Address::repeat_byte(3), nonce: 5 }),
        class: DangerClass::Transfer,
        expires: BIRTH,
    };
    let (person, ceremony) = (
        name("ana"),
        KeyCeremony::Create { key: name("hot"), kind: KeyKind::HdSecp256k1, home: name("node-1") },
    );
    let outcomes = [
        Outcome::Deny { class: Some(DangerClass::BlindDigest), reasons: every_reason(id) },
        Outcome::Wait {
            class: DangerClass::Transfer,
            signing_digest: Digest([5; 32]),
            requirement,
            ready: BIRTH,
        },
        Outcome::Allow(grant),
        Outcome::Ceremony { ceremony, epoch: 0, expires: BIRTH },
        Outcome::Counted { person: person.clone() },
        Outcome::Refused { person: person.clone(), reason: Reason::BlindDigest },
        Outcome::Activated { policy },
        Outcome::Frozen { key: None, person },
        Outcome::Thawed { key: Some(name("hot")) },
        Outcome::Key { key: name("hot"), state: KeyState::Active },
        Outcome::Ended { fate: Fate::Dead { by: Digest([6; 32]) } },
        Outcome::Priced,
        Outcome::Deny { class: None, reasons: every_share_fault() },
        Outcome::Deny { class: None, reasons: every_life_reason() },
        Outcome::Compromised { rotate: vec![Rotation::Key { key: name("hot") }] },
        begun(BIRTH),
    ];
    let rules = vec![name("desk-moves-hot")];
    let mut vectors: Vec<Vector> = outcomes
        .into_iter()
        .map(|outcome| {
            let cluster = world.state.cluster();
            let word = outcome.word();
            vector(word, &Decision { cluster, height: 9, subject: id, policy, rules: rules.clone(), outcome })
        })
        .collect();
    let subject = world.log.iter().rev().find_map(|(_, _, decisions)| decisions.first()).unwrap().subject;
    vectors.push(vector("a certificate", &world.certificate(&subject).unwrap()));
    let frozen = Frozen {
        everything: false,
        keys: [name("b"), name("aa"), name("a")].into(),
        stopped: [name("old")].into(),
    };
    let header = Header { frozen, ..world.log.last().unwrap().0.header.clone() };
    vectors.push(vector("a header with frozen keys", &header));
    vectors
}

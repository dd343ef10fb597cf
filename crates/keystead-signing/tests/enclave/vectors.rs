//! One stored message of each kind, read by the product here and by `specs/check.py`.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-signing --test enclave messages` writes them anew.

use alloy_primitives::Address;
use keystead_base::{Canonical, Digest, RequestId, Timestamp};
use keystead_bitcoin::{SpendSignature, SpendSignatures};
use keystead_decision::{Certificate, Outcome};
use keystead_keys::BackupFile;
use keystead_signing::{
    Advance, Batch, BatchItem, Drill, EthereumSignature, HandOver, Hardening, ItemResult, OpenedKey,
    Position, ProvenWallet, Refusal, Released, ReleasedSpend, Reply, Request, TokenReport, WalletOf,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::fixture::{Cluster, ceremony, create, grant, message, name};
use crate::gathering::{self, Circle};
use crate::{Test, creating, run_vectors};

pub(crate) const TESTS: &[Test] = &[("messages_are_read_as_they_were_written", stored)];

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/enclave.json");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vector {
    name: String,
    domain: String,
    json: serde_json::Value,
    document: String,
    digest: Digest,
}

fn stored() {
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(FILE, serde_json::to_string_pretty(&vectors()).unwrap() + "\n").unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    for vector in &stored {
        match vector.domain.as_str() {
            Request::DOMAIN => read::<Request>(vector),
            Reply::DOMAIN => read::<Reply>(vector),
            Hardening::DOMAIN => read::<Hardening>(vector),
            other => panic!("{other}"),
        }
    }
    assert_eq!(stored.len(), 71);
}

fn read<T: Canonical + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(vector: &Vector) {
    let document = const_hex::decode(&vector.document).unwrap();
    let value = T::from_document(&document).unwrap();
    assert_eq!(value.digest(), vector.digest, "{}", vector.name);
    assert_eq!(serde_json::from_value::<T>(vector.json.clone()).unwrap(), value, "{}", vector.name);
    assert_eq!(serde_json::to_value(&value).unwrap(), vector.json, "{}", vector.name);
    for cut in [document.len() - 1, document.len() / 2, 1, 0] {
        assert!(T::from_document(&document[..cut]).is_err(), "{} cut to {cut} bytes", vector.name);
    }
}

fn drill(file: &BackupFile, cluster: &Cluster) -> Drill {
    let (recipient, member) = (name("ann"), cluster.ann.clone());
    Drill { file: file.clone(), recipient, member, after: Some(Timestamp(7)) }
}

/// A short life of an enclave, written down.
fn vectors() -> Vec<Vector> {
    let mut cluster = Cluster::new();
    let mut enclave = cluster.start("signer", &[]);
    let hello = cluster.hello();
    let ready = enclave.hello(hello.clone()).unwrap();
    let nonce = enclave.ask_fresh().unwrap();
    let fresh = cluster.fresh_answer(nonce);
    enclave.confirm_fresh(fresh.clone()).unwrap();
    let creation = cluster.certificate(ceremony(create("hot")));
    let created = enclave.create(creation.clone()).unwrap();
    let wallet_of = WalletOf { key: name("hot"), chain: keystead_intent::ChainId::BITCOIN_REGTEST };
    let wallet = enclave.wallet(wallet_of.clone()).unwrap();
    let payload = message(&created.held, "hello");
    let certificate = cluster.certificate(Outcome::Allow(grant(&payload)));
    let items = vec![BatchItem {
        decision: certificate.decision,
        proof: certificate.proof,
        unsigned: payload.to_document(),
    }];
    let batch = Batch { commit: certificate.commit.clone(), items };
    let file: BackupFile = cluster.backup(&mut enclave);
    let drill = drill(&file, &cluster);
    let proof = cluster.start("scratch", &[]).drill(drill.clone()).unwrap();
    let moving = keystead_intent::KeyCeremony::Restore { key: name("hot"), home: name("node") };
    let restoration = cluster.certificate(ceremony(moving));
    let receiver = enclave.receive(restoration.clone()).unwrap();
    let hand_over = HandOver { drill: drill.clone(), home: name("node"), key: receiver.clone() };
    let handed = cluster.start("scratch", &[]).hand_over(hand_over.clone()).unwrap();
    let restored = enclave.restore(handed.clone()).unwrap();
    let position = Position { height: cluster.height, policy: cluster.policy.reference() };
    let advance = Advance { transitions: vec![cluster.next_policy()], head: Some(certificate.commit) };
    let destruction =
        cluster.certificate(ceremony(keystead_intent::KeyCeremony::Destroy { key: name("hot") }));
    let refusal = Refusal { code: "certificate.expired".into(), text: "the right ended".into() };
    let results = results(&refusal, &wallet);
    let runs = run_vectors::of(cluster.start("signer", &[]), &cluster, &creation, &created);
    let mut all = vec![
        vector("hello", &Request::Hello(Box::new(hello))),
        vector("advance", &Request::Advance(Box::new(advance))),
        vector("create", &Request::Create(Box::new(creation.clone()))),
        vector("backup", &Request::Backup(Box::new(creation.clone()))),
        vector("drill", &Request::Drill(Box::new(drill))),
        vector("sign", &Request::Sign(Box::new(batch))),
        vector("destroy", &Request::Destroy(Box::new(destruction))),
        vector("leave", &Request::Leave(Box::new(creation.clone()))),
        vector("lift", &Request::Lift(Box::new(creation.clone()))),
        vector("confirm the newest head", &Request::ConfirmFresh(Box::new(fresh))),
        vector("receive", &Request::Receive(Box::new(restoration))),
        vector("restore", &Request::Restore(Box::new(handed))),
        vector("hand over", &Request::HandOver(Box::new(hand_over))),
        vector("control", &Request::Control(name("hot"))),
        vector("controlled", &Reply::Controlled(Box::new(enclave.control(name("hot")).unwrap()))),
        vector("ask for a wallet", &Request::Wallet(Box::new(wallet_of))),
        vector("open", &Request::Open(vec![created.sealed.clone()])),
        vector("ready", &Reply::Ready(Box::new(ready.clone()))),
        vector("a public side", &Reply::Public(Box::new(created.held.clone()))),
        vector("advanced", &Reply::Advanced(position)),
        vector("created", &Reply::Created(Box::new(created))),
        vector("backed up", &Reply::BackedUp(Box::new(file))),
        vector("drilled", &Reply::Drilled(Box::new(proof))),
        vector("signed", &Reply::Signed(results)),
        vector("a nonce", &Reply::Nonce(nonce)),
        vector("receiver", &Reply::Receiver(receiver)),
        vector("restored", &Reply::Restored(Box::new(restored))),
        vector("wallet", &Reply::Wallet(Box::new(wallet))),
        vector("hardening", &ready.hardening),
    ];
    all.extend(runs.into_iter().chain(others(creation, refusal)));
    all
}

fn others(creation: Certificate, refusal: Refusal) -> impl Iterator<Item = Vector> {
    shared_backup(creation).into_iter().chain(plain(refusal)).chain(creating::vectors())
}

/// A backup in shares, from its ceremony to its drill.
fn shared_backup(certificate: Certificate) -> [Vector; 6] {
    let circle = Circle::new();
    let (to_open, words) = (circle.to_open("ann"), circle.words());
    let gathering = circle.gathering(&words, gathering::aim());
    let proof = circle.cluster.start("scratch", &[]).drill_shares(gathering.clone()).unwrap();
    [
        vector("split", &Request::Split(Box::new(certificate))),
        vector("open a share", &Request::OpenShare(Box::new(to_open))),
        vector("gather", &Request::Gather(Box::new(gathering))),
        vector("shares", &Reply::Split(Box::new(circle.file.clone()))),
        vector("words", &Reply::Words(keystead_base::Secret::new(words[0].clone()).into())),
        vector("gathered", &Reply::Gathered(Box::new(proof))),
    ]
}

/// Those that need no enclave to be written down.
fn plain(refusal: Refusal) -> [Vector; 11] {
    let report = |token: &str, lost: Option<&str>| TokenReport {
        group: name("hsm"),
        token: token.to_owned(),
        lost: lost.map(str::to_owned),
        answered: 7,
    };
    [
        vector("ask for a nonce", &Request::AskFresh),
        vector("ask for a public side", &Request::Public(name("hot"))),
        vector("opened", &Reply::Opened(vec![OpenedKey { key: name("hot"), epoch: 0 }])),
        vector("refused", &Reply::Refused(refusal)),
        vector("destroyed", &Reply::Destroyed(name("hot"))),
        vector("a share that left", &Reply::Left(vec![1, 2, 3])),
        vector("no report", &Hardening::default()),
        vector("prove", &Request::Prove { key: name("vault"), request: RequestId(Digest([4; 32])) }),
        vector("look at tokens", &Request::Tokens),
        vector("a proof", &Reply::Proof(vec![1, 2, 3])),
        vector("tokens", &Reply::Tokens(vec![report("one", None), report("two", Some("it is away"))])),
    ]
}

/// Each end that an item of a batch has.
fn results(refusal: &Refusal, wallet: &ProvenWallet) -> Vec<ItemResult> {
    vec![
        ItemResult::Signed(Released {
            signing_digest: Digest([5; 32]),
            account: Address::repeat_byte(6),
            signature: EthereumSignature { rs: [7; 64], y_parity: 1 },
        }),
        ItemResult::Refused(refusal.clone()),
        ItemResult::Admitted,
        ItemResult::Spent(ReleasedSpend {
            signing_digest: Digest([8; 32]),
            wallet: wallet.wallet.id(),
            signatures: SpendSignatures {
                signatures: vec![SpendSignature { input: 0, key: [2; 33], bytes: vec![9; 64] }],
            },
        }),
    ]
}

pub(crate) fn vector<T: Canonical + Serialize>(name: &str, value: &T) -> Vector {
    Vector {
        name: name.to_owned(),
        domain: T::DOMAIN.to_owned(),
        json: serde_json::to_value(value).unwrap(),
        document: const_hex::encode(value.to_document()),
        digest: value.digest(),
    }
}

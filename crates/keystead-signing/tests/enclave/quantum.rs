//! A whole key of ML-DSA-65: born, sealed, backed up, restored and proven as any whole key, and of use for nothing else.

use keystead_base::{Canonical as _, Digest, KeyScheme, Timestamp};
use keystead_decision::{Certificate, Grant, Outcome, control_challenge, drill_challenge};
use keystead_intent::{AccountRef, ChainId, DangerClass, KeyCeremony, KeyKind, NearTransaction};
use keystead_keys::{MemberKeyFile, Purpose, Sealed};
use keystead_near::{Draft, Network, Unsigned};
use keystead_quantum::{QuantumKey, QuantumPublicKey, Scheme};
use keystead_signing::{
    BatchItem, ClientError, Drill, EnclaveClient, HandOver, HeldKey, ItemResult, WalletOf,
};

use crate::Test;
use crate::certificates::code;
use crate::fixture::{Cluster, advance, ceremony, grant, message, name, sign, soon};
use crate::gathering::{Circle, aim};

pub(crate) const TESTS: &[Test] = &[
    ("s07_a_key_of_ml_dsa_65_signs_for_its_own_scheme_alone", alone),
    ("s02_s03_a_transaction_of_near_is_signed_as_it_was_granted_and_for_this_key_alone", near),
    ("d2_a_key_of_ml_dsa_65_is_backed_up_drilled_and_restored_as_any_whole_key", kept),
    ("d2_shares_restore_a_key_of_ml_dsa_65", in_shares),
    ("s07_a_faulty_key_or_signature_of_ml_dsa_65_leaves_nothing", faulty),
];

fn create(key: &str) -> KeyCeremony {
    KeyCeremony::Create { key: name(key), kind: KeyKind::HdMlDsa65, home: name("node-1") }
}

/// A key `hot` of ML-DSA-65.
pub(crate) fn with_key(cluster: &mut Cluster) -> (EnclaveClient, Sealed, HeldKey) {
    let mut enclave = cluster.signer(Vec::new(), &[]).unwrap();
    let created = enclave.create(cluster.certificate(ceremony(create("hot")))).unwrap();
    created.receipt.unwrap().hold().unwrap();
    (enclave, created.sealed, created.held)
}

fn proves_control(cluster: &mut Cluster, enclave: &mut EnclaveClient, held: &HeldKey) {
    let head = cluster.certificate(ceremony(create("another"))).commit;
    let block = head.header.digest();
    advance(enclave, Vec::new(), Some(head));
    let proof = enclave.control(name("hot")).unwrap();
    let challenge = control_challenge(cluster.id(), &name("hot"), held.epoch, proof.height, &block);
    assert!(held.account.proves_control(&challenge, &proof.proof));
    assert!(!held.account.proves_control(&Digest::ZERO, &proof.proof));
}

fn alone() {
    let mut cluster = Cluster::new();
    let (mut enclave, sealed, held) = with_key(&mut cluster);
    assert_eq!((held.account.scheme(), held.account.address(0)), (Some(KeyScheme::MlDsa65), None));
    assert_eq!(sealed.label().purpose, Purpose::MlDsa65Seed);
    proves_control(&mut cluster, &mut enclave, &held);
    // Of another key's payload, under a right that names this one.
    let (_, _, other) = cluster.with_hot_key(&[]);
    let payload = message(&other, "hello");
    let right = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &right, &payload).unwrap_err(), "vault.scheme");
    let wallet = WalletOf { key: name("hot"), chain: ChainId::BITCOIN_REGTEST };
    assert_eq!(code(enclave.wallet(wallet)), "vault.scheme");
    drop(enclave);
    let mut again = cluster.signer(vec![sealed], &[]).unwrap();
    assert_eq!(again.public(name("hot")).unwrap(), held);
    proves_control(&mut cluster, &mut again, &held);
    let destroy = cluster.certificate(ceremony(KeyCeremony::Destroy { key: name("hot") }));
    assert_eq!(again.destroy(destroy).unwrap(), name("hot"));
    assert_eq!(code(again.control(name("hot"))), "vault.unknown");
}

fn transaction(key: QuantumPublicKey, yocto: u128) -> NearTransaction {
    // Names that are no network's own.
    let (signer, receiver) = ("us.example".parse().unwrap(), "bob.example".parse().unwrap());
    let actions = vec![keystead_near::Action::Transfer { deposit: yocto }];
    let draft = Draft { signer, key, nonce: 1, receiver, block: [9; 32], actions };
    let transaction = draft.to_bytes().unwrap().into();
    NearTransaction { account: hot(0), chain: ChainId::NEAR_TESTNET, transaction }
}

fn hot(index: u32) -> AccountRef {
    AccountRef { key: name("hot"), index }
}

fn near() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = with_key(&mut cluster);
    advance(&mut enclave, vec![cluster.next_policy()], None);
    let shown = enclave.control(name("hot")).unwrap().proof;
    let public = |bytes: &[u8]| QuantumPublicKey::from_bytes(Scheme::MlDsa65, bytes).unwrap();
    let key = public(held.account.ml_dsa_65_key(&shown).unwrap());
    let it = transaction(key.clone(), 5);
    let unsigned = Unsigned::read(Network::Testnet, &held.account, &it.transaction).unwrap();
    let granted = Grant {
        account: hot(0),
        address: unsigned.signer(),
        epoch: 0,
        chain: it.chain,
        signing_digest: unsigned.signing_digest(),
        slot: None,
        class: DangerClass::Transfer,
        expires: soon(),
    };
    let mut sign = |it: &NearTransaction, grant: &Grant| {
        let right = cluster.certificate(Outcome::Allow(grant.clone()));
        let Certificate { commit, decision, proof } = right;
        let item = BatchItem { decision, proof, unsigned: it.to_document() };
        match enclave.sign(&commit, vec![item]).unwrap().remove(0) {
            ItemResult::SignedMessage(released) => Ok(released),
            ItemResult::Refused(refusal) => Err(refusal.code),
            other => panic!("{other:?}"),
        }
    };
    let released = sign(&it, &granted).unwrap();
    assert_eq!((released.signing_digest, released.account), (granted.signing_digest, granted.address));
    unsigned.sign_into(&released.signature).unwrap();

    let other = QuantumKey::from_seed(Scheme::MlDsa65, &[7; 32]).unwrap().public().clone();
    let changed = |change: fn(&mut Grant)| {
        let mut grant = granted.clone();
        change(&mut grant);
        grant
    };
    for (it, grant, expected) in [
        (transaction(key, 6), granted.clone(), "certificate.digest"),
        (transaction(other, 5), granted.clone(), "near.other_key"),
        (NearTransaction { chain: ChainId::NEAR_MAINNET, ..it.clone() }, granted.clone(), "enclave.chain"),
        (NearTransaction { chain: ChainId(1), ..it.clone() }, granted.clone(), "enclave.no_network"),
        (NearTransaction { account: hot(1), ..it.clone() }, granted.clone(), "enclave.account"),
        (it.clone(), changed(|it| it.epoch = 1), "enclave.epoch"),
        (it.clone(), changed(|it| it.address = Default::default()), "enclave.account"),
        (it, changed(|it| it.account.index = 1), "enclave.account"),
    ] {
        assert_eq!(sign(&it, &grant).unwrap_err(), expected);
    }
}

fn kept() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = with_key(&mut cluster);
    let file = cluster.backup(&mut enclave);
    assert_eq!((file.subject.purpose, file.subject.account), (Purpose::MlDsa65Seed, held.account));
    let member: MemberKeyFile = cluster.ann.clone();
    let drill = Drill { file: file.clone(), recipient: name("ann"), member, after: Some(Timestamp(7)) };
    let proof = cluster.start("scratch", &[]).drill(drill.clone()).unwrap();
    let of =
        |epoch, backup: &Digest, after| drill_challenge(cluster.id(), &name("hot"), epoch, backup, after);
    assert!(held.account.proves_control(&of(0, &proof.backup, Some(Timestamp(7))), &proof.proof));
    assert!(held.account.ml_dsa_65_key(&proof.proof).is_some(), "whoever drills sees the public key");

    let mut new = cluster.signer(Vec::new(), &[]).unwrap();
    let here = KeyCeremony::Restore { key: name("hot"), home: name("node-1") };
    let key = new.receive(cluster.certificate(ceremony(here))).unwrap();
    let hand_over = HandOver { drill, home: name("node-1"), key };
    let restored = new.restore(cluster.start("scratch", &[]).hand_over(hand_over).unwrap()).unwrap();
    assert_eq!((restored.held.account, restored.held.epoch), (held.account, 1));
    assert_eq!(restored.sealed.label().purpose, Purpose::MlDsa65Seed);
    let challenge = drill_challenge(cluster.id(), &name("hot"), 1, &restored.recipient, None);
    assert!(held.account.proves_control(&challenge, &restored.proof));
    proves_control(&mut cluster, &mut new, &restored.held);
}

/// One account and no wallet, whatever is asked for.
fn in_shares() {
    let circle = Circle::of(with_key);
    let gathering = circle.gathering(&circle.words(), aim());
    let proof = circle.cluster.start("scratch", &[]).drill_shares(gathering).unwrap();
    let challenge = drill_challenge(circle.cluster.id(), &name("hot"), 0, &proof.backup, Some(Timestamp(7)));
    assert_eq!((proof.proofs.len(), proof.wallets.len(), proof.refused_without), (1, 0, 2));
    assert!(circle.held.account.proves_control(&challenge, &proof.proofs[0].0));
}

fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (String, String) {
    match result {
        Err(ClientError::Refused(refusal)) => (refusal.code, refusal.text),
        other => panic!("not refused: {other:?}"),
    }
}

fn faulty() {
    let mut cluster = Cluster::new();
    let (_, sealed, _) = with_key(&mut cluster);
    let mut enclave = cluster.signer(Vec::new(), &["fault", "ML-DSA-65 key"]).unwrap();
    let (code, text) = refused(enclave.create(cluster.certificate(ceremony(create("vera")))));
    assert!(code == "self_test.pair" && text.contains("ML-DSA-65 key"), "{code}: {text}");
    assert_eq!(refused(enclave.public(name("vera"))).0, "vault.unknown", "it was wiped");
    let mut enclave = cluster.signer(vec![sealed], &["fault", "signature"]).unwrap();
    advance(&mut enclave, vec![cluster.next_policy()], None);
    for _ in 0..2 {
        let (code, text) = refused(enclave.control(name("hot")));
        assert!(code == "self_test.signature" && text.contains("ML-DSA-65"), "{code}: {text}");
    }
}

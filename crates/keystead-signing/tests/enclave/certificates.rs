//! What is signed, and every certificate that is refused.

use keystead_base::{Digest, HybridSigner, Secret, Timestamp, merkle};
use keystead_decision::{Certificate, Outcome};
use keystead_intent::KeyCeremony;
use keystead_policy::{PolicyVersion, Rule};
use keystead_signing::{ClientError, Drill, MAX_FRAME_BYTES, OpenedKey};

use crate::Test;
use crate::fixture::{Cluster, advance, ceremony, create, grant, message, name, sign};
use crate::thousands::seals;

pub(crate) const TESTS: &[Test] = &[
    ("s03_what_the_log_allows_is_signed_and_nothing_else", signed_and_refused),
    ("s02_a_swapped_payload_is_refused_and_the_twin_signs_it", swapped_payload),
    ("s13_a_decision_under_an_old_policy_is_refused", old_policy),
    ("d03_more_changes_of_policy_than_a_frame_holds_are_followed", many_policies),
    ("s14_a_freeze_voids_outstanding_certificates", freeze),
    ("s14_a_suspended_key_voids_outstanding_certificates", suspended),
    ("policy_demands_protections_and_the_enclave_refuses_without_them", unprotected),
    ("k05_a_destroyed_key_signs_nothing_and_is_not_held_any_more", destroyed),
    ("s14_an_enclave_started_again_asks_a_quorum_which_head_is_the_newest", stale_head),
    ("d2_a_backup_is_restored_in_a_scratch_enclave_and_proves_control", drill),
    ("a_key_comes_back_with_its_passphrase_and_only_in_its_cluster", restart),
    ("nothing_is_answered_out_of_turn", out_of_turn),
];

/// A log has any number of policy versions; all of them are shown to an enclave that starts.
fn many_policies() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(strict());
    let rule = Rule { id: name("long"), cedar: " ".repeat(MAX_FRAME_BYTES / 8) };
    let grows = |version: &mut PolicyVersion| version.rules = vec![rule.clone()];
    let transitions = (0..9).map(|_| cluster.changed_policy(grows)).collect();
    advance(&mut enclave, transitions, None);
    // Two that fill a frame to within a hundred bytes, and a head that has no room beside them.
    let mut filling = |bytes: usize| {
        let rule = Rule { id: name("long"), cedar: " ".repeat(bytes) };
        cluster.changed_policy(|version: &mut PolicyVersion| version.rules = vec![rule])
    };
    let short = filling(1);
    let half = (MAX_FRAME_BYTES - FRAMING - 100) / 2 - borsh::object_length(&short).unwrap() + 1;
    advance(&mut enclave, vec![short], None);
    let (first, second) = (filling(half), filling(half));
    let head = second.commit.clone();
    advance(&mut enclave, vec![first, second], Some(head));
    let payload = message(&held, "under the last one");
    let good = cluster.certificate(Outcome::Allow(grant(&payload)));
    sign(&mut enclave, &good, &payload).unwrap();
}

fn signed_and_refused() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(strict());
    let payload = message(&held, "hello");
    let digest = payload.signing_digest();
    let good = cluster.certificate(Outcome::Allow(grant(&payload)));
    let signature = sign(&mut enclave, &good, &payload).unwrap();
    let recovered = signature.recover(&digest).unwrap();
    let account = held.account.address(0).unwrap();
    assert_eq!(address(&recovered), account);
    assert_eq!(sign(&mut enclave, &good, &payload), Ok(signature), "RFC 6979: the same again");

    let mut changed = |change: &dyn Fn(&mut keystead_decision::Grant)| {
        let mut grant = grant(&payload);
        change(&mut grant);
        cluster.certificate(Outcome::Allow(grant))
    };
    let expired = changed(&|grant| grant.expires = Timestamp(5));
    assert_eq!(sign(&mut enclave, &expired, &payload).unwrap_err(), "certificate.expired");
    let epoch = changed(&|grant| grant.epoch = 1);
    assert_eq!(sign(&mut enclave, &epoch, &payload).unwrap_err(), "enclave.epoch");
    let chain = changed(&|grant| grant.chain = keystead_intent::ChainId(10));
    assert_eq!(sign(&mut enclave, &chain, &payload).unwrap_err(), "enclave.chain");
    let index = changed(&|grant| grant.account.index = 1);
    assert_eq!(sign(&mut enclave, &index, &payload).unwrap_err(), "enclave.account");
    let key = changed(&|grant| grant.account.key = name("cold"));
    assert_eq!(sign(&mut enclave, &key, &payload).unwrap_err(), "vault.unknown");
    assert_eq!(sign(&mut enclave, &good, &payload).unwrap_err(), "certificate.old");

    let deny = cluster.certificate(Outcome::Deny { class: None, reasons: Vec::new() });
    assert_eq!(sign(&mut enclave, &deny, &payload).unwrap_err(), "certificate.not_allowed");
    let forged = Certificate { decision: good.decision.clone(), ..deny };
    assert_eq!(sign(&mut enclave, &forged, &payload).unwrap_err(), "certificate.not_included");
    for (certificate, code) in forgeries(&mut cluster, &grant(&payload)) {
        assert_eq!(sign(&mut enclave, &certificate, &payload).unwrap_err(), code);
    }
}

/// Certificates that no quorum of this cluster made.
fn forgeries(cluster: &mut Cluster, grant: &keystead_decision::Grant) -> Vec<(Certificate, &'static str)> {
    let good = cluster.certificate(Outcome::Allow(grant.clone()));
    let mut unvoted = good.clone();
    unvoted.commit.votes.clear();
    let mut altered = good.clone();
    altered.commit.header.time = Timestamp(99);
    let mut stranger = good.clone();
    stranger.commit.votes[0].node = name("node-2");
    let mut twice = good.clone();
    twice.commit.votes.push(twice.commit.votes[0].clone());
    let mut elsewhere = good.clone();
    elsewhere.commit.header.cluster.0 = Digest([9; 32]);
    let other = HybridSigner::from_seed(&Secret::new([2; 64])).unwrap();
    let ours = std::mem::replace(&mut cluster.node, other);
    let foreign = cluster.certificate(Outcome::Allow(grant.clone()));
    cluster.node = ours;
    vec![
        (unvoted, "certificate.quorum"),
        (altered, "certificate.vote"),
        (stranger, "certificate.voter"),
        (twice, "certificate.vote_order"),
        (elsewhere, "certificate.cluster"),
        (foreign, "certificate.vote"),
    ]
}

/// The coordinator swaps the payload after the decision. With the control it gets nothing; an enclave
/// that believes its parent signs the thief's text.
fn swapped_payload() {
    let mut cluster = Cluster::new();
    for (options, swapped) in [(&[][..], Err("certificate.digest".to_owned())), (&["twin"][..], Ok(true))] {
        let (mut enclave, _, held) = cluster.with_hot_key(options);
        let (approved, thief) = (message(&held, "pay alice"), message(&held, "pay mallory"));
        let certificate = cluster.certificate(Outcome::Allow(grant(&approved)));
        let outcome = sign(&mut enclave, &certificate, &thief).map(|signature| {
            signature.recover(&thief.signing_digest()).map(|key| address(&key)) == held.account.address(0)
        });
        assert_eq!(outcome, swapped);
        cluster.height = 0;
    }
}

fn old_policy() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(&[]);
    let payload = message(&held, "hello");
    let old = cluster.certificate(Outcome::Allow(grant(&payload)));
    let transition = cluster.next_policy();
    let mut gap = transition.clone();
    gap.policy.number = 2;
    let refused = enclave.advance(keystead_signing::Advance { transitions: vec![gap], head: None });
    assert_eq!(code(refused), "certificate.gap");
    advance(&mut enclave, vec![transition], None);
    assert_eq!(sign(&mut enclave, &old, &payload).unwrap_err(), "certificate.old");

    // Decided under the old version, but in a block that names the new one: a replayed decision.
    let current = cluster.policy.clone();
    let version_0 = cluster.genesis.genesis.policy.clone();
    cluster.policy = version_0;
    let mut replayed = cluster.certificate(Outcome::Allow(grant(&payload)));
    cluster.policy = current;
    replayed.commit = cluster.commit(replayed.commit.header.decisions);
    assert_eq!(sign(&mut enclave, &replayed, &payload).unwrap_err(), "certificate.policy");
    let fresh = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert!(sign(&mut enclave, &fresh, &payload).is_ok());
}

fn freeze() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(&[]);
    let payload = message(&held, "hello");
    let outstanding = cluster.certificate(Outcome::Allow(grant(&payload)));
    cluster.height += 1;
    cluster.frozen.keys.insert(name("hot"));
    let head = cluster.commit(merkle::root(&[]));
    advance(&mut enclave, Vec::new(), Some(head));
    assert_eq!(sign(&mut enclave, &outstanding, &payload).unwrap_err(), "certificate.old");
    let frozen = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &frozen, &payload).unwrap_err(), "certificate.frozen");
    cluster.frozen.keys.clear();
    cluster.frozen.everything = true;
    let frozen = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &frozen, &payload).unwrap_err(), "certificate.frozen");
}

/// Suspended after the right was given: the newer head says so, and the older right is worth nothing.
fn suspended() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(&[]);
    let payload = message(&held, "hello");
    cluster.frozen.stopped.insert(name("hot"));
    let right = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &right, &payload).unwrap_err(), "certificate.stopped");
    cluster.frozen.stopped.clear();
    let resumed = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert!(sign(&mut enclave, &resumed, &payload).is_ok());
}

/// Memory that cannot be locked stands for a kernel without secret pages.
fn unprotected() {
    let demand = |policy: &mut PolicyVersion| {
        let features = vec![keystead_signing::Feature::SecretMemory];
        let level = keystead_policy::AssuranceLevel::Process;
        policy.protections = vec![keystead_policy::RequiredProtections { level, features }];
    };
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(&["unlockable"]);
    let payload = message(&held, "hello");
    let before = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert!(sign(&mut enclave, &before, &payload).is_ok(), "nothing is demanded yet");
    let transition = cluster.changed_policy(demand);
    advance(&mut enclave, vec![transition], None);
    let right = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &right, &payload).unwrap_err(), "enclave.unprotected");
    let creation = cluster.certificate(ceremony(create("cold")));
    assert_eq!(code(enclave.create(creation)), "enclave.unprotected");
    let home = keystead_intent::Importer::Home(name("node-1"));
    let import = cluster.certificate(crate::importing::convened(held.account, home, Default::default()));
    assert_eq!(code(enclave.deal(import)), "enclave.unprotected");
    let transition = cluster.changed_policy(|policy| policy.protections.clear());
    advance(&mut enclave, vec![transition], None);
    let right = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert!(sign(&mut enclave, &right, &payload).is_ok(), "and no longer");
}

fn destroyed() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(&[]);
    let payload = message(&held, "hello");
    let another = cluster.certificate(ceremony(create("cold")));
    assert_eq!(code(enclave.destroy(another)), "enclave.ceremony");
    let right = cluster.certificate(ceremony(KeyCeremony::Destroy { key: name("hot") }));
    assert_eq!(enclave.destroy(right.clone()).unwrap(), name("hot"));
    assert_eq!(code(enclave.destroy(right)), "vault.unknown");
    let late = cluster.certificate(Outcome::Allow(grant(&payload)));
    assert_eq!(sign(&mut enclave, &late, &payload).unwrap_err(), "vault.unknown");
}

/// A node that withholds a freeze starts the enclave again, from before it.
fn stale_head() {
    let mut cluster = Cluster::new();
    let mut first = cluster.signer(Vec::new(), &[]).unwrap();
    let nonce = first.ask_fresh().unwrap();
    let recorded = cluster.fresh_answer(nonce);
    first.confirm_fresh(recorded.clone()).unwrap();
    assert_eq!(code(first.confirm_fresh(recorded.clone())), "certificate.fresh_nonce");
    assert_ne!(first.ask_fresh().unwrap(), nonce, "drawn anew each time");
    drop(first);

    let (enclave, sealed, held) = cluster.with_hot_key(&[]);
    drop(enclave);
    let payload = message(&held, "hello");
    let outstanding = cluster.certificate(Outcome::Allow(grant(&payload)));
    let mut again = cluster.start("signer", &[]);
    assert_eq!(code(again.ask_fresh()), "enclave.not_ready");
    assert_eq!(code(again.confirm_fresh(recorded.clone())), "enclave.not_ready");
    again.open(vec![sealed]).unwrap();
    again.hello(cluster.hello()).unwrap();
    assert_eq!(sign(&mut again, &outstanding, &payload).unwrap_err(), "certificate.stale_head");
    again.ask_fresh().unwrap();
    assert_eq!(code(again.confirm_fresh(recorded)), "certificate.fresh_nonce");
    assert_eq!(sign(&mut again, &outstanding, &payload).unwrap_err(), "certificate.stale_head");
    cluster.height += 1;
    cluster.frozen.everything = true;
    cluster.confirm(&mut again).unwrap();
    assert_eq!(sign(&mut again, &outstanding, &payload).unwrap_err(), "certificate.frozen");
}

fn drill() {
    let mut cluster = Cluster::new();
    let (mut enclave, _, held) = cluster.with_hot_key(&[]);
    let file = cluster.backup(&mut enclave);
    let drill = Drill {
        file: file.clone(),
        recipient: name("ann"),
        member: cluster.ann.clone(),
        after: Some(Timestamp(7)),
    };
    assert_eq!(code(enclave.drill(drill.clone())), "enclave.role");

    let mut scratch = cluster.start("scratch", strict());
    let proof = scratch.drill(drill.clone()).unwrap();
    let challenge =
        keystead_decision::drill_challenge(cluster.id(), &name("hot"), 0, &proof.backup, Some(Timestamp(7)));
    assert!(held.account.proves_control(&challenge, &proof.proof));
    assert!(!held.account.proves_control(&Digest::ZERO, &proof.proof));

    let mut other = drill;
    other.recipient = name("bob");
    assert_eq!(code(cluster.start("scratch", &[]).drill(other)), "backup.no_copy");
    let nobody = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("eve")] };
    let certificate = cluster.certificate(ceremony(nobody));
    assert_eq!(code(enclave.backup(certificate)), "enclave.recipient");
}

fn restart() {
    let mut cluster = Cluster::new();
    let (enclave, sealed, held) = cluster.with_hot_key(&[]);
    drop(enclave);
    let mut enclave = cluster.start("signer", &[]);
    let (seals, hello) = (vec![sealed.clone()], cluster.hello());
    let opened = OpenedKey { key: name("hot"), epoch: 0 };
    assert_eq!(enclave.open(seals.clone()).unwrap(), [opened]);
    assert_eq!(code(enclave.open(seals.clone())), "vault.known");
    enclave.hello(hello.clone()).unwrap();
    assert_eq!(code(enclave.hello(hello.clone())), "enclave.already_ready");
    assert_eq!(code(enclave.open(seals.clone())), "enclave.already_ready");
    assert_eq!(enclave.public(name("hot")).unwrap(), held);
    assert_eq!(code(enclave.public(name("cold"))), "vault.unknown");
    cluster.confirm(&mut enclave).unwrap();
    let again = cluster.certificate(ceremony(create("hot")));
    assert_eq!(code(enclave.create(again)), "vault.known");

    std::fs::write(cluster.passphrase_file(), "another passphrase").unwrap();
    assert_eq!(code(cluster.start("signer", &[]).open(seals)), "seal.passphrase");
    let mut foreign = Cluster::new();
    foreign.genesis.genesis.created = Timestamp(2);
    foreign.genesis.signatures = vec![foreign.genesis.genesis.sign(&foreign.node).unwrap()];
    assert_eq!(code(foreign.signer(vec![sealed], &[])), "enclave.foreign_seal");
    assert_eq!(code(foreign.start("signer", &[]).hello(hello)), "certificate.cluster");
}

fn out_of_turn() {
    let mut cluster = Cluster::new();
    let mut enclave = cluster.start("signer", &[]);
    let certificate = cluster.certificate(ceremony(create("hot")));
    assert_eq!(code(enclave.create(certificate.clone())), "enclave.not_ready");
    assert_eq!(code(enclave.backup(certificate.clone())), "enclave.not_ready");
    assert_eq!(code(enclave.sign(&certificate.commit, vec![item(&certificate)])), "enclave.not_ready");
    let hello = cluster.hello();
    assert_eq!(code(cluster.start("scratch", &[]).hello(hello.clone())), "enclave.role");
    assert_eq!(code(cluster.start("scratch", &[]).open(seals(&cluster, 1))), "enclave.role");
    enclave.hello(hello).unwrap();
    assert_eq!(code(enclave.backup(certificate.clone())), "certificate.stale_head");
    cluster.height += 1;
    cluster.confirm(&mut enclave).unwrap();
    assert_eq!(code(enclave.backup(certificate)), "enclave.ceremony");
}

/// All protections are required where the kernel has them.
fn strict() -> &'static [&'static str] {
    if crate::confinement::whole_kernel() { &["strict"] } else { &[] }
}

fn item(certificate: &Certificate) -> keystead_signing::BatchItem {
    let (decision, proof) = (certificate.decision.clone(), certificate.proof.clone());
    keystead_signing::BatchItem { decision, proof, unsigned: Vec::new() }
}

pub(crate) fn code<T>(result: Result<T, ClientError>) -> String {
    match result.map(|_| ()).unwrap_err() {
        ClientError::Refused(refusal) => refusal.code,
        other => panic!("{other}"),
    }
}

fn address(compressed: &[u8; 33]) -> alloy_primitives::Address {
    let key = secp256k1::PublicKey::from_byte_array_compressed(*compressed).unwrap();
    alloy_primitives::Address::from_raw_public_key(&key.serialize_uncompressed()[1..])
}

/// What a client leaves room for beside what is shown.
const FRAMING: usize = 256;

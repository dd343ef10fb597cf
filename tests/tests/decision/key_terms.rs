//! What the state and the terms of a key let it sign: retired, over, used up, limited, and swept to its successor.

use alloy_primitives::Address;
use keystead_base::{Canonical as _, Coded, Digest, HybridSigner, KeyScheme, Name, Signed};
use keystead_decision::{
    Decision, EntropyReceipt, Entry, KeyEvent, KeyState, KeyStep, Outcome, Snapshot, Strict, WitnessWord,
    Witnessed, control_challenge,
};
use keystead_intent::{AccountRef, Action, AuthorityChange, ChainId, KeyCeremony, KeyTerms, Message};
use keystead_policy::{LifeReason, Reason};
use keystead_tests::fixture::{CHAIN, Desk, FRIEND, Member, name};
use keystead_tests::root;
use keystead_tests::world::{World, outcome_of, reasons};
use serde_json::Value;

fn hot() -> Name {
    name("hot")
}

fn warm() -> Name {
    name("warm")
}

/// With a second active key.
fn world() -> World<Strict> {
    let mut world = World::new(Strict::default());
    world.make_key("warm", 9);
    world
}

fn ceremony(world: &mut World<Strict>, ceremony: KeyCeremony) -> Outcome {
    let (id, first) = world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
    if !matches!(first, Outcome::Wait { .. }) {
        return first;
    }
    world.approve("ana", &id);
    let last = world.approve("ben", &id);
    outcome_of(&last, &id)
}

fn limit(world: &mut World<Strict>, terms: KeyTerms) -> Outcome {
    ceremony(world, KeyCeremony::Limit { key: hot(), terms })
}

fn deactivate(world: &mut World<Strict>) -> Outcome {
    ceremony(world, KeyCeremony::Deactivate { key: hot(), why: "its time is over".to_owned() })
}

fn succeed(world: &mut World<Strict>, successor: Name) -> Outcome {
    ceremony(world, KeyCeremony::Succeed { key: hot(), successor })
}

fn asked(world: &mut World<Strict>, to: Address, nonce: u64) -> Outcome {
    let action = world.ether(to, 1, nonce);
    world.ask("desk", action).1
}

fn code(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Allow(_) => "allow",
        Outcome::Wait { .. } => "wait",
        other => reasons(other).first().map_or("-", Coded::code),
    }
}

fn event(world: &mut World<Strict>, key: Name, step: KeyStep) -> Vec<Decision> {
    let body = KeyEvent { cluster: world.state.cluster(), key, step };
    let node = &world.desk.nodes[0];
    let entry = Entry::Key(Signed::new(body, node.name.clone(), &node.signer).unwrap());
    world.commit(vec![entry])
}

#[test]
fn s14_a_deactivated_key_signs_only_what_goes_to_its_successor() {
    let mut world = world();
    let retired = deactivate(&mut world);
    assert_eq!(retired, Outcome::Key { key: hot(), state: KeyState::Deactivated });
    assert!(world.state.frozen().stops(&hot()), "back ends refuse it by themselves");
    assert_eq!(code(&asked(&mut world, FRIEND, 0)), "deny.key_stopped");
    let resumed = ceremony(&mut world, KeyCeremony::Resume { key: hot() });
    assert_eq!(code(&resumed), "deny.key_step", "nothing brings it back");

    assert_eq!(succeed(&mut world, warm()), Outcome::Key { key: hot(), state: KeyState::Deactivated });
    assert!(!world.state.frozen().stops(&hot()));
    assert_eq!(code(&asked(&mut world, FRIEND, 0)), "deny.sweeps_only");
    let target = world.state.key(&warm()).unwrap().address(0).unwrap();
    let swept = asked(&mut world, target, 0);
    assert_ne!(code(&swept), "deny.sweeps_only", "{swept:?}");
    assert_ne!(code(&swept), "deny.key_stopped", "{swept:?}");
    assert_eq!(world.state.key(&hot()).unwrap().address(0), None, "nobody is paid there any more");
}

#[test]
fn s14_a_successor_is_another_active_key_that_has_none_itself() {
    let mut world = world();
    assert_eq!(code(&succeed(&mut world, hot())), "deny.not_a_successor");
    assert_eq!(code(&succeed(&mut world, name("nobody"))), "deny.not_a_successor");
    succeed(&mut world, warm());
    let circle = ceremony(&mut world, KeyCeremony::Succeed { key: warm(), successor: hot() });
    assert_eq!(code(&circle), "deny.not_a_successor");
    ceremony(&mut world, KeyCeremony::Suspend { key: warm() });
    deactivate(&mut world);
    assert_eq!(
        code(&asked(&mut world, FRIEND, 0)),
        "deny.sweeps_only",
        "a suspended successor takes nothing"
    );
}

#[test]
fn s14_after_its_period_a_key_signs_nothing_new_until_it_is_extended() {
    let mut world = world();
    let end = world.now().plus_seconds(600);
    let until = |at| KeyTerms { until: Some(at), ..KeyTerms::default() };
    assert!(matches!(limit(&mut world, until(end)), Outcome::Key { .. }));
    assert_eq!(code(&asked(&mut world, FRIEND, 0)), "allow");
    assert_eq!(
        world.state.next_due().filter(|it| *it <= end),
        world.state.next_due(),
        "a block is wanted then"
    );
    world.commit_at(end, vec![Entry::Tick]);
    assert!(world.state.frozen().stops(&hot()), "in block time, and without anybody's doing");
    assert_eq!(code(&asked(&mut world, FRIEND, 1)), "deny.key_period_over");
    let past = world.now();
    assert_eq!(code(&limit(&mut world, until(past))), "deny.key_terms");
    let later = world.now().plus_seconds(600);
    limit(&mut world, until(later));
    assert!(!world.state.frozen().stops(&hot()));
    assert_eq!(code(&asked(&mut world, FRIEND, 1)), "allow");
}

#[test]
fn s10_a_key_signs_as_often_as_its_terms_allow() {
    let mut world = world();
    limit(&mut world, KeyTerms { most_signatures: Some(2), ..KeyTerms::default() });
    let codes = [0, 1, 2].map(|nonce| code(&asked(&mut world, FRIEND, nonce)));
    assert_eq!(codes, ["allow", "allow", "deny.key_used_up"]);
    assert_eq!(world.state.key(&hot()).unwrap().life.signatures, 2);
    succeed(&mut world, warm());
    assert_eq!(code(&asked(&mut world, FRIEND, 2)), "deny.sweeps_only");
}

#[test]
fn s09_the_terms_of_a_key_bind_beside_the_policy_and_promises_for_good_stay() {
    let mut world = world();
    let terms = KeyTerms { chains: vec![ChainId(424_242)], no_export: true, ..KeyTerms::default() };
    limit(&mut world, terms.clone());
    assert_eq!(code(&asked(&mut world, FRIEND, 0)), "deny.key_terms");
    let export = ceremony(&mut world, KeyCeremony::Export { key: hot(), recipient: name("ana") });
    assert_eq!(code(&export), "deny.key_terms");
    assert_eq!(code(&limit(&mut world, KeyTerms::default())), "deny.key_terms", "no_export is for good");
    limit(&mut world, KeyTerms { no_export: true, ..KeyTerms::default() });
    assert_eq!(code(&asked(&mut world, FRIEND, 0)), "allow");
}

#[test]
fn d01_a_proof_of_control_names_a_recent_block_and_its_age_hides_addresses() {
    let mut world = world();
    limit(&mut world, KeyTerms { proof_seconds: Some(60), ..KeyTerms::default() });
    let shown = |world: &World<Strict>| world.state.key(&hot()).unwrap().is_shown_at(world.now());
    assert!(!shown(&world), "nobody proved it so far");
    let (height, block) = (world.state.height(), world.state.parent());
    let challenge = control_challenge(world.state.cluster(), &hot(), 0, height, &block);
    let proof = world.proof(&challenge);
    let other = event(&mut world, hot(), KeyStep::Controlled { height: height - 1, proof: proof.clone() });
    assert_eq!(code(&other[0].outcome), "deny.not_counted");
    let counted = event(&mut world, hot(), KeyStep::Controlled { height, proof: proof.clone() });
    assert!(matches!(counted[0].outcome, Outcome::Key { .. }), "{counted:?}");
    assert!(shown(&world));
    let later = world.now().plus_seconds(120);
    world.commit_at(later, vec![Entry::Tick]);
    assert!(!shown(&world));
    for _ in 0..64 {
        world.commit(vec![Entry::Tick]);
    }
    let stale = event(&mut world, hot(), KeyStep::Controlled { height, proof });
    assert_eq!(code(&stale[0].outcome), "deny.not_counted", "an old proof is none");
}

fn receipt() -> EntropyReceipt {
    let text = std::fs::read_to_string(root().join("specs/vectors/entropy.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    let is_receipt = |it: &&Value| it["domain"] == EntropyReceipt::DOMAIN;
    let json = vectors.iter().find(is_receipt).unwrap()["json"].clone();
    serde_json::from_value(json).unwrap()
}

#[test]
fn e1_the_log_keeps_the_first_receipt_that_holds() {
    let (mut world, receipt) = (world(), receipt());
    let received = |receipt| KeyStep::Received { receipt };
    let mut less = receipt.clone();
    less.sources[0].samples = 1;
    let refused = event(&mut world, hot(), received(less));
    assert_eq!(code(&refused[0].outcome), "deny.not_counted");
    event(&mut world, hot(), received(receipt.clone()));
    event(&mut world, hot(), received(EntropyReceipt { maker: "another".to_owned(), ..receipt.clone() }));
    let receipts = &world.state.key(&hot()).unwrap().life.receipts;
    assert_eq!(*receipts, [(name("node-1"), receipt)].into());
}

/// What ana says of a receipt, brought by whoever has it.
fn word(world: &World<Strict>, receipt: &EntropyReceipt, noted: Option<Digest>) -> WitnessWord {
    word_of(world, "ana", receipt, noted)
}

fn word_of(world: &World<Strict>, who: &str, receipt: &EntropyReceipt, noted: Option<Digest>) -> WitnessWord {
    let body = receipt.witness(noted, world.now()).unwrap();
    let word = Signed::new(body, name(who), &world.desk.person(who).signer).unwrap();
    WitnessWord { key: hot(), node: name("node-1"), word }
}

/// What the log says to a word.
fn says(world: &mut World<Strict>, word: WitnessWord) -> String {
    let decisions = world.commit(vec![Entry::Witness(word.clone())]);
    assert_eq!(decisions[0].subject.0, word.word.body.digest());
    match &decisions[0].outcome {
        Outcome::Refused { reason: Reason::NotCounted { code, .. }, .. } => code.clone(),
        Outcome::Refused { reason, .. } => reason.code().to_owned(),
        other => other.word().to_owned(),
    }
}

#[test]
fn e1_a_witness_counts_in_the_log_once_and_beside_the_receipt_that_it_signed() {
    let (mut world, receipt) = (world(), receipt());
    let silent = word(&world, &receipt, None);
    event(&mut world, hot(), KeyStep::Received { receipt: receipt.clone() });
    assert_eq!(says(&mut world, silent.clone()), "counted");
    let height = world.state.height();
    let kept = |world: &World<Strict>| world.state.key(&hot()).unwrap().life.witnessed.clone();
    let expected =
        |height, noted| [(name("node-1"), [(name("ana"), Witnessed { height, noted })].into())].into();
    assert_eq!(kept(&world), expected(height, false));
    assert_eq!(says(&mut world, silent), "entropy_witness.repeated");
    // Whoever adds the promise says more than before; who leaves it out afterwards, less.
    let noted = word(&world, &receipt, receipt.promise);
    assert_eq!(says(&mut world, noted.clone()), "counted");
    assert_eq!(says(&mut world, noted), "entropy_witness.repeated");
    assert_eq!(kept(&world), expected(height + 2, true));
    let Snapshot(again) = Snapshot::from_document(&Snapshot(world.state.clone()).to_document()).unwrap();
    assert_eq!(again.key(&hot()).unwrap().life, world.state.key(&hot()).unwrap().life);
}

/// A roster may have more people than the state of a key has room for.
#[test]
fn e1_sixteen_witnesses_count_beside_a_receipt_and_no_seventeenth() {
    let (mut desk, receipt) = (Desk::default(), receipt());
    let strangers = 17 - desk.people.len();
    desk.people.extend((50..).take(strangers).map(|it| Member::new(&format!("watcher-{it}"), it)));
    let who: Vec<String> = desk.people.iter().map(|it| it.name.to_string()).collect();
    let mut world = World::of(desk, Strict::default(), |_| {});
    event(&mut world, hot(), KeyStep::Received { receipt: receipt.clone() });
    let said = |world: &mut World<Strict>, who: &str, noted| {
        let word = word_of(world, who, &receipt, noted);
        says(world, word)
    };
    let answers: Vec<String> = who.iter().map(|it| said(&mut world, it, None)).collect();
    let (last, counted) = answers.split_last().unwrap();
    assert_eq!((counted, last.as_str()), (&["counted"; 16].map(str::to_owned)[..], "entropy_witness.many"));
    // Whoever is among them may still say more.
    assert_eq!(said(&mut world, "ana", receipt.promise), "counted");
    assert_eq!(said(&mut world, &who[16], receipt.promise), "entropy_witness.many");
    let words = &world.state.key(&hot()).unwrap().life.witnessed[&name("node-1")];
    let noted: Vec<&Name> = words.iter().filter(|(_, it)| it.noted).map(|(who, _)| who).collect();
    assert_eq!((words.len(), noted), (16, vec![&name("ana")]));
}

#[test]
fn e1_only_a_person_of_the_roster_is_a_witness_in_the_log() {
    let (mut world, receipt) = (world(), receipt());
    event(&mut world, hot(), KeyStep::Received { receipt: receipt.clone() });
    let good = word(&world, &receipt, None);
    let refused = |entry| world.state.admit(entry).err().map_or("admitted", |it| it.code());
    // Whoever has a good word fills the log with it in no other place.
    let at = |key: &str, node: &str| {
        refused(Entry::Witness(WitnessWord { key: name(key), node: name(node), ..good.clone() }))
    };
    let places = [("hot", "node-1"), ("warm", "node-1"), ("cold", "node-1"), ("hot", "node-2")];
    let [there, elsewhere @ ..] = places.map(|(key, node)| at(key, node));
    assert_eq!((there, elsewhere), ("admitted", ["admission.receipt"; 3]));
    let other = EntropyReceipt { maker: "another".to_owned(), ..receipt.clone() };
    assert_eq!(refused(Entry::Witness(word(&world, &other, None))), "admission.receipt");
    let by = |who: &str, signer: &HybridSigner| {
        let word = Signed::new(good.word.body.clone(), name(who), signer).unwrap();
        refused(Entry::Witness(WitnessWord { word, ..good.clone() }))
    };
    let desk = &world.desk;
    assert_eq!(by("ana", &desk.person("ana").signer), "admitted");
    assert_eq!(by("ben", &desk.person("ana").signer), "admission.signature");
    assert_eq!(by("nobody", &desk.person("ana").signer), "admission.unknown");
    // What runs by itself watches nothing.
    assert_eq!(by("desk", &desk.desk.signer), "admission.unknown");
    assert_eq!(by("node-1", &desk.nodes[0].signer), "admission.unknown");
}

#[test]
fn s14_only_a_destruction_that_people_allowed_is_certified() {
    let mut world = world();
    let account = world.state.key(&hot()).unwrap().account;
    let (unasked, _) = world.ask("desk", Action::Authority(AuthorityChange::Thaw { key: Some(hot()) }));
    let step = KeyStep::Wiped { request: unasked, account, epoch: 0, erased: 1 };
    let refused = event(&mut world, hot(), step);
    assert!(matches!(refused[0].outcome, Outcome::Deny { .. }), "{refused:?}");
}

#[test]
fn l01_terms_and_incidents_survive_a_snapshot() {
    let mut world = world();
    let until = Some(world.now().plus_seconds(9_000));
    limit(&mut world, KeyTerms { until, proof_seconds: Some(60), ..KeyTerms::default() });
    succeed(&mut world, warm());
    let document = Snapshot(world.state.clone()).to_document();
    let Snapshot(again) = Snapshot::from_document(&document).unwrap();
    assert_eq!(again.digest(), world.state.digest());
    assert_eq!(again.next_due(), world.state.next_due());
    assert_eq!(again.key(&hot()).unwrap().life, world.state.key(&hot()).unwrap().life);
}

#[test]
fn s14_why_is_said_in_one_plain_line() {
    let mut world = world();
    for why in ["", "  ", "two\nlines", "a\u{202e}b", &"x".repeat(257)] {
        let refused = ceremony(&mut world, KeyCeremony::Deactivate { key: hot(), why: (*why).to_owned() });
        assert_eq!(reasons(&refused), [Reason::Life(LifeReason::WhyRefused)], "{why:?}");
    }
}

#[test]
fn s09_a_key_signs_by_no_other_scheme_and_nothing_blind_where_its_terms_say_so() {
    let mut world = world();
    limit(&mut world, KeyTerms { schemes: vec![KeyScheme::Ed25519], ..KeyTerms::default() });
    assert_eq!(code(&asked(&mut world, FRIEND, 0)), "deny.key_terms");
    limit(&mut world, KeyTerms { no_blind: true, ..KeyTerms::default() });
    assert_eq!(code(&asked(&mut world, FRIEND, 0)), "allow");
    let account = AccountRef { key: hot(), index: 0 };
    let blind = Action::Message(Message { account, chain: CHAIN, bytes: vec![7; 32].into() });
    assert_eq!(code(&world.ask("desk", blind).1), "deny.key_terms");
}

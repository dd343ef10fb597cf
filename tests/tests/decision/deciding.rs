//! What the state machine lets in, block by block: senders, ceremonies, chains of headers.
//!
//! Each test was written for mutants of `keystead-decision` that no other test noticed.

use keystead_base::merkle::{self, Frontier};
use keystead_base::{Canonical, ClusterId, Coded, Digest, HybridSigner, Signed};
use keystead_decision::{
    Applied, Block, BlockError, Decision, Entry, Fate, KeyEvent, KeyState, KeyStep, MAX_BLOCK_ENTRIES,
    MAX_OPEN_REQUESTS, Outcome, PublicAccount, Renewal, Settlement, Snapshot, State, Strict, leaves, propose,
    validate,
};
use keystead_intent::{
    Action, Asset, AuthorityChange, Freeze, Intent, KeyCeremony, KeyKind, MAX_BATCH_INTENTS, RequestBatch,
    Veto,
};
use keystead_policy::{AssuranceLevel, Price, PriceRule, PriceSource, Reason, Rule};
use keystead_tests::fixture::{CHAIN, ETHER, FRIEND, Member, name};
use keystead_tests::world::{World, outcome_of, reasons};
use secp256k1::{PublicKey, Secp256k1, SecretKey};

fn world() -> World<Strict> {
    World::new(Strict::default())
}

fn signed<T: Canonical>(body: T, who: &str, key: &HybridSigner) -> Signed<T> {
    Signed::new(body, name(who), key).unwrap()
}

fn refusal(state: &State, entry: Entry) -> &'static str {
    state.admit(entry).map(|_| "admitted").unwrap_or_else(|error| error.code())
}

/// An intent of this requester, and the batch with it.
fn batch(world: &mut World<Strict>, requester: &str) -> RequestBatch {
    let action = world.ether(FRIEND, 1, 0);
    RequestBatch { intents: vec![world.intent(requester, action)] }
}

fn other_cluster() -> ClusterId {
    ClusterId(Digest([0xee; 32]))
}

#[test]
fn d03_one_request_more_than_may_wait_is_denied() {
    let mut world = world();
    // How many wait stands before coins, cleared findings and ceremonies at the end of a state's document, and there are
    // none of those.
    let mut document = Snapshot(world.state.clone()).to_document();
    let at = document.len() - 20;
    document[at..at + 8].copy_from_slice(&(MAX_OPEN_REQUESTS as u64 - 1).to_le_bytes());
    world.state = Snapshot::from_document(&document).unwrap().0;
    let (_, last) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    assert!(matches!(last, Outcome::Wait { .. }), "{last:?}");
    let (_, more) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 1));
    assert!(matches!(reasons(&more)[..], [Reason::TooManyOpen { limit: 10_000 }]), "{more:?}");
}

/// A node with nothing due builds no block.
#[test]
fn d03_a_request_that_waits_for_people_alone_makes_nothing_due() {
    let mut world = world();
    let before = world.state.next_due();
    assert!(before > Some(world.now().plus_seconds(60)), "{before:?}");
    let (_, waits) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    assert!(matches!(waits, Outcome::Wait { .. }), "{waits:?}");
    assert_eq!(world.state.next_due(), before);
}

#[test]
fn s11_requests_enter_only_from_their_requester_and_for_this_cluster() {
    let mut world = world();
    let stranger = Member::new("desk", 99);
    let good = batch(&mut world, "desk");
    let key = &world.desk.desk.signer;
    let admits =
        |body: RequestBatch, who: &str, key| refusal(&world.state, Entry::Requests(signed(body, who, key)));
    assert_eq!(admits(good.clone(), "desk", key), "admitted");
    assert_eq!(admits(good.clone(), "desk", &stranger.signer), "admission.signature");
    assert_eq!(admits(good.clone(), "dora", &world.desk.person("dora").signer), "admission.requester");
    assert_eq!(admits(good.clone(), "nobody", &stranger.signer), "admission.requester");
    let mut foreign = good.clone();
    foreign.intents[0].cluster = other_cluster();
    assert_eq!(admits(foreign, "desk", key), "admission.cluster");
    let mut nobody = good.clone();
    nobody.intents[0].requester = name("nobody");
    assert_eq!(admits(nobody, "nobody", &stranger.signer), "admission.unknown");
    // The second one is looked at as well.
    let mut second = good;
    second.intents.push(Intent { requester: name("dora"), ..second.intents[0].clone() });
    assert_eq!(admits(second, "desk", key), "admission.requester");
}

#[test]
fn s11_a_batch_has_its_size_and_its_intents_their_limits() {
    let mut world = world();
    let good = batch(&mut world, "desk");
    let of = |count: usize| RequestBatch { intents: vec![good.intents[0].clone(); count] };
    let admits = |body: RequestBatch| {
        refusal(&world.state, Entry::Requests(signed(body, "desk", &world.desk.desk.signer)))
    };
    assert_eq!(admits(of(0)), "admission.batch_size");
    assert_eq!(admits(of(MAX_BATCH_INTENTS)), "admitted");
    assert_eq!(admits(of(MAX_BATCH_INTENTS + 1)), "admission.batch_size");
    let mut hardened = good.clone();
    if let Action::Transfer(transfer) = &mut hardened.intents[0].action {
        transfer.account.index = 1 << 31;
    }
    assert_eq!(admits(hardened.clone()), hardened.intents[0].check().unwrap_err().code());
}

#[test]
fn s11_what_people_say_enters_only_with_their_own_device_and_for_this_cluster() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 2 * ETHER, 0));
    let (ana, ben) = (&world.desk.person("ana").signer, &world.desk.person("ben").signer);
    let approval = world.approval("ana", &id);
    let (cluster, expires) = (approval.cluster, approval.expires);
    let (person, device) = (name("ana"), name("laptop"));
    let veto = Veto { cluster, request: id, person: person.clone(), device: device.clone(), expires };
    let freeze = Freeze { cluster, key: None, person, device, expires };
    let entries = |who: &str, key: &HybridSigner, cluster: ClusterId, device: &str| {
        let device = name(device);
        let mut all = (approval.clone(), veto.clone(), freeze.clone());
        (all.0.cluster, all.1.cluster, all.2.cluster) = (cluster, cluster, cluster);
        (all.0.device, all.1.device, all.2.device) = (device.clone(), device.clone(), device);
        [
            Entry::Approval(signed(all.0, who, key)),
            Entry::Veto(signed(all.1, who, key)),
            Entry::Freeze(signed(all.2, who, key)),
        ]
    };
    for (who, key, cluster, device, code) in [
        ("ana", ana, cluster, "laptop", "admitted"),
        ("ana", ben, cluster, "laptop", "admission.signature"),
        ("ben", ben, cluster, "laptop", "admission.requester"),
        ("ana", ana, other_cluster(), "laptop", "admission.cluster"),
        ("ana", ana, cluster, "telephone", "admission.unknown"),
    ] {
        for entry in entries(who, key, cluster, device) {
            assert_eq!(refusal(&world.state, entry), code, "{who} {device}");
        }
    }
}

#[test]
fn s03_what_nodes_say_enters_only_from_a_node_and_for_this_cluster() {
    let mut world = world();
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let slot = world.state.request(&id).unwrap().slot;
    let entries = |who: &str, key: &HybridSigner, cluster: ClusterId| {
        let fate = Fate::Settled { transaction: Digest([9; 32]) };
        let step = KeyStep::BackedUp { request: id, backup: Digest::ZERO };
        [
            Entry::Settlement(signed(Settlement { cluster, request: id, slot, fate }, who, key)),
            Entry::Key(signed(KeyEvent { cluster, key: name("hot"), step }, who, key)),
            Entry::Renew(signed(Renewal { cluster, request: id, at: world.now() }, who, key)),
        ]
    };
    let (node, cluster) = (&world.desk.nodes[0].signer, world.state.cluster());
    for (who, key, cluster, code) in [
        ("node-1", node, cluster, "admitted"),
        ("node-1", &world.desk.desk.signer, cluster, "admission.signature"),
        ("desk", &world.desk.desk.signer, cluster, "admission.unknown"),
        ("ana", &world.desk.person("ana").signer, cluster, "admission.unknown"),
        ("node-1", node, other_cluster(), "admission.cluster"),
    ] {
        for entry in entries(who, key, cluster) {
            assert_eq!(refusal(&world.state, entry), code, "{who}");
        }
    }
}

#[test]
fn s03_a_price_enters_only_from_the_source_that_policy_names() {
    let oracle = Member::new("oracle", 70);
    let world = World::with_policy(Strict::default(), |policy| {
        let source =
            |member: &Member| PriceSource { name: member.name.clone(), key: member.signer.public().clone() };
        policy.prices = Some(PriceRule {
            currency: "USD".to_owned(),
            sources: vec![source(&Member::new("other", 71)), source(&oracle)],
            agree: 1,
            max_age_seconds: 60,
            max_spread_bps: 100,
            tolerance_bps: 200,
        });
        policy.prices.as_mut().unwrap().sources.sort_by(|a, b| a.name.cmp(&b.name));
    });
    let price = Price {
        chain: CHAIN,
        asset: Asset::Native,
        currency: "USD".to_owned(),
        micro_per_unit: 3_000_000_000,
        decimals: 18,
        at: world.now(),
    };
    let from =
        |who: &str, key: &HybridSigner| refusal(&world.state, Entry::Price(signed(price.clone(), who, key)));
    assert_eq!(from("oracle", &oracle.signer), "admitted");
    assert_eq!(from("oracle", &world.desk.nodes[0].signer), "admission.signature");
    assert_eq!(from("other", &oracle.signer), "admission.signature");
    assert_eq!(from("node-1", &world.desk.nodes[0].signer), "admission.unknown");
}

/// A roster change between admission and block: who is gone is left out, who stayed is kept.
#[test]
fn s13_what_was_admitted_under_an_older_roster_is_looked_at_again() {
    let mut world = world();
    let (dora, ana) = (batch(&mut world, "dora"), batch(&mut world, "ana"));
    let entry = |world: &World<Strict>, body: RequestBatch, who: &str| {
        Entry::Requests(signed(body, who, &world.desk.person(who).signer))
    };
    let (gone, stays) = (entry(&world, dora, "dora"), entry(&world, ana, "ana"));
    let admitted = [world.state.admit(gone).unwrap(), world.state.admit(stays.clone()).unwrap()];
    let adopted = world.adopt(|policy| policy.roster.people.retain(|it| it.name != name("dora")));
    assert!(adopted.iter().any(|it| matches!(it.outcome, Outcome::Activated { .. })), "{adopted:?}");
    let time = world.now().plus_seconds(1);
    let builder = &world.desk.nodes[0].name;
    let applied = propose(&world.state, time, builder, &admitted, &Strict::default());
    assert_eq!(applied.block.entries, [stays]);
}

#[test]
fn s03_a_block_is_later_than_its_parent_and_not_longer_than_allowed() {
    let world = world();
    let (state, strict) = (&world.state, Strict::default());
    let ticks: Vec<_> = (0..MAX_BLOCK_ENTRIES).map(|_| state.admit(Entry::Tick).unwrap()).collect();
    let builder = &world.desk.nodes[0].name;
    let time = state.time().plus_seconds(1);
    let Applied { block, .. } = propose(state, time, builder, &ticks, &strict);
    assert!(validate(state, block.clone(), &strict).is_ok());
    let longer = Block { entries: vec![Entry::Tick; MAX_BLOCK_ENTRIES + 1], ..block.clone() };
    assert_eq!(validate(state, longer, &strict).unwrap_err().code(), "block.entries");
    let mut still = block.clone();
    still.header.time = state.time();
    assert_eq!(validate(state, still, &strict).unwrap_err().code(), "block.time");
    let mut high = block;
    high.header.height += 1;
    let (expected, found) = (state.height() + 1, state.height() + 2);
    assert_eq!(validate(state, high, &strict).unwrap_err(), BlockError::Height { expected, found });
}

/// A proposer that skips admission: the header is what these entries lead to, and still nobody votes.
#[test]
fn s03_a_block_with_a_forged_entry_is_not_voted_for() {
    let mut world = world();
    let before = world.state.clone();
    let good = batch(&mut world, "desk");
    let entry = world.requests(good.intents.clone());
    world.commit(vec![entry]);
    let (_, mut block, _) = world.log.last().unwrap().clone();
    assert!(validate(&before, block.clone(), &Strict::default()).is_ok());
    block.entries = vec![Entry::Requests(signed(good, "desk", &Member::new("desk", 99).signer))];
    block.header.entries = merkle::root(&leaves(&block.entries));
    assert_eq!(validate(&before, block, &Strict::default()).unwrap_err().code(), "block.entry");
}

#[test]
fn l1_each_header_names_its_parent_and_all_headers_before_it() {
    let mut world = world();
    world.ask("desk", world.ether(FRIEND, 1, 0));
    let mut history = Frontier::default();
    let mut parent = world.state.cluster().0;
    for (commit, block, decisions) in &world.log {
        assert_eq!(block.header, commit.header);
        assert_eq!((block.header.parent, block.header.history), (parent, history.root()));
        assert_eq!(block.header.decisions, merkle::root(&leaves(decisions)));
        parent = block.header.digest();
        history.push(merkle::leaf_hash(&block.header.to_document()));
    }
    assert_eq!(world.state.history(), &history);
}

fn ceremony(world: &mut World<Strict>, ceremony: KeyCeremony) -> Outcome {
    world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony))).1
}

#[test]
fn k04_a_ceremony_needs_its_key_and_people_who_can_receive() {
    let mut world = world();
    let create =
        |key: &str| KeyCeremony::Create { key: name(key), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    let backup = |key: &str, recipients: &[&str]| KeyCeremony::Backup {
        key: name(key),
        recipients: recipients.iter().map(|it| name(it)).collect(),
    };
    let export =
        |key: &str, recipient: &str| KeyCeremony::Export { key: name(key), recipient: name(recipient) };
    for (asked, code) in [
        (create("hot"), "KeyExists"),
        (backup("cold", &["ana"]), "KeyUnknown"),
        (export("cold", "ana"), "KeyUnknown"),
        (backup("hot", &[]), "NoRecipients"),
        (backup("hot", &["ana", "nobody"]), "NotARecipient"),
        (export("hot", "nobody"), "NotARecipient"),
    ] {
        let outcome = ceremony(&mut world, asked.clone());
        let found = format!("{:?}", reasons(&outcome));
        assert!(found.starts_with(&format!("[{code}")), "{asked:?}: {found}");
    }
    for asked in [create("cold"), backup("hot", &["ana"]), export("hot", "ana")] {
        let outcome = ceremony(&mut world, asked.clone());
        assert!(matches!(outcome, Outcome::Wait { .. }), "{asked:?}: {outcome:?}");
    }
}

fn event(world: &mut World<Strict>, key: &str, step: KeyStep) -> Vec<Decision> {
    let body = KeyEvent { cluster: world.state.cluster(), key: name(key), step };
    let entry = Entry::Key(signed(body, "node-1", &world.desk.nodes[0].signer));
    world.commit(vec![entry])
}

fn denied(decisions: &[Decision]) -> Vec<Reason> {
    decisions.iter().flat_map(|it| reasons(&it.outcome)).collect()
}

/// The account of another point than that of `hot`.
fn another_account() -> PublicAccount {
    let secret = SecretKey::from_byte_array([5; 32]).unwrap();
    PublicAccount::new(PublicKey::from_secret_key(&Secp256k1::signing_only(), &secret).serialize(), [5; 32])
}

#[test]
fn k04_a_key_is_born_only_of_its_own_ceremony_and_once() {
    let mut world = world();
    let account = another_account();
    let born = |request, kind, account| KeyStep::Created {
        request,
        kind,
        account,
        assurance: AssuranceLevel::Process,
        protections: Vec::new(),
    };
    let kind = KeyKind::HdSecp256k1;
    let unknown = keystead_base::RequestId(Digest([3; 32]));
    assert!(matches!(
        denied(&event(&mut world, "cold", born(unknown, kind, account)))[..],
        [Reason::RequestUnknown { .. }]
    ));

    let create = KeyCeremony::Create { key: name("cold"), kind, home: name("node-1") };
    let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(create)));
    let early = event(&mut world, "cold", born(id, kind, account));
    assert!(matches!(denied(&early)[..], [Reason::NotOpen { .. }]), "{early:?}");
    world.approve("ana", &id);
    let allowed = world.approve("ben", &id);
    assert!(matches!(outcome_of(&allowed, &id), Outcome::Ceremony { .. }), "{allowed:?}");

    let wrong = event(&mut world, "warm", born(id, kind, account));
    assert!(matches!(denied(&wrong)[..], [Reason::NotOpen { .. }]), "{wrong:?}");
    let off_curve = PublicAccount { parity: 9, ..account };
    let invalid = event(&mut world, "cold", born(id, kind, off_curve));
    assert!(matches!(denied(&invalid)[..], [Reason::KeyExists { .. }]), "{invalid:?}");
    let hot = world.state.key(&name("hot")).unwrap().account;
    // The same point is the same key, whatever its chain code is.
    for twin in [hot, PublicAccount { chain_code: Digest([5; 32]), ..hot }] {
        let twin = event(&mut world, "cold", born(id, kind, twin));
        assert!(matches!(denied(&twin)[..], [Reason::KeyExists { .. }]), "{twin:?}");
    }

    let good = event(&mut world, "cold", born(id, kind, account));
    assert!(denied(&good).is_empty(), "{good:?}");
    assert_eq!(world.state.key(&name("cold")).map(|it| it.state), Some(KeyState::Created));
    for (key, after) in [("cold", KeyState::BackedUp), ("hot", KeyState::Active)] {
        let ceremony = KeyCeremony::Backup { key: name(key), recipients: vec![name("ana")] };
        let (backup, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
        world.approve("ana", &backup);
        world.approve("ben", &backup);
        event(&mut world, key, KeyStep::BackedUp { request: backup, backup: Digest([4; 32]) });
        assert_eq!(world.state.key(&name(key)).map(|it| it.state), Some(after), "{key}");
    }
    let again = PublicAccount { chain_code: Digest([6; 32]), ..account };
    let again = event(&mut world, "cold", born(id, kind, again));
    assert!(matches!(denied(&again)[..], [Reason::KeyExists { .. }]), "{again:?}");
    assert_eq!(world.state.key(&name("cold")).map(|it| it.account), Some(account));
}

#[test]
fn d2_a_drill_proves_the_backup_that_was_made_and_no_other() {
    let mut world = world();
    let backup = world.state.key(&name("hot")).unwrap().backup.unwrap();
    for (backup, proof) in [(backup, vec![1; 64]), (backup, vec![]), (Digest([8; 32]), vec![1; 64])] {
        let drilled = event(&mut world, "hot", KeyStep::Drilled { backup, proof });
        assert!(matches!(denied(&drilled)[..], [Reason::DrillFailed { .. }]), "{drilled:?}");
    }
    let unknown = event(&mut world, "cold", KeyStep::Drilled { backup, proof: vec![1; 64] });
    assert!(matches!(denied(&unknown)[..], [Reason::KeyUnknown { .. }]), "{unknown:?}");

    let create = Action::Authority(AuthorityChange::Key(KeyCeremony::Create {
        key: name("cold"),
        kind: KeyKind::HdSecp256k1,
        home: name("node-1"),
    }));
    let (other, _) = world.ask("cleo", create);
    world.approve("ana", &other);
    world.approve("ben", &other);
    let of_other = event(&mut world, "hot", KeyStep::BackedUp { request: other, backup: Digest([7; 32]) });
    assert!(matches!(denied(&of_other)[..], [Reason::NotOpen { .. }]), "{of_other:?}");
    assert_eq!(world.state.key(&name("hot")).unwrap().backup, Some(backup));
}

/// A right to a ceremony ends with the certificate's time or with the request, whichever comes first.
#[test]
fn s03_a_ceremony_ends_with_its_request() {
    let mut world = world();
    let create = KeyCeremony::Create { key: name("cold"), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    let action = Action::Authority(AuthorityChange::Key(create));
    for (seconds, from_now) in [(40, false), (3600, true)] {
        let mut intent = world.intent("cleo", action.clone());
        intent.expires = world.now().plus_seconds(seconds);
        let (id, expires) = (intent.id(), intent.expires);
        let entry = world.requests(vec![intent]);
        world.commit(vec![entry]);
        world.approve("ana", &id);
        let decisions = world.approve("ben", &id);
        let certificate = world.now().plus_seconds(60);
        match outcome_of(&decisions, &id) {
            Outcome::Ceremony { expires: found, .. } => {
                assert_eq!(found, if from_now { certificate } else { expires });
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Who may change addresses may not change rules under that name.
#[test]
fn s13_a_change_of_one_section_changes_no_other() {
    let mut world = world();
    let mut next = world.state.policy().engine.version().clone();
    next.previous = next.digest();
    next.number += 1;
    next.rules.pop();
    let document = alloy_primitives::Bytes::from(next.to_document());
    for change in [
        AuthorityChange::AddressBook { document: document.clone() },
        AuthorityChange::Roster { document: document.clone() },
    ] {
        let (_, outcome) = world.ask("cleo", Action::Authority(change));
        assert!(matches!(reasons(&outcome)[..], [Reason::PolicyRefused { .. }]), "{outcome:?}");
    }
    let (_, waits) = world.ask("cleo", Action::Authority(AuthorityChange::Policy { document }));
    assert!(matches!(waits, Outcome::Wait { .. }), "{waits:?}");
}

#[test]
fn an_address_has_no_hardened_index() {
    let world = world();
    let account = world.state.key(&name("hot")).unwrap().account;
    assert!(account.address((1 << 31) - 1).is_some());
    assert_eq!(account.address(1 << 31), None);
}

/// A rule about one key's ceremonies speaks of that key and of no other.
#[test]
fn s09_a_rule_about_a_key_s_ceremonies_names_that_key() {
    let mut world = World::with_policy(Strict::default(), |policy| {
        let cedar = r#"forbid(principal, action == Action::"authority", resource == Key::"cold");"#;
        policy.rules.push(Rule { id: name("zero-cold"), cedar: cedar.to_owned() });
    });
    let create =
        |key: &str| KeyCeremony::Create { key: name(key), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    let cold = ceremony(&mut world, create("cold"));
    assert!(matches!(cold, Outcome::Deny { .. }), "{cold:?}");
    let warm = ceremony(&mut world, create("warm"));
    assert!(matches!(warm, Outcome::Wait { .. }), "{warm:?}");
}

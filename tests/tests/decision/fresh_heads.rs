//! The newest head, confirmed by a quorum to a signer: when it is asked for, what counts as an answer (S14).

use keystead_base::{Coded, Digest, Timestamp};
use keystead_decision::{
    FRESH_SECONDS, FreshAnswer, LightClient, LightError, Outcome, SigningPermit, Strict, Transition,
};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_policy::FreshHeadDemand;
use keystead_tests::fixture::{Desk, ETHER, FRIEND, Member, name};
use keystead_tests::world::World;

const NONCE: Digest = Digest([7; 32]);

fn cluster_of(nodes: u8, demand: FreshHeadDemand) -> World<Strict> {
    let nodes = (1..=nodes).map(|n| Member::new(&format!("node-{n}"), n)).collect();
    World::of(Desk { nodes, ..Desk::default() }, Strict::default(), |policy| {
        policy.fresh_heads[0].demand = demand;
    })
}

fn world() -> World<Strict> {
    cluster_of(4, FreshHeadDemand::AtBoot)
}

fn code<T>(result: Result<T, LightError>) -> &'static str {
    result.map(drop).unwrap_err().code()
}

/// The nonce is asked with now and answered with this.
fn answered(world: &World<Strict>, answer: &FreshAnswer) -> Result<LightClient, LightError> {
    let mut light = world.boot();
    light.ask_fresh(NONCE, world.now());
    light.confirm_fresh(answer, world.now()).map(|()| light)
}

/// A transfer that the log allowed, at this nonce of the account.
fn allowed(world: &mut World<Strict>, nonce: u64) -> keystead_base::RequestId {
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, ETHER / 100, nonce));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    id
}

fn permit(
    world: &World<Strict>,
    light: &mut LightClient,
    id: &keystead_base::RequestId,
    now: Timestamp,
) -> Result<SigningPermit, LightError> {
    let (certificate, unsigned) = (world.certificate(id).unwrap(), world.unsigned(id));
    light.permit_signing(&certificate, &unsigned.signing_digest(), now)
}

#[test]
fn s14_nothing_is_signed_before_a_quorum_has_confirmed_the_head() {
    let mut world = world();
    let id = allowed(&mut world, 0);
    let mut light = world.boot();
    assert_eq!(code(permit(&world, &mut light, &id, world.now())), "certificate.stale_head");
    world.confirm(&mut light, NONCE).unwrap();
    assert!(permit(&world, &mut light, &id, world.now()).is_ok());
    let create = KeyCeremony::Create { key: name("warm"), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    let (ceremony, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(create)));
    world.approve("ana", &ceremony);
    world.approve("ben", &ceremony);
    let certificate = world.certificate(&ceremony).unwrap();
    assert_eq!(
        code(world.boot().permit_ceremony(&certificate, world.now())),
        "certificate.stale_head",
        "a ceremony needs it, too"
    );
}

#[test]
fn s14_before_the_first_block_a_quorum_says_so() {
    let desk = Desk { nodes: (1..=4).map(|n| Member::new(&format!("n{n}"), n)).collect(), ..Desk::default() };
    let genesis = desk.genesis();
    let cluster = genesis.genesis.cluster();
    let mut light = LightClient::new(&genesis, cluster).unwrap();
    let now = genesis.genesis.created;
    let word =
        |node: &Member| FreshAnswer::by_node(cluster, NONCE, None, node.name.clone(), &node.signer).unwrap();
    let gathered = |count| FreshAnswer::gather(desk.nodes.iter().take(count).map(word).collect()).unwrap();
    light.ask_fresh(NONCE, now);
    assert_eq!(code(light.confirm_fresh(&gathered(2), now)), "certificate.quorum");
    light.ask_fresh(NONCE, now);
    assert_eq!(light.confirm_fresh(&gathered(3), now), Ok(()));
}

#[test]
fn s14_a_nonce_is_good_for_one_answer() {
    let world = world();
    let answer = world.fresh_answer(NONCE);
    let mut light = answered(&world, &answer).unwrap();
    assert_eq!(code(light.confirm_fresh(&answer, world.now())), "certificate.fresh_nonce");
    light.ask_fresh(Digest([8; 32]), world.now());
    assert_eq!(code(light.confirm_fresh(&answer, world.now())), "certificate.fresh_nonce");
    // The wrong answer has used the nonce up.
    let right = world.fresh_answer(Digest([8; 32]));
    assert_eq!(code(light.confirm_fresh(&right, world.now())), "certificate.fresh_nonce");
}

#[test]
fn s14_an_answer_comes_in_time_by_the_signers_own_clock() {
    let world = world();
    let (answer, asked) = (world.fresh_answer(NONCE), world.now());
    let at = |now| {
        let mut light = world.boot();
        light.ask_fresh(NONCE, asked);
        light.confirm_fresh(&answer, now)
    };
    assert_eq!(at(asked.plus_seconds(FRESH_SECONDS)), Ok(()));
    assert_eq!(code(at(Timestamp(asked.plus_seconds(FRESH_SECONDS).0 + 1))), "certificate.fresh_late");
    assert_eq!(code(at(Timestamp(asked.0 - 1))), "certificate.fresh_late");
}

#[test]
fn s14_words_count_once_each_and_for_the_head_that_is_shown() {
    let mut world = world();
    let id = allowed(&mut world, 0);
    let good = world.fresh_answer(NONCE);
    let changed = |change: &dyn Fn(&mut FreshAnswer)| {
        let mut answer = good.clone();
        change(&mut answer);
        answered(&world, &answer).map(drop)
    };
    assert_eq!(changed(&|it| drop(it.words.pop())), Ok(()));
    assert_eq!(code(changed(&|it| it.words.truncate(2))), "certificate.quorum");
    assert_eq!(code(changed(&|it| it.words[1] = it.words[0].clone())), "certificate.vote_order");
    assert_eq!(code(changed(&|it| it.words[0].node = name("node-0"))), "certificate.voter");
    assert_eq!(code(changed(&|it| it.words[0].height -= 1)), "certificate.vote");
    assert_eq!(code(changed(&|it| it.words[0].header = Digest([9; 32]))), "certificate.fresh_ahead");
    assert_eq!(code(changed(&|it| it.head.as_mut().unwrap().votes.truncate(2))), "certificate.quorum");
    assert_eq!(code(changed(&|it| it.head = None)), "certificate.fresh_ahead");
    let signs_another_cluster = {
        let node = &world.desk.nodes[0];
        let elsewhere = keystead_base::ClusterId(Digest([3; 32]));
        FreshAnswer::by_node(elsewhere, NONCE, world.head(), node.name.clone(), &node.signer).unwrap()
    };
    assert_eq!(code(changed(&|it| it.words[0] = signs_another_cluster.words[0].clone())), "certificate.vote");
    assert!(world.certificate(&id).is_some());
}

/// Whoever gathers for a signer leaves out what a lying node says: among the others' words it would spoil them all.
#[test]
fn d03_a_lying_nodes_word_is_not_put_beside_the_others() {
    let mut world = world();
    let before = world.head();
    allowed(&mut world, 0);
    let (cluster, roster) = (world.state.cluster(), world.state.roster());
    let word = |node: usize, head| world.fresh_word(&world.desk.nodes[node], NONCE, head);
    let own = word(0, world.head());
    let stands = |answer: &FreshAnswer| answer.stands_beside(&own, cluster, roster);
    assert!(stands(&word(1, world.head())) && stands(&word(1, before.clone())) && stands(&word(1, None)));

    let mut forked = world.head().unwrap();
    forked.header.entries = Digest([9; 32]);
    let mut foreign = word(1, world.head());
    foreign.words[0].node = name("node-3");
    let mut both = word(1, world.head());
    both.words.extend(word(2, world.head()).words);
    let mut hidden = word(1, world.head());
    hidden.head = before;
    let later = world.fresh_word(&world.desk.nodes[1], Digest([8; 32]), world.head());
    for lie in [word(1, Some(invented(&world))), word(1, Some(forked)), foreign, both, hidden, later] {
        assert!(!stands(&lie), "{lie:?}");
    }
    let good = vec![own.clone(), word(2, world.head()), word(3, world.head())];
    assert!(answered(&world, &FreshAnswer::gather(good.clone()).unwrap()).is_ok());
    let spoiled = [vec![word(1, Some(invented(&world)))], good].concat();
    assert!(answered(&world, &FreshAnswer::gather(spoiled).unwrap()).is_err());
}

/// A head that nobody voted for.
fn invented(world: &World<Strict>) -> keystead_decision::Commit {
    let mut newer = world.head().unwrap();
    newer.header.height += 1;
    newer
}

/// Nodes answer at the height where each of them is; the one that is behind does not stop the others.
#[test]
fn s14_nodes_need_not_stand_at_one_height() {
    let mut world = world();
    let before = world.head();
    world.freeze("eve", Some("hot"));
    let words = world.desk.nodes.iter().enumerate().map(|(index, node)| {
        let head = if index == 2 { before.clone() } else { world.head() };
        world.fresh_word(node, NONCE, head)
    });
    let answer = FreshAnswer::gather(words.collect()).unwrap();
    assert_eq!(answer.head, world.head());
    assert!(answered(&world, &answer).is_ok());
}

#[test]
fn s14_a_confirmed_freeze_stops_outstanding_certificates() {
    let mut world = world();
    let id = allowed(&mut world, 0);
    world.freeze("eve", Some("hot"));
    // The signer stands before the certificate's block, and knows of the freeze from the quorum alone.
    let mut light = world.boot();
    world.confirm(&mut light, NONCE).unwrap();
    assert_eq!(light.height(), 0);
    assert_eq!(code(permit(&world, &mut light, &id, world.now())), "certificate.frozen");
    // A signer that has seen the freeze's own block needs no quorum for it.
    let (certificate, unsigned) = (world.certificate(&id).unwrap(), world.unsigned(&id));
    let refused = world.sign(&certificate, &unsigned).map(drop).unwrap_err();
    assert_eq!(refused.code(), "certificate.old");
}

#[test]
fn s14_an_older_head_than_the_one_known_is_not_confirmed() {
    let mut world = world();
    let old = world.fresh_answer(NONCE);
    allowed(&mut world, 0);
    let now = world.now();
    let mut follows = world.boot();
    follows.advance(&world.head().unwrap()).unwrap();
    follows.ask_fresh(NONCE, now);
    assert_eq!(code(follows.confirm_fresh(&old, now)), "certificate.old");
    let mut confirmed = world.boot();
    world.confirm(&mut confirmed, Digest([8; 32])).unwrap();
    confirmed.ask_fresh(NONCE, now);
    assert_eq!(code(confirmed.confirm_fresh(&old, now)), "certificate.old");
}

#[test]
fn s14_where_policy_asks_each_time_one_answer_serves_one_block() {
    let mut world = cluster_of(4, FreshHeadDemand::PerSignature);
    let id = allowed(&mut world, 0);
    let mut light = world.boot();
    world.confirm(&mut light, NONCE).unwrap();
    let now = world.now();
    assert!(permit(&world, &mut light, &id, now).is_ok());
    assert!(permit(&world, &mut light, &id, now).is_ok(), "all rights of one block");
    let late = now.plus_seconds(FRESH_SECONDS + 1);
    assert_eq!(code(permit(&world, &mut light, &id, late)), "certificate.stale_head");
    let next = allowed(&mut world, 1);
    assert_eq!(code(permit(&world, &mut light, &next, world.now())), "certificate.stale_head");
    world.confirm(&mut light, Digest([8; 32])).unwrap();
    assert!(permit(&world, &mut light, &next, world.now()).is_ok());
}

/// The light client learns of the version that was adopted last.
fn follow(world: &World<Strict>, light: &mut LightClient) {
    let (commit, policy) = (world.head().unwrap(), world.state.policy().engine.version().clone());
    light.follow(&Transition { commit, policy, rebuild: None }).unwrap();
}

#[test]
fn s14_an_answer_from_before_a_new_version_serves_no_block_after_it() {
    let mut world = cluster_of(4, FreshHeadDemand::PerSignature);
    let mut light = world.boot();
    world.confirm(&mut light, NONCE).unwrap();
    world.adopt(|policy| policy.timing.certificate_seconds += 1);
    follow(&world, &mut light);
    let id = allowed(&mut world, 0);
    assert_eq!(code(permit(&world, &mut light, &id, world.now())), "certificate.stale_head");
}

#[test]
fn s03_a_ceremony_that_no_block_holds_is_refused() {
    let mut world = world();
    let create =
        |key| KeyCeremony::Create { key: name(key), kind: KeyKind::HdSecp256k1, home: name("node-1") };
    let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(create("warm"))));
    world.approve("ana", &id);
    world.approve("ben", &id);
    let mut light = world.boot();
    world.confirm(&mut light, NONCE).unwrap();
    let good = world.certificate(&id).unwrap();
    let mut forged = good.clone();
    let Outcome::Ceremony { ceremony, .. } = &mut forged.decision.outcome else { panic!("{forged:?}") };
    *ceremony = create("cold");
    assert_eq!(code(light.permit_ceremony(&forged, world.now())), "certificate.not_included");
    assert!(light.permit_ceremony(&good, world.now()).is_ok());
}

#[test]
fn s13_the_roster_of_a_new_version_is_the_one_that_counts() {
    let mut world = world();
    let mut light = world.boot();
    world.adopt(|policy| policy.roster.nodes[0].boot += 1);
    assert_ne!(light.roster(), world.state.roster());
    follow(&world, &mut light);
    assert_eq!(light.roster(), world.state.roster());
}

#[test]
fn s14_a_later_version_that_asks_each_time_is_obeyed() {
    let mut world = world();
    world.adopt(|policy| policy.fresh_heads[0].demand = FreshHeadDemand::PerSignature);
    let mut light = world.boot();
    follow(&world, &mut light);
    let id = allowed(&mut world, 0);
    world.confirm(&mut light, NONCE).unwrap();
    assert!(permit(&world, &mut light, &id, world.now()).is_ok());
    let next = allowed(&mut world, 1);
    assert_eq!(code(permit(&world, &mut light, &next, world.now())), "certificate.stale_head");
}

#[test]
fn s14_a_level_that_policy_does_not_list_asks_each_time() {
    let mut world = World::with_policy(Strict::default(), |policy| policy.fresh_heads.clear());
    let (id, mut light) = (allowed(&mut world, 0), world.boot());
    world.confirm(&mut light, NONCE).unwrap();
    assert!(permit(&world, &mut light, &id, world.now()).is_ok());
    let next = allowed(&mut world, 1);
    assert_eq!(code(permit(&world, &mut light, &next, world.now())), "certificate.stale_head");
}

/// Short certificates: whatever is outstanding ends with `certificate_seconds`, whoever holds it back.
#[test]
fn s14_a_certificate_ends_with_its_span() {
    let mut world = world();
    let id = allowed(&mut world, 0);
    let span = world.state.policy().engine.version().timing.certificate_seconds;
    let ends = world.now().plus_seconds(span);
    let mut light = world.boot();
    world.confirm(&mut light, NONCE).unwrap();
    assert!(permit(&world, &mut light, &id, Timestamp(ends.0 - 1)).is_ok());
    assert_eq!(code(permit(&world, &mut light, &id, ends)), "certificate.expired");
}

#[test]
fn s14_what_was_thawed_signs_again() {
    let mut world = world();
    world.freeze("eve", Some("hot"));
    let mut light = world.boot();
    world.confirm(&mut light, NONCE).unwrap();
    let (thaw, _) = world.ask("cleo", Action::Authority(AuthorityChange::Thaw { key: Some(name("hot")) }));
    world.approve("ana", &thaw);
    world.approve("ben", &thaw);
    let id = allowed(&mut world, 0);
    assert!(permit(&world, &mut light, &id, world.now()).is_ok());
}

//! What an enclave believes of shared keys: the beginning of a ceremony, and rights whose runs begin later.

use keystead_base::{Canonical as _, Coded as _, Digest};
use keystead_decision::{
    Certificate, Entry, FRESH_SECONDS, HeldPermit, LightClient, LightError, Outcome, SigningPermit, Strict,
};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_policy::{AssuranceLevel, FreshHeadDemand, FreshHeadRule};
use keystead_tests::circle::{birth, five, treasury};
use keystead_tests::fixture::{FRIEND, name};
use keystead_tests::world::World;

/// A world in which the birth of a key was begun just now, and the certificate that says so.
fn begun() -> (World<Strict>, Certificate) {
    let mut world = World::of(five(), Strict::default(), |_| {});
    let (request, _) = world.allow(birth());
    world.take_seats(request, &[1, 2, 3], 100);
    let certificate = world.certified(&request);
    (world, certificate)
}

fn code<T: std::fmt::Debug>(result: Result<T, LightError>) -> &'static str {
    result.map_err(|it| it.code()).expect_err("a refusal")
}

#[test]
fn s03_an_enclave_begins_a_ceremony_only_under_the_decision_that_convened_it() {
    let (mut world, certificate) = begun();
    let now = world.now();
    let (convened, version, digest) = world.light.permit_convened(&certificate, now).unwrap().into_parts();
    let Outcome::Convened(expected) = &certificate.decision.outcome else { panic!("{certificate:?}") };
    assert_eq!((&convened, version), (expected, 0));
    assert_eq!((convened.key(), digest), (&treasury(), certificate.decision.digest()));
    assert_eq!(world.state.convening(&treasury()).unwrap().convened, Some(digest), "what proofs name");

    let expires = convened.expires;
    assert_eq!(expires, now.plus_seconds(60));
    assert_eq!(code(world.light.permit_convened(&certificate, expires)), "certificate.expired");
    let mut other = certificate.clone();
    if let Outcome::Convened(convened) = &mut other.decision.outcome {
        convened.holders.reverse();
    }
    assert_eq!(code(world.light.permit_convened(&other, now)), "certificate.not_included");
    assert_eq!(code(world.light.permit_ceremony(&certificate, now)), "certificate.not_allowed");
    let mut few = certificate.clone();
    few.commit.votes.truncate(2);
    let mut light = world.boot();
    assert_eq!(code(light.permit_convened(&few, now)), "certificate.quorum");
    assert_eq!(code(light.permit_convened(&certificate, now)), "certificate.stale_head");
    world.commit(vec![Entry::Tick]);
    assert_eq!(code(world.light.permit_convened(&certificate, now)), "certificate.old");
}

#[test]
fn s03_no_other_decision_begins_a_ceremony() {
    let mut world = World::of(five(), Strict::default(), |_| {});
    let (request, outcome) = world.allow(birth());
    assert!(matches!(outcome, Outcome::Ceremony { .. }));
    let (certificate, now) = (world.certified(&request), world.now());
    assert!(world.light.permit_ceremony(&certificate, now).is_ok());
    assert_eq!(code(world.light.permit_convened(&certificate, now)), "certificate.not_allowed");
}

/// A block that changes the policy convenes under the next version, which is the one that its header names.
#[test]
fn s13_a_ceremony_begun_as_the_policy_changes_is_begun_under_the_next_version() {
    let mut world = World::of(five(), Strict::default(), |_| {});
    let (request, _) = world.allow(birth());
    world.take_seats(request, &[1, 2], 100);
    let mut next = world.state.policy().engine.version().clone();
    (next.previous, next.number) = (next.digest(), next.number + 1);
    next.timing.certificate_seconds = 30;
    let document = next.to_document().into();
    let (change, _) = world.ask("cleo", Action::Authority(AuthorityChange::Policy { document }));
    world.approve("ana", &change);
    let yes = world.sign_approval(world.approval("ben", &change));
    let seat = world.seated(3, request, 103);
    let seated = world.word(3, seat);
    world.commit(vec![yes, seated]);
    let (certificate, now) = (world.certified(&request), world.now());
    let (convened, version, _) = world.light.permit_convened(&certificate, now).unwrap().into_parts();
    assert_eq!((version, convened.expires), (1, now.plus_seconds(30)));
}

/// A right that an enclave holds for a run that begins later.
fn held() -> (World<Strict>, HeldPermit) {
    let mut world = World::of(five(), Strict::default(), |_| {});
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let (certificate, digest) = (world.certified(&id), world.unsigned(&id).signing_digest());
    let now = world.now();
    let held = world.light.permit_signing(&certificate, &digest, now).unwrap().hold();
    assert_eq!(held.grant().signing_digest, digest);
    (world, held)
}

fn still(light: &LightClient, held: &HeldPermit, world: &World<Strict>) -> Result<SigningPermit, LightError> {
    light.still_permits(held, world.now())
}

#[test]
fn s01_a_held_right_begins_runs_until_it_expires() {
    let (mut world, held) = held();
    world.commit(vec![Entry::Tick]);
    for _ in 0..2 {
        let permit = still(&world.light, &held, &world).unwrap();
        assert_eq!(&permit.into_grant(), held.grant(), "another set of signers tries again");
    }
    let expires = held.grant().expires;
    assert_eq!(code(world.light.still_permits(&held, expires)), "certificate.expired");
    world.commit_at(expires.plus_seconds(1), vec![Entry::Tick]);
    let set_back = world.now().minus_seconds(3600);
    assert_eq!(code(world.light.still_permits(&held, set_back)), "certificate.expired");
}

#[test]
fn s14_a_freeze_a_suspension_or_another_policy_ends_a_held_right() {
    let (mut world, held) = held();
    world.freeze("eve", Some("hot"));
    assert_eq!(code(still(&world.light, &held, &world)), "certificate.frozen");

    let (mut world, held) = self::held();
    world.allow(KeyCeremony::Suspend { key: name("hot") });
    assert_eq!(code(still(&world.light, &held, &world)), "certificate.stopped");

    let (mut world, held) = self::held();
    world.adopt(|policy| policy.timing.cool_off_seconds += 1);
    assert_eq!(code(still(&world.light, &held, &world)), "certificate.policy");
}

/// A head ahead of the one that the enclave was shown, which a quorum confirmed and which froze the key.
#[test]
fn s14_a_freeze_that_only_the_quorum_told_ends_a_held_right_too() {
    let (mut world, held) = held();
    let entry = world.freeze_entry("eve", None);
    world.commit_unseen(vec![entry]);
    assert!(still(&world.light, &held, &world).is_ok(), "nobody has told it");
    let booted = world.boot();
    let mut light = std::mem::replace(&mut world.light, booted);
    world.confirm(&mut light, Digest([5; 32])).unwrap();
    assert_eq!(code(still(&light, &held, &world)), "certificate.frozen");
}

#[test]
fn s14_where_policy_asks_for_each_signature_a_run_needs_a_head_confirmed_just_now() {
    let mut world = World::of(five(), Strict::default(), |policy| {
        let (level, demand) = (AssuranceLevel::Process, FreshHeadDemand::PerSignature);
        policy.fresh_heads = vec![FreshHeadRule { level, demand }];
    });
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let (certificate, digest) = (world.certified(&id), world.unsigned(&id).signing_digest());
    let booted = world.boot();
    let mut light = std::mem::replace(&mut world.light, booted);
    world.confirm(&mut light, Digest([5; 32])).unwrap();
    let confirmed = world.now();
    let held = light.permit_signing(&certificate, &digest, confirmed).unwrap().hold();
    for _ in 0..2 {
        world.commit_unseen(vec![Entry::Tick]);
        light.advance(&world.head().unwrap()).unwrap();
        assert!(light.still_permits(&held, confirmed).is_ok(), "a block that comes meanwhile ends no run");
    }
    let late = confirmed.plus_seconds(FRESH_SECONDS + 1);
    assert!(light.still_permits(&held, confirmed.plus_seconds(FRESH_SECONDS)).is_ok());
    assert_eq!(code(light.still_permits(&held, late)), "certificate.stale_head");
    // The answer that another block was confirmed with is not its own.
    world.commit_at(late, vec![Entry::Tick]);
    world.confirm(&mut light, Digest([6; 32])).unwrap();
    assert_eq!(code(light.still_permits(&held, late)), "certificate.stale_head");
}

/// INVARIANT S14: what a block froze that came during a run counts at once.
#[test]
fn s14_where_policy_asks_for_each_signature_a_freeze_that_comes_during_a_run_ends_it() {
    let mut world = World::of(five(), Strict::default(), |policy| {
        let (level, demand) = (AssuranceLevel::Process, FreshHeadDemand::PerSignature);
        policy.fresh_heads = vec![FreshHeadRule { level, demand }];
    });
    let (id, _) = world.ask("desk", world.ether(FRIEND, 1, 0));
    let (certificate, digest) = (world.certified(&id), world.unsigned(&id).signing_digest());
    let booted = world.boot();
    let mut light = std::mem::replace(&mut world.light, booted);
    world.confirm(&mut light, Digest([5; 32])).unwrap();
    let confirmed = world.now();
    let held = light.permit_signing(&certificate, &digest, confirmed).unwrap().hold();
    let entry = world.freeze_entry("eve", Some("hot"));
    world.commit_unseen(vec![entry]);
    light.advance(&world.head().unwrap()).unwrap();
    assert_eq!(code(light.still_permits(&held, confirmed)), "certificate.frozen");
}

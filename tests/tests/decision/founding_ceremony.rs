//! The founding of a cluster over several machines, as pure steps: what each member and each check refuses.

use keystead_base::{Canonical as _, Coded as _, Digest, Name, Signed};
use keystead_decision::ceremony::{
    Assent, CheckedTranscript, Contribution, NodePart, Part, SignedContribution, SignedTranscript, Transcript,
};
use keystead_policy::PolicyVersion;
use keystead_tests::fixture::{BIRTH, Desk, Member, name};
use keystead_tests::hall::{self, Hall, body, contribution, part};

fn policy() -> PolicyVersion {
    Desk::default().policy()
}

fn assemble(contributions: Vec<SignedContribution>) -> Result<CheckedTranscript, &'static str> {
    hall::assemble(contributions, policy()).map_err(|error| error.code())
}

/// A contribution that says something else than its maker would let it say.
fn spoiled(member: &Member, change: impl FnOnce(&mut Contribution)) -> SignedContribution {
    let mut body = body(member);
    change(&mut body);
    let signer = body.name.clone();
    SignedContribution(Signed::new(body, signer, &member.signer).unwrap())
}

#[test]
fn a_ceremony_that_all_have_signed_makes_a_genesis_and_reads_back() {
    let hall = Hall::open();
    let draft = hall.draft();
    let roster = &draft.transcript().genesis.policy.roster;
    assert_eq!((roster.quorum, roster.nodes.len(), roster.services.len(), roster.people.len()), (3, 4, 1, 3));
    let finished = draft.finish(hall.assents(&hall.draft())).unwrap();
    let (genesis, cluster) = finished.genesis().verify().unwrap();
    assert_eq!((genesis.founders.len(), cluster), (3, finished.signed().transcript.genesis.cluster()));

    let document = finished.signed().to_document();
    let again = SignedTranscript::from_document(&document).unwrap().verify().unwrap();
    assert_eq!((again.fingerprint(), again.genesis()), (finished.fingerprint(), finished.genesis()));
}

#[test]
fn contributions_and_signatures_may_come_in_any_order_and_twice() {
    let hall = Hall::open();
    let mut backwards = hall.contributions.clone();
    backwards.reverse();
    let draft = assemble(backwards).unwrap();
    assert_eq!(draft.fingerprint(), hall.draft().fingerprint());
    let mut assents = hall.assents(&draft);
    assents.extend(hall.assents(&draft));
    assents.rotate_left(3);
    assert_eq!(draft.finish(assents).unwrap().signed().assents.len(), 8);
}

#[test]
fn a_missing_signature_is_named_and_nothing_is_founded() {
    let hall = Hall::open();
    for who in ["ana", "node-3", "desk"] {
        let (draft, mut assents) = (hall.draft(), hall.assents(&hall.draft()));
        assents.retain(|it| it.member.as_str() != who);
        let error = draft.finish(assents).unwrap_err();
        assert_eq!(error.code(), "ceremony.missing");
        assert_eq!(error.to_string(), format!("not signed yet by `{who}`"));
    }
}

#[test]
fn s13_a_swapped_node_is_refused_by_that_node_and_cannot_finish() {
    swapped("node-2");
}

/// As on Ronin: whoever puts the files together brings a founder of their own.
#[test]
fn s13_a_swapped_founder_is_refused_by_that_founder_and_cannot_finish() {
    swapped("ben");
}

fn swapped(victim: &str) {
    let hall = Hall::open();
    // Another key under the victim's signature is no contribution at all.
    let thief = Member::new(victim, 99);
    let mut patched = hall.own(victim).clone();
    patched.0.body.key = thief.signer.public().clone();
    assert_eq!(assemble(hall.with(patched)).unwrap_err(), "ceremony.contribution");

    // A whole contribution of the thief's own, signed with the thief's key, is a sound draft of another cluster.
    let forged = assemble(hall.with(contribution(&thief))).unwrap();
    assert_eq!(hall.assent(&forged, victim).unwrap_err().code(), "ceremony.not_mine");
    // The victim was shown the true draft, and signed that: it fits no other.
    let honest = hall.draft();
    let read_out = honest.fingerprint();
    let theirs = vec![hall.assent(&honest, victim).unwrap()];
    let error = assemble(hall.with(contribution(&thief))).unwrap().finish(theirs).unwrap_err();
    assert_eq!(error.code(), "ceremony.other_transcript");
    // Whoever compares what the victim reads out signs nothing.
    for member in hall.members.iter().filter(|it| it.name.as_str() != victim) {
        let refused = forged.assent(hall.own(member.name.as_str()), read_out, &member.signer);
        assert_eq!(refused.unwrap_err().code(), "ceremony.fingerprint", "{}", member.name);
    }
    // So the thief has only signatures of the thief.
    let own =
        forged.transcript().contributions.iter().find(|it| it.body().name == thief.name).unwrap().clone();
    let assents = vec![forged.assent(&own, forged.fingerprint(), &thief.signer).unwrap()];
    let error = forged.finish(assents).unwrap_err();
    assert_eq!(error.code(), "ceremony.missing", "{error}");
}

#[test]
fn an_altered_contribution_is_refused_and_so_is_an_altered_label() {
    let hall = Hall::open();
    let mut altered = hall.own("node-1").clone();
    let Part::Node(part) = &mut altered.0.body.part else { panic!("a node") };
    part.address = "mallory.example:7400".to_owned();
    assert_eq!(assemble(hall.with(altered)).unwrap_err(), "ceremony.contribution");

    // An older contribution of the same member and key verifies; the member knows which one it made last.
    let older = spoiled(hall.member("node-1"), |it| it.part = part_at("old.example:7400"));
    let draft = assemble(hall.with(older)).unwrap();
    let error = draft.holds(hall.own("node-1")).unwrap_err();
    assert_eq!(error.code(), "ceremony.not_mine");
    assert!(error.to_string().contains("other labels"), "{error}");
}

fn part_at(address: &str) -> Part {
    let Part::Node(part) = part(&Member::new("node-1", 1)) else { panic!("a node") };
    Part::Node(NodePart { address: address.to_owned(), ..part })
}

#[test]
fn e03_no_key_name_or_address_stands_for_two_members() {
    let hall = Hall::open();
    let ana = hall.member("ana");
    let twin = |change: &dyn Fn(&mut Contribution)| {
        let extra = Member::new("dora", 60);
        let mut contributions = hall.contributions.clone();
        contributions.push(spoiled(&extra, |it| change(it)));
        hall::assemble(contributions, policy())
    };
    let same_key = Member { name: name("dora"), ..Member::new("ana", 30) };
    let mut contributions = hall.contributions.clone();
    contributions.push(contribution(&same_key));
    let error = hall::assemble(contributions, policy()).unwrap_err();
    assert_eq!(error.to_string(), "`ana` and `dora` have the same signing key");

    let error = twin(&|it| it.transport = ana.transport()).unwrap_err();
    assert_eq!(error.to_string(), "`ana` and `dora` have the same transport key");
    let error = twin(&|it| it.part = part(ana)).unwrap_err();
    assert_eq!(error.to_string(), "`ana` and `dora` have the same recipient key");
    let error = twin(&|it| it.part = part_at("node-2.example:7400")).unwrap_err();
    assert_eq!(error.to_string(), "`dora` and `node-2` have the same address");

    let mut twice = hall.contributions.clone();
    twice.push(contribution(ana));
    assert_eq!(assemble(twice).unwrap_err(), "ceremony.shared");
}

#[test]
fn a_contribution_to_another_ceremony_or_in_another_name_is_refused() {
    let hall = Hall::open();
    let other = spoiled(hall.member("ana"), |it| it.ceremony = name("vault"));
    assert_eq!(assemble(hall.with(other)).unwrap_err(), "ceremony.other");
    let renamed = spoiled(hall.member("ana"), |it| it.name = name("dora"));
    let renamed = SignedContribution(Signed { signer: name("ana"), ..renamed.0 });
    assert_eq!(assemble(hall.with(renamed)).unwrap_err(), "ceremony.signer");
}

#[test]
fn a_genesis_that_does_not_follow_from_the_contributions_is_refused() {
    type Change = fn(&mut Transcript);
    let changes: [(Change, &str); 7] = [
        (|it| it.genesis.policy.roster.quorum = 2, "ceremony.genesis"),
        (|it| it.genesis.policy.roster.people[0].roles.clear(), "ceremony.genesis"),
        (|it| drop(it.genesis.policy.roster.nodes.pop()), "ceremony.genesis"),
        (|it| it.genesis.founders.truncate(2), "ceremony.genesis"),
        (|it| it.genesis.policy.number = 1, "ceremony.genesis"),
        (|it| it.genesis.name = name("vault"), "ceremony.other"),
        (|it| it.contributions.swap(0, 1), "ceremony.order"),
    ];
    for (change, code) in changes {
        let mut transcript = Hall::open().draft().transcript().clone();
        change(&mut transcript);
        assert_eq!(transcript.check().unwrap_err().code(), code);
    }
}

#[test]
fn a_policy_that_does_not_hold_together_is_refused() {
    let hall = Hall::open();
    let mut broken = policy();
    broken.rules[0].cedar = "permit".to_owned();
    let error = hall::assemble(hall.contributions.clone(), broken).unwrap_err();
    assert_eq!(error.code(), "policy.syntax");
}

/// The assembler shows one policy and asks for a signature on another.
#[test]
fn s13_another_policy_than_was_read_out_is_not_signed() {
    let hall = Hall::open();
    let read_out = hall.draft().fingerprint();
    let mut looser = policy();
    looser.windows.clear();
    let other = hall::assemble(hall.contributions.clone(), looser).unwrap();
    let refused = other.assent(hall.own("ana"), read_out, &hall.member("ana").signer);
    assert_eq!(refused.unwrap_err().code(), "ceremony.fingerprint");
    // And signatures on the one are none on the other.
    assert_eq!(other.finish(hall.assents(&hall.draft())).unwrap_err().code(), "ceremony.other_transcript");
}

#[test]
fn sizes_outside_the_table_and_too_few_founders_are_refused() {
    let hall = Hall::open();
    assert_eq!(assemble(hall.without(&["node-1", "node-2"])).unwrap_err(), "ceremony.nodes");
    assert_eq!(
        assemble(hall.without(&["node-1", "node-2", "node-3", "node-4"])).unwrap_err(),
        "ceremony.nodes"
    );
    assert_eq!(assemble(hall.without(&["ana"])).unwrap_err(), "ceremony.founders");
    let three = assemble(hall.without(&["node-1"])).unwrap();
    assert_eq!(three.transcript().genesis.policy.roster.quorum, 2);
    let one = assemble(hall.without(&["node-1", "node-2", "node-3"])).unwrap();
    assert_eq!(one.transcript().genesis.policy.roster.quorum, 1);
}

#[test]
fn a_signature_counts_only_for_its_member_and_its_part() {
    let hall = Hall::open();
    let refused = |change: &dyn Fn(&mut Vec<Assent>)| {
        let mut assents = hall.assents(&hall.draft());
        change(&mut assents);
        hall.draft().finish(assents).unwrap_err().code()
    };
    let at = |assents: &[Assent], who: &str| assents.iter().position(|it| it.member.as_str() == who).unwrap();
    assert_eq!(refused(&|it| it[0].member = name("mallory")), "ceremony.stranger");
    assert_eq!(refused(&|it| it[0].member = name("node-2")), "ceremony.signature");
    assert_eq!(
        refused(&|it| {
            let (ana, ben) = (at(it, "ana"), at(it, "ben"));
            it[ana].genesis = it[ben].genesis.clone();
        }),
        "ceremony.signature"
    );
    assert_eq!(
        refused(&|it| {
            let ana = at(it, "ana");
            it[ana].genesis = None;
        }),
        "ceremony.genesis_signature"
    );
    assert_eq!(
        refused(&|it| {
            let (ana, node) = (at(it, "ana"), at(it, "node-1"));
            it[node].genesis = it[ana].genesis.clone();
        }),
        "ceremony.genesis_signature"
    );
    let (draft, foreign) = (hall.draft(), Member::new("ana", 77));
    let refused = draft.assent(hall.own("ana"), draft.fingerprint(), &foreign.signer);
    assert_eq!(refused.unwrap_err().code(), "ceremony.key");
}

#[test]
fn a_stored_ceremony_has_one_form() {
    let hall = Hall::open();
    let finished = hall.draft().finish(hall.assents(&hall.draft())).unwrap();
    let mut swapped = finished.signed().clone();
    swapped.assents.swap(0, 1);
    assert_eq!(swapped.verify().unwrap_err().code(), "ceremony.order");
    let mut twice = finished.signed().clone();
    twice.assents.insert(0, twice.assents[0].clone());
    assert_eq!(twice.verify().unwrap_err().code(), "ceremony.order");
    let mut short = finished.signed().clone();
    drop(short.assents.pop());
    assert_eq!(short.verify().unwrap_err().code(), "ceremony.missing");
}

#[test]
fn labels_that_people_could_misread_are_refused() {
    let node = Member::new("node-1", 1);
    let ana = Member::new("ana", 30);
    let refused = |member: &Member, change: &dyn Fn(&mut Contribution)| {
        let error = spoiled(member, |it| change(it)).verify().unwrap_err();
        assert_eq!(error.code(), "ceremony.form");
        error.to_string()
    };
    for address in ["", "nowhere", ":7400", "host:0", "host:99999", "ho st:1", "a\u{1b}[2J:1", "hóst:1"] {
        assert!(refused(&node, &|it| it.part = part_at(address)).contains("address"), "{address:?}");
    }
    for label in ["", " ", "evil\nnode-2", "\u{202e}rotarepo", &"x".repeat(129)] {
        let said = refused(&node, &|it| {
            let Part::Node(part) = &mut it.part else { panic!("a node") };
            part.operator = label.to_owned();
        });
        assert!(said.contains("operator"), "{said}");
    }
    for roles in [vec![], vec!["b", "a"], vec!["a", "a"]] {
        let roles: Vec<Name> = roles.into_iter().map(name).collect();
        let said = refused(&ana, &|it| {
            let Part::Founder(part) = &mut it.part else { panic!("a founder") };
            part.roles.clone_from(&roles);
        });
        assert!(said.contains("roles"), "{said}");
    }
    let said = refused(&ana, &|it| {
        let Part::Founder(part) = &mut it.part else { panic!("a founder") };
        part.recipient.truncate(1215);
    });
    assert!(said.contains("1215 bytes"), "{said}");
}

/// A fingerprint depends on every key, label and rule.
#[test]
fn the_fingerprint_covers_everything() {
    let hall = Hall::open();
    let mut seen = vec![hall.draft().fingerprint()];
    let moved = spoiled(hall.member("node-1"), |it| it.part = part_at("elsewhere.example:7400"));
    seen.push(assemble(hall.with(moved)).unwrap().fingerprint());
    seen.push(assemble(hall.with(contribution(&Member::new("ben", 88)))).unwrap().fingerprint());
    let mut other = policy();
    other.timing.skew_seconds += 1;
    let other = hall::assemble(hall.contributions.clone(), other).unwrap();
    seen.push(other.fingerprint());
    let mut later = hall.draft().transcript().clone();
    later.genesis.created = BIRTH.plus_seconds(1);
    seen.push(later.check().unwrap().fingerprint());
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
    assert!(!seen.contains(&Digest::ZERO));
}

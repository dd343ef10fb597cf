//! Each thing that device records must keep, broken once.

use keystead_base::{Canonical as _, Coded as _, Digest};

use super::*;
use crate::fixture::{name, node, person, signer, version};
use crate::{DeviceProof, Engine, check_next, check_step};

fn seat(node: &str) -> Holder {
    Holder::Node(name(node))
}

fn laptop(person: &str) -> Holder {
    Holder::Approver { person: name(person), device: name("laptop") }
}

fn tpm(byte: u8) -> DeviceProof {
    DeviceProof::Tpm { endorsement: Digest([byte; 32]) }
}

/// What a person whose key grows from this byte saw.
fn record(roster: &Roster, holder: Holder, proof: DeviceProof, (who, byte): (&str, u8)) -> Signed<Enrolment> {
    let key = roster.holder_key(&holder).map_or(Digest([9; 32]), HybridPublicKey::fingerprint);
    Signed::new(Enrolment { holder, key, proof }, name(who), &signer(byte)).unwrap()
}

/// The next version: three nodes, and what `ana` saw of each holder; her own device `ben` saw.
fn next(current: &PolicyVersion, required_of: RequiredOf, shown: &[(Holder, DeviceProof)]) -> PolicyVersion {
    let (number, previous) = (current.number + 1, current.digest());
    let mut next = PolicyVersion { number, previous, ..current.clone() };
    next.roster.nodes = vec![node("node", 1), node("node-2", 21), node("node-3", 22)];
    next.roster.quorum = 2;
    let roster = next.roster.clone();
    let witness = |holder: &Holder| if *holder == laptop("ana") { ("ben", 4) } else { ("ana", 3) };
    let seen = |(holder, proof): &(Holder, DeviceProof)| {
        record(&roster, holder.clone(), proof.clone(), witness(holder))
    };
    next.roster.devices = Some(RosterDevices { required_of, records: shown.iter().map(seen).collect() });
    next.into_canonical()
}

fn code(current: &PolicyVersion, next: &PolicyVersion) -> Result<(), &'static str> {
    check_next(current, next).and_then(|_| Engine::compile(next.clone())).map(drop).map_err(|it| it.code())
}

fn everybody() -> Vec<(Holder, DeviceProof)> {
    let nodes = ["node", "node-2", "node-3"].map(seat);
    let people = ["ana", "ben", "cleo", "eve"].map(laptop);
    nodes.into_iter().chain(people).zip(1..).map(|(holder, byte)| (holder, tpm(byte))).collect()
}

#[test]
fn s11_a_roster_with_one_device_for_two_is_refused_whoever_the_two_are() {
    let current = version();
    let code = |shown: &[(Holder, DeviceProof)]| code(&current, &next(&current, RequiredOf::Nobody, shown));
    assert_eq!(code(&[(seat("node"), tpm(1)), (seat("node-2"), tpm(2))]), Ok(()));
    let same = Err("enrolment.same_device");
    assert_eq!(code(&[(seat("node"), tpm(1)), (seat("node-2"), tpm(1))]), same);
    assert_eq!(code(&[(laptop("ana"), tpm(1)), (laptop("ben"), tpm(1))]), same);
    assert_eq!(code(&[(seat("node"), tpm(1)), (laptop("ben"), tpm(1))]), same);
    assert_eq!(code(&[(seat("node"), tpm(1)), (seat("node"), tpm(2))]), Err("enrolment.same_holder"));
}

#[test]
fn s11_where_policy_requires_devices_nobody_sits_or_approves_without() {
    let current = version();
    let all = everybody();
    assert_eq!(code(&current, &next(&current, RequiredOf::Everybody, &all)), Ok(()));
    for left_out in 0..all.len() {
        let mut fewer = all.clone();
        fewer.remove(left_out);
        let found = code(&current, &next(&current, RequiredOf::Everybody, &fewer));
        assert_eq!(found, Err("enrolment.missing"), "{:?}", all[left_out]);
        assert_eq!(code(&current, &next(&current, RequiredOf::Holders, &fewer)), Ok(()));
    }
}

#[test]
fn s11_a_record_counts_for_its_key_and_by_the_word_of_somebody_else_whom_the_roster_knows() {
    let current = version();
    let with = |record: Signed<Enrolment>| {
        let mut next = next(&current, RequiredOf::Nobody, &[(seat("node-2"), tpm(2))]);
        next.roster.devices.as_mut().unwrap().records[0] = record;
        code(&current, &next)
    };
    let roster = next(&current, RequiredOf::Nobody, &[(seat("node"), tpm(1))]).roster;
    let seen = |holder, by| record(&roster, holder, tpm(2), by);
    assert_eq!(with(seen(seat("node-2"), ("ana", 3))), Ok(()));
    assert_eq!(with(seen(seat("node-9"), ("ana", 3))), Err("enrolment.no_holder"));
    assert_eq!(with(seen(laptop("ana"), ("ana", 3))), Err("enrolment.own_word"));
    assert_eq!(with(seen(seat("node-2"), ("ana", 4))), Err("enrolment.witness"), "another's key");
    assert_eq!(with(seen(seat("node-2"), ("zoe", 3))), Err("enrolment.witness"), "nobody");
    assert_eq!(with(seen(seat("node-2"), ("desk", 2))), Err("enrolment.witness"), "a machine");
    let mut altered = seen(seat("node-2"), ("ana", 3));
    altered.body.proof = tpm(3);
    assert_eq!(with(altered), Err("enrolment.witness"));
    let mut other = seen(seat("node-2"), ("ana", 3)).body;
    other.key = Digest([9; 32]);
    assert_eq!(with(Signed::new(other, name("ana"), &signer(3)).unwrap()), Err("enrolment.other_key"));
}

#[test]
fn s11_nobody_is_their_own_witness_under_another_name() {
    let current = version();
    let mut next = next(&current, RequiredOf::Nobody, &[(seat("node"), tpm(1))]);
    next.roster.people.iter_mut().filter(|it| it.name == name("ana")).for_each(|it| it.name = name("anna"));
    let word = record(&next.roster, laptop("anna"), tpm(2), ("ana", 3));
    next.roster.devices.as_mut().unwrap().records[0] = word;
    assert_eq!(code(&current, &next), Err("enrolment.own_word"));
}

#[test]
fn s11_nobody_becomes_a_witness_by_the_change_that_the_word_is_for() {
    let current = version();
    let mut next = next(&current, RequiredOf::Nobody, &[(seat("node"), tpm(1))]);
    next.roster.people.push(person("zoe", 30, &["approver"]));
    let word = record(&next.roster, seat("node"), tpm(1), ("zoe", 30));
    next.roster.devices.as_mut().unwrap().records[0] = word;
    assert_eq!(code(&current, &next), Err("enrolment.witness"));
    // Once she is known, she is; and her word stays after she went.
    next.roster.devices = None;
    let known = next;
    let mut after = self::next(&known, RequiredOf::Nobody, &[(seat("node"), tpm(1))]);
    after.roster.devices.as_mut().unwrap().records[0] =
        record(&after.roster, seat("node"), tpm(1), ("zoe", 30));
    assert_eq!(code(&known, &after), Ok(()));
    let mut without = PolicyVersion { number: 3, previous: after.digest(), ..after.clone() };
    without.roster.people.retain(|it| it.name != name("zoe"));
    assert_eq!(code(&after, &without), Ok(()));
}

#[test]
fn the_devices_of_a_first_version_are_checked_too_and_an_empty_word_is_none() {
    let mut first = version();
    let said = |required_of, records| Some(RosterDevices { required_of, records });
    let compiled =
        |version: &PolicyVersion| Engine::compile(version.clone()).map(drop).map_err(|it| it.code());
    first.roster.devices = said(RequiredOf::Everybody, Vec::new());
    assert_eq!(compiled(&first), Err("enrolment.missing"));
    first.roster.devices = said(RequiredOf::Nobody, Vec::new());
    assert_eq!(compiled(&first), Err("policy.empty"));
    let word = record(&first.roster, seat("node"), tpm(1), ("ana", 3));
    first.roster.devices = said(RequiredOf::Holders, vec![word]);
    assert_eq!(compiled(&first), Ok(()));
    let forged = record(&first.roster, seat("node"), tpm(1), ("ana", 5));
    first.roster.devices = said(RequiredOf::Holders, vec![forged]);
    assert_eq!(compiled(&first), Err("enrolment.witness"));
}

#[test]
fn s11_the_holders_of_a_key_in_shares_have_a_device_each() {
    let current = version();
    let shown = [(seat("node"), tpm(1)), (seat("node-2"), tpm(2))];
    let nodes = |names: &[&str]| names.iter().map(|it| name(it)).collect::<Vec<_>>();
    let code = |required_of, holders: &[&str]| {
        let roster = next(&current, required_of, &shown).roster;
        roster.devices_of_holders(&nodes(holders)).map_err(|error| error.code())
    };
    assert_eq!(code(RequiredOf::Nobody, &["node", "node-2", "node-3"]), Ok(()));
    assert_eq!(code(RequiredOf::Holders, &["node", "node-2"]), Ok(()));
    assert_eq!(code(RequiredOf::Holders, &["node", "node-2", "node-3"]), Err("enrolment.missing"));
    // No roster like this one comes into force; if one did, its holders would still be two.
    let mut same = next(&current, RequiredOf::Nobody, &shown).roster;
    let records = &mut same.devices.as_mut().unwrap().records;
    records[1].body.proof = records[0].body.proof.clone();
    let found = same.devices_of_holders(&nodes(&["node", "node-2"])).map_err(|error| error.code());
    assert_eq!(found, Err("enrolment.same_device"));
}

#[test]
fn a_device_that_does_not_say_which_one_it_is_is_refused() {
    let code = |proof: DeviceProof| proof.check().map_err(|error| error.code());
    let token = |manufacturer: &str, serial: &str| DeviceProof::Token {
        manufacturer: manufacturer.to_owned(),
        serial: serial.to_owned(),
    };
    assert_eq!(code(token("Yubico (www.yubico.com)", "17")), Ok(()));
    for serial in ["", "0000", "a b", &"x".repeat(65)] {
        assert_eq!(code(token("maker", serial)), Err("enrolment.no_serial"), "{serial}");
    }
    for maker in ["", " maker", "maker ", "m\u{fc}ller", &"x".repeat(65)] {
        assert_eq!(code(token(maker, "17")), Err("enrolment.no_maker"), "{maker:?}");
    }
    let with_key = |manufacturer: &str, model: &str, serial: &str| DeviceProof::TokenKey {
        manufacturer: manufacturer.to_owned(),
        model: model.to_owned(),
        serial: serial.to_owned(),
        key: Digest([1; 32]),
        software: false,
    };
    assert_eq!(code(with_key("maker", "model 2", "17")), Ok(()));
    assert_eq!(code(with_key("maker", "model", "0000")), Err("enrolment.no_serial"));
    assert_eq!(code(with_key("maker", "", "17")), Err("enrolment.no_maker"));
    assert_eq!(code(with_key("maker ", "model", "17")), Err("enrolment.no_maker"));
    let fido = |aaguid| DeviceProof::Fido { aaguid, credential: Digest([5; 32]) };
    assert_eq!(code(fido([1; 16])), Ok(()));
    assert_eq!(code(fido([0; 16])), Err("enrolment.no_model"));
    let numbered = |aaguid, serial: &[u8]| DeviceProof::FidoSerial { aaguid, serial: serial.to_vec() };
    assert_eq!(code(numbered([0; 16], &[1])), Err("enrolment.no_model"));
    for serial in [[].as_slice(), &[0, 0], &[1; 65]] {
        assert_eq!(code(numbered([1; 16], serial)), Err("enrolment.no_serial"));
    }
    // And a roster asks.
    let current = version();
    let found = self::code(&current, &next(&current, RequiredOf::Nobody, &[(seat("node"), fido([0; 16]))]));
    assert_eq!(found, Err("enrolment.no_model"));
}

#[test]
fn s11_an_authenticator_makes_one_approver_however_many_credentials_it_makes() {
    let plain = |model, key| DeviceProof::Fido { aaguid: [model; 16], credential: Digest([key; 32]) };
    let numbered = |model, serial| DeviceProof::FidoSerial { aaguid: [model; 16], serial: vec![serial] };
    let same_model = Err("enrolment.same_model");
    let current = version();
    for (first, second, expected) in [
        (plain(1, 1), plain(1, 2), same_model),
        (plain(1, 1), numbered(1, 2), same_model),
        (numbered(1, 1), plain(1, 2), same_model),
        (numbered(1, 1), numbered(1, 1), Err("enrolment.same_device")),
        (numbered(1, 1), numbered(1, 2), Ok(())),
        (plain(1, 1), plain(2, 1), Ok(())),
    ] {
        let shown = [(laptop("ben"), first), (laptop("cleo"), second)];
        assert_eq!(code(&current, &next(&current, RequiredOf::Nobody, &shown)), expected, "{shown:?}");
    }
}

fn token(serial: &str, key: u8, software: bool) -> DeviceProof {
    let (manufacturer, model) = ("maker".to_owned(), "model".to_owned());
    DeviceProof::TokenKey { manufacturer, model, serial: serial.to_owned(), key: Digest([key; 32]), software }
}

#[test]
fn s11_a_token_counts_once_whichever_of_its_keys_signed_and_whatever_it_says_of_itself() {
    let current = version();
    let same = Err("enrolment.same_device");
    let plain = DeviceProof::Token { manufacturer: "maker".to_owned(), serial: "17".to_owned() };
    for (first, second, expected) in [
        (token("17", 1, false), token("17", 2, false), same),
        (token("17", 1, false), token("17", 2, true), same),
        (token("17", 1, false), plain, same),
        (token("17", 1, false), token("18", 1, false), same),
        (token("17", 1, false), token("18", 2, false), Ok(())),
    ] {
        let shown = [(seat("node"), first), (laptop("ben"), second)];
        assert_eq!(code(&current, &next(&current, RequiredOf::Nobody, &shown)), expected, "{shown:?}");
    }
    let DeviceProof::TokenKey { serial, key, software, .. } = token("17", 1, false) else { unreachable!() };
    let model = "another model".to_owned();
    let other = DeviceProof::TokenKey { manufacturer: "maker".to_owned(), model, serial, key, software };
    assert_eq!(other.device(), token("17", 9, true).device());
}

#[test]
fn s11_a_program_that_passes_for_a_token_is_no_device_where_one_is_required() {
    let current = version();
    let mut shown = everybody();
    shown[1].1 = token("17", 1, true);
    let code = |required_of, shown: &[_]| code(&current, &next(&current, required_of, shown));
    assert_eq!(code(RequiredOf::Nobody, &shown), Ok(()));
    assert_eq!(code(RequiredOf::Everybody, &shown), Err("enrolment.software"));
    let holders = |required_of, shown: &[_]| {
        let roster = next(&current, required_of, shown).roster;
        roster.devices_of_holders(&[name("node"), name("node-2")]).map_err(|error| error.code())
    };
    assert_eq!(holders(RequiredOf::Nobody, &shown), Ok(()));
    assert_eq!(holders(RequiredOf::Holders, &shown), Err("enrolment.software"));
    shown[1].1 = token("17", 1, false);
    assert_eq!(code(RequiredOf::Everybody, &shown), Ok(()));
    assert_eq!(holders(RequiredOf::Holders, &shown), Ok(()));
}

#[test]
fn a_roster_without_devices_has_the_bytes_that_it_always_had_and_one_with_them_reads_back() {
    let current = version();
    let bytes = borsh::to_vec(&current.roster).unwrap();
    let plain = (1_u32, &current.roster.nodes, &current.roster.services, &current.roster.people);
    assert_eq!(bytes, borsh::to_vec(&plain).unwrap());
    assert!(!serde_json::to_string(&current.roster).unwrap().contains("records"));
    let next = next(&current, RequiredOf::Holders, &everybody());
    assert_eq!(PolicyVersion::from_document(&next.to_document()).unwrap(), next);
    let text = serde_json::to_string(&next).unwrap();
    assert_eq!(PolicyVersion::from_json(&text).unwrap(), next);
    // A quorum that would be read as a mark is no quorum.
    let marked =
        PolicyVersion { roster: Roster { quorum: 1 | (1 << 31), ..current.roster.clone() }, ..current };
    assert_eq!(Engine::compile(marked).unwrap_err().code(), "policy.quorum");
}

#[test]
fn what_is_said_of_keys_that_went_is_left_out_and_a_rebuild_lets_nodes_vote_that_hold_nothing_yet() {
    let current = version();
    let mut roster = next(&current, RequiredOf::Everybody, &everybody()).roster;
    roster.nodes.retain(|it| it.name != name("node-2"));
    roster.nodes[1] = node("node-3", 40);
    roster.drop_stale_devices();
    let holders = |roster: &Roster| {
        let devices = roster.devices.as_ref().unwrap();
        (devices.required_of, devices.records.iter().map(|it| it.body.holder.to_string()).collect::<Vec<_>>())
    };
    let (required_of, left) = holders(&roster);
    assert_eq!((required_of, left.len()), (RequiredOf::Everybody, 5));
    assert!(!left.iter().any(|it| it.contains("node-")), "{left:?}");
    let rebuilt = Roster { nodes: vec![node("new", 41)], ..roster }.with_devices_of_rebuild();
    let (required_of, left) = holders(&rebuilt);
    assert_eq!((required_of, left.len()), (RequiredOf::Holders, 4));
    assert_eq!(rebuilt.devices_of_holders(&[name("new")]).unwrap_err().code(), "enrolment.missing");
}

#[test]
fn the_step_alone_asks_for_no_device() {
    let current = version();
    let both = next(&current, RequiredOf::Nobody, &[(seat("node"), tpm(1)), (seat("node-2"), tpm(1))]);
    assert!(check_step(&current, &both).is_ok());
    assert_eq!(check_devices(Some(&current), &both).unwrap_err().code(), "enrolment.same_device");
}

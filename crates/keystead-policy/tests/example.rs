//! The policy version in specs/examples loads, compiles and decides; the schema page shows the schema.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::PathBuf;

use keystead_base::{Amount, Canonical as _, Coded as _, Digest, Name, Timestamp};
use keystead_intent::{ActionKind, Asset, ChainId, Effect, EffectKind, Effects, Fee};
use keystead_policy::{
    AssuranceLevel, Cooling, Engine, Facts, PolicyVersion, Prices, Question, Ruling, SCHEMA, Simulated,
    Subject, check_next,
};

fn spec(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn example() -> PolicyVersion {
    PolicyVersion::from_json(&spec("examples/policy.json")).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Ether from `hot` to `exchange`, asked for by `desk`.
fn pay(engine: &Engine, wei: u64) -> Ruling {
    let version = engine.version();
    let exchange = version.address_book.iter().find(|it| it.name == name("exchange")).unwrap();
    let (to, chain) = (exchange.address, exchange.chain);
    let amount = Amount::from(u128::from(wei));
    let kind = EffectKind::Transfer { asset: Asset::Native, from: Default::default(), to, amount };
    let effects = Effects {
        signing_digest: Digest::ZERO,
        chain,
        slot: None,
        fee: Fee::default(),
        items: vec![Effect { path: Vec::new(), contract: None, selector: None, arguments: Vec::new(), kind }],
        typed: None,
        coins: None,
    };
    let (prices, cooling) = (Prices::default(), Cooling::default());
    let now = Timestamp(1_795_464_902_000);
    let facts = Facts {
        now,
        account: None,
        assurance: AssuranceLevel::Process,
        prices: &prices,
        cooling: &cooling,
        simulation: Simulated::No,
        nonce_ahead: 0,
        drill_age_seconds: 0,
    };
    engine.decide(&Question {
        requester: &name("desk"),
        action: ActionKind::Transfer,
        key: Some(&name("hot")),
        subject: Subject::Payload(&effects),
        facts: &facts,
    })
}

#[test]
fn the_example_compiles_and_decides() {
    let engine = Engine::compile(example()).unwrap();
    let ether = 1_000_000_000_000_000_000;
    for (wei, people) in [(1, Some(0)), (ether - 1, Some(0)), (ether, Some(2)), (11 * ether, None)] {
        let found = match pay(&engine, wei) {
            Ruling::Pass { requirement, .. } => Some(requirement.people()),
            Ruling::Deny { .. } => None,
        };
        assert_eq!(found, people, "{wei} wei");
    }
}

#[test]
fn json_and_canonical_bytes_agree_and_unknown_fields_are_errors() {
    let version = example();
    assert_eq!(version.clone().into_canonical(), version, "the example is in canonical order");
    assert_eq!(PolicyVersion::from_document(&version.to_document()).unwrap(), version);
    let json = serde_json::to_string(&version).unwrap();
    assert_eq!(serde_json::from_str::<PolicyVersion>(&json).unwrap(), version);
    let extra = json.replacen("{\"number\"", "{\"colour\":1,\"number\"", 1);
    let refused = PolicyVersion::from_json(&extra).unwrap_err();
    assert!(refused.code() == "policy.json" && refused.to_string().contains("colour"), "{refused}");
}

#[test]
fn s13_the_example_is_followed_by_the_next_version_only() {
    let current = example();
    let mut next = PolicyVersion { number: 1, previous: current.digest(), ..current.clone() };
    next.chains.push(ChainId(u64::from(u32::MAX)));
    assert_eq!(check_next(&current, &next).unwrap().names(), ["chains"]);
    assert_eq!(check_next(&next, &current).unwrap_err().code(), "policy.rollback");
}

#[test]
fn the_page_shows_the_schema_as_it_is() {
    assert!(spec("policy-schema.md").contains(SCHEMA));
}

//! Vectors of specs/entropy.md: read by the product here, and recomputed by `specs/check.py`.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-entropy vectors` writes them anew: a change of form, which needs a new version in
//! its domain.

use std::process::{Command, Output};

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridPublicKey, HybridSigner, Name, Secret, Signed, Timestamp};
use keystead_fixture::vectors::{Vector, first, hold, stored};
use serde::{Deserialize, Serialize};

use crate::{EntropyPromise, EntropyReceipt, EntropyWitness, Mixture, Samples, Source};

/// What HKDF-SHA-512 makes of the document.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mixed {
    salt: String,
    info: String,
    seed: Digest,
}

/// As the specification has it; the product never holds it in one place.
#[derive(Debug, PartialEq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
struct EntropyOpening {
    source: Source,
    salt: Digest,
    samples: Vec<u8>,
}

impl Canonical for EntropyOpening {
    const DOMAIN: &'static str = "keystead/entropy-opening/v1";
}

#[derive(Debug, PartialEq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
struct SeedInput {
    source: Source,
    samples: Vec<u8>,
}

#[derive(Debug, PartialEq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
struct SeedMaterial {
    sources: Vec<SeedInput>,
}

impl Canonical for SeedMaterial {
    const DOMAIN: &'static str = "keystead/seed-material/v1";
}

#[test]
fn e1_the_stored_vectors_are_what_is_computed_today() {
    let stored = hold("entropy", &vectors());
    first::<EntropyReceipt>(&stored).hold().unwrap();
    first::<EntropyPromise>(&stored);
    first::<EntropyOpening>(&stored);
    first::<SeedMaterial>(&stored);
    first::<EntropyWitness>(&stored);
}

fn system() -> Vec<u8> {
    (0..64_u8).map(|at| at.wrapping_mul(37)).collect()
}

fn rolls() -> Vec<u8> {
    (0..99_u8).map(|at| at.wrapping_mul(37) % 6 + 1).collect()
}

fn vectors() -> Vec<Vector> {
    let (system, rolls, salts) = (system(), rolls(), [[1; 32], [2; 32]]);
    let own = Samples::tested(Source::OperatingSystem, &system, &salts[0]).unwrap();
    let mut mixture = Mixture::new(own).unwrap();
    mixture.add(Samples::tested(Source::Dice, &rolls, &salts[1]).unwrap()).unwrap();
    let promise = mixture.promise();
    let witnesses: Vec<Name> = ["ana", "ben"].map(|it| it.parse().unwrap()).to_vec();
    let (seed, receipt) = mixture.finish("keystead 0.1.0", Timestamp(1_764_000_000_000), witnesses).unwrap();
    let noted = receipt.witness(receipt.promise, Timestamp(1_764_000_060_000)).unwrap();
    let opening = EntropyOpening { source: Source::Dice, salt: Digest(salts[1]), samples: rolls.clone() };
    assert_eq!(receipt.sources[1].commitment, opening.digest(), "the parts are the document");
    assert_eq!(receipt.promise, Some(promise.digest()));
    let inputs = [(Source::OperatingSystem, system), (Source::Dice, rolls)];
    let sources = inputs.map(|(source, samples)| SeedInput { source, samples }).into();
    let mut material = Vector::of("operating system and dice, as they are mixed", &SeedMaterial { sources });
    let [salt, info] = ["keystead/seed/v2", "seed"].map(str::to_owned);
    let mixed = Mixed { salt, info, seed: Digest(*seed.expose()) };
    material.beside.insert("mixed".to_owned(), serde_json::to_value(mixed).unwrap());
    let check = Vector::tagged("what a receipt says of a seed", "keystead/seed-check/v1", seed.expose());
    assert_eq!(receipt.check, check.digest);
    vec![
        Vector::of("what the machine promises before the dice roll", &promise),
        Vector::of("the receipt of a ceremony with dice", &receipt),
        Vector::of("what the commitment to the rolls opens to", &opening),
        material,
        check,
        Vector::of("what a witness signs who wrote the promise down", &noted),
    ]
}

/// Ana watched, wrote the promise down, and signs.
pub(crate) fn watched() -> (EntropyReceipt, Signed<EntropyWitness>, HybridPublicKey) {
    let stored = stored("entropy");
    let (receipt, body) = (first::<EntropyReceipt>(&stored), first::<EntropyWitness>(&stored));
    let ana = signer(7);
    let word = Signed::new(body, "ana".parse().unwrap(), &ana).unwrap();
    (receipt, word, ana.public().clone())
}

pub(crate) fn signer(byte: u8) -> HybridSigner {
    HybridSigner::from_seed(&Secret::new([byte; 64])).unwrap()
}

/// On other software: a script that knows the specification and Python's standard library.
fn recomputed(receipt: &EntropyReceipt, openings: &serde_json::Value, promise: Digest) -> Output {
    computed_with(receipt, openings, promise, None)
}

fn computed_with(
    receipt: &EntropyReceipt,
    openings: &serde_json::Value,
    promise: Digest,
    watched: Option<(&Signed<EntropyWitness>, &HybridPublicKey)>,
) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let [rolls_of, receipt_of, openings_of] =
        ["rolls", "receipt.json", "openings.json"].map(|it| folder.path().join(it));
    let typed: Vec<String> = rolls().chunks(20).map(|it| it.iter().map(u8::to_string).collect()).collect();
    std::fs::write(&rolls_of, typed.join("\n")).unwrap();
    std::fs::write(&receipt_of, serde_json::to_string(receipt).unwrap()).unwrap();
    std::fs::write(&openings_of, openings.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/seed.py");
    let mut command = Command::new("python3");
    command
        .args([script.as_ref(), receipt_of.as_os_str(), openings_of.as_os_str(), rolls_of.as_os_str()])
        .args(["--promise", &promise.to_string()]);
    if let Some((word, key)) = watched {
        let [word_of, key_of] = ["word.json", "key.json"].map(|it| folder.path().join(it));
        std::fs::write(&word_of, serde_json::to_string(word).unwrap()).unwrap();
        std::fs::write(&key_of, serde_json::to_string(key).unwrap()).unwrap();
        command.args(["--witness".as_ref(), word_of.as_os_str(), key_of.as_os_str()]);
    }
    command.output().unwrap()
}

fn openings(first: u8) -> serde_json::Value {
    let samples: String = const_hex::encode([&[first], &system()[1..]].concat());
    serde_json::json!([
        {"source": "operating_system", "salt": Digest([1; 32]), "samples": samples},
        {"source": "dice", "salt": Digest([2; 32])},
    ])
}

/// The classical half, and which receipt and promise the word is of; the script says what it left out.
#[test]
fn e1_a_witness_is_verified_on_other_software() {
    let (receipt, word, key) = watched();
    let promise = receipt.promise.unwrap();
    let told = |word: &Signed<EntropyWitness>, key: &HybridPublicKey| {
        computed_with(&receipt, &openings(0), promise, Some((word, key)))
    };
    let output = told(&word, &key);
    assert!(output.status.success(), "{output:?}");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!([
        {"witness": "ana", "noted": true, "ed25519": "verified", "ml_dsa_65": "not looked at"},
    ]);
    assert_eq!(shown["witnesses"], expected);

    let later = EntropyWitness { at: Timestamp(1), ..word.body.clone() };
    let elsewhere = EntropyWitness { receipt: Digest([7; 32]), ..word.body.clone() };
    let other = EntropyWitness { noted: Some(Digest([7; 32])), ..word.body.clone() };
    for (body, what) in [
        (later, "no key of theirs signed"),
        (elsewhere, "watched another seed"),
        (other, "wrote down another promise"),
    ] {
        let output = told(&Signed { body, ..word.clone() }, &key);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(what), "{text}");
    }
    assert!(!told(&word, signer(8).public()).status.success());
}

#[test]
fn e1_the_owner_recomputes_the_seed_on_other_software() {
    let stored = stored("entropy");
    let (receipt, promise) = (first::<EntropyReceipt>(&stored), first::<EntropyPromise>(&stored).digest());
    let output = recomputed(&receipt, &openings(0), promise);
    assert!(output.status.success(), "{output:?}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let seed = stored.iter().find_map(|it| it.beside.get("mixed")).unwrap()["seed"].clone();
    assert_eq!(told["seed"], seed);
    assert_eq!(told["words"].as_array().unwrap().len(), 24);

    let refused = |output: Output, what: &str| {
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(what), "{told}");
    };
    refused(recomputed(&receipt, &openings(1), promise), "not the ones of the commitment");
    refused(recomputed(&receipt, &openings(0), Digest([7; 32])), "did not keep the promise");
    let other = EntropyReceipt { promise: None, ..receipt.clone() };
    refused(recomputed(&other, &openings(0), promise), "is not of these sources");
    let other = EntropyReceipt { check: Digest([7; 32]), ..receipt };
    refused(recomputed(&other, &openings(0), promise), "of another seed");
}

type Change = fn(&mut EntropyReceipt);

/// Whatever is taken from a receipt, or said otherwise in it, it does not hold any more.
#[test]
fn e1_a_receipt_that_says_less_does_not_hold() {
    let stored = stored("entropy");
    let receipt: EntropyReceipt = first(&stored);
    let changes: [(&str, Change); 10] = [
        ("no operating system", |it| it.sources = it.sources.split_off(1)),
        ("no second source", |it| it.sources.truncate(1)),
        ("out of order", |it| it.sources.reverse()),
        ("a source twice", |it| it.sources.push(it.sources[1].clone())),
        ("fewer rolls", |it| it.sources[1].samples = 98),
        ("a weaker test", |it| it.sources[1].repetitions += 1),
        ("another claim", |it| it.sources[1].millibits += 1),
        ("no promise", |it| it.promise = None),
        ("another draw of the machine", |it| it.sources[0].commitment = Digest([9; 32])),
        ("a witness twice", |it| it.witnesses.push(it.witnesses[0].clone())),
    ];
    for (what, change) in changes {
        let mut other = receipt.clone();
        change(&mut other);
        assert!(matches!(other.hold(), Err(crate::EntropyError::Receipt { .. })), "{what}");
    }
    assert_eq!(receipt.sources.iter().map(|it| it.bits()).collect::<Vec<_>>(), [505, 255]);
}

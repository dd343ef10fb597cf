//! `keystead device` of PKCS#11 tokens: on real tokens of SoftHSM 2, which say of themselves that they are programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use keystead_tests::pki::{P256, certificate};
use serde_json::Value;

use crate::desk::{Desk, path, succeeds};
use crate::device::{ok, refused};
use crate::softhsm::{PIN, make_tokens, module};

/// A cluster, and three tokens on the table beside it.
struct Table {
    desk: Desk,
    module: PathBuf,
    configuration: PathBuf,
    _tokens: tempfile::TempDir,
}

impl Table {
    /// None where there is no SoftHSM.
    fn laid() -> Option<Self> {
        let module = module()?;
        let tokens = tempfile::tempdir().unwrap();
        let configuration = make_tokens(tokens.path(), &["one", "two", "three"]);
        let desk = Desk::open();
        std::fs::write(desk.folder.join("token.pin"), PIN).unwrap();
        Some(Self { desk, module, configuration, _tokens: tokens })
    }

    fn folder(&self) -> &Path {
        &self.desk.folder
    }

    fn at(&self, file: &str) -> String {
        self.folder().join(file).display().to_string()
    }

    fn token(&self, label: &str) -> String {
        let (module, configuration) = (self.module.display(), self.configuration.display());
        let pin = self.at("token.pin");
        format!("--token {label} --module {module} --pin {pin} --environment SOFTHSM2_CONF={configuration}")
    }

    /// As ana, of whom this token is to be; what is kept lies under `kept`.
    fn ask(&self, kept: &str, who: &str, token: &str) -> String {
        format!("device ask {who}/laptop --keep {} --as ana {}", self.at(kept), self.token(token))
    }

    fn answer(&self, kept: &str, who: &str, token: &str) -> String {
        format!("device answer {} --as {who} {}", self.at(&format!("{kept}.asked")), self.token(token))
    }

    fn witness(&self, kept: &str, answer: &str) -> String {
        format!("device witness {} {} --as ana", self.at(kept), self.at(answer))
    }

    fn ok(&self, line: &str, file: &str) -> Value {
        ok(self.folder(), line, file)
    }

    fn refused(&self, line: &str) -> String {
        refused(self.folder(), line)
    }

    /// The whole way of one device, to a record.
    fn enrolled(&self, who: &str, token: &str) -> String {
        let kept = format!("{who}-{token}");
        self.ok(&(self.ask(&kept, who, token) + " --software"), &format!("{kept}.asked"));
        self.ok(&self.answer(&kept, who, token), &format!("{kept}.answer"));
        let record = self.ok(&self.witness(&kept, &format!("{kept}.answer")), &format!("{kept}.json"));
        assert_eq!(record["body"]["proof"]["token_key"]["software"], true, "{record}");
        self.at(&format!("{kept}.json"))
    }

    fn read(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder().join(file)).unwrap()).unwrap()
    }

    fn write(&self, file: &str, value: &Value) {
        std::fs::write(self.folder().join(file), value.to_string()).unwrap();
    }
}

#[test]
fn s11_a_token_is_one_device_whichever_of_its_keys_answers() {
    let Some(table) = Table::laid() else {
        println!("SKIPPED: no SoftHSM 2 here (apt-get install softhsm2)");
        return;
    };
    only_what_the_token_says(&table);
    only_to_its_own_question(&table);
    let [ben, same, other] =
        [("ben", "one"), ("cleo", "one"), ("cleo", "two")].map(|(who, token)| table.enrolled(who, token));
    let enroll = |second: &str| format!("device enroll {ben} {second} --as ana");
    assert_eq!(table.refused(&enroll(&same)), "enrolment.same_device", "another key of the same token");
    let asked = table.ok(&enroll(&other), "enrolling.json");
    assert_eq!(asked["request"]["stage"], "waiting", "{asked}");
    // Whoever approves reads what it is.
    let id = asked["request"]["request"].as_str().unwrap();
    let read = table.desk.as_person("ben", &["approve", id, "--yes"])["words"].to_string();
    assert!(read.contains("PROGRAM that passes for a token, model"), "{read}");
    table.desk.as_person("cleo", &["approve", id, "--yes"]);
    let shown = table.desk.as_person("ana", &["device", "show"]);
    assert_eq!(shown["devices"].as_array().unwrap().len(), 2, "{shown}");
}

/// What the witness is told when it opens the token itself.
fn only_what_the_token_says(table: &Table) {
    assert_eq!(table.refused(&table.ask("none", "ben", "three")), "device.software");
    // Nothing was left in the token: what was made elsewhere comes in under that very label.
    let asked =
        table.ok(&format!("device ask ben/laptop --as ana --keep {}", table.at("plain")), "plain.asked");
    let label = format!("keystead-device-{}", asked["challenge"]["key"].as_str().unwrap());
    let (_, key) = certificate(table.folder(), "elsewhere", &P256);
    succeeds(Command::new("softhsm2-util").env("SOFTHSM2_CONF", &table.configuration).args([
        "--import",
        path(&key),
        "--token",
        "three",
        "--label",
        &label,
        "--id",
        "01",
        "--pin",
        PIN,
    ]));
    let ask = table.ask("none", "ben", "three") + " --software";
    assert_eq!(table.refused(&ask), "home.foreign");
    assert!(!table.folder().join("none").exists(), "nothing is kept of a question that was not asked");
    assert_eq!(table.refused(&table.ask("none", "ben", "nowhere")), "home.no_token");
    let both = table.ask("none", "ben", "one") + " --tpm identity.json";
    assert_eq!(table.refused(&both), "cli.usage");
}

/// What an answer is good for.
fn only_to_its_own_question(table: &Table) {
    let ask = |kept: &str| {
        let line = table.ask(kept, "ben", "one") + " --software";
        table.ok(&line, &format!("{kept}.asked"))
    };
    let (first, second) = (ask("first"), ask("second"));
    assert_eq!(first["token"], second["token"], "one holder has one key in a token");
    assert_ne!(first["binds"], second["binds"]);
    // The other token has no key that was seen, and the other person not the holder's key.
    assert_eq!(table.refused(&table.answer("first", "ben", "two")), "home.unknown");
    assert_eq!(table.refused(&table.answer("first", "cleo", "one")), "device.key");
    for kept in ["first", "second"] {
        table.ok(&table.answer(kept, "ben", "one"), &format!("{kept}.answer"));
    }
    assert_eq!(table.refused(&table.witness("second", "first.answer")), "evidence.signature");
    for (part, code) in [("/shown/token/signature", "evidence.signature"), ("/word", "evidence.binding")] {
        let mut mixed = table.read("second.answer");
        *mixed.pointer_mut(part).unwrap() = table.read("first.answer").pointer(part).unwrap().clone();
        table.write("mixed.answer", &mixed);
        assert_eq!(table.refused(&table.witness("second", "mixed.answer")), code, "{part}");
    }
    // A question about no token is not answered by one.
    table.ok(&table.answer("plain", "ben", "one"), "plain.answer");
    assert_eq!(table.refused(&table.witness("plain", "plain.answer")), "device.kind");
    table.ok(&table.witness("second", "second.answer"), "second.json");
}

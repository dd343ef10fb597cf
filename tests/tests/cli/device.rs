//! `keystead device`: a TPM that two seats would share is enrolled once, and nobody answers for another's.

use std::path::Path;
use std::process::{Command, Output};

use keystead_fixture::swtpm::Emulator;
use keystead_tests::binary;
use serde_json::Value;

use crate::script::Script;

pub(crate) fn keystead(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(binary("keystead"));
    command.arg("--json").arg("--dir").arg(folder).args(line.split_whitespace()).output().unwrap()
}

/// What the command prints, in a file for the next one.
pub(crate) fn ok(folder: &Path, line: &str, file: &str) -> Value {
    let output = keystead(folder, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(folder.join(file), &output.stdout).unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn refused(folder: &Path, line: &str) -> String {
    let output = keystead(folder, line);
    assert!(!output.status.success(), "{line} is refused");
    let said = String::from_utf8(output.stderr).unwrap();
    let failure: Value =
        serde_json::from_str(said.lines().last().unwrap_or_default()).expect("an error in JSON");
    failure["error"]["code"].as_str().unwrap().to_owned()
}

/// The fingerprint of a member's key, as people read it out.
fn fingerprint(folder: &Path, who: &str) -> String {
    let output =
        Command::new(binary("keystead")).arg("--dir").arg(folder).args(["approver", "show", who]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let line = text.lines().find(|it| it.starts_with("signing key")).expect("its key");
    line.split_whitespace().last().unwrap().to_owned()
}

/// A folder with an identity key of this emulator's, and its maker's certificates.
fn machine(emulator: &Emulator) {
    let folder = emulator.folder();
    let (root, between) = emulator.maker();
    std::fs::write(folder.join("maker.pem"), root).unwrap();
    std::fs::write(folder.join("between.pem"), between).unwrap();
    let (device, folder) = (emulator.device(), folder.display());
    let line = format!("tpm identity --device {device} --key {folder}/identity.tpm");
    ok(emulator.folder(), &line, "identity.json");
}

#[test]
fn s11_a_device_is_enrolled_by_its_own_answer_alone() {
    let (ours, other) = (Emulator::start(), Emulator::start());
    let treasury = ours.folder().join("treasury");
    let made =
        Command::new(binary("keystead")).args(["init", "--founders", "ana,ben,cleo"]).arg(&treasury).output();
    assert!(made.unwrap().status.success());
    machine(&ours);
    machine(&other);
    let at = |emulator: &Emulator, file: &str| emulator.folder().join(file).display().to_string();
    let makers = |emulator: &Emulator| {
        format!("--root {} --between {}", at(emulator, "maker.pem"), at(emulator, "between.pem"))
    };
    let ask = |kept: &str, who: &str| {
        let (key, identity) = (fingerprint(&treasury, who), at(&ours, "identity.json"));
        let line = format!(
            "device ask {who}/laptop --keep {} --tpm {identity} --fingerprint {key} {}",
            treasury.join(kept).display(),
            makers(&ours)
        );
        ok(&treasury, &line, &format!("{kept}.asked"))
    };
    let answer = |kept: &str, emulator: &Emulator, who: &str| {
        let (asked, key) = (treasury.join(format!("{kept}.asked")), at(emulator, "identity.tpm"));
        format!("device answer {} --tpm {} --key {key} --as {who}", asked.display(), emulator.device())
    };
    let witness = |kept: &str, answer: &str, makers: &str| {
        let (kept, answer) = (treasury.join(kept), treasury.join(answer));
        format!("device witness {} {} {makers} --as ana", kept.display(), answer.display())
    };
    let asked = ask("first", "ben");
    ok(&treasury, &answer("first", &ours, "ben"), "first.answer");
    let record = ok(&treasury, &witness("first", "first.answer", &makers(&ours)), "ben.json");
    assert_eq!(record["signer"], "ana", "{record}");
    assert_eq!(record["body"]["holder"]["approver"]["person"], "ben");
    assert!(record["body"]["proof"]["tpm"]["endorsement"].is_string());
    assert_eq!(asked["challenge"]["key"], record["body"]["key"]);

    // Another's TPM opens nothing, another's key says nothing, and another maker vouches for nobody.
    assert_eq!(refused(&treasury, &answer("first", &other, "ben")), "tpm.refused");
    assert_eq!(refused(&treasury, &answer("first", &ours, "cleo")), "device.key");
    assert_eq!(refused(&treasury, &witness("first", "first.answer", &makers(&other))), "evidence.chain");
    assert_eq!(refused(&treasury, &witness("first", "first.answer", "")), "evidence.chain");
    // An answer is one to its own question.
    ask("second", "ben");
    assert_eq!(refused(&treasury, &witness("second", "first.answer", &makers(&ours))), "evidence.binding");
    // With what the second credential holds, and still the quote and the word for the first.
    ok(&treasury, &answer("second", &ours, "ben"), "second.answer");
    let read = |file: &str| -> Value {
        serde_json::from_slice(&std::fs::read(treasury.join(file)).unwrap()).unwrap()
    };
    for part in ["/shown/tpm/found", "/shown/tpm/evidence", "/word"] {
        let mut mixed = read("second.answer");
        *mixed.pointer_mut(part).unwrap() = read("first.answer").pointer(part).unwrap().clone();
        std::fs::write(treasury.join("mixed.answer"), mixed.to_string()).unwrap();
        let code = refused(&treasury, &witness("second", "mixed.answer", &makers(&ours)));
        assert_eq!(code, "evidence.binding", "{part}");
    }
    ok(&treasury, &witness("second", "second.answer", &makers(&ours)), "again.json");
}

/// Of the commands that need a cluster, what each answers there.
pub(crate) fn each_command(script: &mut Script) {
    use crate::script::{fails, ok};
    // Two TPMs of their own: `s11_a_device_is_enrolled_by_its_own_answer_alone`.
    script.notes("device", &["answer", "witness"]);
    script.play([
        ok("ana", "device show").has("/required_of", "nobody").has("/missing/0/node", "node-1"),
        ok("ana", "device ask node-1 --keep {tmp}/asked.kept")
            .has("/challenge/holder/node", "node-1")
            .has("/binds", ""),
        fails("ana", "device ask node-9 --keep {tmp}/other.kept", "device.holder"),
        fails("ana", "device ask node-1 --keep {tmp}/asked.kept", "cli.file"),
        fails("ana", "device answer {tmp}/nothing --fido {tmp}/nothing", "cli.file"),
        fails("ana", "device witness {tmp}/asked.kept {tmp}/nothing --root {tmp}/nothing", "cli.file"),
        fails("ana", "device enroll {tmp}/nothing", "cli.file"),
        fails("ana", "device enroll", "cli.usage"),
        fails("ana", "device enroll --require everybody", "enrolment.missing"),
        ok("ana", "device enroll --require holders")
            .has("/devices/required_of", "holders")
            .has("/request/stage", "waiting"),
    ]);
}

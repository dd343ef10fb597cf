//! Backups in shares, by the real program: split, printed, drilled, and left with, by tools of others alone.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use keystead_tests::{python_program, root};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::desk::{Desk, STRANGER, json as read, path};

/// A desk whose key is backed up in shares, two of three.
struct Split {
    desk: Desk,
    folder: tempfile::TempDir,
}

impl Split {
    fn open() -> Self {
        let desk = Desk::open();
        let before = desk.as_person("ana", &["key", "list"])["keys"][0]["backup"].clone();
        desk.approved(&["backup", "split", "hot", "--group", "2:ana,ben,cleo"]);
        let split = || desk.as_person("ana", &["key", "list"])["keys"][0]["backup"] != before;
        assert!(std::iter::repeat_with(split).take(200).any(|it| it), "the backup reached the log");
        Self { desk, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> String {
        path(&self.folder.path().join(name)).to_owned()
    }

    /// The file with the words of somebody's share.
    fn words(&self, who: &str) -> String {
        let file = self.file(&format!("{who}.words"));
        self.desk.as_person(who, &["backup", "print", "hot", "--words", &file]);
        file
    }

    fn drill(&self, words: &[&str]) -> Output {
        let mut arguments = vec!["backup", "drill", "hot"];
        words.iter().for_each(|it| arguments.extend(["--words", it]));
        self.desk.command("ana", &arguments)
    }
}

#[test]
fn d2_a_drill_takes_two_of_three_shares_and_one_gives_nothing() {
    let split = Split::open();
    let (ana, ben, cleo) = (split.words("ana"), split.words("ben"), split.words("cleo"));
    let drilled = read(&split.drill(&[&ana, &cleo]))["drill"].clone();
    assert_eq!((&drilled["accounts"], &drilled["refused_without"]), (&json!(20), &json!(2)));
    assert_eq!(drilled["proofs"].as_array().unwrap().len(), 20);
    assert!(split.drill(&[&ben, &cleo, &ana]).status.success());
    let refuses = |output: Output, why: &str| {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"].clone();
        assert_eq!(error["code"], why, "{error}");
    };
    refuses(split.drill(&[&ben]), "slip39.members");
    let text = std::fs::read_to_string(&ana).unwrap();
    let misread = split.file("misread");
    std::fs::write(&misread, text.replacen(text.split(' ').nth(7).unwrap(), "academic", 1)).unwrap();
    refuses(split.drill(&[&misread, &ben]), "slip39.checksum");
    // Whoever asks the other drill is told which one it is.
    refuses(split.desk.command("ana", &["key", "drill", "hot"]), "backup.in_shares");
    let refused = split.desk.command("dora", &["backup", "print", "hot"]);
    assert!(!refused.status.success(), "she has no share");

    let (sheet, plate) = (split.file("ana.html"), split.file("ana.svg"));
    split.desk.as_person("ana", &["backup", "print", "hot", "--sheet", &sheet, "--plate", &plate]);
    let sheet = std::fs::read_to_string(sheet).unwrap();
    let first = text.split(' ').next().unwrap();
    assert!(sheet.contains(&format!("<i>1</i><b>{}</b>", &first[..4])));
}

/// What the log refuses: a backup that one person restores alone.
#[test]
fn k4_the_log_allows_no_shares_that_one_person_restores_with() {
    let desk = Desk::open();
    for groups in
        [vec!["1:ana"], vec!["1:ana,ben"], vec!["2:ana,ana"], vec!["3:ana,ben"], vec!["2:ana,ben", "1:cleo"]]
    {
        let mut arguments = vec!["backup", "split", "hot"];
        groups.iter().for_each(|it| arguments.extend(["--group", it]));
        let output = desk.command("ana", &arguments);
        assert_eq!(output.status.code(), Some(2), "{groups:?} {output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("backup_shape"), "{groups:?} {output:?}");
    }
}

/// Member files, encrypted shares and published specifications are all it takes: no program of ours runs.
#[test]
fn d2_a_seed_in_shares_leaves_by_tools_of_others_and_moves_the_funds() {
    let split = Split::open();
    let folder = split.file("shares");
    split.desk.as_person("ana", &["backup", "save", "hot", "--folder", &folder]);
    let members = split.desk.folder.join("members");
    let words: Vec<String> = ["ana", "cleo"]
        .iter()
        .map(|who| {
            let (key, passphrase) =
                (members.join(format!("{who}.key")), members.join(format!("{who}.passphrase")));
            let share = format!("{folder}/hot.{who}.age");
            let output = exit(&["words", path(&key), path(&passphrase), &share], "");
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    let url = split.desk.anvil.url();
    let balance = || split.desk.cast(&["balance", STRANGER], &url);
    let before = balance();
    let alone = exit(&["pay", &url, STRANGER, "1000000000000000000", "bitcoin"], &words[0]);
    assert!(!alone.status.success() && balance() == before, "one share moves nothing");
    let output = exit(&["pay", &url, STRANGER, "1000000000000000000", "bitcoin"], &words.concat());
    assert!(output.status.success(), "{output:?}");
    let paid = read(&output);
    assert!(paid["from"].as_str().unwrap().eq_ignore_ascii_case(&split.desk.account));
    assert_ne!(balance(), before);
    assert!(
        paid["spend"].as_str().unwrap().starts_with("0200000000010111"),
        "a signed spend of a segwit coin"
    );

    // SLIP-39's authors' own library says the same.
    let shares: Vec<_> = words.iter().map(|it| it.trim()).collect();
    let asked = json!({"combine": shares}).to_string();
    let mut python = Command::new(python_program("python"));
    python.arg(root().join("tests/python/shares.py"));
    let said = fed(python, &asked);
    let entropy = const_hex::decode(read(&said).as_str().unwrap()).unwrap();
    assert_eq!(json!(const_hex::encode_prefixed(sha2::Sha256::digest(entropy))), paid["entropy"]);
}

fn exit(arguments: &[&str], input: &str) -> Output {
    let mut node = Command::new("node");
    node.arg(root().join("tests/npm/clients/exit.mjs")).args(arguments);
    fed(node, input)
}

fn fed(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended before it read anything.
    let _written = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

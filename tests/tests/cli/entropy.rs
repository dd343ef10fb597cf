//! `keystead entropy`: dice and coins through a terminal's lines, the receipt, and the seed on other software.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use keystead_base::{Canonical as _, Digest};
use keystead_keys::Mnemonic;
use keystead_tests::{binary, root};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::desk::path;

/// Typed into the program; the terminal's end is the end of the rolls.
fn typed(arguments: &[&str], lines: &str) -> Output {
    let mut child = Command::new(binary("keystead"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses before it has read everything has hung up.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    child.wait_with_output().unwrap()
}

/// The same on a terminal that the kernel made, by script(1): what it shows, with what is typed on it.
fn on_a_terminal(folder: &Path, lines: &str) -> (bool, String) {
    let program = binary("keystead");
    let line = format!("exec '{}' entropy dice --out '{}'", path(&program), path(folder));
    let mut script = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script(1) starts");
    script.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = script.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Lines of 20 as even as a hash makes them; number 3 is a series that nothing speaks against.
fn rolls(faces: &str, count: usize) -> String {
    let bytes = (0_u32..).flat_map(|n| Sha256::digest([3_u32.to_be_bytes(), n.to_be_bytes()].concat()));
    let letters: Vec<char> = faces.chars().collect();
    let fair: Vec<char> =
        bytes.filter(|it| *it < 252).map(|it| letters[it as usize % letters.len()]).take(count).collect();
    fair.chunks(20).map(|line| line.iter().collect::<String>() + "\n").collect()
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{output:?}"))).collect()
}

fn recomputed(folder: &Path, rolls: &Path, promise: &str) -> Output {
    let [receipt, openings] = ["receipt.json", "openings.json"].map(|it| folder.join(it));
    let script = root().join("tests/python/seed.py");
    let arguments = [path(&script), path(&receipt), path(&openings), path(rolls), "--promise", promise];
    Command::new("python3").args(arguments).output().unwrap()
}

/// The owner's way: promise, rolls, receipt, and then the same words from a script that knows none of our code.
#[test]
fn e1_a_seed_from_dice_or_coins_is_computed_again_on_other_software() {
    let home = tempfile::tempdir().unwrap();
    for (source, faces, count) in [("dice", "123456", 99), ("coins", "th", 256)] {
        let (folder, paper) = (home.path().join(source), home.path().join("paper"));
        let lines = rolls(faces, count);
        std::fs::write(&paper, &lines).unwrap();
        let asked = ["entropy", source, "--out", path(&folder), "--witness", "ben,cleo", "--json"];
        let made = typed(&asked, &lines);
        assert!(made.status.success(), "{made:?}");
        let [promised, done] = objects(&made).try_into().unwrap();
        let promise = promised["ready"]["promise"].as_str().unwrap();
        assert_eq!(done["receipt"]["promise"], promise);
        assert_eq!(done["receipt"]["witnesses"], serde_json::json!(["ben", "cleo"]));

        let again = recomputed(&folder, &paper, promise);
        assert!(again.status.success(), "{again:?}");
        let told: Value = serde_json::from_slice(&again.stdout).unwrap();
        let words = std::fs::read_to_string(folder.join("words")).unwrap();
        let seed = Mnemonic::from_words(&words).unwrap().entropy_256().unwrap();
        assert_eq!(told["seed"], Digest(*seed.expose()).to_string());

        std::fs::write(&paper, lines.replacen(&faces[..1], &faces[1..2], 1)).unwrap();
        assert!(!recomputed(&folder, &paper, promise).status.success(), "another roll is another seed");
        only_the_owner_reads(&folder);
        let over = typed(&asked, &lines);
        assert!(String::from_utf8(over.stderr).unwrap().contains("cli.usage"), "never over another seed");
    }
}

fn only_the_owner_reads(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for (file, mode) in [(".", 0o700), ("words", 0o600), ("openings.json", 0o600)] {
        let found = std::fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{file}");
    }
}

#[test]
fn e1_too_few_biased_or_repeated_rolls_leave_no_seed() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("cold");
    let honest = rolls("123456", 98);
    for (lines, code) in [
        (honest.as_str(), "entropy.too_few"),
        (&"666616263646566\n".repeat(8), "entropy.uneven"),
        (&"123456".repeat(20), "entropy.steps"),
        ("1234567\n", "entropy.symbol"),
    ] {
        let refused = typed(&["entropy", "dice", "--out", path(&folder), "--json"], lines);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let told: Value = serde_json::from_slice(&refused.stderr).unwrap();
        assert_eq!(told["error"]["code"], code, "{told}");
        assert!(!folder.exists(), "{code}");
    }
    // Nobody rolls for nothing: what else is wrong is said before the promise.
    std::fs::write(home.path().join("file"), "").unwrap();
    for (out, witness) in [("cold", "ben,ben"), ("file/below", "ben"), ("file", "ben")] {
        let out = home.path().join(out);
        let asked = ["entropy", "dice", "--out", path(&out), "--witness", witness, "--json"];
        let refused = typed(&asked, "");
        assert!(refused.status.code() == Some(1) && refused.stdout.is_empty(), "{refused:?}");
    }
}

/// What a person sees: the danger first, then the promise, then how far it is.
#[test]
fn the_guide_says_the_danger_the_promise_and_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("cold");
    let lines = ["done\n", "12x\n", &rolls("123456", 99), "done\n"].concat();
    let made = typed(&["entropy", "dice", "--out", path(&folder)], &lines);
    assert!(made.status.success(), "{made:?}");
    let [shown, told] = [made.stdout, made.stderr].map(|it| String::from_utf8(it).unwrap());
    let places = ["DANGER", "operating system", "Write this digest down", "Roll a die", "SECRET", "seed.py"];
    let found: Vec<Option<usize>> = places.iter().map(|it| shown.find(it)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}\n{shown}");
    for words in ["0 of 99", "99 to go", "not enough yet", "place 3", "99 of 99", "an empty line ends"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let words = std::fs::read_to_string(folder.join("words")).unwrap();
    assert!(
        !shown.contains(words.trim()) && !told.contains(words.trim()),
        "the words stand in their file alone"
    );
}

#[test]
fn the_guide_is_the_same_on_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let (made, shown) = on_a_terminal(&home.path().join("cold"), &(rolls("123456", 99) + "\n"));
    assert!(made, "{shown}");
    for words in ["\u{1b}[1mA seed from a die", "DANGER", "\u{1b}[2m   0 of 99", "99 of 99", "receipt.json"] {
        assert!(shown.contains(words), "{words:?}: {shown}");
    }
}

/// A sound seed, one that counts, and one of a generator's.
#[test]
fn e2_a_weak_seed_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("words");
    let searched = |entropy: &[u8]| {
        std::fs::write(&file, Mnemonic::from_entropy(entropy).unwrap().words().expose()).unwrap();
        let output =
            Command::new(binary("keystead")).args(["entropy", "check", path(&file), "--json"]).output();
        let output = output.unwrap();
        (output.status.code(), objects(&output).remove(0)["weak"].clone())
    };
    assert_eq!(searched(&Sha256::digest("sound")), (Some(0), Value::Null));
    let (code, weak) = searched(&[0x7f; 32]);
    assert_eq!(code, Some(2));
    assert!(weak.as_str().unwrap().contains("it counts"), "{weak}");
    let mut state = 77_u32;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    });
    let congruential: Vec<u8> = words.take(8).flat_map(u32::to_le_bytes).collect();
    let (code, weak) = searched(&congruential);
    assert_eq!(code, Some(2));
    assert!(weak.as_str().unwrap().contains("Trust Wallet for iOS"), "{weak}");

    let twelve = Sha256::digest("correct horse battery staple");
    let (code, weak) = searched(&twelve[..16]);
    assert_eq!(code, Some(2));
    assert!(weak.as_str().unwrap().contains("well-known text"), "{weak}");
}

/// For a key of a node's enclave: after the promise, judged, for the node's owner alone, and never over other rolls.
#[test]
fn e1_rolls_for_a_key_are_judged_and_kept_for_its_node() {
    let home = tempfile::tempdir().unwrap();
    let (data, folder) = (path(home.path()), home.path().join("rolls"));
    std::fs::create_dir(&folder).unwrap();
    let draw = keystead_signing::MachineDraw::new();
    let promise = draw.mixture().unwrap().promise();
    std::fs::write(folder.join("promise"), promise.to_document()).unwrap();
    let asked = ["entropy", "roll", "hot", "--data", data];
    let coded = |output: Output| {
        let told: Value = serde_json::from_slice(&output.stderr).unwrap();
        told["error"]["code"].as_str().unwrap().to_owned()
    };
    let json = [&asked[..], &["--json"]].concat();
    assert_eq!(coded(typed(&json, &"123456".repeat(20))), "entropy.steps");
    let stuck = home.path().join("stuck");
    std::fs::write(&stuck, [7; 256]).unwrap();
    assert_eq!(coded(typed(&[&json[..], &["--file", path(&stuck)]].concat(), "")), "entropy.stuck");
    assert!(!folder.join("hot.dice").exists() && !folder.join("hot.file").exists());
    let lines = rolls("123456", 99);
    let made = typed(&asked, &lines);
    let shown = String::from_utf8(made.stdout).unwrap();
    let grouped = &promise.digest().to_string()[..4];
    for words in ["DANGER", "jitter", grouped, "key create hot"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let kept = std::fs::read_to_string(folder.join("hot.dice")).unwrap();
    let letters = lines.split_whitespace().collect::<String>();
    assert_eq!(kept, format!("promise {}\n{letters}\n", promise.digest()));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(folder.join("hot.dice")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(coded(typed(&json, &lines)), "cli.usage", "never over other rolls");
}

/// A private key by itself, and what stands in its file that is none.
#[test]
fn e2_a_weak_key_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("key");
    let searched = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let asked = [&["entropy", "check", path(&file), "--key", "--json"], more].concat();
        let output = Command::new(binary("keystead")).args(asked).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let sound = const_hex::encode_prefixed(Sha256::digest("no words of a list"));
    let (code, told) = searched(&sound, &[]);
    assert!(code == Some(0) && told.contains("2433496"), "{told}");
    let weak = const_hex::encode(Sha256::digest("satoshi"));
    let (code, told) = searched(&weak, &[]);
    assert!(code == Some(2) && told.contains("weak_seed.phrase"), "{told}");
    for (text, more) in [("12", &[][..]), (&sound, &["--day", "2009-01-03"])] {
        let (code, told) = searched(text, more);
        assert!(code == Some(1) && told.contains("cli.usage"), "{told}");
    }
}

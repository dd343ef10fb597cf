//! Writes the mutants into the copy and builds the tests; what does not build is left out, until the rest does.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::edits::Written;
use crate::options::Options;
use crate::sources::Mutants;
use crate::{Failure, because, run, tree};

/// A program of tests.
#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// Where cargo would start it.
    pub(crate) folder: PathBuf,
}

/// The packages whose tests judge: those that are mutated, and the one that wires them to each other.
const PACKAGES: [&str; 5] =
    ["keystead-chain", "keystead-policy", "keystead-quorum", "keystead-decision", "keystead-tests"];
/// Of the last one, the tests that need no other process.
const IN_PROCESS: [&str; 3] = ["attacks", "decision", "spec_vectors"];
/// Mutants that do not build show themselves in a few rounds: types first, borrows later, crate by crate.
const MAX_ROUNDS: usize = 20;

/// Builds all test programs with all mutants behind their switches.
pub(crate) fn build(options: &Options, mutants: &mut Mutants) -> Result<Vec<Binary>, Failure> {
    let known = run::unbuilt(options, mutants);
    mutants.drop(&known);
    for round in 1..=MAX_ROUNDS {
        let written = write(options, mutants)?;
        let (messages, built) = cargo(options)?;
        if built {
            return Ok(binaries(&messages));
        }
        let faulty = faulty(options, &messages, &written);
        if faulty.is_empty() {
            return Err(format!("the tests do not build:\n{}", rendered(&messages).join("\n")));
        }
        println!("round {round}: {} mutants do not build and are left out", faulty.len());
        let faulty: Vec<usize> = faulty.into_iter().collect();
        if faulty.len() == mutants.all().filter(|it| it.builds).count() {
            // Not one is right: then the fault is not theirs.
            return Err(format!("no mutant builds:\n{}", rendered(&messages).join("\n")));
        }
        run::note_unbuilt(options, mutants, &faulty)?;
        mutants.drop(&faulty);
    }
    Err(format!("the tests do not build after {MAX_ROUNDS} rounds"))
}

/// The changed files, by their paths.
type Texts = Vec<(String, Written)>;

fn write(options: &Options, mutants: &Mutants) -> Result<Texts, Failure> {
    let mut texts = Vec::new();
    for file in &mutants.files {
        let mut written = Written::new(&file.text, &file.edits);
        if file.path.ends_with("src/lib.rs") {
            written.text += "\nmod mutant_switch;\n";
            let switch = file.path.replace("lib.rs", "mutant_switch.rs");
            tree::write(&options.copy().join(switch), SWITCH.as_bytes())?;
        }
        tree::write(&options.copy().join(&file.path), written.text.as_bytes())?;
        texts.push((file.path.clone(), written));
    }
    Ok(texts)
}

fn cargo(options: &Options) -> Result<(Vec<Value>, bool), Failure> {
    let mut command = Command::new("cargo");
    command.args(["test", "--release", "--locked", "--no-run", "--message-format=json", "--lib"]);
    PACKAGES.iter().for_each(|it| {
        command.args(["--package", it]);
    });
    for test in tests(options) {
        command.args(["--test", &test]);
    }
    command.current_dir(options.copy()).stderr(Stdio::inherit());
    command.env("CARGO_TARGET_DIR", &options.target).env("CARGO_INCREMENTAL", "1");
    let output = command.output().map_err(because("cargo"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok((messages, output.status.success()))
}

/// The integration tests of the mutated crates, and those in [`IN_PROCESS`] that exist.
fn tests(options: &Options) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for package in PACKAGES {
        let folder = match package {
            "keystead-tests" => options.copy().join("tests/tests"),
            other => options.copy().join(format!("crates/{other}/tests")),
        };
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path());
        let suites =
            files.filter(|it| it.extension().is_some_and(|it| it == "rs") || it.join("main.rs").is_file());
        let stems = suites.filter_map(|it| Some(it.file_stem()?.to_string_lossy().into_owned()));
        names.extend(stems.filter(|it| package != "keystead-tests" || IN_PROCESS.contains(&it.as_str())));
    }
    names
}

fn binaries(messages: &[Value]) -> Vec<Binary> {
    let built =
        messages.iter().filter(|it| it["reason"] == "compiler-artifact" && at(it, "/profile/test") == true);
    let binary = |it: &Value| {
        let folder = PathBuf::from(it["manifest_path"].as_str()?).parent()?.to_owned();
        let name = format!("{}/{}", folder.file_name()?.to_string_lossy(), at(it, "/target/name").as_str()?);
        Some(Binary { name, program: it["executable"].as_str()?.into(), folder })
    };
    built.filter_map(binary).collect()
}

/// The mutants in which the compiler found an error.
fn faulty(options: &Options, messages: &[Value], texts: &Texts) -> BTreeSet<usize> {
    let errors = messages.iter().filter(|it| at(it, "/message/level") == "error");
    let found = errors.filter_map(|it| {
        spans(&it["message"]).iter().find_map(|span| {
            let file = options.copy().join(span["file_name"].as_str()?);
            let (_, written) = texts.iter().find(|(path, _)| file.ends_with(path))?;
            let byte = usize::try_from(span["byte_start"].as_u64()?).ok()?;
            written.at(byte).map(<[usize]>::to_vec)
        })
    });
    found.flatten().collect()
}

/// Where an error is, the first place first, and where its notes are.
fn spans(message: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = message["spans"].as_array().cloned().unwrap_or_default();
    all.sort_by_key(|span| span["is_primary"] != true);
    all.extend(message["children"].as_array().into_iter().flatten().flat_map(spans));
    all
}

fn rendered(messages: &[Value]) -> Vec<String> {
    let errors = messages.iter().filter(|it| at(it, "/message/level") == "error");
    errors.filter_map(|it| at(it, "/message/rendered").as_str().map(str::to_owned)).take(5).collect()
}

/// A value inside a message; null where there is none.
fn at<'m>(message: &'m Value, place: &str) -> &'m Value {
    message.pointer(place).unwrap_or(&Value::Null)
}

/// Written into each mutated crate.
const SWITCH: &str = r#"//! The switch of every mutant: `KEYSTEAD_MUTANT` turns one of them on.
use std::collections::HashSet;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex};

static CHOSEN: LazyLock<Option<usize>> =
    LazyLock::new(|| std::env::var("KEYSTEAD_MUTANT").ok()?.parse().ok());
static REACHED: LazyLock<Option<Mutex<(std::fs::File, HashSet<usize>)>>> = LazyLock::new(|| {
    let path = std::env::var_os("KEYSTEAD_MUTANTS_REACHED")?;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path).ok()?;
    Some(Mutex::new((file, HashSet::new())))
});

pub(crate) fn on(id: usize) -> bool {
    if let Some(Ok(mut reached)) = REACHED.as_ref().map(|it| it.lock()) {
        if reached.1.insert(id) {
            let _ = reached.0.write_all(format!("{id}\n").as_bytes());
        }
    }
    *CHOSEN == Some(id)
}
"#;

//! Runs the tests: once without a mutant, then once for each mutant with the programs that reach it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::compile::Binary;
use crate::options::Options;
use crate::sources::{Mutant, Mutants};
use crate::{Failure, because};

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A test failed.
    Killed,
    /// The tests took much longer than without it.
    TimedOut,
    /// Every test passed.
    Survived,
    /// No test runs that place.
    Unreached,
}

/// The fate of every mutant that was tried, by its number.
pub(crate) struct Results(pub(crate) BTreeMap<usize, Fate>);

impl Results {
    pub(crate) fn survivors(&self) -> usize {
        self.0.values().filter(|fate| matches!(fate, Fate::Survived | Fate::Unreached)).count()
    }
}

/// A program with what is known of it.
struct Program<'b> {
    binary: &'b Binary,
    time: Duration,
    reached: BTreeSet<usize>,
}

/// Tries every mutant of the shard.
pub(crate) fn all(options: &Options, mutants: &Mutants, binaries: &[Binary]) -> Result<Results, Failure> {
    let mut programs = binaries.iter().map(|it| baseline(options, it)).collect::<Result<Vec<_>, _>>()?;
    programs.sort_by_key(|it| it.time);
    let known = Known::read(options)?;
    let (k, n) = options.shard;
    let chosen: Vec<&Mutant> = mutants.all().filter(|it| it.builds && it.id % n == k).collect();
    let (next, results) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some(mutant) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let key = key(mutant, mutants.text_of(&mutant.file));
                    let fate = known.killed(&key).unwrap_or_else(|| fate(mutant, &programs));
                    known.note(&key, fate);
                    if let Ok(mut results) = results.lock() {
                        results.insert(mutant.id, fate);
                        show(mutant, fate, results.len(), chosen.len());
                    }
                }
            });
        }
    });
    Ok(Results(results.into_inner().unwrap_or_default()))
}

fn show(mutant: &Mutant, fate: Fate, done: usize, of: usize) {
    match fate {
        Fate::Survived | Fate::Unreached => println!("[{done}/{of}] {fate:?}: {mutant}"),
        Fate::Killed | Fate::TimedOut if done.is_multiple_of(50) => println!("[{done}/{of}]"),
        Fate::Killed | Fate::TimedOut => {}
    }
}

/// Runs a program without a mutant: it must pass, and tells which mutants it would meet.
fn baseline<'b>(options: &Options, binary: &'b Binary) -> Result<Program<'b>, Failure> {
    let reached = options.folder().join("reached.txt");
    // Of an earlier run.
    let _ = std::fs::remove_file(&reached);
    let (start, path) = (Instant::now(), reached.display().to_string());
    match outcome(binary, ("KEYSTEAD_MUTANTS_REACHED", &path), Duration::from_secs(600)) {
        Some(true) => {}
        other => return Err(format!("{} fails without any mutant: {other:?}", binary.name)),
    }
    let text = std::fs::read_to_string(&reached).unwrap_or_default();
    let reached: BTreeSet<usize> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let time = start.elapsed();
    println!("{}: {:.1} s, meets {} mutants", binary.name, time.as_secs_f32(), reached.len());
    Ok(Program { binary, time, reached })
}

fn fate(mutant: &Mutant, programs: &[Program<'_>]) -> Fate {
    let mut fate = Fate::Unreached;
    for program in programs.iter().filter(|it| it.reached.contains(&mutant.id)) {
        let limit = program.time * 5 + Duration::from_secs(20);
        match outcome(program.binary, ("KEYSTEAD_MUTANT", &mutant.id.to_string()), limit) {
            Some(true) => fate = Fate::Survived,
            Some(false) => return Fate::Killed,
            None => return Fate::TimedOut,
        }
    }
    fate
}

/// Whether all tests of a program pass; none when it takes too long.
fn outcome(binary: &Binary, variable: (&str, &str), limit: Duration) -> Option<bool> {
    let mut command = Command::new(&binary.program);
    command.current_dir(&binary.folder).env(variable.0, variable.1).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return Some(false) };
    let failed = watch(&mut child);
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if failed.load(Ordering::Relaxed) => return stop(&mut child, Some(false)),
            Ok(None) if start.elapsed() > limit => return stop(&mut child, None),
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => return stop(&mut child, Some(false)),
        }
    }
}

fn stop(child: &mut Child, outcome: Option<bool>) -> Option<bool> {
    // It may have ended by itself meanwhile.
    let _ = child.kill();
    let _ = child.wait();
    outcome
}

/// Reads what a program prints; the first test that fails is enough.
fn watch(child: &mut Child) -> Arc<AtomicBool> {
    let failed = Arc::new(AtomicBool::new(false));
    if let Some(output) = child.stdout.take() {
        let seen = Arc::clone(&failed);
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines
                .filter(|line| line.ends_with("... FAILED"))
                .for_each(|_| seen.store(true, Ordering::Relaxed));
        });
    }
    failed
}

/// Results of earlier runs: a mutant that was killed once is not tried again while its file is the same.
struct Known {
    file: Mutex<std::fs::File>,
    killed: HashMap<String, Fate>,
}

impl Known {
    fn read(options: &Options) -> Result<Self, Failure> {
        let path = options.folder().join("results.txt");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let killed =
            text.lines().filter_map(|line| line.split_once(' ')).filter_map(|(word, key)| match word {
                "Killed" => Some((key.to_owned(), Fate::Killed)),
                "TimedOut" => Some((key.to_owned(), Fate::TimedOut)),
                _ => None,
            });
        let killed = killed.collect();
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self { file: Mutex::new(file.map_err(because(path.display().to_string()))?), killed })
    }

    fn killed(&self, key: &str) -> Option<Fate> {
        self.killed.get(key).copied()
    }

    fn note(&self, key: &str, fate: Fate) {
        if !self.killed.contains_key(key)
            && let Ok(mut file) = self.file.lock()
        {
            // A result that is not kept is found again.
            let _ = writeln!(file, "{fate:?} {key}");
        }
    }
}

/// The mutants that did not build earlier, and whose files are as they were.
pub(crate) fn unbuilt(options: &Options, mutants: &Mutants) -> Vec<usize> {
    let text = std::fs::read_to_string(options.folder().join("results.txt")).unwrap_or_default();
    let keys: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("Unbuilt ")).collect();
    let known = |it: &&Mutant| keys.contains(key(it, mutants.text_of(&it.file)).as_str());
    mutants.all().filter(known).map(|it| it.id).collect()
}

/// Remembers what does not build.
pub(crate) fn note_unbuilt(options: &Options, mutants: &Mutants, ids: &[usize]) -> Result<(), Failure> {
    let path = options.folder().join("results.txt");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.map_err(because(path.display().to_string()))?;
    for mutant in mutants.all().filter(|it| ids.contains(&it.id)) {
        let line = format!("Unbuilt {}\n", key(mutant, mutants.text_of(&mutant.file)));
        file.write_all(line.as_bytes()).map_err(because(path.display().to_string()))?;
    }
    Ok(())
}

/// Forgets what earlier runs found.
pub(crate) fn forget(options: &Options) {
    // Nothing to forget is as good.
    let _ = std::fs::remove_file(options.folder().join("results.txt"));
}

fn key(mutant: &Mutant, text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x} {}", hasher.finish(), mutant.place())
}

//! strace on threads that run already: what they call, and death at a chosen call.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

/// What a process does to its disk and its sockets.
pub const DURABLE_AND_SENT: &str = "fsync,fdatasync,pwrite64,ftruncate,unlink,write,writev,sendto,sendmsg";

/// A thread by what is the same in every run: its process, its name, and which one of that name it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thread {
    /// The process, in the test's words.
    pub who: &'static str,
    name: String,
    nth: usize,
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.who, self.name, self.nth)
    }
}

/// The threads of a process, with their numbers; none of a process that is gone.
#[must_use]
pub fn threads(who: &'static str, process: u32) -> BTreeMap<Thread, u32> {
    let mut threads = BTreeMap::new();
    for number in tasks(process) {
        let Some(name) = name_of(process, number) else { continue };
        let nth = threads.keys().filter(|it: &&Thread| it.name == name).count();
        threads.insert(Thread { who, name, nth }, number);
    }
    threads
}

/// The process that one of this process's threads started.
#[must_use]
pub fn child_of(process: u32) -> Option<u32> {
    let file = |thread| format!("/proc/{process}/task/{thread}/children");
    let children = tasks(process).into_iter().filter_map(|it| std::fs::read_to_string(file(it)).ok());
    children.collect::<String>().split_whitespace().find_map(|number| number.parse().ok())
}

/// Whether a thread is there no more, or only its name.
#[must_use]
pub fn is_gone(thread: u32) -> bool {
    let line = std::fs::read_to_string(format!("/proc/{thread}/stat")).unwrap_or_default();
    let state = line.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}

/// Whether there is a strace; says so where there is none.
#[must_use]
pub fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("SKIPPED: strace is not installed, so no process was killed at a system call");
    }
    found
}

/// A strace that is attached.
#[derive(Debug)]
pub struct Tracer {
    child: Child,
    words: Lines<BufReader<ChildStderr>>,
}

impl Tracer {
    /// Kills the process of this thread at its n-th such call from now on.
    #[must_use]
    pub fn killing(thread: u32, call: &str, when: usize) -> Self {
        Self::tampering(thread, call, &format!("signal=SIGKILL:when={when}"))
    }

    /// Holds the n-th such call back for a moment: whatever does not wait for it comes before it, and shows.
    #[must_use]
    pub fn holding(thread: u32, call: &str, when: usize) -> Self {
        Self::tampering(thread, call, &format!("delay_enter={HELD_MICROSECONDS}:when={when}"))
    }

    fn tampering(thread: u32, call: &str, how: &str) -> Self {
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{how}"));
        Self::attach(&[thread], &["-o", "/dev/null", "-e", &trace, "-e", &inject])
    }

    /// Returns when it is attached to all of them.
    ///
    /// # Panics
    ///
    /// When strace may not.
    #[must_use]
    pub fn attach(threads: &[u32], arguments: &[&str]) -> Self {
        let mut command = Command::new("strace");
        command.args(arguments).args(threads.iter().map(|number| format!("-p{number}")));
        let mut child = command.stderr(Stdio::piped()).spawn().expect("strace starts");
        let mut words = BufReader::new(child.stderr.take().expect("its words are piped")).lines();
        for _ in threads {
            let line = words.next().expect("a line").expect("text");
            assert!(line.ends_with(" attached"), "{line}");
        }
        Self { child, words }
    }

    /// Lets go of what is still there.
    pub fn detach(mut self) {
        let number = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &number]).stderr(Stdio::null()).status();
        self.words.for_each(drop);
        self.child.wait().expect("a child");
    }
}

/// How often each thread makes each of [`DURABLE_AND_SENT`] while `way` is gone.
pub async fn calls_of(
    threads: &BTreeMap<Thread, u32>,
    way: impl Future<Output = ()>,
) -> BTreeMap<(Thread, String), usize> {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let path = log.path().to_str().expect("a plain path");
    let numbers: Vec<u32> = threads.values().copied().collect();
    let tracer = Tracer::attach(&numbers, &["-o", path, "-e", &format!("trace={DURABLE_AND_SENT}")]);
    way.await;
    tracer.detach();
    let mut calls = BTreeMap::new();
    for line in std::fs::read_to_string(path).expect("the log").lines() {
        let mut words = line.split([' ', '(']).filter(|word| !word.is_empty());
        let (Some(number), Some(call)) = (words.next(), words.next()) else { continue };
        let known = threads.iter().find(|(_, it)| it.to_string() == number);
        if let (Some((thread, _)), true) = (known, DURABLE_AND_SENT.split(',').any(|it| it == call)) {
            *calls.entry((thread.clone(), call.to_owned())).or_default() += 1;
        }
    }
    calls
}

fn tasks(process: u32) -> Vec<u32> {
    let folder = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> = folder.filter_map(|it| it.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

fn name_of(process: u32, thread: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/comm")).ok()?;
    Some(name.trim().to_owned())
}

const HELD_MICROSECONDS: u32 = 1_000_000;

//! The search of all that a run said, left and holds: for its secrets, of which nothing may be found, and for what is no secret,
//! which the very same search has to find (K1).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use keystead_tests::Relay;
use keystead_tests::canary::{Canaries, files_below};

/// Where something was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Said,
    Wires,
    Files,
    Environment,
    Memory,
    Dumps,
    Swap,
}

/// What was found where.
pub(crate) struct Search {
    /// All secrets.
    pub(crate) all: Canaries,
    /// Those that no service needs: its memory holds its own.
    pub(crate) of_people: Canaries,
    /// What is no secret.
    pub(crate) public: Canaries,
    searched: BTreeMap<Place, Found>,
    hits: Vec<String>,
}

#[derive(Default)]
struct Found {
    bytes: usize,
    public: bool,
}

impl Search {
    pub(crate) fn new(all: Canaries, of_people: Canaries, public: Canaries) -> Self {
        Self { all, of_people, public, searched: BTreeMap::new(), hits: Vec::new() }
    }

    pub(crate) fn look(&mut self, place: Place, what: &str, bytes: &[u8]) {
        let secrets = match place {
            Place::Memory | Place::Dumps | Place::Swap => &self.of_people,
            Place::Said | Place::Wires | Place::Files | Place::Environment => &self.all,
        };
        let hits = secrets.found_in(bytes).into_iter().map(|it| format!("{place:?}, {what}: {it}"));
        self.hits.extend(hits);
        let found = self.searched.entry(place).or_default();
        found.bytes += bytes.len();
        found.public |= !self.public.found_in(bytes).is_empty();
    }

    pub(crate) fn wires(&mut self, wires: &[Relay]) {
        for (wire, least) in wires.iter().zip([10_000, 500, 500, 500]) {
            let heard = wire.heard();
            let bytes: usize = heard.iter().map(Vec::len).sum();
            assert!(bytes > least, "something was said to {}: {bytes} bytes", wire.address());
            heard.iter().for_each(|it| self.look(Place::Wires, &wire.address(), it));
        }
    }

    pub(crate) fn files(&mut self, folder: &Path, is_home: &dyn Fn(&Path) -> bool) {
        for file in files_below(folder).into_iter().filter(|it| !is_home(it)) {
            // A socket or a file that went away holds nothing.
            let bytes = fs::read(&file).unwrap_or_default();
            self.look(Place::Files, &file.display().to_string(), &bytes);
        }
    }

    /// Arguments and environment of all of them; memory and a debugger's dump of those that are not the enclave, whose own pages
    /// the enclave's tests search.
    pub(crate) fn processes(&mut self, root: u32) {
        let family = family(root);
        assert!(family.len() > 1, "the enclave is a process of its own");
        for pid in family {
            for file in ["cmdline", "environ"] {
                let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                self.look(Place::Environment, &format!("{file} of {pid}"), &bytes);
            }
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if arguments.split(|byte| *byte == 0).any(|word| word == b"enclave") {
                assert_eq!(swapped(pid), "0 kB", "of an enclave nothing is ever in swap");
                continue;
            }
            self.memory(pid);
            self.dump(pid);
        }
    }

    /// Every readable region. What of it was in swap comes back by being read.
    fn memory(&mut self, pid: u32) {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        for line in maps.lines().filter(|line| !line.contains("---p") && !line.contains("[v")) {
            let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let [start, end] = [start, end].map(|it| u64::from_str_radix(it, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
            if memory.read_exact_at(&mut bytes, start).is_ok() {
                self.look(Place::Memory, &format!("{pid}: {line}"), &bytes);
            }
        }
    }

    /// What a debugger writes down: memory, registers, notes.
    fn dump(&mut self, pid: u32) {
        let folder = tempfile::tempdir().unwrap();
        let mut gcore = Command::new("gcore");
        gcore.arg("-o").arg(folder.path().join("core")).arg(pid.to_string());
        match gcore.stdout(Stdio::null()).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => {}
            other => return println!("SKIPPED: no debugger may write down process {pid}: {other:?}"),
        }
        let dump = fs::read(folder.path().join(format!("core.{pid}"))).unwrap();
        self.look(Place::Dumps, &pid.to_string(), &dump);
    }

    /// What lies in swap, of this run or of what ended before, as whoever takes the disk reads it.
    pub(crate) fn swap(&mut self) {
        let areas = fs::read_to_string("/proc/swaps").unwrap_or_default();
        let areas: Vec<&str> =
            areas.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        if areas.is_empty() {
            println!("SKIPPED: this machine has no swap");
        }
        for area in areas {
            let Ok(mut file) = File::open(area) else {
                println!("SKIPPED: {area} cannot be read");
                continue;
            };
            // One piece overlaps the next: nothing that is looked for is longer.
            let mut piece = vec![0; OVERLAP];
            loop {
                let kept = piece.split_off(piece.len() - OVERLAP);
                piece = kept;
                if (&mut file).take(PIECE).read_to_end(&mut piece).unwrap_or(0) == 0 {
                    break;
                }
                self.look(Place::Swap, area, &piece);
            }
        }
    }

    /// What was searched, and that nothing was found but what is no secret.
    pub(crate) fn told(&self) {
        let (count, forms) = self.all.counted();
        println!("{count} secrets in {forms} forms");
        for (place, found) in &self.searched {
            println!("{:<12}{:>14} bytes searched", format!("{place:?}"), found.bytes);
        }
        let bytes: usize = self.searched.values().map(|it| it.bytes).sum();
        println!("{:<12}{bytes:>14} bytes searched, {} hits", "all", self.hits.len());
        assert_eq!(self.hits, Vec::<String>::new());
        let blind = self.searched.iter().filter(|(place, it)| !it.public && **place != Place::Swap);
        assert_eq!(
            blind.map(|(place, _)| *place).collect::<Vec<_>>(),
            Vec::<Place>::new(),
            "what is public has to be found"
        );
        let bytes_of = |place| self.searched.get(&place).map_or(0, |it| it.bytes);
        assert!(bytes_of(Place::Files) > 100_000, "logs, databases, write-ahead files, backups");
        assert!(bytes_of(Place::Memory) > 1_000_000, "node and coordinator were read");
    }
}

/// The crash left no core file, on a machine where a program without secrets leaves one.
pub(crate) fn no_core_below(home: &Path) {
    let cores = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("core")).collect::<Vec<_>>()
    };
    assert_eq!(cores(home), Vec::<String>::new());
    let other = tempfile::tempdir().unwrap();
    let crash = ["-c", "ulimit -c unlimited; kill -ABRT $$"];
    let _ = Command::new("sh").args(crash).current_dir(other.path()).status().unwrap();
    if cores(other.path()).is_empty() {
        println!("SKIPPED: this machine writes no core files where programs run");
    }
}

/// A process and all that it started.
fn family(root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
        }
        at += 1;
    }
    all
}

fn swapped(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let swapped = status.lines().find_map(|line| line.strip_prefix("VmSwap:"));
    swapped.unwrap_or("0 kB").trim().to_owned()
}

const OVERLAP: usize = 1024;
const PIECE: u64 = 16 * 1024 * 1024;

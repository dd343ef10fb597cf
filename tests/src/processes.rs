//! Processes as root sees them: which one it is, and every byte of its memory that may be read.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

/// The process among whose words these are.
#[must_use]
pub fn process_with(words: &[&str]) -> Option<u32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut processes = entries.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    processes.find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.iter().all(|word| line.split(|it| *it == 0).any(|it| it == word.as_bytes()))
    })
}

/// Every readable region of a process; says how many bytes were read.
///
/// # Panics
///
/// Where the process is gone, or somebody else's.
pub fn memory(pid: u32, mut look: impl FnMut(&[u8])) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("a process");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("a process that may be read");
    let mut read = 0;
    for line in maps.lines().filter(|line| !line.contains("---p") && !line.contains("[v")) {
        let (start, end) = line.split_once(' ').and_then(|it| it.0.split_once('-')).expect("a region");
        let [start, end] = [start, end].map(|it| u64::from_str_radix(it, 16).expect("an address"));
        let mut bytes = vec![0; usize::try_from(end - start).expect("a region of this machine's")];
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            read += bytes.len();
            look(&bytes);
        }
    }
    read
}

/// Whether this process may read those of everybody.
#[must_use]
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

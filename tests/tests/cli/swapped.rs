//! What of a running program goes to swap, searched as files are (K1): in the file that `cargo xtask secrets` made for it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::UNIX_EPOCH;

use keystead_tests::canary::Canaries;
use keystead_tests::root;
use sha2::{Digest as _, Sha256};

use crate::desk::succeeds;

/// A file to which the kernel writes pages, and every page that was seen in it.
pub(crate) struct Swap {
    file: PathBuf,
    /// Something that no other process has in pages that go there: whoever reads the file and does not find it read nothing.
    marker: Canaries,
    holder: Child,
    told: BufReader<ChildStdout>,
    last: Vec<u8>,
    seen: Vec<u8>,
    went: u64,
}

impl Swap {
    /// The chore's file; none where it made none, or nobody asked it to.
    pub(crate) fn of_chore() -> Option<Self> {
        let file = PathBuf::from(std::env::var_os("KEYSTEAD_SWAP")?);
        let mut holder = Command::new("python3");
        holder.arg(script()).arg("hold").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        let told = BufReader::new(holder.stdout.take().unwrap());
        let (marker, last, seen) = (Canaries::default(), Vec::new(), Vec::new());
        Some(Self { file, marker, holder, told, last, seen, went: 0 })
    }

    /// Of each moment another one: the one before is in the file already.
    fn marks(&mut self) {
        let now = UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let bytes = Sha256::digest(now.to_be_bytes());
        self.marker = Canaries::default();
        self.marker.add("the marker", &bytes);
        writeln!(self.holder.stdin.as_mut().unwrap(), "{}", const_hex::encode(bytes)).unwrap();
        let mut told = String::new();
        self.told.read_line(&mut told).unwrap();
        assert_eq!(told.trim(), "held");
    }

    /// Every page of these processes that may go to swap goes there, and what stands there then is kept for the search.
    pub(crate) fn take(&mut self, processes: &[u32]) {
        self.marks();
        let holder = self.holder.id();
        let all = processes.iter().chain([&holder]).map(u32::to_string);
        let told = succeeds(Command::new("python3").arg(script()).args(all)).stdout;
        let told = String::from_utf8(told).unwrap();
        let bytes: Vec<u64> = told.lines().map(|it| it.parse().unwrap()).collect();
        let (of_holder, of_program) = bytes.split_last().unwrap();
        assert!(
            *of_holder > 0 && of_program.iter().all(|it| *it > 0),
            "each of them has pages in swap: {told}"
        );
        self.went += of_program.iter().sum::<u64>();
        // What the kernel has not written yet, it writes soon.
        let found = (0..200).any(|_| {
            self.look();
            !self.marker.found_in(&self.seen).is_empty()
        });
        assert!(found, "the marker is in {}", self.file.display());
    }

    /// Past the cache of files, which knows nothing of what is written there as swap.
    fn look(&mut self) {
        let from = format!("if={}", self.file.display());
        let read = ["bs=1M", "iflag=direct", "status=none"];
        let now = succeeds(Command::new("dd").arg(from).args(read)).stdout;
        let before = std::mem::take(&mut self.last);
        for (at, page) in now.chunks(PAGE).enumerate() {
            let known = before.get(at * PAGE..at * PAGE + page.len());
            if known != Some(page) && page.iter().any(|it| *it != 0) {
                self.seen.extend_from_slice(page);
            }
        }
        self.last = now;
    }

    /// No page that was ever there has a secret. How many bytes these were, and how many of the program's went there.
    pub(crate) fn nothing(&self, secrets: &Canaries) -> (usize, u64) {
        assert_eq!(secrets.found_in(&self.seen), BTreeSet::new(), "in swap");
        (self.seen.len(), self.went)
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn script() -> PathBuf {
    root().join("tests/python/pageout.py")
}

const PAGE: usize = 4096;

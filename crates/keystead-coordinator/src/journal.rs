//! What has to be broadcast, in a file: a crash between a signature and its broadcast loses nothing.
//!
//! The node has the truth about a request; the file only says which requests the coordinator promised
//! to send. One JSON object per line, the last line of a request counts, and a torn last line is dropped.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keystead_base::RequestId;
use serde::{Deserialize, Serialize};

use crate::{Stage, Step};

/// The most requests that wait to be sent.
pub(crate) const MAX_PENDING: usize = 100_000;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    request: RequestId,
    stage: Stage,
}

/// The open file and what it says.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    pending: BTreeMap<RequestId, Stage>,
}

impl Journal {
    /// Opens the file, reads it, and writes it anew without what is over.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let pending = match std::fs::read_to_string(path) {
            Ok(text) => parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        rewrite(path, &pending)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { file, pending })
    }

    /// Promises to send a request: durable before the request goes to a node.
    pub(crate) fn promise(&mut self, request: RequestId) -> io::Result<()> {
        if self.pending.contains_key(&request) {
            return Ok(());
        }
        if self.pending.len() >= MAX_PENDING {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "too many requests wait to be sent"));
        }
        self.write(request, Stage::Submitted)?;
        self.file.sync_data()
    }

    /// Moves a request on; what its table does not know changes nothing. What is only news of the node's
    /// is not forced to the disk: the node would tell it again.
    pub(crate) fn step(&mut self, request: RequestId, step: Step) -> io::Result<()> {
        let next = self.pending.get(&request).and_then(|stage| stage.after(step));
        match next {
            Some(stage) if self.pending.get(&request) != Some(&stage) => self.write(request, stage),
            Some(_) | None => Ok(()),
        }
    }

    /// What has to be looked after.
    pub(crate) fn pending(&self) -> Vec<(RequestId, Stage)> {
        self.pending.iter().map(|(request, stage)| (*request, *stage)).collect()
    }

    fn write(&mut self, request: RequestId, stage: Stage) -> io::Result<()> {
        self.file.write_all(&line(request, stage)?)?;
        note(&mut self.pending, request, stage);
        Ok(())
    }
}

fn parse(text: &str) -> BTreeMap<RequestId, Stage> {
    let mut pending = BTreeMap::new();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.for_each(|line| note(&mut pending, line.request, line.stage));
    pending
}

fn note(pending: &mut BTreeMap<RequestId, Stage>, request: RequestId, stage: Stage) {
    if stage.is_final() {
        pending.remove(&request);
    } else {
        pending.insert(request, stage);
    }
}

fn line(request: RequestId, stage: Stage) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&Line { request, stage })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Beside, and renamed: the file is there as a whole or as it was.
fn rewrite(path: &Path, pending: &BTreeMap<RequestId, Stage>) -> io::Result<()> {
    let beside: PathBuf = path.with_extension("part");
    let mut file = File::create(&beside)?;
    for (request, stage) in pending {
        file.write_all(&line(*request, *stage)?)?;
    }
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    #[test]
    fn d4_what_was_promised_survives_and_what_is_over_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broadcast.journal");
        let (first, second) = (RequestId(Digest([1; 32])), RequestId(Digest([2; 32])));
        let mut journal = Journal::open(&path).unwrap();
        journal.promise(first).unwrap();
        journal.promise(second).unwrap();
        journal.step(first, Step::Sign).unwrap();
        journal.step(second, Step::Deny).unwrap();
        drop(journal);
        // The process died in the middle of a line.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"request\":\"00").unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.pending(), [(first, Stage::Signed)]);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
}

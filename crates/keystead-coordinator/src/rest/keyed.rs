//! Requests that callers may ask for again by a key of their own, in a file (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A line is forced to the disk before its request goes to a node. After a crash the same key is the same request: the
//! intent stands in the line, and the log takes it once.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use alloy_primitives::Bytes;
use keystead_base::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::journal::KEY_SECONDS;
use crate::stored::{MAX_REMEMBERED, Stored};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Whose key it is.
    pub(crate) caller: String,
    /// The key.
    pub(crate) key: String,
    /// The digest of what was asked.
    pub(crate) asked: Digest,
    /// The intent's document.
    pub(crate) intent: Bytes,
    /// When.
    pub(crate) at: Timestamp,
}

impl Asked {
    fn counts(&self, now: Timestamp) -> bool {
        now < self.at.plus_seconds(KEY_SECONDS)
    }

    fn name(&self) -> (String, String) {
        (self.caller.clone(), self.key.clone())
    }

    fn bytes(&self) -> usize {
        self.intent.len().saturating_add(self.key.len())
    }
}

/// The open file and what it says.
#[derive(Debug)]
pub(crate) struct AskedFile {
    path: PathBuf,
    file: File,
    lines: usize,
    asked: HashMap<(String, String), Asked>,
    stored: Stored,
    /// When what is over was last forgotten.
    swept: Timestamp,
}

impl AskedFile {
    /// Opens the file, reads it, and writes it anew without what is forgotten by now. A torn last line is none.
    pub(crate) fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Asked>(line).ok());
        let asked: HashMap<_, _> =
            lines.filter(|line| line.counts(now)).map(|line| (line.name(), line)).collect();
        let file = rewrite(path, &asked)?;
        let (lines, stored) = (asked.len(), stored(&asked));
        Ok(Self { path: path.to_owned(), file, lines, asked, stored, swept: now })
    }

    /// What this key of this caller stands for, or it stands for `new` from now on: durable when this returns.
    pub(crate) fn find_or_keep(&mut self, new: Asked) -> io::Result<Asked> {
        if let Some(earlier) = self.asked.get(&new.name()).filter(|earlier| earlier.counts(new.at)) {
            return Ok(earlier.clone());
        }
        self.make_room(&new)?;
        // A line that was cut off by a full disk ends here, and not inside this one.
        let line = format!("\n{}\n", serde_json::to_string(&new)?);
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.lines = self.lines.saturating_add(1);
        self.stored.add(&new.caller, new.bytes());
        if let Some(earlier) = self.asked.insert(new.name(), new.clone()) {
            self.stored.remove(&earlier.caller, earlier.bytes());
        }
        Ok(new)
    }

    /// Forgets what is over when the file has grown or nothing fits any more, and refuses when that is not enough.
    fn make_room(&mut self, new: &Asked) -> io::Result<()> {
        let fits = |stored: &Stored| stored.check(&new.caller, 1, new.bytes());
        let again = new.at >= self.swept.plus_seconds(SWEEP_SECONDS);
        if self.lines >= MAX_REMEMBERED.saturating_mul(2) || (again && fits(&self.stored).is_err()) {
            self.asked.retain(|_, asked| asked.counts(new.at));
            (self.stored, self.swept) = (stored(&self.asked), new.at);
            self.file = rewrite(&self.path, &self.asked)?;
            self.lines = self.asked.len();
        }
        fits(&self.stored)
    }
}

fn stored(asked: &HashMap<(String, String), Asked>) -> Stored {
    Stored::of(asked.values().map(|it| (it.caller.as_str(), it.bytes())))
}

/// What is over is looked for no oftener where nothing fits.
const SWEEP_SECONDS: u64 = 60;

/// Beside, and renamed: the file is there as a whole or as it was.
fn rewrite(path: &Path, asked: &HashMap<(String, String), Asked>) -> io::Result<File> {
    let beside = path.with_extension("keys-part");
    let mut file = File::create(&beside)?;
    for line in asked.values() {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")?;
    }
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn asked(caller: &str, byte: u8, at: Timestamp) -> Asked {
        let (caller, key) = (caller.to_owned(), "k".to_owned());
        Asked { caller, key, asked: Digest([byte; 32]), intent: Bytes::from_static(b"intent"), at }
    }

    #[test]
    fn a04_a_token_s_keys_have_a_bound_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AskedFile::open(&folder.path().join("asked"), NOW).unwrap();
        let long = |caller: &str, key: &str, at| {
            let intent = Bytes::from(vec![7; 12 * 1024 * 1024]);
            Asked { key: key.to_owned(), intent, ..asked(caller, 1, at) }
        };
        for key in ["1", "2"] {
            file.find_or_keep(long("ci", key, NOW)).unwrap();
        }
        let refused = file.find_or_keep(long("ci", "3", NOW)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded);
        assert!(file.find_or_keep(long("pay", "1", NOW)).is_ok(), "another one has room");
        assert!(file.find_or_keep(long("ci", "1", NOW)).is_ok(), "what is known is no further one");
        assert!(file.find_or_keep(long("ci", "3", NOW.plus_seconds(KEY_SECONDS))).is_ok());
    }

    #[test]
    fn d04_a_key_stands_for_what_came_first_through_crashes_and_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asked");
        let mut file = AskedFile::open(&path, NOW).unwrap();
        let first = file.find_or_keep(asked("ci", 1, NOW)).unwrap();
        assert_eq!(file.find_or_keep(asked("ci", 2, NOW)).unwrap(), first);
        assert_eq!(file.find_or_keep(asked("other", 2, NOW)).unwrap().asked, Digest([2; 32]));
        drop(file);
        // The process died in the middle of a line.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"caller\":\"x").unwrap();
        let mut file = AskedFile::open(&path, NOW).unwrap();
        assert_eq!(file.find_or_keep(asked("ci", 3, NOW)).unwrap(), first);
        let tomorrow = NOW.plus_seconds(KEY_SECONDS);
        assert_eq!(file.find_or_keep(asked("ci", 3, tomorrow)).unwrap().asked, Digest([3; 32]));
        drop(file);
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        AskedFile::open(&path, tomorrow).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().lines().count() < lines, "what is forgotten is gone");
    }
}

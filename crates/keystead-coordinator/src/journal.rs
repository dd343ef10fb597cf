//! What the coordinator promised, in a file: a crash between a promise and its end loses nothing and pays
//! nothing twice.
//!
//! The node has the truth about a request; the file says which requests the coordinator promised to send,
//! which nonces they hold, and which of them a caller may ask for again by a key of its own. One JSON object
//! per line, the last line of a request counts, and a torn last line is dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, Bytes};
use keystead_base::{Digest, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Stage, Step};

/// The most requests that are remembered at once.
pub(crate) const MAX_REMEMBERED: usize = 100_000;
/// For so long a key names the same request, and a bundle's id its calls (specs/json-rpc.md).
pub(crate) const KEY_SECONDS: u64 = 24 * 3600;

/// A promise to send one request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promise {
    /// When it was given.
    pub(crate) at: Timestamp,
    /// The place in an account's sequence that the transaction takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Place>,
    /// By which the caller may ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keyed: Option<Keyed>,
    /// The bundle that it is sent with, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<Part>,
}

impl Promise {
    /// The document of the request, where it may be submitted again.
    pub(crate) fn intent(&self) -> Option<&Bytes> {
        let keyed = self.keyed.as_ref().map(|it| &it.intent);
        keyed.or_else(|| self.part.as_ref().map(|it| &it.intent))
    }

    /// Whether a caller may come back for it after it is over.
    fn is_remembered(&self) -> bool {
        self.intent().is_some()
    }
}

/// Account and nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) account: Address,
    pub(crate) nonce: u64,
}

/// A caller's key, what it was first used for, and the very request that came of it: submitting that one
/// again is no second request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keyed {
    pub(crate) key: String,
    pub(crate) asked: Digest,
    /// The intent's document.
    pub(crate) intent: Bytes,
}

/// One call of a bundle (EIP-5792): none of them is sent before all are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Keccak-256 of the bundle's id.
    pub(crate) bundle: Digest,
    /// Its place, from 0.
    pub(crate) index: usize,
    /// How many calls there are.
    pub(crate) of: usize,
    /// The intent's document.
    pub(crate) intent: Bytes,
}

/// What a promise came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Promised {
    /// It is durable.
    New,
    /// Its key names an earlier request; nothing was written.
    Earlier(RequestId, Keyed),
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    request: RequestId,
    stage: Stage,
    /// In the first line of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promise: Option<Promise>,
}

/// A promised request and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) stage: Stage,
    pub(crate) promise: Promise,
    /// Whether no node knew it when it should have arrived: it holds no nonce, until one does.
    pub(crate) lost: bool,
}

/// The open file and what it says.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    entries: BTreeMap<RequestId, Entry>,
    keys: HashMap<String, RequestId>,
    bundles: HashMap<Digest, Vec<RequestId>>,
}

impl Journal {
    /// Opens the file, reads it, and writes it anew without what is over.
    pub(crate) fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let mut entries = match std::fs::read_to_string(path) {
            Ok(text) => parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        entries.retain(|_, entry| entry.counts(now));
        let file = rewrite(path, &entries)?;
        let keys = entries.iter().filter_map(|(id, entry)| Some((entry.key()?.to_owned(), *id))).collect();
        let bundles = bundles(&entries);
        Ok(Self { path: path.to_owned(), file, lines: entries.len(), entries, keys, bundles })
    }

    /// Promises to send a request: durable before the request goes to a node. A key that names an earlier
    /// request is looked up in the same breath, so that two callers never both begin.
    pub(crate) fn promise(&mut self, request: RequestId, promise: Promise) -> io::Result<Promised> {
        if let Some((earlier, keyed)) = promise.keyed.as_ref().and_then(|it| self.keyed(&it.key)) {
            return Ok(Promised::Earlier(earlier, keyed));
        }
        if self.entries.contains_key(&request) {
            return Ok(Promised::New);
        }
        self.make_room(promise.at)?;
        let entry = Entry { stage: Stage::Submitted, promise, lost: false };
        self.append(&first_line(request, &entry)?)?;
        self.file.sync_data()?;
        self.keys.extend(entry.key().map(|key| (key.to_owned(), request)));
        self.entries.insert(request, entry);
        Ok(Promised::New)
    }

    /// Promises to send all of these or none, durable before the first of them goes to a node. False when their
    /// bundle is known already.
    pub(crate) fn promise_all(&mut self, parts: Vec<(RequestId, Promise)>) -> io::Result<bool> {
        let mut lines = Vec::new();
        for (request, promise) in &parts {
            let is_known = |part: &Part| self.bundles.contains_key(&part.bundle);
            if promise.part.as_ref().is_some_and(is_known) {
                return Ok(false);
            }
            self.make_room(promise.at)?;
            let entry = Entry { stage: Stage::Submitted, promise: promise.clone(), lost: false };
            lines.push((*request, first_line(*request, &entry)?, entry));
        }
        for (_, line, _) in &lines {
            self.append(line)?;
        }
        self.file.sync_data()?;
        for (request, _, entry) in lines {
            let bundle = entry.promise.part.as_ref().map(|part| part.bundle);
            bundle.into_iter().for_each(|it| self.bundles.entry(it).or_default().push(request));
            self.entries.insert(request, entry);
        }
        Ok(true)
    }

    /// The requests of a bundle in their order.
    pub(crate) fn bundle(&self, bundle: &Digest) -> Vec<(RequestId, Entry)> {
        let requests = self.bundles.get(bundle).into_iter().flatten();
        let mut parts: Vec<_> =
            requests.filter_map(|it| Some((*it, self.entries.get(it)?.clone()))).collect();
        parts.sort_by_key(|(_, entry)| entry.promise.part.as_ref().map(|part| part.index));
        parts
    }

    /// Moves a request on; what its table does not know changes nothing. What is only news of the node's
    /// is not forced to the disk: the node would tell it again.
    pub(crate) fn step(&mut self, request: RequestId, step: Step) -> io::Result<()> {
        let Some(entry) = self.entries.get_mut(&request) else { return Ok(()) };
        let Some(stage) = entry.stage.after(step).filter(|stage| *stage != entry.stage) else {
            return Ok(());
        };
        (entry.stage, entry.lost) = (stage, false);
        let remembered = entry.promise.is_remembered();
        if stage.is_final() && !remembered {
            self.entries.remove(&request);
        }
        self.append(&line(&Line { request, stage, promise: None })?)
    }

    /// No node knows a request that should have arrived. It may wait where nothing is decided now: it is looked after
    /// on, and others may take its nonce; the log gives it to one of them.
    pub(crate) fn lose(&mut self, request: &RequestId) {
        if let Some(entry) = self.entries.get_mut(request) {
            entry.lost = true;
        }
    }

    /// What has to be looked after.
    pub(crate) fn pending(&self) -> Vec<(RequestId, Entry)> {
        let alive = self.entries.iter().filter(|(_, entry)| !entry.stage.is_final());
        alive.map(|(request, entry)| (*request, entry.clone())).collect()
    }

    /// Where a promised request stands.
    pub(crate) fn stage(&self, request: &RequestId) -> Option<Stage> {
        self.entries.get(request).map(|entry| entry.stage)
    }

    /// The request that a key names.
    pub(crate) fn keyed(&self, key: &str) -> Option<(RequestId, Keyed)> {
        let request = self.keys.get(key)?;
        Some((*request, self.entries.get(request)?.promise.keyed.clone()?))
    }

    /// Whether a request is a part of a bundle: it is sent with the others or not at all.
    pub(crate) fn is_part(&self, request: &RequestId) -> bool {
        self.entries.get(request).is_some_and(|entry| entry.promise.part.is_some())
    }

    /// The nonces of an account that are held by requests which are still alive.
    pub(crate) fn held(&self, account: Address) -> BTreeSet<u64> {
        let alive = self.entries.values().filter(|entry| !entry.stage.is_final() && !entry.lost);
        let places = alive.filter_map(|entry| entry.promise.place);
        places.filter(|place| place.account == account).map(|place| place.nonce).collect()
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines = self.lines.saturating_add(1);
        // A line that was cut off by a full disk ends here, and not inside this one.
        self.file.write_all(&[b"\n".as_slice(), line].concat())
    }

    /// Forgets what is over when the file has grown, and refuses when that is not enough.
    fn make_room(&mut self, now: Timestamp) -> io::Result<()> {
        let long = self.lines > LINES_PER_ENTRY.saturating_mul(self.entries.len()).max(MIN_LINES);
        if long || self.entries.len() >= MAX_REMEMBERED {
            let before = self.entries.len();
            self.entries.retain(|_, entry| entry.counts(now));
            let entries = &self.entries;
            self.keys.retain(|_, request| entries.contains_key(request));
            self.bundles = bundles(entries);
            // A full journal in which nothing is over is not written anew for every caller.
            if long || self.entries.len() < before {
                self.file = rewrite(&self.path, &self.entries)?;
                self.lines = self.entries.len();
            }
        }
        match self.entries.len() >= MAX_REMEMBERED {
            true => Err(io::Error::new(io::ErrorKind::StorageFull, "too many requests wait to be sent")),
            false => Ok(()),
        }
    }
}

impl Entry {
    fn key(&self) -> Option<&str> {
        self.promise.keyed.as_ref().map(|keyed| keyed.key.as_str())
    }

    fn counts(&self, now: Timestamp) -> bool {
        let remembered = self.promise.is_remembered();
        !self.stage.is_final() || (remembered && now < self.promise.at.plus_seconds(KEY_SECONDS))
    }
}

fn parse(text: &str) -> BTreeMap<RequestId, Entry> {
    let mut entries: BTreeMap<RequestId, Entry> = BTreeMap::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        let promise = line.promise.or_else(|| entries.remove(&line.request).map(|entry| entry.promise));
        let promise = promise.unwrap_or_default();
        entries.insert(line.request, Entry { stage: line.stage, promise, lost: false });
    }
    entries
}

fn bundles(entries: &BTreeMap<RequestId, Entry>) -> HashMap<Digest, Vec<RequestId>> {
    let mut bundles: HashMap<Digest, Vec<RequestId>> = HashMap::new();
    for (request, entry) in entries {
        if let Some(part) = &entry.promise.part {
            bundles.entry(part.bundle).or_default().push(*request);
        }
    }
    bundles
}

fn first_line(request: RequestId, entry: &Entry) -> io::Result<Vec<u8>> {
    line(&Line { request, stage: entry.stage, promise: Some(entry.promise.clone()) })
}

fn line(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Beside, and renamed: the file is there as a whole or as it was. Gives it open for further lines.
fn rewrite(path: &Path, entries: &BTreeMap<RequestId, Entry>) -> io::Result<File> {
    let beside = path.with_extension("part");
    let mut file = File::create(&beside)?;
    for (request, entry) in entries {
        file.write_all(&first_line(*request, entry)?)?;
    }
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // A promise in a file whose name is lost would be lost with it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    OpenOptions::new().append(true).open(path)
}

/// A request has three or four lines in its life.
const LINES_PER_ENTRY: usize = 8;
/// A file with fewer lines is not written anew.
const MIN_LINES: usize = 4096;

#[cfg(test)]
mod tests;

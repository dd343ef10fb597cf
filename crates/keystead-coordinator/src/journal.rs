//! What the coordinator promised, in a file: a crash between a promise and its end loses nothing and pays
//! nothing twice.
//!
//! The node has the truth about a request; the file says which requests the coordinator promised to send,
//! which nonces they hold, and which of them a caller may ask for again by a key of its own. One JSON object
//! per line, the last line of a request counts, and a torn last line is dropped.

mod promise;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use keystead_base::{Digest, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use self::promise::{Keyed, Part, Place, Promise, Promised};
use crate::stored::Stored;
use crate::{Stage, Step};

/// For so long a key names the same request, and a bundle's id its calls (specs/json-rpc.md).
pub(crate) const KEY_SECONDS: u64 = 24 * 3600;

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

/// A line of several, which count together.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    together: Vec<Line>,
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
    stored: Stored,
    /// When what is over was last forgotten.
    swept: Timestamp,
}

impl Journal {
    /// Opens the file, reads it, and writes it anew without what is over.
    pub(crate) fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let mut entries = match std::fs::read_to_string(path) {
            Ok(text) => parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        retain(&mut entries, now);
        let file = rewrite(path, &entries)?;
        let keys = entries.iter().filter_map(|(id, entry)| Some((entry.key()?.to_owned(), *id))).collect();
        let (bundles, stored) = (bundles(&entries), stored(&entries));
        let lines = entries.len();
        Ok(Self { path: path.to_owned(), file, lines, entries, keys, bundles, stored, swept: now })
    }

    /// Promises to send a request: durable before the request goes to a node. A key that names an earlier
    /// request is looked up in the same breath, so that two callers never both begin.
    pub(crate) fn promise(&mut self, request: RequestId, promise: Promise) -> io::Result<Promised> {
        if let Some((earlier, keyed)) = promise.keyed.as_ref().and_then(|it| self.keyed(&it.key)) {
            return Ok(Promised::Earlier(earlier, keyed));
        }
        if let Some(entry) = self.entries.get_mut(&request) {
            // It was given up for lost, and is asked for again.
            entry.lost = false;
            return Ok(Promised::New);
        }
        self.make_room(promise.at, &promise.owner, (1, promise.bytes()))?;
        let entry = Entry { stage: Stage::Submitted, promise, lost: false };
        self.append(&first_line(request, &entry)?)?;
        self.file.sync_data()?;
        self.keys.extend(entry.key().map(|key| (key.to_owned(), request)));
        self.enter(request, entry);
        Ok(Promised::New)
    }

    /// Promises to send all of these or none, durable before the first of them goes to a node. False when their
    /// bundle is known already.
    pub(crate) fn promise_all(&mut self, parts: Vec<(RequestId, Promise)>) -> io::Result<bool> {
        let is_known = |part: &Part| self.bundles.contains_key(&part.bundle);
        if parts.iter().any(|(_, promise)| promise.part.as_ref().is_some_and(is_known)) {
            return Ok(false);
        }
        if let Some((_, first)) = parts.first() {
            let bytes = parts.iter().map(|(_, promise)| promise.bytes()).sum();
            self.make_room(first.at, &first.owner, (parts.len(), bytes))?;
        }
        let stage = Stage::Submitted;
        let line = |(request, promise)| Line { request, stage, promise: Some(promise) };
        self.append_together(parts.iter().cloned().map(line).collect())?;
        for (request, promise) in parts {
            let bundle = promise.part.as_ref().map(|part| part.bundle);
            bundle.into_iter().for_each(|it| self.bundles.entry(it).or_default().push(request));
            self.enter(request, Entry { stage, promise, lost: false });
        }
        Ok(true)
    }

    /// INVARIANT S2: one line, which a crash leaves whole or cuts off: no part of a bundle is ever promised alone. What a
    /// failing disk may have taken of it is written away again.
    fn append_together(&mut self, together: Vec<Line>) -> io::Result<()> {
        let line = line(&Lines { together })?;
        let written = self.append(&line).and_then(|()| self.file.sync_data());
        if written.is_err() {
            self.file = rewrite(&self.path, &self.entries)?;
            self.lines = self.entries.len();
        }
        written
    }

    fn enter(&mut self, request: RequestId, entry: Entry) {
        self.stored.add(&entry.promise.owner, entry.promise.bytes());
        self.entries.insert(request, entry);
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
        if stage.is_final() && !entry.promise.is_remembered() {
            self.stored.remove(&entry.promise.owner, entry.promise.bytes());
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

    /// Room for so many more requests of an owner and their bytes. Forgets what is over when the file has grown or
    /// nothing fits any more, and refuses when that is not enough.
    fn make_room(&mut self, now: Timestamp, owner: &str, (count, bytes): (usize, usize)) -> io::Result<()> {
        let long = self.lines > LINES_PER_ENTRY.saturating_mul(self.entries.len()).max(MIN_LINES);
        // A full journal in which nothing is over is not gone through for every caller.
        let again = now >= self.swept.plus_seconds(SWEEP_SECONDS);
        if long || (again && self.stored.check(owner, count, bytes).is_err()) {
            self.forget(now, long)?;
        }
        self.stored.check(owner, count, bytes)
    }

    fn forget(&mut self, now: Timestamp, long: bool) -> io::Result<()> {
        let before = self.entries.len();
        retain(&mut self.entries, now);
        let entries = &self.entries;
        self.keys.retain(|_, request| entries.contains_key(request));
        (self.bundles, self.stored, self.swept) = (bundles(entries), stored(entries), now);
        if long || self.entries.len() < before {
            self.file = rewrite(&self.path, &self.entries)?;
            self.lines = self.entries.len();
        }
        Ok(())
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
    for line in text.lines().flat_map(read) {
        let promise = line.promise.or_else(|| entries.remove(&line.request).map(|entry| entry.promise));
        let promise = promise.unwrap_or_default();
        entries.insert(line.request, Entry { stage: line.stage, promise, lost: false });
    }
    entries
}

/// A line's parts; none of one that was cut off.
fn read(line: &str) -> Vec<Line> {
    match serde_json::from_str(line) {
        Ok(line) => vec![line],
        Err(_) => serde_json::from_str(line).map(|it: Lines| it.together).unwrap_or_default(),
    }
}

/// What counts; of a bundle all parts, as long as one does.
fn retain(entries: &mut BTreeMap<RequestId, Entry>, now: Timestamp) {
    let counting = entries.values().filter(|entry| entry.counts(now));
    let whole: HashSet<Digest> =
        counting.filter_map(|entry| Some(entry.promise.part.as_ref()?.bundle)).collect();
    entries.retain(|_, entry| match &entry.promise.part {
        Some(part) => whole.contains(&part.bundle),
        None => entry.counts(now),
    });
}

fn stored(entries: &BTreeMap<RequestId, Entry>) -> Stored {
    Stored::of(entries.values().map(|entry| (entry.promise.owner.as_str(), entry.promise.bytes())))
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

fn line(line: &impl Serialize) -> io::Result<Vec<u8>> {
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
/// What is over is looked for no oftener where nothing fits.
const SWEEP_SECONDS: u64 = 60;

#[cfg(test)]
mod tests;

//! Clock, randomness and files: the places where this program touches its machine.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use keystead_base::{Canonical, RequestNonce, Secret, Timestamp};
use keystead_keys::MAX_PASSPHRASE_BYTES;

use crate::failure::Failure;

pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Fills a buffer from the kernel. Without randomness nothing can go on safely: the process ends.
pub(crate) fn fill(bytes: &mut [u8]) {
    let filled = getrandom::fill(bytes);
    assert!(filled.is_ok(), "the kernel gives no randomness");
}

pub(crate) fn fresh_nonce() -> RequestNonce {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    RequestNonce(bytes)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::file(path, &error))
}

pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))
}

/// The files of a folder that end in `.json`, by name; none where there is no such folder.
pub(crate) fn json_files(folder: &Path, limit: usize) -> Result<Vec<PathBuf>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::file(folder, &error)),
    };
    let paths = entries.map(|entry| entry.map(|it| it.path()).map_err(|error| Failure::file(folder, &error)));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|it| it == "json"));
    paths.sort();
    match paths.len() <= limit {
        true => Ok(paths),
        false => Err(Failure::usage(
            format!("{} holds {} files, and at most {limit} are read", folder.display(), paths.len()),
            "take out those that no policy names",
        )),
    }
}

pub(crate) fn document<T: Canonical>(path: &Path) -> Result<T, Failure> {
    T::from_document(&read(path)?).map_err(|error| {
        let Failure { code, what, next } = Failure::from(error);
        Failure { code, what: format!("{}: {what}", path.display()), next }
    })
}

/// A passphrase file: one line break at its end is not part of it.
pub(crate) fn passphrase(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    let mut bytes = Secret::new(read(path)?);
    if bytes.expose().ends_with(b"\n") {
        bytes.expose_mut().pop();
    }
    match bytes.expose().len() {
        1..=MAX_PASSPHRASE_BYTES => Ok(bytes),
        found => Err(Failure::usage(
            format!(
                "{}: expected 1 to {MAX_PASSPHRASE_BYTES} bytes of passphrase, found {found}",
                path.display()
            ),
            "put the passphrase alone into the file",
        )),
    }
}

/// Writes a file, or finds the same one there.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path.exists() && read(path)? == bytes {
        return Ok(());
    }
    create(path, bytes)
}

/// Writes a new file that everybody may read; an existing one is never written over.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(path, bytes, 0o644)
}

/// Writes a new file that only its owner may read.
pub(crate) fn create_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(path, bytes, 0o600)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let write = || {
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| Failure::file(path, &error))
}

/// Writes beside and renames: readers see the old file or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let beside = path.with_extension("part");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // A name that the folder forgets in a crash is a file that is lost.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| Failure::file(path, &error))
}

/// Waits until nobody else changes a file that is replaced, and lets nobody else until this is dropped.
pub(crate) fn lock(path: &Path) -> Result<File, Failure> {
    let beside = path.with_extension("lock");
    let take = || {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&beside)?;
        file.lock().map(|()| file)
    };
    take().map_err(|error| Failure::file(&beside, &error))
}

/// A folder that only its owner may enter.
pub(crate) fn private_folder(path: &Path) -> Result<(), Failure> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::file(path, &error))
}

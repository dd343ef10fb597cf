//! What people bring to the seed of a key, in the folder of the node that is to be its home: the machine's promise, their rolls
//! until the key is born, and afterwards the sealed openings.

use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use keystead_base::{Canonical as _, Digest, Name};
use keystead_intent::KeyKind;
use keystead_keys::Sealed;
use keystead_signing::{Brought, ClientError, EntropyPromise, Refusal, Source};

use crate::NodeError;
use crate::signer::Signer;

/// The folder `rolls` in a node's data: `hot.dice` is for the key `hot`.
#[derive(Clone, Debug)]
pub struct RollsFolder(PathBuf);

impl RollsFolder {
    /// Of the node with this folder of data.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self(data.join("rolls"))
    }

    /// The folder itself: where it is there, the node promises.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file of one source for a key.
    #[must_use]
    pub fn file(&self, key: &Name, source: Source) -> PathBuf {
        self.0.join(format!("{key}.{source}"))
    }

    /// What the machine promised and is bound to until a key is born; none where it promised nothing yet.
    ///
    /// # Errors
    ///
    /// What the system says, or what is wrong with the document.
    pub fn promise(&self) -> Result<Option<EntropyPromise>, NodeError> {
        let path = self.0.join(PROMISE);
        match std::fs::read(&path) {
            Ok(bytes) => EntropyPromise::from_document(&bytes)
                .map(Some)
                .map_err(|error| NodeError::Document { path, error }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(NodeError::File { path, error }),
        }
    }

    /// What a file of one source has: the promise that people were shown, and what they brought.
    pub fn write(out: &mut String, promise: &Digest, text: &str) {
        for part in ["promise ", &promise.to_string(), "\n", text, "\n"] {
            out.push_str(part);
        }
    }

    fn is_asked(&self) -> bool {
        self.0.is_dir() && !self.0.join(PROMISE).exists()
    }

    fn keep_promise(&self, promise: &EntropyPromise) -> Result<(), NodeError> {
        self.put(&self.0.join(PROMISE), &promise.to_document())
    }

    /// The promised part is gone: used, or with the enclave that drew it.
    pub(crate) fn withdraw(&self) -> Result<(), NodeError> {
        let path = self.0.join(PROMISE);
        match std::fs::remove_file(&path).and_then(|()| sync_folder(&path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(NodeError::File { path, error }),
            _ => Ok(()),
        }
    }

    /// What lies there for a key, each source in its order, and the promise that all of it goes with.
    ///
    /// # Errors
    ///
    /// INVARIANT E1: what cannot be read refuses the ceremony: whoever rolled is not to get a key without their rolls.
    pub(crate) fn read(&self, key: &Name) -> Result<Option<(Digest, Vec<Brought>)>, ClientError> {
        let (mut promised, mut brought) = (None, Vec::new());
        for source in SOURCES {
            let path = self.file(key, source);
            let (promise, found) = match read(&path, source) {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&path, &error.to_string())),
            };
            if promised.replace(promise).is_some_and(|it| it != promise) {
                return Err(unreadable(&path, "another source of this key was made for another promise"));
            }
            brought.push(found);
        }
        Ok(promised.map(|promise| (promise, brought)))
    }

    /// Refuses a key that takes none, where people brought some for it.
    pub(crate) fn none_for(&self, key: &Name) -> Result<(), ClientError> {
        self.read(key)?.map_or(Ok(()), |_| Err(unused(key)))
    }

    /// The key is born and sealed: what people brought is overwritten and gone, as far as a disk forgets.
    pub(crate) fn forget(&self, key: &Name) -> Result<(), NodeError> {
        SOURCES.into_iter().try_for_each(|source| erase(self.file(key, source)))
    }

    /// The key is wiped: nothing of its birth stays.
    pub(crate) fn wipe(&self, key: &Name) -> Result<(), NodeError> {
        self.forget(key)?;
        [SEALED, OPENED].into_iter().try_for_each(|ending| erase(self.0.join(format!("{key}.{ending}"))))
    }

    pub(crate) fn keep_openings(&self, key: &Name, openings: &Sealed) -> Result<(), NodeError> {
        self.put(&self.0.join(format!("{key}.{SEALED}")), &openings.to_document())
    }

    fn openings(&self, key: &Name) -> Option<Sealed> {
        let bytes = std::fs::read(self.0.join(format!("{key}.{SEALED}"))).ok()?;
        Sealed::from_document(&bytes).ok()
    }

    fn keep_opened(&self, key: &Name, file: &[u8]) -> Result<(), NodeError> {
        self.put(&self.0.join(format!("{key}.{OPENED}")), file)
    }

    /// Whole or not at all, for the owner of the node's files alone.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
        let beside = path.with_extension("part");
        let write = || {
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, path)?;
            sync_folder(path)
        };
        write().map_err(|error| NodeError::File { path: path.to_owned(), error })
    }
}

impl Signer {
    /// Promises where people ask for it: by the folder that `keystead entropy roll` makes.
    pub(crate) fn promise_where_asked(&mut self) -> Result<(), NodeError> {
        if !self.home.rolls.is_asked() {
            return Ok(());
        }
        let promised = self.pour().and_then(|()| Ok(self.enclave.promise()?));
        match promised.and_then(|it| self.home.rolls.keep_promise(&it)) {
            Ok(()) => Ok(()),
            Err(NodeError::Enclave(error)) if !matches!(error, ClientError::Refused(_)) => Err(error.into()),
            Err(error) => {
                self.shared.postponed("the promise of a seed's part", &error);
                Ok(())
            }
        }
    }

    /// A folder that cannot be written stops no node; people see that something of a key's birth is left there.
    pub(crate) fn forget_rolls(&self, key: &Name) {
        if let Err(error) = self.home.rolls.forget(key) {
            self.shared.postponed("the end of what people rolled", &error);
        }
    }

    /// The same of a key that is wiped.
    pub(crate) fn wipe_rolls(&self, key: &Name) {
        if let Err(error) = self.home.rolls.wipe(key) {
            self.shared.postponed("the end of a seed's openings", &error);
        }
    }

    /// Those who get the key get what its receipt's commitments open to. A backup does not fail for it.
    pub(crate) fn open_seed(
        &mut self,
        key: &Name,
        certificate: keystead_decision::Certificate,
    ) -> Result<(), NodeError> {
        let Some(openings) = self.home.rolls.openings(key) else { return Ok(()) };
        let opened = self.enclave.open_seed(keystead_signing::SeedToOpen { certificate, openings });
        match opened.map_err(NodeError::from).and_then(|file| self.home.rolls.keep_opened(key, &file)) {
            Ok(()) => Ok(()),
            Err(NodeError::Enclave(error)) if !matches!(error, ClientError::Refused(_)) => Err(error.into()),
            Err(error) => {
                self.shared.postponed("the openings of a seed", &error);
                Ok(())
            }
        }
    }
}

fn read(path: &Path, source: Source) -> std::io::Result<(Digest, Brought)> {
    let mut text = String::with_capacity(MAX_FILE_BYTES);
    std::fs::File::open(path)?.take(MAX_FILE_BYTES as u64).read_to_string(&mut text)?;
    // Wiped as every other when it goes out of scope.
    let whole = Brought { source, text };
    let promise = whole.text.strip_prefix("promise ").and_then(|it| it.split_once('\n'));
    let parsed = promise.and_then(|(digest, rest)| Some((digest.trim().parse().ok()?, rest)));
    let Some((promise, rest)) = parsed else {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "its first line is no promise"));
    };
    Ok((promise, Brought { source, text: rest.to_owned() }))
}

fn unreadable(path: &Path, what: &str) -> ClientError {
    refused(format!("{}: {what}; remove it, roll anew, and ask for the key again", path.display()))
}

/// Whether what people bring is mixed into the seed of such a key.
pub(crate) fn takes_rolls(kind: KeyKind) -> bool {
    match kind {
        KeyKind::HdSecp256k1 => true,
        KeyKind::HdMlDsa65
        | KeyKind::TokenSecp256k1
        | KeyKind::ThresholdSecp256k1
        | KeyKind::ThresholdBip340
        | KeyKind::ThresholdEd25519 => false,
    }
}

/// For a key that takes none.
pub(crate) fn unused(key: &Name) -> ClientError {
    refused(format!(
        "keys in tokens, in shares and of ML-DSA-65 take nothing of what people rolled, and `{key}` is to be one; remove \
         the rolls, or ask for a key of secp256k1 in the enclave"
    ))
}

fn refused(text: String) -> ClientError {
    ClientError::Refused(Refusal { code: UNUSED_ROLLS.to_owned(), text })
}

/// A name that was made or taken away is durable with its folder.
fn sync_folder(of: &Path) -> std::io::Result<()> {
    of.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

fn erase(path: PathBuf) -> Result<(), NodeError> {
    let over = || {
        let mut file = match std::fs::OpenOptions::new().write(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let length = file.metadata()?.len();
        file.rewind()?;
        std::io::copy(&mut std::io::repeat(0).take(length), &mut file)?;
        file.sync_all()?;
        std::fs::remove_file(&path)?;
        sync_folder(&path)
    };
    over().map_err(|error| NodeError::File { path: path.clone(), error })
}

/// Of rolls that no key is made with.
pub(crate) const UNUSED_ROLLS: &str = "entropy.rolls";
/// What people bring, in the order in which it is mixed.
const SOURCES: [Source; 3] = [Source::Dice, Source::Coins, Source::File];
const PROMISE: &str = "promise";
const SEALED: &str = "openings";
/// An age file.
const OPENED: &str = "openings.age";
/// More than the most samples of a file take in hexadecimal.
const MAX_FILE_BYTES: usize = 160 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, RollsFolder, [Name; 2]) {
        let data = tempfile::tempdir().unwrap();
        let folder = RollsFolder::new(data.path());
        std::fs::create_dir(folder.path()).unwrap();
        (data, folder, ["hot", "cold"].map(|it| it.parse().unwrap()))
    }

    fn lay(folder: &RollsFolder, key: &Name, source: Source, promise: u8, text: &str) {
        let mut kept = String::new();
        RollsFolder::write(&mut kept, &Digest([promise; 32]), text);
        std::fs::write(folder.file(key, source), kept).unwrap();
    }

    #[test]
    fn e1_what_people_brought_is_read_for_its_key_alone_and_forgotten_once_it_is_born() {
        let (_data, folder, [hot, cold]) = folder();
        assert!(folder.read(&hot).unwrap().is_none());
        lay(&folder, &hot, Source::Coins, 7, "ht");
        lay(&folder, &hot, Source::Dice, 7, "123");
        let (promise, brought) = folder.read(&hot).unwrap().unwrap();
        let named: Vec<_> = brought.iter().map(|it| (it.source, it.text.trim())).collect();
        assert_eq!(
            (promise.0[0], named.as_slice()),
            (7, &[(Source::Dice, "123"), (Source::Coins, "ht")][..])
        );
        assert!(folder.read(&cold).unwrap().is_none());
        folder.forget(&hot).unwrap();
        assert!(folder.read(&hot).unwrap().is_none());
    }

    #[test]
    fn e1_what_cannot_be_read_or_goes_with_two_promises_gives_no_key() {
        let (_data, folder, [hot, _]) = folder();
        let refused = || match folder.read(&hot) {
            Err(ClientError::Refused(refusal)) => refusal.code,
            other => panic!("{other:?}"),
        };
        std::fs::write(folder.file(&hot, Source::Dice), "123").unwrap();
        assert_eq!(refused(), "entropy.rolls", "no promise");
        lay(&folder, &hot, Source::Dice, 7, "123");
        lay(&folder, &hot, Source::Coins, 8, "ht");
        assert_eq!(refused(), "entropy.rolls", "two promises");
        folder.forget(&hot).unwrap();
        std::fs::create_dir(folder.file(&hot, Source::Dice)).unwrap();
        assert_eq!(refused(), "entropy.rolls", "no file");
    }

    #[test]
    fn e1_a_key_that_takes_no_rolls_is_refused_where_some_lie() {
        let (_data, folder, [hot, cold]) = folder();
        lay(&folder, &hot, Source::Dice, 7, "123");
        folder.none_for(&cold).unwrap();
        match folder.none_for(&hot) {
            Err(ClientError::Refused(refusal)) => assert_eq!(refusal.code, "entropy.rolls"),
            other => panic!("{other:?}"),
        }
        folder.forget(&hot).unwrap();
        folder.none_for(&hot).unwrap();
        assert!(takes_rolls(KeyKind::HdSecp256k1));
        let others = [
            KeyKind::HdMlDsa65,
            KeyKind::TokenSecp256k1,
            KeyKind::ThresholdSecp256k1,
            KeyKind::ThresholdBip340,
            KeyKind::ThresholdEd25519,
        ];
        assert!(!others.into_iter().any(takes_rolls));
    }

    #[test]
    fn of_a_wiped_key_nothing_of_its_birth_is_left() {
        let (_data, folder, [hot, _]) = folder();
        lay(&folder, &hot, Source::Dice, 7, "123");
        folder.keep_opened(&hot, b"opened").unwrap();
        std::fs::write(folder.path().join("hot.openings"), "sealed").unwrap();
        folder.wipe(&hot).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_promise_is_made_where_the_folder_asks_for_it_and_withdrawn() {
        let (_data, folder, _) = folder();
        assert!(folder.is_asked() && folder.promise().unwrap().is_none());
        folder.keep_promise(&EntropyPromise { sources: Vec::new() }).unwrap();
        assert!(!folder.is_asked() && folder.promise().unwrap().is_some());
        folder.withdraw().unwrap();
        folder.withdraw().unwrap();
        assert!(folder.is_asked());
    }
}

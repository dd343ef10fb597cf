//! Tokens that are scoped and that end. What is kept of one is its digest, in a file that is read anew when it changes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::keccak256;
use keystead_base::{Digest, Name, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::CoordinatorError;

/// The most tokens of one file.
pub const MAX_TOKENS: usize = 1000;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look.
    Read,
    /// To ask for signatures, by REST.
    Request,
    /// To hand in what people have signed.
    Approve,
    /// JSON-RPC, all of it.
    Rpc,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Request, Self::Approve, Self::Rpc];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Rpc => "rpc",
        }
    }
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Whose it is; each name once.
    pub name: Name,
    /// Keccak-256 of the token.
    pub digest: Digest,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// For which keys alone; for all of them when none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Name>,
    /// When it ends.
    pub expires: Timestamp,
}

impl TokenRecord {
    /// A token from 32 random bytes, and what is kept of it.
    #[must_use]
    pub fn mint(
        name: Name,
        (scopes, keys): (Vec<Scope>, Vec<Name>),
        expires: Timestamp,
        random: &Secret<[u8; 32]>,
    ) -> (Secret<String>, Self) {
        let token = Secret::new(format!("{PREFIX}{}", const_hex::encode(random.expose())));
        let digest = Digest(keccak256(token.expose()).0);
        (token, Self { name, digest, scopes, keys, expires })
    }
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFile {
    /// The tokens.
    pub tokens: Vec<TokenRecord>,
}

impl TokenFile {
    /// Reads the file's JSON.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Tokens`]: unknown fields, too many tokens, a name that stands twice, or a token that is limited
    /// to keys and good for what knows no such limit: JSON-RPC and approvals.
    pub fn parse(json: &str) -> Result<Self, CoordinatorError> {
        let file: Self = serde_json::from_str(json).map_err(|error| unfit(error.to_string()))?;
        file.check()?;
        Ok(file)
    }

    /// Whether it may be used.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Tokens`], as for [`Self::parse`].
    pub fn check(&self) -> Result<(), CoordinatorError> {
        if self.tokens.len() > MAX_TOKENS {
            return Err(unfit(format!("at most {MAX_TOKENS} tokens, found {}", self.tokens.len())));
        }
        for (at, token) in self.tokens.iter().enumerate() {
            if self.tokens.iter().take(at).any(|other| other.name == token.name) {
                return Err(unfit(format!("the name `{}` stands twice", token.name)));
            }
            let knows_no_keys = |scope: &&Scope| matches!(scope, Scope::Rpc | Scope::Approve);
            if let Some(scope) = token.scopes.iter().find(knows_no_keys).filter(|_| !token.keys.is_empty()) {
                let what = "is limited to keys, and knows no such limit in scope";
                return Err(unfit(format!("`{}` {what} `{}`", token.name, scope.word())));
            }
        }
        Ok(())
    }
}

fn unfit(reason: String) -> CoordinatorError {
    CoordinatorError::Tokens { reason }
}

/// The file as a server knows it.
#[derive(Debug)]
pub struct Shelf {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    seen: Option<Seen>,
    tokens: Vec<Arc<TokenRecord>>,
}

/// By which a file is known to be another one.
type Seen = (u64, i64, i64, u64);

impl Shelf {
    /// Takes the file; it may not exist yet.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Tokens`] when what is there cannot be used.
    pub fn open(path: &Path) -> Result<Self, CoordinatorError> {
        let shelf = Self { path: path.to_owned(), kept: Mutex::default() };
        shelf.refresh(&mut shelf.kept.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(shelf)
    }

    /// The token that was shown, unless it has ended or nobody knows it.
    pub(crate) fn find(&self, shown: &[u8], now: Timestamp) -> Option<Arc<TokenRecord>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.refresh(&mut kept).is_err() {
            // A file that cannot be read lets nobody in.
            *kept = Kept::default();
        }
        let digest = keccak256(shown);
        let known = kept.tokens.iter().find(|token| bool::from(token.digest.0.ct_eq(&digest.0)))?;
        (now < known.expires).then(|| Arc::clone(known))
    }

    fn refresh(&self, kept: &mut Kept) -> Result<(), CoordinatorError> {
        let seen = match std::fs::metadata(&self.path) {
            Ok(it) => Some((it.ino(), it.mtime(), it.mtime_nsec(), it.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(unfit(error.to_string())),
        };
        if seen.is_some() && seen == kept.seen {
            return Ok(());
        }
        let file = match seen {
            Some(_) => std::fs::read_to_string(&self.path).map_err(|error| unfit(error.to_string()))?,
            None => String::from("{\"tokens\":[]}"),
        };
        let tokens = TokenFile::parse(&file)?.tokens.into_iter().map(Arc::new).collect();
        *kept = Kept { seen, tokens };
        Ok(())
    }
}

/// By which scanners of published files find a token that leaked.
const PREFIX: &str = "kst_";

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn minted(name: &str, byte: u8) -> (Secret<String>, TokenRecord) {
        let scopes = (vec![Scope::Read], Vec::new());
        TokenRecord::mint(name.parse().unwrap(), scopes, NOW.plus_seconds(10), &Secret::new([byte; 32]))
    }

    fn write(path: &Path, tokens: Vec<TokenRecord>) {
        let beside = path.with_extension("part");
        std::fs::write(&beside, serde_json::to_vec(&TokenFile { tokens }).unwrap()).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    #[test]
    fn a04_a_token_is_known_until_it_ends_or_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let shelf = Shelf::open(&path).unwrap();
        let ((token, record), (other, _)) = (minted("ci", 1), minted("other", 2));
        let find = |shown: &Secret<String>, at: Timestamp| shelf.find(shown.expose().as_bytes(), at);
        assert_eq!(find(&token, NOW), None, "no file, no tokens");
        write(&path, vec![record.clone()]);
        assert_eq!(find(&token, NOW).as_deref(), Some(&record), "a file that changed is read again");
        assert_eq!(find(&token, NOW.plus_seconds(10)), None, "it has ended");
        assert_eq!(find(&other, NOW), None);
        write(&path, Vec::new());
        assert_eq!(find(&token, NOW), None, "taken back");
        write(&path, vec![record]);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(find(&token, NOW), None, "a file that cannot be read lets nobody in");
    }

    #[test]
    fn k01_what_is_kept_of_a_token_is_not_the_token() {
        let (token, record) = minted("ci", 1);
        let kept = serde_json::to_string(&record).unwrap();
        assert!(token.expose().starts_with("kst_") && !kept.contains(&token.expose()[4..]));
        assert!(!format!("{token:?}").contains(&token.expose()[4..]));
    }

    #[test]
    fn a_file_that_says_too_much_is_refused() {
        let record = minted("ci", 1).1;
        let keys = || vec!["hot".parse().unwrap()];
        let limited = |scope| TokenRecord { scopes: vec![scope], keys: keys(), ..record.clone() };
        let (calls, approvals) = (limited(Scope::Rpc), limited(Scope::Approve));
        for tokens in [vec![record.clone(), record.clone()], vec![calls], vec![approvals]] {
            let json = serde_json::to_string(&TokenFile { tokens }).unwrap();
            assert_eq!(TokenFile::parse(&json).unwrap_err().code(), "coordinator.tokens");
        }
        assert!(TokenFile::parse("{\"tokens\":[],\"colour\":1}").is_err());
    }
}

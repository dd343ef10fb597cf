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
    /// Keccak-256 of the token; none where a certificate's key is all that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The key of the TLS certificate that has to be shown: SHA-256 over its `SubjectPublicKeyInfo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_key: Option<Digest>,
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
        let digest = Some(Digest(keccak256(token.expose()).0));
        (token, Self { name, digest, certificate_key: None, scopes, keys, expires })
    }

    /// What is known of whoever shows a certificate of this key and nothing else.
    #[must_use]
    pub fn of_certificate(
        name: Name,
        (scopes, keys): (Vec<Scope>, Vec<Name>),
        expires: Timestamp,
        certificate_key: Digest,
    ) -> Self {
        Self { name, digest: None, certificate_key: Some(certificate_key), scopes, keys, expires }
    }

    /// The same, good only on connections with a certificate of this key.
    #[must_use]
    pub fn bound_to(self, certificate_key: Digest) -> Self {
        Self { certificate_key: Some(certificate_key), ..self }
    }

    /// INVARIANT A4: whether this is what was shown, all of it.
    fn is(&self, shown: Option<&Digest>, certificate: Option<&Digest>) -> bool {
        let same = |a: &Digest, b: &Digest| bool::from(a.0.ct_eq(&b.0));
        let token = match (&self.digest, shown) {
            (Some(digest), Some(shown)) => same(digest, shown),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        token && self.certificate_key.is_none_or(|key| certificate.is_some_and(|shown| same(&key, shown)))
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
    /// [`CoordinatorError::Tokens`]: unknown fields, too many tokens, a name that stands twice, nothing that is to be shown or
    /// the same twice, or a token that is limited to keys and good for what knows no such limit: JSON-RPC and approvals.
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
            let shown = |it: &TokenRecord| (it.digest, it.digest.is_none().then_some(it.certificate_key));
            if shown(token) == (None, Some(None)) {
                return Err(unfit(format!("`{}` asks for no token and no certificate", token.name)));
            }
            if self.tokens.iter().take(at).any(|other| shown(other) == shown(token)) {
                return Err(unfit(format!("`{}` asks for what another one asks for", token.name)));
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

    /// The token, or the certificate's key, that was shown, unless it has ended or nobody knows it.
    pub(crate) fn find(
        &self,
        shown: Option<&[u8]>,
        certificate: Option<&Digest>,
        now: Timestamp,
    ) -> Option<Arc<TokenRecord>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.refresh(&mut kept).is_err() {
            // A file that cannot be read lets nobody in.
            *kept = Kept::default();
        }
        let digest = shown.map(|shown| Digest(keccak256(shown).0));
        let known = kept.tokens.iter().find(|token| token.is(digest.as_ref(), certificate))?;
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
        let find =
            |shown: &Secret<String>, at: Timestamp| shelf.find(Some(shown.expose().as_bytes()), None, at);
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
    fn a04_a_token_that_is_bound_to_a_certificate_is_nothing_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let ((free, free_record), (bound, bound_record)) = (minted("free", 1), minted("bound", 2));
        let (mine, alone, other) = (Digest([3; 32]), Digest([4; 32]), Digest([5; 32]));
        let what = (vec![Scope::Read], Vec::new());
        let certificate =
            TokenRecord::of_certificate("box".parse().unwrap(), what, NOW.plus_seconds(10), alone);
        write(&path, vec![free_record, bound_record.bound_to(mine), certificate]);
        let shelf = Shelf::open(&path).unwrap();
        for (token, key, found) in [
            (Some(&free), None, Some("free")),
            (Some(&free), Some(other), Some("free")),
            (Some(&bound), Some(mine), Some("bound")),
            (Some(&bound), None, None),
            (Some(&bound), Some(other), None),
            (Some(&bound), Some(alone), None),
            (None, Some(alone), Some("box")),
            (None, Some(mine), None),
            (None, Some(other), None),
            (None, None, None),
        ] {
            let shown = token.map(|token| token.expose().as_bytes());
            let known = shelf.find(shown, key.as_ref(), NOW);
            assert_eq!(known.as_ref().map(|it| it.name.as_str()), found, "{token:?} {key:?}");
        }
        assert!(shelf.find(None, Some(&alone), NOW.plus_seconds(10)).is_none(), "it has ended");
        assert!(shelf.find(Some(b"x"), Some(&alone), NOW).is_none(), "a wrong token is no missing one");
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
        let nothing = TokenRecord { digest: None, ..record.clone() };
        let twice = vec![record.clone(), TokenRecord { name: "twin".parse().unwrap(), ..record.clone() }];
        for tokens in
            [vec![record.clone(), record.clone()], vec![calls], vec![approvals], vec![nothing], twice]
        {
            let json = serde_json::to_string(&TokenFile { tokens }).unwrap();
            assert_eq!(TokenFile::parse(&json).unwrap_err().code(), "coordinator.tokens");
        }
        assert!(TokenFile::parse("{\"tokens\":[],\"colour\":1}").is_err());
    }
}

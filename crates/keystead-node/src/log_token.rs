//! The token with the Ed25519 half of the node's own signing key: whoever copies the node's disk cannot vote.
//!
//! A token is asked on a thread of its own, votes first, and no vote waits for it for longer than [`PACE`] says: the log would
//! wait with it. Once it did not answer it counts as away, and nothing is asked of it but whether it is back.

mod own_key;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keystead_base::{ClassicalHalf, KeyError};
use keystead_homes::{Home, HomeError, Label, ProcessHome, Scheme};
use keystead_keys::TokenHalf;
use keystead_wire::TokenView;
use serde::{Deserialize, Serialize};

use self::worker::{Ask, MAX_WAITING, Pace, Rank, Seen, Waiting, Worker, another, ed25519, late, look};
use crate::NodeError;
use crate::tokens::process;

pub(crate) use self::own_key::{Asker, OwnKey, own_key};

/// The token that has half of the node's signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTokenConfig {
    /// The token's label.
    pub token: String,
    /// The vendor's PKCS#11 module.
    pub module: PathBuf,
    /// The file with the PIN; the token's process reads it, and nobody else.
    pub pin: PathBuf,
    /// What the module reads of its environment: all that it is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

impl LogTokenConfig {
    /// Has the token make a half that never leaves it, under a label of its own. `program` becomes the token's process.
    ///
    /// # Errors
    ///
    /// [`HomeError`].
    pub fn generate(&self, program: &Path, label: &str) -> Result<TokenHalf, HomeError> {
        let home = self.start(program)?;
        let public = home.generate(&Label::new(label)?, Scheme::Ed25519)?;
        Ok(TokenHalf { label: label.to_owned(), public: ed25519(home.name(), &public)? })
    }

    /// Finds the half of a key in the token.
    ///
    /// # Errors
    ///
    /// [`NodeError::LogToken`] when the token is away, or has another key under that label.
    pub fn open(&self, program: &Path, half: &TokenHalf) -> Result<Arc<LogToken>, NodeError> {
        let failed = |error| NodeError::LogToken { token: self.token.clone(), error };
        let home = self.start(program).map_err(failed)?;
        let label = Label::new(&half.label).map_err(failed)?;
        let found = home.public(&label).and_then(|it| ed25519(home.name(), &it)).map_err(failed)?;
        if found != half.public {
            return Err(failed(another(home.name())));
        }
        LogToken::start(Box::new(home), label, found, PACE)
    }

    fn start(&self, program: &Path) -> Result<ProcessHome, HomeError> {
        ProcessHome::start(process(program, (&self.token, &self.module, &self.pin), &self.environment))
    }
}

/// The half of a key that is in a token. What it signs itself goes before all else: it is for votes.
pub struct LogToken {
    name: String,
    public: [u8; 32],
    asks: SyncSender<Ask>,
    seen: Arc<Mutex<Seen>>,
    pace: Pace,
}

impl LogToken {
    fn start(
        home: Box<dyn Home>,
        label: Label,
        public: [u8; 32],
        pace: Pace,
    ) -> Result<Arc<Self>, NodeError> {
        let (asks, asked) = mpsc::sync_channel(2 * MAX_WAITING);
        let (name, seen) = (home.name(), Arc::new(Mutex::new(Seen::default())));
        let waiting = Waiting::default();
        let worker = Worker { home, label, public, asked, waiting, seen: Arc::clone(&seen), pace };
        std::thread::Builder::new()
            .name("log token".to_owned())
            .spawn(move || worker.run())
            .map_err(NodeError::Thread)?;
        Ok(Arc::new(Self { name, public, asks, seen, pace }))
    }

    fn view(&self) -> Option<TokenView> {
        let (group, seen) = (LOG_KEY.parse().ok()?, look(&self.seen));
        let lost = seen.lost.as_ref().map(ToString::to_string);
        Some(TokenView { group, token: self.name.clone(), lost, answered: seen.answered })
    }

    fn failure(&self, token: &str) -> NodeError {
        let lost = look(&self.seen).lost.clone();
        let error = lost.unwrap_or_else(|| self.late());
        NodeError::LogToken { token: token.to_owned(), error }
    }

    fn late(&self) -> HomeError {
        late(self.name.clone(), self.pace.patience)
    }

    fn sign_as(&self, rank: Rank, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let answered = self.ask(rank, message)?;
        match answered.recv_timeout(self.pace.patience) {
            Ok(signature) => signature.ok_or(KeyError::Away),
            Err(missed) => Err(self.missed(rank, missed)),
        }
    }

    fn ask(&self, rank: Rank, message: &[u8]) -> Result<Receiver<Option<[u8; 64]>>, KeyError> {
        if look(&self.seen).lost.is_some() {
            return Err(KeyError::Away);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let ask = Ask { rank, message: message.to_vec(), since: Instant::now(), answer };
        // As many as fit wait already: it answers nobody.
        self.asks.try_send(ask).map_err(|_| KeyError::Away)?;
        Ok(answered)
    }

    /// Whoever waited behind votes has not seen that the token is away, unless it has had for as long what it is signing.
    fn missed(&self, rank: Rank, missed: RecvTimeoutError) -> KeyError {
        let mut seen = look(&self.seen);
        let hangs = seen.signs_since.is_some_and(|since| since.elapsed() >= self.pace.patience);
        match (rank, missed) {
            (Rank::AfterVotes, RecvTimeoutError::Disconnected) => return KeyError::Busy,
            (Rank::AfterVotes, RecvTimeoutError::Timeout) if !hangs => return KeyError::Busy,
            (Rank::AfterVotes | Rank::Vote, _) => {}
        }
        seen.lost.get_or_insert_with(|| self.late());
        KeyError::Away
    }
}

impl ClassicalHalf for LogToken {
    fn public(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.sign_as(Rank::Vote, message)
    }

    fn is_there(&self) -> bool {
        look(&self.seen).lost.is_none()
    }
}

impl std::fmt::Debug for LogToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogToken").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The same half for what can wait until votes are signed.
struct AfterVotes(Arc<LogToken>);

impl ClassicalHalf for AfterVotes {
    fn public(&self) -> [u8; 32] {
        self.0.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.0.sign_as(Rank::AfterVotes, message)
    }

    fn is_there(&self) -> bool {
        self.0.is_there()
    }
}

/// What the token is listed under, beside the groups of tokens that keys live in.
const LOG_KEY: &str = "log-key";
/// What the key signs at the start of a node, and when nothing else is asked of it: no document begins so.
const AT_START: &[u8] = b"the key of a node, half of which is in a token, at its start";
/// How long a vote waits for the token: tokens sign in milliseconds, and while this one is waited for, the node hears nobody. And
/// how often one of which nothing is asked signs something, so that its loss is seen before a vote needs it.
const PACE: Pace = Pace { patience: Duration::from_secs(2), look: Duration::from_secs(2) };

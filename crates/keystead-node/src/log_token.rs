//! The token with the Ed25519 half of the node's own signing key: whoever copies the node's disk cannot vote.
//!
//! A token is asked on a thread of its own, and nobody waits for it for longer than [`PATIENCE`]: the log would wait with
//! them. Once it did not answer it counts as away, and nothing is asked of it but whether it is back.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keystead_base::{ClassicalHalf, HybridSigner, KeyError, Name};
use keystead_homes::{Home as _, HomeError, Label, ProcessHome, PublicKey, Scheme, ToSign};
use keystead_keys::{MemberError, MemberKey, TokenHalf};
use keystead_wire::TokenView;
use serde::{Deserialize, Serialize};

use crate::tokens::process;
use crate::{Config, NodeError};

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
        LogToken::start(home, label, found)
    }

    fn start(&self, program: &Path) -> Result<ProcessHome, HomeError> {
        ProcessHome::start(process(program, (&self.token, &self.module, &self.pin), &self.environment))
    }
}

/// The node's signing key, and the token with half of it where one has.
pub(crate) struct OwnKey {
    pub(crate) signer: Arc<HybridSigner>,
    token: Option<Arc<LogToken>>,
}

impl OwnKey {
    /// The token in one line of the status.
    pub(crate) fn token(&self) -> Option<TokenView> {
        self.token.as_ref().and_then(|token| Some(token.view(LOG_KEY.parse().ok()?)))
    }
}

impl Deref for OwnKey {
    type Target = HybridSigner;

    fn deref(&self) -> &HybridSigner {
        &self.signer
    }
}

/// The key of this node's file, with its token where keystead.toml names one.
pub(crate) fn own_key(config: &Config, member: &MemberKey) -> Result<OwnKey, NodeError> {
    let Some(named) = &config.member.token else {
        return Ok(OwnKey { signer: Arc::new(member.signer()?), token: None });
    };
    // Whoever named a token believes that half of the key is in it.
    let half = member.token_half().ok_or_else(|| MemberError::Half { name: member.name().clone() })?;
    let program = match &config.enclave.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()
            .map_err(|error| NodeError::File { path: PathBuf::from("the running program"), error })?,
    };
    let token = named.open(&program, &half)?;
    let signer = member.signer_beside(Arc::clone(&token) as Arc<dyn ClassicalHalf>)?;
    // A token may show a key that it signs nothing with: better found out before the node sits among the others.
    signer.sign(AT_START).map_err(|_| token.failure(&named.token))?;
    Ok(OwnKey { signer: Arc::new(signer), token: Some(token) })
}

/// The half of a key that is in a token.
pub struct LogToken {
    name: String,
    public: [u8; 32],
    asks: SyncSender<Ask>,
    seen: Arc<Mutex<Seen>>,
}

/// A message, and where its signature goes.
struct Ask {
    message: Vec<u8>,
    answer: SyncSender<Option<[u8; 64]>>,
}

/// What was seen of the token.
#[derive(Debug, Default)]
struct Seen {
    lost: Option<HomeError>,
    /// It signed wrongly: it is not asked again in this life of the node.
    is_faulty: bool,
    answered: u64,
}

impl LogToken {
    fn start(home: ProcessHome, label: Label, public: [u8; 32]) -> Result<Arc<Self>, NodeError> {
        let (asks, asked) = mpsc::sync_channel(MAX_ASKS);
        let (name, seen) = (home.name(), Arc::new(Mutex::new(Seen::default())));
        let worker = Worker { home, label, public, asked, seen: Arc::clone(&seen) };
        std::thread::Builder::new()
            .name("log token".to_owned())
            .spawn(move || worker.run())
            .map_err(NodeError::Thread)?;
        Ok(Arc::new(Self { name, public, asks, seen }))
    }

    fn view(&self, group: Name) -> TokenView {
        let seen = look(&self.seen);
        let lost = seen.lost.as_ref().map(ToString::to_string);
        TokenView { group, token: self.name.clone(), lost, answered: seen.answered }
    }

    fn failure(&self, token: &str) -> NodeError {
        let lost = look(&self.seen).lost.clone();
        let error = lost.unwrap_or_else(|| late(self.name.clone()));
        NodeError::LogToken { token: token.to_owned(), error }
    }
}

impl ClassicalHalf for LogToken {
    fn public(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        if !self.is_there() {
            return Err(KeyError::Away);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        // As many as fit wait already: it answers nobody.
        self.asks.try_send(Ask { message: message.to_vec(), answer }).map_err(|_| KeyError::Away)?;
        match answered.recv_timeout(PATIENCE) {
            Ok(signature) => signature.ok_or(KeyError::Away),
            Err(_) => {
                look(&self.seen).lost.get_or_insert_with(|| late(self.name.clone()));
                Err(KeyError::Away)
            }
        }
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

/// The thread that asks the token.
struct Worker {
    home: ProcessHome,
    label: Label,
    public: [u8; 32],
    asked: Receiver<Ask>,
    seen: Arc<Mutex<Seen>>,
}

impl Worker {
    /// Until nobody can ask any more.
    fn run(self) {
        loop {
            match self.asked.recv_timeout(LOOK) {
                Ok(ask) => {
                    let signature = self.note(self.in_time(&ask.message));
                    // Whoever asked may have given up: what was signed for them is said by nobody.
                    let _ = ask.answer.try_send(signature);
                }
                Err(RecvTimeoutError::Timeout) => {
                    // A token that shows its key may sign nothing with it, and a module may show what it remembers.
                    self.note(self.in_time(AT_START));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A signature for which nobody waited in vain: a token that is too slow for a vote is as good as away.
    fn in_time(&self, message: &[u8]) -> Result<[u8; 64], HomeError> {
        let began = Instant::now();
        let signature = self.sign(message)?;
        self.find()?;
        if began.elapsed() < PATIENCE { Ok(signature) } else { Err(late(self.home.name())) }
    }

    /// A process that ended is started again by the next call: a token that is there costs no vote because of it.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HomeError> {
        let began = Instant::now();
        let sign = || self.home.sign(&self.label, ToSign::Message(message)).map(|it| it.bytes);
        match sign() {
            Err(HomeError::Lost { .. }) if began.elapsed() < PATIENCE => sign(),
            other => other,
        }
    }

    /// What the home verified the signature under is this node's half.
    fn find(&self) -> Result<(), HomeError> {
        let found = ed25519(self.home.name(), &self.home.public(&self.label)?)?;
        if found == self.public { Ok(()) } else { Err(another(self.home.name())) }
    }

    fn note<T>(&self, result: Result<T, HomeError>) -> Option<T> {
        let mut seen = look(&self.seen);
        match result {
            Ok(value) => {
                seen.answered += 1;
                seen.lost = seen.lost.take().filter(|_| seen.is_faulty);
                Some(value)
            }
            Err(error) => {
                seen.is_faulty |= matches!(error, HomeError::Unverified { .. });
                seen.lost = Some(error);
                None
            }
        }
    }
}

fn look(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ed25519(home: String, public: &PublicKey) -> Result<[u8; 32], HomeError> {
    let scheme = Scheme::Ed25519;
    let found = public.bytes.as_slice().try_into().ok().filter(|_| public.scheme == scheme);
    found.ok_or(HomeError::Point { home, scheme })
}

fn another(home: String) -> HomeError {
    let reason = "it holds another key under the label of this node's".to_owned();
    HomeError::Refused { home, reason }
}

fn late(home: String) -> HomeError {
    let reason = format!("it did not answer within {} seconds", PATIENCE.as_secs());
    HomeError::Lost { home, reason }
}

/// What the token is listed under, beside the groups of tokens that keys live in.
const LOG_KEY: &str = "log-key";
/// What the key signs at the start of a node, and when nothing else is asked of it: no document begins so.
const AT_START: &[u8] = b"the key of a node, half of which is in a token, at its start";
/// How long a vote waits for the token. Tokens sign in milliseconds; while this one is waited for, the node hears nobody.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a token of which nothing is asked signs something, so that its loss is seen before a vote needs it.
const LOOK: Duration = Duration::from_secs(2);
/// The most that waits for the token at once.
const MAX_ASKS: usize = 256;

//! The parent's side: starts an enclave process, speaks with it, and ends it.

mod creating;
mod gathering;
mod runs;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use borsh::BorshSerialize;
use keystead_base::{Blame, Canonical as _, Coded, Digest, Name, RequestId};
use keystead_decision::{Certificate, Commit, FreshAnswer};
use keystead_keys::{BackupFile, RecipientPublicKey, Sealed};

use crate::protocol::{
    Advance, Batch, BatchItem, ControlProof, CreatedKey, Drill, DrillProof, HandOver, HeldKey, Hello,
    ItemResult, MAX_BATCH_ITEMS, OpenedKey, Position, ProvenWallet, Ready, Refusal, Reply, Request,
    RestoredKey, WalletOf,
};
use crate::tokens::TokenReport;
use crate::{FrameError, MAX_FRAME_BYTES, frame};

/// A running enclave. Calls block; one at a time.
#[derive(Debug)]
pub struct EnclaveClient {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    unwell: Option<Refusal>,
}

impl EnclaveClient {
    /// Starts `program` with `arguments` and an empty environment; it becomes an enclave by [`crate::run`].
    ///
    /// # Errors
    ///
    /// [`ClientError::Spawn`].
    pub fn spawn(program: PathBuf, arguments: Vec<OsString>) -> Result<Self, ClientError> {
        Self::start(Command::new(program).args(arguments))
    }

    /// As [`Self::spawn`], for a command that the caller prepared (another user, for instance).
    ///
    /// # Errors
    ///
    /// [`ClientError::Spawn`].
    pub fn start(command: &mut Command) -> Result<Self, ClientError> {
        let spawned = command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(ClientError::Spawn)?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output, unwell: None }),
            _ => Err(ClientError::Spawn(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Why this process signs nothing until it is started anew, once it said so: a self-test, or a source of entropy.
    #[must_use]
    pub fn unwell(&self) -> Option<&Refusal> {
        self.unwell.as_ref()
    }

    /// Gives keys, in as many frames as it takes, before [`Self::hello`].
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn open(&mut self, seals: Vec<Sealed>) -> Result<Vec<OpenedKey>, ClientError> {
        let mut opened = Vec::with_capacity(seals.len());
        for seals in batches(seals, MAX_FRAME_BYTES - FRAME_SLACK) {
            let asked = seals.len();
            match self.call(&Request::Open(seals))? {
                Reply::Opened(part) if part.len() == asked => opened.extend(part),
                other => return Err(unexpected(other)),
            }
        }
        Ok(opened)
    }

    /// Asks for the public side of a key.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn public(&mut self, key: Name) -> Result<HeldKey, ClientError> {
        match self.call(&Request::Public(key))? {
            Reply::Public(held) => Ok(*held),
            other => Err(unexpected(other)),
        }
    }

    /// Has the tokens prove to the log that they sign with a key that this request had them make.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn prove(&mut self, key: Name, request: RequestId) -> Result<Vec<u8>, ClientError> {
        match self.call(&Request::Prove { key, request })? {
            Reply::Proof(proof) => Ok(proof),
            other => Err(unexpected(other)),
        }
    }

    /// Asks each token whether it is there.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn tokens(&mut self) -> Result<Vec<TokenReport>, ClientError> {
        match self.call(&Request::Tokens)? {
            Reply::Tokens(reports) => Ok(reports),
            other => Err(unexpected(other)),
        }
    }

    /// Tells where the log begins.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn hello(&mut self, hello: Hello) -> Result<Ready, ClientError> {
        match self.call(&Request::Hello(Box::new(hello)))? {
            Reply::Ready(ready) => Ok(*ready),
            other => Err(unexpected(other)),
        }
    }

    /// Tells how the log went on, in as many frames as it takes: a log has any number of policy versions.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn advance(&mut self, advance: Advance) -> Result<Position, ClientError> {
        let Advance { transitions, head } = advance;
        let head_bytes = head.as_ref().map_or(0, |it| it.to_document().len());
        let mut parts = batches(transitions, MAX_FRAME_BYTES.saturating_sub(head_bytes + FRAME_SLACK));
        let last = parts.pop().unwrap_or_default();
        for transitions in parts {
            self.advance_by(Advance { transitions, head: None })?;
        }
        self.advance_by(Advance { transitions: last, head })
    }

    fn advance_by(&mut self, advance: Advance) -> Result<Position, ClientError> {
        match self.call(&Request::Advance(Box::new(advance)))? {
            Reply::Advanced(position) => Ok(position),
            other => Err(unexpected(other)),
        }
    }

    /// Has the enclave draw the nonce with which a quorum is asked for its newest head.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn ask_fresh(&mut self) -> Result<Digest, ClientError> {
        match self.call(&Request::AskFresh)? {
            Reply::Nonce(nonce) => Ok(nonce),
            other => Err(unexpected(other)),
        }
    }

    /// Brings the quorum's answer.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn confirm_fresh(&mut self, answer: FreshAnswer) -> Result<Position, ClientError> {
        match self.call(&Request::ConfirmFresh(Box::new(answer)))? {
            Reply::Advanced(position) => Ok(position),
            other => Err(unexpected(other)),
        }
    }

    /// Has a key created, as a committed ceremony allows.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn create(&mut self, certificate: Certificate) -> Result<CreatedKey, ClientError> {
        match self.call(&Request::Create(Box::new(certificate)))? {
            Reply::Created(key) => Ok(*key),
            other => Err(unexpected(other)),
        }
    }

    /// Has a key backed up or exported, as a committed ceremony allows.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn backup(&mut self, certificate: Certificate) -> Result<BackupFile, ClientError> {
        match self.call(&Request::Backup(Box::new(certificate)))? {
            Reply::BackedUp(file) => Ok(*file),
            other => Err(unexpected(other)),
        }
    }

    /// Has a key wiped, as a committed ceremony allows, and gives its name.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn destroy(&mut self, certificate: Certificate) -> Result<Name, ClientError> {
        match self.call(&Request::Destroy(Box::new(certificate)))? {
            Reply::Destroyed(name) => Ok(name),
            other => Err(unexpected(other)),
        }
    }

    /// Has a one-time key made that a backup can be handed over to, as a committed ceremony allows.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn receive(&mut self, certificate: Certificate) -> Result<RecipientPublicKey, ClientError> {
        match self.call(&Request::Receive(Box::new(certificate)))? {
            Reply::Receiver(key) => Ok(key),
            other => Err(unexpected(other)),
        }
    }

    /// Has a backup restored that was handed over to that one-time key.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn restore(&mut self, file: BackupFile) -> Result<RestoredKey, ClientError> {
        match self.call(&Request::Restore(Box::new(file)))? {
            Reply::Restored(key) => Ok(*key),
            other => Err(unexpected(other)),
        }
    }

    /// In a scratch enclave: has a backup encrypted to another enclave's one-time key.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn hand_over(&mut self, it: HandOver) -> Result<BackupFile, ClientError> {
        match self.call(&Request::HandOver(Box::new(it)))? {
            Reply::BackedUp(file) => Ok(*file),
            other => Err(unexpected(other)),
        }
    }

    /// Has a key's wallet on a network of Bitcoin's derived and proved.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn wallet(&mut self, it: WalletOf) -> Result<ProvenWallet, ClientError> {
        match self.call(&Request::Wallet(Box::new(it)))? {
            Reply::Wallet(wallet) => Ok(*wallet),
            other => Err(unexpected(other)),
        }
    }

    /// Has a key sign the newest block that the enclave followed the log to.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn control(&mut self, key: Name) -> Result<ControlProof, ClientError> {
        match self.call(&Request::Control(key))? {
            Reply::Controlled(proof) => Ok(*proof),
            other => Err(unexpected(other)),
        }
    }

    /// In a scratch enclave: has a backup restored and control proved.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn drill(&mut self, drill: Drill) -> Result<DrillProof, ClientError> {
        match self.call(&Request::Drill(Box::new(drill)))? {
            Reply::Drilled(proof) => Ok(*proof),
            other => Err(unexpected(other)),
        }
    }

    /// Has everything signed that one block allows, in as many frames as it takes.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the commit itself is refused; single payloads are refused in their results.
    pub fn sign(&mut self, commit: &Commit, items: Vec<BatchItem>) -> Result<Vec<ItemResult>, ClientError> {
        let room = MAX_FRAME_BYTES.saturating_sub(commit.to_document().len() + FRAME_SLACK);
        let mut results = Vec::with_capacity(items.len());
        for items in batches(items, room) {
            let asked = items.len();
            let batch = Batch { commit: commit.clone(), items };
            match self.call(&Request::Sign(Box::new(batch)))? {
                Reply::Signed(part) if part.len() == asked => {
                    part.iter().filter_map(refused).for_each(|it| self.note(it));
                    results.extend(part);
                }
                other => return Err(unexpected(other)),
            }
        }
        Ok(results)
    }

    fn call(&mut self, request: &Request) -> Result<Reply, ClientError> {
        frame::write(&mut self.input, request)?;
        match frame::read(&mut self.output)? {
            Some(Reply::Refused(refusal)) => {
                self.note(&refusal);
                Err(ClientError::Refused(refusal))
            }
            Some(reply) => Ok(reply),
            None => Err(ClientError::Ended),
        }
    }
}

impl EnclaveClient {
    fn note(&mut self, refusal: &Refusal) {
        if ERROR_STATES.iter().any(|it| refusal.code.starts_with(it)) {
            self.unwell.get_or_insert_with(|| refusal.clone());
        }
    }
}

fn refused(result: &ItemResult) -> Option<&Refusal> {
    match result {
        ItemResult::Refused(refusal) => Some(refusal),
        ItemResult::Signed(_)
        | ItemResult::Spent(_)
        | ItemResult::Admitted
        | ItemResult::SignedMessage(_) => None,
    }
}

impl Drop for EnclaveClient {
    fn drop(&mut self) {
        // Its memory goes with it; there is nothing it would have to write first.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn unexpected(reply: Reply) -> ClientError {
    let found = match reply {
        Reply::Ready(_) => "ready",
        Reply::Advanced(_) => "advanced",
        Reply::Created(_) => "created",
        Reply::BackedUp(_) => "backed up",
        Reply::Drilled(_) => "drilled",
        Reply::Signed(_) => "signed",
        Reply::Refused(_) => "refused",
        Reply::Destroyed(_) => "destroyed",
        Reply::Nonce(_) => "nonce",
        Reply::Receiver(_) => "receiver",
        Reply::Restored(_) => "restored",
        Reply::Wallet(_) => "wallet",
        Reply::Done => "done",
        Reply::Seated(_) => "seated",
        Reply::Moved(_) => "moved",
        Reply::Opened(_) => "opened",
        Reply::Public(_) => "public",
        Reply::Left(_) => "left",
        Reply::Split(_) => "split",
        Reply::Words(_) => "words",
        Reply::Gathered(_) => "gathered",
        Reply::Dealt(_) => "dealt",
        Reply::Whole(_) => "whole",
        Reply::Proof(_) => "proof",
        Reply::Tokens(_) => "tokens",
        Reply::Controlled(_) => "controlled",
        Reply::Promised(_) => "promised",
        Reply::CreatedFrom(_) => "created_from",
    };
    ClientError::Unexpected { found }
}

/// Splits items so that each part fits a frame.
fn batches<T: BorshSerialize>(items: Vec<T>, room: usize) -> Vec<Vec<T>> {
    let mut parts = vec![Vec::new()];
    let mut used = 0;
    for item in items {
        let size = borsh::object_length(&item).unwrap_or(usize::MAX);
        let fits = used + size <= room;
        match parts.last_mut() {
            Some(part) if part.is_empty() || (fits && part.len() < MAX_BATCH_ITEMS) => {
                used += size;
                part.push(item);
            }
            _ => {
                used = size;
                parts.push(vec![item]);
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Why the enclave did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The process did not start.
    #[error("the enclave does not start: {0}")]
    Spawn(io::Error),
    /// The stream broke.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The process ended.
    #[error("the enclave ended without an answer; its reason is on standard error")]
    Ended,
    /// An answer to another question.
    #[error("the enclave answered `{found}` to another question")]
    Unexpected {
        /// What it answered.
        found: &'static str,
    },
    /// A signature over another payload than the one that was meant.
    #[error("the enclave signed another payload than it was asked for")]
    Other,
    /// It refused.
    #[error(transparent)]
    Refused(Refusal),
}

impl Coded for ClientError {
    fn code(&self) -> &'static str {
        match self {
            Self::Spawn(_) => "enclave_client.spawn",
            Self::Frame(error) => error.code(),
            Self::Ended => "enclave_client.ended",
            Self::Unexpected { .. } => "enclave_client.unexpected",
            Self::Other => "enclave_client.other_payload",
            Self::Refused(_) => "enclave_client.refused",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Spawn(_) | Self::Ended => Blame::Environment,
            Self::Frame(error) => error.blame(),
            Self::Unexpected { .. } | Self::Other | Self::Refused(_) => Blame::Peer,
        }
    }
}

/// Lengths and tags around the items of a frame.
const FRAME_SLACK: usize = 256;
/// Codes that an enclave refuses everything with that uses a secret, until it is started anew.
const ERROR_STATES: [&str; 3] = ["self_test.", "entropy.stuck", "entropy.biased"];

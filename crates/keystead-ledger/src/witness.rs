//! Witnesses: they remember the largest checkpoint and put their name to the next one only if it continues it.
//!
//! Pure: the caller keeps the state, and makes it durable before the lines leave (C2SP tlog-witness).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridPublicKey, HybridSigner, Name, Timestamp, merkle};
use serde::{Deserialize, Serialize};

use crate::note::{SignError, Statement, hybrid};
use crate::proof::continues;
use crate::{Checkpoint, Consistency, LogError, LogKeys, MAX_PROOF_HASHES, SignedCheckpoint};

/// What a witness remembers of one log: a small file of its own.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessState {
    /// The log.
    pub origin: String,
    /// The largest size cosigned; 0 before the first.
    pub size: u64,
    /// The root at that size.
    pub root: Digest,
}

impl Canonical for WitnessState {
    const DOMAIN: &'static str = "keystead/witness/v1";
}

impl WitnessState {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), size: 0, root: merkle::root(&[]) }
    }

    /// What is remembered, as the checkpoint that an audit compares with.
    #[must_use]
    pub fn remembered(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.size, root: self.root }
    }
}

/// What a log asks a witness: a new checkpoint, and the proof that it continues an older one.
#[derive(Clone, Debug, PartialEq)]
pub struct CosignRequest {
    /// The proof; its older size is the one the log believes the witness to remember.
    pub consistency: Consistency,
    /// The new checkpoint.
    pub checkpoint: SignedCheckpoint,
}

impl CosignRequest {
    /// The body of `add-checkpoint` in C2SP tlog-witness.
    #[must_use]
    pub fn to_body(&self) -> String {
        let hashes = self.consistency.path.iter().map(|hash| STANDARD.encode(hash.0) + "\n");
        let hashes: String = hashes.collect();
        format!("old {}\n{hashes}\n{}", self.consistency.older, self.checkpoint.to_note())
    }

    /// Parses such a body.
    ///
    /// # Errors
    ///
    /// [`LogError::Malformed`] says which part is wrong.
    pub fn parse(body: &str) -> Result<Self, LogError> {
        let malformed = |reason| LogError::Malformed { reason };
        let (head, note) = body.split_once("\n\n").ok_or(malformed("no empty line before the checkpoint"))?;
        let mut lines = head.lines();
        let older =
            lines.next().and_then(|line| line.strip_prefix("old ")).and_then(|size| size.parse().ok());
        let older = older.ok_or(malformed("expected `old` and a size"))?;
        let path: Vec<Digest> = lines.take(MAX_PROOF_HASHES + 1).map(parse_hash).collect::<Result<_, _>>()?;
        if path.len() > MAX_PROOF_HASHES {
            return Err(LogError::ProofLength { limit: MAX_PROOF_HASHES, found: path.len() });
        }
        let checkpoint = SignedCheckpoint::parse(note)?;
        let consistency = Consistency { older, newer: checkpoint.body().size, path };
        Ok(Self { consistency, checkpoint })
    }
}

/// A cosigned checkpoint, and the state to make durable before the lines leave.
#[derive(Clone, Debug, PartialEq)]
pub struct Cosigned {
    /// The state to keep. Lines that leave before it is durable could contradict later ones.
    pub state: WitnessState,
    /// The witness's two signature lines.
    pub lines: String,
}

/// Cosigns a checkpoint that continues the one remembered.
///
/// INVARIANT L2: never a smaller log, never another one of the same size, never one that does not
/// begin with the one remembered.
///
/// # Errors
///
/// [`WitnessError`] says what was remembered and what was found; nothing is signed then.
pub fn cosign(
    state: &WitnessState,
    request: &CosignRequest,
    keys: &LogKeys,
    witness: &Name,
    key: &HybridSigner,
    now: Timestamp,
) -> Result<Cosigned, WitnessError> {
    if keys.origin != state.origin {
        let (expected, found) = (state.origin.clone(), keys.origin.clone());
        return Err(LogError::Origin { expected, found }.into());
    }
    let checkpoint = request.checkpoint.verify(keys)?;
    continues(Some(&request.consistency), &state.remembered(), checkpoint)?;
    let mut lines = request.checkpoint.lines.clone();
    let (name, message) = (witness.as_str(), message(now.seconds(), &lines.text));
    lines.sign(Statement::Cosignature, name, key, message.as_bytes(), &now.seconds().to_be_bytes())?;
    let state = WitnessState { origin: state.origin.clone(), size: checkpoint.size, root: checkpoint.root };
    Ok(Cosigned { state, lines: lines.lines_under(name) })
}

/// When a witness cosigned this checkpoint; both halves of its key must verify.
///
/// # Errors
///
/// [`LogError::NotCosigned`] when it did not, [`LogError::Signature`] when a half fails.
pub fn verify_cosignature(
    checkpoint: &SignedCheckpoint,
    witness: &Name,
    key: &HybridPublicKey,
) -> Result<Timestamp, LogError> {
    let lines = &checkpoint.lines;
    let Some((first, second)) = lines.halves(Statement::Cosignature, witness.as_str(), key)? else {
        return Err(LogError::NotCosigned { witness: witness.clone() });
    };
    let malformed = || LogError::Malformed { reason: "a cosignature has another form" };
    let (time, first) = first.split_at_checked(8).ok_or_else(malformed)?;
    let (same_time, second) = second.split_at_checked(8).ok_or_else(malformed)?;
    if time != same_time {
        return Err(malformed());
    }
    let signature = hybrid(first, second).ok_or_else(malformed)?;
    let seconds = time.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    key.verify(message(seconds, &lines.text).as_bytes(), &signature)
        .map_err(|error| LogError::Signature { node: witness.to_string(), error })?;
    Ok(Timestamp::default().plus_seconds(seconds))
}

/// What a cosignature signs (C2SP tlog-cosignature, version 1).
fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

fn parse_hash(line: &str) -> Result<Digest, LogError> {
    let bytes = STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Digest).ok_or(LogError::Malformed { reason: "a line of the proof is not a hash" })
}

/// Why a witness does not cosign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The checkpoint is not the log's, or does not continue the one remembered.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The witness's own key failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl keystead_base::Coded for WitnessError {
    fn code(&self) -> &'static str {
        match self {
            Self::Log(error) => error.code(),
            Self::Sign(error) => error.code(),
        }
    }

    fn blame(&self) -> keystead_base::Blame {
        match self {
            Self::Log(error) => error.blame(),
            Self::Sign(error) => error.blame(),
        }
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::{Coded as _, HYBRID_SEED_BYTES, Secret};

    use super::*;

    const ORIGIN: &str = "keystead/hot/0123456789abcdef";

    fn signer(byte: u8) -> HybridSigner {
        HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).unwrap()
    }

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect()
    }

    /// A log of this many leaves, asking a witness that is believed to remember `older` of them.
    fn request(leaves: &[Digest], older: usize) -> CosignRequest {
        let (size, root) = (leaves.len() as u64, merkle::root(leaves));
        let body = Checkpoint { origin: ORIGIN.to_owned(), size, root };
        let checkpoint = SignedCheckpoint::sign(body, &signer(1)).unwrap();
        let consistency = Consistency::prove(leaves, older, leaves.len()).unwrap();
        CosignRequest { consistency, checkpoint }
    }

    fn keys() -> LogKeys {
        let nodes = vec![("node-1".parse().unwrap(), signer(1).public().clone())];
        LogKeys { origin: ORIGIN.to_owned(), quorum: 1, nodes }
    }

    fn ask(state: &WitnessState, request: &CosignRequest) -> Result<Cosigned, WitnessError> {
        let name = "witness-1".parse().unwrap();
        cosign(state, request, &keys(), &name, &signer(2), Timestamp(1_795_464_902_417))
    }

    #[test]
    fn l2_a_log_that_grows_is_cosigned_and_the_cosignature_verifies() {
        let first = ask(&WitnessState::new(ORIGIN), &request(&leaves(5), 0)).unwrap();
        let asked = request(&leaves(9), 5);
        let second = ask(&first.state, &asked).unwrap();
        assert_eq!(second.state.size, 9);
        let name = "witness-1".parse().unwrap();
        let cosigned = asked.checkpoint.with_lines(&second.lines).unwrap();
        let at = verify_cosignature(&cosigned, &name, signer(2).public()).unwrap();
        assert_eq!(at, Timestamp(1_795_464_902_000));
        cosigned.verify(&keys()).unwrap();
        let other = verify_cosignature(&cosigned, &name, signer(3).public()).unwrap_err();
        assert_eq!(other.code(), "log.not_cosigned");
    }

    #[test]
    fn l2_rollback_and_forks_are_refused() {
        let state = ask(&WitnessState::new(ORIGIN), &request(&leaves(9), 0)).unwrap().state;
        let mut forked = leaves(12);
        forked[3] = Digest::ZERO;
        let mut rollback = request(&leaves(5), 0);
        rollback.consistency = Consistency { older: 9, newer: 5, path: Vec::new() };
        for (asked, code) in [
            (rollback, "log.rolled_back"),
            (request(&forked[..9], 9), "log.forked"),
            (request(&forked, 9), "log.inconsistent"),
            (request(&leaves(12), 5), "log.proof_start"),
        ] {
            assert_eq!(ask(&state, &asked).unwrap_err().code(), code);
        }
    }

    #[test]
    fn l2_a_checkpoint_that_the_log_did_not_sign_is_refused() {
        let mut asked = request(&leaves(5), 0);
        let body = asked.checkpoint.body().clone();
        asked.checkpoint = SignedCheckpoint::sign(body, &signer(7)).unwrap();
        assert_eq!(ask(&WitnessState::new(ORIGIN), &asked).unwrap_err().code(), "log.quorum");
        let elsewhere = WitnessState::new("keystead/other/0123456789abcdef");
        assert_eq!(ask(&elsewhere, &asked).unwrap_err().code(), "log.origin");
    }

    #[test]
    fn a_request_goes_over_the_wire_and_back() {
        let asked = request(&leaves(9), 5);
        assert_eq!(CosignRequest::parse(&asked.to_body()).unwrap(), asked);
        let short = CosignRequest::parse("old 5\n\nno note").unwrap_err();
        assert_eq!(short.code(), "log.malformed");
        let many = format!("old 5\n{}\n", format!("{}\n", STANDARD.encode([0; 32])).repeat(70));
        assert_eq!(CosignRequest::parse(&many).unwrap_err().code(), "log.proof_length");
    }
}

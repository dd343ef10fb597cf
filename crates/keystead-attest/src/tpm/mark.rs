//! The mark that ties a node's disk to its TPM's counter, which counts up and never down.

use aws_lc_rs::hmac;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, Coded, Digest, Secret};
use serde::{Deserialize, Serialize};

/// How far the log was when the counter stood so. It lies beside the ledger.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackMark {
    /// The counter's value, or the one that it gets next.
    pub counter: u64,
    /// The log's height.
    pub height: u64,
    /// The digest of the header at that height; zero where there was none, and ones on a disk that people accepted.
    pub head: Digest,
    /// HMAC-SHA-256 over the rest, under a key that lies in the same seal as the vault's passphrase.
    pub tag: Digest,
}

impl Canonical for RollbackMark {
    const DOMAIN: &'static str = "keystead/rollback-mark/v1";
    const MAX_BYTES: usize = 1024;
}

/// What the disk says beside the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// The ledger's height.
    pub height: u64,
    /// The digest of its header at the mark's height; none where it has none.
    pub head_at_mark: Option<Digest>,
}

impl RollbackMark {
    /// A mark for this height, before the counter gets this value.
    #[must_use]
    pub fn new(key: &MarkKey, counter: u64, height: u64, head: Digest) -> Self {
        let mut mark = Self { counter, height, head, tag: Digest::ZERO };
        if let Ok(tag) = hmac::sign(&key.hmac(), &mark.message()).as_ref().try_into() {
            mark.tag = Digest(tag);
        }
        mark
    }

    /// The mark of a disk that was put back and that people take for the newest one: its shares are to be burnt.
    #[must_use]
    pub fn accepted(key: &MarkKey, counter: u64) -> Self {
        Self::new(key, counter, 0, ACCEPTED)
    }

    /// INVARIANT S5: whether no share on this disk may be used again. What its transfers answered since the copy was made
    /// stands in no journal here.
    #[must_use]
    pub fn burns_shares(&self) -> bool {
        self.height == 0 && self.head == ACCEPTED
    }

    /// INVARIANT S5: a disk from before the newest mark is known by the counter, which no disk takes back. The mark is written
    /// before the counter moves, so that a crash in between leaves it one ahead.
    ///
    /// # Errors
    ///
    /// [`RollbackError`] says what does not fit.
    pub fn check(&self, key: &MarkKey, counter: u64, disk: &OnDisk) -> Result<(), RollbackError> {
        hmac::verify(&key.hmac(), &self.message(), self.tag.as_bytes()).map_err(|_| RollbackError::Forged)?;
        if self.counter != counter && Some(self.counter) != counter.checked_add(1) {
            return Err(match self.counter < counter {
                true => RollbackError::RolledBack { marked: self.counter, counter },
                false => RollbackError::OtherCounter { marked: self.counter, counter },
            });
        }
        if disk.height < self.height {
            return Err(RollbackError::Shorter { marked: self.height, found: disk.height });
        }
        if self.height > 0 && disk.head_at_mark != Some(self.head) {
            return Err(RollbackError::OtherLog { height: self.height });
        }
        Ok(())
    }

    fn message(&self) -> Vec<u8> {
        Self { tag: Digest::ZERO, ..self.clone() }.to_document()
    }
}

/// The key of a node's marks.
#[derive(Debug)]
pub struct MarkKey(pub Secret<[u8; 32]>);

impl MarkKey {
    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.expose())
    }
}

/// No header has this digest.
const ACCEPTED: Digest = Digest([0xff; 32]);

/// Why a disk is not the newest one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// Another key made the mark, or nobody.
    #[error(
        "the rollback mark was not made by this node's TPM: the file was changed or comes from another machine"
    )]
    Forged,
    /// The disk is older than the counter.
    #[error(
        "the disk was put back: its mark says {marked}, and the TPM has counted to {counter} since. This node does not start, and no nonce of the old disk is used"
    )]
    RolledBack {
        /// The mark's value.
        marked: u64,
        /// The counter's.
        counter: u64,
    },
    /// The counter is behind the disk.
    #[error(
        "the mark says {marked} and the TPM's counter {counter}: this is another TPM, or its counter was put back"
    )]
    OtherCounter {
        /// The mark's value.
        marked: u64,
        /// The counter's.
        counter: u64,
    },
    /// The ledger ends before its mark.
    #[error(
        "the ledger ends at height {found}, and its mark was made at {marked}: the ledger was put back without it"
    )]
    Shorter {
        /// The mark's height.
        marked: u64,
        /// The ledger's.
        found: u64,
    },
    /// The ledger has another block where the mark was made.
    #[error("the ledger has another block at height {height} than when its mark was made")]
    OtherLog {
        /// The height.
        height: u64,
    },
}

impl Coded for RollbackError {
    fn code(&self) -> &'static str {
        match self {
            Self::Forged => "tpm.mark_forged",
            Self::RolledBack { .. } => "tpm.rolled_back",
            Self::OtherCounter { .. } => "tpm.other_counter",
            Self::Shorter { .. } => "tpm.ledger_shorter",
            Self::OtherLog { .. } => "tpm.other_log",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MarkKey {
        MarkKey(Secret::new([byte; 32]))
    }

    #[test]
    fn s05_a_disk_that_was_put_back_is_known_by_the_counter() {
        let head = Digest([3; 32]);
        let mark = RollbackMark::new(&key(1), 7, 10, head);
        let disk = OnDisk { height: 12, head_at_mark: Some(head) };
        let code = |mark: &RollbackMark, counter, disk: &OnDisk| {
            mark.check(&key(1), counter, disk).map_err(|error| error.code())
        };
        assert_eq!(code(&mark, 7, &disk), Ok(()));
        assert_eq!(code(&mark, 6, &disk), Ok(()), "a crash between the mark and the counter");
        assert_eq!(code(&mark, 8, &disk), Err("tpm.rolled_back"));
        assert_eq!(code(&mark, 5, &disk), Err("tpm.other_counter"));
        assert_eq!(code(&mark, 7, &OnDisk { height: 9, ..disk }), Err("tpm.ledger_shorter"));
        for other in [None, Some(Digest([4; 32]))] {
            assert_eq!(code(&mark, 7, &OnDisk { head_at_mark: other, ..disk }), Err("tpm.other_log"));
        }
        // Whoever has the disk writes no newer mark.
        for forged in [
            RollbackMark { counter: 8, ..mark.clone() },
            RollbackMark { height: 9, ..mark.clone() },
            RollbackMark::new(&key(2), 8, 10, head),
        ] {
            assert_eq!(code(&forged, 8, &disk), Err("tpm.mark_forged"));
        }
    }
}

//! What parent and scratch enclave say of backups in shares.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, Name, Timestamp};
use keystead_intent::{BitcoinWallet, ChainId, MAX_BACKUP_MEMBERS};
use keystead_keys::{MAX_RECIPIENTS, MemberKeyFile, RecipientPublicKey, SeedShares};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

/// One person's share of a backup, and who opens it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareToOpen {
    /// The backup.
    pub file: SeedShares,
    /// The recipient, as the backup names them.
    pub recipient: Name,
    /// The recipient's key file; the scratch enclave's passphrase opens it.
    pub member: MemberKeyFile,
}

/// Shares as people bring them, and what they are for.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gathering {
    /// The backup that they are of.
    pub file: SeedShares,
    /// The words of each share, at most [`MAX_GATHERED`].
    pub words: Vec<String>,
    /// What the key is put together for.
    pub aim: GatheringAim,
}

/// The most shares that are brought: a backup has no more.
pub const MAX_GATHERED: usize = MAX_RECIPIENTS;
// What the log allows, the enclave writes; the crates of both know nothing of each other.
const _: () = assert!(MAX_RECIPIENTS == MAX_BACKUP_MEMBERS);
/// The most accounts that a drill proves control of.
pub const MAX_DRILLED_ACCOUNTS: u32 = 1024;

/// Words are secrets: what prints a request prints none.
impl fmt::Debug for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gathering {{ {} shares of {:?} for {:?} }}", self.words.len(), self.file.subject, self.aim)
    }
}

impl Drop for Gathering {
    // INVARIANT K5: no way out of a scope leaves the words behind.
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

/// What a key is put together for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatheringAim {
    /// To prove control of its first accounts, and that one share less gives nothing.
    Drill {
        /// How many accounts, at most [`MAX_DRILLED_ACCOUNTS`].
        accounts: u32,
        /// The networks of Bitcoin's whose wallet is to be derived.
        networks: Vec<ChainId>,
        /// When the log took the last drill of the key.
        after: Option<Timestamp>,
    },
    /// To encrypt it to the one-time key of its next home.
    HandOver {
        /// The node that is to be the key's home.
        home: Name,
        /// The one-time key of its enclave.
        key: RecipientPublicKey,
    },
}

/// A backup in shares that was restored.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatheredProof {
    /// The digest of the backup.
    pub backup: Digest,
    /// `r || s` over `keystead_decision::drill_challenge` by each account, from index 0 on.
    pub proofs: Vec<AccountProof>,
    /// The wallets of the networks that were asked for.
    pub wallets: Vec<BitcoinWallet>,
    /// How many shares were left out in their turn, each of which the others gave nothing without.
    pub refused_without: u8,
}

/// One account's signature over the challenge of a drill.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountProof(#[serde(with = "const_hex")] pub Vec<u8>);

//! Changes of authority: requests like any other, of a class of their own (S9, S13).

use alloy_primitives::Bytes;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{KeyScheme, Name, PublicAccount, RequestId};
use serde::{Deserialize, Serialize};

use crate::{ChangeKind, KeyTerms, Suspect};

/// What is to change. A policy document is the whole next version, so that what people approve is
/// what becomes active, whatever happened in between.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthorityChange {
    /// The next policy version; any section may differ.
    Policy {
        /// The `keystead/policy/v1` document.
        document: Bytes,
    },
    /// The next policy version; only its roster differs.
    Roster {
        /// The `keystead/policy/v1` document.
        document: Bytes,
    },
    /// The next policy version; only its address book differs.
    AddressBook {
        /// The `keystead/policy/v1` document.
        document: Bytes,
    },
    /// Ends a freeze.
    Thaw {
        /// The key to thaw, or none for the whole cluster.
        key: Option<Name>,
    },
    /// A step in the life of a key.
    Key(KeyCeremony),
    /// Somebody else may know something that is ours: nothing signs but what sweeps, until all of it is replaced.
    Compromise {
        /// What, ascending, at most [`MAX_SUSPECTS`](crate::MAX_SUSPECTS).
        suspects: Vec<Suspect>,
        /// What happened, at most [`MAX_WHY_BYTES`](crate::MAX_WHY_BYTES).
        why: String,
    },
}

/// The steps of a key's life that need authority.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyCeremony {
    /// A key is born in the enclave.
    Create {
        /// Its name, unused so far.
        key: Name,
        /// What kind of key.
        kind: KeyKind,
        /// The node whose enclave it is born in, and which alone signs with it.
        home: Name,
    },
    /// The enclave writes a backup for named people.
    Backup {
        /// The key.
        key: Name,
        /// Who can read it: people of the roster with a recipient key.
        recipients: Vec<Name>,
    },
    /// The key leaves the enclave for one person, for good: a named, logged exception.
    Export {
        /// The key.
        key: Name,
        /// Who receives it.
        recipient: Name,
    },
    /// The key signs nothing until it is resumed.
    Suspend {
        /// The key.
        key: Name,
    },
    /// A suspended key signs again.
    Resume {
        /// The key.
        key: Name,
    },
    /// The key is wiped from the enclave and the ledger, for good. Backups outside are not reached.
    Destroy {
        /// The key: suspended, or never active.
        key: Name,
    },
    /// The key gets another home: a backup of it is restored there, and its old home signs with it no more.
    Restore {
        /// The key.
        key: Name,
        /// The node whose enclave restores it, and which alone signs with it then.
        home: Name,
    },
    /// A key is born in shares among the enclaves of nodes: it never exists whole.
    Generate {
        /// Its name, unused so far.
        key: Name,
        /// What kind of key: one that is held in shares.
        kind: KeyKind,
        /// How many of the holders sign.
        threshold: u8,
        /// The nodes that hold a share each, in the order of the shares' indices: 2 ≤ threshold ≤ holders ≤
        /// [`MAX_HOLDERS`].
        holders: Vec<Name>,
    },
    /// The holders of a key make new shares of it, which do not combine with those before.
    Refresh {
        /// The key.
        key: Name,
    },
    /// New shares of a key for other holders, or with another threshold; its public key and addresses stay.
    Reshare {
        /// The key.
        key: Name,
        /// How many of the next holders sign.
        threshold: u8,
        /// The nodes that hold a share each from then on, in the order of the shares' indices.
        holders: Vec<Name>,
        /// The holders so far who deal the new shares: at least as many as sign so far. Whoever is lost, or not
        /// trusted any more, is left out.
        dealers: Vec<Name>,
    },
    /// New shares of a key for the same holders, one of whom has none any more: others deal them.
    Repair {
        /// The key.
        key: Name,
        /// The holder whose node said that its share is gone.
        lost: Name,
        /// The holders who deal the new shares: at least as many as sign.
        helpers: Vec<Name>,
    },
    /// A key in shares leaves for good: every holder's enclave encrypts its share to these recipients, and the key signs
    /// here no more. Only where policy names the change.
    Exit {
        /// The key.
        key: Name,
        /// Who reads the shares: post-quantum recipients of the age format (`age1pq1…`), at most
        /// [`MAX_EXIT_RECIPIENTS`]. Each of them can put the whole key together.
        recipients: Vec<String>,
    },
    /// The ceremony of a shared key that is under way ends without effect.
    Abort {
        /// The key, which there may be none of yet.
        key: Name,
        /// The request that allowed the ceremony: whoever ends one does not end the next.
        request: RequestId,
    },
    /// The holders of a key run with a node again that their enclaves keep out.
    Lift {
        /// The key.
        key: Name,
        /// The node.
        node: Name,
    },
    /// The enclave writes a backup in shares: of each group some of its members, and of the groups some, restore it
    /// together, and nobody does alone.
    Split {
        /// The key.
        key: Name,
        /// How many of the groups it takes.
        group_threshold: u8,
        /// Who holds the shares: people of the roster with a recipient key, each of them once.
        groups: Vec<BackupGroup>,
    },
    /// A key that is whole somewhere is dealt to nodes in shares; its addresses stay. It was whole once, which the log
    /// remembers of it for good.
    Import {
        /// Its name: unused so far, or that of a key whose home deals it.
        key: Name,
        /// What kind of key it is from then on: one that is held in shares.
        kind: KeyKind,
        /// What its addresses derive from: nothing else can be dealt.
        account: PublicAccount,
        /// Who has it whole.
        from: Importer,
        /// How many of the holders sign.
        threshold: u8,
        /// The nodes that hold a share each, in the order of the shares' indices.
        holders: Vec<Name>,
    },
    /// A secp256k1 key is born in the tokens of a node and never leaves them: it has one account, and no backup. Only where
    /// policy names the change.
    CreateInTokens {
        /// Its name, unused so far.
        key: Name,
        /// The node whose enclave asks the tokens, and nobody else.
        home: Name,
        /// What that node calls the group of tokens.
        tokens: Name,
    },
    /// The key is retired for good: it signs nothing any more but what sweeps it to its successor.
    Deactivate {
        /// The key.
        key: Name,
        /// Why, at most [`MAX_WHY_BYTES`](crate::MAX_WHY_BYTES).
        why: String,
    },
    /// What the key may be used for, how often and how long.
    Limit {
        /// The key.
        key: Name,
        /// All of its terms from now on.
        terms: KeyTerms,
    },
    /// Another key takes the place of this one, which is swept to it.
    Succeed {
        /// The key.
        key: Name,
        /// An active key of the same scheme.
        successor: Name,
    },
}

/// Who has the whole key that is imported.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Importer {
    /// A person, on a machine of its own.
    Person(Name),
    /// The home of a key of this log, which wipes it when its shares have signed.
    Home(Name),
}

impl Importer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            Self::Person(name) | Self::Home(name) => name,
        }
    }
}

/// Who holds the shares of one group of a backup.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupGroup {
    /// How many of them it takes.
    pub threshold: u8,
    /// Who holds a share each.
    pub members: Vec<Name>,
}

/// The most people that hold the shares of one backup.
pub const MAX_BACKUP_MEMBERS: usize = 16;

/// The most recipients that the shares of a leaving key are encrypted to.
pub const MAX_EXIT_RECIPIENTS: usize = 8;

/// The most nodes that one key is shared among.
pub const MAX_HOLDERS: usize = 16;

/// What kind of secret a key is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// A BIP-39 seed with BIP-32/44 secp256k1 children.
    HdSecp256k1,
    /// A secp256k1 key in shares that sign ECDSA together; its accounts are the BIP-32 children of its root.
    ThresholdSecp256k1,
    /// A secp256k1 key in shares that sign Schnorr (BIP-340) together, for taproot outputs of Bitcoin and nothing else.
    ThresholdBip340,
    /// An Ed25519 key in shares, for messages of Solana's and nothing else.
    ThresholdEd25519,
    /// A secp256k1 key in PKCS#11 tokens: one account, and no children.
    TokenSecp256k1,
    /// A key of ML-DSA-65, grown from a seed, for transactions of NEAR's and nothing else.
    HdMlDsa65,
}

impl KeyKind {
    /// Whether it is born in shares and held by many nodes.
    #[must_use]
    pub fn is_shared(self) -> bool {
        match self {
            Self::HdSecp256k1 | Self::TokenSecp256k1 | Self::HdMlDsa65 => false,
            Self::ThresholdSecp256k1 | Self::ThresholdBip340 | Self::ThresholdEd25519 => true,
        }
    }

    /// Whether it lives in tokens, from which nobody backs it up.
    #[must_use]
    pub fn is_in_tokens(self) -> bool {
        match self {
            Self::TokenSecp256k1 => true,
            Self::HdSecp256k1
            | Self::ThresholdSecp256k1
            | Self::ThresholdBip340
            | Self::ThresholdEd25519
            | Self::HdMlDsa65 => false,
        }
    }

    /// What it signs.
    #[must_use]
    pub fn scheme(self) -> KeyScheme {
        match self {
            Self::HdSecp256k1 | Self::ThresholdSecp256k1 | Self::TokenSecp256k1 => KeyScheme::Ecdsa,
            Self::ThresholdBip340 => KeyScheme::Bip340,
            Self::ThresholdEd25519 => KeyScheme::Ed25519,
            Self::HdMlDsa65 => KeyScheme::MlDsa65,
        }
    }

    /// The kind's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HdSecp256k1 => "hd_secp256k1",
            Self::ThresholdSecp256k1 => "threshold_secp256k1",
            Self::ThresholdBip340 => "threshold_bip340",
            Self::ThresholdEd25519 => "threshold_ed25519",
            Self::TokenSecp256k1 => "token_secp256k1",
            Self::HdMlDsa65 => "hd_ml_dsa_65",
        }
    }
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl AuthorityChange {
    /// Which kind of change it is.
    #[must_use]
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::Policy { .. } => ChangeKind::Policy,
            Self::Roster { .. } => ChangeKind::Roster,
            Self::AddressBook { .. } => ChangeKind::AddressBook,
            Self::Thaw { .. } => ChangeKind::Thaw,
            Self::Key(KeyCeremony::Create { .. }) => ChangeKind::CreateKey,
            Self::Key(KeyCeremony::Backup { .. } | KeyCeremony::Split { .. }) => ChangeKind::BackupKey,
            Self::Key(KeyCeremony::Export { .. }) => ChangeKind::ExportKey,
            Self::Key(KeyCeremony::Suspend { .. }) => ChangeKind::SuspendKey,
            Self::Key(KeyCeremony::Resume { .. }) => ChangeKind::ResumeKey,
            Self::Key(KeyCeremony::Destroy { .. }) => ChangeKind::DestroyKey,
            Self::Key(KeyCeremony::Restore { .. }) => ChangeKind::RestoreKey,
            Self::Key(KeyCeremony::Generate { .. }) => ChangeKind::GenerateKey,
            Self::Key(KeyCeremony::Refresh { .. }) => ChangeKind::RefreshKey,
            Self::Key(KeyCeremony::Reshare { .. }) => ChangeKind::ReshareKey,
            Self::Key(KeyCeremony::Repair { .. }) => ChangeKind::RepairKey,
            Self::Key(KeyCeremony::Exit { .. }) => ChangeKind::ExitKey,
            Self::Key(KeyCeremony::Abort { .. }) => ChangeKind::AbortCeremony,
            Self::Key(KeyCeremony::Lift { .. }) => ChangeKind::LiftBan,
            Self::Key(KeyCeremony::Import { .. }) => ChangeKind::ImportKey,
            Self::Key(KeyCeremony::CreateInTokens { .. }) => ChangeKind::CreateTokenKey,
            Self::Key(KeyCeremony::Deactivate { .. }) => ChangeKind::DeactivateKey,
            Self::Key(KeyCeremony::Limit { .. }) => ChangeKind::LimitKey,
            Self::Key(KeyCeremony::Succeed { .. }) => ChangeKind::SucceedKey,
            Self::Compromise { .. } => ChangeKind::DeclareCompromise,
        }
    }
}

impl KeyCeremony {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &Name {
        match self {
            Self::Create { key, .. }
            | Self::Backup { key, .. }
            | Self::Export { key, .. }
            | Self::Suspend { key }
            | Self::Resume { key }
            | Self::Destroy { key }
            | Self::Restore { key, .. }
            | Self::Generate { key, .. }
            | Self::Refresh { key }
            | Self::Reshare { key, .. }
            | Self::Repair { key, .. }
            | Self::Exit { key, .. }
            | Self::Abort { key, .. }
            | Self::Lift { key, .. }
            | Self::Split { key, .. }
            | Self::Import { key, .. }
            | Self::CreateInTokens { key, .. }
            | Self::Deactivate { key, .. }
            | Self::Limit { key, .. }
            | Self::Succeed { key, .. } => key,
        }
    }
}

//! The kinds of change of authority.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// The kinds of change, as quorum rows and rules name them.
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
pub enum ChangeKind {
    /// The next policy version.
    Policy,
    /// The next policy version, with another roster only.
    Roster,
    /// The next policy version, with another address book only.
    AddressBook,
    /// The end of a freeze.
    Thaw,
    /// A key is born.
    CreateKey,
    /// A key is backed up.
    BackupKey,
    /// A key leaves the enclave.
    ExportKey,
    /// A key stops signing.
    SuspendKey,
    /// A suspended key signs again.
    ResumeKey,
    /// A key is wiped.
    DestroyKey,
    /// A key gets another home.
    RestoreKey,
    /// A key is born in shares.
    GenerateKey,
    /// A key's holders get new shares.
    RefreshKey,
    /// A key gets other holders, or another threshold.
    ReshareKey,
    /// A holder of a key gets a share again.
    RepairKey,
    /// The shares of a key leave.
    ExitKey,
    /// A ceremony of a key ends without effect.
    AbortCeremony,
    /// A node takes part in the runs of a key again.
    LiftBan,
    /// A whole key is dealt in shares.
    ImportKey,
    /// A key is born in tokens, without a backup.
    CreateTokenKey,
    /// A key is retired.
    DeactivateKey,
    /// A key gets terms.
    LimitKey,
    /// A key gets a successor.
    SucceedKey,
    /// Something is compromised.
    DeclareCompromise,
}

impl ChangeKind {
    /// The kind's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Roster => "roster",
            Self::AddressBook => "address_book",
            Self::Thaw => "thaw",
            Self::CreateKey => "create_key",
            Self::BackupKey => "backup_key",
            Self::ExportKey => "export_key",
            Self::SuspendKey => "suspend_key",
            Self::ResumeKey => "resume_key",
            Self::DestroyKey => "destroy_key",
            Self::RestoreKey => "restore_key",
            Self::GenerateKey => "generate_key",
            Self::RefreshKey => "refresh_key",
            Self::ReshareKey => "reshare_key",
            Self::RepairKey => "repair_key",
            Self::ExitKey => "exit_key",
            Self::AbortCeremony => "abort_ceremony",
            Self::LiftBan => "lift_ban",
            Self::ImportKey => "import_key",
            Self::CreateTokenKey => "create_token_key",
            Self::DeactivateKey => "deactivate_key",
            Self::LimitKey => "limit_key",
            Self::SucceedKey => "succeed_key",
            Self::DeclareCompromise => "declare_compromise",
        }
    }
}

impl ChangeKind {
    /// Whether it cannot be undone, so that policy has to name it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::DestroyKey | Self::ExitKey)
    }

    /// Whether no row that speaks of all changes speaks of it: it cannot be undone, or it gives up what other keys must have.
    #[must_use]
    pub fn must_be_named(self) -> bool {
        self.is_final() || self == Self::CreateTokenKey
    }
}

impl std::fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

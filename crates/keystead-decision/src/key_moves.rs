//! What a change of authority does to its key: its move, how that is called, and whether it frees a rebuilt cluster.

use keystead_base::Name;
use keystead_intent::{AuthorityChange, ChangeKind, KeyCeremony, KeyMove, KeyState};
use keystead_policy::Reason;

/// The move that a ceremony on an existing key is. An export leaves a key as a backup does.
pub(crate) fn move_of(ceremony: &KeyCeremony) -> KeyMove {
    match ceremony {
        KeyCeremony::Create { .. } | KeyCeremony::Backup { .. } | KeyCeremony::Export { .. } => {
            KeyMove::Backup
        }
        KeyCeremony::Suspend { .. } => KeyMove::Suspend,
        KeyCeremony::Resume { .. } => KeyMove::Resume,
        KeyCeremony::Destroy { .. } => KeyMove::Destroy,
        KeyCeremony::Restore { .. } => KeyMove::Drill,
        KeyCeremony::Generate { .. }
        | KeyCeremony::Refresh { .. }
        | KeyCeremony::Reshare { .. }
        | KeyCeremony::Repair { .. }
        | KeyCeremony::Abort { .. }
        | KeyCeremony::Lift { .. }
        | KeyCeremony::Import { .. } => KeyMove::Prove,
        KeyCeremony::Exit { .. } => KeyMove::Exit,
    }
}

/// How the change that a move belongs to is called.
pub(crate) fn kind_of(event: KeyMove) -> ChangeKind {
    match event {
        KeyMove::Backup | KeyMove::Drill => ChangeKind::BackupKey,
        KeyMove::Suspend => ChangeKind::SuspendKey,
        KeyMove::Resume => ChangeKind::ResumeKey,
        KeyMove::Destroy | KeyMove::Wipe => ChangeKind::DestroyKey,
        KeyMove::Prove => ChangeKind::RefreshKey,
        KeyMove::Exit => ChangeKind::ExitKey,
    }
}

/// INVARIANT S14: what could let a rebuilt cluster sign, make that easier, or take a key out of it, takes the larger
/// quorum until it is thawed. What brings keys back to it, frozen, or stops them, takes the ordinary one.
pub(crate) fn frees(change: &AuthorityChange) -> bool {
    match change {
        AuthorityChange::Policy { .. }
        | AuthorityChange::Roster { .. }
        | AuthorityChange::AddressBook { .. }
        | AuthorityChange::Thaw { .. } => true,
        // Two make the same file, which whoever it is for opens alone; the others give the key to other nodes, or to people.
        AuthorityChange::Key(
            KeyCeremony::Backup { .. }
            | KeyCeremony::Export { .. }
            | KeyCeremony::Reshare { .. }
            | KeyCeremony::Import { .. }
            | KeyCeremony::Exit { .. },
        ) => true,
        AuthorityChange::Key(
            KeyCeremony::Create { .. }
            | KeyCeremony::Restore { .. }
            | KeyCeremony::Suspend { .. }
            | KeyCeremony::Resume { .. }
            | KeyCeremony::Destroy { .. }
            | KeyCeremony::Generate { .. }
            | KeyCeremony::Refresh { .. }
            | KeyCeremony::Repair { .. }
            | KeyCeremony::Abort { .. }
            | KeyCeremony::Lift { .. },
        ) => false,
    }
}

pub(crate) fn not_from(key: &Name, state: KeyState, ceremony: &KeyCeremony) -> Reason {
    let change = AuthorityChange::Key(ceremony.clone()).kind();
    Reason::KeyStep { key: key.clone(), state, change }
}

pub(crate) fn key_of(change: &AuthorityChange) -> Option<&Name> {
    match change {
        AuthorityChange::Key(ceremony) => Some(ceremony.key()),
        AuthorityChange::Thaw { key } => key.as_ref(),
        AuthorityChange::Policy { .. }
        | AuthorityChange::Roster { .. }
        | AuthorityChange::AddressBook { .. } => None,
    }
}

//! What a change of authority does to its key: its move, how that is called, and whether it frees a rebuilt cluster.

use std::collections::BTreeSet;

use keystead_base::Name;
use keystead_intent::{
    AuthorityChange, BackupGroup, ChangeKind, KeyCeremony, KeyMove, KeyState, MAX_BACKUP_MEMBERS,
};
use keystead_policy::Reason;

/// The move that a ceremony on an existing key is. An export leaves a key as a backup does.
pub(crate) fn move_of(ceremony: &KeyCeremony) -> KeyMove {
    match ceremony {
        KeyCeremony::Create { .. }
        | KeyCeremony::Backup { .. }
        | KeyCeremony::Split { .. }
        | KeyCeremony::Export { .. } => KeyMove::Backup,
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
        | KeyCeremony::Import { .. }
        | KeyCeremony::CreateInTokens { .. }
        // These two move no key.
        | KeyCeremony::Limit { .. }
        | KeyCeremony::Succeed { .. } => KeyMove::Prove,
        KeyCeremony::Exit { .. } => KeyMove::Exit,
        KeyCeremony::Deactivate { .. } => KeyMove::Deactivate,
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
        KeyMove::Deactivate => ChangeKind::DeactivateKey,
        KeyMove::Compromise => ChangeKind::DeclareCompromise,
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
            | KeyCeremony::Split { .. }
            | KeyCeremony::Export { .. }
            | KeyCeremony::Reshare { .. }
            | KeyCeremony::Import { .. }
            | KeyCeremony::Exit { .. }
            | KeyCeremony::Limit { .. }
            | KeyCeremony::Succeed { .. },
        ) => true,
        AuthorityChange::Compromise { .. } => false,
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
            | KeyCeremony::Lift { .. }
            | KeyCeremony::CreateInTokens { .. }
            | KeyCeremony::Deactivate { .. },
        ) => false,
    }
}

pub(crate) fn not_from(key: &Name, state: KeyState, ceremony: &KeyCeremony) -> Reason {
    let change = AuthorityChange::Key(ceremony.clone()).kind();
    Reason::KeyStep { key: key.clone(), state, change }
}

/// INVARIANT K4: of a backup in shares nobody restores a key alone. Gives everybody who holds one.
pub(crate) fn split_among(key: &Name, needed: u8, groups: &[BackupGroup]) -> Result<Vec<Name>, Reason> {
    let people: Vec<Name> = groups.iter().flat_map(|it| it.members.iter().cloned()).collect();
    let different: BTreeSet<_> = people.iter().collect();
    // SLIP-39 has no group of several that one of them stands for.
    let sound = |it: &BackupGroup| match it.members.len() {
        0 => false,
        1 => it.threshold == 1,
        several => (2..=several).contains(&usize::from(it.threshold)),
    };
    let alone = needed == 1 && groups.iter().any(|it| it.threshold == 1);
    let fits = (1..=groups.len()).contains(&usize::from(needed)) && groups.iter().all(sound) && !alone;
    if !fits || different.len() != people.len() || people.len() > MAX_BACKUP_MEMBERS {
        return Err(Reason::BackupShape { key: key.clone() });
    }
    Ok(people)
}

pub(crate) fn key_of(change: &AuthorityChange) -> Option<&Name> {
    match change {
        AuthorityChange::Key(ceremony) => Some(ceremony.key()),
        AuthorityChange::Thaw { key } => key.as_ref(),
        AuthorityChange::Policy { .. }
        | AuthorityChange::Roster { .. }
        | AuthorityChange::AddressBook { .. }
        | AuthorityChange::Compromise { .. } => None,
    }
}

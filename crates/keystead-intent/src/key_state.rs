//! Where a key stands in its life (NIST SP 800-57 part 1 revision 5, section 7), in one table.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Where a key stands in its life.
///
/// NIST's *pre-activation* is two states here, because no address is shown before a backup was drilled.
/// Its *compromised* states are none of their own: a key that may be known to others is frozen or
/// suspended at once, its funds move to another key, and it is destroyed.
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
pub enum KeyState {
    /// Born; no address is shown.
    Created,
    /// A backup exists; no address is shown.
    BackedUp,
    /// A backup was restored and proved control: addresses may be used.
    Active,
    /// It signs nothing until it is resumed; its addresses still receive.
    Suspended,
    /// It signs nothing any more, and its secret is about to be wiped.
    Deactivated,
    /// Its secret is wiped here. Only a backup could bring it back.
    Destroyed,
    /// Its shares were handed out: it signs nothing here any more, and whoever has enough of them signs elsewhere.
    Left,
}

/// What moves a key from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMove {
    /// A backup was written.
    Backup,
    /// A backup was restored and proved control.
    Drill,
    /// People stop it.
    Suspend,
    /// People let it sign again.
    Resume,
    /// People decide that it is to be wiped.
    Destroy,
    /// The node reports that it is.
    Wipe,
    /// The shares of every holder signed together. It takes the place of backup and drill: what is lost with one
    /// node, the others' shares still sign.
    Prove,
    /// People let its shares leave.
    Exit,
}

impl KeyState {
    /// The one transition table; none where the move makes no sense.
    #[must_use]
    pub fn after(self, event: KeyMove) -> Option<Self> {
        match (self, event) {
            (Self::Created | Self::BackedUp, KeyMove::Backup) => Some(Self::BackedUp),
            (Self::Active | Self::Suspended, KeyMove::Backup | KeyMove::Drill | KeyMove::Prove) => Some(self),
            (Self::BackedUp, KeyMove::Drill) | (Self::Created, KeyMove::Prove) => Some(Self::Active),
            (Self::Active, KeyMove::Suspend) => Some(Self::Suspended),
            (Self::Suspended, KeyMove::Resume) => Some(Self::Active),
            // Asked for again where the first permission ended before the enclave used it.
            (
                Self::Created | Self::BackedUp | Self::Suspended | Self::Deactivated | Self::Left,
                KeyMove::Destroy,
            ) => Some(Self::Deactivated),
            // Asked for again where a file was lost.
            (Self::Active | Self::Suspended | Self::Left, KeyMove::Exit) => Some(Self::Left),
            (Self::Deactivated, KeyMove::Wipe) => Some(Self::Destroyed),
            (
                Self::Created,
                KeyMove::Drill | KeyMove::Suspend | KeyMove::Resume | KeyMove::Wipe | KeyMove::Exit,
            )
            | (
                Self::BackedUp,
                KeyMove::Suspend | KeyMove::Resume | KeyMove::Wipe | KeyMove::Prove | KeyMove::Exit,
            )
            | (Self::Active, KeyMove::Resume | KeyMove::Destroy | KeyMove::Wipe)
            | (Self::Suspended, KeyMove::Suspend | KeyMove::Wipe)
            | (
                Self::Deactivated,
                KeyMove::Backup
                | KeyMove::Drill
                | KeyMove::Suspend
                | KeyMove::Resume
                | KeyMove::Prove
                | KeyMove::Exit,
            )
            | (
                Self::Left,
                KeyMove::Backup
                | KeyMove::Drill
                | KeyMove::Suspend
                | KeyMove::Resume
                | KeyMove::Wipe
                | KeyMove::Prove,
            )
            | (
                Self::Destroyed,
                KeyMove::Backup
                | KeyMove::Drill
                | KeyMove::Suspend
                | KeyMove::Resume
                | KeyMove::Destroy
                | KeyMove::Wipe
                | KeyMove::Prove
                | KeyMove::Exit,
            ) => None,
        }
    }

    /// Whether it may sign.
    #[must_use]
    pub fn signs(self) -> bool {
        self == Self::Active
    }

    /// Whether its addresses are shown: somebody may be paid there.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }

    /// Whether people took from it the right to sign that it once had, or would have got.
    #[must_use]
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Suspended | Self::Deactivated | Self::Destroyed | Self::Left)
    }

    /// Whether its secret is wiped here, or about to be.
    #[must_use]
    pub fn is_wiped(self) -> bool {
        matches!(self, Self::Deactivated | Self::Destroyed)
    }

    /// The state's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::BackedUp => "backed_up",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Destroyed => "destroyed",
            Self::Left => "left",
        }
    }
}

impl std::fmt::Display for KeyState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [KeyState; 7] = [
        KeyState::Created,
        KeyState::BackedUp,
        KeyState::Active,
        KeyState::Suspended,
        KeyState::Deactivated,
        KeyState::Destroyed,
        KeyState::Left,
    ];

    #[test]
    fn the_whole_table_reads_as_it_is_meant() {
        let moves = [
            KeyMove::Backup,
            KeyMove::Drill,
            KeyMove::Suspend,
            KeyMove::Resume,
            KeyMove::Destroy,
            KeyMove::Wipe,
            KeyMove::Prove,
            KeyMove::Exit,
        ];
        let row = |state: KeyState| moves.map(|it| state.after(it).map_or("-", KeyState::as_str)).join(" ");
        assert_eq!(
            STATES.map(row),
            [
                "backed_up - - - deactivated - active -",
                "backed_up active - - deactivated - - -",
                "active active suspended - - - active left",
                "suspended suspended - active deactivated - suspended left",
                "- - - - deactivated destroyed - -",
                "- - - - - - - -",
                "- - - - deactivated - - left",
            ]
        );
    }

    #[test]
    fn only_an_active_key_signs_and_what_is_wiped_receives_nothing() {
        assert_eq!(STATES.map(KeyState::signs), [false, false, true, false, false, false, false]);
        assert_eq!(STATES.map(KeyState::receives), [false, false, true, true, false, false, false]);
        assert_eq!(STATES.map(KeyState::is_stopped), [false, false, false, true, true, true, true]);
    }
}

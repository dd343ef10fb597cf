//! Where a key stands in its life (NIST SP 800-57 part 1 revision 5, section 7), in one table.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Where a key stands in its life.
///
/// NIST's *pre-activation* is two states here, because no address is shown before a backup was drilled.
/// *Left* is one more than NIST's: the shares of such a key are in other hands, with our leave.
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
    /// It signs nothing any more but what sweeps it to its successor, and nothing at all once people let it be wiped.
    Deactivated,
    /// Its secret is wiped here. Only a backup could bring it back.
    Destroyed,
    /// Its shares were handed out: it signs nothing here any more, and whoever has enough of them signs elsewhere.
    Left,
    /// Somebody else may know its secret: it signs nothing any more but what sweeps it to its successor.
    Compromised,
    /// Its secret is wiped here, and somebody else may know it.
    DestroyedCompromised,
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
    /// People retire it.
    Deactivate,
    /// People say that somebody else may know its secret.
    Compromise,
}

impl KeyState {
    /// The one transition table; none where the move makes no sense.
    #[must_use]
    pub fn after(self, event: KeyMove) -> Option<Self> {
        use KeyState::{
            Active, BackedUp, Compromised, Created, Deactivated, Destroyed, DestroyedCompromised, Left,
            Suspended,
        };
        let before_use = matches!(self, Created | BackedUp);
        let in_use = self.receives();
        match (event, self) {
            (KeyMove::Backup, _) if before_use => Some(BackedUp),
            (KeyMove::Backup | KeyMove::Drill | KeyMove::Prove, _) if in_use => Some(self),
            (KeyMove::Drill, BackedUp) | (KeyMove::Prove, Created) => Some(Active),
            (KeyMove::Suspend, Active) => Some(Suspended),
            (KeyMove::Resume, Suspended) => Some(Active),
            (KeyMove::Deactivate, _) if in_use => Some(Deactivated),
            // Asked for again where the first permission ended before the enclave used it.
            (KeyMove::Destroy, Created | BackedUp | Suspended | Deactivated | Left) => Some(Deactivated),
            // What somebody else may know stays so, wiped or not.
            (KeyMove::Destroy, Compromised) => Some(Compromised),
            // Asked for again where a file was lost.
            (KeyMove::Exit, Active | Suspended | Left) => Some(Left),
            (KeyMove::Wipe, Deactivated) => Some(Destroyed),
            (KeyMove::Wipe, Compromised) | (KeyMove::Compromise, Destroyed) => Some(DestroyedCompromised),
            (KeyMove::Compromise, Created | BackedUp | Active | Suspended | Deactivated | Left) => {
                Some(Compromised)
            }
            (
                KeyMove::Backup
                | KeyMove::Drill
                | KeyMove::Suspend
                | KeyMove::Resume
                | KeyMove::Destroy
                | KeyMove::Wipe
                | KeyMove::Prove
                | KeyMove::Exit
                | KeyMove::Deactivate
                | KeyMove::Compromise,
                Created | BackedUp | Active | Suspended | Deactivated | Destroyed | Left | Compromised
                | DestroyedCompromised,
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
        match self {
            Self::Created | Self::BackedUp | Self::Active => false,
            Self::Suspended
            | Self::Deactivated
            | Self::Destroyed
            | Self::Left
            | Self::Compromised
            | Self::DestroyedCompromised => true,
        }
    }

    /// Whether all that it may still sign is what moves everything to its successor.
    #[must_use]
    pub fn sweeps(self) -> bool {
        matches!(self, Self::Deactivated | Self::Compromised)
    }

    /// Whether its secret is wiped here.
    #[must_use]
    pub fn is_wiped(self) -> bool {
        matches!(self, Self::Destroyed | Self::DestroyedCompromised)
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
            Self::Compromised => "compromised",
            Self::DestroyedCompromised => "destroyed_compromised",
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

    const STATES: [KeyState; 9] = [
        KeyState::Created,
        KeyState::BackedUp,
        KeyState::Active,
        KeyState::Suspended,
        KeyState::Deactivated,
        KeyState::Destroyed,
        KeyState::Left,
        KeyState::Compromised,
        KeyState::DestroyedCompromised,
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
            KeyMove::Deactivate,
            KeyMove::Compromise,
        ];
        let row = |state: KeyState| moves.map(|it| state.after(it).map_or("-", KeyState::as_str)).join(" ");
        assert_eq!(
            STATES.map(row),
            [
                "backed_up - - - deactivated - active - - compromised",
                "backed_up active - - deactivated - - - - compromised",
                "active active suspended - - - active left deactivated compromised",
                "suspended suspended - active deactivated - suspended left deactivated compromised",
                "- - - - deactivated destroyed - - - compromised",
                "- - - - - - - - - destroyed_compromised",
                "- - - - deactivated - - left - compromised",
                "- - - - compromised destroyed_compromised - - - -",
                "- - - - - - - - - -",
            ]
        );
    }

    #[test]
    fn only_an_active_key_signs_and_what_is_wiped_receives_nothing() {
        let where_true =
            |is: fn(KeyState) -> bool| STATES.into_iter().filter(|it| is(*it)).collect::<Vec<_>>();
        assert_eq!(where_true(KeyState::signs), [KeyState::Active]);
        assert_eq!(where_true(KeyState::receives), [KeyState::Active, KeyState::Suspended]);
        assert_eq!(where_true(KeyState::sweeps), [KeyState::Deactivated, KeyState::Compromised]);
        assert_eq!(where_true(KeyState::is_stopped), STATES[3..]);
        assert_eq!(where_true(KeyState::is_wiped), [KeyState::Destroyed, KeyState::DestroyedCompromised]);
    }

    #[test]
    fn no_state_comes_back_from_a_compromise_to_one_that_signs_or_receives() {
        for state in [KeyState::Compromised, KeyState::DestroyedCompromised] {
            assert!(!state.signs() && !state.receives());
        }
    }
}

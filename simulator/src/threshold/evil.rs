//! What malicious nodes do with what their machines say.

use keystead_threshold::Kind;

use super::shell::Wire;
use crate::Dice;

/// What a malicious node does in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mischief {
    Nothing,
    Silent,
    Garbage,
    Flip,
    Equivocate,
    LyingEcho,
    OldSession,
    WrongRound,
    TwoThings,
    Replays,
    Halfway,
}

impl Mischief {
    const ALL: [Self; 11] = [
        Self::Nothing,
        Self::Silent,
        Self::Garbage,
        Self::Flip,
        Self::Equivocate,
        Self::LyingEcho,
        Self::OldSession,
        Self::WrongRound,
        Self::TwoThings,
        Self::Replays,
        Self::Halfway,
    ];

    /// Whoever is malicious behaves every other time, or no ceremony would ever end.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        if dice.chance(500) { Self::Nothing } else { *dice.pick(&Self::ALL) }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "good behavior",
            Self::Silent => "silence",
            Self::Garbage => "garbage",
            Self::Flip => "flipped bit",
            Self::Equivocate => "equivocation",
            Self::LyingEcho => "lying echo",
            Self::OldSession => "other session",
            Self::WrongRound => "wrong round",
            Self::TwoThings => "two things",
            Self::Replays => "replay",
            Self::Halfway => "told half of them",
        }
    }

    /// The copies that leave instead of one.
    pub(crate) fn twist(self, mut wire: Wire, old: &[Wire], dice: &mut Dice) -> Vec<Wire> {
        let broadcast = wire.addressee.is_none();
        match self {
            Self::Nothing => {}
            Self::Silent => return Vec::new(),
            Self::Halfway if dice.chance(500) => return Vec::new(),
            Self::Garbage => wire.payload.iter_mut().for_each(|byte| *byte = dice.roll() as u8),
            Self::Flip => flip(&mut wire, dice),
            Self::Equivocate if broadcast && wire.kind != Kind::Echo => flip(&mut wire, dice),
            Self::LyingEcho if wire.kind == Kind::Echo => flip(&mut wire, dice),
            Self::OldSession => {
                if let Some(other) = old.iter().find(|it| it.session != wire.session) {
                    wire.session = other.session;
                }
            }
            Self::WrongRound => wire.round = wire.round.wrapping_add(4),
            Self::TwoThings => {
                let mut other = wire.clone();
                flip(&mut other, dice);
                return vec![wire, other];
            }
            Self::Replays if !old.is_empty() => {
                let before = dice.pick(old);
                wire.payload.clone_from(&before.payload);
            }
            Self::Halfway | Self::Equivocate | Self::LyingEcho | Self::Replays => {}
        }
        vec![wire]
    }
}

fn flip(wire: &mut Wire, dice: &mut Dice) {
    let at = dice.index(wire.payload.len());
    let bit = dice.below(8);
    if let Some(byte) = wire.payload.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

/// An old share that says that it is the new one: all that a node has that kept what it should have erased.
pub(crate) fn relabeled(new: &[u8], old: &[u8]) -> Vec<u8> {
    // Where the scalar stands in a document of `keystead/threshold-share/v1` whose key and holder have names of
    // three letters and of one.
    let at = 1 + "keystead/threshold-share/v1".len() + (4 + 3) + 1 + 4 + (4 + 1);
    let mut forged = new.to_vec();
    if let (Some(to), Some(from)) = (forged.get_mut(at..at + 32), old.get(at..at + 32)) {
        to.copy_from_slice(from);
    }
    forged
}

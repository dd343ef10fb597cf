//! Bytes that somebody changed in a few places.

use crate::dice::Dice;

/// One to three changes: a bit, a byte, a byte more or less, the end cut off or drawn out.
pub(crate) fn bytes(dice: &mut Dice, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..1 + dice.below(3) {
        let at = dice.below(bytes.len().max(1));
        let any = dice.array::<1>()[0];
        match dice.below(8) {
            0 | 1 => change(&mut bytes, at, |byte| byte ^ (1 << (any % 8))),
            2 | 3 => change(&mut bytes, at, |_| any),
            4 => change(&mut bytes, at, |byte| byte.wrapping_add(1)),
            5 => bytes.insert(at.min(bytes.len()), if any < 128 { 0 } else { any }),
            6 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.truncate(bytes.len().saturating_sub(usize::from(any % 4))),
        }
    }
    bytes
}

fn change(bytes: &mut [u8], at: usize, to: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = to(*byte);
    }
}

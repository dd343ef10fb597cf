//! The word list, and the checksum over words.

use keystead_base::Secret;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// The number of a word, of which the first four letters suffice, in any letter case.
///
/// INVARIANT K5: every word of the list is compared, whichever it is, and none is copied where nobody wipes it. How long a word
/// is, and whether it is one, is no secret.
#[inline(never)]
pub(super) fn index(word: &str) -> Option<u16> {
    let mut asked = Secret::new([0; LONGEST_WORD]);
    if word.len() > LONGEST_WORD {
        return None;
    }
    asked.expose_mut().iter_mut().zip(word.bytes()).for_each(|(to, from)| *to = from.to_ascii_lowercase());
    let is_short = Choice::from(u8::from(word.len() == PREFIX));
    let short = first(asked.expose());
    let (mut found, mut any) = (0, Choice::from(0));
    for (at, entry) in (0..).zip(&TABLE) {
        let same = entry.ct_eq(asked.expose()) | (first(entry).ct_eq(&short) & is_short);
        found.conditional_assign(&at, same);
        any |= same;
    }
    bool::from(any).then_some(found)
}

/// A word, zeros behind it. INVARIANT K5: every word of the list is read, whichever it is.
pub(super) fn word(index: u16) -> Secret<[u8; LONGEST_WORD]> {
    let mut word = Secret::new([0; LONGEST_WORD]);
    for (at, entry) in (0_u16..).zip(&TABLE) {
        let same = at.ct_eq(&index);
        // By hand: negating a byte, as `subtle` does it for this mask, brings a check for overflow that branches.
        let mask = 0_u8.wrapping_sub(same.unwrap_u8());
        word.expose_mut().iter_mut().zip(entry).for_each(|(to, from)| *to |= from & mask);
    }
    word
}

fn first(word: &[u8; LONGEST_WORD]) -> [u8; PREFIX] {
    let [a, b, c, d, ..] = *word;
    [a, b, c, d]
}

/// The list, each word with zeros behind it.
#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler, which stops where an index is outside"
)]
const TABLE: [[u8; LONGEST_WORD]; WORDS] = {
    let (text, mut table) = (LIST.as_bytes(), [[0; LONGEST_WORD]; WORDS]);
    let (mut at, mut row, mut column) = (0, 0, 0);
    while at < text.len() {
        if text[at] == b'\n' {
            (row, column) = (row + 1, 0);
        } else {
            table[row][column] = text[at];
            column += 1;
        }
        at += 1;
    }
    table
};

/// The three last words of a share (SLIP-39, "Checksum": Reed-Solomon over GF(1024)).
pub(super) fn checksum(extendable: bool, values: &[u16]) -> [u16; CHECKSUM_WORDS] {
    let zeros = [0; CHECKSUM_WORDS];
    let sum = polymod(extendable, values.iter().chain(&zeros)) ^ 1;
    [20, 10, 0].map(|shift| ten_bits(sum >> shift))
}

pub(super) fn holds(extendable: bool, values: &[u16]) -> bool {
    polymod(extendable, values.iter()) == 1
}

/// A function of its own, so that what reads its sum is told apart from it (`cargo xtask constant-time`).
#[inline(never)]
fn polymod<'a>(extendable: bool, values: impl Iterator<Item = &'a u16>) -> u32 {
    let tag: &[u8] = if extendable { b"shamir_extendable" } else { b"shamir" };
    let customized = tag.iter().map(|it| u32::from(*it)).chain(values.map(|it| u32::from(*it)));
    customized.fold(1, |sum, value| {
        let top = sum >> 20;
        let shifted = ((sum & 0xf_ffff) << 10) ^ value;
        // INVARIANT K5: a mask, and no branch on a bit of a word.
        let taps = GENERATORS.iter().enumerate();
        taps.fold(shifted, |sum, (bit, generator)| sum ^ (generator & 0_u32.wrapping_sub((top >> bit) & 1)))
    })
}

/// The lowest ten, without a branch.
pub(super) fn ten_bits(bits: u32) -> u16 {
    let [low, high, ..] = bits.to_le_bytes();
    u16::from_le_bytes([low, high & 0b11])
}

/// The list of the specification.
const LIST: &str = include_str!("words.txt");
const PREFIX: usize = 4;
const WORDS: usize = 1024;
/// Letters of the longest word.
pub(super) const LONGEST_WORD: usize = 8;
pub(super) const CHECKSUM_WORDS: usize = 3;
const GENERATORS: [u32; 10] = [
    0x00e0_e040,
    0x01c1_c080,
    0x0383_8100,
    0x0707_0200,
    0x0e0e_0009,
    0x1c0c_2412,
    0x3808_6c24,
    0x3090_fc48,
    0x21b1_f890,
    0x03f3_f120,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn four_letters_name_a_word() {
        let list: Vec<&str> = LIST.lines().collect();
        assert_eq!(list.len(), 1024);
        let short: BTreeSet<_> = list.iter().map(|it| &it[..PREFIX]).collect();
        assert_eq!(short.len(), 1024);
        assert!(list.is_sorted());
        for (at, it) in (0..1024).zip(list) {
            let word = word(at);
            assert_eq!(std::str::from_utf8(word.expose()).unwrap().trim_end_matches('\0'), it);
            assert_eq!((index(it), index(&it[..PREFIX].to_uppercase())), (Some(at), Some(at)));
        }
        assert_eq!((index("acad"), index("aca"), index("academia"), index("")), (Some(0), None, None, None));
    }
}

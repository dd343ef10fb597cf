//! The word list, and the checksum over words.

/// The index of a word, or of its first four letters, which no two words share.
pub(super) fn index(word: &str) -> Option<u16> {
    let word = word.to_ascii_lowercase();
    let fits = |it: &str| it == word || (word.len() == PREFIX && it.get(..PREFIX) == Some(word.as_str()));
    u16::try_from(list().position(fits)?).ok()
}

pub(super) fn word(index: u16) -> &'static str {
    list().nth(usize::from(index)).unwrap_or_default()
}

fn list() -> impl Iterator<Item = &'static str> {
    LIST.lines()
}

/// The three last words of a share (SLIP-39, "Checksum": Reed-Solomon over GF(1024)).
pub(super) fn checksum(extendable: bool, values: &[u16]) -> [u16; CHECKSUM_WORDS] {
    let zeros = [0; CHECKSUM_WORDS];
    let sum = polymod(extendable, values.iter().chain(&zeros)) ^ 1;
    [20, 10, 0].map(|shift| u16::try_from((sum >> shift) & 1023).unwrap_or_default())
}

pub(super) fn holds(extendable: bool, values: &[u16]) -> bool {
    polymod(extendable, values.iter()) == 1
}

fn polymod<'a>(extendable: bool, values: impl Iterator<Item = &'a u16>) -> u32 {
    let tag: &[u8] = if extendable { b"shamir_extendable" } else { b"shamir" };
    let customized = tag.iter().map(|it| u32::from(*it)).chain(values.map(|it| u32::from(*it)));
    customized.fold(1, |sum, value| {
        let top = sum >> 20;
        let shifted = ((sum & 0xf_ffff) << 10) ^ value;
        let taps = GENERATORS.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1);
        taps.fold(shifted, |sum, (_, generator)| sum ^ generator)
    })
}

/// The list of the specification.
const LIST: &str = include_str!("words.txt");
const PREFIX: usize = 4;
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
        assert_eq!(list().count(), 1024);
        let short: BTreeSet<_> = list().map(|it| &it[..PREFIX]).collect();
        assert_eq!(short.len(), 1024);
        assert!(list().is_sorted());
        for (at, it) in (0..1024).zip(list()) {
            assert_eq!((index(it), index(&it[..PREFIX].to_uppercase()), word(at)), (Some(at), Some(at), it));
        }
        assert_eq!((index("acad"), index("aca"), index("academia"), index("")), (Some(0), None, None, None));
    }
}

//! Keys that are the hash of something a person can think of ("brain wallets").
//!
//! Whoever sweeps such wallets hashes dictionaries of billions. What is tried here is little, and says so: all short texts, and
//! phrases that have been emptied for years.

use sha2::{Digest as _, Sha256};

/// The SHA-256 of which of these texts, or its beginning, is `secret`: how many were tried before it.
pub(super) fn search(secret: &[u8]) -> Option<u64> {
    let known = PHRASES.iter().position(|it| Sha256::digest(it).starts_with(secret));
    let mut before = PHRASES.len() as u64;
    let mut found = known.map(|it| it as u64);
    for (alphabet, lengths) in ALPHABETS {
        for length in *lengths {
            found = found.or_else(|| short(secret, alphabet, *length).map(|it| before + it));
            before += count(alphabet, *length);
        }
    }
    found
}

/// How many texts [`search`] tries.
pub(super) fn candidates() -> u64 {
    let short =
        ALPHABETS.iter().flat_map(|(alphabet, lengths)| lengths.iter().map(|it| count(alphabet, *it)));
    PHRASES.len() as u64 + short.sum::<u64>()
}

fn short(secret: &[u8], alphabet: &[u8], length: usize) -> Option<u64> {
    let mut text = [0; MAX_LENGTH];
    (0..count(alphabet, length)).find(|number| {
        let letters = text.get_mut(..length).unwrap_or_default();
        spell(*number, alphabet, letters);
        Sha256::digest(&*letters).starts_with(secret)
    })
}

/// The text with this number: its letters are the digits of the number, the lowest first.
fn spell(mut number: u64, alphabet: &[u8], letters: &mut [u8]) {
    let base = alphabet.len() as u64;
    for letter in letters {
        *letter = alphabet.get((number % base) as usize).copied().unwrap_or_default();
        number /= base;
    }
}

fn count(alphabet: &[u8], length: usize) -> u64 {
    (0..length).fold(1, |all, _| all * alphabet.len() as u64)
}

const MAX_LENGTH: usize = 6;

const ALPHABETS: &[(&[u8], &[usize])] = &[
    (
        b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
        &[0, 1, 2, 3],
    ),
    (b"abcdefghijklmnopqrstuvwxyz", &[4]),
    (b"0123456789", &[4, 5, 6]),
];

/// Of published lists of emptied wallets, and what everybody tries first.
const PHRASES: [&[u8]; 24] = [
    b"password",
    b"password1",
    b"passphrase",
    b"12345678",
    b"123456789",
    b"1234567890",
    b"qwerty",
    b"letmein",
    b"bitcoin",
    b"Bitcoin",
    b"bitcoin is awesome",
    b"ethereum",
    b"satoshi",
    b"Satoshi Nakamoto",
    b"satoshi nakamoto",
    b"correct horse battery staple",
    b"to be or not to be",
    b"how much wood could a woodchuck chuck if a woodchuck could chuck wood",
    b"The quick brown fox jumps over the lazy dog",
    b"hello world",
    b"Hello, world!",
    b"private key",
    b"secret",
    b"test test test test test test test test test test test junk",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_as_they_are_tried() {
        let hash = |text: &str| Sha256::digest(text).to_vec();
        assert_eq!(search(&hash("password")), Some(0));
        assert_eq!(search(&hash("")), Some(PHRASES.len() as u64), "the empty text is the first short one");
        let last = &hash("999999")[..16];
        assert_eq!(search(last), Some(candidates() - 1), "half of a hash for twelve words");
    }
}

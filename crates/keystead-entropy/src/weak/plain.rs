//! Seeds that a person or a broken program made up, seen at a glance.

use std::collections::BTreeSet;
use std::fmt;

use super::WeakSeed;

/// How a seed looks that is no random one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Fewer than 16 bytes.
    Short,
    /// Fewer than half of its bytes, or of its BIP-39 words, differ.
    Few,
    /// A block of at most half of it, over and over.
    Repeated,
    /// Each byte is the one before and a constant.
    Counted,
    /// All of it is text.
    Typed,
    /// One half is one byte over and over.
    HalfEmpty,
}

/// Refuses what looks made up: 16 to 32 bytes of BIP-39 entropy, or a key. A random seed of 16 bytes is refused once in five
/// million, one of 32 bytes never.
///
/// # Errors
///
/// [`WeakSeed::Plain`] with the pattern.
pub fn plain(entropy: &[u8]) -> Result<(), WeakSeed> {
    let patterns = [
        (entropy.len() < 16, Pattern::Short),
        (is_constant(entropy), Pattern::Counted),
        (repeats(entropy), Pattern::Repeated),
        (is_half_empty(entropy), Pattern::HalfEmpty),
        (entropy.iter().all(|byte| (0x20..0x7f).contains(byte)), Pattern::Typed),
        (has_few(entropy), Pattern::Few),
    ];
    match patterns.into_iter().find(|(found, _)| *found) {
        Some((_, pattern)) => Err(WeakSeed::Plain { pattern }),
        None => Ok(()),
    }
}

fn is_constant(entropy: &[u8]) -> bool {
    let steps: BTreeSet<u8> =
        entropy.iter().zip(entropy.iter().skip(1)).map(|(one, next)| next.wrapping_sub(*one)).collect();
    steps.len() <= 1
}

fn repeats(entropy: &[u8]) -> bool {
    (1..=entropy.len() / 2).any(|period| entropy.iter().zip(entropy.iter().skip(period)).all(|(a, b)| a == b))
}

fn is_half_empty(entropy: &[u8]) -> bool {
    let (one, other) = entropy.split_at(entropy.len() / 2);
    [one, other].iter().any(|half| half.iter().collect::<BTreeSet<_>>().len() <= 1)
}

fn has_few(entropy: &[u8]) -> bool {
    let bytes: BTreeSet<&u8> = entropy.iter().collect();
    let words = words(entropy);
    let different: BTreeSet<&u16> = words.iter().collect();
    bytes.len() * 2 < entropy.len() || different.len() * 2 < words.len()
}

/// The 11 bits of each word but the last, which has the checksum.
fn words(entropy: &[u8]) -> Vec<u16> {
    let (mut words, mut bits, mut held) = (Vec::new(), 0, 0_u32);
    for byte in entropy {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        if bits >= 11 {
            bits -= 11;
            words.push((held >> bits & 0x7ff) as u16);
        }
    }
    words
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "it has fewer than 128 bits",
            Self::Few => "fewer than half of its bytes or words differ",
            Self::Repeated => "it repeats itself",
            Self::Counted => "it counts",
            Self::Typed => "it is text",
            Self::HalfEmpty => "one half of it is empty",
        })
    }
}

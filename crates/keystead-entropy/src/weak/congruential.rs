//! A linear congruence of 32 bits gives itself away with its first word: every seed is checked at once.

/// The seed of the generator whose words, lowest byte first, are `secret`.
pub(super) fn seed_of(secret: &[u8]) -> Option<u32> {
    let words: Vec<u32> =
        secret.chunks_exact(4).filter_map(|it| it.try_into().ok().map(u32::from_le_bytes)).collect();
    let first = *words.first()?;
    let follows = words.iter().zip(words.iter().skip(1)).all(|(one, next)| step(*one) == *next);
    (words.len() >= 4 && follows).then(|| first.wrapping_sub(INCREMENT).wrapping_mul(INVERSE))
}

/// "Numerical Recipes".
pub(super) fn step(state: u32) -> u32 {
    state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT)
}

const MULTIPLIER: u32 = 1_664_525;
const INCREMENT: u32 = 1_013_904_223;
/// Of the multiplier, modulo 2^32.
const INVERSE: u32 = 4_276_115_653;

//! MT19937-64 from a seed of 32 bits, and which one lies behind a key of Profanity's.

use std::ops::Range;

/// The seed whose second and third output are the middle words of `key`: the search beyond them adds to the lowest and the highest
/// word alone, and a carry into the middle comes once in 2^30.
pub(super) fn search(key: &[u8], seeds: Range<u64>) -> Option<u64> {
    let [_, third, second, _] = words(key)?;
    seeds.into_iter().find(|seed| outputs(*seed) == [second, third])
}

/// The words of a key, the highest first.
fn words(key: &[u8]) -> Option<[u64; 4]> {
    let words = key.chunks_exact(8).filter_map(|it| it.try_into().ok().map(u64::from_be_bytes));
    (key.len() == 32).then(|| words.collect::<Vec<_>>().try_into().ok()).flatten()
}

/// The second and the third output.
fn outputs(seed: u64) -> [u64; 2] {
    let (mut state, mut near, mut far) = (seed, [0; 3], [0; 2]);
    for at in 1..=SHIFT + 2 {
        state = (state ^ (state >> 62)).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(at);
        if at <= 3 {
            near.rotate_left(1);
            near[2] = state;
        }
        if at > SHIFT {
            far.rotate_left(1);
            far[1] = state;
        }
    }
    let ([first, second, third], [one, other]) = (near, far);
    [output(first, second, one), output(second, third, other)]
}

fn output(one: u64, next: u64, shifted: u64) -> u64 {
    let mixed = (one & !LOWER) | (next & LOWER);
    let twisted = shifted ^ (mixed >> 1) ^ (mixed & 1).wrapping_mul(0xb502_6f5a_a966_19e9);
    let tempered = twisted ^ ((twisted >> 29) & 0x5555_5555_5555_5555);
    let tempered = tempered ^ ((tempered << 17) & 0x71d6_7fff_eda6_0000);
    let tempered = tempered ^ ((tempered << 37) & 0xfff7_eee0_0000_0000);
    tempered ^ (tempered >> 43)
}

const LOWER: u64 = 0x7fff_ffff;
/// How far ahead the recurrence reaches.
const SHIFT: u64 = 156;

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that C++ gives for `std::mt19937_64` with its default seed, 5489: 14514284786278117030 is the first.
    #[test]
    fn outputs_are_those_of_the_standard_library() {
        assert_eq!(outputs(5489), [4_620_546_740_167_642_908, 13_109_570_281_517_897_720]);
    }
}

//! MT19937 from a seed of 32 bits, and which seed made some bytes.

use std::ops::Range;

/// The seed among `seeds` whose outputs, by one byte of each, are `secret`.
pub(super) fn search(secret: &[u8], seeds: Range<u64>, byte: impl Fn(u32) -> u8) -> Option<u64> {
    let first = *secret.first()?;
    let mut block = seeds.start;
    while block < seeds.end {
        let outputs = first_outputs(block as u32);
        let hits = outputs.iter().zip(block..seeds.end).filter(|(output, _)| byte(**output) == first);
        let made = |seed: &u64| outputs_of(*seed as u32, secret.len()).map(&byte).eq(secret.iter().copied());
        if let Some(seed) = hits.map(|(_, seed)| seed).find(made) {
            return Some(seed);
        }
        block += LANES as u64;
    }
    None
}

/// The first output of so many seeds in a row. The state of a seed is a chain of multiplications without a short cut, so
/// that many chains side by side are what a CPU can do faster.
fn first_outputs(seed: u32) -> [u32; LANES] {
    let mut state: [u32; LANES] = std::array::from_fn(|lane| seed.wrapping_add(lane as u32));
    let (zeroth, mut next) = (state, state);
    for at in 1..=SHIFT {
        for lane in &mut state {
            *lane = step(*lane, at);
        }
        if at == 1 {
            next = state;
        }
    }
    let mut parts = zeroth.iter().zip(&next).zip(&state);
    std::array::from_fn(|_| {
        parts.next().map_or(0, |((zeroth, next), shifted)| output(*zeroth, *next, *shifted))
    })
}

/// The first `count` outputs of a seed; fewer than 227, so that no state is used twice.
pub(super) fn outputs_of(seed: u32, count: usize) -> impl Iterator<Item = u32> {
    let states = SHIFT as usize + count + 1;
    let state: Vec<u32> =
        std::iter::successors(Some((seed, 0_u32)), |(last, at)| Some((step(*last, at + 1), at + 1)))
            .map(|(state, _)| state)
            .take(states)
            .collect();
    (0..count).filter_map(move |at| {
        let [one, next, shifted] = [at, at + 1, at + SHIFT as usize].map(|it| state.get(it).copied());
        Some(output(one?, next?, shifted?))
    })
}

fn step(last: u32, at: u32) -> u32 {
    (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(at)
}

fn output(one: u32, next: u32, shifted: u32) -> u32 {
    let mixed = (one & 0x8000_0000) | (next & 0x7fff_ffff);
    let twisted = shifted ^ (mixed >> 1) ^ (mixed & 1).wrapping_mul(0x9908_b0df);
    let tempered = twisted ^ (twisted >> 11);
    let tempered = tempered ^ ((tempered << 7) & 0x9d2c_5680);
    let tempered = tempered ^ ((tempered << 15) & 0xefc6_0000);
    tempered ^ (tempered >> 18)
}

const LANES: usize = 16;
/// How far ahead the recurrence reaches.
const SHIFT: u32 = 397;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers that C++ prints for `std::mt19937` with its default seed, 5489.
    #[test]
    fn outputs_are_those_of_the_standard_library() {
        let outputs: Vec<u32> = outputs_of(5489, 5).collect();
        assert_eq!(outputs, [3_499_211_612, 581_869_302, 3_890_346_734, 3_586_334_585, 545_404_204]);
        for seed in [0, 1, 5489, u32::MAX - 20] {
            let firsts = (0..LANES as u32).map(|lane| outputs_of(seed + lane, 1).next().unwrap());
            assert_eq!(first_outputs(seed).to_vec(), firsts.collect::<Vec<_>>());
        }
    }
}

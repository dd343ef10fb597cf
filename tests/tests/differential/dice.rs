//! Random draws that one number repeats.

use alloy_primitives::{Address, U256};

/// xorshift64*, so that a run is one number.
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of a test: `KEYSTEAD_SEED`, or the day of the first run; printed, so that a run can be had again.
    pub(crate) fn of(test: &str) -> Self {
        let seed = number("KEYSTEAD_SEED").unwrap_or(20_261_126);
        keystead_tests::tell(&format!("{test}: KEYSTEAD_SEED={seed}"));
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below a bound that is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from((self.next() >> 11) % bound as u64).expect("below a usize")
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[1]).collect()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().expect("as many bytes")
    }

    /// A number of at most so many bits: zero, small, middling, large or the largest.
    pub(crate) fn number(&mut self, bits: usize) -> U256 {
        let used = match self.below(6) {
            0 => return U256::ZERO,
            1 => return U256::MAX >> (256 - bits),
            2 => 1 + self.below(bits.min(8)),
            3 => 1 + self.below(bits),
            _ => bits,
        };
        U256::from_be_bytes(self.array::<32>()) >> (256 - used)
    }

    pub(crate) fn address(&mut self) -> Address {
        Address::from(self.array::<20>())
    }
}

/// How many cases each test draws by itself.
pub(crate) const TRANSACTIONS: usize = 4_000;
pub(crate) const TYPED_DATA: usize = 5_000;
pub(crate) const SPOILED_TYPED_DATA: usize = 1_000;
pub(crate) const PSBTS: usize = 700;
pub(crate) const SPOILED_PSBTS: usize = 1_500;

const _: () = assert!(
    TRANSACTIONS + TYPED_DATA + SPOILED_TYPED_DATA + PSBTS + SPOILED_PSBTS >= 10_000,
    "other implementations are asked at least 10,000 times"
);

/// How many cases a test draws: `KEYSTEAD_CASES`, or its own number.
pub(crate) fn cases(own: usize) -> usize {
    number("KEYSTEAD_CASES").map_or(own, |it| usize::try_from(it).expect("a number of cases"))
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, found {text:?}")))
}

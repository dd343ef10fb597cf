//! Numbers from a seed, the same in every run.

use keystead_base::tagged_hash;

/// A generator; never outside of tests.
pub(crate) struct Dice {
    seed: u64,
    count: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        self.count += 1;
        let place = [self.seed.to_le_bytes(), self.count.to_le_bytes()].concat();
        *tagged_hash("keystead/test", &place).as_bytes()
    }

    pub(crate) fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes()[..8].try_into().unwrap())
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn many(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.bytes()).flatten().take(length).collect()
    }
}

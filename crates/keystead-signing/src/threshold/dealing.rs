//! The randomness with which a holder takes part in the birth of a shared key: of the kernel, and of a seed of all sources (E1).

use keystead_base::Secret;
use keystead_entropy::{SEED_BYTES, expand};

/// A seed of tested sources, stretched beside the kernel: each can only add to the other.
pub(crate) struct DealingSeed {
    seed: Secret<[u8; SEED_BYTES]>,
    drawn: u64,
}

impl DealingSeed {
    pub(crate) fn new(seed: Secret<[u8; SEED_BYTES]>) -> Self {
        Self { seed, drawn: 0 }
    }

    /// INVARIANT E1: what the kernel gives, with as many bytes of the seed's own stream over it: HKDF-Expand with a number that is used
    /// once.
    pub(super) fn fill(&mut self, out: &mut [u8], kernel: &mut dyn FnMut(&mut [u8])) {
        kernel(out);
        for part in out.chunks_mut(PART_BYTES) {
            let mut pad = Secret::new([0; PART_BYTES]);
            let info = [INFO, &self.drawn.to_le_bytes()].concat();
            self.drawn = self.drawn.saturating_add(1);
            let stretched = expand(self.seed.expose(), &info, pad.expose_mut());
            assert!(stretched.is_ok(), "64 bytes are one block of HKDF");
            part.iter_mut().zip(pad.expose()).for_each(|(out, pad)| *out ^= pad);
        }
    }
}

const INFO: &[u8] = b"dealing";
const PART_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u8, kernel: u8, lengths: &[usize]) -> Vec<Vec<u8>> {
        let mut dealing = DealingSeed::new(Secret::new([seed; SEED_BYTES]));
        let draw = |length: &usize| {
            let mut out = vec![0; *length];
            dealing.fill(&mut out, &mut |bytes| bytes.fill(kernel));
            out
        };
        lengths.iter().map(draw).collect()
    }

    #[test]
    fn e1_a_holder_s_dealing_is_of_the_kernel_and_of_its_seed() {
        let lengths = [32, 32, 200];
        let one = drawn(1, 7, &lengths);
        assert_eq!(drawn(1, 7, &lengths), one);
        for other in [drawn(2, 7, &lengths), drawn(1, 8, &lengths)] {
            assert!(other.iter().zip(&one).all(|(other, one)| other != one), "each moves all of it");
        }
        assert_ne!(one[0], one[1], "no stretch twice");
        let long: Vec<&[u8]> = one[2].chunks(64).collect();
        assert!(long[0] != long[1] && long[1] != long[2] && long[2][..8] != [7; 8]);
    }
}

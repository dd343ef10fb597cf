//! What this machine gives to a seed: the kernel, the clock's jitter and RDSEED, drawn here (E1).
//!
//! They are tested, mixed and put on a receipt by `keystead-entropy`. The kernel's generator is always in; a source that fails
//! refuses the seed, and whatever the enclave would do after it.

mod brought;
mod openings;

use std::time::Instant;

use keystead_base::{Secret, Timestamp};
use keystead_entropy::{EntropyError, EntropyReceipt, Mixture, SALT_BYTES, SEED_BYTES, Samples, Source};

pub(crate) use self::brought::{Contribution, of_tpm};
use crate::kernel;

/// Fills `out` from the kernel. A kernel that cannot is no place to go on.
pub(crate) fn kernel_random(out: &mut [u8]) {
    if getrandom::fill(out).is_err() {
        std::process::abort();
    }
}

/// Raw samples of all sources that this machine has, untested, and a salt for the commitment to each.
pub struct MachineDraw {
    system: Secret<[u8; SYSTEM_BYTES]>,
    jitter: Secret<[u8; JITTER_SAMPLES]>,
    rdseed: Option<Secret<[u8; HARDWARE_BYTES]>>,
    token: Option<Secret<Vec<u8>>>,
    tpm: Option<Secret<Vec<u8>>>,
    salts: Secret<[[u8; SALT_BYTES]; SOURCES]>,
}

/// One source's samples with the salt of their commitment: what a receipt's commitment opens to.
pub type Opening<'a> = (Source, &'a [u8; SALT_BYTES], &'a [u8]);

impl MachineDraw {
    /// Draws them. A kernel without randomness ends the process.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| false, None)
    }

    /// As [`Self::new`], and what a token's generator fills in, where one does, and what the machine's TPM gave.
    pub(crate) fn with(
        token: impl FnOnce(&mut Secret<Vec<u8>>) -> bool,
        tpm: Option<Secret<Vec<u8>>>,
    ) -> Self {
        let mut drawn = Secret::new(vec![0; TOKEN_BYTES]);
        let token = token(&mut drawn).then_some(drawn);
        let (mut system, mut salts) =
            (Secret::new([0; SYSTEM_BYTES]), Secret::new([[0; SALT_BYTES]; SOURCES]));
        kernel_random(system.expose_mut());
        salts.expose_mut().iter_mut().for_each(|salt| kernel_random(salt));
        Self { system, jitter: jitter(), rdseed: hardware(), token, tpm, salts }
    }

    /// INVARIANT E1: all of them, tested, ready for a seed or for what people bring.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] names the source that failed.
    pub fn mixture(&self) -> Result<Mixture<'_>, EntropyError> {
        let mut tested =
            self.openings().map(|(source, salt, samples)| Samples::tested(source, samples, salt));
        let system = tested.next().unwrap_or(Err(EntropyError::Alone))?;
        let mut mixture = Mixture::new(system)?;
        tested.try_for_each(|samples| mixture.add(samples?))?;
        Ok(mixture)
    }

    /// Secret: what was drawn, for whoever is to compute the seed again.
    pub fn openings(&self) -> impl Iterator<Item = Opening<'_>> {
        let rdseed = self.rdseed.as_ref().map(|it| (Source::Rdseed, it.expose().as_slice()));
        let token = self.token.as_ref().map(|it| (Source::Token, it.expose().as_slice()));
        let tpm = self.tpm.as_ref().map(|it| (Source::Tpm, it.expose().as_slice()));
        let own = [
            (Source::OperatingSystem, self.system.expose().as_slice()),
            (Source::Jitter, self.jitter.expose().as_slice()),
        ];
        let all = own.into_iter().chain(rdseed).chain(token).chain(tpm);
        all.zip(self.salts.expose()).map(|((source, samples), salt)| (source, salt, samples))
    }
}

impl Default for MachineDraw {
    fn default() -> Self {
        Self::new()
    }
}

/// The sources over the life of a process: after one failure nothing is drawn any more.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) failed: Option<EntropyError>,
}

impl Sources {
    /// INVARIANT E1: says which source failed, once one has.
    pub(crate) fn well(&self) -> Result<(), EntropyError> {
        self.failed.map_or(Ok(()), Err)
    }

    /// INVARIANT E1: the health tests when an enclave starts.
    pub(crate) fn check(&mut self, draw: &MachineDraw) -> Result<(), EntropyError> {
        self.noted(|| draw.mixture().map(drop))
    }

    /// INVARIANT E1: a seed, and again the health tests on the samples that it is made of.
    pub(crate) fn seed(
        &mut self,
        draw: &MachineDraw,
        now: Timestamp,
    ) -> Result<(Secret<[u8; SEED_BYTES]>, EntropyReceipt), EntropyError> {
        self.seed_with(draw, &[], now)
    }

    /// INVARIANT E1: a seed of the machine's sources and of what people brought, which can only add to them.
    pub(crate) fn seed_with(
        &mut self,
        draw: &MachineDraw,
        brought: &[Contribution],
        now: Timestamp,
    ) -> Result<(Secret<[u8; SEED_BYTES]>, EntropyReceipt), EntropyError> {
        self.noted(|| {
            let mut mixture = draw.mixture()?;
            brought.iter().try_for_each(|it| mixture.add(it.tested()?))?;
            mixture.finish(MAKER, now, Vec::new())
        })
    }

    fn noted<T>(&mut self, drawn: impl FnOnce() -> Result<T, EntropyError>) -> Result<T, EntropyError> {
        self.well()?;
        drawn().inspect_err(|error| self.failed = Some(*error))
    }
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

const MAKER: &str = concat!("keystead ", env!("CARGO_PKG_VERSION"));
const SYSTEM_BYTES: usize = 64;
/// 1,024 samples at half a bit are 512 bits.
const JITTER_SAMPLES: usize = 1024;
const WALK_BYTES: usize = 64 * 1024;
const WALK_STEPS: usize = 256;
/// A page and a little: each step leaves the cache line and the page.
const WALK_STRIDE: usize = 4099;
/// Knuth's MMIX.
const WALK_MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const HARDWARE_BYTES: usize = 64;
/// The most sources of a machine.
const SOURCES: usize = 5;
/// As few as a source takes whose generator nobody here knows.
const TOKEN_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    fn drawn(draw: &MachineDraw) -> Result<(Secret<[u8; SEED_BYTES]>, EntropyReceipt), EntropyError> {
        Sources::default().seed(draw, Timestamp(7))
    }

    #[test]
    fn e1_seeds_differ_and_name_their_sources() {
        let (one, receipt) = drawn(&MachineDraw::new()).unwrap();
        let (two, _) = drawn(&MachineDraw::new()).unwrap();
        assert_ne!(one.expose(), two.expose());
        let named: Vec<Source> = receipt.sources.iter().map(|it| it.source).collect();
        let all = [Source::OperatingSystem, Source::Jitter, Source::Rdseed];
        assert_eq!(named, all[..if kernel::hardware_word().is_some() { 3 } else { 2 }]);
        assert_eq!((receipt.hold(), receipt.at, receipt.promise), (Ok(()), Timestamp(7), None));
        assert_eq!(receipt.check, keystead_entropy::seed_check(&one));
    }

    /// What a token gives can only add: it has a line of its own, and a token whose generator is stuck stops the seed.
    #[test]
    fn e1_a_token_is_a_source_with_a_line_of_its_own() {
        let fill = |out: &mut Secret<Vec<u8>>| {
            kernel_random(out.expose_mut());
            true
        };
        let good = MachineDraw::with(fill, None);
        let (seed, receipt) = drawn(&good).unwrap();
        let line = receipt.sources.last().unwrap();
        assert_eq!((line.source, line.samples as usize), (Source::Token, TOKEN_BYTES));
        assert_eq!((receipt.hold(), receipt.check), (Ok(()), keystead_entropy::seed_check(&seed)));
        let (_, without) = drawn(&MachineDraw::with(|_| false, None)).unwrap();
        assert!(without.sources.iter().all(|it| it.source != Source::Token));
        let fill = |out: &mut Secret<Vec<u8>>| {
            out.expose_mut().fill(7);
            true
        };
        let stuck = MachineDraw::with(fill, None);
        let error = drawn(&stuck).map(drop).unwrap_err();
        assert!(error.code() == "entropy.stuck" && error.to_string().contains("token"), "{error}");
    }

    /// A machine that is well but for this source.
    fn failing(source: Source) -> MachineDraw {
        let mut draw = MachineDraw::new();
        match source {
            Source::OperatingSystem => draw.system.expose_mut().fill(7),
            Source::Jitter => draw.jitter.expose_mut().fill(7),
            _ => draw.rdseed = Some(Secret::new([7; HARDWARE_BYTES])),
        }
        draw
    }

    /// A kernel that is well does not make up for a source that is not, and it never gets well again.
    #[test]
    fn e1_a_source_that_fails_its_test_gives_no_seed() {
        for source in [Source::OperatingSystem, Source::Jitter, Source::Rdseed] {
            let (mut sources, well) = (Sources::default(), MachineDraw::new());
            sources.check(&well).unwrap();
            let error = sources.seed(&failing(source), Timestamp(7)).map(drop).unwrap_err();
            assert_eq!(error.code(), "entropy.stuck");
            assert!(error.to_string().contains(&source.to_string()), "{error}");
            assert_eq!(sources.seed(&well, Timestamp(7)).map(drop), Err(error));
            assert_eq!((sources.check(&well), sources.well()), (Err(error), Err(error)));
            assert!(Sources::default().check(&failing(source)).is_err());
        }
    }

    #[test]
    fn e1_jitter_stays_far_from_its_cut_offs() {
        for _ in 0..64 {
            let draw = jitter();
            // Twice what is claimed: the cut-offs of a bit a sample.
            keystead_entropy::Health::new(Source::File).take(draw.expose()).unwrap();
        }
    }
}

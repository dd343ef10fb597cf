//! What this machine gives to a seed: the kernel, the clock's jitter and RDSEED, drawn here (E1).
//!
//! They are tested, mixed and put on a receipt by `keystead-entropy`. The kernel's generator is always in; a source that fails
//! refuses the seed, and whatever the enclave would do after it.

use std::time::Instant;

use keystead_base::{Secret, Timestamp};
use keystead_entropy::{
    EntropyError, EntropyReceipt, Mixture, SALT_BYTES, SEED_BYTES, Samples, Source, Symbols,
};

use crate::kernel;
use crate::protocol::Rolls;

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
    salts: Secret<[[u8; SALT_BYTES]; SOURCES]>,
}

/// One source's samples with the salt of their commitment: what a receipt's commitment opens to.
pub type Opening<'a> = (Source, &'a [u8; SALT_BYTES], &'a [u8]);

impl MachineDraw {
    /// Draws them. A kernel without randomness ends the process.
    #[must_use]
    pub fn new() -> Self {
        let (mut system, mut salts) =
            (Secret::new([0; SYSTEM_BYTES]), Secret::new([[0; SALT_BYTES]; SOURCES]));
        kernel_random(system.expose_mut());
        salts.expose_mut().iter_mut().for_each(|salt| kernel_random(salt));
        Self { system, jitter: jitter(), rdseed: hardware(), salts }
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
        let own = [
            (Source::OperatingSystem, self.system.expose().as_slice()),
            (Source::Jitter, self.jitter.expose().as_slice()),
        ];
        let all = own.into_iter().chain(rdseed);
        all.zip(self.salts.expose()).map(|((source, samples), salt)| (source, salt, samples))
    }
}

impl Default for MachineDraw {
    fn default() -> Self {
        Self::new()
    }
}

/// What people rolled or flipped for a seed, and the salt of its commitment.
pub(crate) struct Brought {
    source: Source,
    symbols: Symbols,
    salt: Secret<[u8; SALT_BYTES]>,
}

impl Brought {
    /// INVARIANT E1: each source once, in their order. What chance hardly makes is refused, and not mended by the machine's part.
    pub(crate) fn read(rolls: &[Rolls]) -> Result<Vec<Self>, EntropyError> {
        let mut pairs = rolls.iter().zip(rolls.iter().skip(1));
        if let Some((_, next)) = pairs.find(|(one, next)| one.source >= next.source) {
            return Err(EntropyError::Order { source_name: next.source });
        }
        rolls.iter().map(Self::of).collect()
    }

    fn of(it: &Rolls) -> Result<Self, EntropyError> {
        let mut symbols = Symbols::new(it.source)?;
        symbols.take(&it.text)?;
        let mut salt = Secret::new([0; SALT_BYTES]);
        kernel_random(salt.expose_mut());
        Ok(Self { source: it.source, symbols, salt })
    }

    fn samples(&self) -> Result<Samples<'_>, EntropyError> {
        Samples::tested(self.source, self.symbols.judged()?.expose(), self.salt.expose())
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

    /// INVARIANT E1: a seed of the machine's sources and of what people brought, which can only add to them. Their rolls fail alone: that a
    /// person typed in order says nothing of the machine.
    pub(crate) fn seed_with(
        &mut self,
        draw: &MachineDraw,
        brought: &[Brought],
        now: Timestamp,
    ) -> Result<(Secret<[u8; SEED_BYTES]>, EntropyReceipt), EntropyError> {
        let brought = brought.iter().map(Brought::samples).collect::<Result<Vec<_>, _>>()?;
        self.noted(|| {
            let mut mixture = draw.mixture()?;
            brought.into_iter().try_for_each(|samples| mixture.add(samples))?;
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
const SOURCES: usize = 3;

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

    fn rolls(source: Source, text: &str) -> Rolls {
        Rolls { source, text: text.to_owned() }
    }

    /// As even as a congruence makes them, and nothing that speaks against chance.
    fn honest(faces: &str, count: usize) -> String {
        let letters: Vec<char> = faces.chars().collect();
        let states =
            std::iter::successors(Some(11_u64), |it| Some(it.wrapping_mul(WALK_MULTIPLIER).wrapping_add(1)));
        states.skip(1).map(|it| letters[(it >> 33) as usize % letters.len()]).take(count).collect()
    }

    #[test]
    fn e1_what_people_rolled_is_in_the_seed_and_on_the_receipt() {
        let draw = MachineDraw::new();
        let seed = |rolls: &[Rolls]| {
            let brought = Brought::read(rolls).unwrap();
            Sources::default().seed_with(&draw, &brought, Timestamp(7)).unwrap()
        };
        let (dice, coins) = (honest("123456", 99), honest("ht", 256));
        let other = dice.replacen(&dice[..1], if dice.starts_with('1') { "2" } else { "1" }, 1);
        let both = [rolls(Source::Dice, &dice), rolls(Source::Coins, &coins)];
        let (one, receipt) = seed(&both);
        assert_eq!(seed(&both).0.expose(), one.expose(), "the same samples are the same seed");
        assert_ne!(seed(&both[..1]).0.expose(), one.expose());
        assert_ne!(
            seed(&[rolls(Source::Dice, &other), rolls(Source::Coins, &coins)]).0.expose(),
            one.expose()
        );
        let named: Vec<Source> = receipt.sources.iter().map(|it| it.source).collect();
        assert_eq!(named[named.len() - 2..], [Source::Dice, Source::Coins]);
        assert_eq!((receipt.hold(), receipt.promise.is_some()), (Ok(()), true));
    }

    /// No key comes of it, and the enclave stays well: it was no source of its own.
    #[test]
    fn e1_rolls_that_are_too_few_or_no_chance_make_no_seed_and_leave_the_machine_well() {
        let (mut sources, draw) = (Sources::default(), MachineDraw::new());
        let mut refused = |all: &[Rolls]| {
            let seed = Brought::read(all).and_then(|it| sources.seed_with(&draw, &it, Timestamp(7)));
            seed.map(drop).unwrap_err().code()
        };
        assert_eq!(refused(&[rolls(Source::Dice, &honest("123456", 98))]), "entropy.too_few");
        assert_eq!(refused(&[rolls(Source::Dice, &"123456".repeat(20))]), "entropy.steps");
        assert_eq!(refused(&[rolls(Source::Dice, "7")]), "entropy.symbol");
        assert_eq!(refused(&[rolls(Source::File, "1")]), "entropy.not_by_hand");
        let twice = [honest("123456", 99), honest("123456", 120)].map(|it| rolls(Source::Dice, &it));
        assert_eq!(refused(&twice), "entropy.order");
        assert_eq!(sources.well(), Ok(()));
        assert!(sources.seed(&draw, Timestamp(7)).is_ok());
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

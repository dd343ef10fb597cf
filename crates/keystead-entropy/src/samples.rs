//! Samples of one source that passed its tests: the only thing that can be mixed.

use keystead_base::Digest;
use sha2::{Digest as _, Sha256};

use crate::receipt::SourceRecord;
use crate::{EntropyError, Health, Source};

/// The most samples of one source.
pub const MAX_SAMPLES: usize = 64 * 1024;
/// Bytes of a commitment's salt.
pub const SALT_BYTES: usize = 32;

/// Raw samples that were found healthy. Their bytes stay with whoever drew them, who wipes them.
pub struct Samples<'a> {
    pub(crate) source: Source,
    pub(crate) bytes: &'a [u8],
    salt: &'a [u8; SALT_BYTES],
}

impl<'a> Samples<'a> {
    /// INVARIANT E1: there are enough samples, each a symbol of the source, and they pass both health tests. `salt` is of the
    /// operating system and of this draw alone: the commitment tells nothing without it.
    ///
    /// # Errors
    ///
    /// [`EntropyError`] names the source, and nothing of its samples.
    pub fn tested(source: Source, bytes: &'a [u8], salt: &'a [u8; SALT_BYTES]) -> Result<Self, EntropyError> {
        let needed = source.claim().fewest;
        if bytes.len() < needed as usize {
            return Err(EntropyError::TooFew { source_name: source, found: bytes.len(), needed });
        }
        if bytes.len() > MAX_SAMPLES {
            return Err(EntropyError::TooMany { source_name: source, limit: MAX_SAMPLES });
        }
        if let Some(at) = bytes.iter().position(|it| !is_symbol(source, *it)) {
            return Err(EntropyError::Symbol { source_name: source, position: at + 1 });
        }
        Health::new(source).take(bytes)?;
        Ok(Self { source, bytes, salt })
    }

    /// What the receipt says of them.
    #[must_use]
    pub fn record(&self) -> SourceRecord {
        let claim = self.source.claim();
        SourceRecord {
            source: self.source,
            samples: self.count(),
            millibits: claim.millibits,
            window: claim.window,
            repetitions: claim.repetitions,
            proportion: claim.proportion,
            commitment: self.commitment(),
        }
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// The digest of the document `EntropyOpening` (specs/entropy.md), which is written nowhere on the way.
    fn commitment(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(header(OPENING));
        hash.update([discriminant(self.source)]);
        hash.update(self.salt);
        hash.update(self.count().to_le_bytes());
        hash.update(self.bytes);
        Digest(hash.finalize().into())
    }
}

fn is_symbol(source: Source, value: u8) -> bool {
    match source {
        Source::Dice => (1..=6).contains(&value),
        Source::Coins => value <= 1,
        Source::OperatingSystem
        | Source::Jitter
        | Source::Rdseed
        | Source::File
        | Source::Token
        | Source::Tpm => true,
    }
}

/// The head of a document: the domain behind its length.
pub(crate) fn header(domain: &str) -> Vec<u8> {
    [&[u8::try_from(domain.len()).unwrap_or(u8::MAX)], domain.as_bytes()].concat()
}

/// The source as its one byte.
pub(crate) fn discriminant(source: Source) -> u8 {
    Source::ALL.iter().zip(0..).find(|(it, _)| **it == source).map_or(u8::MAX, |(_, number)| number)
}

const OPENING: &str = "keystead/entropy-opening/v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_what_is_no_symbol_of_the_source_or_too_little_is_refused() {
        let salt = [1; SALT_BYTES];
        let refused = |source, bytes: &[u8]| Samples::tested(source, bytes, &salt).map(|_| ()).unwrap_err();
        let rolls: Vec<u8> = (0..99).map(|n| n % 6).collect();
        let zero = EntropyError::Symbol { source_name: Source::Dice, position: 1 };
        assert_eq!(refused(Source::Dice, &rolls), zero);
        let short = EntropyError::TooFew { source_name: Source::Rdseed, found: 63, needed: 64 };
        assert_eq!(refused(Source::Rdseed, &[0; 63]), short);
        let stuck = EntropyError::Stuck { source_name: Source::OperatingSystem, run: 5 };
        assert_eq!(refused(Source::OperatingSystem, &[0; 64]), stuck);
        let long = EntropyError::TooMany { source_name: Source::File, limit: MAX_SAMPLES };
        assert_eq!(refused(Source::File, &vec![0; MAX_SAMPLES + 1]), long);
    }

    #[test]
    fn sources_have_the_bytes_of_their_encoding() {
        for source in Source::ALL {
            assert_eq!(borsh::to_vec(&source).unwrap(), [discriminant(source)]);
        }
    }
}

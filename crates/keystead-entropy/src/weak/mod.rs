//! Seeds that weak generators made, found by making them again.
//!
//! | family | what is covered | cost |
//! |---|---|---|
//! | [`plain`]: repeated, counted, typed or half empty bytes, few words | all of it | at once |
//! | `phrase`: SHA-256 of a text | texts of up to 3 characters, 4 small letters, 4 to 6 digits, 24 phrases | 2.4 million hashes |
//! | [`Family::Congruential`]: Trust Wallet on iOS, 2018 | all 2^32 seeds | at once |
//! | [`Family::MilkSad`], [`Family::TrustWallet`]: MT19937, one byte of each output | the seeds that are asked for, of 2^32 | about 400 multiplications a seed |
//! | [`Family::Profanity`]: MT19937-64, four outputs, and a search beyond | the seeds that are asked for, of 2^32 | about 160 multiplications a seed |
//! | [`Family::Randstorm`]: the pool of `JSBN` under Firefox's clock-seeded `Math.random` | the milliseconds that are asked for | a key schedule of RC4 each |
//!
//! What is not found here may still be weak: of browsers with another `Math.random`, of a longer phrase somebody thought of, of a
//! generator nobody has published. [`check`] is for whatever comes in from elsewhere; the searches that take minutes are for whoever
//! has them.

mod check;
mod congruential;
mod mersenne;
mod phrase;
mod plain;
mod pool;
mod rsa;
mod vanity;

use std::fmt;
use std::ops::Range;

use keystead_base::{Blame, Coded};

pub use check::{Material, Searched, at_a_glance, check, distinct};
pub use plain::{Pattern, plain};
pub use rsa::is_roca;

/// A generator whose seeds can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Libbitcoin Explorer 3 (`bx seed`), CVE-2023-39910: MT19937 from 32 bits of a clock, the highest byte of each output.
    MilkSad,
    /// Trust Wallet's browser extension, CVE-2023-31290: MT19937 from 32 bits, the lowest byte of each output.
    TrustWallet,
    /// The generator of Trezor's library for tests, which Trust Wallet for iOS shipped in 2018: a linear congruence of 32 bits.
    Congruential,
    /// BitcoinJS and others, 2011 to 2015: a pool of `Math.random` and the clock, here of a Firefox whose generator starts from
    /// the same clock. A seed is that clock in milliseconds; the pool may be read up to `delay` milliseconds later.
    Randstorm {
        /// How many milliseconds later, at most.
        delay: u8,
    },
    /// Profanity's vanity addresses, CVE-2022-40769: four outputs of MT19937-64 from 32 bits, and a search that changes the lowest
    /// and the highest of these words. For keys, not for words.
    Profanity,
}

impl Family {
    /// All seeds there are.
    #[must_use]
    pub fn seeds(self) -> Range<u64> {
        match self {
            Self::MilkSad | Self::TrustWallet | Self::Congruential | Self::Profanity => 0..1 << 32,
            // From the first browser with it to the last.
            Self::Randstorm { .. } => 1_293_840_000_000..1_451_606_400_000,
        }
    }

    /// Searches some of the seeds for the one that makes `secret` (16 to 32 bytes of entropy, or a key of 32 bytes). To search all
    /// of them a caller divides [`Self::seeds`] among its threads.
    ///
    /// # Errors
    ///
    /// [`WeakSeed`] with the seed that makes it.
    pub fn search(self, secret: &[u8], seeds: Range<u64>) -> Result<(), WeakSeed> {
        let found = match self {
            Self::MilkSad => mersenne::search(secret, seeds, |output| (output >> 24) as u8),
            Self::TrustWallet => mersenne::search(secret, seeds, |output| output as u8),
            Self::Congruential => {
                congruential::seed_of(secret).map(u64::from).filter(|it| seeds.contains(it))
            }
            Self::Randstorm { delay } => pool::search(secret, seeds, delay),
            Self::Profanity => vanity::search(secret, seeds),
        };
        found.map_or(Ok(()), |seed| Err(WeakSeed::Made { family: self, seed }))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MilkSad => "Libbitcoin Explorer 3 (Milk Sad)",
            Self::TrustWallet => "Trust Wallet's browser extension of 2022",
            Self::Congruential => "Trust Wallet for iOS of 2018",
            Self::Randstorm { .. } => "BitcoinJS in a browser of 2011 to 2015 (Randstorm)",
            Self::Profanity => "Profanity",
        })
    }
}

/// A seed or key that others can guess. The seed of a family is as secret as the key, and is not shown.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSeed {
    /// A weak generator made it.
    #[error("{family} makes this seed: others can make it, too")]
    Made {
        /// Which.
        family: Family,
        /// Its own seed.
        seed: u64,
    },
    /// It looks made up.
    #[error("this seed is no random one: {pattern}")]
    Plain {
        /// How it looks.
        pattern: Pattern,
    },
    /// The hash of a text that others think of, too.
    #[error("this seed is the hash of a short or well-known text: others try that text, too")]
    Phrase,
    /// An RSA key whose primes have a structure.
    #[error("this RSA key has the form of CVE-2017-15361 (ROCA): others can find its primes")]
    Roca,
    /// Two keys that are one.
    #[error("public keys {first} and {second} are one key")]
    Twice {
        /// The place of the first, from one.
        first: usize,
        /// The place of the second.
        second: usize,
    },
}

impl fmt::Debug for WeakSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeakSeed({self})")
    }
}

impl Coded for WeakSeed {
    fn code(&self) -> &'static str {
        match self {
            Self::Made { .. } => "weak_seed.made",
            Self::Plain { .. } => "weak_seed.plain",
            Self::Phrase => "weak_seed.phrase",
            Self::Roca => "weak_seed.roca",
            Self::Twice { .. } => "weak_seed.twice",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;

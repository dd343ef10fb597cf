//! The sources of randomness, and what each is claimed to give.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// A source of randomness.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The operating system's generator. It is in every seed. A sample is a byte.
    OperatingSystem,
    /// The time that a walk through memory takes. A sample is the lowest byte of its nanoseconds.
    Jitter,
    /// The CPU's entropy source (RDSEED). A sample is a byte.
    Rdseed,
    /// A die with six faces that a person rolls. A sample is 1 to 6.
    Dice,
    /// A coin that a person flips. A sample is 0 (tails) or 1 (heads).
    Coins,
    /// A file that a person brings, of another machine's generator. A sample is a byte.
    File,
    /// The generator of a PKCS#11 token. A sample is a byte.
    Token,
    /// The generator of the machine's TPM. A sample is a byte.
    Tpm,
}

/// What a source is claimed to give, and the cut-offs of its health tests (NIST SP 800-90B, 4.4), which follow from that
/// at a false alarm of 2^-30.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Min-entropy of a sample, in thousandths of a bit.
    pub millibits: u32,
    /// Samples in a window of the adaptive proportion test: 512, of a source with two symbols 1,024.
    pub window: u32,
    /// So many equal samples in a row fail the repetition count test.
    pub repetitions: u32,
    /// So many samples of a window that equal its first one fail the adaptive proportion test.
    pub proportion: u32,
    /// The fewest samples that a seed takes: each source alone would nearly do.
    pub fewest: u32,
}

impl Source {
    /// All of them, in the order in which they are mixed.
    pub const ALL: [Self; 8] = [
        Self::OperatingSystem,
        Self::Jitter,
        Self::Rdseed,
        Self::Dice,
        Self::Coins,
        Self::File,
        Self::Token,
        Self::Tpm,
    ];

    /// What it is claimed to give.
    #[must_use]
    pub const fn claim(self) -> Claim {
        match self {
            Self::OperatingSystem => claim(7_900, (512, 5, 17), 64),
            Self::Jitter => claim(500, (512, 61, 422), 1024),
            Self::Rdseed => claim(4_000, (512, 9, 71), 64),
            // log2 6 is 2.58496: 99 rolls have 255.9 bits.
            Self::Dice => claim(2_584, (512, 13, 141), 99),
            Self::Coins => claim(1_000, (1024, 31, 609), 256),
            // Nobody here knows the generator: an eighth of what its bytes could hold.
            Self::File | Self::Token | Self::Tpm => claim(1_000, (512, 31, 325), 256),
        }
    }

    /// How many symbols a sample can be, of a source that a person works by hand.
    #[must_use]
    pub const fn faces(self) -> Option<u8> {
        match self {
            Self::Dice => Some(6),
            Self::Coins => Some(2),
            Self::OperatingSystem | Self::Jitter | Self::Rdseed | Self::File | Self::Token | Self::Tpm => {
                None
            }
        }
    }

    /// Whether a person brings it; the other sources are the machine's, which promises them before.
    #[must_use]
    pub const fn is_brought(self) -> bool {
        matches!(self, Self::Dice | Self::Coins | Self::File)
    }
}

const fn claim(millibits: u32, (window, repetitions, proportion): (u32, u32, u32), fewest: u32) -> Claim {
    Claim { millibits, window, repetitions, proportion, fewest }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OperatingSystem => "operating system",
            Self::Jitter => "jitter",
            Self::Rdseed => "rdseed",
            Self::Dice => "dice",
            Self::Coins => "coins",
            Self::File => "file",
            Self::Token => "token",
            Self::Tpm => "tpm",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SP 800-90B, 4.4.1: `1 + ⌈30 / H⌉`.
    fn repetitions(bits: f64) -> u32 {
        1 + (30.0 / bits).ceil() as u32
    }

    /// SP 800-90B, 4.4.2: one more than the critical value of the binomial distribution, from its upper tail.
    fn proportion(bits: f64, window: u32) -> u32 {
        let (p, n) = (2_f64.powf(-bits), f64::from(window));
        let mut ln_choose = 0.0;
        let mut logs = vec![n * (1.0 - p).ln()];
        for k in 1..=window {
            ln_choose += (n - f64::from(k) + 1.0).ln() - f64::from(k).ln();
            logs.push(ln_choose + f64::from(k) * p.ln() + (n - f64::from(k)) * (1.0 - p).ln());
        }
        let (mut tail, mut k) = (0.0, window);
        while tail + logs[k as usize].exp() <= 2_f64.powi(-30) {
            tail += logs[k as usize].exp();
            k -= 1;
        }
        k + 1
    }

    #[test]
    fn e1_cut_offs_are_those_of_sp_800_90b_for_what_is_claimed() {
        let known = [(0.5, 61, 422), (1.0, 31, 325), (4.0, 9, 71), (7.9, 5, 17)];
        for (bits, run, same) in known {
            assert_eq!((repetitions(bits), proportion(bits, 512)), (run, same), "{bits} bits");
        }
        for source in Source::ALL {
            let claim = source.claim();
            let bits = f64::from(claim.millibits) / 1000.0;
            assert_eq!(claim.window, if source.faces() == Some(2) { 1024 } else { 512 }, "{source}");
            assert_eq!(claim.repetitions, repetitions(bits), "{source}");
            assert_eq!(claim.proportion, proportion(bits, claim.window), "{source}");
        }
    }

    #[test]
    fn e1_each_source_alone_would_nearly_do() {
        for source in Source::ALL {
            let claim = source.claim();
            let bits = u64::from(claim.fewest) * u64::from(claim.millibits) / 1000;
            assert!(bits >= if source == Source::Dice { 255 } else { 256 }, "{source}: {bits}");
        }
    }
}

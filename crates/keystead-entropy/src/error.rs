//! Why there is no seed.

use keystead_base::{Blame, Coded};

use crate::Source;

/// Why there is no seed. No variant says anything of a sample's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntropyError {
    /// The repetition count test failed.
    #[error("entropy source `{source_name}` gave one value {run} times in a row")]
    Stuck {
        /// Which source.
        source_name: Source,
        /// How often.
        run: u32,
    },
    /// The adaptive proportion test failed.
    #[error("entropy source `{source_name}` gave one value {same} times in a window of {window}")]
    Biased {
        /// Which source.
        source_name: Source,
        /// How often.
        same: u32,
        /// Out of how many.
        window: u32,
    },
    /// Too few samples.
    #[error("entropy source `{source_name}` gave {found} samples, and a seed takes {needed}")]
    TooFew {
        /// Which source.
        source_name: Source,
        /// Samples found.
        found: usize,
        /// Samples needed.
        needed: u32,
    },
    /// Too many samples.
    #[error("at most {limit} samples of `{source_name}` are read")]
    TooMany {
        /// Which source.
        source_name: Source,
        /// The limit.
        limit: usize,
    },
    /// A character or value that the source cannot give.
    #[error("what stands at place {position} is no symbol of `{source_name}`")]
    Symbol {
        /// Which source.
        source_name: Source,
        /// Its place, from one.
        position: usize,
    },
    /// Faces that come more or less often than chance makes them.
    #[error("the faces of `{source_name}` came so unevenly as chance makes them once in a thousand times")]
    Uneven {
        /// Which source.
        source_name: Source,
    },
    /// Steps from one symbol to the next that do.
    #[error(
        "`{source_name}`: one symbol follows from the one before as chance makes them once in a thousand times"
    )]
    Steps {
        /// Which source.
        source_name: Source,
    },
    /// A series that repeats itself.
    #[error("the series of `{source_name}` repeats itself after {period}")]
    Periodic {
        /// Which source.
        source_name: Source,
        /// After how many symbols.
        period: usize,
    },
    /// A source that no person works.
    #[error("`{source_name}` is not worked by hand")]
    NotByHand {
        /// Which source.
        source_name: Source,
    },
    /// A mixture that does not begin with the operating system.
    #[error("a seed begins with the operating system, not with `{source_name}`")]
    NotSystem {
        /// What came instead.
        source_name: Source,
    },
    /// A source that is in already, or out of order.
    #[error("`{source_name}` is in already, or comes after a later source")]
    Order {
        /// Which source.
        source_name: Source,
    },
    /// What was brought goes with another part of the machine's than it holds now.
    #[error(
        "what people brought was made for another promise than this machine's: it was started again, or made a key since"
    )]
    Promise,
    /// One source alone.
    #[error("a seed takes a second source beside the operating system")]
    Alone,
    /// A receipt that does not say what a receipt says.
    #[error("the entropy receipt does not hold: {what}")]
    Receipt {
        /// What is wrong.
        what: &'static str,
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
            Self::TooFew { .. } => "entropy.too_few",
            Self::TooMany { .. } => "entropy.too_many",
            Self::Symbol { .. } => "entropy.symbol",
            Self::Uneven { .. } => "entropy.uneven",
            Self::Steps { .. } => "entropy.steps",
            Self::Periodic { .. } => "entropy.periodic",
            Self::NotByHand { .. } => "entropy.not_by_hand",
            Self::NotSystem { .. } => "entropy.not_system",
            Self::Order { .. } => "entropy.order",
            Self::Promise => "entropy.promise",
            Self::Alone => "entropy.alone",
            Self::Receipt { .. } => "entropy.receipt",
            Self::Derive => "entropy.derive",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::TooFew { source_name, .. }
            | Self::TooMany { source_name, .. }
            | Self::Symbol { source_name, .. }
                if source_name.is_brought() =>
            {
                Blame::Caller
            }
            Self::Uneven { .. }
            | Self::Steps { .. }
            | Self::Periodic { .. }
            | Self::Promise
            | Self::Receipt { .. } => Blame::Caller,
            _ => Blame::Environment,
        }
    }
}

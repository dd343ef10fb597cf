//! Mistakes that are planted in all honest nodes: each must be found, or the oracle does not look.

/// A mistake of the shell around the protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdBug {
    /// Shares of the epoch in force are erased once the next ones are stored, not once they have signed everywhere.
    ErasedEarly,
    /// The record of a run is written after its first messages are sent.
    SentBeforeWritten,
    /// Random bytes come from a state on the disk, which goes back when the disk is restored.
    NonceAgain,
    /// After a start the records of aborts are not read.
    BanForgotten,
    /// The record of an abort is not written.
    BanUnwritten,
    /// A call's word is taken for what is granted.
    GrantUnchecked,
    /// Old shares are erased when the epoch changes, while what was granted under theirs is still good.
    ErasedAtSwitch,
    /// The epoch changes on the word of the first holder that has its new share.
    SwitchedOnOne,
}

impl ThresholdBug {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ErasedEarly,
        Self::SentBeforeWritten,
        Self::NonceAgain,
        Self::BanForgotten,
        Self::BanUnwritten,
        Self::GrantUnchecked,
        Self::ErasedAtSwitch,
        Self::SwitchedOnOne,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ErasedEarly => "ErasedEarly",
            Self::SentBeforeWritten => "SentBeforeWritten",
            Self::NonceAgain => "NonceAgain",
            Self::BanForgotten => "BanForgotten",
            Self::BanUnwritten => "BanUnwritten",
            Self::GrantUnchecked => "GrantUnchecked",
            Self::ErasedAtSwitch => "ErasedAtSwitch",
            Self::SwitchedOnOne => "SwitchedOnOne",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == text)
    }
}

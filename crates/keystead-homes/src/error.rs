//! Why a home does not do it.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded};

use crate::Scheme;

/// Why a home does not do it. It passes between processes as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, BorshSerialize, BorshDeserialize)]
pub enum HomeError {
    /// No such key.
    #[error("{home} holds no key `{label}`; see whether it is the right token, and its label the right one")]
    Unknown {
        /// The home.
        home: String,
        /// The key.
        label: String,
    },
    /// The label is taken.
    #[error("{home} holds `{label}` already; nothing is overwritten there")]
    Exists {
        /// The home.
        home: String,
        /// The key.
        label: String,
    },
    /// More than one key has the label.
    #[error("{home} holds more than one `{label}`; find out who made the others, and destroy those")]
    Ambiguous {
        /// The home.
        home: String,
        /// What stands there more than once.
        label: String,
    },
    /// The home does not do that at all.
    #[error("{home} does not {what}; take a home that does")]
    Cannot {
        /// The home.
        home: String,
        /// What was asked.
        what: String,
    },
    /// A digest for a key that signs messages, or the other way round.
    #[error("a key of {scheme} signs {expected}")]
    Form {
        /// What the key signs.
        scheme: Scheme,
        /// In what form.
        expected: String,
    },
    /// A label that no token takes.
    #[error("a label has 1 to 128 printable characters of ASCII, found {found} bytes")]
    Label {
        /// How many bytes it has.
        found: u32,
    },
    /// A secret of the wrong length, or none of the scheme's.
    #[error("what was brought is no secret of {scheme}")]
    Secret {
        /// The scheme.
        scheme: Scheme,
    },
    /// More than a home takes at once: a secret to wrap, or a whole question to its process.
    #[error("a home takes at most {limit} bytes of this, found {found}")]
    TooLong {
        /// The most.
        limit: u32,
        /// How many there were.
        found: u32,
    },
    /// What is to be unwrapped is not what was wrapped, or for something else.
    #[error("{home} does not open what was wrapped: it is altered, for another use, or another key's")]
    Altered {
        /// The home.
        home: String,
    },
    /// The home signed something else, or with another key: a fault.
    #[error(
        "the signature that {home} made does not verify with the key's public side; let nobody use that home"
    )]
    Unverified {
        /// The home.
        home: String,
    },
    /// The home told a public key that is none.
    #[error("{home} names a public key that is no point of {scheme}")]
    Point {
        /// The home.
        home: String,
        /// The scheme.
        scheme: Scheme,
    },
    /// The backing is gone.
    #[error("{home} is lost ({reason}); reconnect it, or let the other tokens of its group sign")]
    Lost {
        /// The home.
        home: String,
        /// What was seen of that.
        reason: String,
    },
    /// No token has this label.
    #[error("no token is called `{label}`; the module shows: {found}")]
    NoToken {
        /// The label.
        label: String,
        /// The labels that are there.
        found: String,
    },
    /// The token did not take the PIN. It is never tried a second time.
    #[error(
        "{home} refuses the PIN; it is not tried again before this process is started anew: check the PIN's file"
    )]
    Pin {
        /// The home.
        home: String,
    },
    /// The token is locked, or would be by one more wrong PIN.
    #[error("{home} {state}; let its security officer see to it, and log in once by hand")]
    Locked {
        /// The home.
        home: String,
        /// What its flags say.
        state: String,
    },
    /// The module says no.
    #[error("{home} refuses: {reason}")]
    Refused {
        /// The home.
        home: String,
        /// The module's own word.
        reason: String,
    },
    /// The module cannot be loaded.
    #[error("the module {module} cannot be used: {reason}")]
    Module {
        /// Its path.
        module: String,
        /// Why.
        reason: String,
    },
    /// A key of which the home does not say that it was born there and never left.
    #[error(
        "{home} does not say that `{label}` was born in it and never left ({what}); let it make a key itself"
    )]
    Foreign {
        /// The home.
        home: String,
        /// The key.
        label: String,
        /// The attribute that is not as it should be, or that it does not tell.
        what: String,
    },
    /// The error state.
    #[error("the process of the token is in its error state until it is started anew: {reason}")]
    SelfTest {
        /// Which self-test failed.
        reason: String,
    },
}

impl HomeError {
    pub(crate) fn too_long(limit: usize, found: usize) -> Self {
        let number = |it| u32::try_from(it).unwrap_or(u32::MAX);
        Self::TooLong { limit: number(limit), found: number(found) }
    }

    pub(crate) fn cannot(home: String, what: &str) -> Self {
        Self::Cannot { home, what: what.to_owned() }
    }

    pub(crate) fn lost(home: String, reason: impl ToString) -> Self {
        Self::Lost { home, reason: reason.to_string() }
    }

    /// Whether another home of the same group may well do it.
    #[must_use]
    pub fn is_of_this_home_alone(&self) -> bool {
        match self {
            Self::Lost { .. }
            | Self::NoToken { .. }
            | Self::Pin { .. }
            | Self::Locked { .. }
            | Self::Module { .. }
            | Self::Refused { .. }
            | Self::Unknown { .. }
            | Self::Unverified { .. }
            | Self::Point { .. }
            | Self::Ambiguous { .. }
            | Self::Foreign { .. }
            | Self::SelfTest { .. } => true,
            Self::Exists { .. }
            | Self::Cannot { .. }
            | Self::Form { .. }
            | Self::Label { .. }
            | Self::Secret { .. }
            | Self::TooLong { .. }
            | Self::Altered { .. } => false,
        }
    }
}

impl Coded for HomeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "home.unknown",
            Self::Exists { .. } => "home.exists",
            Self::Ambiguous { .. } => "home.ambiguous",
            Self::Cannot { .. } => "home.cannot",
            Self::Form { .. } => "home.form",
            Self::Label { .. } => "home.label",
            Self::Secret { .. } => "home.secret",
            Self::TooLong { .. } => "home.too_long",
            Self::Altered { .. } => "home.altered",
            Self::Unverified { .. } => "home.unverified",
            Self::Point { .. } => "home.point",
            Self::Lost { .. } => "home.lost",
            Self::NoToken { .. } => "home.no_token",
            Self::Pin { .. } => "home.pin",
            Self::Locked { .. } => "home.locked",
            Self::Refused { .. } => "home.refused",
            Self::Module { .. } => "home.module",
            Self::Foreign { .. } => "home.foreign",
            Self::SelfTest { .. } => "home.self_test",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Unknown { .. }
            | Self::Exists { .. }
            | Self::Cannot { .. }
            | Self::Form { .. }
            | Self::Label { .. }
            | Self::Secret { .. }
            | Self::Foreign { .. }
            | Self::TooLong { .. } => Blame::Caller,
            Self::Altered { .. } | Self::Unverified { .. } | Self::Point { .. } | Self::Refused { .. } => {
                Blame::Peer
            }
            Self::Ambiguous { .. }
            | Self::Lost { .. }
            | Self::NoToken { .. }
            | Self::Pin { .. }
            | Self::Locked { .. }
            | Self::Module { .. }
            | Self::SelfTest { .. } => Blame::Environment,
        }
    }
}

//! Output descriptors as data: the five forms that are ours, and nothing else (BIP-380 to 386, 389).

mod parse;

use std::fmt;

use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpub};
use keystead_base::{Blame, Coded};

use crate::checksum::checksum;
use crate::{Branch, Network};

/// The longest descriptor: fifteen keys with long origins fit.
pub const MAX_DESCRIPTOR_BYTES: usize = 4_096;
/// The most keys of a multisig: what every wallet and every policy of relay takes.
pub const MAX_KEYS: usize = 15;

/// A descriptor of ours. Two are equal when their canonical texts are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    network: Network,
    form: Form,
    keys: Vec<Key>,
}

/// What kind of script a descriptor makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `pkh(KEY)`: pay to public key hash (BIP-381).
    Pkh,
    /// `sh(wpkh(KEY))`: the same in a witness, behind a script hash (BIP-382).
    ShWpkh,
    /// `wpkh(KEY)`: the same in a witness (BIP-382).
    Wpkh,
    /// `tr(KEY)`: taproot, the key path alone (BIP-386, 86).
    Tr,
    /// `wsh(sortedmulti(k,KEY,…))`: k of n keys in a witness script, sorted (BIP-382, 383, 67).
    WshSortedMulti {
        /// How many signatures it takes.
        threshold: u8,
    },
}

impl Form {
    /// The form's name, as people see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pkh => "pkh",
            Self::ShWpkh => "sh(wpkh)",
            Self::Wpkh => "wpkh",
            Self::Tr => "tr",
            Self::WshSortedMulti { .. } => "wsh(sortedmulti)",
        }
    }
}

/// An extended public key with its origin, and the two branches that BIP-389's `<0;1>` names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    fingerprint: Fingerprint,
    path: DerivationPath,
    xpub: Xpub,
    branches: [Xpub; 2],
}

impl Key {
    /// The fingerprint of the master key (BIP-32).
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The path from the master key to the extended key.
    #[must_use]
    pub fn path(&self) -> &DerivationPath {
        &self.path
    }

    /// The extended public key.
    #[must_use]
    pub fn xpub(&self) -> &Xpub {
        &self.xpub
    }

    pub(crate) fn branches(&self) -> &[Xpub; 2] {
        &self.branches
    }
}

impl Descriptor {
    /// Parses a descriptor with its checksum.
    ///
    /// Hardened steps may be written `h` or `'`; the canonical text has `h`.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] says what was expected. It repeats nothing of the text but its checksum: what people
    /// paste here by mistake may be a secret.
    pub fn parse(text: &str, network: Network) -> Result<Self, DescriptorError> {
        parse::parse(text, network)
    }

    /// A descriptor's text with its checksum (BIP-380); none where a letter is none of a descriptor's.
    #[must_use]
    pub fn with_checksum(body: &str) -> Option<String> {
        Some(format!("{body}#{}", checksum(body)?))
    }

    /// The network whose coins it holds.
    #[must_use]
    pub fn network(&self) -> Network {
        self.network
    }

    /// The kind of script.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The keys, in the order of the text.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// How many signatures an input takes.
    #[must_use]
    pub fn threshold(&self) -> usize {
        match self.form {
            Form::WshSortedMulti { threshold } => usize::from(threshold),
            Form::Pkh | Form::ShWpkh | Form::Wpkh | Form::Tr => 1,
        }
    }

    /// One branch alone, with a checksum of its own: what wallets read that know nothing of BIP-389.
    #[must_use]
    pub fn branch_text(&self, branch: Branch) -> String {
        let body = self.body().replace(parse::BRANCHES, &format!("/{}/*", branch.number()));
        format!("{body}#{}", checksum(&body).unwrap_or_default())
    }

    fn body(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(Key::to_string).collect();
        let keys = keys.join(",");
        match self.form {
            Form::Pkh => format!("pkh({keys})"),
            Form::ShWpkh => format!("sh(wpkh({keys}))"),
            Form::Wpkh => format!("wpkh({keys})"),
            Form::Tr => format!("tr({keys})"),
            Form::WshSortedMulti { threshold } => format!("wsh(sortedmulti({threshold},{keys}))"),
        }
    }
}

/// The canonical text with its checksum: it parses to the same descriptor.
impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body();
        write!(f, "{body}#{}", checksum(&body).unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.fingerprint)?;
        for step in &self.path {
            match step {
                ChildNumber::Normal { index } => write!(f, "/{index}")?,
                ChildNumber::Hardened { index } => write!(f, "/{index}h")?,
            }
        }
        write!(f, "]{}{}", self.xpub, parse::BRANCHES)
    }
}

/// Why a text is no descriptor of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// More than any descriptor has.
    #[error("a descriptor has at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// Letters that descriptors cannot have.
    #[error("a descriptor has the letters of BIP-380 alone: type it again, without line ends")]
    Letters,
    /// Nothing protects the text from a typing error.
    #[error("the descriptor has no checksum: copy it with the `#` and the eight letters at its end")]
    NoChecksum,
    /// A letter is wrong.
    #[error("the checksum of this descriptor is {expected}, found {found}: compare it with its source")]
    Checksum {
        /// The text's checksum.
        expected: String,
        /// The one that stands there.
        found: String,
    },
    /// Another form.
    #[error("expected pkh(KEY), wpkh(KEY), sh(wpkh(KEY)), tr(KEY) or wsh(sortedmulti(k,KEY,…))")]
    Form,
    /// A taproot output with scripts.
    #[error("tr() takes one key and no script: its other conditions would spend past what is decided here")]
    ScriptPath,
    /// The key is a secret.
    #[error("the key is private: destroy this text, and give the extended public key instead")]
    PrivateKey,
    /// No `[fingerprint/path]` before the key.
    #[error("a key starts with its origin, [fingerprint/path], so that its holder can be asked to sign")]
    NoOrigin,
    /// An origin that is not in its one spelling.
    #[error("an origin is eight lower-case hex digits and steps below 2^31, with h or ' where hardened")]
    Origin,
    /// The origin and the extended key contradict each other.
    #[error("the origin's path has {expected} steps, but the extended key says that it is {found} deep")]
    OriginDepth {
        /// The steps of the path.
        expected: usize,
        /// The depth in the extended key.
        found: u8,
    },
    /// No extended public key.
    #[error("expected an extended public key (xpub or tpub)")]
    ExtendedKey,
    /// The key is for another kind of network.
    #[error(
        "the extended key is not for {expected}: a key of a test network never holds money, nor the reverse"
    )]
    WrongNetwork {
        /// The network that was asked for.
        expected: Network,
    },
    /// Other branches than receiving and change.
    #[error("a key ends with /<0;1>/*: 0 receives, 1 is change")]
    Branches,
    /// A threshold that nobody or too many would have to reach.
    #[error("of {keys} keys between 1 and {keys} sign, found another threshold")]
    Threshold {
        /// How many keys there are.
        keys: usize,
    },
    /// More keys than relay takes.
    #[error("a multisig has at most {limit} keys, found {found}")]
    TooManyKeys {
        /// The limit.
        limit: usize,
        /// How many were found.
        found: usize,
    },
    /// One person would count twice.
    #[error("the same key stands in two places")]
    DuplicateKey,
    /// A branch that BIP-32 does not derive (probability below 2^-127).
    #[error("a branch of this key is invalid: use another account")]
    InvalidBranch,
}

impl Coded for DescriptorError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "descriptor.too_long",
            Self::Letters => "descriptor.letters",
            Self::NoChecksum => "descriptor.no_checksum",
            Self::Checksum { .. } => "descriptor.checksum",
            Self::Form => "descriptor.form",
            Self::ScriptPath => "descriptor.script_path",
            Self::PrivateKey => "descriptor.private_key",
            Self::NoOrigin => "descriptor.no_origin",
            Self::Origin => "descriptor.origin",
            Self::OriginDepth { .. } => "descriptor.origin_depth",
            Self::ExtendedKey => "descriptor.extended_key",
            Self::WrongNetwork { .. } => "descriptor.wrong_network",
            Self::Branches => "descriptor.branches",
            Self::Threshold { .. } => "descriptor.threshold",
            Self::TooManyKeys { .. } => "descriptor.too_many_keys",
            Self::DuplicateKey => "descriptor.duplicate_key",
            Self::InvalidBranch => "descriptor.invalid_branch",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;

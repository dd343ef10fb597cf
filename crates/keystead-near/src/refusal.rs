//! Why bytes are not signed.

use keystead_base::{Blame, Coded};

use crate::{AccountId, Network};

/// What is wrong with a transaction or its signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than are read here.
    #[error("a transaction has at most {limit} bytes here, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// Bytes are missing.
    #[error("the transaction ends in the middle of a field; give it whole, unsigned, as Borsh")]
    Truncated,
    /// Bytes are left over.
    #[error("{found} bytes follow the transaction; a signed one is not signed again")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// A transaction of a version that is not read here.
    #[error("only transactions without a version byte (V0) are read here")]
    Version,
    /// A text that is no account's name.
    #[error("`{found}` is no account: 2 to 64 of a-z and 0-9, parted by single `.`, `-` or `_`")]
    Account {
        /// The text, what is no letter left out.
        found: String,
    },
    /// A text that is nobody who could stand in the address book.
    #[error(
        "`{found}` is no account, no key as nodes list it (`ed25519:`, `secp256k1:` or `ml-dsa-65-hash:` and Base58), and no code (`code:` and its SHA-256 in hexadecimal)"
    )]
    Subject {
        /// The text, what is no letter left out.
        found: String,
    },
    /// A signer or receiver whose name is one of another network's.
    #[error(
        "`{found}` is an account of another network than {network}; name the network that the transaction is for"
    )]
    OtherNetwork {
        /// The network that was named.
        network: Network,
        /// The account.
        found: AccountId,
    },
    /// An account that is deleted in its own favor.
    #[error(
        "the account that is deleted is its own beneficiary: what it has would be burned; name another one"
    )]
    Beneficiary,
    /// Bytes that are not written again as they were read.
    #[error("expected the one encoding of what the transaction says, found another; encode it anew")]
    Encoding,
    /// A text that is not UTF-8.
    #[error("a name or text in the transaction is not UTF-8")]
    Text,
    /// A kind of key that NEAR's wire form does not have.
    #[error("keys have the kinds 0 (Ed25519), 1 (secp256k1) and 2 (ML-DSA-65), found {found}")]
    KeyKind {
        /// The tag.
        found: u8,
    },
    /// An option or a permission with a tag that is none.
    #[error("expected 0 or 1 in front of a field that may be absent or of two kinds, found {found}")]
    Tag {
        /// The tag.
        found: u8,
    },
    /// An action that is not read here.
    #[error(
        "actions 0 to 7 are read here, found {found}: delegated and global-contract actions, and gas keys, are not signed"
    )]
    Action {
        /// Its number.
        found: u8,
    },
    /// No action, or too many.
    #[error("a transaction has 1 to {limit} actions here, found {found}")]
    Actions {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// The key that would sign is none of ML-DSA-65.
    #[error("the transaction names a key of another scheme than ML-DSA-65 as its signer")]
    Signer,
    /// Another key than the one that is asked to sign.
    #[error(
        "the transaction names another key of ML-DSA-65 as its signer than the one that is asked to sign it"
    )]
    OtherKey,
    /// The signature does not verify.
    #[error("the signature does not verify under the transaction's own key over its hash")]
    Signature,
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "near.too_long",
            Self::Truncated => "near.truncated",
            Self::Trailing { .. } => "near.trailing",
            Self::Version => "near.version",
            Self::Account { .. } => "near.account",
            Self::Subject { .. } => "near.subject",
            Self::OtherNetwork { .. } => "near.other_network",
            Self::Beneficiary => "near.beneficiary",
            Self::Encoding => "near.encoding",
            Self::Text => "near.text",
            Self::KeyKind { .. } => "near.key_kind",
            Self::Tag { .. } => "near.tag",
            Self::Action { .. } => "near.action",
            Self::Actions { .. } => "near.actions",
            Self::Signer => "near.signer",
            Self::OtherKey => "near.other_key",
            Self::Signature => "near.signature",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

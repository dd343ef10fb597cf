//! Every reason for which the enclave does not do what it is asked.

use alloy_primitives::Address;
use keystead_base::{Blame, CanonError, Coded, Name, SelfTestError};
use keystead_bitcoin::SpendError;
use keystead_decision::LightError;
use keystead_entropy::EntropyError;
use keystead_entropy::weak::WeakSeed;
use keystead_intent::ChainId;
use keystead_keys::{
    AgeError, BackupError, DeriveError, MemberError, MnemonicError, SealError, SeedSharesError,
};
use keystead_solana::UnsignedError;

use crate::threshold::ThresholdError;
use crate::tokens::TokenKeyError;
use crate::vault::VaultError;
use crate::{CurveError, Feature};

/// Why the enclave refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnclaveError {
    /// A request before `Hello`.
    #[error("the enclave was not told yet where the log begins")]
    NotReady,
    /// A second `Hello`.
    #[error("the enclave was told already where the log begins")]
    AlreadyReady,
    /// A drill in a signing enclave, or anything else in a scratch one.
    #[error("this enclave was started for another role")]
    Role,
    /// Protections that are required and not in force.
    #[error("required protections are not in force: {}", names(missing))]
    Hardening {
        /// Which.
        missing: Vec<Feature>,
    },
    /// Protections that the policy in force demands and that are not in force here.
    #[error("policy demands protections that are not in force: {}", names(missing))]
    Unprotected {
        /// Which.
        missing: Vec<Feature>,
    },
    /// Too many payloads at once.
    #[error("a batch has at most {limit} payloads, found {found}")]
    BatchSize {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// A sealed file of another cluster or purpose.
    #[error("the sealed file of `{name}` is not a key of this cluster")]
    ForeignSeal {
        /// Its name.
        name: Name,
    },
    /// The ceremony that was committed is another one.
    #[error("the committed ceremony is not the one that is asked for")]
    Ceremony,
    /// A backup that no committed ceremony of this process's life waits for.
    #[error("this enclave waits for no backup; ask for `key restore` again")]
    NotReceiving,
    /// Somebody without a recipient key in the policy in force.
    #[error("`{person}` has no recipient key in the roster")]
    Recipient {
        /// Who.
        person: Name,
    },
    /// Recipients of a leaving share that are none.
    #[error(transparent)]
    Age(#[from] AgeError),
    /// A decision for another epoch of the key.
    #[error("`{key}` is in epoch {expected}, the decision is for epoch {found}")]
    Epoch {
        /// The key.
        key: Name,
        /// The epoch held.
        expected: u32,
        /// The one decided for.
        found: u32,
    },
    /// A payload of another account than the one decided for.
    #[error("the decision is for {expected}, the payload is of {found}")]
    Account {
        /// The account of the key and of the decision.
        expected: Address,
        /// The payload's, or the decision's where it is not the key's.
        found: Address,
    },
    /// A payload of another chain than the one decided for.
    #[error("the decision is for {expected}, the payload is for {found}")]
    Chain {
        /// The decision's.
        expected: ChainId,
        /// The payload's.
        found: ChainId,
    },
    /// A network that the policy in force does not list, or an account that is not recorded.
    #[error("there is no wallet of this account on {chain}")]
    NoWallet {
        /// The chain.
        chain: ChainId,
    },
    /// A PSBT that is refused.
    #[error(transparent)]
    Spend(#[from] SpendError),
    /// A chain that is no cluster of Solana's.
    #[error("{chain} is no cluster of Solana's")]
    NoCluster {
        /// The chain.
        chain: ChainId,
    },
    /// A message of Solana's that is refused.
    #[error(transparent)]
    Message(#[from] UnsignedError),
    /// A chain that is no network of NEAR's.
    #[error("{chain} is no network of NEAR's")]
    NoNetwork {
        /// The chain.
        chain: ChainId,
    },
    /// A transaction of NEAR's that is refused.
    #[error(transparent)]
    Near(#[from] keystead_near::Refusal),
    /// A file that holds no key.
    #[error(
        "the file holds neither 12 to 24 words of BIP-39, nor a key of 32 bytes in hexadecimal, nor the 64 numbers of solana-keygen"
    )]
    Secret,
    /// Words that are none.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// A key that others can make again.
    #[error("this key must not be imported: {0}")]
    Weak(#[from] WeakSeed),
    /// Another key than the one that people approved.
    #[error("the secret is of another key than people approved for `{key}`")]
    OtherKey {
        /// The key that was approved.
        key: Name,
    },
    /// A path that leads nowhere.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// An r that went out with another digest: the nonce would give the key away.
    #[error("the signature would repeat an r for another digest")]
    RepeatedNonce,
    /// The payload does not parse.
    #[error(transparent)]
    Payload(#[from] CanonError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] LightError),
    /// The keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The signature.
    #[error(transparent)]
    Curve(#[from] CurveError),
    /// The randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The backup in shares, or the shares.
    #[error(transparent)]
    Shares(#[from] SeedSharesError),
    /// The recipient's key file.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// A run of a shared key.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// A key in tokens.
    #[error(transparent)]
    Tokens(#[from] TokenKeyError),
    /// The error state.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
}

impl Coded for EnclaveError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotReady => "enclave.not_ready",
            Self::AlreadyReady => "enclave.already_ready",
            Self::Role => "enclave.role",
            Self::Hardening { .. } => "enclave.hardening",
            Self::Unprotected { .. } => "enclave.unprotected",
            Self::BatchSize { .. } => "enclave.batch_size",
            Self::ForeignSeal { .. } => "enclave.foreign_seal",
            Self::Ceremony => "enclave.ceremony",
            Self::NotReceiving => "enclave.not_receiving",
            Self::Recipient { .. } => "enclave.recipient",
            Self::Age(error) => error.code(),
            Self::Epoch { .. } => "enclave.epoch",
            Self::Account { .. } => "enclave.account",
            Self::Chain { .. } => "enclave.chain",
            Self::NoWallet { .. } => "enclave.no_wallet",
            Self::NoCluster { .. } => "enclave.no_cluster",
            Self::NoNetwork { .. } => "enclave.no_network",
            Self::RepeatedNonce => "enclave.repeated_nonce",
            Self::Secret => "enclave.secret",
            Self::OtherKey { .. } => "enclave.other_key",
            Self::Mnemonic(error) => error.code(),
            Self::Weak(error) => error.code(),
            Self::Spend(error) => error.code(),
            Self::Message(error) => error.code(),
            Self::Near(error) => error.code(),
            Self::Derive(error) => error.code(),
            Self::Payload(error) => error.code(),
            Self::Certificate(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::Curve(error) => error.code(),
            Self::Entropy(error) => error.code(),
            Self::Seal(error) => error.code(),
            Self::Backup(error) => error.code(),
            Self::Shares(error) => error.code(),
            Self::Member(error) => error.code(),
            Self::Threshold(error) => error.code(),
            Self::Tokens(error) => error.code(),
            Self::SelfTest(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Hardening { .. } | Self::Unprotected { .. } | Self::RepeatedNonce => Blame::Environment,
            Self::NotReady
            | Self::AlreadyReady
            | Self::Role
            | Self::BatchSize { .. }
            | Self::ForeignSeal { .. }
            | Self::Ceremony
            | Self::NotReceiving
            | Self::Recipient { .. }
            | Self::Age(_)
            | Self::Epoch { .. }
            | Self::Account { .. }
            | Self::Chain { .. }
            | Self::NoWallet { .. }
            | Self::Spend(_)
            | Self::NoCluster { .. }
            | Self::Message(_)
            | Self::NoNetwork { .. }
            | Self::Near(_)
            | Self::Payload(_)
            | Self::Certificate(_) => Blame::Peer,
            Self::Secret | Self::OtherKey { .. } => Blame::Caller,
            Self::Mnemonic(error) => error.blame(),
            Self::Weak(error) => error.blame(),
            Self::Vault(error) => error.blame(),
            Self::Derive(error) => error.blame(),
            Self::Curve(error) => error.blame(),
            Self::Entropy(error) => error.blame(),
            Self::Seal(error) => error.blame(),
            Self::Backup(error) => error.blame(),
            Self::Shares(error) => error.blame(),
            Self::Member(error) => error.blame(),
            Self::Threshold(error) => error.blame(),
            Self::Tokens(error) => error.blame(),
            Self::SelfTest(error) => error.blame(),
        }
    }
}

fn names(features: &[Feature]) -> String {
    features.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(", ")
}

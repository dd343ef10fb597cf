//! Why the chain does not take a transaction.

use alloy_primitives::{B256, Bytes, U256};
use keystead_base::{Blame, Coded};
use revm::context::result::InvalidTransaction;

/// Why a transaction is not executed, or a deployment has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DevnetError {
    /// More bytes than any transaction may have.
    #[error("a raw transaction has at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// Not an EIP-2718 transaction.
    #[error("the raw transaction does not decode: {reason}")]
    Decode {
        /// What the decoder says.
        reason: String,
    },
    /// The signature names nobody, or its s is in the upper half (EIP-2).
    #[error("the signature of the transaction does not recover to an address")]
    Signature,
    /// The very same transaction stands in a block already.
    #[error("transaction {hash} is already in block {block}")]
    AlreadyKnown {
        /// Its hash.
        hash: B256,
        /// The block that has it.
        block: u64,
    },
    /// Signed for another chain.
    #[error("the transaction's chain id is not {expected}")]
    ChainId {
        /// The id of this chain.
        expected: u64,
    },
    /// The nonce is used, or is not the next one.
    #[error("nonce {found} is not the account's next nonce {expected}")]
    Nonce {
        /// The account's nonce.
        expected: u64,
        /// The transaction's nonce.
        found: u64,
    },
    /// The account cannot pay for value and gas.
    #[error("the account has {found} wei and the transaction may cost {expected}")]
    Funds {
        /// What value and gas cost at most.
        expected: U256,
        /// The balance.
        found: U256,
    },
    /// Another rule of the protocol.
    #[error("the transaction is invalid: {0}")]
    Invalid(InvalidTransaction),
    /// A deployment or an estimate ran and failed.
    #[error("execution failed with {} bytes of output", output.len())]
    Failed {
        /// The revert data.
        output: Bytes,
    },
    /// The interpreter gave up for a reason that is not the transaction's.
    #[error("the interpreter failed: {reason}")]
    Interpreter {
        /// What it says.
        reason: String,
    },
}

impl Coded for DevnetError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "devnet.too_long",
            Self::Decode { .. } => "devnet.decode",
            Self::Signature => "devnet.signature",
            Self::AlreadyKnown { .. } => "devnet.already_known",
            Self::ChainId { .. } => "devnet.chain_id",
            Self::Nonce { .. } => "devnet.nonce",
            Self::Funds { .. } => "devnet.funds",
            Self::Invalid(_) => "devnet.invalid",
            Self::Failed { .. } => "devnet.failed",
            Self::Interpreter { .. } => "devnet.interpreter",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Interpreter { .. } => Blame::Environment,
            _ => Blame::Caller,
        }
    }
}

impl DevnetError {
    pub(crate) fn invalid(reason: InvalidTransaction, chain_id: u64) -> Self {
        match reason {
            InvalidTransaction::NonceTooLow { tx, state }
            | InvalidTransaction::NonceTooHigh { tx, state } => Self::Nonce { expected: state, found: tx },
            InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
                Self::Funds { expected: *fee, found: *balance }
            }
            InvalidTransaction::InvalidChainId | InvalidTransaction::MissingChainId => {
                Self::ChainId { expected: chain_id }
            }
            other => Self::Invalid(other),
        }
    }
}

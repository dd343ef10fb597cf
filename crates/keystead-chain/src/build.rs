//! From what somebody asks for to the exact bytes, or a reason why there are none.

use alloy_consensus::{SignableTransaction as _, Transaction as _, TxEip1559};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use keystead_base::{Amount, Blame, Coded};
use keystead_intent::{
    Action, Asset, ChainId, ContractCall, GasTerms, MAX_EIP155_CHAIN, RawEthereum, Transfer,
};

use crate::call::erc20;
use crate::typed_data::TypedDataError;
use crate::unsigned::Form;
use crate::{Payload, Unsigned};

/// Builds what would be signed for an action by an account.
///
/// # Errors
///
/// [`BuildError`]: no bytes, bytes that are not canonical, or bytes for another chain.
pub fn build(action: &Action, account: Address) -> Result<Unsigned, BuildError> {
    let chain = action.chain().ok_or(BuildError::NothingToSign)?;
    let payload = match action {
        Action::Transfer(it) => Payload::Transaction(transfer(it)),
        Action::ContractCall(it) => Payload::Transaction(contract_call(it)),
        Action::TypedData(it) => Payload::TypedData(it.json.clone()),
        Action::Message(it) => Payload::Message(it.bytes.clone()),
        Action::RawEthereum(it) => raw(it),
        Action::Replacement(it) => match raw(&it.transaction) {
            Payload::Transaction(bytes) => Payload::Transaction(bytes),
            _ => return Err(BuildError::NotATransaction),
        },
        Action::Authority(_) => return Err(BuildError::NothingToSign),
        Action::Psbt(_) | Action::Solana(_) | Action::Near(_) => {
            return Err(BuildError::NotEthereum { found: chain });
        }
    };
    Unsigned::parse(account, chain, payload)
}

/// INVARIANT S8: a chain id is present and is the configured one in every signed form. A message
/// carries none; there the request says whose policy applies, and the id is still not zero.
pub(crate) fn hold_to_chain(form: &Form, chain: ChainId) -> Result<(), BuildError> {
    if chain.0 == 0 {
        return Err(BuildError::ChainZero);
    }
    if chain.0 > MAX_EIP155_CHAIN {
        return Err(BuildError::NotEthereum { found: chain });
    }
    match form {
        Form::Transaction(transaction) => {
            same_chain(chain, transaction.chain_id().map(U256::from))?;
            let listed = transaction.authorization_list().unwrap_or_default();
            listed.iter().try_for_each(|it| same_chain(chain, Some(it.chain_id)))
        }
        Form::Authorization(authorization) => same_chain(chain, Some(U256::from(authorization.chain.0))),
        Form::TypedData(document) => same_chain(chain, document.domain().chain_id),
        Form::Message => Ok(()),
    }
}

fn same_chain(expected: ChainId, found: Option<U256>) -> Result<(), BuildError> {
    match found {
        None => Err(BuildError::NoChainId { expected }),
        Some(id) if id == U256::from(expected.0) => Ok(()),
        Some(id) => Err(BuildError::WrongChain { expected, found: Amount(id) }),
    }
}

fn transfer(transfer: &Transfer) -> Bytes {
    match transfer.asset {
        Asset::Native => eip1559(transfer.chain, transfer.to, transfer.amount, Bytes::new(), &transfer.gas),
        Asset::Token(token) => {
            let data = erc20::encode_transfer(transfer.to, transfer.amount);
            eip1559(transfer.chain, token, Amount::ZERO, data, &transfer.gas)
        }
    }
}

fn contract_call(call: &ContractCall) -> Bytes {
    eip1559(call.chain, call.to, call.value, call.data.clone(), &call.gas)
}

fn eip1559(chain: ChainId, to: Address, value: Amount, input: Bytes, gas: &GasTerms) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: chain.0,
        nonce: gas.nonce,
        gas_limit: gas.gas_limit,
        max_fee_per_gas: gas.max_fee_per_gas,
        max_priority_fee_per_gas: gas.max_priority_fee_per_gas,
        to: TxKind::Call(to),
        value: value.0,
        access_list: Default::default(),
        input,
    };
    transaction.encoded_for_signing().into()
}

/// `0x05` is the magic of EIP-7702 and no transaction type.
fn raw(raw: &RawEthereum) -> Payload {
    match raw.preimage.first() {
        Some(0x05) => Payload::Authorization(raw.preimage.clone()),
        _ => Payload::Transaction(raw.preimage.clone()),
    }
}

/// Why there is nothing to sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A change of authority has no bytes for a chain.
    #[error("this kind of request is decided, not signed")]
    NothingToSign,
    /// Only a transaction can replace one.
    #[error("a replacement is a transaction, found an authorization")]
    NotATransaction,
    /// More bytes than a payload may have.
    #[error("a payload has at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// Zero is not a chain.
    #[error("chain id 0 is not a chain")]
    ChainZero,
    /// A chain, or a request, that is none of Ethereum's.
    #[error(
        "{found} is no chain of Ethereum's kind (EIP-2294), and what is signed for it no bytes of that kind"
    )]
    NotEthereum {
        /// The chain.
        found: ChainId,
    },
    /// The bytes would be valid on every chain.
    #[error("the payload names no chain, expected {expected}")]
    NoChainId {
        /// The configured chain.
        expected: ChainId,
    },
    /// The bytes are for another chain; id 0 in an authorization means every chain.
    #[error("the payload is for chain id {found}, expected {expected}")]
    WrongChain {
        /// The configured chain.
        expected: ChainId,
        /// The id in the bytes.
        found: Amount,
    },
    /// A first byte that announces no known form.
    #[error("no signable form begins with this byte: {found:?}")]
    UnknownForm {
        /// The first byte, if there is one.
        found: Option<u8>,
    },
    /// RLP that does not decode.
    #[error("the payload is not RLP of its form: {0}")]
    Rlp(alloy_rlp::Error),
    /// RLP that decodes, but not from its one canonical encoding.
    #[error("the payload is not the canonical encoding of what it says")]
    NotCanonical,
    /// The last nonce cannot be used (EIP-2681).
    #[error("a nonce is below 2^64 - 1")]
    Nonce,
    /// A tip above the ceiling (EIP-1559).
    #[error("the tip per gas is at most the fee ceiling {ceiling}, found {found}")]
    Tip {
        /// The ceiling, in wei.
        ceiling: u128,
        /// The tip, in wei.
        found: u128,
    },
    /// A blob transaction without blobs, or with hashes of an unknown version (EIP-4844).
    #[error("a blob transaction names at least one blob hash, each of version 1")]
    Blobs,
    /// A delegating transaction without authorizations (EIP-7702).
    #[error("an EIP-7702 transaction carries at least one authorization")]
    NoAuthorizations,
    /// Typed data that is refused.
    #[error(transparent)]
    TypedData(#[from] TypedDataError),
}

impl Coded for BuildError {
    fn code(&self) -> &'static str {
        match self {
            Self::NothingToSign => "build.nothing_to_sign",
            Self::NotATransaction => "build.not_a_transaction",
            Self::TooLong { .. } => "build.too_long",
            Self::ChainZero => "build.chain_zero",
            Self::NotEthereum { .. } => "build.not_ethereum",
            Self::NoChainId { .. } => "build.no_chain_id",
            Self::WrongChain { .. } => "build.wrong_chain",
            Self::UnknownForm { .. } => "build.unknown_form",
            Self::Rlp(_) => "build.rlp",
            Self::NotCanonical => "build.not_canonical",
            Self::Nonce => "build.nonce",
            Self::Tip { .. } => "build.tip",
            Self::Blobs => "build.blobs",
            Self::NoAuthorizations => "build.no_authorizations",
            Self::TypedData(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

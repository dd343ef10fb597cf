//! The intent: one request, complete, and the same bytes for everybody.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, ClusterId, Coded, Name, RequestId, RequestNonce, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    AccountRef, AuthorityChange, ChainId, ContractCall, MAX_PAYLOAD_BYTES, Message, NearTransaction,
    PsbtSpend, RawEthereum, Replacement, SolanaMessage, Transfer, TypedData,
};

/// The most intents that one signature of a requester covers.
pub const MAX_BATCH_INTENTS: usize = 256;

/// What one requester asks the cluster for, once.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The cluster that it is for.
    pub cluster: ClusterId,
    /// Who asks: a person or a service of the roster.
    pub requester: Name,
    /// The same nonce again is the same request again.
    pub nonce: RequestNonce,
    /// After this moment the request is dead.
    pub expires: Timestamp,
    /// What is asked for.
    pub action: Action,
}

impl Canonical for Intent {
    const DOMAIN: &'static str = "keystead/intent/v1";
}

impl Intent {
    /// The request's id: the digest of its document.
    #[must_use]
    pub fn id(&self) -> RequestId {
        RequestId(self.digest())
    }

    /// Parses the JSON form; unknown fields are errors.
    ///
    /// # Errors
    ///
    /// [`IntentError`] says where and what.
    pub fn from_json(text: &str) -> Result<Self, IntentError> {
        if text.len() > 3 * MAX_PAYLOAD_BYTES {
            return Err(IntentError::TooLong { limit: 3 * MAX_PAYLOAD_BYTES, found: text.len() });
        }
        serde_json::from_str(text).map_err(|error| IntentError::Json { reason: error.to_string() })
    }

    /// Checks what the types alone do not: lengths and ranges.
    ///
    /// # Errors
    ///
    /// [`IntentError`] with the limit and what was found.
    pub fn check(&self) -> Result<(), IntentError> {
        let found = self.action.payload_bytes();
        if found > MAX_PAYLOAD_BYTES {
            return Err(IntentError::TooLong { limit: MAX_PAYLOAD_BYTES, found });
        }
        match self.action.account() {
            Some(account) if account.index >= 1 << 31 => Err(IntentError::Index { found: account.index }),
            _ => Ok(()),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Move an amount of one asset.
    Transfer(Transfer),
    /// Call a contract.
    ContractCall(ContractCall),
    /// Sign EIP-712 typed data.
    TypedData(TypedData),
    /// Sign an EIP-191 message.
    Message(Message),
    /// Sign a raw transaction or authorization.
    RawEthereum(RawEthereum),
    /// Replace a transaction in its slot.
    Replacement(Replacement),
    /// Change who may do what.
    Authority(AuthorityChange),
    /// Sign what a PSBT spends.
    Psbt(PsbtSpend),
    /// Sign a message of Solana's.
    Solana(SolanaMessage),
    /// Sign a transaction of NEAR's.
    Near(NearTransaction),
}

impl Action {
    /// The account that would sign; none for changes of authority.
    #[must_use]
    pub fn account(&self) -> Option<&AccountRef> {
        match self {
            Self::Transfer(it) => Some(&it.account),
            Self::ContractCall(it) => Some(&it.account),
            Self::TypedData(it) => Some(&it.account),
            Self::Message(it) => Some(&it.account),
            Self::RawEthereum(it) => Some(&it.account),
            Self::Replacement(it) => Some(&it.transaction.account),
            Self::Psbt(it) => Some(&it.account),
            Self::Solana(it) => Some(&it.account),
            Self::Near(it) => Some(&it.account),
            Self::Authority(_) => None,
        }
    }

    /// The chain; none for changes of authority.
    #[must_use]
    pub fn chain(&self) -> Option<ChainId> {
        match self {
            Self::Transfer(it) => Some(it.chain),
            Self::ContractCall(it) => Some(it.chain),
            Self::TypedData(it) => Some(it.chain),
            Self::Message(it) => Some(it.chain),
            Self::RawEthereum(it) => Some(it.chain),
            Self::Replacement(it) => Some(it.transaction.chain),
            Self::Psbt(it) => Some(it.chain),
            Self::Solana(it) => Some(it.chain),
            Self::Near(it) => Some(it.chain),
            Self::Authority(_) => None,
        }
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::Transfer(_) => ActionKind::Transfer,
            Self::ContractCall(_) => ActionKind::ContractCall,
            Self::TypedData(_) => ActionKind::TypedData,
            Self::Message(_) => ActionKind::Message,
            Self::RawEthereum(_) => ActionKind::RawEthereum,
            Self::Replacement(_) => ActionKind::Replacement,
            Self::Authority(_) => ActionKind::Authority,
            Self::Psbt(it) if it.replaces.is_some() => ActionKind::Replacement,
            Self::Psbt(_) => ActionKind::Psbt,
            Self::Solana(_) => ActionKind::Solana,
            Self::Near(_) => ActionKind::Near,
        }
    }

    /// The earlier request whose place it takes, where it names one (S4).
    #[must_use]
    pub fn replaces(&self) -> Option<&RequestId> {
        match self {
            Self::Replacement(it) => Some(&it.replaces),
            Self::Psbt(it) => it.replaces.as_ref(),
            _ => None,
        }
    }

    fn payload_bytes(&self) -> usize {
        match self {
            Self::Transfer(_) => 0,
            Self::ContractCall(it) => it.data.len(),
            Self::TypedData(it) => it.json.len(),
            Self::Message(it) => it.bytes.len(),
            Self::RawEthereum(it) => it.preimage.len(),
            Self::Replacement(it) => it.transaction.preimage.len(),
            Self::Psbt(it) => it.psbt.len(),
            Self::Solana(it) => it.message.len(),
            Self::Near(it) => it.transaction.len(),
            Self::Authority(
                AuthorityChange::Policy { document }
                | AuthorityChange::Roster { document }
                | AuthorityChange::AddressBook { document },
            ) => document.len(),
            Self::Authority(AuthorityChange::Compromise { why, .. }) => why.len(),
            Self::Authority(AuthorityChange::Thaw { .. } | AuthorityChange::Key(_)) => 0,
        }
    }
}

/// The kinds of [`Action`], as policy names them.
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
pub enum ActionKind {
    /// [`Action::Transfer`].
    Transfer,
    /// [`Action::ContractCall`].
    ContractCall,
    /// [`Action::TypedData`].
    TypedData,
    /// [`Action::Message`].
    Message,
    /// [`Action::RawEthereum`].
    RawEthereum,
    /// [`Action::Replacement`], and [`Action::Psbt`] where it replaces a request.
    Replacement,
    /// [`Action::Authority`].
    Authority,
    /// [`Action::Psbt`].
    Psbt,
    /// [`Action::Solana`].
    Solana,
    /// [`Action::Near`].
    Near,
}

impl ActionKind {
    /// The kind's stable name: also the Cedar action's id.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::ContractCall => "contract_call",
            Self::TypedData => "typed_data",
            Self::Message => "message",
            Self::RawEthereum => "raw_ethereum",
            Self::Replacement => "replacement",
            Self::Authority => "authority",
            Self::Psbt => "psbt",
            Self::Solana => "solana",
            Self::Near => "near",
        }
    }
}

/// Intents of one requester under one signature, so that the price of a hybrid signature is shared.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBatch {
    /// At least one and at most [`MAX_BATCH_INTENTS`], all of the requester who signs.
    pub intents: Vec<Intent>,
}

impl Canonical for RequestBatch {
    const DOMAIN: &'static str = "keystead/request-batch/v1";
}

/// Why an intent is refused before anybody looks at its meaning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// The JSON form does not parse.
    #[error("the request is not a valid intent: {reason}")]
    Json {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// More bytes than a request may carry.
    #[error("a request carries at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// An address index that would be hardened.
    #[error("an address index is below 2147483648 (BIP-32), found {found}")]
    Index {
        /// The index.
        found: u32,
    },
}

impl Coded for IntentError {
    fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "intent.json",
            Self::TooLong { .. } => "intent.too_long",
            Self::Index { .. } => "intent.index",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(extra: &str) -> String {
        format!(
            r#"{{"cluster":"{c}","requester":"desk","nonce":"{n}","expires":1,{extra}
               "action":{{"message":{{"account":{{"key":"hot","index":0}},"chain":1,"bytes":"0x68"}}}}}}"#,
            c = "00".repeat(32),
            n = "11".repeat(16)
        )
    }

    #[test]
    fn json_and_canonical_bytes_agree_and_unknown_fields_are_errors() {
        let intent = Intent::from_json(&json("")).unwrap();
        assert_eq!(Intent::from_document(&intent.to_document()).unwrap(), intent);
        assert_eq!(intent.check(), Ok(()));
        assert_eq!(Intent::from_json(&json("\"colour\":1,")).unwrap_err().code(), "intent.json");
    }
}

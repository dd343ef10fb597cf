//! Why there is no signature.

use alloy_primitives::{Address, ChainId};
use alloy_transport::TransportError;
use serde::Deserialize;

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum KeysteadSignerError {
    /// The log said no.
    #[error("request {request} is denied: {}", reasons.join("; "))]
    Denied {
        /// The request.
        request: String,
        /// Every reason, in words.
        reasons: Vec<String>,
    },
    /// People, a delay or the signature is waited for; the request goes on.
    #[error("request {request} waits: {message}")]
    Waiting {
        /// The request, for `keystead_request`.
        request: String,
        /// What the coordinator says.
        message: String,
    },
    /// Another chain: the coordinator's, or that of what is to be signed.
    #[error("expected chain {expected}, found {found}")]
    Chain {
        /// The signer's.
        expected: ChainId,
        /// The other one; 0 where none is named.
        found: ChainId,
    },
    /// No key of the cluster signs for this address now.
    #[error("no key signs for {0}; eth_accounts lists those that do")]
    UnknownAccount(Address),
    /// The answer is not a signature.
    #[error("the answer is not {expected}")]
    Answer {
        /// What it should be.
        expected: &'static str,
    },
    /// A signature of somebody else, or over something else.
    #[error("the answer is a signature of {found}, expected {expected}")]
    Signer {
        /// The account.
        expected: Address,
        /// Who signed the digest that was asked for.
        found: Address,
    },
    /// What is to be signed cannot be written as a document.
    #[error(transparent)]
    Document(#[from] alloy_dyn_abi::Error),
    /// The coordinator does not answer, or with an error of another kind.
    #[error(transparent)]
    Transport(TransportError),
}

/// What the coordinator's errors say beside their number (specs/json-rpc.md).
#[derive(Debug, Deserialize)]
struct Data {
    code: String,
    request: Option<String>,
    #[serde(default)]
    reasons: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
struct Reason {
    text: String,
}

impl From<TransportError> for KeysteadSignerError {
    fn from(error: TransportError) -> Self {
        let Some(payload) = error.as_error_resp() else { return Self::Transport(error) };
        let data = payload.data.as_ref().and_then(|data| serde_json::from_str::<Data>(data.get()).ok());
        match data {
            Some(Data { code, request: Some(request), reasons }) if code == "request.denied" => {
                Self::Denied { request, reasons: reasons.into_iter().map(|it| it.text).collect() }
            }
            Some(Data { code, request: Some(request), .. })
                if code == "request.waiting" || code == "request.unsigned" =>
            {
                Self::Waiting { request, message: payload.message.to_string() }
            }
            Some(_) | None => Self::Transport(error),
        }
    }
}

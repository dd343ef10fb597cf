//! `POST /api/v1/eth1/sign/{identifier}`: one payload, one request, one signature.

use alloy_primitives::{Address, B256, keccak256};
use axum::http::StatusCode;
use keystead_base::{Coded as _, RequestId};
use keystead_chain::{Unsigned, recover};
use keystead_intent::Action;
use keystead_policy::Reason;
use keystead_wire::{NodeCallError, RequestDetail, RequestStage, RequestView, SignedPayload};
use serde::Deserialize;
use serde_json::Value;

use super::payload::{self, Signer, Unread};
use crate::caller::Caller;
use crate::coordinator::{Inner, Obtained};
use crate::share::Place;
use crate::{RequestError, clock};

/// What a caller wants signed, and by which key.
pub(super) struct Ask {
    data: Vec<u8>,
    typed_data: Option<String>,
    address: Address,
}

/// web3signer reads `data` alone and takes further strings along. What we do not read changes nothing: `data` is what
/// is signed.
#[derive(Deserialize)]
struct Body {
    data: String,
    typed_data: Option<Value>,
}

impl Ask {
    /// Reads a body and an identifier: 64 bytes of public key, or an address, in hex.
    pub(super) fn read(body: &[u8], identifier: &str) -> Result<Self, SignError> {
        let body: Body = serde_json::from_slice(body).map_err(|error| SignError::Body(error.to_string()))?;
        let data = const_hex::decode(&body.data).map_err(|error| SignError::Body(error.to_string()))?;
        if data.is_empty() {
            return Err(SignError::Body("`data` is empty".to_owned()));
        }
        let typed_data = body.typed_data.map(|document| match document {
            Value::String(text) => text,
            other => other.to_string(),
        });
        Ok(Self { data, typed_data, address: address(identifier).ok_or(SignError::UnknownKey)? })
    }

    /// The same for the same bytes and the same key, whenever they come.
    fn call(&self) -> B256 {
        keccak256([self.address.as_slice(), &self.data].concat())
    }
}

fn address(identifier: &str) -> Option<Address> {
    let bytes = const_hex::decode(identifier).ok()?;
    match bytes.len() {
        64 => Some(Address::from_raw_public_key(&bytes)),
        20 => Some(Address::from_slice(&bytes)),
        _ => None,
    }
}

impl Inner {
    /// 65 bytes `r || s || v` in hex, with 27 or 28 for v, as web3signer gives them.
    /// A key that is not this caller's business is as unknown as one that is not there.
    pub(super) async fn web3_sign(&self, caller: &Caller, ask: Ask) -> Result<String, SignError> {
        let account = self.account(ask.address).await?.filter(|account| caller.holds(Some(&account.key)));
        let account = account.ok_or(SignError::UnknownKey)?;
        let signer = Signer { account, address: ask.address, chain: self.settings.chain };
        let (action, unsigned) = payload::read(&ask.data, ask.typed_data.clone(), &signer)?;
        let _place = self.shares.of(caller.word()).take(Place::Wait)?;
        let view = self.request_of(ask.call(), &action).await?;
        let obtained = match self.signature(view).await {
            Ok(obtained) => obtained,
            Err(error) => self.taken_by_itself(&action, error).await?,
        };
        written(&obtained.signed, &unsigned).ok_or(SignError::Faulty { request: obtained.request })
    }

    /// A caller that was told to come again finds its own request, not another one beside it.
    async fn request_of(&self, call: B256, action: &Action) -> Result<RequestView, RequestError> {
        if let Some(earlier) = self.repeats.get(&call)
            && let Some(detail) = self.node.request(earlier).await?
            && stands(&detail, action)
        {
            return Ok(detail.view);
        }
        let intent = self.intent(action.clone())?;
        self.repeats.put(call, intent.id());
        self.submit(intent).await
    }

    /// The place of a transaction may be taken by the same one, asked for before this program began: signing is no
    /// payment, and the signature is the same.
    async fn taken_by_itself(&self, action: &Action, error: RequestError) -> Result<Obtained, RequestError> {
        let RequestError::Denied { reasons, .. } = &error else { return Err(error) };
        let taken = reasons.iter().find_map(|reason| match reason {
            Reason::SlotTaken { by, .. } => Some(*by),
            _ => None,
        });
        let Some(by) = taken else { return Err(error) };
        match self.node.request(by).await? {
            Some(detail) if detail.intent.action == *action => self.signature(detail.view).await,
            Some(_) | None => Err(error),
        }
    }

    /// The public keys of all accounts that are listed, as web3signer writes them.
    pub(super) async fn points(&self, caller: &Caller) -> Result<Vec<String>, NodeCallError> {
        let points = self.accounts.points(|key| caller.holds(Some(key))).await?;
        Ok(points.into_iter().map(const_hex::encode_prefixed).collect())
    }
}

/// Whether an earlier request for the same bytes still answers the call.
fn stands(detail: &RequestDetail, action: &Action) -> bool {
    let alive = match detail.view.stage {
        RequestStage::Denied | RequestStage::Dead | RequestStage::Applied => false,
        RequestStage::Waiting | RequestStage::Allowed => detail.intent.expires > clock::now(),
        RequestStage::Signed | RequestStage::Settled | RequestStage::Reorged | RequestStage::Failed => true,
    };
    alive && detail.intent.action == *action
}

/// What the node brings is handed on only if it is this key's signature over these bytes.
fn written(signed: &SignedPayload, unsigned: &Unsigned) -> Option<String> {
    let (rs, parity) = signed.signature.split_at_checked(64)?;
    let (r, s) = rs.split_at_checked(32)?;
    let odd = match parity {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    let signer = recover(unsigned, B256::from_slice(r), B256::from_slice(s), odd).ok()?;
    let v = if odd { 28 } else { 27 };
    (signer == unsigned.account()).then(|| const_hex::encode_prefixed([r, s, &[v]].concat()))
}

/// Why there is no signature, by web3signer's statuses where it has one.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error("expected an object with `data` in hexadecimal digits: {0}")]
    Body(String),
    #[error("no such key may sign; see /api/v1/eth1/publicKeys")]
    UnknownKey,
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("request {request}: what the node brought is no signature of this key over these bytes")]
    Faulty { request: RequestId },
}

impl SignError {
    /// 412 is what web3signer answers where its slashing protection forbids a signature.
    pub(super) fn status(&self) -> StatusCode {
        let Self::Request(error) = self else { return self.own_status() };
        match error {
            RequestError::Intent(_) => StatusCode::BAD_REQUEST,
            RequestError::Denied { .. }
            | RequestError::Refused(_)
            | RequestError::KeyReused { .. }
            | RequestError::Unsignable { .. }
            | RequestError::FeeCap { .. }
            | RequestError::Ended { .. } => StatusCode::PRECONDITION_FAILED,
            RequestError::Waiting { .. }
            | RequestError::Unsigned { .. }
            | RequestError::Busy
            | RequestError::Share
            | RequestError::Node(_)
            | RequestError::Chain(_)
            | RequestError::Broadcast { .. }
            | RequestError::NoChain => StatusCode::SERVICE_UNAVAILABLE,
            RequestError::Key(_) | RequestError::Environment(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn own_status(&self) -> StatusCode {
        match self {
            Self::Body(_) | Self::Unread(_) => StatusCode::BAD_REQUEST,
            Self::UnknownKey => StatusCode::NOT_FOUND,
            Self::Request(_) | Self::Faulty { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The sentence, and the stable code in brackets.
    pub(super) fn words(&self) -> String {
        let code = match self {
            Self::Body(_) => "web3signer.body",
            Self::UnknownKey => "web3signer.unknown_key",
            Self::Unread(error) => error.code(),
            Self::Request(error) => error.code(),
            Self::Faulty { .. } => "web3signer.faulty",
        };
        format!("{self} ({code})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_public_key_or_an_address() {
        // The first account of the well-known development mnemonic.
        let point = "8318535b54105d4a7aae60c08fc45f9687181b4fdfc625bd1a753fa7397fed753547f11ca8696646f2f3acb08e31016afac23e630c5d11f59f61fef57b0d2aa5";
        let found = address(point).map(|it| it.to_checksum(None));
        assert_eq!(found.as_deref(), Some("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(address(&format!("0x{}", point.to_uppercase())), address(point));
        assert_eq!(address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"), address(point));
        for unknown in ["", "0x", "zz", "0x04", &format!("04{point}")] {
            assert_eq!(address(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_body_has_data_in_hex() {
        let read = |body: &str| {
            let asked = Ask::read(body.as_bytes(), &"11".repeat(20));
            asked.map(|ask| ask.data).map_err(|error| error.status().as_u16())
        };
        assert_eq!(read(r#"{"data":"0x4142"}"#), Ok(vec![0x41, 0x42]));
        assert_eq!(read(r#"{"data":"4142","more":"x"}"#), Ok(vec![0x41, 0x42]));
        for body in
            ["", "[]", "{}", r#"{"data":""}"#, r#"{"data":"0x"}"#, r#"{"data":"0x4"}"#, r#"{"data":7}"#]
        {
            assert_eq!(read(body), Err(400), "{body}");
        }
        assert_eq!(read(r#"{"data":"0x41","data":"0x42"}"#), Err(400), "of two nobody knows which is meant");
    }
}

//! What a PSBT would do, and the transaction of one that is signed: the words of `keystead psbt inspect` and `finalize`.
//!
//! Nothing here signs, asks the log for anything or keeps anything. Whoever believes no coordinator runs the commands.

use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use keystead_base::{Coded, Name};
use keystead_bitcoin::{
    AccountError, FinalizeError, MAX_SPEND_INPUTS, MAX_SPEND_OUTPUTS, Psbt, PsbtError, SpendError, Terms,
    View, read_wallet, shared_wallet,
};
use keystead_intent::{BitcoinWallet, ChainId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::RequestError;
use crate::caller::Caller;
use crate::http::Served;
use crate::rest::page::nothing;
use crate::rest::{Problem, keys};
use crate::share::Place;

/// A PSBT, and whose coins it spends: as in a request's action.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    key: Name,
    chain: ChainId,
    /// Base64, as people copy it, or hexadecimal after `0x`, as requests have it.
    psbt: String,
    /// The wallet that the key shares with others, by the name that policy gives it; the key's own without.
    #[serde(default)]
    shared: Option<Name>,
}

/// `POST /v1/psbts/inspect`: inputs, outputs, proven change, fee and rate, and how far it is signed.
pub(crate) async fn inspect(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    nothing(query.as_deref())?;
    answer(&served, &caller, request, |view| Ok(view.to_json())).await
}

/// `POST /v1/psbts/finalize`: the transaction that the network takes; or what is missing, input by input.
pub(crate) async fn finalize(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    nothing(query.as_deref())?;
    answer(&served, &caller, request, finalized).await
}

/// INVARIANT S7: each signature is verified; what the PSBT calls finished is nothing here.
fn finalized(view: View) -> Result<Value, Problem> {
    let lacking = view.progress().into_iter().filter(|it| !it.is_complete());
    let missing: Vec<Value> =
        lacking.map(|it| json!({"input": it.input, "expected": it.expected, "found": it.found})).collect();
    match view.finalize(&[]) {
        Ok(done) => Ok(done.to_json()),
        Err(error @ FinalizeError::Missing { .. }) => Err(refused(&error).with("missing", missing)),
        Err(error) => Err(refused(&error)),
    }
}

async fn answer(
    served: &Served,
    caller: &Caller,
    request: Request,
    say: fn(View) -> Result<Value, Problem>,
) -> Result<Response, Problem> {
    let body = match served.body(request).await {
        Ok(body) => body,
        Err(refusal) => return Ok(*refusal),
    };
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request("http.request", format!("no request: {error}")))?;
    let psbt = bytes(&asked.psbt)?;
    let place = served.coordinator.inner.shares.of(caller.word()).take(Place::Psbt)?;
    let wallet = wallet(served, caller, &asked).await?;
    // Keys are derived and signatures verified: that is no work for whoever answers others in between.
    let read = tokio::task::spawn_blocking(move || {
        let said = view(&wallet, &psbt).and_then(say);
        drop(place);
        said
    });
    let said = read.await.map_err(|error| RequestError::Environment(error.to_string()))??;
    Ok(Json(said).into_response())
}

fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    let Some(hex) = text.strip_prefix("0x") else {
        return Psbt::decode_text(text).map_err(|error| malformed(&error));
    };
    const_hex::decode(hex)
        .map_err(|error| Problem::bad_request("http.request", format!("no request: {error}")))
}

/// What the log recorded of the key on the network; for a shared wallet, what the policy in force registers.
async fn wallet(served: &Served, caller: &Caller, asked: &Asked) -> Result<BitcoinWallet, Problem> {
    let key = keys::find(served, caller, asked.key.as_str()).await?;
    let none = || Problem::unknown("psbt.no_wallet", "there is no such wallet of this key on this network");
    let own = key.signing_wallet(asked.chain).cloned().ok_or_else(none)?;
    let Some(name) = &asked.shared else { return Ok(own) };
    let policy = served.coordinator.inner.version(None).await?.and_then(|(_, policy)| policy.bitcoin);
    let terms = policy.ok_or_else(none)?;
    let found = terms.shared_wallet(asked.chain, &asked.key, name).ok_or_else(none)?;
    shared_wallet(&own, &found.descriptor).map_err(|error| foreign(&error))
}

/// The same as a request's nodes read, with signatures or without them.
fn view(recorded: &BitcoinWallet, psbt: &[u8]) -> Result<View, Problem> {
    let wallet = read_wallet(recorded).map_err(|error| foreign(&error))?;
    let psbt = Psbt::parse(psbt).map_err(|error| malformed(&error))?;
    let (inputs, outputs) = (psbt.inputs().len(), psbt.outputs().len());
    if inputs > MAX_SPEND_INPUTS || outputs > MAX_SPEND_OUTPUTS {
        return Err(refused(&SpendError::Large { inputs, outputs }));
    }
    // What policy lets wait is signed: people read what for, and finish it.
    View::read(&psbt, &wallet, &Terms::LOCKS_TO_OTHERS).map_err(|error| refused(&error))
}

fn malformed(error: &PsbtError) -> Problem {
    Problem::bad_request(error.code(), error.to_string())
}

fn refused<E: Coded + ToString>(error: &E) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), error.to_string())
}

/// A node that records such a wallet is not one of ours.
fn foreign(error: &AccountError) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, "request.node", error.to_string())
}

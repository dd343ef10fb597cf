//! web3signer's REST interface for secp256k1 keys, so that it can be replaced in place (docs/web3signer.md).

mod payload;
mod sign;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::json;

use crate::caller::Caller;
use crate::http::Served;
use crate::probes::text;
use crate::web3signer::sign::{Ask, SignError};

pub(crate) fn routes() -> Router<Served> {
    Router::new()
        .route("/api/v1/eth1/sign/{identifier}", post(sign))
        .route("/api/v1/eth1/publicKeys", get(public_keys))
        .route("/upcheck", get(upcheck))
        .route("/healthcheck", get(healthcheck))
        .route("/reload", get(reload_status).post(reload))
}

async fn sign(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    Path(identifier): Path<String>,
    request: Request,
) -> Response {
    let body = match served.body(request).await {
        Ok(body) => Bytes::from(body),
        Err(refusal) => return *refusal,
    };
    let signed = match Ask::read(&body, &identifier) {
        Ok(ask) => served.coordinator.inner.web3_sign(&caller, ask).await,
        Err(error) => Err(error),
    };
    signed.map_or_else(|error| refused(&error), |signature| text(StatusCode::OK, signature))
}

/// The sentence and its stable code; web3signer's clients look at the status alone.
fn refused(error: &SignError) -> Response {
    let status = error.status();
    let mut response = text(status, error.words());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS.into());
    }
    response
}

async fn public_keys(State(served): State<Served>, Extension(caller): Extension<Caller>) -> Response {
    match served.coordinator.inner.points(&caller).await {
        Ok(points) => Json(points).into_response(),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn upcheck() -> Response {
    text(StatusCode::OK, "OK")
}

async fn healthcheck(State(served): State<Served>) -> Response {
    let node = served.coordinator.inner.has_node().await;
    let word = |up: bool| if up { "UP" } else { "DOWN" };
    let checks = json!([
        {"id": "default-check", "status": "UP"},
        {"id": "keys-check", "status": word(node)},
    ]);
    let body = json!({"status": word(node), "checks": checks, "outcome": word(node)});
    let status = if node { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

/// There is nothing to load: the log says which keys there are. What is remembered of it is asked for anew.
async fn reload(State(served): State<Served>) -> Response {
    match served.coordinator.inner.accounts.all().await {
        Ok(_) => {
            let message = "the keys are those of the log; what was remembered of them is as new";
            (StatusCode::ACCEPTED, Json(json!({"status": "accepted", "message": message}))).into_response()
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn reload_status() -> Response {
    Json(json!({"status": "idle"})).into_response()
}

/// When to ask again for what waits for people.
const RETRY_SECONDS: u16 = 5;

//! Keystead's own REST under `/v1`; `openapi.json` is its document (specs/rest.md).
//!
//! What it says about keys, requests and policies is for convenience, as everything that a coordinator says. Proof is what
//! a client verifies for itself: the certificate of a decision, and the checkpoint of the log.

mod approvals;
mod events;
mod keyed;
mod keys;
mod log;
mod page;
mod problem;
mod psbts;
mod requests;
#[cfg(test)]
mod tests;
mod vaults;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

pub(crate) use events::{MAX_STREAMS, facts, is_final};
pub(crate) use keyed::{Asked, AskedFile};
pub(crate) use problem::Problem;

use crate::http::Served;

/// The document of these routes (OpenAPI 3.1).
pub const OPENAPI: &str = include_str!("openapi.json");

pub(crate) fn routes() -> Router<Served> {
    Router::new()
        .route("/v1/openapi.json", get(document))
        .route("/v1/keys", get(keys::list))
        .route("/v1/keys/{name}", get(keys::show))
        .route("/v1/keys/{name}/addresses", get(keys::addresses))
        .route("/v1/vaults", get(vaults::list))
        .route("/v1/vaults/{name}", get(vaults::show))
        .route("/v1/requests", get(requests::list).post(requests::create))
        .route("/v1/requests/{id}", get(requests::show))
        .route("/v1/requests/{id}/events", get(events::stream))
        .route("/v1/requests/{id}/proof", get(log::proof))
        .route("/v1/approvals", post(approvals::submit))
        .route("/v1/psbts/inspect", post(psbts::inspect))
        .route("/v1/psbts/finalize", post(psbts::finalize))
        .route("/v1/policies", get(log::policies))
        .route("/v1/policies/{number}", get(log::policy))
        .route("/v1/checkpoint", get(log::checkpoint))
        .route("/v1/nodes", get(log::nodes))
}

async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

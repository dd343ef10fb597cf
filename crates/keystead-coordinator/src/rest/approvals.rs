//! What people have signed on their own devices, carried to the log. The coordinator has no key to sign it with.

use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use keystead_base::Canonical as _;
use keystead_decision::Entry;
use keystead_wire::EntryAnswer;
use serde::Deserialize;
use serde_json::json;

use crate::http::Served;
use crate::rest::Problem;
use crate::rest::page::nothing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handed {
    /// The hex of a `keystead/entry/v1` document.
    document: String,
}

/// `POST /v1/approvals`: an approval, a rejection, a veto or a freeze.
pub(crate) async fn submit(
    State(served): State<Served>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    nothing(query.as_deref())?;
    let body = match served.body(request).await {
        Ok(body) => body,
        Err(refusal) => return Ok(*refusal),
    };
    let answers = served.coordinator.inner.node.submit(vec![read(&body)?]).await?;
    match answers.into_iter().next() {
        Some(EntryAnswer::Decided(decisions)) => Ok(Json(json!({"decisions": decisions})).into_response()),
        Some(EntryAnswer::Refused(refused)) => {
            let refusal = refused.code.clone();
            let problem =
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request.refused", refused.to_string());
            Err(problem.with("refusal", refusal))
        }
        Some(EntryAnswer::Requests(_)) | None => {
            Err(Problem::new(StatusCode::BAD_GATEWAY, "request.node", "the node answered something else"))
        }
    }
}

fn read(body: &[u8]) -> Result<Entry, Problem> {
    let refused = |detail: String| Problem::bad_request("http.entry", detail);
    let handed: Handed = serde_json::from_slice(body).map_err(|error| refused(error.to_string()))?;
    let bytes = const_hex::decode(&handed.document).map_err(|error| refused(error.to_string()))?;
    let entry = Entry::from_document(&bytes).map_err(|error| refused(error.to_string()))?;
    match entry {
        Entry::Approval(_) | Entry::Veto(_) | Entry::Freeze(_) | Entry::Witness(_) => Ok(entry),
        Entry::Requests(_)
        | Entry::Price(_)
        | Entry::Settlement(_)
        | Entry::Key(_)
        | Entry::Renew(_)
        | Entry::Tick
        | Entry::Rebuild(_)
        | Entry::Simulation(_)
        | Entry::Finding(_) => {
            Err(refused("expected an approval, a veto, a freeze or the word of a witness".to_owned()))
        }
    }
}

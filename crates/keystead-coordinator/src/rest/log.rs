//! What the log says: proofs of its decisions, policies, its checkpoint, and who keeps it.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Json;
use keystead_base::Canonical as _;
use keystead_policy::PolicyVersion;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::coordinator::Inner;
use crate::http::Served;
use crate::rest::Problem;
use crate::rest::page::{Page, nothing, page};
use crate::rest::requests::{find, parse};

/// `GET /v1/requests/{id}/proof`: the certificate of the latest decision, as a document and as words.
pub(crate) async fn proof(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    nothing(query.as_deref())?;
    let id = parse(&id)?;
    find(&served, &caller, id).await?;
    let certificate = served.coordinator.inner.node.certificate(id).await?;
    let certificate = certificate.ok_or_else(|| {
        Problem::unknown("request.unproven", "there is no certificate of a decision about it")
    })?;
    let document = const_hex::encode(certificate.to_document());
    Ok(Json(json!({"request": id, "document": document, "certificate": certificate})))
}

/// `GET /v1/policies`: every version, the newest first.
pub(crate) async fn policies(
    State(served): State<Served>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let asked = Page::read(query.as_deref())?;
    let inner = &served.coordinator.inner;
    let in_force = inner.node.status().await?.policy;
    let first = asked.number()?.unwrap_or(in_force).min(in_force);
    let mut items = Vec::new();
    let mut next = None;
    for number in (0..=first).rev() {
        if items.len() == asked.limit {
            next = Some(number.to_string());
            break;
        }
        let Some((_, version)) = inner.version(Some(number)).await? else { continue };
        items.push(json!({
            "number": number, "digest": version.digest(), "previous": version.previous,
            "in_force": number == in_force,
        }));
    }
    Ok(Json(page(items, next)))
}

/// `GET /v1/policies/{number}`; `active` is the one in force.
pub(crate) async fn policy(
    State(served): State<Served>,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    nothing(query.as_deref())?;
    let unknown = || Problem::unknown("policy.unknown", "there is no such policy version");
    let number = match number.as_str() {
        "active" => None,
        digits if digits.bytes().all(|it| it.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| unknown())?)
        }
        _ => return Err(unknown()),
    };
    let inner = &served.coordinator.inner;
    let (document, version) = inner.version(number).await?.ok_or_else(unknown)?;
    Ok(Json(json!({
        "number": version.number, "digest": version.digest(), "document": const_hex::encode(document),
        "policy": version,
    })))
}

impl Inner {
    pub(crate) async fn version(
        &self,
        number: Option<u64>,
    ) -> Result<Option<(Vec<u8>, PolicyVersion)>, Problem> {
        let Some(document) = self.node.policy(number).await? else { return Ok(None) };
        let version = PolicyVersion::from_document(&document).map_err(keystead_wire::NodeCallError::from)?;
        Ok(Some((document, version)))
    }
}

/// `GET /v1/checkpoint`: a signed note (C2SP) of the newest block.
pub(crate) async fn checkpoint(
    State(served): State<Served>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    nothing(query.as_deref())?;
    let note = served.coordinator.inner.node.checkpoint().await?;
    let note = note.ok_or_else(|| Problem::unknown("log.empty", "the log has no block so far"))?;
    Ok(Json(json!({"checkpoint": note})))
}

/// `GET /v1/nodes`: the cluster, as the node that answers sees it.
pub(crate) async fn nodes(
    State(served): State<Served>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    nothing(query.as_deref())?;
    let status = served.coordinator.inner.node.status().await?;
    Ok(Json(json!({
        "cluster": status.cluster, "answers": status.node, "standing": status.standing,
        "height": status.height, "time": status.time, "nodes": status.nodes, "quorum": status.quorum,
        "withstands": status.withstands, "peers": status.peers,
    })))
}

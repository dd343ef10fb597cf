//! Keys and their addresses, as the log has them.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Json;
use keystead_base::Name;
use keystead_wire::KeyView;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::http::Served;
use crate::rest::page::{Page, nothing, page};
use crate::rest::problem::Problem;

/// `GET /v1/keys`: in the order of their names.
pub(crate) async fn list(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let asked = Page::read(query.as_deref())?;
    let mut keys = served.coordinator.inner.node.keys().await?;
    keys.retain(|key| caller.holds(Some(&key.name)));
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    let after = |key: &KeyView| asked.cursor.as_deref().is_none_or(|cursor| key.name.as_str() > cursor);
    let mut rest = keys.into_iter().filter(after);
    let shown: Vec<KeyView> = rest.by_ref().take(asked.limit).collect();
    let next = rest.next().and(shown.last()).map(|key| key.name.to_string());
    Ok(Json(page(shown.iter().map(|key| json!(key)).collect(), next)))
}

/// `GET /v1/keys/{name}`.
pub(crate) async fn show(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<KeyView>, Problem> {
    nothing(query.as_deref())?;
    find(&served, &caller, &name).await.map(Json)
}

/// `GET /v1/keys/{name}/addresses`: by index, from 0 on. A key that receives nothing yet has none.
pub(crate) async fn addresses(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let asked = Page::read(query.as_deref())?;
    let first = u32::try_from(asked.number()?.unwrap_or_default());
    let first = first
        .ok()
        .filter(|index| *index < HARDENED)
        .ok_or_else(|| Problem::bad_request("http.query", "a cursor is the `next` of the page before"))?;
    let Some(account) = find(&served, &caller, &name).await?.account else {
        return Ok(Json(page(Vec::new(), None)));
    };
    let end = first.saturating_add(u32::try_from(asked.limit).unwrap_or(u32::MAX)).min(HARDENED);
    let address = |index| Some(json!({"index": index, "address": account.address(index)?}));
    let next = (end < HARDENED).then(|| end.to_string());
    Ok(Json(page((first..end).filter_map(address).collect(), next)))
}

async fn find(served: &Served, caller: &Caller, name: &str) -> Result<KeyView, Problem> {
    let unknown = || Problem::unknown("key.unknown", "no such key is known");
    let name: Name = name.parse().map_err(|_| unknown())?;
    if !caller.holds(Some(&name)) {
        return Err(unknown());
    }
    let keys = served.coordinator.inner.node.keys().await?;
    keys.into_iter().find(|key| key.name == name).ok_or_else(unknown)
}

/// Indices below are those of addresses (BIP-32).
const HARDENED: u32 = 1 << 31;

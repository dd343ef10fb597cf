//! Keys and their addresses, as the log has them.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Json;
use keystead_base::Name;
use keystead_wire::{KeyView, NodeClient};
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
    let cursor: Option<Name> = asked.cursor.as_deref().map(str::parse).transpose().map_err(|_| foreign())?;
    // One more than is shown: whether a page follows.
    let mut keys = some(&served.coordinator.inner.node, &caller, cursor, asked.limit + 1).await?;
    let more = keys.len() > asked.limit;
    keys.truncate(asked.limit);
    let next = keys.last().filter(|_| more).map(|key| key.name.to_string());
    Ok(Json(page(keys.iter().map(|key| json!(key)).collect(), next)))
}

/// The caller's keys after a name, so many at most: no more is read of the node than is shown, and some that it sends along.
async fn some(
    node: &NodeClient,
    caller: &Caller,
    mut after: Option<Name>,
    count: usize,
) -> Result<Vec<KeyView>, Problem> {
    let mut found = Vec::new();
    if let Some(named) = caller.keys() {
        for name in named.into_iter().filter(|name| after.as_ref().is_none_or(|after| *name > after)) {
            found.extend(node.key(name).await?);
            if found.len() == count {
                break;
            }
        }
        return Ok(found);
    }
    loop {
        let page = node.keys_after(after).await?;
        let (more, left) = (page.more, count - found.len());
        found.extend(page.keys.into_iter().take(left));
        if !more || found.len() == count {
            return Ok(found);
        }
        after = found.last().map(|key: &KeyView| key.name.clone());
    }
}

fn foreign() -> Problem {
    Problem::bad_request("http.query", "a cursor is the `next` of the page before")
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
    let first = first.ok().filter(|index| *index < HARDENED).ok_or_else(foreign)?;
    let Some(account) = find(&served, &caller, &name).await?.account else {
        return Ok(Json(page(Vec::new(), None)));
    };
    let end = first.saturating_add(u32::try_from(asked.limit).unwrap_or(u32::MAX)).min(HARDENED);
    let address = |index| Some(json!({"index": index, "address": account.address(index)?}));
    let next = (end < HARDENED).then(|| end.to_string());
    Ok(Json(page((first..end).filter_map(address).collect(), next)))
}

/// A key that is this caller's business. One that is not is as unknown as one that is not there.
pub(crate) async fn find(served: &Served, caller: &Caller, name: &str) -> Result<KeyView, Problem> {
    let unknown = || Problem::unknown("key.unknown", "no such key is known");
    let name: Name = name.parse().map_err(|_| unknown())?;
    if !caller.holds(Some(&name)) {
        return Err(unknown());
    }
    served.coordinator.inner.node.key(&name).await?.ok_or_else(unknown)
}

/// Indices below are those of addresses (BIP-32).
const HARDENED: u32 = 1 << 31;

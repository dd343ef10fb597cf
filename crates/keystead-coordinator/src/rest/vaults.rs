//! Vaults: sets of keys to which the policy in force applies the same rules, windows and quorum rows.
//!
//! A vault is read off the signed policy and the log's keys, and is nothing of its own: whoever wants a key to be in
//! another one changes the policy, by the way on which policies change.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State};
use axum::response::Json;
use keystead_base::{Canonical as _, Digest, Name};
use keystead_policy::{PolicyVersion, QuorumRow, Rule, Window};
use serde::Serialize;
use serde_json::{Value, json};

use crate::coordinator::Inner;
use crate::http::Served;
use crate::rest::Problem;
use crate::rest::page::{Page, nothing, page};

/// Keys that the policy treats alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Vault {
    /// The name of its first key.
    name: Name,
    /// Its keys, by name.
    keys: Vec<Name>,
    /// The policy that makes it one.
    policy: Digest,
    #[serde(flatten)]
    terms: Terms,
}

/// What applies to a key, by the names that decisions cite.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Terms {
    /// Rules that name the key. Those that name none apply to every vault.
    rules: Vec<Name>,
    /// Windows that count it.
    windows: Vec<Name>,
    /// Quorum rows that speak of it.
    quorums: Vec<Name>,
}

impl Terms {
    fn of(key: &Name, (rules, windows, quorums): (&[Rule], &[Window], &[QuorumRow])) -> Self {
        // A name in Cedar stands in quotation marks, and has nothing in it that is escaped there.
        let named = format!("\"{key}\"");
        let speaks = |keys: &[Name]| keys.is_empty() || keys.contains(key);
        let rules = rules.iter().filter(|rule| rule.cedar.contains(&named));
        let windows = windows.iter().filter(|window| speaks(&window.keys));
        let quorums = quorums.iter().filter(|row| speaks(&row.keys));
        Self {
            rules: rules.map(|it| it.id.clone()).collect(),
            windows: windows.map(|it| it.id.clone()).collect(),
            quorums: quorums.map(|it| it.id.clone()).collect(),
        }
    }
}

/// By name. Each key is in exactly one.
fn vaults(mut keys: Vec<Name>, policy: &PolicyVersion) -> Vec<Vault> {
    keys.sort();
    let mut sets: BTreeMap<Terms, Vec<Name>> = BTreeMap::new();
    for key in keys {
        let terms = Terms::of(&key, (&policy.rules, &policy.windows, &policy.quorums));
        sets.entry(terms).or_default().push(key);
    }
    let policy = policy.digest();
    let vault = |(terms, keys): (Terms, Vec<Name>)| {
        let name = keys.first()?.clone();
        Some(Vault { name, keys, policy, terms })
    };
    let mut vaults: Vec<Vault> = sets.into_iter().filter_map(vault).collect();
    vaults.sort_by(|a, b| a.name.cmp(&b.name));
    vaults
}

impl Inner {
    async fn vaults(&self) -> Result<Vec<Vault>, Problem> {
        let Some((_, policy)) = self.version(None).await? else { return Ok(Vec::new()) };
        Ok(vaults(self.accounts.names().await?, &policy))
    }
}

/// `GET /v1/vaults`: in the order of their names.
pub(crate) async fn list(
    State(served): State<Served>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let asked = Page::read(query.as_deref())?;
    let vaults = served.coordinator.inner.vaults().await?;
    let after = |vault: &Vault| asked.cursor.as_deref().is_none_or(|cursor| vault.name.as_str() > cursor);
    let mut rest = vaults.into_iter().filter(after);
    let shown: Vec<Vault> = rest.by_ref().take(asked.limit).collect();
    let next = rest.next().and(shown.last()).map(|vault| vault.name.to_string());
    Ok(Json(page(shown.iter().map(|vault| json!(vault)).collect(), next)))
}

/// `GET /v1/vaults/{name}`: by the name of any of its keys.
pub(crate) async fn show(
    State(served): State<Served>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    nothing(query.as_deref())?;
    let vaults = served.coordinator.inner.vaults().await?;
    let vault = vaults.into_iter().find(|vault| vault.keys.iter().any(|key| key.as_str() == name));
    let vault = vault.ok_or_else(|| Problem::unknown("vault.unknown", "no vault has such a key"))?;
    Ok(Json(json!(vault)))
}

#[cfg(test)]
mod tests {
    use keystead_base::Amount;
    use keystead_policy::Measure;

    use super::*;

    fn names(list: &[&str]) -> Vec<Name> {
        list.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn keys_are_together_to_which_the_same_applies() {
        let window = |id: &str, keys: &[&str]| Window {
            id: id.parse().unwrap(),
            keys: names(keys),
            chains: Vec::new(),
            destinations: Vec::new(),
            measure: Measure::Count,
            per: Vec::new(),
            limit: Amount::from(1_u64),
            span_seconds: 60,
        };
        let rule = |id: &str, cedar: &str| Rule { id: id.parse().unwrap(), cedar: cedar.to_owned() };
        let rules = [rule("all", "permit(principal, action, resource);"), rule("hot", "… Key::\"hot-2\" …")];
        let windows = [window("daily", &["hot-1", "hot-2", "hot-3"]), window("everybody", &[])];
        let of = |key: &str| Terms::of(&key.parse().unwrap(), (&rules, &windows, &[]));
        assert_eq!(of("hot-1"), of("hot-3"));
        assert_eq!(
            (of("hot-1").windows, of("cold").windows),
            (names(&["daily", "everybody"]), names(&["everybody"]))
        );
        assert_ne!(of("hot-1"), of("hot-2"), "a rule names one of them");
        assert_eq!(of("hot-2").rules, names(&["hot"]));
        assert_eq!(of("hot").rules, names(&[]), "a part of a name is no name");
    }
}

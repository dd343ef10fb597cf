//! `keystead vault`: what protects the keys.

use clap::Args;
use serde_json::json;

use super::{Global, Session};
use crate::failure::Failure;
use crate::output::Report;
use crate::table::Table;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct VaultArgs {}

pub(crate) async fn run(global: &Global, _: &VaultArgs) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let (status, keys) = (session.link.status().await?, session.link.keys().await?);
    let mut table = Table::new(&["protection", "status", "lost without it"]);
    for it in &status.protections {
        table.row([it.name.clone(), it.status.clone(), it.lost.clone()]);
    }
    let json = json!({"protections": status.protections, "keys": keys});
    Ok(Report::new(json, format!("{}\n{}", table.render(), super::key::table(&keys))))
}

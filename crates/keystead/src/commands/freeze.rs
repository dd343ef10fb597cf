//! `keystead freeze` and `keystead thaw`.

use clap::Args;
use keystead_base::Name;
use keystead_intent::{Action, AuthorityChange};
use keystead_wire::RequestStage;
use serde_json::json;

use super::{Global, REQUEST_LIFETIME, Session};
use crate::asking::{approvers_next, standing};
use crate::failure::Failure;
use crate::output::Report;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct FreezeArgs {
    /// One key; everything when it is not named.
    #[arg(long)]
    key: Option<Name>,
}

pub(crate) async fn freeze(global: &Global, args: &FreezeArgs) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let policy = session.link.policy(None).await?;
    let device = session.member.device(&policy.roster)?;
    let decisions = session.speaker().freeze(args.key.clone(), device).await?;
    let what = args.key.as_ref().map_or("everything".to_owned(), |key| format!("key `{key}`"));
    let text = format!("{what} is frozen: nothing signs until it is thawed\nnext: keystead thaw");
    Ok(Report::new(json!({"decisions": decisions}), text))
}

pub(crate) async fn thaw(global: &Global, args: &FreezeArgs) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let action = Action::Authority(AuthorityChange::Thaw { key: args.key.clone() });
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    let next = approvers_next(&view, "keystead approve");
    let text = format!("request {}\n{}{next}", view.request, standing(&view));
    let mut report = Report::new(json!({"request": view}), text);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

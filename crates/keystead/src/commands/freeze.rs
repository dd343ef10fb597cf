//! `keystead freeze` and `keystead thaw`.

use clap::Args;
use keystead_base::Name;
use keystead_intent::{Action, AuthorityChange};
use serde_json::json;

use super::{Global, REQUEST_LIFETIME, Session};
use crate::asking::standing;
use crate::failure::Failure;
use crate::output::Report;
use crate::reading;

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
    let (order, decisions) = session.speaker().freeze(args.key.clone(), device).await?;
    let what = args.key.as_ref().map_or("everything".to_owned(), |key| format!("key `{key}`"));
    Ok(match reading::frozen(&session.config, &session.link, &order, &decisions).await {
        Ok(height) => {
            let text = format!(
                "{what} is frozen: nothing signs until it is thawed\n\
                 verified here: the order is in block {height}, for which a quorum voted\nnext: keystead thaw"
            );
            Report::new(json!({"decisions": decisions, "verified": true}), text)
        }
        // Somebody who stops a theft must not go home on a liar's word.
        Err(failure) => {
            let text = format!(
                "NOT VERIFIED: the other side says that {what} is frozen, and this machine could not check it\n\
                 because: {} [{}]\nnext: send it to a node directly: keystead freeze --node HOST:PORT",
                failure.what, failure.code
            );
            let why = json!({"code": failure.code, "what": failure.what});
            let json = json!({"decisions": decisions, "verified": false, "error": why});
            Report { json, text, holds: false }
        }
    })
}

pub(crate) async fn thaw(global: &Global, args: &FreezeArgs) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let action = Action::Authority(AuthorityChange::Thaw { key: args.key.clone() });
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    let text = format!(
        "request {}\n{}\nnext: others run `keystead approve {}`",
        view.request,
        standing(&view),
        view.request
    );
    Ok(Report::new(json!({"request": view}), text))
}

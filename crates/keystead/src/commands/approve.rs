//! `keystead approve`, `reject` and `veto`: what people say, after their own machine has read the bytes.

use std::time::Duration;

use clap::Args;
use keystead_base::RequestId;
use keystead_intent::{Action, AuthorityChange, Intent, Verdict};
use keystead_words::Phrase;
use serde_json::json;

use super::policy_prove::{direction, proposed};
use super::{APPROVAL_LIFETIME, Global, Session};
use crate::asking::standing;
use crate::failure::Failure;
use crate::output::{Report, Voice, strong};
use crate::reading;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The request's id.
    request: RequestId,
    /// Say it without showing it first to somebody who confirms.
    #[arg(long, short)]
    yes: bool,
    /// A policy version also where no solver can say whether it tightens or loosens what may be signed.
    #[arg(long)]
    unproven: bool,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct VetoArgs {
    /// The request's id.
    request: RequestId,
}

pub(crate) async fn approve(global: &Global, args: &ApproveArgs, voice: Voice) -> Result<Report, Failure> {
    answer(global, args, voice, Verdict::Approve).await
}

pub(crate) async fn reject(global: &Global, args: &ApproveArgs, voice: Voice) -> Result<Report, Failure> {
    answer(global, args, voice, Verdict::Reject).await
}

async fn answer(
    global: &Global,
    args: &ApproveArgs,
    voice: Voice,
    verdict: Verdict,
) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let policy = reading::policy_in_force(&session.config, &session.link).await?;
    let detail = session.link.request(args.request).await?;
    let understood = reading::understand(args.request, &detail, policy, &session.library)?;
    let direction = match proposed(&detail.intent) {
        Some(next) => Some(direction(&understood.policy, &next).await),
        None => None,
    };
    if !voice.json {
        let (first, rest) = understood.lines.split_first().map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
        voice.line(&strong(first));
        rest.iter().for_each(|line| voice.line(&format!("  {line}")));
        direction.iter().for_each(|told| voice.line(&strong(&format!("  {}", told.line))));
        let (requester, version) = (detail.intent.requester.as_str(), &understood.policy.number.to_string());
        let asked = session.library.language().say(&Phrase::AskedBy { requester, version });
        voice.line(&format!("  {asked}"));
    }
    if let (Verdict::Approve, Some(told), true) = (verdict, &direction, is_policy(&detail.intent)) {
        told.required(args.unproven)?;
    }
    if !args.yes && !confirmed(verdict)? {
        return Err(Failure::new(
            "approve.stopped",
            "nothing was signed",
            "add --yes, or type yes when asked",
        ));
    }
    let decisions = session.speaker().answer(&understood, verdict, APPROVAL_LIFETIME).await?;
    // The last word that was needed: what it leads to is moments away.
    let limit = if decisions.len() > 1 { AFTERMATH } else { Duration::ZERO };
    let view = session.link.wait(args.request, limit).await?;
    let json = json!({
        "request": view.request, "digest": understood.digest, "class": understood.class,
        "words": understood.lines, "stage": view.stage, "direction": direction.map(|told| told.json),
    });
    Ok(Report::new(json, format!("counted; the request is {}", standing(&view))))
}

/// Whether it is about rules, and not only about members or addresses.
fn is_policy(intent: &Intent) -> bool {
    matches!(&intent.action, Action::Authority(AuthorityChange::Policy { .. }))
}

fn confirmed(verdict: Verdict) -> Result<bool, Failure> {
    use std::io::{BufRead as _, Write as _};
    let word = match verdict {
        Verdict::Approve => "yes",
        Verdict::Reject => "no",
    };
    let mut line = String::new();
    let asked = write!(std::io::stderr(), "type `{word}` to sign that, anything else to stop: ")
        .and_then(|()| std::io::stdin().lock().read_line(&mut line));
    asked.map_err(|error| Failure::new("cli.input", error.to_string(), "use --yes in scripts"))?;
    Ok(line.trim() == word)
}

pub(crate) async fn veto(global: &Global, args: &VetoArgs) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let policy = session.link.policy(None).await?;
    let device = session.member.device(&policy.roster)?;
    let decisions = session.speaker().veto(args.request, device).await?;
    Ok(Report::new(json!({"decisions": decisions}), format!("request {} is stopped", args.request)))
}

const AFTERMATH: Duration = Duration::from_secs(10);

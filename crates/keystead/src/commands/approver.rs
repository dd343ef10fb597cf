//! `keystead approver`: keys of people.

use clap::Subcommand;
use keystead_base::Name;
use keystead_keys::MemberKeyFile;
use serde_json::json;

use super::{Global, Session};
use crate::config::Config;
use crate::failure::Failure;
use crate::member::{Files, generate};
use crate::output::Report;
use crate::table::Table;
use crate::{outside, reading};

/// The keys of an approver: hybrid (Ed25519 and ML-DSA-65, both must verify), sealed with Argon2id.
#[derive(Debug, Subcommand)]
pub(crate) enum ApproverCommand {
    /// Make keys in the members folder, and print the public side for a roster.
    ///
    /// Example: keystead approver new dora
    New {
        /// The person's name.
        name: Name,
    },
    /// Print the public side of a key file.
    ///
    /// Example: keystead approver show dora
    Show {
        /// The person's name.
        name: Name,
    },
    /// Show what waits for people, each in the words that this machine reads from the raw bytes.
    ///
    /// Example: keystead approver inbox --as ben
    Inbox,
}

pub(crate) async fn run(global: &Global, command: ApproverCommand) -> Result<Report, Failure> {
    match command {
        ApproverCommand::New { name } => {
            let members = Config::read(&global.dir)?.client.members;
            outside::private_folder(&members)?;
            generate(&members, &name)?;
            show(&Files::of(&members, &name))
        }
        ApproverCommand::Show { name } => show(&Files::of(&Config::read(&global.dir)?.client.members, &name)),
        ApproverCommand::Inbox => inbox(global).await,
    }
}

fn show(files: &Files) -> Result<Report, Failure> {
    let file: MemberKeyFile = outside::document(&files.key)?;
    let public = file.public;
    let mut table = Table::pairs();
    table
        .pair("name", &public.name)
        .pair("signing key", public.signing.fingerprint())
        .pair("recipient key", public.recipient.fingerprint())
        .pair("file", files.key.display())
        .pair("passphrase", files.passphrase.display());
    let next = "\nnext: enroll it with `keystead policy propose`; --json prints the whole public side";
    Ok(Report::new(json!(public), table.render() + next))
}

async fn inbox(global: &Global) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let policy = reading::policy_in_force(&session.config, &session.link).await?;
    let (mut shown, mut text) = (Vec::new(), String::new());
    for view in session.link.open().await? {
        let detail = session.link.request(view.request).await?;
        let understood = reading::understand(view.request, &detail, policy.clone(), &session.library)?;
        text.push_str(&format!("{}  asked by {}\n", view.request, detail.intent.requester));
        understood.lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        shown.push(json!({"request": view.request, "class": understood.class, "words": understood.lines}));
    }
    if shown.is_empty() {
        text.push_str("nothing waits for people\n");
    }
    Ok(Report::new(json!({"open": shown}), text))
}

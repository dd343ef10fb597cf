//! `keystead backup`: keys in shares of words, for people who come together.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keystead_base::{Name, RequestId};
use keystead_intent::BackupGroup;
use keystead_wire::RequestStage;
use serde_json::{Value, json};

use super::{Global, REQUEST_LIFETIME, Session};
use crate::asking::{approvers_next, standing};
use crate::failure::Failure;
use crate::gathering;
use crate::output::{Report, Voice};
use crate::share_sheet::Share;

/// Nobody restores a key alone: of each group some members do, together, with the words of their shares (SLIP-39).
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Ask for a backup in shares: each group says how many of whom it takes. Others approve.
    ///
    /// Example: keystead backup split hot --group 2:ana,ben,cleo --as ana
    ///
    /// Example: keystead backup split hot --group 2:ana,ben,cleo --group 2:dora,emil --groups 2 --as ana
    Split {
        /// The key.
        key: Name,
        /// How many of whom: THRESHOLD:NAMES, once for each group.
        #[arg(long = "group", value_name = "GROUP", required = true, value_parser = group)]
        groups: Vec<BackupGroup>,
        /// How many of the groups it takes.
        #[arg(long = "groups", value_name = "N", default_value_t = 1)]
        needed: u8,
    },
    /// Print your share of the latest backup: to the terminal, or as a sheet of paper, or for a plate of metal. The words are
    /// SECRET: they are one share of the key.
    ///
    /// Example: keystead backup print hot --sheet ana.html --as ana
    Print(PrintArgs),
    /// Save everybody's encrypted share as an age file, for standard tools (docs/exit.md).
    ///
    /// Example: keystead backup save hot --folder shares
    Save {
        /// The key.
        key: Name,
        /// Where to write them.
        #[arg(long, value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Put the key together from shares in a scratch enclave, prove control of its accounts and wallets, see that one share
    /// less gives nothing, and tell the log. The enclave, a process without network and files, ends with it.
    ///
    /// Example: keystead backup drill hot --words ana.words --words ben.words --as ana
    Drill(DrillArgs),
    /// Hand a key that `key restore` is to bring to another node over from shares; talk to that node (`--node`).
    ///
    /// Example: keystead backup hand-over 5f0c… --words ana.words --words ben.words --node node-2 --as ana
    HandOver {
        /// The request of the ceremony.
        request: RequestId,
        /// The words of a share, in a file, once for each.
        #[arg(long, value_name = "FILE", required = true)]
        words: Vec<PathBuf>,
        /// The backup file that `key fetch` saved; that node's own copy when not named.
        #[arg(long, value_name = "FILE")]
        backup: Option<PathBuf>,
    },
}

/// What to print, and where.
#[derive(Debug, Args)]
pub(crate) struct PrintArgs {
    /// The key.
    key: Name,
    /// A page of A4, as HTML that loads nothing.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Four letters of each word for a plate of metal, as SVG.
    #[arg(long, value_name = "FILE")]
    plate: Option<PathBuf>,
    /// The words alone, for `backup drill`.
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
}

/// Whose shares, and how much is proved.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    /// The key.
    key: Name,
    /// The words of a share, in a file, once for each.
    #[arg(long, value_name = "FILE", required = true)]
    words: Vec<PathBuf>,
    /// How many accounts sign the challenge, from index 0 on.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    accounts: u32,
    /// Save the receipt here.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

pub(crate) async fn run(global: &Global, command: BackupCommand, voice: Voice) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    match command {
        BackupCommand::Split { key, groups, needed } => {
            let view =
                session.speaker().ask(gathering::split(&key, needed, groups), REQUEST_LIFETIME).await?;
            let next = approvers_next(&view, "keystead approve");
            let text = format!("request {}\n{}{next}", view.request, standing(&view));
            let mut report = Report::new(json!({"request": view}), text);
            report.holds = view.stage != RequestStage::Denied;
            Ok(report)
        }
        BackupCommand::Print(args) => print(&session, &args).await,
        BackupCommand::Save { key, folder } => gathering::save(&session.link, &key, &folder).await,
        BackupCommand::Drill(args) => drill(&session, &args, voice).await,
        BackupCommand::HandOver { request, words, backup } => {
            voice.progress("putting the key together in a scratch enclave");
            let key = gathering::hand_over(&session, request, &words, backup.as_deref()).await?;
            let text = format!(
                "key `{}` lives at {} now, epoch {}\nnext: back it up again with `keystead backup split {} --group …`",
                key.name, key.home, key.epoch, key.name
            );
            Ok(Report::new(json!({"key": key}), text))
        }
    }
}

async fn print(session: &Session, args: &PrintArgs) -> Result<Report, Failure> {
    let share = gathering::own_share(session, &args.key).await?;
    let mut files = Vec::new();
    let outputs = [
        (&args.sheet, Share::sheet as fn(&Share) -> Result<String, Failure>),
        (&args.plate, Share::plate),
        (&args.words, Share::words_file),
    ];
    for (path, of) in outputs {
        if let Some(path) = path {
            crate::outside::create_secret(path, of(&share)?.as_bytes())?;
            files.push(path.clone());
        }
    }
    if files.is_empty() {
        let json = with(share.json(), "words", share.words().into());
        return Ok(Report::new(json, share.terminal()?));
    }
    let listed: Vec<_> = files.iter().map(|it| it.display().to_string()).collect();
    let text = format!(
        "SECRET: {} of key `{}` in {}\nnext: print it, check it with `keystead backup drill`, and remove the file",
        share.title(),
        args.key,
        listed.join(", ")
    );
    Ok(Report::new(with(share.json(), "files", json!(files)), text))
}

/// The object with one more member.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

async fn drill(session: &Session, args: &DrillArgs, voice: Voice) -> Result<Report, Failure> {
    voice.progress("putting the key together in a scratch enclave");
    let receipt = gathering::drill(session, &args.key, &args.words, args.accounts).await?;
    let json = json!({"drill": receipt});
    if let Some(path) = &args.receipt {
        crate::outside::create(path, format!("{json:#}\n").as_bytes())?;
    }
    let text = format!(
        "{} shares restore key `{}`: {} accounts and {} wallets signed or derived as the log knows them\n\
         one share less gave nothing, {} times\nthe enclave that held the key has ended, and the log has the proof",
        receipt.shares, args.key, receipt.accounts, receipt.wallets, receipt.refused_without
    );
    Ok(Report::new(json, text))
}

fn group(text: &str) -> Result<BackupGroup, String> {
    let expected = "expected THRESHOLD:NAMES, for instance 2:ana,ben,cleo";
    let (threshold, members) = text.split_once(':').ok_or(expected)?;
    let threshold = threshold.parse().map_err(|_| expected)?;
    let members = members.split(',').map(|it| it.parse().map_err(|error| format!("{it}: {error}")));
    Ok(BackupGroup { threshold, members: members.collect::<Result<_, String>>()? })
}

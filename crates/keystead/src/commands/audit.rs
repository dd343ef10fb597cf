//! `keystead audit`: the log, checked by whoever wants to.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use keystead_base::{Canonical as _, RequestId};
use keystead_decision::Strict;
use keystead_ledger::{
    Auditor, ExportedLog, Ledger, Proof, Report as AuditReport, SignedCheckpoint, StoredBlock,
};
use serde_json::json;

use super::{Global, Session};
use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::output::{Report, Voice};
use crate::table::Table;
use crate::{member, outside};

/// Nothing here believes the node: votes, rules, limits and roots are computed again from the pinned genesis.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Replay the whole log: from a node, or offline from an exported folder, or check one proof.
    ///
    /// Example: keystead audit verify --folder log --older last-month.checkpoint
    Verify {
        /// An exported log; asked from the node when it is not named.
        #[arg(long, conflicts_with = "proof")]
        folder: Option<PathBuf>,
        /// One proof that `audit prove` wrote.
        #[arg(long)]
        proof: Option<PathBuf>,
        /// A checkpoint that you remember: the log must still begin with it.
        #[arg(long)]
        older: Option<PathBuf>,
    },
    /// Write a proof that the log holds the decision about a request. On the node's machine.
    ///
    /// Example: keystead audit prove 5f0c… --file 5f0c.proof
    Prove {
        /// The request.
        request: RequestId,
        /// Where to write the proof.
        #[arg(long)]
        file: PathBuf,
        /// A checkpoint that the reader remembers: the proof shows that the log continues it.
        #[arg(long)]
        older: Option<PathBuf>,
    },
    /// Write the log as a folder of tiles (C2SP tlog-tiles), to publish or to carry away. On the node's machine.
    ///
    /// Example: keystead audit export log
    Export {
        /// The folder; an earlier export there is continued.
        folder: PathBuf,
    },
    /// Save a signed checkpoint of the newest block: keep it somewhere else.
    ///
    /// Example: keystead audit checkpoint --file today.checkpoint
    Checkpoint {
        /// Where to write it.
        #[arg(long)]
        file: PathBuf,
    },
    /// Write what a witness needs to cosign the newest checkpoint. On the node's machine.
    ///
    /// Example: keystead audit cosign-request --older 0 --file request
    CosignRequest {
        /// The size that the witness remembers; 0 for a new one.
        #[arg(long, default_value_t = 0)]
        older: u64,
        /// Where to write it.
        #[arg(long)]
        file: PathBuf,
    },
}

pub(crate) async fn run(global: &Global, command: AuditCommand, voice: Voice) -> Result<Report, Failure> {
    match command {
        AuditCommand::Verify { proof: Some(proof), older, .. } => check(global, &proof, older.as_deref()),
        AuditCommand::Verify { folder: Some(folder), older, .. } => {
            let config = Config::read(&global.dir)?;
            let older = older.map(|path| checkpoint(&path)).transpose()?;
            let log = ExportedLog::open(&folder)
                .advise("is it a folder that `keystead audit export FOLDER` wrote, whole?")?;
            let older = older.as_ref().map(SignedCheckpoint::body);
            Ok(verified(&log.audit(config.cluster, older, &Strict::default())?))
        }
        AuditCommand::Verify { folder: None, older, .. } => replay(global, older.as_deref(), voice).await,
        AuditCommand::Prove { request, file, older } => prove(global, request, &file, older.as_deref()).await,
        AuditCommand::Export { folder } => export(global, &folder).await,
        AuditCommand::Checkpoint { file } => {
            let note = newest(&Session::open(global).await?).await?;
            outside::replace(&file, note.as_bytes())?;
            Ok(Report::new(json!({"checkpoint": note}), note))
        }
        AuditCommand::CosignRequest { older, file } => {
            let ledger = ledger(global).await?;
            let request = ledger.cosign_request(older).await?.ok_or_else(no_checkpoint)?;
            outside::replace(&file, request.to_body().as_bytes())?;
            Ok(Report::new(json!({"file": file}), format!("{}", file.display())))
        }
    }
}

async fn replay(global: &Global, older: Option<&Path>, voice: Voice) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    let genesis = member::genesis(&session.config)?;
    let controls = Strict::default();
    let mut auditor = Auditor::begin(&genesis, session.config.cluster, &controls)?;
    let newest = SignedCheckpoint::parse(&newest(&session).await?)?;
    auditor.expect_signed(&newest)?;
    if let Some(path) = older {
        auditor.expect(checkpoint(path)?.body())?;
    }
    follow(&session, &mut auditor, newest.body().size, voice).await?;
    Ok(verified(&auditor.finish()?))
}

/// Shows the auditor the blocks of a node's log, at most so many.
pub(super) async fn follow(
    session: &Session,
    auditor: &mut Auditor<'_, Strict>,
    size: u64,
    voice: Voice,
) -> Result<(), Failure> {
    let mut from = 1;
    while from <= size {
        let blocks = session.link.blocks(from).await?;
        if blocks.is_empty() {
            break;
        }
        for block in blocks.into_iter().filter(|block| block.commit.header.height <= size) {
            from = block.commit.header.height + 1;
            auditor.block(StoredBlock { commit: block.commit, entries: block.entries })?;
        }
        voice.progress(&so_far(from - 1, size));
    }
    Ok(())
}

/// How far it is, and of how many where somebody said so.
fn so_far(blocks: u64, size: u64) -> String {
    if size == u64::MAX { format!("{blocks} blocks") } else { format!("{blocks} of {size} blocks") }
}

fn verified(report: &AuditReport) -> Report {
    let mut table = Table::pairs();
    table
        .pair("cluster", report.cluster)
        .pair("blocks", report.blocks)
        .pair("until", report.time)
        .pair("root", report.root)
        .pair("state", report.state)
        .pair("policy", format!("version {}", report.policy.number))
        .pair("entries", report.entries);
    for (word, count) in &report.decisions {
        table.pair(&format!("  {word}"), count);
    }
    let text = format!("the log verifies\n{}", table.render());
    Report::new(json!({"verified": true, "report": report}), text)
}

async fn prove(
    global: &Global,
    request: RequestId,
    file: &Path,
    older: Option<&Path>,
) -> Result<Report, Failure> {
    let older = older.map(checkpoint).transpose()?.map(|it| it.body().size);
    let ledger = ledger(global).await?;
    let proof = ledger.prove(&request, older).await?.ok_or_else(|| {
        let what = format!("no checkpoint covers a decision about request {request}");
        Failure::new(
            "audit.no_proof",
            what,
            "make one while the node runs: `keystead audit checkpoint --file FILE`",
        )
    })?;
    outside::replace(file, &proof.to_document())?;
    let word = proof.certificate.decision.outcome.word();
    let text = format!("{}: `{word}` at height {}", file.display(), proof.certificate.decision.height);
    Ok(Report::new(json!({"file": file, "decision": proof.certificate.decision}), text))
}

fn check(global: &Global, file: &Path, older: Option<&Path>) -> Result<Report, Failure> {
    let config = Config::read(&global.dir)?;
    let proof: Proof = outside::document(file)?;
    let older = older.map(checkpoint).transpose()?;
    let older = older.as_ref().map(SignedCheckpoint::body);
    let shown = proof.check(&member::genesis(&config)?, config.cluster, older)?;
    let text = format!(
        "the log of {} blocks holds this decision about {}: {}",
        shown.size,
        shown.decision.subject,
        shown.decision.outcome.word()
    );
    Ok(Report::new(json!({"verified": true, "shown": shown}), text))
}

async fn export(global: &Global, folder: &Path) -> Result<Report, Failure> {
    let ledger = ledger(global).await?;
    let checkpoint = ledger.latest_checkpoint().await?.ok_or_else(no_checkpoint)?;
    let new = ledger.export(folder, &checkpoint).await?;
    let size = checkpoint.body().size;
    let text = format!("{}: {size} blocks, {new} of them new", folder.display());
    Ok(Report::new(json!({"folder": folder, "blocks": size, "new": new}), text))
}

async fn newest(session: &Session) -> Result<String, Failure> {
    session.link.checkpoint().await?.ok_or_else(no_checkpoint)
}

async fn ledger(global: &Global) -> Result<Ledger, Failure> {
    let config = Config::read(&global.dir)?;
    Ok(Ledger::open(&config.node()?.ledger_url()).await?)
}

fn checkpoint(path: &Path) -> Result<SignedCheckpoint, Failure> {
    Ok(SignedCheckpoint::parse(&outside::read_text(path)?)?)
}

fn no_checkpoint() -> Failure {
    let next = "make one while the node runs: `keystead audit checkpoint --file FILE`";
    Failure::new("audit.no_checkpoint", "there is no signed checkpoint yet", next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_of_how_many_where_somebody_knows() {
        assert_eq!(so_far(256, 700), "256 of 700 blocks");
        assert_eq!(so_far(256, u64::MAX), "256 blocks");
    }
}

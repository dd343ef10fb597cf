//! `keystead witness`: cosigns checkpoints from outside.

use std::path::{Path, PathBuf};

use clap::Args;
use keystead_base::Canonical as _;
use keystead_ledger::{CosignRequest, LogError, LogKeys, WitnessError, WitnessState, cosign, origin};
use serde_json::json;

use super::Global;
use crate::config::Config;
use crate::failure::Failure;
use crate::member::{self, Files, Member};
use crate::output::Report;
use crate::outside;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    /// The request (C2SP tlog-witness): `keystead audit cosign-request` makes one.
    #[arg(long)]
    request: PathBuf,
    /// What this witness remembers; made at its first run.
    #[arg(long)]
    state: PathBuf,
    /// Where to write the witness's signature lines.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(global: &Global, args: &WitnessArgs) -> Result<Report, Failure> {
    let config = Config::read(&global.dir)?;
    let files = Files::chosen(&config, global.person.as_ref(), global.passphrase_file.as_ref())?;
    let witness = Member::open(&files.key, &files.passphrase)?;
    let genesis = member::genesis(&config)?.genesis;
    let state = remembered(&args.state, &origin(&genesis.name, config.cluster))?;
    let request = CosignRequest::parse(&outside::read_text(&args.request)?)?;
    let keys = LogKeys::of(&genesis, &member::roster(&config)?);
    let cosigned = cosign(&state, &request, &keys, &witness.name, &witness.signer, outside::now())
        .map_err(|error| refused(error, state.size))?;
    // Durable before the lines leave: a witness that forgets could contradict itself.
    outside::replace(&args.state, &cosigned.state.to_document())?;
    if let Some(out) = &args.out {
        outside::replace(out, cosigned.lines.as_bytes())?;
    }
    let size = cosigned.state.size;
    let json = json!({"size": size, "root": cosigned.state.root, "lines": cosigned.lines});
    Ok(Report::new(json, format!("cosigned the log at {size} blocks\n{}", cosigned.lines)))
}

/// A request that begins elsewhere is no lie of the log: another one is asked for.
fn refused(error: WitnessError, size: u64) -> Failure {
    let begins_elsewhere = matches!(error, WitnessError::Log(LogError::ProofStart { .. }));
    let mut failure = Failure::from(error);
    if begins_elsewhere {
        failure.next = format!(
            "`keystead audit cosign-request --older {size} --file REQUEST` goes on where this witness is"
        );
    }
    failure
}

/// What this witness remembers.
fn remembered(path: &Path, origin: &str) -> Result<WitnessState, Failure> {
    match path.exists() {
        true => outside::document(path),
        false => Ok(WitnessState::new(origin)),
    }
}

//! `keystead completions`: scripts for shells.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;

use super::Cli;
use crate::output::Report;

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "keystead", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Report::new(json!({"script": script}), script)
}

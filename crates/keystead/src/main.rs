//! The one binary: commands and wiring.

mod address;
mod anchoring;
mod asking;
mod balances;
mod ceremony;
mod coins;
mod commands;
mod config;
mod enrolling;
mod exposed;
mod failure;
mod following;
mod founding;
mod gathering;
mod handheld;
mod handing;
mod importing;
mod leaving;
mod link;
mod machine;
mod member;
mod node_token;
mod output;
mod outside;
mod processes;
mod psbt_words;
mod reading;
mod rebuild;
mod rolling;
mod sample;
mod seating;
mod setup;
mod share_sheet;
mod sharing;
mod story;
mod table;
mod vaulting;
mod watch;
mod weakness;

use std::alloc::System;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use zeroizing_alloc::ZeroAlloc;

use crate::commands::Cli;
use crate::failure::Failure;
use crate::output::{Report, Voice};

/// INVARIANT K5: what is freed is wiped first, whoever held it. Keys pass through libraries that wipe nothing.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // The enclave closes every descriptor and forbids every call: before any thread is started.
    if let [_, word, rest @ ..] = arguments.as_slice()
        && word == "enclave"
    {
        return commands::enclave::run(rest);
    }
    if let [_, word, rest @ ..] = arguments.as_slice()
        && word == "token-process"
    {
        return commands::enclave::serve_token(rest);
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments),
    };
    let voice = Voice { json: cli.global.json };
    match run(cli, voice) {
        Ok(report) => {
            voice.report(&report);
            if report.holds { ExitCode::SUCCESS } else { ExitCode::from(2) }
        }
        Err(failure) => {
            voice.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Help and version are answers. A command line that does not parse is an error like every other: exit code 2
/// says that a command worked and that its answer was no.
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe ends nothing.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    match arguments.iter().any(|argument| argument == "--json") {
        true => Voice { json: true }.failure(&Failure::usage(
            error.to_string().trim().to_owned(),
            "`keystead help` lists the commands, `keystead COMMAND --help` teaches one",
        )),
        false => drop(error.print()),
    }
    ExitCode::FAILURE
}

fn run(cli: Cli, voice: Voice) -> Result<Report, Failure> {
    // Every command opens somebody's keys.
    keystead_signing::forbid_cores().map_err(|error| {
        Failure::new(
            "cli.cores",
            format!("core files cannot be forbidden: {error}"),
            "check the limits of this process",
        )
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new("cli.runtime", error.to_string(), "check the limits of this process")
    })?;
    runtime.block_on(commands::run(cli, voice))
}

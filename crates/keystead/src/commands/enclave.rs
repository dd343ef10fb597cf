//! `keystead enclave`: becomes the enclave process. Hidden: only a node and a drill start it.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use keystead_base::Coded as _;
use keystead_node::parse_enclave_arguments;

pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    let Some(options) = parse_enclave_arguments(arguments) else {
        say("error[cli.usage]: the enclave is started by a node, not by people\n next: `keystead node`");
        return ExitCode::FAILURE;
    };
    match keystead_signing::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error[{}]: {error}", error.code()));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

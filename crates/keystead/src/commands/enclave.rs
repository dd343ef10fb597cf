//! `keystead enclave` and `keystead token-process`: become the enclave, and the process of its token. Hidden: only a node and
//! a drill start the one, and only an enclave the other.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use keystead_base::Coded as _;
use keystead_node::{parse_enclave_arguments, parse_token_arguments};

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

pub(crate) fn serve_token(arguments: &[OsString]) -> ExitCode {
    let Some((place, pin)) = parse_token_arguments(arguments) else {
        say(
            "error[cli.usage]: the process of a token is started by an enclave, not by people\n next: `keystead node`",
        );
        return ExitCode::FAILURE;
    };
    match keystead_homes::serve(place, pin) {
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

//! `keystead enclave`: what this program becomes when a node or a drill starts it as a child.
//!
//! It happens before the command line is parsed and before any thread or runtime exists, because an
//! enclave closes every file it inherited and lives in a single thread.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use keystead_signing::{EnclaveOptions, Role};

/// Becomes an enclave when the arguments say so; `None` for any other command.
pub(crate) fn run_if_asked(arguments: &[OsString]) -> Option<ExitCode> {
    let [word, rest @ ..] = arguments else { return None };
    if word != WORD {
        return None;
    }
    let options = parse_scratch(rest).or_else(|| keystead_node::parse_enclave_arguments(rest));
    Some(match options.map(keystead_signing::run) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(_)) => ExitCode::FAILURE,
        None => ExitCode::from(2),
    })
}

/// The arguments of an enclave that restores one backup, proves control, and ends.
pub(crate) fn scratch_arguments(passphrase: &Path) -> Vec<OsString> {
    vec![WORD.into(), SCRATCH.into(), PASSPHRASE.into(), passphrase.into()]
}

fn parse_scratch(arguments: &[OsString]) -> Option<EnclaveOptions> {
    let [scratch, flag, passphrase] = arguments else { return None };
    (scratch == SCRATCH && flag == PASSPHRASE).then(|| EnclaveOptions {
        role: Role::Scratch,
        passphrase: PathBuf::from(passphrase),
        required: Vec::new(),
    })
}

const WORD: &str = "enclave";
const SCRATCH: &str = "--scratch";
const PASSPHRASE: &str = "--passphrase-file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_arguments_read_back() {
        let arguments = scratch_arguments(Path::new("/run/secret"));
        let options = parse_scratch(&arguments[1..]).unwrap();
        assert_eq!((options.role, options.passphrase), (Role::Scratch, PathBuf::from("/run/secret")));
        assert!(parse_scratch(&arguments[2..]).is_none());
    }
}

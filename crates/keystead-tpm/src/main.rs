//! `keystead-tpm`: one errand to the TPM, asked for by `keystead` on standard input.

use std::process::ExitCode;

fn main() -> ExitCode {
    match keystead_tpm::serve(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever asked is gone: there is nobody to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

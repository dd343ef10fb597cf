//! `keystead-tpm`: one errand to the TPM, asked for by `keystead` on standard input.

use std::process::ExitCode;

fn main() -> ExitCode {
    let serve = |()| keystead_tpm::serve(std::io::stdin().lock(), std::io::stdout().lock());
    match keystead_tpm::harden().and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever asked is gone, or the kernel keeps nobody out of this process: there is nobody to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

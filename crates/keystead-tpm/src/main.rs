//! `keystead-tpm`: one errand to the TPM, asked for by `keystead` on standard input.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// INVARIANT K5: what is freed is wiped first: what the TPM unsealed passes through here.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let serve = |()| keystead_tpm::serve(std::io::stdin().lock(), std::io::stdout().lock());
    match keystead_tpm::harden().and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever asked is gone, or the kernel keeps nobody out of this process: there is nobody to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

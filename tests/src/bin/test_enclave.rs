//! The enclave as the tests start it: the product's own, in a binary that the tests' package builds.

use std::alloc::System;
use std::ffi::OsString;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// INVARIANT K5: what is freed is wiped first, whoever held it. Keys pass through libraries that wipe nothing.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(2).collect();
    let Some(options) = keystead_node::parse_enclave_arguments(&arguments) else {
        eprintln!("expected `enclave` with the arguments of an enclave");
        return ExitCode::from(2);
    };
    match keystead_signing::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("enclave: {error}");
            ExitCode::FAILURE
        }
    }
}

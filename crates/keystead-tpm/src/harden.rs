//! What the process gives up before it reads a value or has the TPM open a seal.

use std::io;

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// INVARIANT K1, K5: no core file, no debugger of the same user, no privilege that a program started from here would gain; and no page
/// in swap, where the kernel lets this user lock so many: the TPM's library keeps copies that nobody else can lock.
///
/// # Errors
///
/// What the kernel says; without these three no errand is done.
pub fn harden() -> io::Result<()> {
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)?;
    // A usual limit is smaller than this program with its libraries: then nothing is locked.
    let _locked = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    Ok(())
}

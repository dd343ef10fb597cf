//! How the enclave process gives up what it does not need, before the first secret enters it.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::Feature;
use crate::hardening::{Hardening, Status};
use crate::kernel::{self, PageKind};

/// The first steps, on the process's first thread: nothing inherited, nothing readable, no privileges.
///
/// Files that are needed later are opened between this and [`forbid_files`].
pub(crate) fn shed_privileges(report: &mut Hardening) {
    note(report, Feature::NoStrayFiles, kernel::close_from(3).map_err(|error| error.to_string()));
    note(report, Feature::NotDumpable, forbid_dumps().map_err(|error| error.to_string()));
    let no_new = rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string());
    note(report, Feature::NoNewPrivileges, no_new);
    note(report, Feature::NoCapabilities, drop_capabilities());
}

/// Landlock, for this thread and all that it starts.
pub(crate) fn forbid_files(report: &mut Hardening) {
    match landlock() {
        Ok(RulesetStatus::FullyEnforced) => report.note(Feature::Landlock, Status::On, ""),
        Ok(RulesetStatus::PartiallyEnforced) => {
            report.note(Feature::Landlock, Status::Partial, "this kernel knows a part of the rules");
        }
        Ok(RulesetStatus::NotEnforced) => {
            report.note(Feature::Landlock, Status::Off, "this kernel has no Landlock")
        }
        Err(error) => report.note(Feature::Landlock, Status::Off, &error.to_string()),
    }
}

/// The allow-list, for every thread, with the descriptors that may be read and written.
pub(crate) fn forbid_calls(report: &mut Hardening, readable: &[RawFd], writable: &[RawFd]) {
    let applied = allow_list(readable, writable)
        .and_then(|program| seccompiler::apply_filter_all_threads(&program))
        .map_err(|error| error.to_string());
    note(report, Feature::Seccomp, applied);
}

/// What the pages of the stack and of the keys turned out to be.
pub(crate) fn note_memory(report: &mut Hardening, kind: PageKind) {
    match kind {
        PageKind::Secret => report.note(Feature::SecretMemory, Status::On, ""),
        PageKind::Locked => {
            report.note(Feature::SecretMemory, Status::Partial, "locked and undumped pages instead");
        }
        PageKind::Plain => report.note(Feature::SecretMemory, Status::Off, "no memory could be locked"),
    }
}

fn note(report: &mut Hardening, feature: Feature, result: Result<(), String>) {
    match result {
        Ok(()) => report.note(feature, Status::On, ""),
        Err(detail) => report.note(feature, Status::Off, &detail),
    }
}

/// From now on no core file is written of this process or of one that it starts.
///
/// # Errors
///
/// What the kernel says, which in practice grants this to everybody.
pub fn forbid_cores() -> std::io::Result<()> {
    // INVARIANT K1: a crash writes no secret to the disk.
    Ok(rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

fn forbid_dumps() -> std::io::Result<()> {
    forbid_cores()?;
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Empties the bounding set (which only a privileged process can) and then every other set.
fn drop_capabilities() -> Result<(), String> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if let Ok(true) = rustix::thread::capability_is_in_bounding_set(capability) {
            // Without the right to drop it there is none to gain either: no_new_privs is set.
            let _kept = rustix::thread::remove_capability_from_bounding_set(capability);
        }
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    let dropped = rustix::thread::clear_ambient_capability_set()
        .and_then(|()| rustix::thread::set_capabilities(None, sets))
        .and_then(|()| rustix::thread::capabilities(None));
    match dropped {
        Ok(left) if left == sets => Ok(()),
        Ok(left) => Err(format!("{:#x} left", left.permitted.bits())),
        Err(error) => Err(error.to_string()),
    }
}

fn landlock() -> Result<RulesetStatus, landlock::RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}

fn allow_list(readable: &[RawFd], writable: &[RawFd]) -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ANY_ARGUMENTS.into_iter().map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_read, on_descriptors(readable)?);
    rules.insert(libc::SYS_write, on_descriptors(writable)?);
    rules.insert(libc::SYS_mmap, not_executable()?);
    rules.insert(libc::SYS_mprotect, not_executable()?);
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let arch = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?.try_into()?)
}

fn on_descriptors(descriptors: &[RawFd]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    descriptors
        .iter()
        .map(|fd| {
            let value = u64::from(fd.unsigned_abs());
            let same = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
            SeccompRule::new(vec![same])
        })
        .collect()
}

/// Memory may be mapped, but never executable: no code can be brought in.
fn not_executable() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let mask = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
    let clear = SeccompCondition::new(2, SeccompCmpArgLen::Dword, mask, 0)?;
    Ok(vec![SeccompRule::new(vec![clear])?])
}

/// Every access right known at this version; a kernel that knows fewer is reported as partial.
const LANDLOCK: ABI = ABI::V6;

/// What the loop needs beside reading, writing and memory: locks, time, randomness, and an end.
const ANY_ARGUMENTS: [i64; 18] = [
    libc::SYS_futex,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
];

//! What an attacker on the same machine does to a process: as the same user, and as root.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;

/// The user that owns nothing.
const NOBODY: u32 = 65534;

/// Becomes that user, and open to others of it again, as a program is that starts under its user.
pub(crate) fn become_nobody() {
    // SAFETY: plain system calls; the process has one thread.
    unsafe {
        assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
        assert_eq!(libc::setgid(NOBODY), 0);
        assert_eq!(libc::setuid(NOBODY), 0);
        assert_eq!(libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    }
}

/// As another process of the same user: tries to read `pid`, prints what worked.
pub(crate) fn peek(pid: &str) {
    // A privileged place to look up an address first: maps of a closed process cannot even be listed.
    let address = regions(pid).first().map_or(0x1000, |region| region.0);
    become_nobody();
    let file = File::open(format!("/proc/{pid}/mem")).is_ok();
    let call = read_remote(pid.parse().unwrap(), address).is_ok();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| !maps.is_empty());
    println!("mem={file} vm_readv={call} maps={maps}");
}

/// A process of the same user without any protection: what [`peek`] is able to read.
pub(crate) fn open_book() {
    become_nobody();
    println!("ready");
    io::stdout().flush().unwrap();
    let _closed = io::stdin().read(&mut [0]);
}

/// Everything that root can read of `pid`, searched for `needles`: the indices of those found.
pub(crate) fn search_memory(pid: u32, needles: &[[u8; 16]]) -> (BTreeSet<usize>, Reach) {
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let (mut found, mut reach) = (BTreeSet::new(), Reach::default());
    for (start, end) in regions(&pid.to_string()) {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        match memory.read_exact_at(&mut bytes, start) {
            Ok(()) => {
                reach.read += bytes.len();
                found.extend(search(&bytes, needles));
            }
            Err(_) => reach.refused += bytes.len(),
        }
        if read_remote(i32::try_from(pid).unwrap(), start).is_ok() {
            reach.remote += 1;
        }
    }
    (found, reach)
}

/// How much of a process could be read.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Bytes read through `/proc/pid/mem`.
    pub(crate) read: usize,
    /// Bytes that the kernel refused.
    pub(crate) refused: usize,
    /// Regions whose first bytes `process_vm_readv` gave.
    pub(crate) remote: usize,
}

/// The needles that stand somewhere in `bytes`.
pub(crate) fn search(bytes: &[u8], needles: &[[u8; 16]]) -> Vec<usize> {
    let mut found = Vec::new();
    for window in bytes.windows(16) {
        for (index, needle) in needles.iter().enumerate() {
            if window[0] == needle[0] && window == needle {
                found.push(index);
            }
        }
    }
    found
}

fn regions(pid: &str) -> Vec<(u64, u64)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines()
        .filter(|line| !line.contains("---p") && !line.contains("[v"))
        .map(|line| {
            let (range, _) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap())
        })
        .collect()
}

/// `process_vm_readv(2)` of 16 bytes.
pub(crate) fn read_remote(pid: i32, address: u64) -> io::Result<[u8; 16]> {
    let mut bytes = [0_u8; 16];
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: `local` describes `bytes`; the remote address is checked by the kernel.
    let count = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    if count == 16 { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

//! The one file with `unsafe`: what kernel, libc and CPU offer to a key-holding process and Rust does not wrap.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::mpsc;

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// Where secret bytes lie, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PageKind {
    /// `memfd_secret`: not even the kernel's own mapping has them.
    Secret,
    /// Locked and kept out of dumps; readable by whoever may read this process.
    Locked,
    /// Kept out of dumps; may be swapped.
    Plain,
}

/// Pages for secrets, between two guard pages; not inherited by a fork, wiped on drop.
pub(crate) struct SecretPages {
    reserved: NonNull<c_void>,
    start: NonNull<u8>,
    length: usize,
    kind: PageKind,
}

// SAFETY: the pages belong to this value alone, and are reached only through `&self` and `&mut self`.
unsafe impl Send for SecretPages {}

impl SecretPages {
    /// At least `bytes`, rounded up to whole pages.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let length = bytes.div_ceil(page) * page;
        let mut pages = reserve(length, page)?;
        if pages.place_secret().is_err() {
            pages.place_ordinary()?;
        }
        // SAFETY: the range was mapped just above and belongs to `pages`.
        unsafe { rustix::mm::madvise(pages.start.as_ptr().cast(), length, Advice::LinuxDontFork)? };
        Ok(pages)
    }

    /// What kind of pages they are.
    pub(crate) fn kind(&self) -> PageKind {
        self.kind
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes from `start` are mapped, initialized (zero at first) and borrowed with `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// The bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes the borrow the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }

    /// `memfd_secret(2)`: pages that the kernel takes out of its own map. The descriptor is closed at
    /// once, so that nobody can map them again through `/proc`.
    fn place_secret(&mut self) -> io::Result<()> {
        // SAFETY: a plain system call; a non-negative result is a new descriptor that nobody else owns.
        let fd = unsafe {
            let fd = libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(i32::try_from(fd).map_err(io::Error::other)?)
        };
        rustix::fs::ftruncate(&fd, self.length as u64)?;
        // SAFETY: the range lies within this value's own reservation and nothing refers to it yet.
        unsafe {
            let flags = MapFlags::SHARED | MapFlags::FIXED;
            let at = self.start.as_ptr().cast();
            rustix::mm::mmap(at, self.length, READ_WRITE, flags, fd.as_fd(), 0)?;
        }
        self.kind = PageKind::Secret;
        Ok(())
    }

    fn place_ordinary(&mut self) -> io::Result<()> {
        let at = self.start.as_ptr().cast();
        // SAFETY: the range lies within this value's own reservation and nothing refers to it yet.
        unsafe {
            let flags = MapFlags::PRIVATE | MapFlags::FIXED;
            rustix::mm::mmap_anonymous(at, self.length, READ_WRITE, flags)?;
            rustix::mm::madvise(at, self.length, Advice::LinuxDontDump)?;
            let locked = rustix::mm::mlock(at, self.length).is_ok();
            self.kind = if locked { PageKind::Locked } else { PageKind::Plain };
        }
        Ok(())
    }
}

impl Drop for SecretPages {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(self.bytes_mut());
        let whole = self.length + 2 * rustix::param::page_size();
        // SAFETY: the reservation was made by `reserve` with this length and is used by nobody any more.
        let _unmapped = unsafe { rustix::mm::munmap(self.reserved.as_ptr(), whole) };
    }
}

/// Address space with a guard page on either side; its middle is mapped next.
fn reserve(length: usize, page: usize) -> io::Result<SecretPages> {
    // SAFETY: a fresh anonymous mapping without access, at an address that the kernel chooses.
    let reserved = unsafe {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        rustix::mm::mmap_anonymous(std::ptr::null_mut(), length + 2 * page, ProtFlags::empty(), flags)?
    };
    let reserved = NonNull::new(reserved).ok_or(io::ErrorKind::OutOfMemory)?;
    // SAFETY: one page further is still inside the reservation.
    let start = unsafe { reserved.cast::<u8>().add(page) };
    Ok(SecretPages { reserved, start, length, kind: PageKind::Plain })
}

/// Runs `job` on a thread whose whole stack lies in [`SecretPages`], so that no copy that a compiler
/// or library leaves on the stack lands in ordinary memory. Once per process: the stack stays mapped.
pub(crate) fn on_secret_stack<T: Send + 'static>(
    bytes: usize,
    job: impl FnOnce(PageKind) -> T + Send + 'static,
) -> io::Result<T> {
    let mut stack = SecretPages::new(bytes)?;
    let kind = stack.kind();
    let (sender, receiver) = mpsc::sync_channel(1);
    let job: Job = Box::new(move || {
        let _sent = sender.send(job(kind));
    });
    start(&mut stack, job)?;
    // The kernel cannot wake a joiner through a word in secret pages, so the result comes by a
    // channel, and the thread may still stand on this stack when it does.
    std::mem::forget(stack);
    receiver.recv().map_err(|_| io::Error::other("the thread on the secret stack ended without a result"))
}

type Job = Box<dyn FnOnce() + Send>;

fn start(stack: &mut SecretPages, job: Job) -> io::Result<()> {
    let argument = Box::into_raw(Box::new(job));
    // SAFETY: `attributes` is initialized before use and destroyed after; the stack outlives the
    // thread (it is never unmapped); `argument` is handed over to `enter`, or taken back on failure.
    let code = unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        let mut thread: libc::pthread_t = 0;
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED);
        let base = stack.bytes_mut().as_mut_ptr().cast();
        let mut code = pthread_attr_setstack(&raw mut attributes, base, stack.length);
        if code == 0 {
            code = libc::pthread_create(&raw mut thread, &raw const attributes, enter, argument.cast());
        }
        libc::pthread_attr_destroy(&raw mut attributes);
        if code != 0 {
            drop(Box::from_raw(argument));
        }
        code
    };
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

extern "C" fn enter(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `argument` is the box that `start` gave away, and this is its only use.
    let job = unsafe { Box::from_raw(argument.cast::<Job>()) };
    job();
    std::ptr::null_mut()
}

unsafe extern "C" {
    /// POSIX; the `libc` crate has it for other systems only.
    fn pthread_attr_setstack(attributes: *mut libc::pthread_attr_t, base: *mut c_void, size: usize) -> i32;
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: called first thing in the process, before anything owns a descriptor above the standard three.
    match unsafe { libc::close_range(first, u32::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// One word from the CPU's entropy source (RDSEED), where there is one.
#[cfg(target_arch = "x86_64")]
pub(crate) fn hardware_word() -> Option<u64> {
    #[target_feature(enable = "rdseed")]
    fn step() -> Option<u64> {
        let mut word = 0;
        (0..RDSEED_TRIES).find_map(|_| (std::arch::x86_64::_rdseed64_step(&mut word) == 1).then_some(word))
    }
    // SAFETY: the feature was detected just before.
    std::arch::is_x86_feature_detected!("rdseed").then(|| unsafe { step() }).flatten()
}

/// Other CPUs have no such instruction that stable Rust reaches.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn hardware_word() -> Option<u64> {
    None
}

/// Whether what this process frees is wiped first, and what it moves to grow: blocks are filled, freed, and read again through the kernel.
///
/// # Errors
///
/// Where the kernel reads for nobody, or has the page back, so that nothing can be said.
pub(crate) fn wipes_what_is_freed() -> io::Result<bool> {
    let [before, freed, behind] = [(); 3].map(|()| std::hint::black_box(vec![FILLED; FREED_BYTES]));
    let place = freed.as_ptr().addr();
    drop(freed);
    let is_wiped = !shows_what_was(place)?;
    let mut grown = std::hint::black_box(before);
    let place = grown.as_ptr().addr();
    grown.reserve_exact(FREED_BYTES * 8);
    let is_moved = grown.as_ptr().addr() != place;
    let is_moved_wiped = !is_moved || !shows_what_was(place)?;
    drop((grown, behind));
    Ok(is_wiped && is_moved_wiped)
}

/// Whether a block that was freed at this address still has what it was filled with.
fn shows_what_was(place: usize) -> io::Result<bool> {
    // On the stack: a block asked for now might be the one just freed.
    let mut seen = [0_u8; FREED_BYTES];
    let local = libc::iovec { iov_base: seen.as_mut_ptr().cast(), iov_len: seen.len() };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(place), iov_len: seen.len() };
    // SAFETY: the kernel copies into `seen`, which is that long, and from an address that it checks; no reference is made of that one.
    let count =
        unsafe { libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) };
    if count < 0 {
        let error = io::Error::last_os_error();
        let text = "it cannot be seen whether freed memory is wiped: process_vm_readv";
        return Err(io::Error::new(error.kind(), format!("{text}: {error}")));
    }
    Ok(seen.windows(TRACE_BYTES).any(|piece| piece.iter().all(|byte| *byte == FILLED)))
}

/// No word of an allocator's own bookkeeping.
const FILLED: u8 = 0xa5;
/// A size of which allocators keep freed blocks for the next to ask.
const FREED_BYTES: usize = 1024;
/// An allocator that does not wipe writes over the first bytes alone.
const TRACE_BYTES: usize = 32;
const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);
#[cfg(target_arch = "x86_64")]
const RDSEED_TRIES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_bytes_and_begin_at_zero() {
        let mut pages = SecretPages::new(5000).unwrap();
        assert_eq!(pages.bytes().len(), 8192);
        assert!(pages.bytes().iter().all(|byte| *byte == 0));
        pages.bytes_mut()[8191] = 7;
        assert_eq!(pages.bytes()[8191], 7);
    }

    #[test]
    fn an_allocator_that_does_not_wipe_is_noticed() {
        // This test's own: the system's.
        assert!(!wipes_what_is_freed().unwrap());
    }

    #[test]
    fn a_job_runs_on_secret_pages_and_gives_its_result() {
        let (kind, local) = on_secret_stack(256 * 1024, |kind| {
            let local = [1_u8; 64];
            (kind, std::hint::black_box(&local).as_ptr() as usize)
        })
        .unwrap();
        let outer = [1_u8; 64];
        assert!(local.abs_diff(std::hint::black_box(&outer).as_ptr() as usize) > 64 * 1024);
        assert!(kind <= PageKind::Plain);
    }
}

//! What Valgrind is told: its client requests, of which outside of it nothing comes (valgrind.h, "client requests").
#![allow(unsafe_code, reason = "the one instruction sequence that Valgrind listens for")]

/// Whether somebody listens.
pub(crate) fn is_under_valgrind() -> bool {
    request([RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0]) != 0
}

/// From here on these bytes are secret: a branch or an address that depends on them is an error.
pub(crate) fn secret(bytes: &[u8]) {
    request([MAKE_MEM_UNDEFINED, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]);
}

/// From here on they are not: whoever made them gives them out.
pub(crate) fn public(bytes: &[u8]) {
    request([MAKE_MEM_DEFINED, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]);
}

/// The same of a value itself, and not of what it points at: a verdict, or the length of a text.
pub(crate) fn given_out<T>(value: &mut T) {
    request([MAKE_MEM_DEFINED, std::ptr::from_mut(value) as usize, size_of::<T>(), 0, 0, 0]);
}

#[cfg(target_arch = "x86_64")]
fn request(words: [usize; 6]) -> usize {
    let mut answer = 0_usize;
    // SAFETY: the four rotations add up to 128 bits and the exchange is of a register with itself: nothing changes on a processor;
    // Valgrind reads the six words, which outlive the instructions, and writes `rdx`.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") words.as_ptr(),
            inout("rdx") answer,
            inout("rdi") 0_usize => _,
        );
    }
    answer
}

/// Valgrind listens for another sequence on each processor; of others none is known here.
#[cfg(not(target_arch = "x86_64"))]
fn request(_: [usize; 6]) -> usize {
    0
}

const RUNNING_ON_VALGRIND: usize = 0x1001;
/// `('M' << 24 | 'C' << 16) + 1` (memcheck.h).
const MAKE_MEM_UNDEFINED: usize = 0x4d43_0001;
const MAKE_MEM_DEFINED: usize = 0x4d43_0002;

//! Our own code that computes with secrets: SLIP-39's field and shares, its word list and checksum, comparisons.

use keystead_base::Secret;
use keystead_keys::{Slip39Group, Slip39Share, slip39_combine, slip39_split};
use subtle::ConstantTimeEq as _;

use crate::marks;

/// Each subject with secrets that Valgrind watches.
pub(crate) fn marked() {
    let mut secret = Secret::new(vec![7; 32]);
    marks::secret(secret.expose_mut());
    let shares = split(&secret);
    // Whether shares belong together is no secret; what comes of them is.
    let mut back = combined(&shares);
    let same = back.expose().ct_eq(secret.expose());
    marks::public(back.expose_mut());
    marks::public(secret.expose_mut());
    println!("SLIP-39: {} shares split and combined; the same: {}", shares.len(), told(same.unwrap_u8()));
    let mut text = Slip39Share::words(shares.first().expect("a share"));
    println!("words: {} letters said", text.expose().len());
    let mut bytes = Secret::new(std::mem::take(text.expose_mut()).into_bytes());
    marks::public(bytes.expose_mut());
    mark_letters(bytes.expose_mut());
    let words = std::str::from_utf8(bytes.expose()).expect("letters");
    let read = Slip39Share::from_words(words).expect("a share");
    println!("words: a share of group {} read", read.group());
    let (mut one, other) = (Secret::new([7; 64]), Secret::new([7; 64]));
    marks::secret(one.expose_mut());
    println!("comparison: {}", told(one.ct_eq(&other).unwrap_u8()));
}

/// The words of the share's value: those before it say which share it is, those behind it are a checksum. How long words are is
/// no secret, and neither is that they are small letters: of each the five lower bits are.
fn mark_letters(bytes: &mut [u8]) {
    for word in bytes.split_mut(|byte| *byte == b' ').skip(4).take(26) {
        marks::secret_bits(word, 0b1_1111);
    }
}

/// What is said on the terminal is given out.
fn told(verdict: u8) -> bool {
    let mut verdict = [verdict];
    marks::public(&mut verdict);
    verdict == [1]
}

/// The control: a comparison as `==` does it, which ends at the first difference.
pub(crate) fn leaky_branch() {
    let mut one = [7_u8; 64];
    marks::secret(&mut one);
    let same = u8::from(early_exit(&one, &[7; 64]));
    println!("a leaking comparison: {}", told(same));
}

/// The other control: a table that a secret indexes, as tables of AES do.
pub(crate) fn leaky_address() {
    let table: [u8; 256] = std::array::from_fn(|at| (at as u8).wrapping_mul(167));
    let mut at = [7_u8];
    marks::secret(&mut at);
    let found = at.first().and_then(|at| std::hint::black_box(&table).get(usize::from(*at))).copied();
    println!("a leaking table: {}", told(found.unwrap_or_default()));
}

/// As long as both are the same.
pub(crate) fn early_exit(one: &[u8], other: &[u8]) -> bool {
    for (one, other) in one.iter().zip(other) {
        if std::hint::black_box(one) != std::hint::black_box(other) {
            return false;
        }
    }
    true
}

/// Two of three.
pub(crate) fn split(secret: &Secret<Vec<u8>>) -> Vec<Slip39Share> {
    let group = Slip39Group { threshold: 2, count: 3 };
    let mut counted = 0_u8;
    let mut fill = |bytes: &mut [u8]| {
        counted = counted.wrapping_add(1);
        bytes.fill(counted);
    };
    slip39_split(secret, b"", 1, &[group], &mut fill).expect("shares").into_iter().flatten().collect()
}

/// By the first two.
pub(crate) fn combined(shares: &[Slip39Share]) -> Secret<Vec<u8>> {
    slip39_combine(shares.get(..2).expect("two shares"), b"").expect("their secret")
}

//! Our own code that computes with secrets: SLIP-39's field and shares, its word list and checksum, comparisons.

use keystead_base::Secret;
use keystead_keys::{Slip39Group, Slip39Share, slip39_combine, slip39_split};
use subtle::ConstantTimeEq as _;

use crate::marks;

/// Each subject with secrets that Valgrind watches.
pub(crate) fn marked() {
    let secret = Secret::new(vec![7; 32]);
    marks::secret(secret.expose());
    let shares = split(&secret);
    // Whether shares belong together is no secret; what comes of them is.
    let back = combined(&shares);
    let same = back.expose().ct_eq(secret.expose());
    marks::public(back.expose());
    marks::public(secret.expose());
    println!("SLIP-39: {} shares split and combined; the same: {}", shares.len(), told(same.unwrap_u8()));
    let mut text = Slip39Share::words(shares.first().expect("a share"));
    // How long words are is no secret.
    marks::given_out(&mut text);
    marks::public(text.expose().as_bytes());
    println!("words: {} letters said", text.expose().len());
    mark_letters(text.expose());
    let mut read = Slip39Share::from_words(text.expose());
    marks::given_out(&mut read);
    println!("words: a share of group {} read", read.expect("a share").group());
    let (one, other) = (Secret::new([7; 64]), Secret::new([7; 64]));
    marks::secret(one.expose());
    println!("comparison: {}", told(one.ct_eq(&other).unwrap_u8()));
}

/// The words of the share's value: those before it say which share it is, those behind it are a checksum. How long words are is
/// no secret, and neither are the spaces.
fn mark_letters(text: &str) {
    text.split(' ').skip(4).take(26).for_each(|word| marks::secret(word.as_bytes()));
}

/// What is said on the terminal is given out.
fn told(mut verdict: u8) -> bool {
    marks::given_out(&mut verdict);
    verdict == 1
}

/// The control: a comparison as `==` does it, which ends at the first difference.
pub(crate) fn leaky() {
    let one = [7_u8; 64];
    marks::secret(&one);
    println!("leaking comparison: {}", early_exit(&one, &[7; 64]));
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

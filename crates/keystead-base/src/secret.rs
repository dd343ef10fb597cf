//! The one wrapper around secret bytes.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// Secret bytes: wiped on drop, redacted in Debug, neither cloned, shown nor serialized.
///
/// There is no `==`, which ends at the first difference: [`ConstantTimeEq`] compares two of them.
///
/// ```compile_fail
/// # use keystead_base::Secret;
/// let same = Secret::new([7u8; 32]) == Secret::new([7u8; 32]);
/// ```
///
/// ```compile_fail
/// # use keystead_base::Secret;
/// let secret = Secret::new([7u8; 32]);
/// let twin = secret.clone();
/// ```
///
/// ```compile_fail
/// # use keystead_base::Secret;
/// println!("{}", Secret::new([7u8; 32]));
/// ```
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the secret over. The caller wipes any copy that it made on the way here.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The bytes, for the one place that computes with them.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The bytes, to be filled in place.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    // INVARIANT K5: no way out of a scope leaves the bytes behind.
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<const N: usize> ConstantTimeEq for Secret<[u8; N]> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// Counts how often it is wiped, where somebody still looks when it is gone.
    struct Watched(Rc<Cell<u32>>);

    impl Zeroize for Watched {
        fn zeroize(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn k05_a_secret_is_wiped_when_it_is_dropped() {
        let wiped = Rc::new(Cell::new(0));
        let secret = || Secret::new(Watched(Rc::clone(&wiped)));
        drop(secret());
        assert_eq!(wiped.get(), 1);
        let in_a_list = vec![secret(), secret()];
        assert_eq!(wiped.get(), 1, "not before its end");
        drop(in_a_list);
        assert_eq!(wiped.get(), 3);
    }

    #[test]
    fn k05_secrets_are_compared_byte_by_byte_to_their_end() {
        let secret = |last: u8| Secret::new([[7; 31].as_slice(), &[last]].concat().try_into().unwrap());
        let same: (Secret<[u8; 32]>, Secret<[u8; 32]>) = (secret(1), secret(1));
        assert!(bool::from(same.0.ct_eq(&same.1)));
        assert!(!bool::from(same.0.ct_eq(&secret(2))));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new([0x41_u8; 4])), "Secret(…)");
    }
}

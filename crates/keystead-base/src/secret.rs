//! The one wrapper around secret bytes.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// Secret bytes: wiped on drop, redacted in Debug, neither cloned, shown nor serialized.
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
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new([0x41_u8; 4])), "Secret(…)");
    }
}

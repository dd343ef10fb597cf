//! Random bytes that were passed in, as the FROST libraries want them.

use keystead_keys::Fill;
use rand_core::{CryptoRng, RngCore};

/// A [`Fill`] with the traits of `rand_core` 0.6.
pub(crate) struct Source<'a, 'b>(pub(crate) &'a mut Fill<'b>);

impl RngCore for Source<'_, '_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        (self.0)(bytes);
        Ok(())
    }
}

impl CryptoRng for Source<'_, '_> {}

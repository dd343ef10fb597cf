//! One arena of secret pages, cut into slots of 32 bytes that are given out and taken back.

use std::io;

use keystead_base::Secret;

use super::{MAX_ACCOUNTS, MAX_KEYS};
use crate::kernel::{PageKind, SecretPages};

/// The bytes of one secret.
pub(crate) const SLOT_BYTES: usize = 32;

/// The pages. A slot that nobody has is zero.
pub(crate) struct Slots {
    pages: SecretPages,
    free: Vec<Slot>,
}

/// A place that somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize);

impl Slots {
    /// Room for every key and for the accounts that are remembered, asked for at once: pages cannot be asked for any more
    /// once calls are forbidden.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(crate) fn new() -> io::Result<Self> {
        let count = MAX_KEYS + MAX_ACCOUNTS;
        let pages = SecretPages::new(count * SLOT_BYTES)?;
        Ok(Self { pages, free: (0..count).rev().map(Slot).collect() })
    }

    /// What kind of pages they are.
    pub(crate) fn kind(&self) -> PageKind {
        self.pages.kind()
    }

    /// Puts a secret into a free slot; none when all are taken.
    pub(crate) fn put(&mut self, secret: &Secret<[u8; SLOT_BYTES]>) -> Option<Slot> {
        let slot = self.free.pop()?;
        self.write(slot, secret);
        Some(slot)
    }

    /// A copy of what is there.
    pub(crate) fn read(&self, slot: Slot) -> Secret<[u8; SLOT_BYTES]> {
        let mut secret = Secret::new([0; SLOT_BYTES]);
        if let Some(place) = self.pages.bytes().chunks_exact(SLOT_BYTES).nth(slot.0) {
            secret.expose_mut().copy_from_slice(place);
        }
        secret
    }

    /// INVARIANT K5: wiped before anybody else may have it.
    pub(crate) fn wipe(&mut self, slot: Slot) {
        self.write(slot, &Secret::new([0; SLOT_BYTES]));
        self.free.push(slot);
    }

    fn write(&mut self, slot: Slot, secret: &Secret<[u8; SLOT_BYTES]>) {
        if let Some(place) = self.pages.bytes_mut().chunks_exact_mut(SLOT_BYTES).nth(slot.0) {
            place.copy_from_slice(secret.expose());
        }
    }

    /// The slots that are not zero, ascending.
    #[cfg(test)]
    pub(crate) fn written(&self) -> Vec<Slot> {
        let slots = self.pages.bytes().chunks_exact(SLOT_BYTES).enumerate();
        slots.filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0)).map(|(at, _)| Slot(at)).collect()
    }
}

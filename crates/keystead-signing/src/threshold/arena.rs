//! Secrets of any length in one block of secret pages: shares of threshold keys, and the seats' seeds.

use std::collections::BTreeMap;
use std::io;

use keystead_base::Secret;
use zeroize::Zeroize as _;

use crate::kernel::{PageKind, SecretPages};

/// What one enclave has for shares: some 38 of a 2-of-3 key, and within the usual limit on locked memory.
pub(crate) const ARENA_BYTES: usize = 4 * 1024 * 1024;

/// The pages, and which parts of them are taken.
pub(crate) struct Arena {
    pages: SecretPages,
    taken: BTreeMap<usize, usize>,
}

/// Where a secret lies. Not cloned: who wipes it is the last to know of it.
#[derive(Debug)]
pub(crate) struct Place {
    start: usize,
    length: usize,
}

impl Arena {
    /// Pages of that many bytes; they cannot be asked for any more once calls are forbidden.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        Ok(Self { pages: SecretPages::new(bytes)?, taken: BTreeMap::new() })
    }

    pub(crate) fn kind(&self) -> PageKind {
        self.pages.kind()
    }

    /// Copies a secret into the first gap that it fits; none when there is no room.
    pub(crate) fn store(&mut self, secret: &[u8]) -> Option<Place> {
        let start = self.gap(secret.len())?;
        let end = start.checked_add(secret.len())?;
        self.pages.bytes_mut().get_mut(start..end)?.copy_from_slice(secret);
        self.taken.insert(start, secret.len());
        Some(Place { start, length: secret.len() })
    }

    /// A copy for a library that wants one; it is wiped with its last owner.
    pub(crate) fn read(&self, place: &Place) -> Secret<Vec<u8>> {
        let end = place.start.saturating_add(place.length);
        Secret::new(self.pages.bytes().get(place.start..end).unwrap_or_default().to_vec())
    }

    /// Leaves no byte of it.
    pub(crate) fn wipe(&mut self, place: Place) {
        let Place { start, length } = place;
        if let Some(bytes) = self.pages.bytes_mut().get_mut(start..start.saturating_add(length)) {
            bytes.zeroize();
        }
        self.taken.remove(&start);
    }

    fn gap(&self, length: usize) -> Option<usize> {
        let mut start = 0;
        for (at, taken) in &self.taken {
            if start + length <= *at {
                break;
            }
            start = at + taken;
        }
        (start + length <= self.pages.bytes().len()).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k05_a_wiped_secret_leaves_no_byte_and_its_room_is_used_again() {
        let mut arena = Arena::new(4096).unwrap();
        let first = arena.store(&[1; 1000]).unwrap();
        let second = arena.store(&[2; 2000]).unwrap();
        assert!(arena.store(&[3; 1500]).is_none(), "no room");
        arena.wipe(first);
        assert!(!arena.pages.bytes().contains(&1));
        let third = arena.store(&[3; 900]).unwrap();
        assert_eq!(third.start, 0);
        assert_eq!(arena.read(&second).expose(), &[2; 2000]);
        assert_eq!(arena.read(&third).expose(), &[3; 900]);
    }
}

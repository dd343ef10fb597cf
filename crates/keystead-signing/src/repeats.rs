//! No r for two digests (S7): what a broken nonce would look like from outside is refused inside.

use std::collections::{HashMap, VecDeque};

use keystead_base::Digest;

/// The r values seen last, each with the digest that it belongs to. Bounded: the oldest is forgotten.
pub(crate) struct Repeats {
    digests: HashMap<[u8; 32], Digest>,
    order: VecDeque<[u8; 32]>,
}

impl Repeats {
    pub(crate) fn new() -> Self {
        Self { digests: HashMap::new(), order: VecDeque::new() }
    }

    /// Whether `r` may go out for `digest`; remembers it if so.
    #[must_use]
    pub(crate) fn admit(&mut self, r: [u8; 32], digest: Digest) -> bool {
        if let Some(known) = self.digests.get(&r) {
            return known == &digest;
        }
        if self.order.len() >= REMEMBERED {
            self.order.pop_front().and_then(|oldest| self.digests.remove(&oldest));
        }
        self.order.push_back(r);
        self.digests.insert(r, digest);
        true
    }
}

const REMEMBERED: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_one_r_belongs_to_one_digest() {
        let mut repeats = Repeats::new();
        assert!(repeats.admit([1; 32], Digest([1; 32])));
        assert!(repeats.admit([1; 32], Digest([1; 32])));
        assert!(!repeats.admit([1; 32], Digest([2; 32])));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut repeats = Repeats::new();
        for n in 0..REMEMBERED as u64 + 100 {
            let mut r = [0; 32];
            r[..8].copy_from_slice(&n.to_le_bytes());
            assert!(repeats.admit(r, Digest(r)));
        }
        assert_eq!((repeats.digests.len(), repeats.order.len()), (REMEMBERED, REMEMBERED));
    }
}

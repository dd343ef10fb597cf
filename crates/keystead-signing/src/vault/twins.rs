//! Whether two keys have one secret, known without deriving either.
//!
//! What grows from a seed is fixed by it, so two keys have one public side where they have one seed. A mark of the seed under
//! a key of this very process, which nothing outside ever sees, is compared in the place of the public side: deriving that
//! takes the 2,048 rounds of BIP-39.

use std::collections::HashMap;

use aws_lc_rs::hmac;
use keystead_base::{Name, Secret};
use keystead_keys::HdSeed;

/// The marks of the seeds that are held.
pub(crate) struct Twins {
    key: Secret<[u8; 32]>,
    names: HashMap<Mark, Name>,
}

/// HMAC-SHA-256 of a seed: without the key it says nothing of the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark([u8; 32]);

impl Twins {
    /// `key` is random, and of this process alone.
    pub(crate) fn new(key: Secret<[u8; 32]>) -> Self {
        Self { key, names: HashMap::new() }
    }

    /// The mark of a seed.
    pub(crate) fn mark(&self, seed: &HdSeed) -> Mark {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.expose());
        let tag = hmac::sign(&key, seed.entropy().expose());
        let mut mark = [0; 32];
        mark.iter_mut().zip(tag.as_ref()).for_each(|(byte, of_tag)| *byte = *of_tag);
        Mark(mark)
    }

    /// The key that has this seed already.
    pub(crate) fn find(&self, mark: &Mark) -> Option<&Name> {
        self.names.get(mark)
    }

    /// From now on `name` has it.
    pub(crate) fn enter(&mut self, mark: Mark, name: Name) {
        self.names.insert(mark, name);
    }

    /// Nobody has it any more.
    pub(crate) fn leave(&mut self, mark: &Mark) {
        self.names.remove(mark);
    }
}

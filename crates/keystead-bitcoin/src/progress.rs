//! How far a PSBT is signed: which inputs of ours still lack signatures, and how many.

use crate::view::Owner;
use crate::{InputSignature, View};

/// How far one input of ours is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The input.
    pub input: usize,
    /// How many signatures it takes.
    pub expected: usize,
    /// How many good ones came along.
    pub found: usize,
}

impl Progress {
    /// Whether it has all that it takes.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.found >= self.expected
    }
}

impl View {
    /// How far each input of ours is signed, in their order.
    ///
    /// INVARIANT S7: only a signature that verifies over the digest that was computed here counts.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        let progress = self.digests().into_iter().filter_map(|digest| {
            let input = digest.input;
            let Owner::Ours(ours) = &self.inputs().get(input)?.owner else { return None };
            let good = ours.signatures.iter().filter(|(key, bytes)| {
                digest.verify(&InputSignature { input, key: *key, bytes: bytes.clone() }).is_ok()
            });
            Some(Progress { input, expected: ours.threshold, found: good.count() })
        });
        progress.collect()
    }
}

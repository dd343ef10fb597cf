//! PSBTs of keys in shares: one input after the other, each signed by a run of its own.

use std::collections::{BTreeMap, VecDeque};

use keystead_base::{Digest, RequestId};
use keystead_bitcoin::{SpendSignature, SpendSignatures};
use keystead_decision::RunAim;
use keystead_signing::{ItemResult, ReleasedSpend, SessionId};
use tokio::time::Instant;

use super::Waiting;
use crate::signer::Signer;

/// What is signed of PSBTs whose rights ended before all of it was: the next right goes on behind it.
///
/// INVARIANT D3: else a PSBT whose inputs take longer than a right lasts would begin anew with each, and never end.
#[derive(Debug, Default)]
pub(super) struct Parts(VecDeque<Part>);

#[derive(Debug)]
struct Part {
    request: RequestId,
    /// Of the whole PSBT: a signature is for the very bytes that its right named.
    digest: Digest,
    signatures: BTreeMap<u32, SpendSignature>,
}

impl Parts {
    /// Keeps what an ended right left. At the limit the oldest is signed anew.
    pub(super) fn keep(
        &mut self,
        request: RequestId,
        digest: Digest,
        signatures: BTreeMap<u32, SpendSignature>,
    ) {
        if signatures.is_empty() {
            return;
        }
        self.0.retain(|it| it.request != request);
        self.0.push_back(Part { request, digest, signatures });
        while self.0.len() > MAX_PARTS {
            self.0.pop_front();
        }
    }

    /// What is signed of these bytes already.
    pub(super) fn take(&mut self, request: RequestId, digest: Digest) -> BTreeMap<u32, SpendSignature> {
        let at = self.0.iter().position(|it| it.request == request);
        let kept = at.and_then(|at| self.0.remove(at)).filter(|it| it.digest == digest);
        kept.map(|it| it.signatures).unwrap_or_default()
    }
}

impl Waiting {
    /// What the next run of it signs.
    pub(super) fn aim(&self, request: RequestId) -> RunAim {
        let height = self.height;
        match self.next_input() {
            Some(input) => RunAim::Input { request, height, input },
            None => RunAim::Request { request, height },
        }
    }

    /// The first input without a signature; none where it is no PSBT.
    fn next_input(&self) -> Option<u32> {
        let mut all = self.work.spend()?.view().digests().into_iter();
        all.find_map(|it| u32::try_from(it.input).ok().filter(|at| !self.signatures.contains_key(at)))
    }

    /// The signatures of all inputs, each of which the enclave verified.
    fn released(&self) -> Option<ReleasedSpend> {
        let spend = self.work.spend().filter(|_| self.next_input().is_none())?;
        let signatures: Vec<SpendSignature> = self.signatures.values().cloned().collect();
        Some(ReleasedSpend {
            signing_digest: spend.signing_digest(),
            wallet: spend.wallet(),
            signatures: SpendSignatures { signatures },
        })
    }
}

impl Signer {
    /// An input is signed: the next one begins at once, under the leader that the others know.
    pub(super) fn input_signed(
        &mut self,
        request: RequestId,
        (session, height): (SessionId, u64),
        signature: SpendSignature,
    ) {
        let Some(waiting) = self.runs.waiting.get_mut(&request).filter(|it| it.height == height) else {
            return;
        };
        let is_new = waiting.signatures.insert(signature.input, signature).is_none();
        if is_new {
            self.shared.board.went_on(&request);
        }
        waiting.turns.goes_on(session, is_new, Instant::now());
        if let Some(released) = waiting.released()
            && let Some(waiting) = self.runs.waiting.remove(&request)
        {
            self.signed(height, waiting.work, ItemResult::Spent(released));
        }
    }
}

/// PSBTs that are signed in part, beside those whose rights stand.
const MAX_PARTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(byte: u8) -> RequestId {
        RequestId(Digest([byte; 32]))
    }

    fn signed(inputs: &[u32]) -> BTreeMap<u32, SpendSignature> {
        inputs.iter().map(|it| (*it, SpendSignature { input: *it, key: [2; 33], bytes: vec![1] })).collect()
    }

    #[test]
    fn d03_what_is_signed_of_a_psbt_outlives_its_right_and_serves_the_same_bytes_alone() {
        let (mut parts, bytes, others) = (Parts::default(), Digest([1; 32]), Digest([2; 32]));
        parts.keep(request(1), bytes, signed(&[0, 1]));
        parts.keep(request(1), bytes, signed(&[0, 1, 2]));
        assert_eq!(parts.take(request(2), bytes), signed(&[]), "another request");
        assert_eq!(parts.take(request(1), bytes), signed(&[0, 1, 2]));
        assert_eq!(parts.take(request(1), bytes), signed(&[]), "it stands with its right now");
        parts.keep(request(1), bytes, signed(&[0]));
        assert_eq!(parts.take(request(1), others), signed(&[]), "other bytes");
        assert_eq!(parts.take(request(1), bytes), signed(&[]), "which take the place of those");
    }

    #[test]
    fn d03_what_is_kept_of_psbts_is_bounded() {
        let (mut parts, bytes) = (Parts::default(), Digest([1; 32]));
        let max = u8::try_from(MAX_PARTS).unwrap();
        (0..=max).for_each(|it| parts.keep(request(it), bytes, signed(&[0])));
        parts.keep(request(max), bytes, signed(&[]));
        assert_eq!(parts.take(request(0), bytes), signed(&[]), "the oldest");
        assert_eq!(parts.take(request(max), bytes), signed(&[0]), "nothing takes the place of something");
        assert_eq!(parts.0.len(), MAX_PARTS - 1);
    }
}

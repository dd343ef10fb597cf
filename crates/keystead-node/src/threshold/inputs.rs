//! PSBTs of keys in shares: one input after the other, each signed by a run of its own.

use keystead_base::RequestId;
use keystead_bitcoin::{SpendSignature, SpendSignatures};
use keystead_decision::RunAim;
use keystead_signing::{ItemResult, ReleasedSpend, SessionId};
use tokio::time::Instant;

use super::Waiting;
use crate::signer::Signer;

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
        waiting.turns.goes_on(session, is_new, Instant::now());
        if let Some(released) = waiting.released()
            && let Some(waiting) = self.runs.waiting.remove(&request)
        {
            self.signed(height, waiting.work, ItemResult::Spent(released));
        }
    }
}

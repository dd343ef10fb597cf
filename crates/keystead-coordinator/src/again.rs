//! Sends again what an endpoint took and the log does not call final: pools forget.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use keystead_base::RequestId;
use keystead_wire::SignedPayload;

use crate::coordinator::Inner;

/// How often the sweep looked at each broadcast request since it was sent last.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<RequestId, u32>>);

impl Looks {
    /// Counts one look, and says whether it is time to send again.
    fn is_due(&self, request: RequestId) -> bool {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = looks.entry(request).or_default();
        *count = count.saturating_add(1) % LOOKS_BETWEEN;
        *count == 0
    }

    /// Nobody needs to look at it any more.
    pub(crate) fn over(&self, request: &RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(request);
    }
}

impl Inner {
    /// Every endpoint gets the same bytes once more. One that has them says so, one whose chain has them in a block
    /// refuses: nothing follows from either, and nothing can be paid twice by it.
    pub(crate) fn send_again(&self, request: RequestId, signed: &SignedPayload) {
        if let Ok(chain) = self.chain()
            && self.looks.is_due(request)
        {
            // Endpoints that are slow to say no hold up nobody else's request.
            let (chain, raw) = (chain.clone(), signed.raw.clone());
            tokio::spawn(async move { chain.send(&raw).await.map(drop) });
        }
    }
}

/// The sweep looks every second.
const LOOKS_BETWEEN: u32 = 10;

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    #[test]
    fn what_is_not_final_is_sent_again_from_time_to_time_and_no_more_afterwards() {
        let (looks, request) = (Looks::default(), RequestId(Digest::ZERO));
        let due = |_: &u32| looks.is_due(request);
        assert_eq!((1..=3 * LOOKS_BETWEEN).filter(due).collect::<Vec<_>>(), [10, 20, 30]);
        looks.over(&request);
        assert!(!looks.is_due(request));
    }
}

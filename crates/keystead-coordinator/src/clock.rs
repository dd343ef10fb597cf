//! The one place of this crate that reads the clock and draws randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use keystead_base::{RequestNonce, Timestamp};

/// Now. A clock before 1970 reads as the epoch: everything that is asked for then has expired.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).map(|it| it.as_millis());
    Timestamp(elapsed.ok().and_then(|millis| u64::try_from(millis).ok()).unwrap_or_default())
}

/// Sixteen bytes that no request had before.
pub(crate) fn fresh_nonce() -> Result<RequestNonce, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map(|()| RequestNonce(bytes))
}

//! The only place of the node that reads the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keystead_base::Timestamp;

/// The time. A clock before 1970 reads as 1970: blocks then go on by a millisecond each.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// From now to a moment; nothing when it has passed.
pub(crate) fn until(moment: Timestamp) -> Duration {
    Duration::from_millis(moment.0.saturating_sub(now().0))
}

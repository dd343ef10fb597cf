//! Verifies and counts approvals until an Authorization exists.

mod authorization;
mod checks;
mod refusal;
mod stop;
mod tally;

pub use authorization::{Authorization, Endorsement, Granted, Mismatch};
pub use checks::{Checks, Context, Strict, Verified, verify_one};
pub use refusal::Refusal;
pub use stop::{FREEZER, Stopper, verify_freeze, verify_veto};
pub use tally::{MAX_APPROVALS, Refused, Shortfall, authorize};

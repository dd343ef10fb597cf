//! Chain endpoints, broadcast and watch; knows no key.
//!
//! An endpoint is somebody else's computer. What the chain says is believed only when `k` of the `m`
//! configured endpoints say exactly the same; otherwise the answer is [`Unknown`], and nobody falls back
//! to a single voice. Plain HTTP only: an endpoint behind TLS is reached through the user's own node or
//! a local proxy.

mod agreement;
mod answer;
mod endpoint;
mod error;
mod fees;
mod observe;
mod panel;
#[cfg(test)]
mod tests;
mod view;
mod watch;

pub use agreement::{Quorum, Unknown};
pub use answer::{BlockFacts, ReceiptFacts};
pub use endpoint::{Endpoint, Limits, MAX_ANSWER_BYTES};
pub use error::{EndpointError, MAX_MESSAGE_CHARS, TransmitError};
pub use fees::{Fees, History};
pub use view::{Broadcast, ChainView, Finality};
pub use watch::{Observation, Verdict, Watched, decide};

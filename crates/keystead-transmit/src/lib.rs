//! Chain endpoints, broadcast and watch; knows no key.
//!
//! An endpoint is somebody else's computer. What the chain says is believed only when `k` of the `m`
//! configured endpoints say exactly the same; otherwise the answer is [`Unknown`], and nobody falls back
//! to a single voice. An `https` endpoint proves its name by a certificate of an authority of the system's
//! store, or of the one file that its configuration names; one that does not is unavailable, like one that
//! is down. There is no switch that skips this.

mod agreement;
mod alike;
mod answer;
mod batch;
pub mod coins;
mod courier;
mod endpoint;
mod error;
mod fees;
mod http;
mod observe;
pub mod outside;
mod panel;
mod read;
mod refusal;
mod scan;
mod state_at;
#[cfg(test)]
mod tests;
mod tls;
mod view;
mod watch;

pub use agreement::{Quorum, Unknown};
pub use answer::{BlockFacts, HeaderFacts, ReceiptFacts};
pub use courier::{Courier, DELIVERY_TIME, Network, Undelivered};
pub use endpoint::{Endpoint, Limits, MAX_ANSWER_BYTES};
pub use error::{Distrust, EndpointError, MAX_MESSAGE_CHARS, ReadError, TransmitError};
pub use fees::{Fees, History};
pub use read::RanFacts;
pub use scan::{FlowFacts, MovedFacts, ScannedBlock, SentFacts, Sought};
pub use state_at::{AccountFacts, Holdings};
pub use tls::Roots;
pub use view::{Broadcast, ChainView, Finality};
pub use watch::{Observation, Verdict, Watched, decide};

//! The founding of a cluster over several machines: what each member contributes, and what all of them sign.
//!
//! A [`SignedContribution`] is one member's public keys, signed by that member. A [`Transcript`] is the genesis with
//! the contributions that it was made of; it can be computed again from them, so that nobody has to believe whoever
//! put it together. An [`Assent`] is one member's signature on it, and a [`SignedTranscript`] has all of them.

mod assent;
mod contribution;
mod error;
mod signed;
mod transcript;

pub use assent::Assent;
pub use contribution::{Contribution, FounderPart, NodePart, Part, ServicePart, SignedContribution};
pub use error::CeremonyError;
pub use signed::{FinishedCeremony, SignedTranscript};
pub use transcript::{CheckedTranscript, MAX_CONTRIBUTIONS, Transcript};

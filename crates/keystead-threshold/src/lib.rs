//! Threshold keys as protocols without input or output: messages in, messages out.
//!
//! A run is a [`Session`]; its id binds key, epoch, holders, purpose, path, digest and policy version. It is begun
//! once ([`Journal::begin`]), which gives the [`Begun`] that a [`Machine`] is made of. A machine knows no clock,
//! no socket and no certificate: **whoever makes one has verified the commit certificate for the session's digest
//! before**, and sends what it says by a [`Post`]. Nothing resumes from the middle of a run.
//!
//! It is the protocols, not their runtime: that is the enclave's (`keystead-signing`), for all three schemes.

mod abort;
mod attempt;
mod channel;
mod curve;
mod deal;
mod dispute;
mod ecdsa;
mod echo;
mod envelope;
mod frost;
mod holders;
mod journal;
mod machine;
mod post;
mod protocol;
mod repair;
mod self_test;
mod session;
mod share;
mod source;
#[cfg(test)]
mod tests;
mod tried;
mod vss;

pub use abort::{Abort, Culprit, Fault};
pub use attempt::Attempt;
pub use channel::{Channel, Letter};
pub use curve::{Bip340, Ed25519, Suite, ed25519_public, ed25519_scalar};
pub use deal::Deal;
pub use deal::split::{Split, SplitError};
pub use dispute::{Dispute, Said, Shown, Told, proven, told_two_things};
pub use ecdsa::{CHAIN_CODE_BYTES, Ceremony, Dkls23, EcdsaEngine, EcdsaShare, EcdsaSignature, Kept};
pub use envelope::{Envelope, Kind, MAX_ENVELOPE_BYTES, Message};
pub use frost::{Generate, MAX_MESSAGE_BYTES, Sign, Signature};
pub use holders::{Holders, HoldersError, MAX_HOLDERS};
pub use journal::{BeginError, Begun, Journal, QUARANTINE_ABORTS, Record, Unwritten};
pub use machine::{End, Machine, Step};
pub use post::{Address, Post, PostError};
pub use protocol::{Delivery, Draft, Expects, Heard, MAX_PAYLOAD_BYTES, Next, Parcel, Protocol};
pub use repair::Repair;
pub use self_test::THRESHOLD_SELF_TESTS;
pub use session::{MAX_PATH_STEPS, Purpose, Scheme, Session, SessionError, SessionId};
pub use share::{KeyShare, PublicShares, SHARE_BYTES};
pub use tried::Tried;

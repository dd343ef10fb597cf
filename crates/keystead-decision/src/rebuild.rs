//! The rebuild of a cluster all of whose nodes are lost: what people sign in the place of a quorum of nodes, once.
//!
//! A [`Rebuild`] names the last block of a backup of the log and the roster of new nodes. [`SignedRebuild`] has the
//! signatures of a larger quorum of people than a change of the roster takes. [`State::awaiting`] is the state that
//! the new nodes start from: its next block holds that document and nothing else, freezes everything, and is the
//! first that the new roster votes for. A [`RebuildDraft`] is the same with what somebody needs who has only the
//! pinned genesis: nobody has to believe whoever put it together.
//!
//! [`State::awaiting`]: crate::State::awaiting

mod awaiting;
mod document;
mod draft;
mod error;

pub(crate) use awaiting::Pending;
pub use document::{Rebuild, RebuildSignature, SignedRebuild};
pub use draft::{Basis, CheckedRebuild, FinishedRebuild, RebuildAssent, RebuildBundle, RebuildDraft};
pub use error::RebuildError;

//! The consensus engine, wrapped: our words in, our words out, one instance for each height.
//!
//! The engine is `arc-malachitebft-core-consensus`, Tendermint as a library without input or output
//! (docs/decisions/0006-consensus-engine.md). Nothing outside this folder names its types.

mod certify;
mod context;
mod convert;
mod deliberation;
mod hands;

pub(crate) use deliberation::{Deliberation, Seat};
pub(crate) use hands::{Act, Decided};

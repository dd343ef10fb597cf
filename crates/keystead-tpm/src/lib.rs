//! Talks to a TPM 2.0: seals, counts and quotes.
//!
//! A program of its own, `keystead-tpm`, so that nothing else links the TPM's C library: `keystead` starts it, asks for one
//! [`keystead_attest::tpm::Errand`], and reads one line. Handles are flushed as soon as they are done with: a TPM has room
//! for three.

mod counter;
mod errand;
mod error;
mod harden;
mod identity;
mod seal;
mod tpm;

pub use errand::{run, serve};
pub use error::TpmError;
pub use harden::harden;
pub use identity::{Device, TpmAttester};
pub use seal::{MAX_SECRET_BYTES, Unsealed};
pub use tpm::{AuthValue, Tpm};

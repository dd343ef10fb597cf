//! TPM 2.0: quotes of measured boot, and the identity key that signs them.
//!
//! Structures and their names are those of the TPM 2.0 Library specification, part 2; big-endian throughout.

mod blobs;
mod credential;
mod endorsement;
mod errand;
mod identity;
mod mark;
mod pcrs;
mod public;
mod quote;
mod reader;
#[cfg(test)]
mod samples;

pub use blobs::{TpmKey, TpmSeal};
pub use credential::{Credential, CredentialChallenge};
pub use endorsement::Endorsement;
pub use errand::{Errand, ErrandReply, PROGRAM, RandomSamples, TPM_RANDOM_BYTES, TpmPlace, TpmStatus};
pub use identity::TpmIdentity;
pub use mark::{MarkKey, OnDisk, RollbackError, RollbackMark};
pub use pcrs::Pcrs;
pub use quote::{TpmEvidence, TpmVerifier};

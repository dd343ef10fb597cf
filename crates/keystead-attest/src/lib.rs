//! Reads evidence of what a machine runs, and releases a secret to what an allow list names.
//!
//! Nothing here opens a device, reads a clock or draws randomness: a [`Verifier`] gets bytes and a moment, a release gets
//! a [`keystead_keys::Fill`]. Who makes the evidence is an [`Attester`], in the crate of its hardware.
//!
//! The way of a release, where each stage's output is the only key to the next (specs/attestation.md):
//!
//! ```text
//! Challenge ── evidence, key ──► Attested ── AllowList in force ──► Released
//! ```

mod allow;
mod amd;
mod cbor;
mod certificate;
mod claims;
mod custodian;
mod enrolling;
mod error;
mod evidence;
mod fido;
mod makers;
mod nitro;
mod release;
pub mod tpm;
#[cfg(test)]
mod vectors;

pub use allow::{AllowList, AllowedProgram, MAX_ALLOWED_PROGRAMS, MAX_REVOKED_DEVICES};
pub use amd::AmdVerifier;
pub use certificate::extension as certificate_extension;
pub use claims::{
    Attested, CHALLENGE_SECONDS, Challenge, Platform, Report, ReportData, Tcb, measurement, report_data,
};
pub use custodian::{Custodian, Rules};
pub use enrolling::{ENROLMENT_PCRS, EnrolmentChallenge, TokenTestimony};
pub use error::{AllowError, EvidenceError, Reason, ReleaseError};
pub use evidence::{Attester, Verifier};
pub use fido::FidoAttestation;
pub use makers::Makers;
pub use nitro::NitroVerifier;
pub use release::{MAX_RELEASED_BYTES, Released, release};

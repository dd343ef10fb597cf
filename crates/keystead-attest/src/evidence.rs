//! The two ends of an attestation: who makes evidence, and who reads it.

use keystead_base::Timestamp;

use crate::{EvidenceError, Report, ReportData};

/// Makes evidence of what this machine runs. Whoever implements it talks to hardware.
pub trait Attester {
    /// What can fail.
    type Error;

    /// Evidence with `data` in it, as the verifier of the same platform reads it.
    ///
    /// # Errors
    ///
    /// The hardware's.
    fn attest(&mut self, data: &ReportData) -> Result<Vec<u8>, Self::Error>;
}

/// Reads evidence of one platform: checks the chain to the maker's root and the signature, and says what stands in it.
///
/// Whether that is fresh, allowed and good enough is for [`crate::Challenge::answer`] and [`crate::release`].
pub trait Verifier {
    /// What genuine evidence says.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`]: anything that is not genuine at `now`.
    fn read(&self, evidence: &[u8], now: Timestamp) -> Result<Report, EvidenceError>;
}

//! Reads quotes of Intel TDX and SGX: by a quoting enclave of the platform, and collateral of Intel's that is in force now.
//!
//! Whoever uses it is handed the collateral by somebody who fetched it; nothing here asks a server.

use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::configs::RustCryptoConfig;
use dcap_qvl::quote::Report as Body;
use dcap_qvl::verify::QuoteVerifier;
use keystead_attest::{EvidenceError, Platform, Reason, Report, Tcb, Verifier, measurement};
use keystead_base::{Digest, Timestamp};
use sha2::{Digest as _, Sha256};

/// Reads quotes with the collateral of their platform, which somebody fetched from Intel.
#[derive(Clone, Debug)]
pub struct IntelVerifier {
    collateral: QuoteCollateralV3,
}

impl IntelVerifier {
    /// With this collateral; what is in it is checked with every quote.
    #[must_use]
    pub fn new(collateral: QuoteCollateralV3) -> Self {
        Self { collateral }
    }
}

impl Verifier for IntelVerifier {
    fn read(&self, evidence: &[u8], now: Timestamp) -> Result<Report, EvidenceError> {
        let verifier = QuoteVerifier::new_prod().with_config::<RustCryptoConfig>();
        // A program in debug mode is refused here already.
        let verified = verifier.verify(evidence, &self.collateral, now.seconds());
        let verified = verified.map_err(|error| refusal(&format!("{error:#}")))?;
        let tcb = Tcb(vec![rank(&verified.status)?]);
        let device = Digest(Sha256::digest(&verified.ppid).into());
        let body = &verified.report;
        let (platform, raw, data) = match body {
            Body::SgxEnclave(report) => (Platform::Sgx, report.mr_enclave.to_vec(), report.report_data),
            Body::TD10(_) | Body::TD15(_) | Body::TD15Ex(_) => {
                let found = || "another body".to_owned();
                let report =
                    body.as_td10().ok_or_else(|| EvidenceError::Form { expected: "a TD", found: found() })?;
                let parts = [report.mr_td, report.rt_mr0, report.rt_mr1, report.rt_mr2, report.rt_mr3];
                (Platform::Tdx, parts.concat(), report.report_data)
            }
        };
        let measurement = measurement(platform, &raw);
        Ok(Report { platform, measurement, tcb, debug: false, device, data: data.to_vec() })
    }
}

/// What Intel says of the platform's firmware, as a number that a floor can be set to.
fn rank(status: &str) -> Result<u64, EvidenceError> {
    Ok(match status {
        "UpToDate" => 5,
        "SWHardeningNeeded" => 4,
        "ConfigurationNeeded" => 3,
        "ConfigurationAndSWHardeningNeeded" => 2,
        "OutOfDate" | "OutOfDateConfigurationNeeded" => 1,
        other => return Err(EvidenceError::Revoked { reason: Reason::Words(other.to_owned()) }),
    })
}

/// The library says why in words alone.
fn refusal(words: &str) -> EvidenceError {
    let reason = || Reason::Words(words.to_owned());
    let small = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|it| small.contains(it));
    if says(&["revoked"]) {
        EvidenceError::Revoked { reason: reason() }
    } else if says(&[
        "expired",
        "no matching tcb",
        "not yet valid",
        "notvalidyet",
        "issue date",
        "in the future",
    ]) {
        EvidenceError::Stale { reason: reason() }
    } else if says(&["signature"]) {
        EvidenceError::Signature { reason: reason() }
    } else if says(&["debug"]) {
        EvidenceError::Form { expected: "a program that does not run in debug mode", found: words.to_owned() }
    } else if says(&["decode", "parse", "not enough data"]) {
        EvidenceError::Form { expected: "a quote of TDX or SGX", found: words.to_owned() }
    } else {
        EvidenceError::Chain { reason: reason() }
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    /// What no genuine quote shows: the library says it in these words.
    #[test]
    fn a_revoked_platform_and_a_program_in_debug_mode_are_refused() {
        assert_eq!(rank("Revoked").unwrap_err().code(), "evidence.revoked");
        assert_eq!(rank("a word that is not known").unwrap_err().code(), "evidence.revoked");
        for (words, code) in [
            ("TCB status is invalid: Revoked", "evidence.revoked"),
            ("failed to verify: CertRevoked", "evidence.revoked"),
            ("Debug mode is enabled", "evidence.form"),
            ("TCBInfo expired", "evidence.stale"),
            ("something new", "evidence.chain"),
        ] {
            assert_eq!(refusal(words).code(), code, "{words}");
        }
    }
}

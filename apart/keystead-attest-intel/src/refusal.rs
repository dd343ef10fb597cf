//! What `dcap-qvl` refuses, in the house's own errors, and Intel's words for firmware as numbers.

use dcap_webpki::Error as Certificate;
use keystead_attest::{EvidenceError, Reason};

/// What Intel says of the machine's firmware, as a number that a floor can be set to (specs/attestation.md).
pub(crate) fn rank(status: &str) -> Result<u64, EvidenceError> {
    Ok(match status {
        "UpToDate" => 5,
        "SWHardeningNeeded" => 4,
        "ConfigurationNeeded" => 3,
        "ConfigurationAndSWHardeningNeeded" => 2,
        // A domain that is advised to start again started under old firmware, and may hold what that let in.
        "OutOfDate"
        | "OutOfDateConfigurationNeeded"
        | "TDRelaunchAdvised"
        | "TDRelaunchAdvisedConfigurationNeeded" => 1,
        other => return Err(EvidenceError::Revoked { reason: Reason::Words(other.to_owned()) }),
    })
}

/// By type where the library has one, and else by its words: whatever is not known is refused all the same, as a chain that does not hold.
pub(crate) fn refusal(error: &anyhow::Error) -> EvidenceError {
    let words = format!("{error:#}");
    let small = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|it| small.contains(it));
    let reason = Reason::Words(words.clone());
    match error.downcast_ref::<Certificate>() {
        Some(Certificate::CertRevoked) => EvidenceError::Revoked { reason },
        Some(Certificate::CrlExpired { .. }) => EvidenceError::Stale { reason },
        Some(_) => EvidenceError::Chain { reason },
        None if says(&["revoked"]) => EvidenceError::Revoked { reason },
        None if says(&["expired", "issue date is in the future", "no matching", "below minimum"]) => {
            EvidenceError::Stale { reason }
        }
        None if says(&["signature is invalid", "qe report hash mismatch"]) => {
            EvidenceError::Signature { reason }
        }
        None if says(&[
            "decode quote",
            "unsupported dcap",
            "unsupported tee",
            "must have version",
            "qe vendor",
        ]) =>
        {
            form("a quote of TDX or SGX, by a key on P-256", &words)
        }
        None if says(&["td migration", "sept_ve_disable", "service td", "servtd", "reserved bits"]) => {
            form("a domain that stays here and that nobody reads by faults", &words)
        }
        None => EvidenceError::Chain { reason },
    }
}

pub(crate) fn form(expected: &'static str, found: &str) -> EvidenceError {
    EvidenceError::Form { expected, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Error};
    use keystead_base::Coded as _;

    use super::*;

    /// The words around them would say something else.
    #[test]
    fn an_error_of_a_certificate_is_known_by_its_type() {
        for (error, expected) in [
            (Certificate::CertRevoked, "evidence.revoked"),
            (Certificate::UnsupportedCrlVersion, "evidence.chain"),
            (Certificate::UnknownIssuer, "evidence.chain"),
        ] {
            let within =
                Err::<(), _>(Error::msg(error)).context("No matching signature is invalid").unwrap_err();
            assert_eq!(refusal(&within).code(), expected, "{within:#}");
        }
    }

    #[test]
    fn words_that_are_not_known_are_refused() {
        assert_eq!(refusal(&Error::msg("something new")).code(), "evidence.chain");
        assert_eq!(rank("something new").unwrap_err().code(), "evidence.revoked");
    }
}

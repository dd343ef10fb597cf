//! Quotes of real machines, from `dcap-qvl`, at the time when their collateral was in force.

use keystead_attest::{EvidenceError, Platform, Report, Verifier as _};
use keystead_attest_intel::IntelVerifier;
use keystead_base::{Coded as _, Timestamp};

/// 2025-06-20 00:00 UTC.
const THEN: Timestamp = Timestamp(1_750_377_600_000);

fn data(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn code(result: Result<Report, EvidenceError>) -> &'static str {
    result.expect_err("it is refused").code()
}

fn verifier(name: &str) -> IntelVerifier {
    IntelVerifier::new(serde_json::from_slice(&data(name)).unwrap())
}

#[test]
fn genuine_quotes_of_tdx_and_sgx_are_read_and_tampered_ones_refused() {
    for (quote, collateral, platform, status) in [
        ("tdx_quote", "tdx_quote_collateral.json", Platform::Tdx, 5),
        ("sgx_quote", "sgx_quote_collateral.json", Platform::Sgx, 2),
    ] {
        let (verifier, quote) = (verifier(collateral), data(quote));
        let read = verifier.read(&quote, THEN).unwrap();
        assert_eq!(
            (read.platform, read.tcb.0, read.data.len(), read.debug),
            (platform, vec![status], 64, false)
        );
        // The body of the report stands behind a header of 48 bytes.
        for at in [60, 48 + 112, 48 + 330] {
            let mut altered = quote.clone();
            altered[at] ^= 1;
            assert_eq!(code(verifier.read(&altered, THEN)), "evidence.signature", "{platform:?} byte {at}");
        }
        assert!(verifier.read(&quote[..quote.len() / 2], THEN).is_err());
    }
}

#[test]
fn what_intel_said_is_good_for_its_time_alone() {
    for (quote, collateral) in
        [("tdx_quote", "tdx_quote_collateral.json"), ("sgx_quote", "sgx_quote_collateral.json")]
    {
        let (verifier, quote) = (verifier(collateral), data(quote));
        for years in [1, 5] {
            let later = THEN.plus_seconds(years * 365 * 86_400);
            assert_eq!(code(verifier.read(&quote, later)), "evidence.stale", "{years} years later");
        }
        assert!(verifier.read(&quote, Timestamp(0)).is_err());
    }
}

#[test]
fn firmware_that_intel_calls_outdated_is_refused_or_ranks_below() {
    let quote = data("tdx_quote_outdated");
    let json: serde_json::Value =
        serde_json::from_slice(&data("tdx_quote_outdated_collateral.json")).unwrap();
    let info: serde_json::Value = serde_json::from_str(json["tcb_info"].as_str().unwrap()).unwrap();
    let issued = info["issueDate"].as_str().unwrap();
    let read =
        verifier("tdx_quote_outdated_collateral.json").read(&quote, at(issued).plus_seconds(2 * 86_400));
    match read {
        Ok(report) => assert!(report.tcb.0 < vec![5], "{issued}: {report:?}"),
        Err(error) => assert!(format!("{error:?}").contains("TCB"), "{issued}: {error}"),
    }
    // Collateral of another platform vouches for nothing.
    assert!(verifier("sgx_quote_collateral.json").read(&data("tdx_quote"), THEN).is_err());
}

/// `2025-06-19T10:16:03Z`, to the day.
fn at(text: &str) -> Timestamp {
    let mut parts = text.split(['-', 'T']).map(|it| it.parse::<u64>().unwrap_or(0));
    let (year, month, day) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let shifted = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days =
        365 * shifted.0 + shifted.0 / 4 - shifted.0 / 100 + shifted.0 / 400 + (153 * shifted.1 + 2) / 5 + day
            - 1;
    Timestamp((days - 719_468) * 86_400_000)
}

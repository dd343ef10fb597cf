//! What evidence of any platform says, and the challenge that makes it fresh.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, Timestamp, tagged_hash};
use keystead_keys::{Fill, RecipientPublicKey};
use serde::{Deserialize, Serialize};

use crate::{EvidenceError, Verifier};

/// How long a challenge can be answered, in seconds.
pub const CHALLENGE_SECONDS: u64 = 60;

/// What vouches for the evidence.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// A TPM 2.0's quote of measured boot.
    Tpm,
    /// AMD SEV-SNP.
    SevSnp,
    /// Intel TDX.
    Tdx,
    /// Intel SGX.
    Sgx,
    /// AWS Nitro Enclaves.
    Nitro,
}

impl Platform {
    /// The platform's stable name, as JSON writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tpm => "tpm",
            Self::SevSnp => "sev_snp",
            Self::Tdx => "tdx",
            Self::Sgx => "sgx",
            Self::Nitro => "nitro",
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Tpm => 0,
            Self::SevSnp => 1,
            Self::Tdx => 2,
            Self::Sgx => 3,
            Self::Nitro => 4,
        }
    }
}

/// The measurement of a program, from what the platform measured: `raw` is stated for each in specs/attestation.md.
#[must_use]
pub fn measurement(platform: Platform, raw: &[u8]) -> Digest {
    tagged_hash("keystead/measurement/v1", &[&[platform.number()], raw].concat())
}

/// How new the platform's own firmware is: numbers that are compared one by one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tcb(pub Vec<u64>);

impl Tcb {
    /// Whether every number is at least that of `floor`, and there are as many.
    #[must_use]
    pub fn reaches(&self, floor: &Self) -> bool {
        self.0.len() == floor.0.len() && self.0.iter().zip(&floor.0).all(|(found, floor)| found >= floor)
    }
}

/// What stands in genuine evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What vouches for it.
    pub platform: Platform,
    /// What runs.
    pub measurement: Digest,
    /// How new the platform's firmware is.
    pub tcb: Tcb,
    /// Whether somebody else may look inside.
    pub debug: bool,
    /// Which machine, by a key of its hardware.
    pub device: Digest,
    /// What the attester bound: [`ReportData`], zeros behind it where the platform has more room.
    pub data: Vec<u8>,
}

/// What evidence binds: the challenge and the key that the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportData(pub [u8; 32]);

/// `H(nonce || key)`: evidence with it answers this challenge, for this key, and no other.
#[must_use]
pub fn report_data(nonce: &Digest, key: &RecipientPublicKey) -> ReportData {
    let bytes = [nonce.as_bytes().as_slice(), key.as_bytes()].concat();
    ReportData(*tagged_hash("keystead/report-data/v1", &bytes).as_bytes())
}

/// A nonce that is asked once. Answering uses it up:
///
/// ```compile_fail,E0382
/// # use keystead_attest::{Challenge, Verifier};
/// # use keystead_base::Timestamp;
/// fn twice(one: Challenge, v: &dyn Verifier, key: &keystead_keys::RecipientPublicKey) {
///     let _ = one.answer(v, &[], key, Timestamp(0));
///     let _ = one.answer(v, &[], key, Timestamp(0));
/// }
/// ```
#[derive(Debug)]
pub struct Challenge {
    nonce: Digest,
    asked: Timestamp,
}

impl Challenge {
    /// A fresh one.
    #[must_use]
    pub fn new(now: Timestamp, fill: Fill<'_>) -> Self {
        let mut nonce = [0; 32];
        fill(&mut nonce);
        Self { nonce: Digest(nonce), asked: now }
    }

    /// What the attester is asked with.
    #[must_use]
    pub fn nonce(&self) -> Digest {
        self.nonce
    }

    /// Reads the answer: genuine evidence, in time, that binds this nonce and `key`.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`]; the challenge is gone all the same.
    pub fn answer(
        self,
        verifier: &dyn Verifier,
        evidence: &[u8],
        key: &RecipientPublicKey,
        now: Timestamp,
    ) -> Result<Attested, EvidenceError> {
        let until = self.asked.plus_seconds(CHALLENGE_SECONDS);
        if now < self.asked || until < now {
            return Err(EvidenceError::Late { until, now });
        }
        let report = verifier.read(evidence, now)?;
        let ReportData(expected) = report_data(&self.nonce, key);
        let bound = report.data.split_at_checked(expected.len());
        if !bound.is_some_and(|(bound, rest)| bound == expected && rest.iter().all(|byte| *byte == 0)) {
            return Err(EvidenceError::Binding);
        }
        Ok(Attested { report, nonce: self.nonce, key: key.clone(), until })
    }
}

/// Genuine and fresh evidence, with the key that it binds. Only [`Challenge::answer`] makes it:
///
/// ```compile_fail,E0451
/// use keystead_attest::Attested;
/// fn forge(old: Attested, nonce: keystead_base::Digest) -> Attested {
///     Attested { nonce, ..old }
/// }
/// ```
#[derive(Debug)]
pub struct Attested {
    report: Report,
    nonce: Digest,
    key: RecipientPublicKey,
    until: Timestamp,
}

impl Attested {
    /// What the evidence says.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The challenge that it answered.
    #[must_use]
    pub fn nonce(&self) -> Digest {
        self.nonce
    }

    /// Until when it is fresh.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The key that it binds.
    #[must_use]
    pub fn key(&self) -> &RecipientPublicKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_of_another_length_reaches_no_floor() {
        let reaches = |found: &[u64], floor: &[u64]| Tcb(found.to_vec()).reaches(&Tcb(floor.to_vec()));
        for (found, floor, expected) in [
            ([5, 6].as_slice(), [5, 6].as_slice(), true),
            (&[5, 7], &[5, 6], true),
            (&[5, 5], &[5, 6], false),
            (&[9, 5], &[5, 6], false),
            // Whatever stands in front: what is not said is not new enough, and what nobody asked for is not compared.
            (&[9], &[5, 6], false),
            (&[], &[5, 6], false),
            (&[9, 9, 9], &[5, 6], false),
            (&[9], &[], false),
            (&[], &[], true),
        ] {
            assert_eq!(reaches(found, floor), expected, "{found:?} {floor:?}");
        }
    }
}

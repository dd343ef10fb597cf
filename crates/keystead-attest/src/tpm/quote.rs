//! A quote: what the TPM says of its registers, signed by the identity key.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Timestamp};
use serde::{Deserialize, Serialize};

use crate::tpm::public::{ALG_ECDSA, ALG_SHA256, coordinate};
use crate::tpm::reader::Reader;
use crate::tpm::{Pcrs, TpmIdentity};
use crate::{EvidenceError, Platform, Report, Tcb, Verifier, measurement};

/// What a TPM hands over.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmEvidence {
    /// The statement (`TPMS_ATTEST`).
    #[serde(with = "const_hex")]
    pub quote: Vec<u8>,
    /// The signature over it (`TPMT_SIGNATURE`).
    #[serde(with = "const_hex")]
    pub signature: Vec<u8>,
}

impl Canonical for TpmEvidence {
    const DOMAIN: &'static str = "keystead/tpm-evidence/v1";
    const MAX_BYTES: usize = 4096;
}

/// Reads quotes of one enrolled device.
#[derive(Clone, Debug)]
pub struct TpmVerifier {
    identity: TpmIdentity,
    pcrs: Pcrs,
}

impl TpmVerifier {
    /// For the quotes of this device over exactly these registers.
    #[must_use]
    pub fn new(identity: TpmIdentity, pcrs: Pcrs) -> Self {
        Self { identity, pcrs }
    }
}

impl Verifier for TpmVerifier {
    fn read(&self, evidence: &[u8], _now: Timestamp) -> Result<Report, EvidenceError> {
        let evidence = TpmEvidence::from_document(evidence)
            .map_err(|error| EvidenceError::Form { expected: "a TPM's evidence", found: error.to_string() })?;
        let key = self.identity.read()?;
        let signature = signature(&evidence.signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point)
            .verify(&evidence.quote, &signature)
            .map_err(|_| EvidenceError::Signature { reason: "ECDSA over P-256".to_owned() })?;
        let quote = Quote::read(&evidence.quote)?;
        if quote.pcrs != self.pcrs {
            let (expected, found) = (self.pcrs.to_string(), quote.pcrs.to_string());
            return Err(EvidenceError::OtherPcrs { expected, found });
        }
        let raw = [quote.pcrs.bitmap().as_slice(), quote.digest].concat();
        Ok(Report {
            platform: Platform::Tpm,
            measurement: measurement(Platform::Tpm, &raw),
            tcb: Tcb(vec![quote.firmware]),
            // A TPM has no such mode: what may look into the machine stands in its measured boot.
            debug: false,
            device: self.identity.device(),
            data: quote.data.to_vec(),
        })
    }
}

/// The parts of a `TPMS_ATTEST` that count here.
struct Quote<'a> {
    data: &'a [u8],
    firmware: u64,
    pcrs: Pcrs,
    digest: &'a [u8],
}

impl<'a> Quote<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, EvidenceError> {
        let mut reader = Reader::new(bytes);
        // A restricted key signs nothing from outside that begins so.
        if reader.u32()? != TPM_GENERATED {
            let found = "another magic number".to_owned();
            return Err(EvidenceError::Form { expected: "a statement of the TPM itself", found });
        }
        reader.expect("a quote", ST_ATTEST_QUOTE)?;
        let _signer = reader.sized()?;
        let data = reader.sized()?;
        let _clock = reader.u64()?;
        let _resets = (reader.u32()?, reader.u32()?, reader.u8()?);
        let firmware = reader.u64()?;
        if reader.u32()? != 1 {
            let found = "several".to_owned();
            return Err(EvidenceError::Form { expected: "one bank of registers", found });
        }
        reader.expect("the bank of SHA-256", ALG_SHA256)?;
        let bytes = usize::from(reader.u8()?);
        let pcrs = Pcrs::from_bitmap(reader.bytes(bytes)?)?;
        let digest = reader.sized()?;
        reader.end()?;
        Ok(Self { data, firmware, pcrs, digest })
    }
}

/// `r || s` of a `TPMT_SIGNATURE` by ECDSA with SHA-256.
fn signature(bytes: &[u8]) -> Result<[u8; 64], EvidenceError> {
    let mut reader = Reader::new(bytes);
    reader.expect("a signature by ECDSA", ALG_ECDSA)?;
    reader.expect("ECDSA over SHA-256", ALG_SHA256)?;
    let (r, s) = (coordinate(reader.sized()?)?, coordinate(reader.sized()?)?);
    reader.end()?;
    let mut both = [0; 64];
    let (to_r, to_s) = both.split_at_mut(32);
    to_r.copy_from_slice(&r);
    to_s.copy_from_slice(&s);
    Ok(both)
}

const TPM_GENERATED: u32 = 0xff54_4347;
const ST_ATTEST_QUOTE: u16 = 0x8018;

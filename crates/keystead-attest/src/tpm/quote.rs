//! A quote: what the TPM says of its registers, signed by the identity key.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Timestamp};
use serde::{Deserialize, Serialize};

use crate::tpm::public::{ALG_ECDSA, ALG_SHA256, coordinate};
use crate::tpm::reader::Reader;
use crate::tpm::{Pcrs, TpmIdentity};
use crate::{EvidenceError, Platform, Reason, Report, Tcb, Verifier, measurement};

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
            .map_err(|error| EvidenceError::Document { expected: "a TPM's evidence", error })?;
        let key = self.identity.read()?;
        let signature = signature(&evidence.signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point)
            .verify(&evidence.quote, &signature)
            .map_err(|_| EvidenceError::Signature { reason: Reason::Words("ECDSA over P-256".to_owned()) })?;
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

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;
    use crate::tpm::samples::{Signer, Statement};

    fn read(signer: &Signer, statement: &Statement) -> Result<Report, &'static str> {
        let verifier = TpmVerifier::new(signer.identity(), "0,4,7".parse().unwrap());
        let evidence = signer.sign(&statement.bytes()).to_document();
        verifier.read(&evidence, Timestamp(0)).map_err(|error| error.code())
    }

    /// Each is signed by the very key of the device: what is wrong with it stands behind a signature that holds.
    #[test]
    fn a_signed_statement_that_is_no_quote_of_these_registers_is_refused() {
        let (signer, right) = (Signer::new(), Statement::right());
        let report = read(&signer, &right).unwrap();
        assert_eq!((report.tcb, report.data), (Tcb(vec![9]), vec![7; 32]));
        let form = Err("evidence.form");
        for (what, statement, refused) in [
            ("made outside of the TPM", Statement { magic: 0xff54_4348, ..right.clone() }, form),
            ("a certification of a key", Statement { kind: 0x8017, ..right.clone() }, form),
            ("no bank", Statement { banks: 0, ..right.clone() }, form),
            ("two banks", Statement { banks: 2, ..right.clone() }, form),
            ("the bank of SHA-1", Statement { bank: 0x04, ..right.clone() }, form),
            ("the bank of SHA-384", Statement { bank: 0x0c, ..right.clone() }, form),
            ("bytes behind it", Statement { behind: vec![0], ..right.clone() }, form),
            (
                "fewer registers",
                Statement { bitmap: vec![0x11, 0, 0], ..right.clone() },
                Err("evidence.other_pcrs"),
            ),
            (
                "more registers",
                Statement { bitmap: vec![0x93, 0, 0], ..right.clone() },
                Err("evidence.other_pcrs"),
            ),
            ("no registers", Statement { bitmap: vec![0, 0, 0], ..right.clone() }, Err("evidence.pcrs")),
            (
                "register 16",
                Statement { bitmap: vec![0x91, 0, 1], ..right.clone() },
                Err("evidence.resettable_pcr"),
            ),
            ("register 24", Statement { bitmap: vec![0x91, 0, 0, 1], ..right.clone() }, Err("evidence.pcrs")),
        ] {
            assert_eq!(read(&signer, &statement).map(drop), refused, "{what}");
        }
        let bytes = right.bytes();
        for cut in 0..bytes.len() {
            let verifier = TpmVerifier::new(signer.identity(), "0,4,7".parse().unwrap());
            let evidence = signer.sign(&bytes[..cut]).to_document();
            assert_eq!(verifier.read(&evidence, Timestamp(0)).unwrap_err().code(), "evidence.form", "{cut}");
        }
    }

    #[test]
    fn a_signature_of_another_kind_is_refused() {
        let signer = Signer::new();
        let verifier = TpmVerifier::new(signer.identity(), "0,4,7".parse().unwrap());
        let right = signer.sign(&Statement::right().bytes());
        let code = |signature: Vec<u8>| {
            let evidence = TpmEvidence { signature, ..right.clone() }.to_document();
            verifier.read(&evidence, Timestamp(0)).map(drop).map_err(|error| error.code())
        };
        assert_eq!(code(right.signature.clone()), Ok(()));
        // Its scheme, its hash, and something behind it.
        for (at, byte) in [(1, 0x14), (3, 0x04)] {
            let mut other = right.signature.clone();
            other[at] = byte;
            assert_eq!(code(other), Err("evidence.form"));
        }
        assert_eq!(code([right.signature.as_slice(), &[0]].concat()), Err("evidence.form"));
        assert_eq!(
            code(Signer::new().sign(&Statement::right().bytes()).signature),
            Err("evidence.signature")
        );
    }
}

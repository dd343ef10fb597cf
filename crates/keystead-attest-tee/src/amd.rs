//! AMD SEV-SNP: a report by the chip's versioned key (VCEK), whose certificate leads to AMD's root (document 57230).

use keystead_attest::{EvidenceError, Platform, Report, Tcb, Verifier, measurement};
use keystead_base::{Digest, Timestamp};
use sev::certs::snp::{Certificate, Chain, Verifiable as _, builtin::milan, ca};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;
use sha2::{Digest as _, Sha256};

/// Reads reports of one chip of the generation Milan. The certificate's dates and AMD's revocation list are not looked at.
#[derive(Clone, Debug)]
pub struct AmdVerifier {
    vcek: Vec<u8>,
}

impl AmdVerifier {
    /// With the certificate of the chip's key, in DER, as AMD's key server has it.
    #[must_use]
    pub fn new(vcek: Vec<u8>) -> Self {
        Self { vcek }
    }

    fn chain(&self) -> std::io::Result<Chain> {
        let ca = ca::Chain { ark: milan::ark()?, ask: milan::ask()? };
        Ok(Chain { ca, vek: Certificate::from_der(&self.vcek)? })
    }

    /// What AMD says of the key: the firmware that it was made for, and the chip.
    ///
    /// The library compares neither. Without it, an old firmware with a known hole signs that it is a new one.
    fn certified(&self, report: &AttestationReport) -> Result<(), EvidenceError> {
        let tcb = &report.reported_tcb;
        let versions = [(1, tcb.bootloader), (2, tcb.tee), (3, tcb.snp), (8, tcb.microcode)];
        for (of, found) in versions {
            if self.extension(&[1, 3, of]).and_then(integer) != Some(found) {
                let reason = format!("the report names version {found} of part {of}, and the key is of another one");
                return Err(EvidenceError::Signature { reason });
            }
        }
        match self.extension(&[1, 4]).is_some_and(|chip| *chip == report.chip_id) {
            true => Ok(()),
            false => Err(EvidenceError::Signature { reason: "the report names another chip".to_owned() }),
        }
    }

    /// What stands behind one of AMD's object identifiers (1.3.6.1.4.1.3704) in the certificate, which AMD signed.
    fn extension(&self, arcs: &[u8]) -> Option<&[u8]> {
        let oid = [AMD, arcs].concat();
        let header = [0x06, u8::try_from(oid.len()).ok()?];
        let wanted = [header.as_slice(), &oid].concat();
        let at = self.vcek.windows(wanted.len()).position(|window| window == wanted)?;
        let value = self.vcek.get(at.checked_add(wanted.len())?..)?;
        // An OCTET STRING: its length in one byte, then the value.
        let (&[tag, length], rest) = value.split_first_chunk::<2>()?;
        (tag == 0x04).then(|| rest.get(..usize::from(length)))?
    }
}

impl Verifier for AmdVerifier {
    fn read(&self, evidence: &[u8], _now: Timestamp) -> Result<Report, EvidenceError> {
        let report = AttestationReport::from_bytes(evidence)
            .map_err(|error| EvidenceError::Form { expected: "a report of SEV-SNP", found: error.to_string() })?;
        let chain = self.chain().map_err(|error| EvidenceError::Chain { reason: error.to_string() })?;
        chain.verify().map_err(|error| EvidenceError::Chain { reason: error.to_string() })?;
        (&chain, &report).verify().map_err(|error| EvidenceError::Signature { reason: error.to_string() })?;
        self.certified(&report)?;
        let tcb = &report.reported_tcb;
        Ok(Report {
            platform: Platform::SevSnp,
            measurement: measurement(Platform::SevSnp, &report.measurement),
            tcb: Tcb([tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode].map(u64::from).to_vec()),
            debug: report.policy.debug_allowed(),
            device: Digest(Sha256::digest(report.chip_id).into()),
            data: report.report_data.to_vec(),
        })
    }
}

/// A DER integer of one byte, or of two with a zero in front.
fn integer(der: &[u8]) -> Option<u8> {
    match *der {
        [0x02, 1, value] | [0x02, 2, 0, value] => Some(value),
        _ => None,
    }
}

const AMD: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78];

//! AMD SEV-SNP: a report by the chip's versioned key (VCEK), whose certificate leads to AMD's root (documents 56860 and 57230).

use std::ops::Range;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use keystead_base::{Digest, Timestamp};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest as _, Sha256};
use webpki::{KeyUsage, aws_lc_rs as webpki_algorithms};

use crate::makers::p384_point;
use crate::{EvidenceError, Makers, Platform, Reason, Report, Tcb, Verifier, measurement};

/// Reads reports of one chip, of the generations Milan and Genoa: later ones have another form of firmware versions.
#[derive(Clone, Debug)]
pub struct AmdVerifier {
    makers: Makers,
    vcek: Vec<u8>,
}

impl AmdVerifier {
    /// With AMD's root (ARK), the authority of the generation (ASK) and AMD's list of revoked ones, and the certificate of the
    /// chip's key, in DER, as AMD's key server has them.
    #[must_use]
    pub fn new(makers: Makers, vcek: Vec<u8>) -> Self {
        Self { makers, vcek }
    }

    /// What AMD says of the key: the firmware that it was made for, and the chip.
    ///
    /// Without it, an old firmware with a known hole signs that it is a new one.
    fn certified(&self, versions: [u8; 4], chip: &[u8]) -> Result<(), EvidenceError> {
        for (of, found) in [1, 2, 3, 8].into_iter().zip(versions) {
            if self.extension(&[3, of]).and_then(integer) != Some(found) {
                let reason =
                    format!("the report names version {found} of part {of}, and its key is of another one");
                return Err(EvidenceError::Signature { reason: Reason::Words(reason) });
            }
        }
        match self.extension(&[4]) {
            Some(certified) if certified == chip => Ok(()),
            _ => {
                let reason = "the report names another chip than the certificate of its key".to_owned();
                Err(EvidenceError::Signature { reason: Reason::Words(reason) })
            }
        }
    }

    /// What stands behind one of AMD's object identifiers in the certificate, which AMD signed.
    fn extension(&self, arcs: &[u8]) -> Option<&[u8]> {
        let oid = [AMD, arcs].concat();
        let header = [OBJECT_IDENTIFIER, u8::try_from(oid.len()).ok()?];
        let wanted = [header.as_slice(), &oid].concat();
        let at = self.vcek.windows(wanted.len()).position(|window| window == wanted)?;
        let value = self.vcek.get(at.checked_add(wanted.len())?..)?;
        let (&[tag, length], rest) = value.split_first_chunk::<2>()?;
        (tag == OCTET_STRING).then(|| rest.get(..usize::from(length)))?
    }
}

impl Verifier for AmdVerifier {
    fn read(&self, evidence: &[u8], now: Timestamp) -> Result<Report, EvidenceError> {
        let report: &[u8; REPORT_BYTES] = evidence
            .try_into()
            .map_err(|_| form("a report of SEV-SNP, 1,184 bytes", format!("{} bytes", evidence.len())))?;
        let key =
            self.makers.certify(&self.vcek, KeyUsage::required_if_present(NO_USAGE), ALGORITHMS, now)?;
        let (signed, signature) = (part(report, 0..SIGNATURE), part(report, SIGNATURE..SIGNATURE + 144));
        let signature =
            fixed(signature).ok_or_else(|| form("a signature of P-384", "longer numbers".to_owned()))?;
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, p384_point(&key)?)
            .verify(signed, &signature)
            .map_err(|_| EvidenceError::Signature { reason: Reason::Words("ECDSA over P-384".to_owned()) })?;
        if part(report, SIGNATURE_ALGORITHM) != [1, 0, 0, 0] {
            return Err(form("ECDSA over P-384 with SHA-384", "another algorithm".to_owned()));
        }
        // Bits 2 to 4: the key is the chip's own.
        if part(report, FLAGS).iter().any(|flags| flags & 0b1_1100 != 0) {
            return Err(form("a report by the chip's own key (VCEK)", "one by another key".to_owned()));
        }
        if part(report, VMPL) != [0; 4] {
            return Err(form("a report that privilege level 0 asked for", "a lower level".to_owned()));
        }
        let &[boot_loader, tee, _, _, _, _, snp, microcode] = part(report, TCB) else {
            return Err(form("a version of eight bytes", "another one".to_owned()));
        };
        let (versions, chip) = ([boot_loader, tee, snp, microcode], part(report, CHIP));
        self.certified(versions, chip)?;
        Ok(Report {
            platform: Platform::SevSnp,
            measurement: measurement(Platform::SevSnp, part(report, MEASUREMENT)),
            tcb: Tcb(versions.map(u64::from).to_vec()),
            // A migration agent takes a guest's memory elsewhere, and a debugger reads it here.
            debug: part(report, POLICY_ACCESS).iter().any(|bits| bits & 0b1100 != 0),
            device: Digest(Sha256::digest(chip).into()),
            data: part(report, REPORT_DATA).to_vec(),
        })
    }
}

fn part(report: &[u8; REPORT_BYTES], range: Range<usize>) -> &[u8] {
    report.get(range).unwrap_or_default()
}

/// `r || s`, little-endian in 72 bytes each, as 48 bytes each.
fn fixed(signature: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8]| -> Option<Vec<u8>> {
        let (low, high) = bytes.split_at_checked(48)?;
        high.iter().all(|byte| *byte == 0).then(|| low.iter().rev().copied().collect())
    };
    let (r, s) = signature.split_at_checked(72)?;
    Some([number(r)?, number(s)?].concat())
}

/// A DER integer of one byte, or of two with a zero in front.
fn integer(der: &[u8]) -> Option<u8> {
    match *der {
        [0x02, 1, value] | [0x02, 2, 0, value] => Some(value),
        _ => None,
    }
}

fn form(expected: &'static str, found: String) -> EvidenceError {
    EvidenceError::Form { expected, found }
}

/// 1.3.6.1.4.1.3704.1
const AMD: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// AMD's certificates name no usage; one that names some is for something else.
const NO_USAGE: &[u8] = &[0];
/// The root is pinned, so that it says by itself which of these counts: the tests' is of P-384.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[&AmdPss, webpki_algorithms::ECDSA_P384_SHA384];

/// RSA-PSS with SHA-384, whose parameters AMD writes with a trailer field that is the default and so should not stand there.
#[derive(Debug)]
struct AmdPss;

impl SignatureVerificationAlgorithm for AmdPss {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        webpki_algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(AMD_PSS)
    }
}

/// `id-RSASSA-PSS`, SHA-384, MGF1 with SHA-384, a salt of 48 bytes, and trailer field 1.
const AMD_PSS: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x39, 0xa0, 0x0f, 0x30, 0x0d,
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a,
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86,
    0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, 0x30, 0xa3, 0x03, 0x02,
    0x01, 0x01,
];

/// Offsets in a report (document 56860, table 23).
const REPORT_BYTES: usize = 0x4a0;
/// Bits 16 to 23 of the guest's policy: 18 lets a migration agent in, 19 a debugger.
const POLICY_ACCESS: Range<usize> = 0x0a..0x0b;
const VMPL: Range<usize> = 0x30..0x34;
const SIGNATURE_ALGORITHM: Range<usize> = 0x34..0x38;
const FLAGS: Range<usize> = 0x48..0x49;
const REPORT_DATA: Range<usize> = 0x50..0x90;
const MEASUREMENT: Range<usize> = 0x90..0xc0;
const TCB: Range<usize> = 0x180..0x188;
const CHIP: Range<usize> = 0x1a0..0x1e0;
const SIGNATURE: usize = 0x2a0;

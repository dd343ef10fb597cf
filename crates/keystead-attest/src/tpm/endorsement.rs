//! The certificate that a maker gave its TPM: whose endorsement key it is.

use std::time::Duration;

use keystead_base::{Digest, Timestamp};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha2::{Digest as _, Sha256};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert, aws_lc_rs,
};

use crate::{DeviceProof, EvidenceError};

/// The makers of TPMs that are trusted here.
#[derive(Clone, Debug, Default)]
pub struct TpmMakers {
    /// Their root certificates, in DER.
    pub roots: Vec<Vec<u8>>,
    /// What stands between a root and a TPM's certificate, in DER.
    pub intermediates: Vec<Vec<u8>>,
    /// Their revocation lists, in DER; what none of them covers is not revoked.
    pub revocations: Vec<Vec<u8>>,
}

/// An endorsement key with a checked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// The key, as it stands in the certificate (SubjectPublicKeyInfo).
    pub(super) key: Vec<u8>,
    /// Which TPM it is: the id that enrolment knows it by.
    pub(super) device: Digest,
}

impl Endorsement {
    /// Which TPM it is.
    #[must_use]
    pub fn device(&self) -> Digest {
        self.device
    }
}

impl TpmMakers {
    /// Checks the certificate of an endorsement key at this moment.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Chain`] or [`EvidenceError::Revoked`].
    pub fn endorse(&self, certificate: &[u8], now: Timestamp) -> Result<Endorsement, EvidenceError> {
        let der = CertificateDer::from(certificate);
        let leaf = EndEntityCert::try_from(&der).map_err(chain)?;
        let roots: Vec<CertificateDer<'_>> =
            self.roots.iter().map(|it| CertificateDer::from(it.as_slice())).collect();
        let anchors: Vec<TrustAnchor<'_>> =
            roots.iter().map(anchor_from_trusted_cert).collect::<Result<_, _>>().map_err(chain)?;
        let between: Vec<CertificateDer<'_>> =
            self.intermediates.iter().map(|it| CertificateDer::from(it.as_slice())).collect();
        let lists = self.lists()?;
        let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            let options = options.with_depth(RevocationCheckDepth::Chain);
            options.with_status_policy(UnknownStatusPolicy::Allow).build()
        });
        let at = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        let usage = KeyUsage::required_if_present(EK_CERTIFICATE);
        leaf.verify_for_usage(ALGORITHMS, &anchors, &between, at, usage, revocation, None).map_err(chain)?;
        let key = leaf.subject_public_key_info().as_ref().to_vec();
        let device = DeviceProof::Tpm { endorsement: Digest(Sha256::digest(&key).into()) }.device();
        Ok(Endorsement { key, device })
    }

    fn lists(&self) -> Result<Vec<CertRevocationList<'_>>, EvidenceError> {
        let lists = self.revocations.iter().map(|der| BorrowedCertRevocationList::from_der(der));
        lists.map(|list| list.map(CertRevocationList::from)).collect::<Result<_, _>>().map_err(chain)
    }
}

fn chain(error: Error) -> EvidenceError {
    let reason = error.to_string();
    match error {
        Error::CertRevoked => EvidenceError::Revoked { reason },
        _ => EvidenceError::Chain { reason },
    }
}

/// `tcg-kp-EKCertificate`, 2.23.133.8.1: a certificate that says what it is for says this.
const EK_CERTIFICATE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    aws_lc_rs::ECDSA_P256_SHA256,
    aws_lc_rs::ECDSA_P256_SHA384,
    aws_lc_rs::ECDSA_P384_SHA256,
    aws_lc_rs::ECDSA_P384_SHA384,
];

//! Certificates of makers of hardware: from a root that is trusted, over what stands between, to one device, now.

use std::time::Duration;

use keystead_base::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use crate::EvidenceError;

/// The makers that are trusted here for one kind of hardware.
#[derive(Clone, Debug, Default)]
pub struct Makers {
    /// Their root certificates, in DER.
    pub roots: Vec<Vec<u8>>,
    /// What stands between a root and a device's certificate, in DER.
    pub intermediates: Vec<Vec<u8>>,
    /// Their revocation lists, in DER; what none of them covers is not revoked, and one past its date vouches for nobody.
    pub revocations: Vec<Vec<u8>>,
}

impl Makers {
    /// The certificates of a file: as many as it has in PEM, or one in DER.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Form`].
    pub fn certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, EvidenceError> {
        if !file.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Ok(vec![file.to_vec()]);
        }
        let read = CertificateDer::pem_slice_iter(file).map(|it| it.map(|der| der.to_vec()));
        let form = |error: rustls_pki_types::pem::Error| EvidenceError::Form {
            expected: "certificates in PEM or DER",
            found: error.to_string(),
        };
        read.collect::<Result<_, _>>().map_err(form)
    }

    /// Checks the certificate of a device at this moment, and gives its key (SubjectPublicKeyInfo, without its outer tag).
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Chain`], [`EvidenceError::Revoked`], of a list past its date [`EvidenceError::Stale`], and of one that cannot
    /// be read [`EvidenceError::Revocations`].
    pub fn certify(
        &self,
        certificate: &[u8],
        usage: KeyUsage,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        now: Timestamp,
    ) -> Result<Vec<u8>, EvidenceError> {
        let der = CertificateDer::from(certificate);
        let leaf = EndEntityCert::try_from(&der).map_err(refusal)?;
        let roots = certificates(&self.roots);
        let anchors: Vec<TrustAnchor<'_>> =
            roots.iter().map(anchor_from_trusted_cert).collect::<Result<_, _>>().map_err(refusal)?;
        let between = certificates(&self.intermediates);
        let lists = self.lists()?;
        let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            let options = options.with_depth(RevocationCheckDepth::Chain);
            // A list past its date says nothing of today, and whoever holds newer ones back would win by it.
            let options = options.with_expiration_policy(ExpirationPolicy::Enforce);
            options.with_status_policy(UnknownStatusPolicy::Allow).build()
        });
        let at = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        leaf.verify_for_usage(algorithms, &anchors, &between, at, usage, revocation, None)
            .map_err(refusal)?;
        Ok(leaf.subject_public_key_info().as_ref().to_vec())
    }

    fn lists(&self) -> Result<Vec<CertRevocationList<'_>>, EvidenceError> {
        let lists = self.revocations.iter().map(|der| BorrowedCertRevocationList::from_der(der)).enumerate();
        lists
            .map(|(at, list)| list.map_err(|error| EvidenceError::Revocations { at, error }))
            .map(|list| list.map(CertRevocationList::from))
            .collect()
    }
}

fn certificates(ders: &[Vec<u8>]) -> Vec<CertificateDer<'_>> {
    ders.iter().map(|der| CertificateDer::from(der.as_slice())).collect()
}

fn refusal(error: Error) -> EvidenceError {
    match error {
        Error::CertRevoked => EvidenceError::Revoked { reason: error.into() },
        Error::CrlExpired { .. } => EvidenceError::Stale { reason: error.into() },
        _ => EvidenceError::Chain { reason: error.into() },
    }
}

/// The point at the end of a SubjectPublicKeyInfo of P-384.
pub(crate) fn p384_point(key: &[u8]) -> Result<&[u8], EvidenceError> {
    let point = key.len().checked_sub(P384_POINT).and_then(|start| key.get(start..));
    let found = || format!("a key of {} bytes", key.len());
    point.ok_or_else(|| EvidenceError::Form { expected: "a key on P-384", found: found() })
}

const P384_POINT: usize = 97;

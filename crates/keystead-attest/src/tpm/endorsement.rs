//! The certificate that a maker gave its TPM: whose endorsement key it is.

use keystead_base::{Digest, Timestamp};
use keystead_policy::DeviceProof;
use rustls_pki_types::SignatureVerificationAlgorithm;
use sha2::{Digest as _, Sha256};
use webpki::{KeyUsage, aws_lc_rs};

use crate::{EvidenceError, Makers};

/// An endorsement key with a checked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// The key, as it stands in the certificate (SubjectPublicKeyInfo).
    pub(super) key: Vec<u8>,
    /// Which TPM it is: the id that enrolment knows it by.
    pub(super) device: Digest,
}

impl Endorsement {
    /// Checks the certificate of an endorsement key at this moment.
    ///
    /// # Errors
    ///
    /// As [`Makers::certify`].
    pub fn new(makers: &Makers, certificate: &[u8], now: Timestamp) -> Result<Self, EvidenceError> {
        let usage = KeyUsage::required_if_present(EK_CERTIFICATE);
        let key = makers.certify(certificate, usage, ALGORITHMS, now)?;
        let device = proof(&key).device();
        Ok(Self { key, device })
    }

    /// The same as enrolment writes it down.
    #[must_use]
    pub fn proof(&self) -> DeviceProof {
        proof(&self.key)
    }

    /// Which TPM it is.
    #[must_use]
    pub fn device(&self) -> Digest {
        self.device
    }
}

fn proof(key: &[u8]) -> DeviceProof {
    DeviceProof::Tpm { endorsement: Digest(Sha256::digest(key).into()) }
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

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
        date_time_ymd,
    };

    use super::*;

    /// 2026-06-01 00:00 UTC.
    const NOW: Timestamp = Timestamp(1_780_272_000_000);

    struct Maker {
        makers: Makers,
        root: Issuer<'static, KeyPair>,
        between: Issuer<'static, KeyPair>,
        leaf: Vec<u8>,
    }

    fn key() -> KeyPair {
        KeyPair::generate().unwrap()
    }

    fn params(name: &str, serial: u64) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params
    }

    fn authority(name: &str, serial: u64) -> CertificateParams {
        let mut params = params(name, serial);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    fn maker() -> Maker {
        let (root_key, between_key) = (key(), key());
        let (root, between) = (authority("root", 1), authority("between", 2));
        let roots = vec![root.self_signed(&root_key).unwrap().der().to_vec()];
        let root = Issuer::new(root, root_key);
        let intermediates = vec![between.signed_by(&between_key, &root).unwrap().der().to_vec()];
        let between = Issuer::new(between, between_key);
        let leaf = params("a TPM", 3).signed_by(&key(), &between).unwrap().der().to_vec();
        Maker { makers: Makers { roots, intermediates, revocations: Vec::new() }, root, between, leaf }
    }

    /// In force through the year 2026.
    fn list(by: &Issuer<'static, KeyPair>, revoked: &[u64]) -> Vec<u8> {
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2027, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(by).unwrap().der().to_vec()
    }

    #[test]
    fn a_list_of_the_makers_revokes_a_tpm_and_an_authority_and_is_good_for_its_time_alone() {
        let mut maker = maker();
        let mut code = |lists: Vec<Vec<u8>>, now| {
            maker.makers.revocations = lists;
            Endorsement::new(&maker.makers, &maker.leaf, now).map(drop).map_err(|error| error.code())
        };
        let (root, between) = (&maker.root, &maker.between);
        let late = NOW.plus_seconds(365 * 86_400);
        assert_eq!(code(vec![], NOW), Ok(()));
        assert_eq!(code(vec![list(between, &[]), list(root, &[])], NOW), Ok(()));
        assert_eq!(code(vec![list(between, &[4])], NOW), Ok(()), "another TPM");
        assert_eq!(code(vec![list(between, &[3])], NOW), Err("evidence.revoked"));
        assert_eq!(
            code(vec![list(between, &[]), list(root, &[2])], NOW),
            Err("evidence.revoked"),
            "the one between"
        );
        // Whoever holds the newest list back gains nothing by an old one.
        assert_eq!(code(vec![list(between, &[])], late), Err("evidence.stale"));
        assert_eq!(code(vec![list(between, &[3])], late), Err("evidence.stale"));
        assert_eq!(code(vec![list(between, &[]), vec![1, 2]], NOW), Err("evidence.revocations"));
        // A list by somebody else is not this maker's.
        let forged = Issuer::new(authority("between", 2), key());
        assert_eq!(code(vec![list(&forged, &[])], NOW), Err("evidence.chain"));
    }
}

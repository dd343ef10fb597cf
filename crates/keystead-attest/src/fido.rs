//! FIDO2 authenticators: what one says of itself when it makes a credential, under the certificate of its maker (WebAuthn level 2,
//! section 8.2, "packed").

use keystead_base::{Digest, Timestamp};
use keystead_policy::DeviceProof;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use webpki::{EndEntityCert, KeyUsage, aws_lc_rs};

use crate::cbor::Value;
use crate::certificate::{OCTET_STRING, extension, item};
use crate::{EvidenceError, Makers, Reason};

/// An attestation of the form "packed", by a key that the maker certified for its authenticators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FidoAttestation {
    /// The authenticator data, without a head.
    #[serde(with = "const_hex")]
    pub data: Vec<u8>,
    /// ECDSA over P-256 with SHA-256, in DER.
    #[serde(with = "const_hex")]
    pub signature: Vec<u8>,
    /// The attestation certificate, in DER.
    #[serde(with = "const_hex")]
    pub certificate: Vec<u8>,
}

impl FidoAttestation {
    /// Which authenticator made a credential with `challenge` for the hash of its client's data.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`]: another challenge, a maker that is not trusted, a model that its certificate does not name.
    pub fn read(
        &self,
        makers: &Makers,
        challenge: &Digest,
        now: Timestamp,
    ) -> Result<DeviceProof, EvidenceError> {
        makers.certify(&self.certificate, KeyUsage::required_if_present(NO_USAGE), CHAIN, now)?;
        let message = [self.data.as_slice(), challenge.as_bytes()].concat();
        let der = CertificateDer::from(self.certificate.as_slice());
        EndEntityCert::try_from(&der)
            .and_then(|leaf| leaf.verify_signature(aws_lc_rs::ECDSA_P256_SHA256, &message, &self.signature))
            .map_err(|error| EvidenceError::Signature { reason: error.into() })?;
        let made = Made::read(&self.data)?;
        if self.certified(MODEL) != Some(&made.aaguid[..]) {
            let reason = "the certificate of the attestation is for another model, or names none".to_owned();
            return Err(EvidenceError::Signature { reason: Reason::Words(reason) });
        }
        Ok(match self.certified(SERIAL) {
            Some(serial) => DeviceProof::FidoSerial { aaguid: made.aaguid, serial: serial.to_vec() },
            None => {
                let credential = Digest(Sha256::digest(made.key).into());
                DeviceProof::Fido { aaguid: made.aaguid, credential }
            }
        })
    }

    /// The bytes that one of FIDO's extensions wraps.
    fn certified(&self, arc: u8) -> Option<&[u8]> {
        let value = extension(&self.certificate, &[FIDO, &[arc]].concat())?;
        item(value, OCTET_STRING).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content)
    }
}

/// What authenticator data says of a new credential.
struct Made<'a> {
    aaguid: [u8; 16],
    /// As COSE has it.
    key: &'a [u8],
}

impl<'a> Made<'a> {
    fn read(data: &'a [u8]) -> Result<Self, EvidenceError> {
        let short = || form("authenticator data with a credential", format!("{} bytes", data.len()));
        let (_relying_party, rest) = data.split_first_chunk::<32>().ok_or_else(short)?;
        let (&[flags], rest) = rest.split_first_chunk::<1>().ok_or_else(short)?;
        let (_counter, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        if flags & (PRESENT | CREDENTIAL | EXTENSIONS) != PRESENT | CREDENTIAL {
            let expected = "somebody present, a credential, and no extensions";
            return Err(form(expected, format!("flags {flags:#04x}")));
        }
        let (aaguid, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        let (_id, key) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or_else(short)?;
        match Value::read(key)? {
            Value::Map(_) => Ok(Self { aaguid: *aaguid, key }),
            _ => Err(form("a key of COSE", "another item".to_owned())),
        }
    }
}

fn form(expected: &'static str, found: String) -> EvidenceError {
    EvidenceError::Form { expected, found }
}

/// 1.3.6.1.4.1.45724.1.1
const FIDO: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xe5, 0x1c, 0x01, 0x01];
/// `id-fido-gen-ce-sernum`.
const SERIAL: u8 = 2;
/// `id-fido-gen-ce-aaguid`.
const MODEL: u8 = 4;
/// Attestation certificates name no usage; one that names some is for something else.
const NO_USAGE: &[u8] = &[0];
const PRESENT: u8 = 0x01;
const CREDENTIAL: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;
const CHAIN: &[&dyn SignatureVerificationAlgorithm] = &[
    aws_lc_rs::ECDSA_P256_SHA256,
    aws_lc_rs::ECDSA_P256_SHA384,
    aws_lc_rs::ECDSA_P384_SHA384,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
];

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;
    use rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair, KeyUsagePurpose,
        SigningKey as _,
    };

    use super::*;

    const NOW: Timestamp = Timestamp(1_780_272_000_000);
    const MODEL_A: [u8; 16] = [0xa; 16];
    const CHALLENGE: Digest = Digest([7; 32]);

    /// A maker of authenticators, and one of them.
    struct Maker {
        makers: Makers,
        issuer: Issuer<'static, KeyPair>,
    }

    impl Maker {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let roots = vec![params.self_signed(&key).unwrap().der().to_vec()];
            Self { makers: Makers { roots, ..Makers::default() }, issuer: Issuer::new(params, key) }
        }

        /// What an authenticator whose certificate says this makes of this data.
        fn attest(&self, extensions: &[(u64, &[u8])], data: &[u8], challenge: &Digest) -> FidoAttestation {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.custom_extensions = extensions
                .iter()
                .map(|(arc, content)| {
                    let head = [OCTET_STRING, u8::try_from(content.len()).unwrap()];
                    let wrapped = [head.as_slice(), content].concat();
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 45724, 1, 1, *arc], wrapped)
                })
                .collect();
            let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
            let signature = key.sign(&[data, challenge.as_bytes()].concat()).unwrap();
            FidoAttestation { data: data.to_vec(), signature, certificate }
        }

        fn read(&self, attestation: &FidoAttestation) -> Result<DeviceProof, &'static str> {
            attestation.read(&self.makers, &CHALLENGE, NOW).map_err(|error| error.code())
        }
    }

    fn data(flags: u8, aaguid: [u8; 16], key: &[u8]) -> Vec<u8> {
        [[1; 32].as_slice(), &[flags], &[0; 4], &aaguid, &[0, 2, 9, 9], key].concat()
    }

    /// `{1: 2}`.
    const KEY: &[u8] = &[0xa1, 1, 2];

    #[test]
    fn an_authenticator_is_known_by_its_certified_number_or_by_its_credential() {
        let maker = Maker::new();
        let data = data(0x41, MODEL_A, KEY);
        let plain = maker.attest(&[(4, &MODEL_A)], &data, &CHALLENGE);
        let credential = Digest(Sha256::digest(KEY).into());
        assert_eq!(maker.read(&plain), Ok(DeviceProof::Fido { aaguid: MODEL_A, credential }));
        let numbered = maker.attest(&[(2, &[1, 2]), (4, &MODEL_A)], &data, &CHALLENGE);
        assert_eq!(
            maker.read(&numbered),
            Ok(DeviceProof::FidoSerial { aaguid: MODEL_A, serial: vec![1, 2] })
        );
    }

    #[test]
    fn s11_an_authenticator_says_nothing_for_another_challenge_model_or_maker() {
        let maker = Maker::new();
        let said = data(0x41, MODEL_A, KEY);
        let right = maker.attest(&[(4, &MODEL_A)], &said, &CHALLENGE);
        assert!(maker.read(&right).is_ok());
        assert_eq!(Maker::new().read(&right), Err("evidence.chain"));
        let later = right.read(&maker.makers, &Digest([8; 32]), NOW);
        assert_eq!(later.unwrap_err().code(), "evidence.signature", "another challenge");
        for at in 0..said.len() {
            let mut altered = right.clone();
            altered.data[at] ^= 1;
            assert_eq!(maker.read(&altered), Err("evidence.signature"), "byte {at}");
        }
        let others: [&[(u64, &[u8])]; 4] = [&[], &[(4, &[0xb; 16])], &[(4, &[0xa; 15])], &[(2, &[1, 2])]];
        for extensions in others {
            let other = maker.attest(extensions, &said, &CHALLENGE);
            assert_eq!(maker.read(&other), Err("evidence.signature"), "{extensions:?}");
        }
    }

    #[test]
    fn data_that_shows_no_credential_is_refused_behind_a_signature_that_holds() {
        let maker = Maker::new();
        let right = data(0x41, MODEL_A, KEY);
        for said in [
            data(0x40, MODEL_A, KEY),
            data(0x01, MODEL_A, KEY),
            data(0xc1, MODEL_A, KEY),
            data(0x41, MODEL_A, &[]),
            data(0x41, MODEL_A, &[1]),
            data(0x41, MODEL_A, &[KEY, &[0]].concat()),
            right[..54].to_vec(),
            right[..30].to_vec(),
        ] {
            let found = maker.read(&maker.attest(&[(4, &MODEL_A)], &said, &CHALLENGE));
            assert_eq!(found, Err("evidence.form"), "{said:?}");
        }
    }
}

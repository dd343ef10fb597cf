//! What `dcap-qvl` verifies with: the C library and the little DER that the rest of the house has, in the place of a second set of them.

use dcap_qvl::config::{Config, CryptoProvider, EcdsaSigEncoder, ParsedCert, PckCa, X509Codec};
use keystead_attest::certificate_extension;
use rustls_pki_types::SignatureVerificationAlgorithm;
use sha2::{Digest as _, Sha256, Sha384};

/// The whole of it.
pub(crate) struct Backend;

impl Config for Backend {
    type X509 = Self;
    type SigEncoder = Self;
    type Crypto = Self;
}

impl CryptoProvider for Backend {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        webpki::aws_lc_rs::ECDSA_P256_SHA256
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        Sha384::digest(data).into()
    }
}

/// A certificate whose chain was verified, or is being verified, by others.
pub(crate) struct Certificate<'a>(&'a [u8]);

impl X509Codec for Backend {
    type Parsed<'a> = Certificate<'a>;

    fn from_der(der: &[u8]) -> anyhow::Result<Certificate<'_>> {
        Ok(Certificate(der))
    }
}

impl ParsedCert for Certificate<'_> {
    /// Only whoever fetches collateral asks.
    fn pck_ca(&self) -> Option<PckCa> {
        None
    }

    /// One that stands there twice, or in another form, is none: then there is no machine to speak of, and the quote is refused.
    fn extension(&self, identifier: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(certificate_extension(self.0, identifier).map(<[u8]>::to_vec))
    }
}

impl EcdsaSigEncoder for Backend {
    /// `SEQUENCE { INTEGER r, INTEGER s }` of numbers of 32 bytes: no length here needs a second byte.
    fn encode_ecdsa_sig(r: &[u8], s: &[u8]) -> anyhow::Result<Vec<u8>> {
        let content = [integer(r)?, integer(s)?].concat();
        Ok([&[SEQUENCE, u8::try_from(content.len())?], content.as_slice()].concat())
    }
}

/// An unsigned number without zeros in front, but for the one that keeps it from being negative.
fn integer(number: &[u8]) -> anyhow::Result<Vec<u8>> {
    anyhow::ensure!(number.len() <= 32, "a number of a signature has {} bytes", number.len());
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let digits = number.get(start..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    let value = [sign, digits].concat();
    Ok([&[INTEGER, u8::try_from(value.len())?], value.as_slice()].concat())
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_signature_are_der() {
        for (number, expected) in [
            ([0; 32].as_slice(), [2, 1, 0].as_slice()),
            (&[0, 0, 1], &[2, 1, 1]),
            (&[0, 0x7f, 0], &[2, 2, 0x7f, 0]),
            (&[0, 0x80], &[2, 2, 0, 0x80]),
        ] {
            assert_eq!(integer(number).unwrap(), expected, "{number:?}");
        }
        assert_eq!(integer(&[0xff; 32]).unwrap().len(), 35);
        assert!(integer(&[0; 33]).is_err());
    }
}

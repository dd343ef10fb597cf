//! The public area of an identity key: P-256, made in the TPM, bound to it, signing only what the TPM says itself.

use sha2::{Digest as _, Sha256};

use crate::EvidenceError;
use crate::tpm::reader::Reader;

/// A key that can have signed a quote and nothing that only looks like one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdentityPublic {
    /// `0x04 || x || y`.
    pub(super) point: [u8; 65],
    /// `nameAlg || SHA-256(public area)`, by which the TPM knows it.
    pub(super) name: Vec<u8>,
}

impl IdentityPublic {
    /// Reads a `TPMT_PUBLIC`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut reader = Reader::new(bytes);
        reader.expect("an ECC key", ALG_ECC)?;
        reader.expect("a name by SHA-256", ALG_SHA256)?;
        let attributes = reader.u32()?;
        if attributes & MUST != MUST || attributes & MUST_NOT != 0 {
            return Err(EvidenceError::Form {
                expected: "a restricted signing key that the TPM made and never gives away",
                found: format!("attributes {attributes:#010x}"),
            });
        }
        let _policy = reader.sized()?;
        reader.expect("no symmetric algorithm", ALG_NULL)?;
        reader.expect("ECDSA", ALG_ECDSA)?;
        reader.expect("ECDSA over SHA-256", ALG_SHA256)?;
        reader.expect("P-256", CURVE_P256)?;
        reader.expect("no key derivation", ALG_NULL)?;
        let (x, y) = (coordinate(reader.sized()?)?, coordinate(reader.sized()?)?);
        reader.end()?;
        let mut point = [4; 65];
        let (_, rest) = point.split_at_mut(1);
        let (to_x, to_y) = rest.split_at_mut(32);
        to_x.copy_from_slice(&x);
        to_y.copy_from_slice(&y);
        let name = [ALG_SHA256.to_be_bytes().as_slice(), &Sha256::digest(bytes)].concat();
        Ok(Self { point, name })
    }
}

/// A TPM leaves leading zeros away, or not.
pub(super) fn coordinate(bytes: &[u8]) -> Result<[u8; 32], EvidenceError> {
    let mut padded = [0; 32];
    let start = padded.len().checked_sub(bytes.len());
    let place = start.and_then(|start| padded.get_mut(start..));
    let found = format!("{} bytes", bytes.len());
    place
        .ok_or(EvidenceError::Form { expected: "a number of at most 32 bytes", found })?
        .copy_from_slice(bytes);
    Ok(padded)
}

pub(super) const ALG_SHA256: u16 = 0x000b;
pub(super) const ALG_ECDSA: u16 = 0x0018;
const ALG_NULL: u16 = 0x0010;
const ALG_ECC: u16 = 0x0023;
const CURVE_P256: u16 = 0x0003;
/// `fixedTPM`, `fixedParent`, `sensitiveDataOrigin`, `restricted`, `sign`.
const MUST: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 18;
/// `decrypt`.
const MUST_NOT: u32 = 1 << 17;

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;
    use crate::tpm::samples::{ATTRIBUTES, public};

    fn code(bytes: &[u8]) -> Result<(), &'static str> {
        IdentityPublic::read(bytes).map(drop).map_err(|error| error.code())
    }

    /// A key without one of them signs what a program hands it, was made outside, or leaves its TPM.
    #[test]
    fn only_a_restricted_signing_key_of_the_tpm_is_an_identity() {
        let point = [4; 65];
        assert_eq!(code(&public(ATTRIBUTES, &point)), Ok(()));
        for (what, bit) in
            [("fixedTPM", 1), ("fixedParent", 4), ("origin", 5), ("restricted", 16), ("sign", 18)]
        {
            assert_eq!(
                code(&public(ATTRIBUTES & !(1 << bit), &point)),
                Err("evidence.form"),
                "without {what}"
            );
        }
        assert_eq!(code(&public(ATTRIBUTES | 1 << 17, &point)), Err("evidence.form"), "it decrypts as well");
    }

    #[test]
    fn a_public_area_of_another_kind_is_refused() {
        let right = public(ATTRIBUTES, &[4; 65]);
        // Kind, name, symmetric algorithm, scheme, its hash, curve and key derivation, in this order.
        for at in [1, 3, 11, 13, 15, 17, 19] {
            let mut other = right.clone();
            other[at] ^= 1;
            assert_eq!(code(&other), Err("evidence.form"), "byte {at}");
        }
        for cut in 0..right.len() {
            assert_eq!(code(&right[..cut]), Err("evidence.form"), "{cut} bytes");
        }
        assert_eq!(code(&[right.as_slice(), &[0]].concat()), Err("evidence.form"));
        let mut long = right.clone();
        // A coordinate of 33 bytes.
        long.splice(20..22, [0, 33, 0]);
        assert_eq!(code(&long), Err("evidence.form"));
    }
}

//! Public keys as tokens write them: raw, or wrapped in a DER octet string. PKCS#11 asks for the latter, and not all obey.

use aws_lc_rs::agreement::{ECDH_P256, ParsedPublicKey, ParsedPublicKeyFormat, UnparsedPublicKey};

use crate::{PublicKey, Scheme};

/// Reads `CKA_EC_POINT`; none where it is no point of the scheme.
pub(crate) fn read(scheme: Scheme, value: &[u8]) -> Option<PublicKey> {
    // The lengths differ by two: what is one form is never the other.
    raw(scheme, value).or_else(|| raw(scheme, unwrapped(value)?))
}

/// The form that PKCS#11 asks for.
pub(crate) fn write(public: &PublicKey) -> Option<Vec<u8>> {
    let raw = match public.scheme {
        Scheme::EcdsaSecp256k1 => {
            secp256k1::PublicKey::from_slice(&public.bytes).ok()?.serialize_uncompressed().to_vec()
        }
        Scheme::EcdsaP256 | Scheme::Ed25519 => public.bytes.clone(),
    };
    let length = u8::try_from(raw.len()).ok().filter(|it| *it < LONG_FORM)?;
    Some([[OCTET_STRING, length].as_slice(), &raw].concat())
}

fn unwrapped(value: &[u8]) -> Option<&[u8]> {
    match value {
        [OCTET_STRING, length, inner @ ..] if *length < LONG_FORM && usize::from(*length) == inner.len() => {
            Some(inner)
        }
        _ => None,
    }
}

fn raw(scheme: Scheme, raw: &[u8]) -> Option<PublicKey> {
    let bytes = match scheme {
        Scheme::EcdsaSecp256k1 => secp256k1::PublicKey::from_slice(raw).ok()?.serialize().to_vec(),
        Scheme::EcdsaP256 => {
            let parsed = ParsedPublicKey::try_from(UnparsedPublicKey::new(&ECDH_P256, raw)).ok()?;
            (parsed.format() == ParsedPublicKeyFormat::Uncompressed).then(|| raw.to_vec())?
        }
        Scheme::Ed25519 => (raw.len() == ED25519_BYTES).then(|| raw.to_vec())?,
    };
    Some(PublicKey { scheme, bytes })
}

/// The tag of an octet string, and the length from which on DER writes lengths otherwise.
const OCTET_STRING: u8 = 0x04;
const LONG_FORM: u8 = 0x80;
const ED25519_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_a_point_reads_the_same_raw_and_wrapped_and_nothing_else_reads() {
        let secret = secp256k1::SecretKey::from_byte_array([7; 32]).unwrap();
        let point = secp256k1::PublicKey::from_secret_key(&secp256k1::Secp256k1::new(), &secret);
        let (long, short) = (point.serialize_uncompressed(), point.serialize());
        let public = PublicKey { scheme: Scheme::EcdsaSecp256k1, bytes: short.to_vec() };
        let wrapped = write(&public).unwrap();
        assert_eq!((wrapped.len(), &wrapped[..3]), (67, [4, 65, 4].as_slice()));
        for form in [long.as_slice(), &short, &wrapped] {
            assert_eq!(read(Scheme::EcdsaSecp256k1, form), Some(public.clone()));
            assert_eq!(read(Scheme::EcdsaP256, form), None, "on another curve");
            assert_eq!(read(Scheme::EcdsaSecp256k1, &form[..form.len() - 1]), None);
            assert_eq!(read(Scheme::EcdsaSecp256k1, &[form, &[0]].concat()), None);
        }
        let edwards = PublicKey { scheme: Scheme::Ed25519, bytes: vec![9; 32] };
        assert_eq!(read(Scheme::Ed25519, &write(&edwards).unwrap()), Some(edwards.clone()));
        assert_eq!(read(Scheme::Ed25519, &edwards.bytes), Some(edwards));
    }
}

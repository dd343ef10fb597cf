//! The Ed25519 key that a machine shows in handshakes.

use std::fmt;
use std::sync::Arc;

use keystead_base::Secret;
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::WireError;

/// A raw Ed25519 public key; what the roster pins.
pub type TransportKey = [u8; 32];

/// A transport key with its secret half. It signs handshakes and nothing else.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    key: TransportKey,
}

impl Identity {
    /// The identity of a 32-byte seed (RFC 8032).
    ///
    /// # Errors
    ///
    /// [`WireError::Identity`] when the cryptographic library refuses the seed.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Result<Self, WireError> {
        let pkcs8 = Secret::new([PKCS8_PREFIX.as_slice(), seed.expose()].concat());
        let der = PrivatePkcs8KeyDer::from(pkcs8.expose().as_slice());
        let signer = any_eddsa_type(&der).map_err(|_| WireError::Identity)?;
        let spki = signer.public_key().ok_or(WireError::Identity)?;
        let key = spki_key(&spki).ok_or(WireError::Identity)?;
        let shown = vec![CertificateDer::from(spki.to_vec())];
        Ok(Self { certified: Arc::new(CertifiedKey::new(shown, signer)), key })
    }

    /// The public key, for the roster.
    #[must_use]
    pub fn key(&self) -> &TransportKey {
        &self.key
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", keystead_base::Digest(self.key))
    }
}

/// The key inside a SubjectPublicKeyInfo of exactly 44 bytes (RFC 8410, section 4).
pub(crate) fn spki_key(spki: &[u8]) -> Option<TransportKey> {
    spki.strip_prefix(SPKI_PREFIX.as_slice())?.try_into().ok()
}

/// RFC 8410, section 7, before the 32 bytes of the seed.
const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// RFC 8410, section 4, before the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_rfc_8032() {
        // RFC 8032, section 7.1, test 1.
        let hex = |text: &str| text.parse::<keystead_base::Digest>().unwrap().0;
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let identity = Identity::from_seed(&Secret::new(seed)).unwrap();
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(identity.key(), &hex(key));
        assert_eq!(format!("{identity:?}"), format!("Identity({key})"));
    }

    #[test]
    fn only_an_ed25519_spki_has_a_key() {
        let spki = [SPKI_PREFIX.as_slice(), &[7; 32]].concat();
        assert_eq!(spki_key(&spki), Some([7; 32]));
        assert_eq!(spki_key(&spki[..43]), None);
        assert_eq!(spki_key(&[spki.as_slice(), &[0]].concat()), None);
        let mut other = spki;
        other[8] = 0x71;
        assert_eq!(spki_key(&other), None);
    }
}

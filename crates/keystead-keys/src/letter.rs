//! What two ends say to one another under a secret that both of them have: each letter has a key of its own, which
//! its place gives.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use keystead_base::Secret;

use crate::{Fill, TAG_BYTES};

/// Bytes of the secret of a channel.
pub const CHANNEL_SECRET_BYTES: usize = 32;

/// The secret of one direction between two ends.
///
/// The key of a letter is HKDF-SHA-256 (RFC 5869, empty salt) of the secret, with the letter's place as `info`; it encrypts with
/// ChaCha20-Poly1305 (RFC 8439) under a nonce of zeros. So **a place is used for one content**: who writes there a second time
/// another one shows both.
pub struct ChannelSecret(Secret<[u8; CHANNEL_SECRET_BYTES]>);

impl ChannelSecret {
    /// A fresh one.
    pub fn draw(fill: Fill<'_>) -> Self {
        let mut secret = Secret::new([0; CHANNEL_SECRET_BYTES]);
        fill(secret.expose_mut());
        Self(secret)
    }

    /// The one that the other end drew.
    #[must_use]
    pub fn new(secret: Secret<[u8; CHANNEL_SECRET_BYTES]>) -> Self {
        Self(secret)
    }

    /// Its bytes, for whoever hands it over.
    #[must_use]
    pub fn expose(&self) -> &[u8; CHANNEL_SECRET_BYTES] {
        self.0.expose()
    }

    /// Encrypts for a place; the tag of 16 bytes comes last. `None` where the library fails.
    #[must_use]
    pub fn seal(&self, place: &[u8], content: &Secret<Vec<u8>>) -> Option<Vec<u8>> {
        let mut letter = Secret::new(Vec::with_capacity(content.expose().len().saturating_add(TAG_BYTES)));
        letter.expose_mut().extend_from_slice(content.expose());
        self.key(place)?.seal_in_place_append_tag(nonce(), Aad::empty(), letter.expose_mut()).ok()?;
        Some(std::mem::take(letter.expose_mut()))
    }

    /// Decrypts what was encrypted for this place. `None` where anything differs.
    #[must_use]
    pub fn open(&self, place: &[u8], letter: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (content, _) = letter.split_at_checked(letter.len().checked_sub(TAG_BYTES)?)?;
        let mut bytes = Secret::new(letter.to_vec());
        self.key(place)?.open_in_place(nonce(), Aad::empty(), bytes.expose_mut()).ok()?;
        bytes.expose_mut().truncate(content.len());
        Some(bytes)
    }

    fn key(&self, place: &[u8]) -> Option<LessSafeKey> {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(self.0.expose());
        let info = [place];
        let key = secret.expand(&info, &CHACHA20_POLY1305).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(key)))
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> ChannelSecret {
        ChannelSecret::draw(&mut |bytes| bytes.fill(byte))
    }

    #[test]
    fn a_letter_opens_in_its_place_under_its_secret() {
        let point = Secret::new(b"a point of a polynomial".to_vec());
        let letter = secret(1).seal(b"round 2", &point).unwrap();
        assert!(!letter.windows(7).any(|it| it == b"a point"));
        assert_eq!(secret(1).open(b"round 2", &letter).unwrap().expose(), b"a point of a polynomial");
        assert!(secret(1).open(b"round 3", &letter).is_none(), "elsewhere");
        assert!(secret(2).open(b"round 2", &letter).is_none(), "by another");
        for at in 0..letter.len() {
            let mut bent = letter.clone();
            bent[at] ^= 1;
            assert!(secret(1).open(b"round 2", &bent).is_none(), "byte {at}");
            assert!(secret(1).open(b"round 2", &letter[..at]).is_none(), "{at} bytes");
        }
        let empty = secret(1).seal(b"", &Secret::new(Vec::new())).unwrap();
        assert_eq!(empty.len(), TAG_BYTES);
        assert_eq!(secret(1).open(b"", &empty).unwrap().expose(), b"");
    }
}

//! The software home: keys in the memory of this process, sealed under a passphrase where they rest.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{Digest as Hashed, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use keystead_base::Secret;
use secp256k1::{Message, Secp256k1, SecretKey};

use crate::finish::{finish, fits};
use crate::home::MAX_WRAPPED_BYTES;
use crate::{Abilities, Home, HomeError, Label, PublicKey, Scheme, Signature, ToSign};

/// Keys in memory. What makes them last is their seals, which whoever owns this home keeps.
pub struct SoftwareHome {
    name: String,
    keys: Mutex<BTreeMap<Label, Held>>,
}

enum Held {
    Signs { scheme: Scheme, secret: Secret<[u8; 32]>, public: PublicKey },
    Wraps { secret: Secret<[u8; 32]> },
}

impl SoftwareHome {
    /// Without keys.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), keys: Mutex::default() }
    }

    /// What of each key is kept, for whoever seals it: all that [`Self::open`] needs.
    pub fn each<T>(&self, mut keep: impl FnMut(&Label, Option<Scheme>, &Secret<[u8; 32]>) -> T) -> Vec<T> {
        let keys = self.keys();
        let kept = keys.iter().map(|(label, held)| match held {
            Held::Signs { scheme, secret, .. } => keep(label, Some(*scheme), secret),
            Held::Wraps { secret } => keep(label, None, secret),
        });
        kept.collect()
    }

    /// Takes a key that was kept; one without a scheme is a wrapping key.
    ///
    /// # Errors
    ///
    /// As [`Home::import`].
    pub fn open(
        &self,
        label: &Label,
        scheme: Option<Scheme>,
        secret: Secret<[u8; 32]>,
    ) -> Result<(), HomeError> {
        let held = match scheme {
            Some(scheme) => Held::Signs { scheme, public: public_of(scheme, &secret)?, secret },
            None => Held::Wraps { secret },
        };
        self.add(label, held)
    }

    fn add(&self, label: &Label, held: Held) -> Result<(), HomeError> {
        let mut keys = self.keys();
        if keys.contains_key(label) {
            return Err(HomeError::Exists { home: self.name.clone(), label: label.to_string() });
        }
        keys.insert(label.clone(), held);
        Ok(())
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<Label, Held>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self, label: &Label) -> HomeError {
        HomeError::Unknown { home: self.name.clone(), label: label.to_string() }
    }

    fn cipher(&self, label: &Label) -> Result<LessSafeKey, HomeError> {
        match self.keys().get(label) {
            Some(Held::Wraps { secret }) => {
                let key = UnboundKey::new(&AES_256_GCM, secret.expose());
                Ok(LessSafeKey::new(key.map_err(|_| self.unknown(label))?))
            }
            _ => Err(self.unknown(label)),
        }
    }

    fn altered(&self) -> HomeError {
        HomeError::Altered { home: self.name.clone() }
    }
}

impl Home for SoftwareHome {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn abilities(&self) -> Result<Abilities, HomeError> {
        let schemes = Scheme::ALL.to_vec();
        Ok(Abilities { schemes, wraps: true, random: true, sends: false, bip32: false })
    }

    fn generate(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        let mut secret = Secret::new([0; 32]);
        loop {
            random(secret.expose_mut());
            // One in 2^32 is no scalar of P-256; of the others hardly any.
            match public_of(scheme, &secret) {
                Ok(public) => {
                    self.add(label, Held::Signs { scheme, secret, public: public.clone() })?;
                    return Ok(public);
                }
                Err(_) => continue,
            }
        }
    }

    fn import(
        &self,
        label: &Label,
        scheme: Scheme,
        secret: &Secret<[u8; 32]>,
    ) -> Result<PublicKey, HomeError> {
        let public = public_of(scheme, secret)?;
        let secret = Secret::new(*secret.expose());
        self.add(label, Held::Signs { scheme, secret, public: public.clone() })?;
        Ok(public)
    }

    fn public(&self, label: &Label) -> Result<PublicKey, HomeError> {
        match self.keys().get(label) {
            Some(Held::Signs { public, .. }) => Ok(public.clone()),
            _ => Err(self.unknown(label)),
        }
    }

    fn sign(&self, label: &Label, what: ToSign<'_>) -> Result<Signature, HomeError> {
        let keys = self.keys();
        let Some(Held::Signs { scheme, secret, public }) = keys.get(label) else {
            return Err(self.unknown(label));
        };
        fits(*scheme, what)?;
        let raw = raw_signature(*scheme, secret, public, what);
        finish(&self.name, public, what, &raw.ok_or(HomeError::Secret { scheme: *scheme })?)
    }

    fn destroy(&self, label: &Label) -> Result<(), HomeError> {
        self.keys().remove(label).map(drop).ok_or_else(|| self.unknown(label))
    }

    fn make_wrapping(&self, label: &Label) -> Result<(), HomeError> {
        let mut secret = Secret::new([0; 32]);
        random(secret.expose_mut());
        self.add(label, Held::Wraps { secret })
    }

    fn wrap(&self, label: &Label, bound: &[u8], secret: &Secret<Vec<u8>>) -> Result<Vec<u8>, HomeError> {
        short_enough(secret)?;
        let (cipher, mut nonce) = (self.cipher(label)?, [0; NONCE_LEN]);
        random(&mut nonce);
        let mut bytes = Secret::new(secret.expose().clone());
        let sealed = cipher.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound),
            bytes.expose_mut(),
        );
        let tag = sealed.map_err(|_| self.altered())?;
        Ok([nonce.as_slice(), bytes.expose(), tag.as_ref()].concat())
    }

    fn unwrap(&self, label: &Label, bound: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, HomeError> {
        let (nonce, body) = wrapped.split_at_checked(NONCE_LEN).ok_or_else(|| self.altered())?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| self.altered())?;
        let mut bytes = Secret::new(body.to_vec());
        let length = self.cipher(label)?.open_in_place(nonce, Aad::from(bound), bytes.expose_mut());
        let length = length.map_err(|_| self.altered())?.len();
        bytes.expose_mut().truncate(length);
        Ok(bytes)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HomeError> {
        random(out);
        Ok(())
    }
}

pub(crate) fn short_enough(secret: &Secret<Vec<u8>>) -> Result<(), HomeError> {
    let found = secret.expose().len();
    if found <= MAX_WRAPPED_BYTES {
        return Ok(());
    }
    Err(HomeError::too_long(MAX_WRAPPED_BYTES, found))
}

/// From the kernel. One that cannot is no place to go on.
pub(crate) fn random(out: &mut [u8]) {
    if getrandom::fill(out).is_err() {
        std::process::abort();
    }
}

/// The public side of a secret; an error where it is none of the scheme.
pub(crate) fn public_of(scheme: Scheme, secret: &Secret<[u8; 32]>) -> Result<PublicKey, HomeError> {
    let wrong = || HomeError::Secret { scheme };
    let bytes = match scheme {
        Scheme::EcdsaSecp256k1 => {
            let mut key = SecretKey::from_byte_array(*secret.expose()).map_err(|_| wrong())?;
            let public = secp256k1::PublicKey::from_secret_key(&Secp256k1::signing_only(), &key);
            key.non_secure_erase();
            public.serialize().to_vec()
        }
        Scheme::EcdsaP256 => {
            let key = PrivateKey::from_private_key(&ECDH_P256, secret.expose()).map_err(|_| wrong())?;
            key.compute_public_key().map_err(|_| wrong())?.as_ref().to_vec()
        }
        Scheme::Ed25519 => {
            let pair = Ed25519KeyPair::from_seed_unchecked(secret.expose()).map_err(|_| wrong())?;
            pair.public_key().as_ref().to_vec()
        }
    };
    Ok(PublicKey { scheme, bytes })
}

fn raw_signature(
    scheme: Scheme,
    secret: &Secret<[u8; 32]>,
    public: &PublicKey,
    what: ToSign<'_>,
) -> Option<Vec<u8>> {
    match (scheme, what) {
        (Scheme::EcdsaSecp256k1, ToSign::Digest(digest)) => {
            let mut key = SecretKey::from_byte_array(*secret.expose()).ok()?;
            let signature = Secp256k1::signing_only().sign_ecdsa(Message::from_digest(digest.0), &key);
            key.non_secure_erase();
            Some(signature.serialize_compact().to_vec())
        }
        (Scheme::EcdsaP256, ToSign::Digest(digest)) => {
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair =
                EcdsaKeyPair::from_private_key_and_public_key(algorithm, secret.expose(), &public.bytes);
            let hashed = Hashed::import_less_safe(&digest.0, &SHA256).ok()?;
            Some(pair.ok()?.sign_digest(&hashed).ok()?.as_ref().to_vec())
        }
        (Scheme::Ed25519, ToSign::Message(message)) => {
            Some(Ed25519KeyPair::from_seed_unchecked(secret.expose()).ok()?.sign(message).as_ref().to_vec())
        }
        _ => None,
    }
}

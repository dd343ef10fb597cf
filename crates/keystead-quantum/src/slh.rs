//! SLH-DSA-SHA2-128s, deterministic (FIPS 205, section 10.2.1).

use fips205::slh_dsa_sha2_128s::{KG, PrivateKey, PublicKey};
use fips205::traits::{KeyGen as _, SerDes as _, Signer as _, Verifier as _};
use keystead_base::Secret;
use rand_core::{CryptoRng, RngCore};

use crate::scheme::{SLH_DSA_128_KEY_BYTES, SLH_DSA_128_SEED_BYTES, SLH_DSA_128S_SIGNATURE_BYTES};

/// The secret key and the public one, of SK.seed, SK.prf and PK.seed.
pub(crate) fn key_pair(
    seed: &Secret<[u8; SLH_DSA_128_SEED_BYTES]>,
) -> (PrivateKey, [u8; SLH_DSA_128_KEY_BYTES]) {
    let mut parts = Secret::new([[0; 16]; 3]);
    for (part, bytes) in parts.expose_mut().iter_mut().zip(seed.expose().chunks_exact(16)) {
        part.copy_from_slice(bytes);
    }
    let [sk_seed, sk_prf, pk_seed] = parts.expose();
    let (public, secret) = KG::keygen_from_seed(sk_seed, sk_prf, pk_seed);
    (secret, public.into_bytes())
}

/// A signature over `message`; the same each time.
pub(crate) fn sign(secret: &PrivateKey, message: &[u8]) -> Option<[u8; SLH_DSA_128S_SIGNATURE_BYTES]> {
    secret.try_sign_with_rng(&mut Nothing, message, b"", false).ok()
}

pub(crate) fn verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = key.try_into().ok().and_then(|key| PublicKey::try_from_bytes(key).ok());
    let signature: Option<[u8; SLH_DSA_128S_SIGNATURE_BYTES]> = signature.try_into().ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify(message, &signature, b""))
}

/// No source of random bytes: whoever asks it fails, as the deterministic variant asks none.
struct Nothing;

impl RngCore for Nothing {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), rand_core::Error> {
        Err(rand_core::Error::from(NO_RANDOMNESS))
    }
}

impl CryptoRng for Nothing {}

const NO_RANDOMNESS: core::num::NonZeroU32 =
    core::num::NonZeroU32::MIN.saturating_add(rand_core::Error::CUSTOM_START);

//! What is asked of every secret that comes from elsewhere, before it is taken in.

use std::collections::BTreeMap;
use std::fmt;

use super::{Family, WeakSeed, is_roca, phrase, plain};

/// What comes in from outside.
#[derive(Clone, Copy)]
pub enum Material<'a> {
    /// The entropy of BIP-39 words, or of any other seed: 16 to 32 bytes.
    Entropy(&'a [u8]),
    /// A private key of 32 bytes.
    Key(&'a [u8; 32]),
    /// The modulus of an RSA key that wraps others, big-endian.
    RsaModulus(&'a [u8]),
}

impl Material<'_> {
    /// The generators whose seeds take minutes to try, for whoever has them: [`Family::search`].
    #[must_use]
    pub const fn long_searches(&self) -> &'static [Family] {
        match self {
            Self::Entropy(_) => &[Family::MilkSad, Family::TrustWallet],
            // A key that was drawn as such, or cut from the entropy of a wallet.
            Self::Key(_) => &[Family::MilkSad, Family::TrustWallet, Family::Profanity],
            Self::RsaModulus(_) => &[],
        }
    }

    fn secret(&self) -> Option<&[u8]> {
        match self {
            Self::Entropy(bytes) => Some(bytes),
            Self::Key(bytes) => Some(bytes.as_slice()),
            Self::RsaModulus(_) => None,
        }
    }
}

/// What shows at once: bytes that are no random ones, and the generator whose seeds need no search.
///
/// # Errors
///
/// [`WeakSeed`] says why.
pub fn at_a_glance(secret: &[u8]) -> Result<(), WeakSeed> {
    plain(secret)?;
    Family::Congruential.search(secret, Family::Congruential.seeds())
}

/// INVARIANT E2: refuses what is known to be weak, as far as a few million hashes show it. What was tried is said: a secret that passes
/// may still be weak, and [`Material::long_searches`] goes on from there.
///
/// # Errors
///
/// [`WeakSeed`] says why. Nothing of the secret is in it.
pub fn check(material: &Material<'_>) -> Result<Searched, WeakSeed> {
    if let Material::RsaModulus(modulus) = material {
        return if is_roca(modulus) {
            Err(WeakSeed::Roca)
        } else {
            Ok(Searched { rsa: true, candidates: 0 })
        };
    }
    let secret = material.secret().unwrap_or_default();
    at_a_glance(secret)?;
    match phrase::search(secret) {
        Some(_) => Err(WeakSeed::Phrase),
        None => Ok(Searched { rsa: false, candidates: phrase::candidates() }),
    }
}

/// INVARIANT E3: refuses public keys of which two are one, whatever their encoding is, as long as it is one for all.
///
/// # Errors
///
/// [`WeakSeed::Twice`] names the places of both.
pub fn distinct<K: Ord>(public: impl IntoIterator<Item = K>) -> Result<(), WeakSeed> {
    let mut places = BTreeMap::new();
    for (second, key) in public.into_iter().enumerate() {
        if let Some(first) = places.insert(key, second) {
            return Err(WeakSeed::Twice { first: first + 1, second: second + 1 });
        }
    }
    Ok(())
}

/// What [`check`] tried, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
    rsa: bool,
    candidates: u64,
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rsa {
            true => f.write_str("the fingerprint of ROCA (CVE-2017-15361); not its factors"),
            false => write!(
                f,
                "patterns and low entropy; all 4294967296 seeds of Trust Wallet for iOS of 2018; hashes of {} phrases and short texts",
                self.candidates
            ),
        }
    }
}

//! The 32 bytes that keys sign, computed from what was checked and from nothing else (BIP-143, 341).

use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::XOnlyPublicKey;
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{TapTweakHash, Transaction, TxOut};
use keystead_base::Digest;

use crate::view::{Ours, Owner, ViewInput};
use crate::{DerivedKey, Form, Sighash, View};

/// What is signed for one input, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningDigest {
    /// The input.
    pub input: usize,
    /// The 32 bytes.
    pub digest: Digest,
    /// What kind of signature.
    pub scheme: Scheme,
    /// What it covers: the byte behind the signature, where there is one.
    pub sighash: Sighash,
    /// Who may sign it. A taproot key is tweaked without scripts before it signs (BIP-86).
    pub keys: Vec<DerivedKey>,
}

/// The kind of signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA, in DER, low s.
    Ecdsa,
    /// Schnorr (BIP-340).
    Schnorr,
}

impl View {
    /// What is to be signed for each input of ours, in their order.
    #[must_use]
    pub fn digests(&self) -> Vec<SigningDigest> {
        let spent: Vec<&TxOut> = self.inputs().iter().map(|it| &it.spent).collect();
        // One cache for all: it hashes what inputs have in common once.
        let mut cache = SighashCache::new(self.transaction());
        let all = self.inputs().iter().enumerate();
        all.filter_map(|(at, it)| match &it.owner {
            Owner::Ours(ours) => digest(&mut cache, at, it, ours, &spent),
            Owner::Foreign(_) => None,
        })
        .collect()
    }
}

/// What a taproot key without scripts is tweaked by before it signs (BIP-341, "TapTweak"; BIP-86).
#[must_use]
pub fn tap_tweak(internal: XOnlyPublicKey) -> [u8; 32] {
    TapTweakHash::from_key_and_tweak(internal, None).to_byte_array()
}

fn digest(
    cache: &mut SighashCache<&Transaction>,
    input: usize,
    it: &ViewInput,
    ours: &Ours,
    spent: &[&TxOut],
) -> Option<SigningDigest> {
    let (scheme, digest) = match ours.form {
        Form::Tr => (Scheme::Schnorr, taproot(cache, input, it.sighash, spent)?),
        Form::Pkh | Form::ShWpkh | Form::Wpkh | Form::WshSortedMulti { .. } => {
            (Scheme::Ecdsa, ecdsa(cache, input, it, ours)?)
        }
    };
    let keys = ours.derived.keys.clone();
    Some(SigningDigest { input, digest: Digest(digest), scheme, sighash: it.sighash, keys })
}

/// BIP-341, "Common signature message": all amounts and scripts are covered.
fn taproot(
    cache: &mut SighashCache<&Transaction>,
    input: usize,
    sighash: Sighash,
    spent: &[&TxOut],
) -> Option<[u8; 32]> {
    let kind = match sighash {
        Sighash::Default => TapSighashType::Default,
        Sighash::All => TapSighashType::All,
    };
    let hash = cache.taproot_key_spend_signature_hash(input, &Prevouts::All(spent), kind).ok()?;
    Some(hash.to_byte_array())
}

/// BIP-143 for witnesses; for `pkh`, the way that transactions were signed from the first day on.
fn ecdsa(
    cache: &mut SighashCache<&Transaction>,
    input: usize,
    it: &ViewInput,
    ours: &Ours,
) -> Option<[u8; 32]> {
    let (all, value) = (EcdsaSighashType::All, it.spent.value);
    let (script, derived) = (&it.spent.script_pubkey, &ours.derived);
    match (&derived.witness_script, &derived.redeem_script) {
        (Some(witness), _) => {
            cache.p2wsh_signature_hash(input, witness, value, all).ok().map(|it| it.to_byte_array())
        }
        (None, Some(redeem)) => {
            cache.p2wpkh_signature_hash(input, redeem, value, all).ok().map(|it| it.to_byte_array())
        }
        (None, None) if ours.form == Form::Wpkh => {
            cache.p2wpkh_signature_hash(input, script, value, all).ok().map(|it| it.to_byte_array())
        }
        (None, None) => {
            let hash = cache.legacy_signature_hash(input, script, all.to_u32()).ok()?;
            Some(hash.to_byte_array())
        }
    }
}

#[cfg(test)]
mod tests;

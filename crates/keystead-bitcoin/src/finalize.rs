//! From signatures to a transaction for the network: each is verified before it goes anywhere.

use bitcoin::blockdata::script::PushBytesBuf;
use bitcoin::key::TapTweak as _;
use bitcoin::secp256k1::{Message, PublicKey, XOnlyPublicKey, ecdsa, schnorr};
use bitcoin::{ScriptBuf, Transaction, Txid, Witness};
use keystead_base::{Blame, Coded, Digest};

use crate::derive::CURVE;
use crate::psbt::Psbt;
use crate::sighash::{Scheme, SigningDigest};
use crate::view::{Ours, Owner};
use crate::{Form, Sighash, View};

/// A signature for one input, as it goes into a witness or a `scriptSig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSignature {
    /// The input.
    pub input: usize,
    /// By whom; for taproot, the internal key.
    pub key: PublicKey,
    /// DER and the sighash byte, or 64 bytes of Schnorr and for `ALL` the sighash byte.
    pub bytes: Vec<u8>,
}

/// A transaction that the network takes, of signatures that were verified:
///
/// ```compile_fail,E0423
/// fn unverified(transaction: bitcoin::Transaction) -> keystead_bitcoin::Finalized {
///     keystead_bitcoin::Finalized(transaction)
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Finalized(Transaction);

impl Finalized {
    /// The transaction.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.0
    }

    /// Its id.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.0.compute_txid()
    }

    /// Its bytes, with witnesses.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        bitcoin::consensus::serialize(&self.0)
    }
}

impl View {
    /// Joins signatures, those that came with the PSBT among them, to a transaction for the network, and ends the
    /// view with it.
    ///
    /// INVARIANT S7: every signature is verified against its key and the digest that was computed here.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`]: a signature that is not what it says, or too few of them.
    pub fn finalize(self, signatures: &[InputSignature]) -> Result<Finalized, FinalizeError> {
        let digests = self.digests();
        known(&digests, signatures)?;
        let Self { mut transaction, inputs, .. } = self;
        for ((at, it), txin) in inputs.iter().enumerate().zip(&mut transaction.input) {
            let (script_sig, witness) = match &it.owner {
                Owner::Foreign(theirs) => (theirs.script_sig.clone(), theirs.witness.clone()),
                Owner::Ours(ours) => {
                    let digest = digests.iter().find(|it| it.input == at);
                    let digest = digest.ok_or(FinalizeError::UnknownInput { input: at })?;
                    satisfy(at, ours, &verified(at, ours, digest, signatures)?)?
                }
            };
            if script_sig.is_empty() && witness.is_empty() {
                return Err(FinalizeError::Unfinished { input: at });
            }
            (txin.script_sig, txin.witness) = (script_sig, witness);
        }
        Ok(Finalized(transaction))
    }

    /// Puts signatures into the PSBT that was read, for others to add theirs.
    ///
    /// # Errors
    ///
    /// [`FinalizeError`]: a signature that is not what it says, or another PSBT.
    pub fn sign_into(&self, psbt: &Psbt, signatures: &[InputSignature]) -> Result<Psbt, FinalizeError> {
        if psbt.transaction() != self.transaction() {
            return Err(FinalizeError::OtherTransaction);
        }
        let digests = self.digests();
        known(&digests, signatures)?.into_iter().try_for_each(|(digest, it)| digest.verify(it))?;
        signatures.iter().try_fold(psbt.clone(), |psbt, it| {
            let scheme = if self.is_taproot(it.input) { Scheme::Schnorr } else { Scheme::Ecdsa };
            psbt.with_signature(it, scheme).ok_or(FinalizeError::UnknownInput { input: it.input })
        })
    }

    fn is_taproot(&self, input: usize) -> bool {
        let owner = self.inputs().get(input).map(|it| &it.owner);
        matches!(owner, Some(Owner::Ours(ours)) if ours.form == Form::Tr)
    }
}

/// Each signature is for an input of ours.
fn known<'a>(
    digests: &'a [SigningDigest],
    signatures: &'a [InputSignature],
) -> Result<Vec<(&'a SigningDigest, &'a InputSignature)>, FinalizeError> {
    let found = signatures.iter().map(|it| {
        let digest = digests.iter().find(|digest| digest.input == it.input);
        Ok((digest.ok_or(FinalizeError::UnknownInput { input: it.input })?, it))
    });
    found.collect()
}

impl SigningDigest {
    /// Whether a signature is one of its keys' over this digest, in its one encoding and covering everything (S7).
    ///
    /// # Errors
    ///
    /// [`FinalizeError`]: what is wrong with it.
    pub fn verify(&self, signature: &InputSignature) -> Result<(), FinalizeError> {
        verify(self, &signature.key, &signature.bytes)
    }
}

/// The signatures of one input, one for each key that gave any: here each is held against its digest, whether it came
/// along or was given.
fn verified<'a>(
    at: usize,
    ours: &'a Ours,
    digest: &SigningDigest,
    given: &'a [InputSignature],
) -> Result<Vec<(PublicKey, &'a [u8])>, FinalizeError> {
    let came = ours.signatures.iter().map(|(key, bytes)| (*key, bytes.as_slice()));
    let given = given.iter().filter(|it| it.input == at).map(|it| (it.key, it.bytes.as_slice()));
    let mut all: Vec<(PublicKey, &[u8])> = came.chain(given).collect();
    all.iter().try_for_each(|(key, bytes)| verify(digest, key, bytes))?;
    // In the order of the script: CHECKMULTISIG walks through keys and signatures once.
    all.sort_by_key(|(key, _)| key.serialize());
    all.dedup_by_key(|(key, _)| *key);
    Ok(all)
}

fn satisfy(
    at: usize,
    ours: &Ours,
    signatures: &[(PublicKey, &[u8])],
) -> Result<(ScriptBuf, Witness), FinalizeError> {
    let missing = FinalizeError::Missing { input: at, expected: ours.threshold, found: signatures.len() };
    let enough = signatures.get(..ours.threshold).ok_or(missing.clone())?;
    let (key, signature) = enough.first().ok_or(missing)?;
    let key = key.serialize();
    let witness = |elements: &[&[u8]]| Witness::from_slice(elements);
    Ok(match ours.form {
        Form::Pkh => (pushes(signature, &key).ok_or(FinalizeError::Malformed { input: at })?, Witness::new()),
        Form::Wpkh => (ScriptBuf::new(), witness(&[signature, &key])),
        Form::ShWpkh => {
            let redeem = ours.derived.redeem_script.clone().unwrap_or_default().into_bytes();
            let push = push(redeem).ok_or(FinalizeError::Malformed { input: at })?;
            (ScriptBuf::builder().push_slice(push).into_script(), witness(&[signature, &key]))
        }
        Form::Tr => (ScriptBuf::new(), witness(&[signature])),
        Form::WshSortedMulti { .. } => {
            let script = ours.derived.witness_script.as_ref().map(|it| it.as_bytes()).unwrap_or_default();
            let signatures = enough.iter().map(|(_, it)| *it);
            let elements: Vec<&[u8]> = [&[][..]].into_iter().chain(signatures).chain([script]).collect();
            (ScriptBuf::new(), witness(&elements))
        }
    })
}

fn pushes(signature: &[u8], key: &[u8]) -> Option<ScriptBuf> {
    let builder = ScriptBuf::builder().push_slice(push(signature.to_vec())?);
    Some(builder.push_slice(push(key.to_vec())?).into_script())
}

fn push(bytes: Vec<u8>) -> Option<PushBytesBuf> {
    PushBytesBuf::try_from(bytes).ok()
}

/// INVARIANT S7: in its one encoding, low s, over this digest, by this key, and covering everything.
pub(crate) fn verify(digest: &SigningDigest, key: &PublicKey, bytes: &[u8]) -> Result<(), FinalizeError> {
    let input = digest.input;
    if !digest.keys.iter().any(|it| it.public == *key) {
        return Err(FinalizeError::ForeignKey { input });
    }
    let (signature, byte) = match (digest.scheme, digest.sighash) {
        (Scheme::Schnorr, Sighash::Default) => (bytes, None),
        _ => {
            let (byte, signature) = bytes.split_last().ok_or(FinalizeError::Malformed { input })?;
            (signature, Some(*byte))
        }
    };
    if byte.is_some_and(|it| it != SIGHASH_ALL) {
        return Err(FinalizeError::Sighash { input, found: byte.unwrap_or_default() });
    }
    let valid = match digest.scheme {
        Scheme::Ecdsa => verify_ecdsa(input, digest.digest, key, signature)?,
        Scheme::Schnorr => verify_schnorr(input, digest.digest, key, signature)?,
    };
    if valid { Ok(()) } else { Err(FinalizeError::Invalid { input }) }
}

fn verify_ecdsa(input: usize, digest: Digest, key: &PublicKey, der: &[u8]) -> Result<bool, FinalizeError> {
    let signature = ecdsa::Signature::from_der(der).map_err(|_| FinalizeError::Malformed { input })?;
    if *signature.serialize_der() != *der {
        return Err(FinalizeError::Malformed { input });
    }
    let mut low = signature;
    low.normalize_s();
    if low != signature {
        return Err(FinalizeError::HighS { input });
    }
    Ok(CURVE.verify_ecdsa(&Message::from_digest(digest.0), &signature, key).is_ok())
}

/// The output key of a taproot without scripts (BIP-341, "Constructing and spending Taproot outputs").
fn verify_schnorr(
    input: usize,
    digest: Digest,
    key: &PublicKey,
    bytes: &[u8],
) -> Result<bool, FinalizeError> {
    let signature = schnorr::Signature::from_slice(bytes).map_err(|_| FinalizeError::Malformed { input })?;
    let (output_key, _) = key.x_only_public_key().0.tap_tweak(&CURVE, None);
    Ok(is_by(&output_key.to_x_only_public_key(), digest, &signature))
}

/// BIP-340, "Verification".
pub(crate) fn is_by(key: &XOnlyPublicKey, digest: Digest, signature: &schnorr::Signature) -> bool {
    CURVE.verify_schnorr(signature, &Message::from_digest(digest.0), key).is_ok()
}

const SIGHASH_ALL: u8 = 0x01;

/// Why signatures do not make a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalizeError {
    /// There is no such input, or it is not ours.
    #[error("input {input} is none of ours")]
    UnknownInput {
        /// The input.
        input: usize,
    },
    /// Another PSBT than the one that was read.
    #[error("the PSBT is another one than was read")]
    OtherTransaction,
    /// A signature by somebody else.
    #[error("input {input}: the signature is by a key that is none of its own")]
    ForeignKey {
        /// The input.
        input: usize,
    },
    /// Bytes that are no signature, or not in their one encoding.
    #[error("input {input}: the signature is neither strict DER (BIP-66) nor 64 bytes (BIP-340)")]
    Malformed {
        /// The input.
        input: usize,
    },
    /// A signature that covers something else.
    #[error("input {input}: expected sighash byte 01, found {found:#04x}")]
    Sighash {
        /// The input.
        input: usize,
        /// The byte.
        found: u8,
    },
    /// A signature that somebody else could turn into another one.
    #[error("input {input}: s is in the upper half, and nodes do not relay that (BIP-146)")]
    HighS {
        /// The input.
        input: usize,
    },
    /// A signature of something else.
    #[error("input {input}: the signature does not verify")]
    Invalid {
        /// The input.
        input: usize,
    },
    /// Too few signatures.
    #[error("input {input} takes {expected} signatures, found {found}")]
    Missing {
        /// The input.
        input: usize,
        /// How many it takes.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Somebody else has not signed.
    #[error("input {input} is somebody else's, and not finished")]
    Unfinished {
        /// The input.
        input: usize,
    },
}

impl Coded for FinalizeError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownInput { .. } => "finalize.unknown_input",
            Self::OtherTransaction => "finalize.other_transaction",
            Self::ForeignKey { .. } => "finalize.foreign_key",
            Self::Malformed { .. } => "finalize.malformed",
            Self::Sighash { .. } => "finalize.sighash",
            Self::HighS { .. } => "finalize.high_s",
            Self::Invalid { .. } => "finalize.invalid",
            Self::Missing { .. } => "finalize.missing",
            Self::Unfinished { .. } => "finalize.unfinished",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
pub(crate) mod tests;

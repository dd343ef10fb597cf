//! What a PSBT says about an input: every value decoded, none of it believed yet.

use bitcoin::bip32::{ChildNumber, Fingerprint};
use bitcoin::consensus::{Decodable, deserialize};
use bitcoin::secp256k1::{PublicKey, XOnlyPublicKey};
use bitcoin::{ScriptBuf, Transaction, TxOut, Witness};

use super::field::{self, Field};
use super::map::Reader;
use super::{Claim, Map, PsbtError, Scope};

/// What a PSBT says about an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    map: Map,
    read: Read,
}

/// The decoded values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Read {
    previous: Option<Transaction>,
    utxo: Option<TxOut>,
    signatures: Vec<(PublicKey, Vec<u8>)>,
    sighash: Option<u32>,
    redeem_script: Option<ScriptBuf>,
    witness_script: Option<ScriptBuf>,
    claims: Vec<Claim>,
    final_script_sig: Option<ScriptBuf>,
    final_witness: Option<Witness>,
    tap_signature: Option<Vec<u8>>,
    tap_internal_key: Option<Vec<u8>>,
    script_path: bool,
}

impl Input {
    pub(super) fn parse(map: Map, scope: Scope) -> Result<Self, PsbtError> {
        let read = Read::of(&map).map_err(|field| PsbtError::Value { scope, field })?;
        Ok(Self { map, read })
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }

    /// The transaction that the input spends from.
    #[must_use]
    pub fn previous_transaction(&self) -> Option<&Transaction> {
        self.read.previous.as_ref()
    }

    /// The output that the input spends, without proof.
    #[must_use]
    pub fn witness_utxo(&self) -> Option<&TxOut> {
        self.read.utxo.as_ref()
    }

    /// ECDSA signatures, each with its sighash byte, by whom they are said to be.
    #[must_use]
    pub fn partial_signatures(&self) -> &[(PublicKey, Vec<u8>)] {
        &self.read.signatures
    }

    /// The taproot key-path signature.
    #[must_use]
    pub fn tap_signature(&self) -> Option<&[u8]> {
        self.read.tap_signature.as_deref()
    }

    /// The x coordinate of the taproot internal key.
    #[must_use]
    pub fn tap_internal_key(&self) -> Option<&[u8]> {
        self.read.tap_internal_key.as_deref()
    }

    /// The sighash type that is asked for.
    #[must_use]
    pub fn sighash_type(&self) -> Option<u32> {
        self.read.sighash
    }

    /// The script behind a script hash.
    #[must_use]
    pub fn redeem_script(&self) -> Option<&ScriptBuf> {
        self.read.redeem_script.as_ref()
    }

    /// The script behind a witness program.
    #[must_use]
    pub fn witness_script(&self) -> Option<&ScriptBuf> {
        self.read.witness_script.as_ref()
    }

    /// Whose keys it is said to take.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.read.claims
    }

    /// The finished `scriptSig`, when somebody finished it.
    #[must_use]
    pub fn final_script_sig(&self) -> Option<&ScriptBuf> {
        self.read.final_script_sig.as_ref()
    }

    /// The finished witness, when somebody finished it.
    #[must_use]
    pub fn final_witness(&self) -> Option<&Witness> {
        self.read.final_witness.as_ref()
    }

    /// Whether anything in it is about spending by a taproot script.
    #[must_use]
    pub fn has_script_path(&self) -> bool {
        self.read.script_path
    }

    /// The same with one more pair.
    pub(crate) fn with(&self, field: Field, data: &[u8], value: Vec<u8>) -> Result<Self, PsbtError> {
        let mut map = self.map.clone();
        map.put(field, data, value);
        Self::parse(map, Scope::Input(0))
    }
}

impl Read {
    /// The error is the name of the field whose value is none of its type.
    fn of(map: &Map) -> Result<Self, &'static str> {
        let signatures = map
            .all(field::PARTIAL_SIG)
            .map(|(key, value)| Some((PublicKey::from_slice(key).ok()?, signature(value)?)));
        let paths = map.all(field::IN_BIP32_DERIVATION).map(|(_, value)| claim(value));
        let taproot = map.all(field::IN_TAP_BIP32_DERIVATION).map(|(_, value)| tap_claim(value));
        let taproot: Vec<(Claim, bool)> = taproot.collect::<Option<_>>().ok_or("TAP_BIP32_DERIVATION")?;
        let by_script = taproot.iter().any(|(_, leaves)| *leaves);
        let mut claims: Vec<Claim> = paths.collect::<Option<_>>().ok_or("BIP32_DERIVATION")?;
        claims.extend(taproot.into_iter().map(|(claim, _)| claim));
        check_taproot(map)?;
        Ok(Self {
            previous: decoded(map, field::NON_WITNESS_UTXO).ok_or("NON_WITNESS_UTXO")?,
            utxo: decoded(map, field::WITNESS_UTXO).ok_or("WITNESS_UTXO")?,
            signatures: signatures.collect::<Option<_>>().ok_or("PARTIAL_SIG")?,
            sighash: word(map, field::SIGHASH_TYPE).ok_or("SIGHASH_TYPE")?,
            redeem_script: script(map, field::IN_REDEEM_SCRIPT),
            witness_script: script(map, field::IN_WITNESS_SCRIPT),
            claims,
            final_script_sig: script(map, field::FINAL_SCRIPTSIG),
            final_witness: decoded(map, field::FINAL_SCRIPTWITNESS).ok_or("FINAL_SCRIPTWITNESS")?,
            tap_signature: map.get(field::TAP_KEY_SIG).map(<[u8]>::to_vec),
            tap_internal_key: map.get(field::IN_TAP_INTERNAL_KEY).map(<[u8]>::to_vec),
            script_path: by_script || has_scripts(map),
        })
    }
}

/// The lengths that BIP-371 gives, and a key that is one.
fn check_taproot(map: &Map) -> Result<(), &'static str> {
    let fits = |field, lengths: &[usize]| map.all(field).all(|(_, value)| lengths.contains(&value.len()));
    let names: [(Field, &[usize], &'static str); 3] = [
        (field::TAP_KEY_SIG, &[64, 65], "TAP_KEY_SIG"),
        (field::TAP_SCRIPT_SIG, &[64, 65], "TAP_SCRIPT_SIG"),
        (field::TAP_MERKLE_ROOT, &[32], "TAP_MERKLE_ROOT"),
    ];
    let wrong = names.into_iter().find(|(field, lengths, _)| !fits(*field, lengths));
    let no_key =
        map.all(field::IN_TAP_INTERNAL_KEY).any(|(_, value)| XOnlyPublicKey::from_slice(value).is_err());
    let no_script = map.all(field::TAP_LEAF_SCRIPT).any(|(_, value)| value.is_empty());
    match (wrong, no_key, no_script) {
        (Some((_, _, name)), ..) => Err(name),
        (None, true, _) => Err("TAP_INTERNAL_KEY"),
        (None, false, true) => Err("TAP_LEAF_SCRIPT"),
        (None, false, false) => Ok(()),
    }
}

fn has_scripts(map: &Map) -> bool {
    [field::TAP_SCRIPT_SIG, field::TAP_LEAF_SCRIPT, field::TAP_MERKLE_ROOT]
        .into_iter()
        .any(|field| map.all(field).next().is_some())
}

/// Something in Bitcoin's encoding and nothing behind it; the outer `None` is an error.
fn decoded<T: Decodable>(map: &Map, field: Field) -> Option<Option<T>> {
    match map.get(field) {
        None => Some(None),
        Some(value) => deserialize(value).ok().map(Some),
    }
}

fn word(map: &Map, field: Field) -> Option<Option<u32>> {
    match map.get(field) {
        None => Some(None),
        Some(value) => value.try_into().ok().map(|it| Some(u32::from_le_bytes(it))),
    }
}

fn script(map: &Map, field: Field) -> Option<ScriptBuf> {
    map.get(field).map(|it| ScriptBuf::from_bytes(it.to_vec()))
}

/// DER has at least eight bytes and at most 72, then comes the sighash byte.
fn signature(value: &[u8]) -> Option<Vec<u8>> {
    (9..=73).contains(&value.len()).then(|| value.to_vec())
}

/// A fingerprint and steps of four bytes (BIP-174, `BIP32_DERIVATION`).
pub(super) fn claim(value: &[u8]) -> Option<Claim> {
    let (fingerprint, steps) = value.split_first_chunk::<4>()?;
    let (steps, rest) = steps.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let steps: Vec<ChildNumber> = steps.iter().map(|it| ChildNumber::from(u32::from_le_bytes(*it))).collect();
    Some(Claim { fingerprint: Fingerprint::from(*fingerprint), path: steps.into() })
}

/// The same behind the hashes of the leaves that the key is in (BIP-371); whether there are any.
pub(super) fn tap_claim(value: &[u8]) -> Option<(Claim, bool)> {
    let mut reader = Reader::new(value);
    let leaves = usize::try_from(reader.compact()?.ok()?).ok()?;
    reader.take(leaves.checked_mul(32)?)?;
    let rest = reader.take(reader.len())?;
    Some((claim(rest)?, leaves > 0))
}

//! Whose an input or output is. Claims say where to look; the script says what is there.

use std::collections::BTreeMap;

use bitcoin::bip32::ChildNumber;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Script, ScriptBuf, TxOut};

use super::{Finished, Ours, Owner, ViewOutput};
use crate::psbt::{Claim, Input, Output};
use crate::{Derived, Form, Key, Owned, Place, Refusal, Terms, Wallet};

/// Finds scripts of a wallet.
pub(super) struct Finder<'a> {
    wallet: &'a Wallet,
    searched: BTreeMap<ScriptBuf, Owned>,
}

/// What a search came to.
enum Found {
    Ours(Owned),
    /// A claim on a key of ours, by the descriptor's name, that the script does not bear out.
    False(String),
    Nothing,
}

impl<'a> Finder<'a> {
    /// With the scripts of the first indexes of each branch, for those that come without a claim.
    pub(super) fn new(wallet: &'a Wallet, search: u16) -> Self {
        Self { wallet, searched: wallet.scripts(search) }
    }

    fn find(&self, script: &Script, claims: &[Claim]) -> Found {
        let claimed = self.claimed(claims);
        let mut places = claimed.iter().filter_map(|it| it.place);
        if let Some(owned) = places.find(|it| self.wallet.is_at(script, *it)) {
            return Found::Ours(owned);
        }
        match (self.searched.get(script), claimed.first()) {
            (Some(owned), _) => Found::Ours(*owned),
            (None, Some(it)) => Found::False(it.name.clone()),
            (None, None) => Found::Nothing,
        }
    }

    /// The descriptors whose key is claimed, and the place in each when the last steps are one.
    ///
    /// The first claim of each descriptor counts: its co-signers all say the same, and whoever sends thousands of
    /// claims costs us no more derivations than one.
    fn claimed(&self, claims: &[Claim]) -> Vec<Claimed> {
        let all = self.wallet.descriptors().iter().enumerate();
        let claimed = all.filter_map(|(descriptor, (name, it))| {
            let steps = claims.iter().find_map(|claim| it.keys().iter().find_map(|key| steps(claim, key)))?;
            let place = match steps {
                [branch, index] => Place::of_steps(*branch, *index),
                _ => None,
            };
            let place = place.map(|place| Owned { descriptor, place });
            Some(Claimed { name: name.to_string(), place })
        });
        claimed.collect()
    }
}

/// The steps that a claim has beyond a key of ours; none when it is no claim of that key.
fn steps<'a>(claim: &'a Claim, key: &Key) -> Option<&'a [ChildNumber]> {
    let steps = claim.path.as_ref().strip_prefix(key.path().as_ref())?;
    (claim.fingerprint == key.fingerprint()).then_some(steps)
}

struct Claimed {
    name: String,
    place: Option<Owned>,
}

pub(super) fn input(at: usize, input: &Input, spent: &TxOut, finder: &Finder<'_>) -> Result<Owner, Refusal> {
    if input.has_script_path() {
        return Err(Refusal::ScriptPath { input: at });
    }
    let owned = match finder.find(&spent.script_pubkey, input.claims()) {
        Found::Ours(owned) => owned,
        Found::False(name) => return Err(Refusal::FalseInput { input: at, name }),
        Found::Nothing => return Ok(Owner::Foreign(Box::new(finished(input)))),
    };
    let parts = finder.wallet.descriptor(owned).zip(finder.wallet.derive(owned));
    let ((name, descriptor), derived) = parts.ok_or(Refusal::NothingOfOurs)?;
    check_scripts(at, input, &derived)?;
    check_internal_key(at, input, descriptor.form(), &derived)?;
    if input.final_script_sig().is_some() || input.final_witness().is_some() {
        return Err(Refusal::AlreadyFinal { input: at });
    }
    let signatures = signatures(at, input, descriptor.form(), &derived)?;
    let (form, threshold) = (descriptor.form(), descriptor.threshold());
    Ok(Owner::Ours(Box::new(Ours { owned, name: name.to_string(), form, threshold, derived, signatures })))
}

pub(super) fn output(
    at: usize,
    claimed: &Output,
    output: &TxOut,
    finder: &Finder<'_>,
    terms: &Terms,
) -> Result<ViewOutput, Refusal> {
    let owned = match finder.find(&output.script_pubkey, claimed.claims()) {
        Found::False(name) => return Err(Refusal::ForeignChange { output: at, name }),
        Found::Ours(owned) => Some(owned),
        Found::Nothing => None,
    };
    match owned.map(|it| it.place.index).filter(|index| *index > terms.max_change_index) {
        Some(found) => Err(Refusal::FarChange { output: at, limit: terms.max_change_index, found }),
        None => {
            let named = |it| finder.wallet.descriptor(it).map(|(name, of)| (name.to_string(), of.form(), it));
            Ok(ViewOutput { output: output.clone(), ours: owned.and_then(named) })
        }
    }
}

/// Scripts that come along are the ones that our keys make, or somebody means another coin.
fn check_scripts(at: usize, input: &Input, derived: &Derived) -> Result<(), Refusal> {
    let pairs = [
        (input.redeem_script(), derived.redeem_script.as_ref(), "REDEEM_SCRIPT"),
        (input.witness_script(), derived.witness_script.as_ref(), "WITNESS_SCRIPT"),
    ];
    let wrong = pairs.into_iter().find(|(found, expected, _)| found.is_some() && found != expected);
    match wrong {
        Some((_, _, field)) => Err(Refusal::ContradictingScript { input: at, field }),
        None => Ok(()),
    }
}

/// The same of the key behind a taproot; no other form has one.
fn check_internal_key(at: usize, input: &Input, form: Form, derived: &Derived) -> Result<(), Refusal> {
    let ours = derived.keys.first().filter(|_| form == Form::Tr).map(|key| key.x_only().serialize());
    match input.tap_internal_key() {
        Some(found) if ours.is_none_or(|ours| ours != *found) => {
            Err(Refusal::ContradictingScript { input: at, field: "TAP_INTERNAL_KEY" })
        }
        _ => Ok(()),
    }
}

/// Signatures that came along, each by a key that is behind the script.
fn signatures(
    at: usize,
    input: &Input,
    form: Form,
    derived: &Derived,
) -> Result<Vec<(PublicKey, Vec<u8>)>, Refusal> {
    let foreign = Refusal::ForeignSignature { input: at };
    let ecdsa = input.partial_signatures();
    match (form, input.tap_signature()) {
        (Form::Tr, _) if !ecdsa.is_empty() => Err(foreign),
        (Form::Tr, None) => Ok(Vec::new()),
        (Form::Tr, Some(signature)) => {
            let key = derived.keys.first().ok_or(foreign)?.public;
            Ok(vec![(key, signature.to_vec())])
        }
        (_, Some(_)) => Err(foreign),
        (_, None) => {
            let ours = |key: &PublicKey| derived.keys.iter().any(|it| it.public == *key);
            match ecdsa.iter().all(|(key, _)| ours(key)) {
                true => Ok(ecdsa.to_vec()),
                false => Err(foreign),
            }
        }
    }
}

fn finished(input: &Input) -> Finished {
    Finished {
        script_sig: input.final_script_sig().cloned().unwrap_or_default(),
        witness: input.final_witness().cloned().unwrap_or_default(),
    }
}

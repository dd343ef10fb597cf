//! What we add to a PSBT: what proves its effects, and signatures.

use bitcoin::consensus::serialize;

use super::field::{self, Field};
use super::map::write_compact;
use super::{Input, Output, Psbt, PsbtError};
use crate::finalize::InputSignature;
use crate::sighash::Scheme;
use crate::{Derived, DerivedKey, Form};

impl Psbt {
    /// With the transaction that an input spends from, and for a witness its output.
    pub(crate) fn with_spent(
        self,
        at: usize,
        previous: Vec<u8>,
        utxo: Option<Vec<u8>>,
    ) -> Result<Self, PsbtError> {
        self.with_input(at, |input| {
            let input = input.with(field::NON_WITNESS_UTXO, &[], previous)?;
            match utxo {
                Some(utxo) => input.with(field::WITNESS_UTXO, &[], utxo),
                None => Ok(input),
            }
        })
    }

    /// With the scripts behind an input, and how each holder finds the key.
    pub(crate) fn with_derived_input(
        self,
        at: usize,
        derived: &Derived,
        form: Form,
    ) -> Result<Self, PsbtError> {
        let pairs = pairs(derived, form, &INPUT_FIELDS);
        self.with_input(at, |input| {
            pairs.into_iter().try_fold(input, |it, (field, data, value)| it.with(field, &data, value))
        })
    }

    /// The same for an output.
    pub(crate) fn with_derived_output(
        mut self,
        at: usize,
        derived: &Derived,
        form: Form,
    ) -> Result<Self, PsbtError> {
        let pairs = pairs(derived, form, &OUTPUT_FIELDS);
        if let Some(place) = self.outputs.get_mut(at) {
            let output: Output = place.clone();
            let with = |it: Output, (field, data, value): Added| it.with(field, &data, value);
            *place = pairs.into_iter().try_fold(output, with)?;
        }
        Ok(self)
    }

    /// With a signature; none when there is no such input, or the bytes are no signature.
    pub(crate) fn with_signature(self, it: &InputSignature, scheme: Scheme) -> Option<Self> {
        self.inputs.get(it.input)?;
        let key = it.key.serialize();
        self.with_input(it.input, |input| match scheme {
            Scheme::Ecdsa => input.with(field::PARTIAL_SIG, &key, it.bytes.clone()),
            Scheme::Schnorr => input.with(field::TAP_KEY_SIG, &[], it.bytes.clone()),
        })
        .ok()
    }

    fn with_input(
        mut self,
        at: usize,
        change: impl FnOnce(Input) -> Result<Input, PsbtError>,
    ) -> Result<Self, PsbtError> {
        if let Some(place) = self.inputs.get_mut(at) {
            *place = change(place.clone())?;
        }
        Ok(self)
    }
}

/// The numbers of the same fields in the maps of inputs and of outputs.
struct Fields {
    redeem_script: Field,
    witness_script: Field,
    derivation: Field,
    tap_derivation: Field,
    tap_internal_key: Field,
}

type Added = (Field, Vec<u8>, Vec<u8>);

fn pairs(derived: &Derived, form: Form, fields: &Fields) -> Vec<Added> {
    let script = |field, script: Option<&bitcoin::ScriptBuf>| Some((field, Vec::new(), script?.to_bytes()));
    let scripts = [
        script(fields.redeem_script, derived.redeem_script.as_ref()),
        script(fields.witness_script, derived.witness_script.as_ref()),
    ];
    let mut pairs: Vec<Added> = scripts.into_iter().flatten().collect();
    for key in &derived.keys {
        match form {
            Form::Tr => {
                let x_only = key.x_only().serialize().to_vec();
                pairs.push((fields.tap_internal_key, Vec::new(), x_only.clone()));
                // No leaf has the key: it is the internal one.
                let mut value = Vec::new();
                write_compact(&mut value, 0);
                value.extend(origin(key));
                pairs.push((fields.tap_derivation, x_only, value));
            }
            Form::Pkh | Form::ShWpkh | Form::Wpkh | Form::WshSortedMulti { .. } => {
                pairs.push((fields.derivation, key.public.serialize().to_vec(), origin(key)));
            }
        }
    }
    pairs
}

/// A fingerprint and steps of four bytes.
fn origin(key: &DerivedKey) -> Vec<u8> {
    let steps = key.path.into_iter().map(|it| serialize(&u32::from(*it)));
    std::iter::once(key.fingerprint.to_bytes().to_vec()).chain(steps).collect::<Vec<_>>().concat()
}

const INPUT_FIELDS: Fields = Fields {
    redeem_script: field::IN_REDEEM_SCRIPT,
    witness_script: field::IN_WITNESS_SCRIPT,
    derivation: field::IN_BIP32_DERIVATION,
    tap_derivation: field::IN_TAP_BIP32_DERIVATION,
    tap_internal_key: field::IN_TAP_INTERNAL_KEY,
};

const OUTPUT_FIELDS: Fields = Fields {
    redeem_script: field::OUT_REDEEM_SCRIPT,
    witness_script: field::OUT_WITNESS_SCRIPT,
    derivation: field::OUT_BIP32_DERIVATION,
    tap_derivation: field::OUT_TAP_BIP32_DERIVATION,
    tap_internal_key: field::OUT_TAP_INTERNAL_KEY,
};

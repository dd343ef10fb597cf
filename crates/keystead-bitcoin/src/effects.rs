//! What a signed transaction would do, output by output, as typed facts.

use bitcoin::{OutPoint, Script, ScriptBuf};
use keystead_intent::DangerClass;

use crate::psbt::Kept;
use crate::view::{Owner, ViewOutput};
use crate::{Form, Network, Owned, Spends, View, address_of};

/// Everything that signing would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// The network.
    pub network: Network,
    /// The coins that are spent: at most one transaction is signed for any of them (S4).
    pub spends: Spends,
    /// The inputs.
    pub inputs: Vec<Spending>,
    /// What happens, an effect for each output, in their order; never empty.
    pub items: Vec<Effect>,
    /// What the network takes, in satoshi.
    pub fee_sat: u64,
    /// The size once signed, at most, in virtual bytes.
    pub virtual_bytes: u64,
    /// Whether another transaction may replace this one (BIP-125).
    pub replaceable: bool,
    /// Before which height, or Unix time from 500,000,000 on, it is not valid; zero for at once.
    pub lock_time: u32,
    /// What the PSBT holds beside, and nothing here reads.
    pub kept: Vec<Kept>,
}

/// A coin that is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Which one.
    pub outpoint: OutPoint,
    /// Its amount, in satoshi.
    pub sat: u64,
    /// Where it is ours, proven by its script: the descriptor's name, and where in the wallet.
    pub ours: Option<(String, Owned)>,
}

/// What happens at one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The amount, in satoshi.
    pub sat: u64,
    /// The script that it is locked with.
    pub script: ScriptBuf,
    /// What happens.
    pub kind: EffectKind,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// Coins leave for an address.
    Payment {
        /// The address.
        address: String,
    },
    /// Coins come back: the script was derived from a descriptor of ours.
    Return {
        /// The descriptor's name.
        name: String,
        /// Its form.
        form: Form,
        /// Where in the wallet.
        owned: Owned,
    },
    /// Bytes are written that the network gives no meaning, and others may (`OP_RETURN`).
    Data {
        /// The bytes after the opcode.
        bytes: Vec<u8>,
    },
    /// Coins leave for a script that has no standard form.
    Unknown,
}

impl Effect {
    /// The effect's danger class. Nobody can say what data does, nor who may spend from an unknown script.
    #[must_use]
    pub fn class(&self) -> DangerClass {
        match self.kind {
            EffectKind::Payment { .. } | EffectKind::Return { .. } => DangerClass::Transfer,
            EffectKind::Data { .. } | EffectKind::Unknown => DangerClass::Opaque,
        }
    }
}

impl Effects {
    /// The class of the worst effect.
    #[must_use]
    pub fn class(&self) -> DangerClass {
        self.items.iter().map(Effect::class).max().unwrap_or(DangerClass::BlindDigest)
    }

    /// What our coins have together, in satoshi.
    #[must_use]
    pub fn ours_sat(&self) -> u64 {
        self.inputs.iter().filter(|it| it.ours.is_some()).map(|it| it.sat).sum()
    }

    /// What others pay along, in satoshi.
    #[must_use]
    pub fn foreign_sat(&self) -> u64 {
        self.inputs.iter().filter(|it| it.ours.is_none()).map(|it| it.sat).sum()
    }

    /// What comes back to us, in satoshi.
    #[must_use]
    pub fn returned_sat(&self) -> u64 {
        let returned = self.items.iter().filter(|it| matches!(it.kind, EffectKind::Return { .. }));
        returned.map(|it| it.sat).sum()
    }

    /// What we have less afterwards, the fee included, in satoshi; zero when others pay us.
    #[must_use]
    pub fn net_outflow_sat(&self) -> u64 {
        self.ours_sat().saturating_sub(self.returned_sat())
    }

    /// The fee rate in tenths of a satoshi for each virtual byte, rounded to the nearest.
    #[must_use]
    pub fn rate_tenths(&self) -> u64 {
        let tenths = self.fee_sat.saturating_mul(10).saturating_add(self.virtual_bytes / 2);
        tenths.checked_div(self.virtual_bytes).unwrap_or(0)
    }
}

/// Explains what is to be signed.
#[must_use]
pub fn explain(view: &View) -> Effects {
    let inputs = view.inputs().iter().map(|it| Spending {
        outpoint: it.outpoint,
        sat: it.spent.value.to_sat(),
        ours: match &it.owner {
            Owner::Ours(ours) => Some((ours.name.clone(), ours.owned)),
            Owner::Foreign(_) => None,
        },
    });
    Effects {
        network: view.network(),
        spends: Spends::of(view),
        inputs: inputs.collect(),
        items: view.outputs().iter().map(|it| effect(it, view.network())).collect(),
        fee_sat: view.fee_sat(),
        virtual_bytes: view.virtual_bytes(),
        replaceable: view.is_replaceable(),
        lock_time: view.transaction().lock_time.to_consensus_u32(),
        kept: view.kept().to_vec(),
    }
}

fn effect(it: &ViewOutput, network: Network) -> Effect {
    let script = &it.output.script_pubkey;
    let kind = match &it.ours {
        Some((name, form, owned)) => EffectKind::Return { name: name.clone(), form: *form, owned: *owned },
        None => foreign(script, network),
    };
    Effect { sat: it.output.value.to_sat(), script: script.clone(), kind }
}

fn foreign(script: &Script, network: Network) -> EffectKind {
    if script.is_op_return() {
        return EffectKind::Data { bytes: script.as_bytes().get(1..).unwrap_or_default().to_vec() };
    }
    match address_of(script, network) {
        Some(address) => EffectKind::Payment { address },
        None => EffectKind::Unknown,
    }
}

#[cfg(test)]
mod tests;

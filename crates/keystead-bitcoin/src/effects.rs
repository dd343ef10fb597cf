//! What a signed transaction would do, output by output, as typed facts.

use bitcoin::{OutPoint, Script, ScriptBuf, Transaction, relative};
use keystead_intent::{DangerClass, SpendLock};

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
    /// What it waits for before it is valid.
    pub lock: SpendLock,
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
        lock: lock_of(view.transaction()),
        kept: view.kept().to_vec(),
    }
}

/// A lock time holds where some sequence is not final (BIP-65, "Motivation"), relative ones from version 2 on (BIP-68).
fn lock_of(transaction: &Transaction) -> SpendLock {
    let mut lock = SpendLock::default();
    if transaction.is_lock_time_enabled() {
        lock.lock_time = transaction.lock_time.to_consensus_u32();
    }
    let knows_age = transaction.version.0 >= 2;
    for age in transaction.input.iter().filter_map(|it| it.sequence.to_relative_lock_time()) {
        match age {
            _ if !knows_age => {}
            relative::LockTime::Blocks(it) => lock.relative_blocks = lock.relative_blocks.max(it.value()),
            relative::LockTime::Time(it) => {
                let seconds = u32::from(it.value()).saturating_mul(RELATIVE_UNIT_SECONDS);
                lock.relative_seconds = lock.relative_seconds.max(seconds);
            }
        }
    }
    lock
}

/// BIP-68 counts time in units of 512 seconds.
const RELATIVE_UNIT_SECONDS: u32 = 512;

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

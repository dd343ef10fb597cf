//! What will be signed, and nothing that anybody merely says about it.

mod amounts;
mod owner;
mod utxo;

use std::collections::BTreeSet;

use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, TxOut, Witness};

use crate::psbt::{Input, Kept, Psbt};
use crate::{Derived, Form, Network, Owned, Refusal, Terms, Wallet};

use owner::Finder;

/// A PSBT after every check: the canonical form of what is to be signed.
///
/// There is no other way to one than [`View::read`]:
///
/// ```compile_fail,E0451
/// fn unchecked(transaction: bitcoin::Transaction, view: keystead_bitcoin::View) -> keystead_bitcoin::View {
///     keystead_bitcoin::View { transaction, ..view }
/// }
/// ```
///
/// It is read once and finalized once, and nobody keeps a second one:
///
/// ```compile_fail,E0599
/// fn twice(view: keystead_bitcoin::View) -> (keystead_bitcoin::View, keystead_bitcoin::View) {
///     (view.clone(), view)
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    pub(crate) network: Network,
    pub(crate) transaction: Transaction,
    pub(crate) inputs: Vec<ViewInput>,
    pub(crate) outputs: Vec<ViewOutput>,
    pub(crate) fee_sat: u64,
    pub(crate) weight: u64,
    pub(crate) kept: Vec<Kept>,
}

/// An input, with what it spends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewInput {
    /// Which coin.
    pub outpoint: OutPoint,
    /// Its amount and script.
    pub spent: TxOut,
    /// The sequence: whether it may be replaced, and how long it waits.
    pub sequence: Sequence,
    /// What a signature covers.
    pub sighash: Sighash,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose an input is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Ours, proven by its script.
    Ours(Box<Ours>),
    /// Somebody else's, as finished as they left it.
    Foreign(Box<Finished>),
}

/// An input of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Where in the wallet.
    pub owned: Owned,
    /// The descriptor's name.
    pub name: String,
    /// Its form.
    pub form: Form,
    /// How many signatures it takes.
    pub threshold: usize,
    /// The script, and what is behind it.
    pub derived: Derived,
    /// Signatures that came along, by keys that are behind the script; not verified yet.
    pub signatures: Vec<(PublicKey, Vec<u8>)>,
}

/// What somebody else put into their own input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// The `scriptSig`.
    pub script_sig: ScriptBuf,
    /// The witness.
    pub witness: Witness,
}

/// An output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewOutput {
    /// Amount and script.
    pub output: TxOut,
    /// Where it is ours, proven by its script: the descriptor's name, its form, and the place.
    pub ours: Option<(String, Form, Owned)>,
}

/// What a signature covers. Everything, in both cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighash {
    /// Taproot's implicit `ALL` (BIP-341): the signature has 64 bytes.
    Default,
    /// `SIGHASH_ALL`.
    All,
}

impl View {
    /// Reads what a PSBT would have us sign.
    ///
    /// INVARIANT S2: amounts come from previous transactions or are covered by every signature, and what is ours
    /// is derived; no field of the PSBT is believed in either.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says what is wrong, and what to do.
    pub fn read(psbt: &Psbt, wallet: &Wallet, terms: &Terms) -> Result<Self, Refusal> {
        let transaction = psbt.transaction();
        check_shape(transaction)?;
        let finder = Finder::new(wallet, terms.search);
        let spent = utxo::all(psbt)?;
        let inputs = read_inputs(psbt, spent, &finder)?;
        check_owners(&inputs, terms)?;
        check_locks(transaction, terms)?;
        let outputs = psbt.outputs().iter().zip(&transaction.output).enumerate();
        let outputs: Vec<ViewOutput> = outputs
            .map(|(at, (claimed, output))| owner::output(at, claimed, output, &finder, terms))
            .collect::<Result<_, _>>()?;
        let fee_sat = amounts::fee(&inputs, &outputs)?;
        let weight = crate::weight::weight(transaction, &inputs);
        amounts::check(&outputs, fee_sat, weight, terms)?;
        Ok(Self {
            network: wallet.network(),
            transaction: transaction.clone(),
            inputs,
            outputs,
            fee_sat,
            weight,
            kept: psbt.kept(),
        })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> Network {
        self.network
    }

    /// The transaction, unsigned.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The inputs, in the transaction's order.
    #[must_use]
    pub fn inputs(&self) -> &[ViewInput] {
        &self.inputs
    }

    /// The outputs, in the transaction's order.
    #[must_use]
    pub fn outputs(&self) -> &[ViewOutput] {
        &self.outputs
    }

    /// What the network takes, in satoshi.
    #[must_use]
    pub fn fee_sat(&self) -> u64 {
        self.fee_sat
    }

    /// The size once signed, at most, in virtual bytes (BIP-141).
    #[must_use]
    pub fn virtual_bytes(&self) -> u64 {
        crate::weight::virtual_bytes(self.weight)
    }

    /// The weight once signed, at most.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Whether it says that another transaction may replace it (BIP-125, rule 1).
    #[must_use]
    pub fn is_replaceable(&self) -> bool {
        self.inputs.iter().any(|it| it.sequence.is_rbf())
    }

    /// What the PSBT holds beside, and nothing here reads.
    #[must_use]
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }
}

fn check_shape(transaction: &Transaction) -> Result<(), Refusal> {
    if transaction.input.is_empty() || transaction.output.is_empty() {
        return Err(Refusal::Empty);
    }
    if !transaction.version.is_standard() {
        return Err(Refusal::TransactionVersion { found: transaction.version.0 });
    }
    let mut seen = BTreeSet::new();
    let repeated = transaction.input.iter().position(|it| !seen.insert(it.previous_output));
    match repeated.and_then(|input| Some((input, transaction.input.get(input)?.previous_output))) {
        Some((input, outpoint)) => Err(Refusal::DuplicateInput { input, outpoint }),
        None => Ok(()),
    }
}

fn read_inputs(psbt: &Psbt, spent: Vec<TxOut>, finder: &Finder<'_>) -> Result<Vec<ViewInput>, Refusal> {
    let of_transaction = psbt.transaction().input.iter().zip(psbt.inputs());
    let all = of_transaction.zip(spent).enumerate();
    let read = all.map(|(at, ((txin, input), spent))| {
        let owner = owner::input(at, input, &spent, finder)?;
        let sighash = sighash(at, input, &owner, &spent)?;
        let (outpoint, sequence) = (txin.previous_output, txin.sequence);
        Ok(ViewInput { outpoint, spent, sequence, sighash, owner })
    });
    read.collect()
}

/// Everything or nothing is signed. For an input of somebody else it is theirs to say, but nothing else is
/// understood here.
fn sighash(at: usize, input: &Input, owner: &Owner, spent: &TxOut) -> Result<Sighash, Refusal> {
    let taproot = match owner {
        Owner::Ours(ours) => ours.form == Form::Tr,
        Owner::Foreign(_) => spent.script_pubkey.is_p2tr(),
    };
    match (input.sighash_type(), taproot) {
        (None | Some(0), true) => Ok(Sighash::Default),
        (None, false) | (Some(1), _) => Ok(Sighash::All),
        (Some(found), _) => Err(Refusal::Sighash { input: at, found }),
    }
}

fn check_owners(inputs: &[ViewInput], terms: &Terms) -> Result<(), Refusal> {
    let foreign = inputs.iter().position(|it| matches!(it.owner, Owner::Foreign(_)));
    let ours = inputs.iter().any(|it| matches!(it.owner, Owner::Ours(_)));
    match (foreign, ours) {
        (_, false) => Err(Refusal::NothingOfOurs),
        (Some(input), true) if !terms.foreign_inputs => Err(Refusal::ForeignInput { input }),
        _ => Ok(()),
    }
}

/// A signature that is good only later is one that nobody remembers then (BIP-65, 68, 113).
fn check_locks(transaction: &Transaction, terms: &Terms) -> Result<(), Refusal> {
    let found = transaction.lock_time.to_consensus_u32();
    let limit = match transaction.lock_time.is_block_height() {
        true => terms.lock_time_height,
        false => terms.lock_time_seconds,
    };
    if transaction.is_lock_time_enabled() && found > limit {
        return Err(Refusal::LockTime { limit, found });
    }
    let relative = transaction.version.0 >= 2 && !terms.relative_locks;
    let locked = transaction.input.iter().position(|it| relative && it.sequence.is_relative_lock_time());
    match locked.and_then(|input| Some((input, transaction.input.get(input)?.sequence))) {
        Some((input, sequence)) => Err(Refusal::RelativeLock { input, found: sequence.to_consensus_u32() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

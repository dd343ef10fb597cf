//! From coins of ours and outputs to a PSBT that every signer can check.

use bitcoin::consensus::serialize;
use bitcoin::transaction::Version;
use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute};
use keystead_base::{Blame, Coded};

use crate::psbt::{Psbt, PsbtError};
use crate::{Form, Owned, Owner, View, Wallet};

/// A transaction to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Before which height, or Unix time from 500,000,000 on, it is not valid; zero for at once.
    pub lock_time: u32,
    /// The coins.
    pub inputs: Vec<DraftInput>,
    /// The outputs, change among them.
    pub outputs: Vec<DraftOutput>,
}

/// A coin of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftInput {
    /// The whole transaction that it is an output of.
    pub previous: Transaction,
    /// Which output.
    pub output: u32,
    /// Where it is ours.
    pub owned: Owned,
    /// The sequence; [`Sequence::ENABLE_RBF_NO_LOCKTIME`] allows a replacement.
    pub sequence: Sequence,
}

/// An output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftOutput {
    /// Amount and script.
    pub output: TxOut,
    /// For change, where it is ours.
    pub owned: Option<Owned>,
}

impl Draft {
    /// The draft of a PSBT that was read: the same coins, the same outputs. None where an input is not ours, or does not
    /// bring the transaction that it spends from.
    #[must_use]
    pub fn of(psbt: &Psbt, view: &View) -> Option<Self> {
        let inputs = psbt.inputs().iter().zip(view.inputs()).map(|(input, read)| match &read.owner {
            Owner::Ours(ours) => Some(DraftInput {
                previous: input.previous_transaction()?.clone(),
                output: read.outpoint.vout,
                owned: ours.owned,
                sequence: read.sequence,
            }),
            Owner::Foreign(_) => None,
        });
        let outputs = view.outputs().iter().map(|it| {
            let owned = it.ours.as_ref().map(|(_, _, owned)| *owned);
            DraftOutput { output: it.output.clone(), owned }
        });
        Some(Self {
            lock_time: view.transaction().lock_time.to_consensus_u32(),
            inputs: inputs.collect::<Option<_>>()?,
            outputs: outputs.collect(),
        })
    }

    /// Where most comes back of what is not paid: a change place first.
    #[must_use]
    pub fn change(&self) -> Option<Owned> {
        let back = self.outputs.iter().filter_map(|it| Some((it.owned?, it.output.value)));
        back.max_by_key(|(owned, value)| (owned.place.branch, *value)).map(|(owned, _)| owned)
    }
}

/// Composes a PSBT with everything that proves what it does: previous transactions, scripts, derivations.
///
/// # Errors
///
/// [`ComposeError`]: a coin or an output that is not ours where it says so.
pub fn compose(wallet: &Wallet, draft: &Draft) -> Result<Psbt, ComposeError> {
    let input = draft.inputs.iter().map(|it| TxIn {
        previous_output: OutPoint { txid: it.previous.compute_txid(), vout: it.output },
        script_sig: ScriptBuf::new(),
        sequence: it.sequence,
        witness: Witness::new(),
    });
    let mut psbt = Psbt::of(Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::from_consensus(draft.lock_time),
        input: input.collect(),
        output: draft.outputs.iter().map(|it| it.output.clone()).collect(),
    });
    for (at, it) in draft.inputs.iter().enumerate() {
        psbt = add_input(psbt, at, it, wallet)?;
    }
    for (at, it) in draft.outputs.iter().enumerate() {
        psbt = add_output(psbt, at, it, wallet)?;
    }
    Ok(psbt)
}

fn add_input(psbt: Psbt, at: usize, it: &DraftInput, wallet: &Wallet) -> Result<Psbt, ComposeError> {
    let not_ours = ComposeError::InputNotOurs { input: at };
    let spent = usize::try_from(it.output).ok().and_then(|output| it.previous.output.get(output));
    let spent = spent.ok_or(not_ours.clone())?;
    let derived = wallet.derive(it.owned).filter(|derived| derived.script_pubkey == spent.script_pubkey);
    let form = wallet.descriptor(it.owned).map(|(_, descriptor)| descriptor.form());
    let (derived, form) = derived.zip(form).ok_or(not_ours)?;
    let utxo = (form != Form::Pkh).then(|| serialize(spent));
    Ok(psbt.with_spent(at, serialize(&it.previous), utxo)?.with_derived_input(at, &derived, form)?)
}

fn add_output(psbt: Psbt, at: usize, it: &DraftOutput, wallet: &Wallet) -> Result<Psbt, ComposeError> {
    let Some(owned) = it.owned else { return Ok(psbt) };
    let derived = wallet.derive(owned).filter(|derived| derived.script_pubkey == it.output.script_pubkey);
    let form = wallet.descriptor(owned).map(|(_, descriptor)| descriptor.form());
    let (derived, form) = derived.zip(form).ok_or(ComposeError::OutputNotOurs { output: at })?;
    Ok(psbt.with_derived_output(at, &derived, form)?)
}

/// Why there is no PSBT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A coin that is not ours at that place.
    #[error("input {input} does not spend the output of ours that it names")]
    InputNotOurs {
        /// The input.
        input: usize,
    },
    /// Change that would go to somebody else.
    #[error("output {output} is not locked with the script of ours that it names")]
    OutputNotOurs {
        /// The output.
        output: usize,
    },
    /// Something that no PSBT carries.
    #[error(transparent)]
    Psbt(#[from] PsbtError),
}

impl Coded for ComposeError {
    fn code(&self) -> &'static str {
        match self {
            Self::InputNotOurs { .. } => "compose.input_not_ours",
            Self::OutputNotOurs { .. } => "compose.output_not_ours",
            Self::Psbt(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;

//! What each input spends: from the whole transaction before it, or covered by every signature.

use bitcoin::{TxIn, TxOut};

use crate::Refusal;
use crate::psbt::{Input, Psbt};

/// What all inputs spend.
///
/// A segwit v0 signature covers the amount of its own input alone (BIP-143), so that two signatures over two
/// lies about the others would make one transaction with a fee that nobody saw. A taproot signature covers all
/// amounts and scripts (BIP-341): where all inputs are taproot, a lie makes every signature worthless.
pub(super) fn all(psbt: &Psbt) -> Result<Vec<TxOut>, Refusal> {
    let of_transaction = || psbt.transaction().input.iter().zip(psbt.inputs()).enumerate();
    let spent = of_transaction().map(|(at, (txin, input))| one(at, txin, input));
    let spent: Vec<TxOut> = spent.collect::<Result<_, _>>()?;
    let all_taproot = spent.iter().all(|it| it.script_pubkey.is_p2tr());
    let unproven = of_transaction().find(|(_, (_, input))| input.previous_transaction().is_none());
    match unproven {
        Some((input, _)) if !all_taproot => Err(Refusal::UnprovenAmount { input }),
        _ => Ok(spent),
    }
}

fn one(at: usize, txin: &TxIn, input: &Input) -> Result<TxOut, Refusal> {
    let proven = from_previous(at, txin, input)?;
    match (proven, input.witness_utxo()) {
        (None, None) => Err(Refusal::MissingUtxo { input: at }),
        (None, Some(said)) => Ok(said.clone()),
        (Some(proven), Some(said)) if said != proven => Err(Refusal::ContradictingUtxo {
            input: at,
            expected_sat: proven.value.to_sat(),
            found_sat: said.value.to_sat(),
        }),
        (Some(proven), _) => Ok(proven.clone()),
    }
}

/// The output of the transaction whose hash the input names.
fn from_previous<'a>(at: usize, txin: &TxIn, input: &'a Input) -> Result<Option<&'a TxOut>, Refusal> {
    let Some(previous) = input.previous_transaction() else { return Ok(None) };
    let (expected, found) = (txin.previous_output.txid, previous.compute_txid());
    if found != expected {
        return Err(Refusal::PreviousTransaction { input: at, expected, found });
    }
    let vout = txin.previous_output.vout;
    let output = usize::try_from(vout).ok().and_then(|it| previous.output.get(it));
    let missing = Refusal::PreviousOutput { input: at, expected: vout, found: previous.output.len() };
    output.map(Some).ok_or(missing)
}

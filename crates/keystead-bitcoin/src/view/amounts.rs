//! Sums, the fee, and what nodes relay.

use bitcoin::{Transaction, TxOut};

use super::{ViewInput, ViewOutput};
use crate::weight::virtual_bytes;
use crate::{Refusal, Terms};

/// What comes in less what goes out, in satoshi.
pub(super) fn fee(inputs: &[ViewInput], outputs: &[ViewOutput]) -> Result<u64, Refusal> {
    let inputs_sat = sum(inputs.iter().map(|it| &it.spent))?;
    let outputs_sat = sum(outputs.iter().map(|it| &it.output))?;
    inputs_sat.checked_sub(outputs_sat).ok_or(Refusal::NegativeFee { inputs_sat, outputs_sat })
}

fn sum<'a>(outputs: impl Iterator<Item = &'a TxOut>) -> Result<u64, Refusal> {
    let mut sum = 0_u64;
    for output in outputs {
        sum =
            sum.checked_add(output.value.to_sat()).filter(|it| *it <= MAX_MONEY).ok_or(Refusal::Overflow)?;
    }
    Ok(sum)
}

/// Limits on the fee, on what nodes relay, and on outputs that lose money.
pub(super) fn check(outputs: &[ViewOutput], fee: u64, weight: u64, terms: &Terms) -> Result<(), Refusal> {
    outputs.iter().enumerate().try_for_each(|(at, it)| check_output(at, &it.output))?;
    let limit = Transaction::MAX_STANDARD_WEIGHT.to_wu();
    if weight > limit {
        return Err(Refusal::Weight { limit, found: weight });
    }
    if fee > terms.max_fee_sat {
        return Err(Refusal::AbsurdFee { limit: terms.max_fee_sat, found: fee });
    }
    let (limit, vbytes) = (terms.max_rate_sat_per_vbyte, virtual_bytes(weight));
    match fee > limit.saturating_mul(vbytes) {
        true => Err(Refusal::AbsurdRate { limit, found: fee, vbytes }),
        false => Ok(()),
    }
}

/// Bitcoin Core's `GetDustThreshold` at its default of 3,000 satoshi for a kilobyte.
fn check_output(at: usize, output: &TxOut) -> Result<(), Refusal> {
    let found = output.value.to_sat();
    if output.script_pubkey.is_op_return() {
        return match found {
            0 => Ok(()),
            _ => Err(Refusal::Burn { output: at, found }),
        };
    }
    let limit = output.script_pubkey.minimal_non_dust().to_sat();
    match found < limit {
        true => Err(Refusal::Dust { output: at, limit, found }),
        false => Ok(()),
    }
}

/// 21 million coins (Bitcoin Core's `MAX_MONEY`).
const MAX_MONEY: u64 = 21_000_000 * 100_000_000;

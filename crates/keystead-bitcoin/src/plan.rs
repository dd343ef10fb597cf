//! Which coins pay for what: at a fee rate, with change or without, all of them into one, or once more with a higher fee.

use bitcoin::{Amount, ScriptBuf, TxOut};
use keystead_base::{Blame, Coded};

use crate::{ComposeError, Draft, DraftInput, DraftOutput, Owned, Refusal, Terms, View, Wallet, compose};

/// The most coins that are looked at.
pub const MAX_PLANNED_COINS: usize = 1_000;

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The fee rate, in satoshi for a thousand virtual bytes.
    pub sat_per_kvb: u64,
    /// Where what is left goes: a place of ours.
    pub change: Owned,
}

/// A draft that pays these outputs from some of the coins: the fewest that do, the largest first. What is left comes back,
/// unless it would be dust: then the network has it.
///
/// # Errors
///
/// [`PlanError`]: too little, too many coins, or coins that are not ours where they say so.
pub fn plan(
    wallet: &Wallet,
    coins: &[DraftInput],
    outputs: &[TxOut],
    target: Target,
) -> Result<Draft, PlanError> {
    let mut coins = bounded(coins)?;
    coins.sort_by_key(|it| std::cmp::Reverse(value(it)));
    let paid: Vec<DraftOutput> =
        outputs.iter().map(|it| DraftOutput { output: it.clone(), owned: None }).collect();
    let mut found = PlanError::TooLittle { missing_sat: sum(&paid) };
    for count in fewest(&coins, sum(&paid))..=coins.len() {
        let inputs = coins.iter().take(count).cloned().collect();
        match balanced(wallet, inputs, paid.clone(), target) {
            Err(error @ PlanError::TooLittle { .. }) => found = error,
            decided => return decided,
        }
    }
    Err(found)
}

/// A draft that makes one coin of all that are worth more than they cost to spend.
///
/// # Errors
///
/// [`PlanError`]: nothing is left, too many coins, or coins that are not ours where they say so.
pub fn consolidate(wallet: &Wallet, coins: &[DraftInput], target: Target) -> Result<Draft, PlanError> {
    let all = bounded(coins)?;
    let alone = |it: &DraftInput| balanced(wallet, vec![it.clone()], Vec::new(), target).is_ok();
    let worth: Vec<DraftInput> = all.into_iter().filter(alone).collect();
    match worth.is_empty() {
        true => Err(PlanError::NothingWorth),
        false => balanced(wallet, worth, Vec::new(), target),
    }
}

/// The same payment from the same coins at another rate, what comes back being less (BIP-125). Whether the network takes it in
/// the first one's place, [`crate::check_replacement`] says.
///
/// # Errors
///
/// [`PlanError`]: what comes back does not pay for it.
pub fn replan(wallet: &Wallet, draft: &Draft, target: Target) -> Result<Draft, PlanError> {
    let paid = draft.outputs.iter().filter(|it| it.owned != Some(target.change)).cloned().collect();
    balanced(wallet, draft.inputs.clone(), paid, target)
}

/// How many of the largest pay for the outputs alone; at least one.
fn fewest(coins: &[DraftInput], spent: u64) -> usize {
    let mut had = 0_u64;
    let enough = coins.iter().position(|it| {
        had = had.saturating_add(value(it));
        had >= spent
    });
    enough.unwrap_or(coins.len()).saturating_add(1)
}

/// Gives back what is left after outputs and fee, where it is worth it.
fn balanced(
    wallet: &Wallet,
    inputs: Vec<DraftInput>,
    paid: Vec<DraftOutput>,
    target: Target,
) -> Result<Draft, PlanError> {
    let had: u64 = inputs.iter().map(value).sum();
    let spent = sum(&paid);
    let script = script(wallet, target.change)?;
    let back = |sat| DraftOutput {
        output: TxOut { value: Amount::from_sat(sat), script_pubkey: script.clone() },
        owned: Some(target.change),
    };
    let dust = script.minimal_non_dust().to_sat();
    let with = Draft { lock_time: 0, inputs, outputs: [paid.clone(), vec![back(dust)]].concat() };
    let needed = spent.saturating_add(fee(wallet, &with, target)?);
    if let Some(left) = had.checked_sub(needed).filter(|left| *left >= dust) {
        return Ok(Draft { outputs: [paid, vec![back(left)]].concat(), ..with });
    }
    let without = Draft { outputs: paid, ..with };
    if without.outputs.is_empty() {
        return Err(PlanError::TooLittle { missing_sat: needed.saturating_add(dust).saturating_sub(had) });
    }
    let needed = spent.saturating_add(fee(wallet, &without, target)?);
    match had.checked_sub(needed) {
        Some(_) => Ok(without),
        None => Err(PlanError::TooLittle { missing_sat: needed.saturating_sub(had) }),
    }
}

/// What the network takes for a draft's size, rounded up.
fn fee(wallet: &Wallet, draft: &Draft, target: Target) -> Result<u64, PlanError> {
    // Only the size is of interest: the amounts that are there so far pay for nothing.
    let mut sized = draft.clone();
    sized.inputs.iter_mut().for_each(enrich);
    let psbt = compose(wallet, &sized)?;
    let terms = Terms { max_fee_sat: u64::MAX, max_rate_sat_per_vbyte: u64::MAX, ..Terms::default() };
    let view = View::read(&psbt, wallet, &terms)?;
    Ok(u128::from(view.virtual_bytes())
        .saturating_mul(target.sat_per_kvb.into())
        .div_ceil(1_000)
        .try_into()
        .unwrap_or(u64::MAX))
}

/// The same coin with more than any payment takes.
fn enrich(coin: &mut DraftInput) {
    let place = usize::try_from(coin.output).ok().and_then(|it| coin.previous.output.get_mut(it));
    if let Some(output) = place {
        output.value = Amount::from_sat(RICH_SAT);
    }
}

fn bounded(coins: &[DraftInput]) -> Result<Vec<DraftInput>, PlanError> {
    match coins.len() {
        0..=MAX_PLANNED_COINS => Ok(coins.to_vec()),
        found => Err(PlanError::TooMany { limit: MAX_PLANNED_COINS, found }),
    }
}

fn script(wallet: &Wallet, owned: Owned) -> Result<ScriptBuf, PlanError> {
    wallet.derive(owned).map(|it| it.script_pubkey).ok_or(PlanError::NoPlace)
}

fn value(coin: &DraftInput) -> u64 {
    let output = usize::try_from(coin.output).ok().and_then(|it| coin.previous.output.get(it));
    output.map_or(0, |it| it.value.to_sat())
}

fn sum(outputs: &[DraftOutput]) -> u64 {
    outputs.iter().fold(0, |sum: u64, it| sum.saturating_add(it.output.value.to_sat()))
}

/// Each of a thousand coins with this much is within all the money there is.
const RICH_SAT: u64 = 2_000_000_000_000;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The coins do not pay for it.
    #[error("the coins have {missing_sat} sat too little for outputs and fee")]
    TooLittle {
        /// How much is missing, in satoshi.
        missing_sat: u64,
    },
    /// Each coin costs more than it is worth.
    #[error("no coin is worth more than it costs to spend at this rate")]
    NothingWorth,
    /// More coins than are looked at.
    #[error("a plan looks at no more than {limit} coins, found {found}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// What is left has no place of ours to go to.
    #[error("change goes to a place of the wallet")]
    NoPlace,
    /// Coins that are not ours where they say so.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// A transaction that nobody would sign.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Coded for PlanError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLittle { .. } => "plan.too_little",
            Self::NothingWorth => "plan.nothing_worth",
            Self::TooMany { .. } => "plan.too_many",
            Self::NoPlace => "plan.no_place",
            Self::Compose(error) => error.code(),
            Self::Refused(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;

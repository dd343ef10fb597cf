//! What a transaction costs: the base fee of its signatures, and what it offers for its place.

use crate::program::{COMPUTE_BUDGET, PRECOMPILES};
use crate::{Instruction, Message};

/// What a signature costs, in lamports.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5_000;
/// The most compute units that a transaction may use.
pub const MAX_COMPUTE_UNITS: u32 = 1_400_000;
/// The most that an instruction is given where nobody says a limit.
const UNITS_PER_INSTRUCTION: u32 = 200_000;
/// The price of a unit is in millionths of a lamport.
const MICRO: u128 = 1_000_000;

/// The fee and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    /// How many signatures are paid for, those that programs check included.
    pub signatures: u64,
    /// The price of a compute unit, in micro-lamports.
    pub unit_price: u64,
    /// The limit of compute units, where the transaction sets one.
    pub unit_limit: Option<u32>,
    /// [`LAMPORTS_PER_SIGNATURE`] for each signature, in lamports.
    pub base: u64,
    /// Price × limit, rounded up, in lamports. It is paid for the limit, not for what is used. Without a limit the
    /// cluster's rules set one: then this is the most that any of them gives.
    pub priority: u64,
}

impl Fee {
    /// Base and priority fee together, in lamports.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.base.saturating_add(self.priority)
    }

    /// Terms are taken as validators take them, wider than what is understood: accounts and bytes behind are passed over. Of
    /// one that stands twice, the most counts.
    pub(crate) fn of(message: &Message) -> Self {
        let most = |number: u8| message.instructions().iter().filter_map(|it| charged(it, number)).max();
        let unit_limit = most(UNIT_LIMIT).map(|units| u32::try_from(units).unwrap_or(u32::MAX));
        let unit_price = most(UNIT_PRICE).unwrap_or(0);
        let units = unit_limit.unwrap_or_else(|| most_units(message)).min(MAX_COMPUTE_UNITS);
        let signatures = signatures(message);
        let base = signatures.saturating_mul(LAMPORTS_PER_SIGNATURE);
        Self { signatures, unit_price, unit_limit, base, priority: priority(unit_price, units) }
    }
}

/// What an order of this number sets.
fn charged(it: &Instruction, number: u8) -> Option<u64> {
    let (tag, rest) = it.data.split_first().filter(|_| it.program == COMPUTE_BUDGET)?;
    match (*tag == number, number) {
        (true, UNIT_PRICE) => rest.first_chunk().copied().map(u64::from_le_bytes),
        (true, _) => rest.first_chunk().copied().map(u32::from_le_bytes).map(u64::from),
        (false, _) => None,
    }
}

const UNIT_LIMIT: u8 = 2;
const UNIT_PRICE: u8 = 3;

fn priority(unit_price: u64, units: u32) -> u64 {
    let micro_lamports = u128::from(unit_price).saturating_mul(units.into());
    u64::try_from(micro_lamports.div_ceil(MICRO)).unwrap_or(u64::MAX)
}

fn most_units(message: &Message) -> u32 {
    let count = u32::try_from(message.instructions().len()).unwrap_or(u32::MAX);
    count.saturating_mul(UNITS_PER_INSTRUCTION)
}

/// The first byte of a precompile's data is how many signatures it checks.
fn signatures(message: &Message) -> u64 {
    let checked = message.instructions().iter().filter(|it| PRECOMPILES.contains(&it.program));
    let checked: u64 = checked.filter_map(|it| it.data.first()).map(|count| u64::from(*count)).sum();
    u64::try_from(message.signers().len()).unwrap_or(u64::MAX).saturating_add(checked)
}

/// What an instruction of the compute budget sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetTerm {
    /// Bytes of heap for each program.
    HeapBytes(u32),
    /// The limit of compute units.
    UnitLimit(u32),
    /// The price of a compute unit, in micro-lamports.
    UnitPrice(u64),
    /// The most bytes of accounts that may be loaded.
    LoadedBytes(u32),
}

impl BudgetTerm {
    /// What an instruction sets, where it is one of these in its one form and validators take it.
    pub(crate) fn read(instruction: &Instruction) -> Option<Self> {
        if instruction.program != COMPUTE_BUDGET || !instruction.accounts.is_empty() {
            return None;
        }
        let (tag, rest) = instruction.data.split_first()?;
        let number = || rest.try_into().map(u32::from_le_bytes).ok();
        match tag {
            1 => number().filter(|it| is_heap(*it)).map(Self::HeapBytes),
            &UNIT_LIMIT => number().map(Self::UnitLimit),
            &UNIT_PRICE => rest.try_into().map(u64::from_le_bytes).ok().map(Self::UnitPrice),
            4 => number().filter(|it| *it > 0).map(Self::LoadedBytes),
            _ => None,
        }
    }

    /// Whether both set the same thing: validators refuse a transaction that sets something twice.
    pub(crate) fn sets_what(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

fn is_heap(bytes: u32) -> bool {
    (32 * 1024..=256 * 1024).contains(&bytes) && bytes.is_multiple_of(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priority_fee_is_rounded_up_and_never_wraps() {
        for (price, units, lamports) in [
            (0, 1_400_000, 0),
            (1, 1, 1),
            (1, 1_000_000, 1),
            (1, 1_000_001, 2),
            (5_000, 200_000, 1_000),
            (u64::MAX, 0, 0),
            (u64::MAX, 1_400_000, u64::MAX),
        ] {
            assert_eq!(priority(price, units), lamports, "{price} × {units}");
        }
    }
}

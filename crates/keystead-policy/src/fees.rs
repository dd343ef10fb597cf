//! What may be offered for fees: ceilings per gas and in all, by key and chain.
//!
//! Windows bound what fees take over time. A ceiling bounds one transaction, so that a spike, a slip or an endpoint that
//! lies about the market costs no more than people signed.

use std::fmt;

use alloy_primitives::U256;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Name};
use keystead_intent::{ChainId, Effects};
use serde::{Deserialize, Serialize};

use crate::findings::Findings;
use crate::outflow::Outflows;
use crate::{Measure, PolicyVersion, Reason};

/// The most that a transaction may offer for fees. Every cap that concerns it holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeCap {
    /// The name that decisions cite.
    pub id: Name,
    /// The keys it speaks of; empty speaks of all.
    pub keys: Vec<Name>,
    /// The chains it speaks of; empty speaks of all.
    pub chains: Vec<ChainId>,
    /// The ceiling per gas, in wei (EIP-1559), and the price of forms that have one price.
    pub max_fee_per_gas: Option<Amount>,
    /// What of it whoever makes the block may keep, in wei per gas; of forms that have one price all of it.
    pub max_priority_fee_per_gas: Option<Amount>,
    /// Gas limit × ceiling per gas, blobs included, in base units of the chain's coin.
    pub fee: Option<Amount>,
    /// The same in micro-units of the fiat currency of [`crate::PriceRule`].
    pub fee_fiat: Option<Amount>,
}

/// One of the ceilings of a cap.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FeePart {
    /// The ceiling per gas.
    MaxFeePerGas,
    /// What of it whoever makes the block may keep.
    MaxPriorityFeePerGas,
    /// All of it, in base units of the chain's coin.
    Fee,
    /// All of it, in micro-units of fiat.
    FeeFiat,
}

impl FeePart {
    /// The attribute of an effect that holds it; fiat has none.
    #[must_use]
    pub fn attribute(self) -> Option<&'static str> {
        match self {
            Self::MaxFeePerGas => Some("max_fee_per_gas"),
            Self::MaxPriorityFeePerGas => Some("max_priority_fee_per_gas"),
            Self::Fee => Some("fee"),
            Self::FeeFiat => None,
        }
    }
}

/// The unit, as it stands behind a number.
impl fmt::Display for FeePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MaxFeePerGas => "wei per gas",
            Self::MaxPriorityFeePerGas => "wei per gas as a tip",
            Self::Fee => "base units in all",
            Self::FeeFiat => "millionths of the currency in all",
        })
    }
}

impl FeeCap {
    /// The ceilings that it has.
    pub fn ceilings(&self) -> impl Iterator<Item = (FeePart, Amount)> {
        [
            (FeePart::MaxFeePerGas, self.max_fee_per_gas),
            (FeePart::MaxPriorityFeePerGas, self.max_priority_fee_per_gas),
            (FeePart::Fee, self.fee),
            (FeePart::FeeFiat, self.fee_fiat),
        ]
        .into_iter()
        .filter_map(|(part, limit)| Some((part, limit?)))
    }

    fn concerns(&self, key: &Name, chain: ChainId) -> bool {
        let speaks_of_key = self.keys.is_empty() || self.keys.contains(key);
        speaks_of_key && (self.chains.is_empty() || self.chains.contains(&chain))
    }
}

/// The lowest ceilings that concern one key on one chain, each with the cap that has it: what a program fills in stays
/// under them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeeCeilings {
    /// Per gas, in wei.
    pub max_fee_per_gas: Option<(Amount, Name)>,
    /// For whoever makes the block, in wei per gas.
    pub max_priority_fee_per_gas: Option<(Amount, Name)>,
    /// In all, in base units of the chain's coin.
    pub fee: Option<(Amount, Name)>,
}

impl FeeCeilings {
    /// The ceiling per gas of a transaction with this gas limit, in wei, and the cap that it comes from: that per gas, or
    /// what the one in all leaves for each gas.
    #[must_use]
    pub fn per_gas(&self, gas_limit: u64) -> Option<(Amount, Name)> {
        let share = |(all, cap): &(Amount, Name)| {
            (Amount(all.0.checked_div(U256::from(gas_limit)).unwrap_or(U256::MAX)), cap.clone())
        };
        self.max_fee_per_gas.iter().cloned().chain(self.fee.iter().map(share)).min()
    }
}

impl PolicyVersion {
    /// The lowest ceilings for a key on a chain. Those in fiat need prices and are left to the decision.
    #[must_use]
    pub fn fee_ceilings(&self, key: &Name, chain: ChainId) -> FeeCeilings {
        let concern = || self.fee_caps.iter().filter(|cap| cap.concerns(key, chain));
        let lowest = |part: fn(&FeeCap) -> Option<Amount>| {
            concern().filter_map(|cap| Some((part(cap)?, cap.id.clone()))).min()
        };
        FeeCeilings {
            max_fee_per_gas: lowest(|cap| cap.max_fee_per_gas),
            max_priority_fee_per_gas: lowest(|cap| cap.max_priority_fee_per_gas),
            fee: lowest(|cap| cap.fee),
        }
    }
}

/// Every ceiling of every cap that concerns the request.
pub(crate) fn check(
    caps: &[FeeCap],
    key: &Name,
    effects: &Effects,
    outflows: &Outflows<'_>,
    findings: &mut Findings,
) {
    for cap in caps.iter().filter(|cap| cap.concerns(key, effects.chain)) {
        for (part, limit) in cap.ceilings() {
            let asked = match part {
                FeePart::MaxFeePerGas => Some(effects.fee.per_gas),
                FeePart::MaxPriorityFeePerGas => Some(effects.fee.tip_per_gas),
                FeePart::Fee => Some(effects.fee.max),
                FeePart::FeeFiat => findings.take(outflows.measured(Measure::Fiat, &outflows.fee)),
            };
            if let Some(asked) = asked.filter(|asked| *asked > limit) {
                findings.object(Reason::FeeTooHigh { cap: cap.id.clone(), part, limit, asked });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use keystead_intent::Fee;

    use super::*;
    use crate::fixture::{
        Ask, CHAIN, ETHER, FRIEND, GWEI, NOW, OTHER_CHAIN, fee_cap, name, pay, price, price_rule, verdict,
        version,
    };
    use crate::{Engine, Prices};

    const DEAR: &str = "deny.fee_too_high";

    fn of(cap: FeeCap, change: impl FnOnce(&mut Ask)) -> String {
        let version = PolicyVersion { fee_caps: vec![cap], ..version() };
        let engine = Engine::compile(version).unwrap();
        verdict(&Ask::new("hot", vec![pay(FRIEND, 1)]).with(change).of(&engine)).join(" ")
    }

    fn offers(per_gas: u64, tip_per_gas: u64, max: u64) -> impl FnOnce(&mut Ask) {
        move |it| {
            it.effects.fee =
                Fee { max: max.into(), per_gas: per_gas.into(), tip_per_gas: tip_per_gas.into() };
        }
    }

    #[test]
    fn s10_no_fee_exceeds_its_ceiling_by_one_wei() {
        for (per_gas, tip, expected) in [
            (100 * GWEI, 3 * GWEI, "pass 0"),
            (100 * GWEI + 1, 3 * GWEI, DEAR),
            (100 * GWEI, 3 * GWEI + 1, DEAR),
            (0, 0, "pass 0"),
        ] {
            assert_eq!(of(fee_cap("gas"), offers(per_gas, tip, 0)), expected, "{per_gas} {tip}");
        }
        let in_all = || FeeCap { fee: Some(Amount::from(7_u64)), max_fee_per_gas: None, ..fee_cap("all") };
        assert_eq!(of(in_all(), offers(0, 0, 7)), "pass 0");
        assert_eq!(of(in_all(), offers(0, 0, 8)), DEAR);
    }

    #[test]
    fn a_fee_cap_speaks_of_its_keys_and_chains_only() {
        let keyed = || FeeCap { keys: vec![name("warm")], ..fee_cap("gas") };
        assert_eq!(of(keyed(), offers(101 * GWEI, 0, 0)), "pass 0");
        assert!(
            of(keyed(), |it| {
                offers(101 * GWEI, 0, 0)(it);
                it.key = Some(name("warm"));
            })
            .contains(DEAR)
        );
        let elsewhere = |it: &mut Ask| {
            offers(101 * GWEI, 0, 0)(it);
            it.effects.chain = OTHER_CHAIN;
        };
        assert!(!of(fee_cap("gas"), elsewhere).contains(DEAR));
        assert!(of(FeeCap { chains: Vec::new(), ..fee_cap("gas") }, elsewhere).contains(DEAR));
    }

    #[test]
    fn s10_a_fee_in_fiat_is_held_against_prices_and_denied_without_them() {
        let dollar = || FeeCap { fee_fiat: Some(Amount::from(1_000_000_u64)), ..fee_cap("dollar") };
        assert!(of(dollar(), offers(0, 0, 1)).contains("deny.price_missing"));
        let at_two_thousand = |wei: u64| {
            move |it: &mut Ask| {
                offers(0, 0, wei)(it);
                let mut prices = Prices::default();
                for (source, byte) in [("alpha", 51), ("beta", 52)] {
                    prices.insert(&price(source, byte, 2_000, NOW), &price_rule()).unwrap();
                }
                it.prices = prices;
            }
        };
        let half_a_thousandth = u64::try_from(ETHER / 2_000).unwrap();
        assert_eq!(of(dollar(), at_two_thousand(half_a_thousandth)), "pass 0");
        assert_eq!(of(dollar(), at_two_thousand(half_a_thousandth + 1_000_000_000_000)), DEAR);
    }

    #[test]
    fn the_lowest_ceilings_are_told_with_their_caps() {
        let low = FeeCap { max_fee_per_gas: Some(Amount::from(5_u64)), ..fee_cap("low") };
        let version = PolicyVersion { fee_caps: vec![fee_cap("high"), low], ..version() };
        let found = version.fee_ceilings(&name("hot"), CHAIN);
        assert_eq!(found.max_fee_per_gas, Some((Amount::from(5_u64), name("low"))));
        assert_eq!(found.fee, None);
        let both = FeeCeilings { fee: Some((Amount::from(100_001_u64), name("all"))), ..found };
        assert_eq!(both.per_gas(21_000), Some((Amount::from(4_u64), name("all"))));
        assert_eq!(both.per_gas(20_000), Some((Amount::from(5_u64), name("all"))));
        assert_eq!(both.per_gas(10_000), Some((Amount::from(5_u64), name("low"))));
        assert_eq!(version.fee_ceilings(&name("hot"), OTHER_CHAIN), FeeCeilings::default());
    }
}

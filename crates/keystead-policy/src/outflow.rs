//! What leaves in one request, summed by asset or in fiat.

use alloy_primitives::Address;
use keystead_base::{Amount, Timestamp};
use keystead_intent::{Asset, ChainId, Effect, EffectKind, Effects};

use crate::aspect::Aspect;
use crate::{Measure, PriceRule, Prices, Reason};

/// One amount that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outflow {
    pub(crate) asset: Asset,
    /// To whom; none for network fees.
    pub(crate) destination: Option<Address>,
    pub(crate) amount: Amount,
}

/// All that leaves, with the means to say what it is worth.
#[derive(Debug)]
pub(crate) struct Outflows<'a> {
    pub(crate) chain: ChainId,
    /// What leaves for others, network fees apart.
    pub(crate) moved: Vec<Outflow>,
    /// The most that the network may take.
    pub(crate) fee: Outflow,
    /// Whether something may leave that nobody can put into numbers.
    pub(crate) unbounded: bool,
    /// Whether that is so even though no rule has to name it.
    pub(crate) uncapped: bool,
    worth: Worth<'a>,
}

/// Prices at one moment under one rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worth<'a> {
    pub(crate) prices: &'a Prices,
    pub(crate) rule: Option<&'a PriceRule>,
    pub(crate) now: Timestamp,
}

impl<'a> Outflows<'a> {
    pub(crate) fn of(effects: &Effects, account: Option<Address>, worth: Worth<'a>) -> Self {
        let moved = effects.items.iter().filter_map(|effect| outflow(effect, account)).collect();
        let fee = Outflow { asset: Asset::Native, destination: None, amount: effects.fee.max };
        Self {
            chain: effects.chain,
            moved,
            fee,
            unbounded: effects.items.iter().any(is_unbounded),
            uncapped: effects.items.iter().any(is_uncapped),
            worth,
        }
    }

    /// The sum of what leaves, the fee with it, as in windows: whoever mines gets it, and that may be the one who asks.
    /// Sums hold at the maximum: more only ever denies.
    pub(crate) fn total(&self, measure: Measure) -> Result<Amount, Box<Reason>> {
        self.moved.iter().chain([&self.fee]).try_fold(Amount::ZERO, |sum, outflow| {
            self.measured(measure, outflow).map(|amount| sum.saturating_add(amount))
        })
    }

    /// Whether this measure could count something that nobody can put into numbers.
    pub(crate) fn could_exceed(&self, measure: Measure) -> bool {
        self.unbounded && self.concerns(measure)
    }

    /// As [`Self::could_exceed`], left out what a rule must name exactly before it passes at all.
    pub(crate) fn could_exceed_cap(&self, measure: Measure) -> bool {
        self.uncapped && self.concerns(measure)
    }

    /// One outflow in a measure: base units of that asset or micro-units of fiat.
    pub(crate) fn measured(&self, measure: Measure, outflow: &Outflow) -> Result<Amount, Box<Reason>> {
        match measure {
            Measure::Count => Ok(Amount::ZERO),
            Measure::Asset { chain, asset } if chain == self.chain && asset == outflow.asset => {
                Ok(outflow.amount)
            }
            Measure::Asset { .. } => Ok(Amount::ZERO),
            Measure::Fiat => self.worth.of(self.chain, outflow),
        }
    }

    fn concerns(&self, measure: Measure) -> bool {
        match measure {
            Measure::Asset { chain, .. } => chain == self.chain,
            Measure::Count | Measure::Fiat => true,
        }
    }
}

impl Worth<'_> {
    pub(crate) fn of(&self, chain: ChainId, outflow: &Outflow) -> Result<Amount, Box<Reason>> {
        if outflow.amount == Amount::ZERO {
            return Ok(Amount::ZERO);
        }
        let rule = self.rule.ok_or(Reason::NoPriceRule)?;
        let quote = self.prices.quote(rule, chain, outflow.asset, self.now)?;
        Ok(quote.worth(outflow.amount))
    }
}

/// What comes back to the account itself does not leave.
fn outflow(effect: &Effect, account: Option<Address>) -> Option<Outflow> {
    let aspect = Aspect::of(effect);
    let leaves = account.is_none() || aspect.destination != account;
    let asset = aspect.asset.filter(|_| leaves && aspect.amount != Amount::ZERO)?;
    Some(Outflow { asset, destination: aspect.destination, amount: aspect.amount })
}

fn is_unbounded(effect: &Effect) -> bool {
    let is_named = matches!(effect.kind, EffectKind::Opaque { .. } | EffectKind::BlindDigest { .. });
    let is_authority = matches!(effect.kind, EffectKind::Authority { .. } | EffectKind::Creation { .. });
    is_named || is_authority || is_uncapped(effect)
}

fn is_uncapped(effect: &Effect) -> bool {
    match &effect.kind {
        EffectKind::DelegateCall { .. } => true,
        EffectKind::Delegation { .. } => !Aspect::of(effect).takes_back,
        _ => false,
    }
}

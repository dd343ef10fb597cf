//! What a run of the transaction says beside what its bytes say: both must agree, or the answer is no.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use keystead_base::{Amount, Name};
use keystead_intent::{
    Allowance, Asset, DangerClass, Effect, EffectKind, Effects, Piece, Right, RightChange, Run,
};

use crate::findings::Findings;
use crate::outflow::{Outflow, Worth};
use crate::{Engine, Question, Reason, RunTerms, Simulated, SimulationReason, SimulationRule};

impl Engine {
    /// How a transaction with these effects is run; none where this version wants no run of it.
    #[must_use]
    pub fn run_terms(&self, key: &Name, effects: &Effects) -> Option<RunTerms<'_>> {
        self.version.simulation.as_ref()?.terms(key, effects.class(), effects.chain)
    }

    /// Whether a request of this key that these reasons stand against, as long as nobody ran it, could pass when it is
    /// run: all of them are what rules say, and one of the rules looks at runs. Nothing else of a judgement does.
    #[must_use]
    pub fn could_pass_when_run(&self, key: &Name, reasons: &[Reason]) -> bool {
        let wanted = self.rules.wanted(Some(key));
        reasons.is_empty() || (wanted.looks_at_runs() && reasons.iter().all(is_said_by_rules))
    }
}

/// Objects to a run that fails where one is demanded, and to any that takes more than the bytes say.
pub(crate) fn check(
    terms: Option<RunTerms<'_>>,
    question: &Question<'_>,
    effects: &Effects,
    findings: &mut Findings,
) {
    let (Some(terms), Simulated::Ran(run)) = (terms, question.facts.simulation) else { return };
    if terms.demanded {
        succeeds(run, terms.rule, findings);
    }
    let unsaid = Unsaid::of(effects, question.facts.account);
    takes_no_more(run, question.facts.account, effects, &unsaid, findings);
    gives_no_right(run, effects, &unsaid, findings);
}

fn succeeds(run: &Run, rule: &SimulationRule, findings: &mut Findings) {
    if !run.succeeded() && !rule.may_fail {
        findings.object(SimulationReason::Fails { ending: run.ending.as_str().to_owned() }.into());
    }
    if run.cut {
        findings.object(SimulationReason::Fails { ending: CUT.to_owned() }.into());
    }
}

/// The accounts in whose place something runs that nobody understands. What becomes of their tokens, and of the rights
/// to them, the bytes do not state, and there is nothing to contradict: a rule has to name it. Everything else is as
/// comparable as beside calls that are understood: a call sends no more coins than it says, and is no other account's.
#[derive(Default)]
struct Unsaid {
    tokens: BTreeSet<Address>,
    coins: BTreeSet<Address>,
}

impl Unsaid {
    fn of(effects: &Effects, account: Option<Address>) -> Self {
        let mut unsaid = Self::default();
        for effect in effects.items.iter().filter(|it| !is_stated(it.class())) {
            unsaid.tokens.extend(account);
            match effect.kind {
                EffectKind::Opaque { .. } => {}
                // Foreign code sends coins, too.
                EffectKind::DelegateCall { caller, .. } => {
                    unsaid.tokens.insert(caller);
                    unsaid.coins.insert(caller);
                }
                _ => unsaid.coins.extend(account),
            }
        }
        unsaid
    }

    fn holds(&self, account: Address, asset: Asset) -> bool {
        match asset {
            Asset::Native => self.coins.contains(&account),
            Asset::Token(_) => self.tokens.contains(&account),
        }
    }
}

/// INVARIANT S2: no account of ours loses more of anything than the bytes say.
fn takes_no_more(
    run: &Run,
    account: Option<Address>,
    effects: &Effects,
    unsaid: &Unsaid,
    findings: &mut Findings,
) {
    let stated = sums(effects.items.iter().flat_map(|effect| moved(effect, account)));
    let lost = run.balances.iter().map(|it| ((it.account, (it.asset, it.id)), it.lost()));
    for (place, simulated) in sums(lost) {
        let (account, (asset, _)) = place;
        let stated = stated.get(&place).copied().unwrap_or_default();
        if simulated > stated && !unsaid.holds(account, asset) {
            findings.object(SimulationReason::TakesMore { account, asset, stated, simulated }.into());
        }
    }
}

fn gives_no_right(run: &Run, effects: &Effects, unsaid: &Unsaid, findings: &mut Findings) {
    let is_stated = |right: &RightChange| effects.items.iter().any(|effect| gives(&effect.kind, right));
    let is_unsaid = |right: &RightChange| unsaid.tokens.contains(&right.owner);
    for right in run.gained_rights().filter(|it| !is_unsaid(it) && !is_stated(it)) {
        let RightChange { owner, token, holder, .. } = *right;
        findings.object(SimulationReason::GivesRight { owner, token, holder }.into());
    }
}

/// What somebody has of something.
type Holding = (Address, Piece);

/// Sums hold at the maximum, which is more than anything.
fn sums(amounts: impl Iterator<Item = (Holding, Amount)>) -> BTreeMap<Holding, Amount> {
    let mut sums = BTreeMap::<_, Amount>::new();
    for (place, amount) in amounts.filter(|(_, amount)| *amount != Amount::ZERO) {
        let sum = sums.entry(place).or_default();
        *sum = sum.saturating_add(amount);
    }
    sums
}

/// What an effect takes away at once. A right to take something later takes nothing yet. An NFT is one of a number, and
/// that very one.
fn moved(effect: &Effect, account: Option<Address>) -> Vec<(Holding, Amount)> {
    match &effect.kind {
        EffectKind::Transfer { asset, from, amount, .. } => vec![((*from, (*asset, None)), *amount)],
        EffectKind::NftTransfer { token, from, id, .. } => {
            [None, Some(*id)].map(|id| ((*from, (Asset::Token(*token), id)), ONE)).into()
        }
        EffectKind::MultiTokenTransfer { token, from, id, amount, .. } => {
            vec![((*from, (Asset::Token(*token), Some(*id))), *amount)]
        }
        EffectKind::Opaque { value, .. } => {
            account.map(|account| ((account, (Asset::Native, None)), *value)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an effect states a right that was gained, with at least what was gained.
fn gives(kind: &EffectKind, gained: &RightChange) -> bool {
    match (kind, gained.right) {
        (EffectKind::Allowance(it), Right::Allowance { before, after }) => {
            let whose = (it.owner, it.token, it.spender) == (gained.owner, gained.token, gained.holder);
            whose && after <= allowed(it, before)
        }
        (EffectKind::NftApproval { token, owner, spender, id }, Right::Nft { id: gained_id, .. }) => {
            (*owner, *token, *spender, *id) == (gained.owner, gained.token, gained.holder, gained_id)
        }
        (EffectKind::OperatorApproval { token, owner, operator, approved }, Right::Operator { .. }) => {
            *approved && (*owner, *token, *operator) == (gained.owner, gained.token, gained.holder)
        }
        _ => false,
    }
}

fn allowed(allowance: &Allowance, before: Amount) -> Amount {
    match allowance {
        it if it.unlimited() => Amount::MAX,
        it if it.increase => before.saturating_add(it.amount),
        it => it.amount,
    }
}

fn is_stated(class: DangerClass) -> bool {
    !matches!(class, DangerClass::DelegateCall | DangerClass::Opaque | DangerClass::BlindDigest)
}

/// What stands against a request that only rules say, or let pass.
fn is_said_by_rules(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::NoRulePermits { .. }
            | Reason::Forbidden { .. }
            | Reason::RuleError { .. }
            | Reason::Opaque { .. }
            | Reason::BlindDigest
            | Reason::DestinationUnknown { .. }
            | Reason::DestinationCooling { .. }
    )
}

impl Simulated<'_> {
    /// What rules call it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::No => "none",
            Self::NotApplicable => "not_applicable",
            Self::Ran(run) if run.cut => CUT,
            Self::Ran(run) => run.ending.as_str(),
        }
    }

    /// Whether anybody gains a right, as far as is known: what was not run could do everything.
    pub(crate) fn gains_approval(&self) -> bool {
        self.run().is_none_or(|run| run.cut || run.gained_rights().next().is_some())
    }

    /// Whether a contract is created, as far as is known.
    pub(crate) fn creates(&self) -> bool {
        self.run().is_none_or(|run| run.cut || !run.created.is_empty())
    }

    /// What all accounts of ours together lose of one asset; beyond every number where nothing is known.
    pub(crate) fn outflow(&self, asset: Asset) -> U256 {
        let of = |run: &Run| net(run).get(&asset).copied().unwrap_or_default().0;
        self.known().map_or(U256::MAX, of)
    }

    /// What all accounts of ours together lose, in micro-units of fiat; beyond every number where nothing is known,
    /// or not what it is worth.
    pub(crate) fn outflow_fiat(&self, effects: &Effects, worth: &Worth<'_>) -> U256 {
        let Some(run) = self.known() else { return U256::MAX };
        let value = |sum: Amount, (asset, amount)| {
            let outflow = Outflow { asset, destination: None, amount };
            worth.of(effects.chain, &outflow).map(|it| sum.saturating_add(it))
        };
        net(run).into_iter().try_fold(Amount::ZERO, value).unwrap_or(Amount::MAX).0
    }

    /// The assets of which our accounts together lose something.
    pub(crate) fn assets_out(&self) -> BTreeSet<Asset> {
        self.known().map(|run| net(run).into_keys().collect()).unwrap_or_default()
    }

    fn run(&self) -> Option<&Run> {
        match self {
            Self::Ran(run) => Some(run),
            Self::No | Self::NotApplicable => None,
        }
    }

    fn known(&self) -> Option<&Run> {
        self.run().filter(|run| !run.cut)
    }
}

/// What all accounts together lose, by asset. NFTs are counted with their number and as a number of them: the larger
/// of both.
fn net(run: &Run) -> BTreeMap<Asset, Amount> {
    let (mut whole, mut pieces) = (BTreeMap::<_, Amount>::new(), BTreeMap::<_, Amount>::new());
    for ((asset, id), amount) in run.leaves() {
        let sums = if id.is_some() { &mut pieces } else { &mut whole };
        let sum = sums.entry(asset).or_default();
        *sum = sum.saturating_add(amount);
    }
    for (asset, amount) in pieces {
        let sum = whole.entry(asset).or_default();
        *sum = amount.max(*sum);
    }
    whole
}

const ONE: Amount = Amount(U256::ONE);
/// The word for a run that did more than can be told.
const CUT: &str = "cut";

#[cfg(test)]
mod tests;

//! What a run of the transaction says beside what its bytes say: both must agree, or the answer is no.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use keystead_base::{Amount, Name};
use keystead_intent::{Allowance, Asset, DangerClass, Effect, EffectKind, Effects, Right, RightChange, Run};

use crate::findings::Findings;
use crate::outflow::{Outflow, Worth};
use crate::{Engine, Question, Simulated, SimulationReason, SimulationRule};

impl Engine {
    /// The rule that demands a run of a transaction with these effects, if this version has one that does.
    #[must_use]
    pub fn demands_run(&self, key: &Name, effects: &Effects) -> Option<&SimulationRule> {
        let rule = self.version.simulation.as_ref()?;
        rule.demands(key, effects.class(), effects.chain).then_some(rule)
    }
}

/// Objects to a run that fails, or that takes more than the bytes say.
pub(crate) fn check(
    rule: Option<&SimulationRule>,
    question: &Question<'_>,
    effects: &Effects,
    findings: &mut Findings,
) {
    let (Some(rule), Simulated::Ran(run)) = (rule, question.facts.simulation) else { return };
    if !run.succeeded() && !rule.may_fail {
        findings.object(SimulationReason::Fails { ending: run.ending.as_str().to_owned() }.into());
    }
    if run.cut {
        findings.object(SimulationReason::Fails { ending: CUT.to_owned() }.into());
    }
    // What is not understood states nothing, and there is nothing to contradict: a rule has to name it.
    if effects.items.iter().all(|effect| is_stated(effect.class())) {
        takes_no_more(run, question.facts.account, effects, findings);
        gives_no_right(run, effects, findings);
    }
}

/// INVARIANT S2: no account of ours loses more of anything than the bytes say.
fn takes_no_more(run: &Run, account: Option<Address>, effects: &Effects, findings: &mut Findings) {
    let stated = sums(effects.items.iter().filter_map(|effect| moved(effect, account)));
    let lost = run.balances.iter().map(|it| ((it.account, it.asset), it.lost()));
    for ((account, asset), simulated) in sums(lost) {
        let stated = stated.get(&(account, asset)).copied().unwrap_or_default();
        if simulated > stated {
            findings.object(SimulationReason::TakesMore { account, asset, stated, simulated }.into());
        }
    }
}

fn gives_no_right(run: &Run, effects: &Effects, findings: &mut Findings) {
    let is_stated = |right: &RightChange| effects.items.iter().any(|effect| gives(&effect.kind, right));
    for right in run.gained_rights().filter(|it| !is_stated(it)) {
        let RightChange { owner, token, holder, .. } = *right;
        findings.object(SimulationReason::GivesRight { owner, token, holder }.into());
    }
}

/// Sums hold at the maximum, which is more than anything.
fn sums(amounts: impl Iterator<Item = ((Address, Asset), Amount)>) -> BTreeMap<(Address, Asset), Amount> {
    let mut sums = BTreeMap::<_, Amount>::new();
    for (place, amount) in amounts.filter(|(_, amount)| *amount != Amount::ZERO) {
        let sum = sums.entry(place).or_default();
        *sum = sum.saturating_add(amount);
    }
    sums
}

/// What an effect takes away at once. A right to take something later takes nothing yet.
fn moved(effect: &Effect, account: Option<Address>) -> Option<((Address, Asset), Amount)> {
    match &effect.kind {
        EffectKind::Transfer { asset, from, amount, .. } => Some(((*from, *asset), *amount)),
        EffectKind::NftTransfer { token, from, .. } => Some(((*from, Asset::Token(*token)), ONE)),
        EffectKind::MultiTokenTransfer { token, from, amount, .. } => {
            Some(((*from, Asset::Token(*token)), *amount))
        }
        EffectKind::Opaque { value, .. } => Some(((account?, Asset::Native), *value)),
        _ => None,
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

/// What all accounts together lose, by asset: what one of them gives another is not lost.
fn net(run: &Run) -> BTreeMap<Asset, Amount> {
    let mut totals = BTreeMap::<Asset, (Amount, Amount)>::new();
    for change in &run.balances {
        let (lost, gained) = totals.entry(change.asset).or_default();
        *lost = lost.saturating_add(change.lost());
        *gained = gained.saturating_add(change.gained());
    }
    let loss = |(asset, (lost, gained)): (Asset, (Amount, Amount))| Some((asset, lost.checked_sub(gained)?));
    totals.into_iter().filter_map(loss).filter(|(_, amount)| *amount != Amount::ZERO).collect()
}

const ONE: Amount = Amount(U256::ONE);
/// The word for a run that did more than can be told.
const CUT: &str = "cut";

#[cfg(test)]
mod tests {
    use keystead_intent::{BalanceChange, Ending};

    use super::*;
    use crate::fixture::{
        ACCOUNT, Ask, ETHER, FRIEND, STRANGER, TOKEN, UNLISTED, allow, pay, pay_token, rule, simulation_rule,
        usdc, verdict, version,
    };

    fn engine() -> Engine {
        let mut version = version();
        version.simulation = Some(simulation_rule());
        Engine::compile(version).unwrap()
    }

    fn lost(asset: Asset, amount: impl Into<Amount>) -> BalanceChange {
        let before = Amount(U256::MAX);
        let after = before.checked_sub(amount.into()).unwrap();
        BalanceChange { account: ACCOUNT, asset, id: None, before, after }
    }

    fn run(balances: Vec<BalanceChange>) -> Run {
        Run { balances, ..Run::without_changes(Ending::Succeeded, 21_000, 0) }
    }

    fn gained(token: Address, holder: Address, after: u64) -> RightChange {
        let right = Right::Allowance { before: Amount::ZERO, after: after.into() };
        RightChange { owner: ACCOUNT, token, holder, right }
    }

    fn asked(kinds: Vec<EffectKind>, run: Run) -> Vec<String> {
        verdict(&Ask::new("hot", kinds).with(|it| it.run = Some(run)).of(&engine()))
    }

    #[test]
    fn s02_what_a_run_takes_beyond_the_bytes_is_refused() {
        let token = Asset::Token(TOKEN);
        let pass = ["pass 0"].as_slice();
        for (kind, balances, expected) in [
            (pay(FRIEND, 5), vec![lost(Asset::Native, 5_u64)], pass),
            (pay(FRIEND, 5), vec![lost(Asset::Native, 4_u64)], pass),
            (pay(FRIEND, 5), vec![lost(Asset::Native, 6_u64)], &["deny.simulation_takes_more"]),
            (pay(FRIEND, 5), vec![lost(token, 1_u64)], &["deny.simulation_takes_more"]),
            (pay_token(FRIEND, usdc(1)), vec![lost(token, usdc(1))], pass),
            (
                pay_token(FRIEND, usdc(1)),
                vec![lost(Asset::Token(UNLISTED), 1_u64), lost(token, usdc(2))],
                &["deny.simulation_takes_more", "deny.simulation_takes_more"],
            ),
        ] {
            assert_eq!(asked(vec![kind.clone()], run(balances)), expected, "{kind:?}");
        }
    }

    #[test]
    fn s02_the_same_asset_of_another_account_is_not_covered() {
        let other = BalanceChange { account: FRIEND, ..lost(Asset::Native, 5_u64) };
        assert_eq!(asked(vec![pay(FRIEND, 5)], run(vec![other])), ["deny.simulation_takes_more"]);
    }

    #[test]
    fn s02_a_right_that_the_bytes_do_not_state_is_refused() {
        let with = |rights| Run { rights, ..run(vec![]) };
        let lends = |amount| vec![EffectKind::Allowance(allow(FRIEND, amount))];
        for (kinds, right, expected) in [
            (lends(5), gained(TOKEN, FRIEND, 5), "pass 1"),
            (lends(5), gained(TOKEN, FRIEND, 6), "deny.simulation_gives_right"),
            (lends(5), gained(TOKEN, STRANGER, 5), "deny.simulation_gives_right"),
            (lends(5), gained(UNLISTED, FRIEND, 5), "deny.simulation_gives_right"),
            (vec![pay(FRIEND, 5)], gained(TOKEN, FRIEND, 1), "deny.simulation_gives_right"),
        ] {
            assert_eq!(asked(kinds, with(vec![right])), [expected], "{right:?}");
        }
        let operator =
            RightChange { right: Right::Operator { before: false, after: true }, ..gained(TOKEN, FRIEND, 0) };
        assert_eq!(asked(lends(5), with(vec![operator])), ["deny.simulation_gives_right"]);
    }

    #[test]
    fn what_fails_passes_only_where_policy_lets_it() {
        let fails = Run::without_changes(Ending::Halted, 1, 0);
        assert_eq!(asked(vec![pay(FRIEND, 5)], fails.clone()), ["deny.simulation_fails"]);
        let cut = Run { cut: true, ..run(vec![]) };
        assert_eq!(asked(vec![pay(FRIEND, 5)], cut.clone()), ["deny.simulation_fails"]);
        let mut version = version();
        version.simulation = Some(SimulationRule { may_fail: true, ..simulation_rule() });
        let engine = Engine::compile(version).unwrap();
        let ask = |run| Ask::new("hot", vec![pay(FRIEND, 5)]).with(|it| it.run = Some(run)).of(&engine);
        assert_eq!(verdict(&ask(fails)), ["pass 0"]);
        assert_eq!(verdict(&ask(cut)), ["deny.simulation_fails"]);
    }

    #[test]
    fn rules_see_what_a_run_does_and_think_the_worst_of_none() {
        for (condition, unknown, known) in [
            ("context.simulation == \"none\"", true, false),
            ("context.simulation == \"succeeds\"", false, true),
            ("context.simulated_out <= 5", false, true),
            ("context.simulated_out <= 4", false, false),
            ("context.gains_approval", true, true),
            ("context.creates", true, false),
            ("context.simulated_assets_out.contains(\"native\")", false, true),
            ("context.simulated_out_fiat < 1000", false, false),
        ] {
            let mut version = version();
            let text =
                format!("permit(principal, action in Action::\"sign\", resource) when {{ {condition} }};");
            version.rules = vec![rule("only", &text)];
            let engine = Engine::compile(version).unwrap();
            let ask = || Ask::new("hot", vec![pay(FRIEND, ETHER)]);
            let ran = Run { rights: vec![gained(TOKEN, FRIEND, 1)], ..run(vec![lost(Asset::Native, 5_u64)]) };
            for (ask, expected) in [(ask(), unknown), (ask().with(|it| it.run = Some(ran)), known)] {
                let permitted = !verdict(&ask.of(&engine)).contains(&"deny.no_rule_permits".to_owned());
                assert_eq!(permitted, expected, "{condition}");
            }
        }
    }
}

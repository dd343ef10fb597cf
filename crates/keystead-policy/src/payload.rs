//! Judges each effect of a payload: rules, chain, destination, and what must be named exactly.

use alloy_primitives::U256;
use cedar_policy::Context;
use keystead_base::{Amount, Name};
use keystead_intent::{ActionKind, Asset, AssetIndex, ChainId, DangerClass, Effect, EffectKind, Effects};

use crate::annotation::{Annotations, call_of};
use crate::aspect::Aspect;
use crate::destination::Standing;
use crate::engine::cancels;
use crate::findings::Findings;
use crate::named::Wanted;
use crate::rules::Answer;
use crate::vocabulary::{Attributes, lower_hex};
use crate::{Engine, Question, Reason, Subject, fields};

/// Judges every effect; all of them must pass.
pub(crate) fn judge(engine: &Engine, question: &Question<'_>, effects: &Effects, findings: &mut Findings) {
    check_chain(engine, effects.chain, findings);
    if effects.items.is_empty() {
        findings.object(Reason::NoRulePermits { effect: 0, class: effects.class() });
    }
    for (index, effect) in effects.items.iter().enumerate() {
        let place = u32::try_from(index).unwrap_or(u32::MAX);
        Judgement { engine, question, effects, effect, aspect: Aspect::of(effect), place }.pass(findings);
    }
}

impl Engine {
    /// What rules see of each effect of a payload, in the effects' order: every attribute, also those that no rule of
    /// this version names. Empty where the question is about no payload.
    #[must_use]
    pub fn contexts(&self, question: &Question<'_>) -> Vec<Context> {
        let Subject::Payload(effects) = question.subject else { return Vec::new() };
        let context = |effect| {
            let aspect = Aspect::of(effect);
            let standing = self.book.standing(effects.chain, &aspect, question.facts);
            Judgement { engine: self, question, effects, effect, aspect, place: 0 }
                .context(&standing, Wanted::All)
        };
        effects.items.iter().filter_map(context).collect()
    }
}

/// Takes over what the rules say: any error or forbid denies, and so does the lack of a permit.
/// Gives the permitting rules, where nothing stands against them.
pub(crate) fn weigh<'a>(answer: Option<&'a Answer>, lacking: Reason, findings: &mut Findings) -> &'a [Name] {
    let Some(answer) = answer else {
        findings.object(lacking);
        return &[];
    };
    for rule in &answer.errors {
        findings.object_by(rule, Reason::RuleError { rule: rule.clone() });
    }
    for rule in &answer.forbids {
        findings.object_by(rule, Reason::Forbidden { rule: rule.clone() });
    }
    if !answer.errors.is_empty() || !answer.forbids.is_empty() {
        return &[];
    }
    if answer.permits.is_empty() {
        findings.object(lacking);
    }
    findings.permit(&answer.permits);
    &answer.permits
}

struct Judgement<'a> {
    engine: &'a Engine,
    question: &'a Question<'a>,
    effects: &'a Effects,
    effect: &'a Effect,
    aspect: Aspect,
    place: u32,
}

impl Judgement<'_> {
    fn pass(&self, findings: &mut Findings) {
        let facts = self.question.facts;
        let standing = self.engine.book.standing(self.effects.chain, &self.aspect, facts);
        let wanted = self.engine.rules.wanted(self.question.key);
        let answer = self.context(&standing, wanted).and_then(|context| {
            let fields = || fields::of(self.effects, self.effect);
            let Question { requester, action, key, .. } = *self.question;
            self.engine.rules.ask(requester, action, key, context, fields)
        });
        let lacking = Reason::NoRulePermits { effect: self.place, class: self.effect.class() };
        let permits = weigh(answer.as_ref(), lacking, findings);
        self.check_inner_chain(findings);
        if !permits.is_empty() {
            let named: Vec<&Annotations> =
                permits.iter().filter_map(|rule| self.engine.rules.annotations(rule)).collect();
            self.check_named(&named, &standing, findings);
        }
    }

    /// INVARIANT S8: an authorization that is valid elsewhere, or everywhere, is not for this chain.
    fn check_inner_chain(&self, findings: &mut Findings) {
        if let EffectKind::Delegation { chain, .. } = self.effect.kind
            && chain != self.effects.chain
        {
            findings.object(Reason::ChainNotAllowed { chain });
        }
    }

    /// What only a rule that says so by name lets pass.
    fn check_named(&self, permits: &[&Annotations], standing: &Standing<'_>, findings: &mut Findings) {
        match self.effect.class() {
            DangerClass::Opaque => {
                // A rule that names the contract of an opaque call names its destination.
                let call = call_of(self.effect, self.question.action == ActionKind::TypedData);
                if !permits.iter().any(|it| it.opaque.as_ref() == Some(&call)) {
                    findings.object(Reason::Opaque { call });
                }
            }
            DangerClass::BlindDigest if !permits.iter().any(|it| it.blind) => {
                findings.object(Reason::BlindDigest);
            }
            _ if self.aspect.takes_back || permits.iter().any(|it| it.any_destination) => {}
            _ => standing.objection().into_iter().for_each(|reason| findings.object(reason)),
        }
    }

    fn context(&self, standing: &Standing<'_>, wanted: Wanted<'_>) -> Option<Context> {
        let (effect, aspect, chain) = (self.effect, &self.aspect, self.effects.chain);
        let registry = self.engine.registry();
        let entry = aspect.asset.and_then(|asset| registry.asset(chain, asset));
        let micro = |asset, amount| in_micro(registry, chain, asset, amount);
        let decimal = |asset: Option<Asset>| asset.map_or(U256::ZERO, |asset| micro(asset, aspect.amount));
        self.typed(self.attributes(wanted))
            .text("asset", || aspect.asset.map(asset_word).unwrap_or_default())
            .text("symbol", || entry.map(|entry| entry.symbol.as_str()).unwrap_or_default())
            .address("from", aspect.from)
            .address("destination", aspect.destination)
            .text("destination_name", || standing.name())
            .flag("destination_known", standing.is_known())
            .long("amount", || aspect.amount.0)
            .long("amount_micro", || decimal(aspect.asset))
            .flag("unlimited", aspect.unlimited)
            .flag("by_signature", aspect.by_signature)
            .long("deadline", || aspect.deadline.map_or(U256::MAX, |deadline| deadline.0))
            .text("simulation", || self.question.facts.simulation.word())
            .flag("gains_approval", self.question.facts.simulation.gains_approval())
            .flag("creates", self.question.facts.simulation.creates())
            .long("simulated_out", || self.simulated_out())
            .long("simulated_out_fiat", || self.simulated_out_fiat())
            .set("simulated_assets_out", || self.simulated_assets_out())
            .long("fee_micro", || micro(Asset::Native, self.effects.fee.max))
            .long("fee", || self.effects.fee.max.0)
            .long("max_fee_per_gas", || self.effects.fee.per_gas.0)
            .long("max_priority_fee_per_gas", || self.effects.fee.tip_per_gas.0)
            .long("fee_rate", || self.effects.coins.as_ref().map_or(0, |it| it.fee_rate))
            .long("nonce_ahead", || self.question.facts.nonce_ahead)
            .long("drill_age_seconds", || self.question.facts.drill_age_seconds)
            .address("contract", effect.contract)
            .text("selector", || effect.selector.map(lower_hex).unwrap_or_default())
            .into_context()
    }

    fn simulated_out(&self) -> U256 {
        self.question.facts.simulation.outflow(self.aspect.asset.unwrap_or(Asset::Native))
    }

    fn simulated_out_fiat(&self) -> U256 {
        let facts = self.question.facts;
        facts.simulation.outflow_fiat(self.effects, &self.engine.worth(facts))
    }

    fn simulated_assets_out(&self) -> Vec<String> {
        self.question.facts.simulation.assets_out().into_iter().map(asset_word).collect()
    }

    fn typed<'a>(&self, attributes: Attributes<'a>) -> Attributes<'a> {
        let form = self.effects.typed.as_ref();
        let domain = form.map(|form| &form.domain);
        let text = |it: Option<&String>| it.cloned().unwrap_or_default();
        attributes
            .entity("fields", self.engine.rules.fields())
            .text("primary_type", || text(form.map(|form| &form.primary_type)))
            .text("domain_name", || text(domain.and_then(|it| it.name.as_ref())))
            .text("domain_version", || text(domain.and_then(|it| it.version.as_ref())))
            .long("domain_chain", || domain.and_then(|it| it.chain).map_or(U256::ZERO, |chain| chain.0))
            .address("verifying_contract", domain.and_then(|it| it.verifying_contract))
    }

    fn attributes<'a>(&self, wanted: Wanted<'a>) -> Attributes<'a> {
        Attributes::at(self.question.facts.now, wanted)
            .text("class", || self.effect.class().as_str())
            .text("request_class", || self.effects.class().as_str())
            .text("kind", || self.aspect.kind)
            .flag("cancels", cancels(self.question, self.effects))
            .text("change", || self.aspect.change)
            .long("chain", || self.effects.chain.0)
            .long("effects", || self.effects.items.len())
            .long("depth", || self.effect.path.len())
            .text("assurance", || self.question.facts.assurance.as_str())
    }
}

/// INVARIANT S8: nothing is signed for a chain that the policy does not name.
fn check_chain(engine: &Engine, chain: ChainId, findings: &mut Findings) {
    if engine.version.chains.binary_search(&chain).is_err() {
        findings.object(Reason::ChainNotAllowed { chain });
    }
}

/// Millionths of a whole unit, rounded up; what the registry does not know is beyond every number.
#[must_use]
pub fn in_micro(registry: &AssetIndex, chain: ChainId, asset: Asset, amount: Amount) -> U256 {
    if amount == Amount::ZERO {
        return U256::ZERO;
    }
    let known = registry.asset(chain, asset).map(|entry| entry.decimals);
    let coin = (asset == Asset::Native).then_some(coin_decimals(chain));
    let Some(decimals) = known.or(coin) else { return U256::MAX };
    let unit = U256::from(10_u8).saturating_pow(U256::from(decimals));
    let Some(scaled) = amount.0.checked_mul(U256::from(MICRO)) else { return U256::MAX };
    let (whole, rest) = scaled.div_rem(unit);
    if rest.is_zero() { whole } else { whole.saturating_add(U256::ONE) }
}

fn asset_word(asset: Asset) -> String {
    match asset {
        Asset::Native => "native".to_owned(),
        Asset::Token(token) => lower_hex(token),
    }
}

/// Decimals of a chain's coin that the registry does not list: ether's, bitcoin's, Solana's or NEAR's.
fn coin_decimals(chain: ChainId) -> u8 {
    match (chain.bitcoin(), chain.solana(), chain.near()) {
        (Some(_), _, _) => 8,
        (None, Some(_), _) => 9,
        (None, None, Some(_)) => 24,
        (None, None, None) => 18,
    }
}

const MICRO: u32 = 1_000_000;

#[cfg(test)]
mod near;
#[cfg(test)]
mod solana;
#[cfg(test)]
mod tests;

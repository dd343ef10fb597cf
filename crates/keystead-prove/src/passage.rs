//! A policy version as one set of Cedar policies: it allows what passes.
//!
//! A request with several effects passes if each of them does: rows are merged to the strictest, and the sums that they
//! look at stand in every effect's context. So one effect at a time is enough, and no bound on their number is needed.

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use keystead_base::Amount;
use keystead_intent::{AssetIndex, ChangeKind, DangerClass};
use keystead_policy::{FeeCap, FeePart, PolicyVersion, QuorumRow};
use serde_json::Value;

use crate::ProveError;
use crate::auxiliary::{Seat, Vocabulary};
use crate::laws;

/// Which kind of question a set is for: what the words of one mean has no place in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// An effect of something to be signed with a key.
    Effect,
    /// A change of authority about a key.
    ChangeOfKey,
    /// Any other change of authority.
    ChangeOfCluster,
}

/// What passes under a version.
pub(crate) struct Passage<'a> {
    pub(crate) version: &'a PolicyVersion,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) scene: Scene,
}

impl Passage<'_> {
    pub(crate) fn policies(&self) -> Result<PolicySet, ProveError> {
        let mut policies = Vec::new();
        for rule in &self.version.rules {
            policies.push(self.rule(&parse(rule.id.as_str(), &rule.cedar)?)?);
        }
        for (place, condition) in self.conditions()?.iter().enumerate() {
            let text = format!("forbid(principal, action, resource) when {{ {condition} }};");
            // Rules have names; a colon is in none of them.
            policies.push(parse(&format!("law:{place}"), &text)?);
        }
        PolicySet::from_policies(policies).map_err(|error| model(&error))
    }

    /// Everything that stands against a request beside the rules.
    fn conditions(&self) -> Result<Vec<String>, ProveError> {
        let mut conditions = laws::of_people(self.vocabulary);
        if self.scene == Scene::Effect {
            let registry = AssetIndex::new(&self.version.assets, &self.version.contracts);
            let registry = registry.map_err(|error| ProveError::Policy(error.into()))?;
            conditions.extend(laws::of_effects(self.vocabulary, &registry));
            conditions.extend(self.opaque_calls());
            conditions.push(self.other_chains());
            conditions.extend(self.dear());
        } else {
            conditions.push("context.class != \"authority\"".to_owned());
            conditions.extend(NAMED.map(|change| self.unnamed(change)));
        }
        conditions.extend(self.uncovered());
        conditions.extend(self.version.quorums.iter().flat_map(|row| self.unmet(row)));
        Ok(conditions)
    }

    /// A permit stands only with the exceptions that it names; a forbid stands as it is.
    fn rule(&self, rule: &Policy) -> Result<Policy, ProveError> {
        if rule.effect() == Effect::Forbid || self.scene != Scene::Effect {
            return Ok(rule.clone());
        }
        let named = |annotation: &str| rule.annotation(annotation).is_some_and(|it| it == "true");
        let opaque =
            rule.annotation("opaque").map_or_else(never, |call| format!("context.opaque_call == {call:?}"));
        let blind = if named("blind") { "true" } else { "false" };
        let to_anybody = if named("any_destination") { "true" } else { KNOWN_DESTINATION };
        narrowed(
            rule,
            &format!(
                "if context.class == \"opaque\" then {opaque} else if context.class == \"blind_digest\" then {blind} \
                 else ({to_anybody} || {})",
                laws::TAKES_BACK
            ),
        )
    }

    /// The call as `@opaque` names it has the contract and the selector that the rules see.
    fn opaque_calls(&self) -> Vec<String> {
        let rules = self.version.rules.iter().filter_map(|rule| parse("rule", &rule.cedar).ok());
        let calls: Vec<String> = rules.filter_map(|it| it.annotation("opaque").map(str::to_owned)).collect();
        let parts = |call: &String| {
            let (contract, selector) = call.split_once('/')?;
            let its = format!("context.opaque_call == {call:?}");
            let mut laws = vec![format!("{its} && context.contract != {contract:?}")];
            if selector.starts_with("0x") {
                laws.push(format!("{its} && context.selector != {selector:?}"));
            }
            Some(laws)
        };
        calls.iter().filter_map(parts).flatten().collect()
    }

    fn other_chains(&self) -> String {
        let chains = self.version.chains.iter().map(|chain| format!("context.chain != {}", chain.0));
        all_of(chains.collect())
    }

    /// What offers more for fees than a cap allows. A ceiling beyond Cedar's numbers, and one in fiat, only deny more.
    fn dear(&self) -> Vec<String> {
        let cap = |cap: &FeeCap| {
            let keys: Vec<_> = cap.keys.iter().map(|key| format!("resource == Key::\"{key}\"")).collect();
            let chains: Vec<_> = cap.chains.iter().map(|it| format!("context.chain == {}", it.0)).collect();
            let one_of = |of: Vec<String>| if of.is_empty() { "true".to_owned() } else { any_of(of) };
            let concerns = format!("({}) && ({})", one_of(keys), one_of(chains));
            let ceilings = cap.ceilings().filter_map(|(part, limit)| exceeds(part, limit));
            ceilings.map(|it| format!("{concerns} && {it}")).collect::<Vec<_>>()
        };
        self.version.fee_caps.iter().flat_map(cap).collect()
    }

    /// What policy has to name is denied where no row does.
    fn unnamed(&self, change: ChangeKind) -> String {
        let rows = self.version.quorums.iter().filter(|row| row.changes.contains(&change));
        let speaks: Vec<_> = rows.filter_map(|row| self.speaks(row, DangerClass::Authority)).collect();
        format!("context.change == \"{change}\" && !({})", any_of(speaks))
    }

    /// A class that no matching row speaks of is denied.
    fn uncovered(&self) -> Vec<String> {
        let uncovered = |class: DangerClass| {
            let rows = self.version.quorums.iter().filter_map(|row| self.matches(row, class));
            Some(format!("{} && !({})", self.has(class)?, any_of(rows.collect())))
        };
        DangerClass::ALL.into_iter().filter_map(uncovered).collect()
    }

    /// What a row that matches asks for, and is not there.
    fn unmet(&self, row: &QuorumRow) -> Vec<String> {
        let matching = row
            .classes
            .iter()
            .filter_map(|class| Some(format!("({} && {})", self.has(*class)?, self.matches(row, *class)?)));
        let matching = any_of(matching.chain(self.burning(row)).collect());
        let needs = row
            .needs
            .iter()
            .map(|need| format!("context.approved[{:?}] < {}", Seat::of(need).name(), need.count));
        let delay = (row.delay_seconds > 0)
            .then(|| format!("context.waited_seconds < {}", row.delay_seconds.min(i64::MAX.unsigned_abs())));
        let vetoes = row.vetoers.iter().map(|role| format!("context.vetoed_by.contains(\"{role}\")"));
        let unmet = needs.chain(delay).chain(vetoes);
        unmet.map(|it| format!("({matching}) && {it}")).collect()
    }

    /// A cancel's fee is held against the thresholds of transfers.
    fn burning(&self, row: &QuorumRow) -> Option<String> {
        row.from.as_ref().filter(|_| self.scene == Scene::Effect)?;
        Some(format!("(context.cancels && {})", self.matches(row, DangerClass::Transfer)?))
    }

    /// The condition that a request has a class; none where no such request is.
    fn has(&self, class: DangerClass) -> Option<String> {
        match (class, self.scene) {
            (DangerClass::Cancel, Scene::Effect) => Some("context.cancels".to_owned()),
            (DangerClass::Replacement, Scene::Effect) => {
                Some("(action == Action::\"replacement\" && !context.cancels)".to_owned())
            }
            (class, Scene::Effect) => Some(format!("(context.class == \"{class}\" && !context.cancels)")),
            (class, _) if class.is_of_requests() => None,
            (class, _) => Some(format!("context.class == \"{class}\"")),
        }
    }

    fn matches(&self, row: &QuorumRow, class: DangerClass) -> Option<String> {
        let speaks = self.speaks(row, class)?;
        let from = row.from.as_ref().filter(|_| self.scene == Scene::Effect);
        Some(match from {
            Some(threshold) => format!("{speaks} && {}", self.vocabulary.ladders.reaches(threshold)),
            None => speaks,
        })
    }

    /// None where it never does.
    fn speaks(&self, row: &QuorumRow, class: DangerClass) -> Option<String> {
        if !row.classes.contains(&class) {
            return None;
        }
        let keys: Vec<_> = row.keys.iter().map(|key| format!("resource == Key::\"{key}\"")).collect();
        let keys = match (row.keys.is_empty(), self.scene) {
            (true, _) => "true".to_owned(),
            (false, Scene::ChangeOfCluster) => return None,
            (false, _) => any_of(keys),
        };
        let changes: Vec<_> =
            row.changes.iter().map(|it| format!("context.change == \"{}\"", it.as_str())).collect();
        match (row.changes.is_empty(), self.scene) {
            (true, _) => Some(format!("({keys})")),
            (false, Scene::Effect) => None,
            (false, _) => Some(format!("({keys}) && ({})", any_of(changes))),
        }
    }
}

fn exceeds(part: FeePart, limit: Amount) -> Option<String> {
    let attribute = part.attribute()?;
    let limit = i64::try_from(limit.0).ok().filter(|it| *it < i64::MAX)?;
    Some(format!("context.{attribute} > {limit}"))
}

/// The same policy with one more condition.
pub(crate) fn narrowed(policy: &Policy, condition: &str) -> Result<Policy, ProveError> {
    let with = parse("with", &format!("permit(principal, action, resource) when {{ {condition} }};"))?;
    let more = with.to_json().map_err(|error| model(&error))?;
    rewritten(policy, |json| {
        let conditions = more.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(Value::Array(own)) = json.get_mut("conditions") {
            own.extend(conditions);
        }
    })
}

/// The same policy, changed in Cedar's JSON form.
pub(crate) fn rewritten(policy: &Policy, change: impl FnOnce(&mut Value)) -> Result<Policy, ProveError> {
    let mut json = policy.to_json().map_err(|error| model(&error))?;
    change(&mut json);
    Policy::from_json(Some(policy.id().clone()), json).map_err(|error| model(&error))
}

pub(crate) fn parse(id: &str, text: &str) -> Result<Policy, ProveError> {
    Policy::parse(Some(PolicyId::new(id)), text).map_err(|error| model(&error))
}

pub(crate) fn model(error: &dyn std::error::Error) -> ProveError {
    let reason = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    ProveError::Model { reason }
}

fn never() -> String {
    "false".to_owned()
}

fn any_of(conditions: Vec<String>) -> String {
    if conditions.is_empty() { never() } else { conditions.join(" || ") }
}

fn all_of(conditions: Vec<String>) -> String {
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" && ") }
}

const KNOWN_DESTINATION: &str = "context.destination == \"\" || context.destination_known";
const NAMED: [ChangeKind; 3] = [ChangeKind::DestroyKey, ChangeKind::ExitKey, ChangeKind::CreateTokenKey];

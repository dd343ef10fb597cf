//! The Cedar rules of a version, compiled and sliced per key.
//!
//! A rule whose scope says `resource == Key::"x"` can only ever apply to requests about that key, so
//! it stands in that key's slice and costs nothing to others. Every other rule stands in the slice of
//! all. A question is put to both, and the answers are joined as Cedar would join them.

use std::collections::BTreeMap;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Entity, EntityUid, Policy, PolicyId,
    PolicySet, Request, ResourceConstraint, Response, ValidationMode, Validator,
};
use keystead_base::Name;
use keystead_intent::ActionKind;

use crate::annotation::{self, Annotations};
use crate::fields::Fields;
use crate::limits::{MAX_RULE_BRACKETS, MAX_RULE_BYTES, MAX_RULES};
use crate::named::{Named, Wanted};
use crate::structure::at_most;
use crate::vocabulary::{Words, schema};
use crate::{PolicyError, Roster, Rule, saturation};

/// The rules, ready to be asked.
#[derive(Debug)]
pub(crate) struct Rules {
    words: Words,
    authorizer: Authorizer,
    entities: Entities,
    /// Whether any rule looks at fields: only then they are put before the rules.
    names_fields: bool,
    shared: PolicySet,
    by_key: BTreeMap<Name, PolicySet>,
    /// The permits of each slice without their conditions.
    scopes: PolicySet,
    scopes_by_key: BTreeMap<Name, PolicySet>,
    /// What the rules of each slice name.
    named_by_all: Named,
    named_by_key: BTreeMap<Name, Named>,
    annotations: BTreeMap<Name, Annotations>,
}

/// What the rules say about one effect.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) permits: Vec<Name>,
    pub(crate) forbids: Vec<Name>,
    pub(crate) errors: Vec<Name>,
}

impl Rules {
    pub(crate) fn compile(rules: &[Rule], roster: &Roster) -> Result<Self, PolicyError> {
        let words = Words::new()?;
        let validator = Validator::new(schema()?.clone());
        let mut compiled = Self {
            entities: words.entities(roster)?,
            words,
            authorizer: Authorizer::new(),
            names_fields: rules.iter().any(|rule| rule.cedar.contains("Tag")),
            shared: PolicySet::new(),
            by_key: BTreeMap::new(),
            scopes: PolicySet::new(),
            scopes_by_key: BTreeMap::new(),
            named_by_all: Named::default(),
            named_by_key: BTreeMap::new(),
            annotations: BTreeMap::new(),
        };
        at_most("the list of rules", rules.len(), MAX_RULES)?;
        rules.iter().try_for_each(|rule| compiled.add(rule, roster, &validator))?;
        Ok(compiled)
    }

    /// Puts one question: none where the words do not fit together, which denies.
    pub(crate) fn ask(
        &self,
        requester: &Name,
        action: ActionKind,
        key: Option<&Name>,
        context: Context,
        fields: impl FnOnce() -> Fields,
    ) -> Option<Answer> {
        let action = self.words.action(action)?.clone();
        let (principal, resource) = (self.words.member(requester), self.words.resource(key));
        let request = Request::new(principal, action, resource, context, None).ok()?;
        let with_fields = if self.names_fields { Some(self.with(fields())?) } else { None };
        let entities = with_fields.as_ref().unwrap_or(&self.entities);
        let slices = [Some(&self.shared), key.and_then(|key| self.by_key.get(key))];
        let mut answer = Answer::default();
        for slice in slices.into_iter().flatten() {
            answer.join(&self.authorizer.is_authorized(&request, slice, entities));
        }
        answer.sort();
        Some(answer)
    }

    /// Whether the scope of some permit takes such a question, whatever its conditions say then.
    pub(crate) fn could_permit(&self, requester: &Name, action: ActionKind, key: &Name) -> bool {
        let Some(action) = self.words.action(action).cloned() else { return false };
        let (principal, resource) = (self.words.member(requester), self.words.resource(Some(key)));
        let Ok(request) = Request::new(principal, action, resource, Context::empty(), None) else {
            return false;
        };
        let slices = [Some(&self.scopes), self.scopes_by_key.get(key)];
        slices.into_iter().flatten().any(|slice| {
            let response = self.authorizer.is_authorized(&request, slice, &self.entities);
            response.decision() == Decision::Allow
        })
    }

    /// The roster, and the values of one effect. None where Cedar refuses them, which denies.
    fn with(&self, fields: Fields) -> Option<Entities> {
        let tags = fields.into_iter().map(|(tag, value)| (tag, value.expression()));
        let entity = Entity::new_with_tags(self.words.fields().clone(), [], [], tags).ok()?;
        self.entities.clone().add_entities([entity], None).ok()
    }

    /// What a question about this key has to say: the rest is not looked at by any rule that it is put to.
    pub(crate) fn wanted(&self, key: Option<&Name>) -> Wanted<'_> {
        Wanted::Named(&self.named_by_all, key.and_then(|key| self.named_by_key.get(key)))
    }

    pub(crate) fn fields(&self) -> &EntityUid {
        self.words.fields()
    }

    pub(crate) fn annotations(&self, rule: &Name) -> Option<&Annotations> {
        self.annotations.get(rule)
    }

    /// How many rules a question about this key is put to.
    pub(crate) fn evaluated_for(&self, key: Option<&Name>) -> usize {
        let sliced = key.and_then(|key| self.by_key.get(key)).map_or(0, PolicySet::num_of_policies);
        self.shared.num_of_policies().saturating_add(sliced)
    }

    fn add(&mut self, rule: &Rule, roster: &Roster, validator: &Validator) -> Result<(), PolicyError> {
        let policy = parse(rule)?;
        let json = checked_json(rule, &policy)?;
        self.annotations.insert(rule.id.clone(), annotation::read(rule, &policy)?);
        self.check_members(rule, &policy, roster)?;
        validate(rule, &policy, validator)?;
        let slice = match policy.resource_constraint() {
            ResourceConstraint::Eq(entity) => self.words.key_name(&entity),
            _ => None,
        };
        let scope = (policy.effect() == Effect::Permit).then(|| scope_of(rule, &json)).transpose()?;
        let (slice, scopes, named) = match slice {
            Some(key) => (
                self.by_key.entry(key.clone()).or_default(),
                self.scopes_by_key.entry(key.clone()).or_default(),
                self.named_by_key.entry(key).or_default(),
            ),
            None => (&mut self.shared, &mut self.scopes, &mut self.named_by_all),
        };
        named.add(&json);
        if let Some(scope) = scope {
            scopes.add(scope).map_err(|error| syntax(rule, &error))?;
        }
        slice.add(policy).map_err(|error| syntax(rule, &error))
    }

    /// A member that does not exist would silently match nobody.
    fn check_members(&self, rule: &Rule, policy: &Policy, roster: &Roster) -> Result<(), PolicyError> {
        let literals: Vec<EntityUid> = policy.entity_literals();
        let exists = |id: &String| roster.speaks(id);
        match literals.iter().filter_map(|it| self.words.member_id(it)).find(|id| !exists(id)) {
            Some(found) => Err(PolicyError::Unknown { by: rule.id.to_string(), kind: "member", found }),
            None => Ok(()),
        }
    }
}

impl Answer {
    /// Takes over what one slice says. Cedar names the satisfied forbids where there are any, and the
    /// satisfied permits otherwise.
    fn join(&mut self, response: &Response) {
        let diagnostics = response.diagnostics();
        let errors = diagnostics.errors().map(|AuthorizationError::PolicyEvaluationError(it)| it.policy_id());
        self.errors.extend(errors.filter_map(name));
        let reasons = diagnostics.reason().filter_map(name);
        match response.decision() {
            Decision::Allow => self.permits.extend(reasons),
            Decision::Deny => self.forbids.extend(reasons),
        }
    }

    fn sort(&mut self) {
        self.permits.sort_unstable();
        self.forbids.sort_unstable();
        self.errors.sort_unstable();
    }
}

fn parse(rule: &Rule) -> Result<Policy, PolicyError> {
    at_most("the text of a rule, in bytes,", rule.cedar.len(), MAX_RULE_BYTES)?;
    let brackets = rule.cedar.bytes().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count();
    at_most("the opening brackets of a rule", brackets, MAX_RULE_BRACKETS)?;
    Policy::parse(Some(PolicyId::new(rule.id.as_str())), &rule.cedar).map_err(|error| syntax(rule, &error))
}

fn checked_json(rule: &Rule, policy: &Policy) -> Result<serde_json::Value, PolicyError> {
    let json = policy.to_json().map_err(|error| syntax(rule, &error))?;
    saturation::check(rule, &json)?;
    Ok(json)
}

/// The same rule without its conditions: who may ask for what, before anybody looks at what is asked.
fn scope_of(rule: &Rule, json: &serde_json::Value) -> Result<Policy, PolicyError> {
    let mut bare = json.clone();
    if let Some(conditions) = bare.get_mut("conditions") {
        *conditions = serde_json::Value::Array(Vec::new());
    }
    Policy::from_json(Some(PolicyId::new(rule.id.as_str())), bare).map_err(|error| syntax(rule, &error))
}

/// Warnings count as errors: a rule that can never apply, or with look-alike letters, is a mistake.
fn validate(rule: &Rule, policy: &Policy, validator: &Validator) -> Result<(), PolicyError> {
    let refuse = |reason: String| PolicyError::Schema { rule: rule.id.clone(), reason };
    let set = PolicySet::from_policies([policy.clone()]).map_err(|error| refuse(error.to_string()))?;
    let result = validator.validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().map(ToString::to_string);
    let warnings = result.validation_warnings().map(ToString::to_string);
    errors.chain(warnings).next().map_or(Ok(()), |reason| Err(refuse(reason)))
}

fn syntax(rule: &Rule, error: &dyn std::error::Error) -> PolicyError {
    let reason = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    PolicyError::Syntax { rule: rule.id.clone(), reason }
}

fn name(id: &PolicyId) -> Option<Name> {
    AsRef::<str>::as_ref(id).parse().ok()
}

#[cfg(test)]
mod tests {
    use cedar_policy::RestrictedExpression;
    use keystead_base::Coded as _;

    use super::*;
    use crate::Engine;
    use crate::fixture::{rule, version};

    fn code(cedar: &str) -> Result<(), &'static str> {
        let mut version = version();
        version.rules = vec![rule("rule", cedar)];
        Engine::compile(version).map(|_| ()).map_err(|error| error.code())
    }

    #[test]
    fn a_rule_is_one_policy_that_fits_the_schema() {
        for (cedar, expected) in [
            ("permit(principal, action, resource);", Ok(())),
            ("permit(principal, action == Action::\"authority\", resource is Cluster);", Ok(())),
            (
                "permit(principal, action == Action::\"transfer\", resource) when { context.class == \"transfer\" };",
                Ok(()),
            ),
            (
                "permit(principal, action, resource); permit(principal, action, resource);",
                Err("policy.syntax"),
            ),
            ("", Err("policy.syntax")),
            ("permit(principal == ?principal, action, resource);", Err("policy.syntax")),
            ("permit(principal, action, resource) when { context.colour == 1 };", Err("policy.schema")),
            ("permit(principal, action, resource) when { context.chain == 1 };", Err("policy.schema")),
            (
                "permit(principal, action in Action::\"sign\", resource) when { context.chain == \"1\" };",
                Err("policy.schema"),
            ),
            ("permit(principal, action == Action::\"sweep\", resource);", Err("policy.schema")),
            ("permit(principal is Admin, action, resource);", Err("policy.schema")),
            ("permit(principal, action == Action::\"transfer\", resource is Cluster);", Err("policy.schema")),
            (
                "permit(principal, action in Action::\"sign\", resource) when { context.symbol == \"USD\u{421}\" };",
                Err("policy.schema"),
            ),
            ("@colour(\"red\") permit(principal, action, resource);", Err("policy.annotation")),
            ("permit(principal in Role::\"nobody-yet\", action, resource);", Ok(())),
        ] {
            assert_eq!(code(cedar), expected, "{cedar}");
        }
    }

    #[test]
    fn no_rule_however_nested_exhausts_the_stack() {
        let nested = |open: &str, middle: &str, close: &str| {
            let count = (MAX_RULE_BYTES - 100) / (open.len() + close.len());
            format!(
                "permit(principal,action,resource) when {{ {}{middle}{} }};",
                open.repeat(count),
                close.repeat(count)
            )
        };
        for text in [
            nested("(", "true", ")"),
            nested("[", "", "]"),
            nested("!", "true", ""),
            nested("-", "1", ""),
            nested("1+", "1", ""),
            nested("true&&", "true", ""),
            nested("{a:", "1", "}"),
            nested("if true then ", "1", " else 2"),
            nested("context", "", ".a"),
        ] {
            assert!(code(&text).is_err());
        }
        assert_eq!(code(&" ".repeat(MAX_RULE_BYTES + 1)), Err("policy.too_many"));
    }

    /// Every rule in one set, asked as Cedar asks: what slicing must not change.
    fn unsliced(mut rules: Rules) -> Rules {
        for set in std::mem::take(&mut rules.by_key).into_values() {
            set.policies().for_each(|policy| rules.shared.add(policy.clone()).unwrap());
        }
        rules
    }

    #[test]
    fn slices_answer_as_the_whole_set_would() {
        let scopes = ["", " == Key::\"hot\"", " == Key::\"warm\"", " in Key::\"hot\"", " is Key"];
        let conditions =
            ["context.depth == 0", "context.depth + 9223372036854775807 > 0", "context.chain == 1"];
        let rules: Vec<Rule> = (0..60)
            .map(|n| {
                let effect = if n % 4 == 3 { "forbid" } else { "permit" };
                let (scope, condition) = (scopes[n % 5], conditions[n % 3]);
                let text = format!(
                    "{effect}(principal, action in Action::\"sign\", resource{scope}) when {{ {condition} }};"
                );
                rule(&format!("r{n:02}"), &text)
            })
            .collect();
        // Each prefix of the list is another set of rules.
        for count in 0..rules.len() {
            let compile = || Rules::compile(&rules[..count], &version().roster).unwrap();
            let (sliced, whole) = (compile(), unsliced(compile()));
            for (key, depth, chain) in [("hot", 0, 1), ("warm", 0, 2), ("cold", 1, 1), ("hot", 1, 2)] {
                let context = || {
                    let attributes = [("depth", depth), ("chain", chain)];
                    let pair =
                        |(name, value): (&str, i64)| (name.to_owned(), RestrictedExpression::new_long(value));
                    Context::from_pairs(attributes.map(pair)).unwrap()
                };
                let (desk, key) = ("desk".parse().unwrap(), key.parse().unwrap());
                let ask = |rules: &Rules| {
                    let mut answer =
                        rules.ask(&desk, ActionKind::Transfer, Some(&key), context(), Fields::new).unwrap();
                    // Beside a forbid Cedar names no permits, and nobody asks for them.
                    if !answer.forbids.is_empty() {
                        answer.permits.clear();
                    }
                    answer
                };
                assert_eq!(ask(&sliced), ask(&whole), "{count} rules, {key}, {depth}, {chain}");
            }
        }
    }
}

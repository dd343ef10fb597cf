//! The schema of proofs: that of rules, and what a rule does not see but a property may speak of.

use std::collections::BTreeSet;

use cedar_policy::Schema;
use keystead_base::Name;
use keystead_policy::{Factor, Need, PolicyVersion, SCHEMA};

use crate::ProveError;
use crate::ladder::Ladders;

/// People of one role, approving with certain factors: what a row counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat {
    role: Name,
    factors: Vec<Factor>,
}

impl Seat {
    pub(crate) fn of(need: &Need) -> Self {
        Self { role: need.role.clone(), factors: need.factors.clone() }
    }

    /// As properties write it: `context.approved["treasurer"]`, `context.approved["treasurer (software)"]`.
    pub(crate) fn name(&self) -> String {
        if self.factors.is_empty() {
            return self.role.to_string();
        }
        let factors: Vec<_> = self.factors.iter().map(|it| it.as_str()).collect();
        format!("{} ({})", self.role, factors.join(", "))
    }
}

/// What one or more versions name, and the words to speak of it.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    pub(crate) ladders: Ladders,
    pub(crate) seats: BTreeSet<Seat>,
    pub(crate) schema: Schema,
}

impl Vocabulary {
    pub(crate) fn of(versions: &[&PolicyVersion]) -> Result<Self, ProveError> {
        let ladders = Ladders::of(versions);
        let seats = seats(versions);
        let schema = Schema::from_cedarschema_str(&text(&ladders, &seats));
        let schema = schema.map(|(schema, _)| schema);
        let schema = schema.map_err(|error| ProveError::Model { reason: error.to_string() })?;
        Ok(Self { ladders, seats, schema })
    }
}

/// Every role has a seat, so that a property can say that nobody of it approved.
fn seats(versions: &[&PolicyVersion]) -> BTreeSet<Seat> {
    let needs = versions.iter().flat_map(|it| &it.quorums).flat_map(|row| &row.needs).map(Seat::of);
    let roles = versions.iter().flat_map(|it| &it.roster.people).flat_map(|person| &person.roles);
    let plain = roles.map(|role| Seat { role: role.clone(), factors: Vec::new() });
    needs.chain(plain).collect()
}

fn text(ladders: &Ladders, seats: &BTreeSet<Seat>) -> String {
    let seats: Vec<_> = seats.iter().map(|seat| format!("    {:?}: Long,\n", seat.name())).collect();
    let common = format!("{COMMON}  \"approved\": {{\n{}  }},\n", seats.concat());
    let steps: Vec<_> = ladders.iter().map(|it| format!("  {:?}: Long,\n", it.attribute)).collect();
    let effect = format!("type Effect = {{\n{common}{OF_EFFECTS}{}", steps.concat());
    let change = format!("type Change = {{\n{common}");
    SCHEMA.replacen("type Effect = {\n", &effect, 1).replacen("type Change = {\n", &change, 1)
}

/// How many people approved (each counts once, for one seat), whether the requester is one of them, how many seconds
/// it waited, and the roles of which somebody vetoed in that time.
const COMMON: &str = r#"  "approvals": Long,
  "requester_approves": Bool,
  "waited_seconds": Long,
  "vetoed_by": Set<String>,
"#;

/// What this effect lets leave, in micro-units of fiat; whether it moves something to the account itself, so that
/// nothing leaves; whether an allowance of zero takes a right back; the call as `@opaque` names it.
const OF_EFFECTS: &str = r#"  "outflow_fiat": Long,
  "to_itself": Bool,
  "takes_back": Bool,
  "opaque_call": String,
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_proofs_has_the_words_of_rules_and_more() {
        let vocabulary = Vocabulary::of(&[]).unwrap();
        assert_eq!(vocabulary.schema.request_envs().count(), 11);
        let text = text(&vocabulary.ladders, &vocabulary.seats);
        assert_eq!(text.matches("\"approvals\": Long").count(), 2);
        assert_eq!(text.matches("\"to_itself\": Bool").count(), 1);
    }
}

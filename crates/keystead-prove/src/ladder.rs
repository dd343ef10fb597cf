//! Thresholds as steps: exact for amounts of 256 bits, which Cedar's numbers are too small for.
//!
//! All thresholds of one measure, ascending, are a ladder; a request stands on the highest step that its outflow
//! reaches. Rows ask for a step, so that no amount has to be written down.

use std::collections::BTreeMap;

use keystead_base::Amount;
use keystead_policy::{Measure, PolicyVersion, Threshold};

/// The ladders of one or more versions, by measure.
#[derive(Debug, Default)]
pub(crate) struct Ladders(BTreeMap<Measure, Vec<Amount>>);

/// One ladder.
pub(crate) struct Ladder<'a> {
    /// The attribute that holds the step.
    pub(crate) attribute: String,
    pub(crate) measure: Measure,
    /// Ascending; the first is step 1.
    pub(crate) steps: &'a [Amount],
}

impl Ladders {
    pub(crate) fn of(versions: &[&PolicyVersion]) -> Self {
        let mut ladders = BTreeMap::<_, Vec<Amount>>::new();
        let rows = versions.iter().flat_map(|version| &version.quorums);
        for threshold in rows.filter_map(|row| row.from.as_ref()) {
            ladders.entry(threshold.measure).or_default().push(threshold.amount);
        }
        for steps in ladders.values_mut() {
            steps.sort_unstable();
            steps.dedup();
        }
        Self(ladders)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Ladder<'_>> {
        self.0.iter().enumerate().map(|(place, (measure, steps))| Ladder {
            attribute: attribute(place),
            measure: *measure,
            steps,
        })
    }

    /// The condition that a request reaches a threshold of one of the versions.
    pub(crate) fn reaches(&self, threshold: &Threshold) -> String {
        let found = self.iter().find(|ladder| ladder.measure == threshold.measure);
        let step = found.and_then(|ladder| {
            let place = ladder.steps.binary_search(&threshold.amount).ok()?;
            Some(format!("context.{} >= {}", ladder.attribute, place.saturating_add(1)))
        });
        // A threshold that is on no ladder is none of these versions'; taken as reached it only asks for more.
        step.unwrap_or_else(|| "true".to_owned())
    }
}

fn attribute(place: usize) -> String {
    format!("reached_{place}")
}

//! INVARIANT D3: once faults heal, each request ends within the time that is stated for it.

use keystead_consensus::{Committed, Times};
use keystead_decision::{Entry, Outcome};

use crate::oracle::Stand;
use crate::simulation::{SPREAD_MILLIS, Simulation};

impl Simulation {
    /// The time that is stated from now on: that of the consensus, from the round that the faults left behind, after
    /// whoever fell behind has caught up.
    pub(crate) fn state_time(&mut self) {
        let rounds = self.places.iter().filter(|it| !it.lies).filter_map(|it| it.replica.as_ref()?.round());
        let nodes = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let millis = Times::default().decision_millis(nodes, rounds.max().unwrap_or_default());
        self.stated = Some((self.now, millis + SPREAD_MILLIS));
    }

    /// An honest node takes an entry: from now on its requests have their time.
    pub(crate) fn taken(&mut self, node: usize, entry: &Entry) {
        let place = &self.places[node];
        let serves = !place.lies && place.replica.as_ref().is_some_and(|it| it.standing().votes());
        if let (Entry::Requests(signed), true, Some(_)) = (entry, serves, self.stated) {
            for intent in &signed.body.intents {
                if let Some(asked) = self.asked.get_mut(&intent.id()) {
                    asked.taken.get_or_insert(self.now);
                }
            }
        }
    }

    /// A block is new: what it decides for the first time was in time, and so was what it ends.
    pub(crate) fn check_times(&mut self, committed: &Committed) {
        let Some((healed, stated)) = self.stated else { return };
        for decision in &committed.applied.decisions {
            let Some(asked) = self.asked.get(&decision.subject) else { continue };
            let from = match (self.oracle.stand(&decision.subject), &decision.outcome) {
                (None, _) => asked.taken,
                (Some(Stand::Waits), Outcome::Deny { .. }) if asked.expires.0 <= self.now => {
                    Some(asked.expires.0.max(healed))
                }
                _ => None,
            };
            let Some(took) = from.map(|from| self.now - from) else { continue };
            self.report.slowest_millis = self.report.slowest_millis.max(took);
            if took > stated {
                let text = format!("{} took {took} ms, the stated time is {stated}", decision.subject);
                self.oracle.object("D3", text);
            }
        }
    }

    /// At the end nothing is past its time: neither what nobody has decided, nor what waits.
    pub(crate) fn check_overdue(&mut self) {
        let Some((healed, stated)) = self.stated else { return };
        let overdue = self.asked.iter().filter_map(|(id, asked)| {
            let from = match self.oracle.stand(id) {
                None => asked.taken?,
                Some(Stand::Waits) => asked.expires.0.max(healed),
                Some(Stand::Allowed | Stand::Over) => return None,
            };
            (self.now > from + stated).then(|| format!("{id} is open after the stated time of {stated} ms"))
        });
        overdue.collect::<Vec<_>>().into_iter().for_each(|text| self.oracle.object("D3", text));
    }
}

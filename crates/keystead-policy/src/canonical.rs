//! Puts a policy version that people wrote into the one order that is accepted.

use crate::{PolicyVersion, Roster};

impl PolicyVersion {
    /// Sorts every list whose order means nothing. Twins stay, and are refused later.
    #[must_use]
    pub fn into_canonical(mut self) -> Self {
        self.roster.sort();
        self.rules.sort_by(|a, b| a.id.cmp(&b.id));
        self.windows.sort_by(|a, b| a.id.cmp(&b.id));
        self.quorums.sort_by(|a, b| a.id.cmp(&b.id));
        self.address_book.sort_by_key(|it| (it.chain, it.address));
        self.assets.sort_by_key(|it| (it.chain, it.asset));
        self.contracts.sort_by_key(|it| (it.chain, it.address));
        self.chains.sort_unstable();
        self.caps.sort_by_key(|it| (it.level, it.measure));
        self.sort_inner();
        self
    }

    fn sort_inner(&mut self) {
        for window in &mut self.windows {
            window.keys.sort_unstable();
            window.chains.sort_unstable();
            window.destinations.sort_unstable();
            window.per.sort_unstable();
        }
        for row in &mut self.quorums {
            row.keys.sort_unstable();
            row.classes.sort_unstable();
            row.vetoers.sort_unstable();
            row.needs.iter_mut().for_each(|need| need.factors.sort_unstable());
            row.needs.sort_by(|a, b| (&a.role, &a.factors).cmp(&(&b.role, &b.factors)));
        }
        if let Some(prices) = &mut self.prices {
            prices.sources.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
}

impl Roster {
    fn sort(&mut self) {
        self.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        self.services.sort_by(|a, b| a.name.cmp(&b.name));
        self.people.sort_by(|a, b| a.name.cmp(&b.name));
        self.services.iter_mut().for_each(|it| it.roles.sort_unstable());
        for person in &mut self.people {
            person.roles.sort_unstable();
            person.devices.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
}

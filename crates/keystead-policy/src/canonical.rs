//! Puts a policy version that people wrote into the one order that is accepted.

use keystead_intent::MAX_PAYLOAD_BYTES;

use crate::structure::at_most;
use crate::{PolicyError, PolicyVersion, Roster};

/// The longest JSON form: a payload's bytes in hex, and room for people's spaces.
pub const MAX_JSON_BYTES: usize = 4 * MAX_PAYLOAD_BYTES;

impl PolicyVersion {
    /// Parses what people wrote and puts it into the canonical order; unknown fields are errors.
    /// Whether it holds together is [`crate::Engine::compile`]'s business.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] says where and what.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        at_most("the JSON form, in bytes,", text.len(), MAX_JSON_BYTES)?;
        let version: Self =
            serde_json::from_str(text).map_err(|error| PolicyError::Json { reason: error.to_string() })?;
        Ok(version.into_canonical())
    }

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
        self.protections.sort_by_key(|it| it.level);
        self.fresh_heads.sort_by_key(|it| it.level);
        self.fee_caps.sort_by(|a, b| a.id.cmp(&b.id));
        self.tolerances.sort_by_key(|it| (it.chain, it.asset));
        self.sort_inner();
        if let Some(bitcoin) = &mut self.bitcoin {
            bitcoin.lock_times.iter_mut().for_each(|it| it.keys.sort_unstable());
            bitcoin.shared_wallets.sort_by(|a, b| (a.chain, &a.name).cmp(&(b.chain, &b.name)));
            bitcoin.finality.sort_by_key(|it| it.chain);
            bitcoin.written.sort_unstable();
            bitcoin.lock_times.sort_by(|a, b| (a.chain, &a.keys).cmp(&(b.chain, &b.keys)));
        }
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
            row.changes.sort_unstable();
            row.vetoers.sort_unstable();
            row.needs.iter_mut().for_each(|need| need.factors.sort_unstable());
            row.needs.sort_by(|a, b| (&a.role, &a.factors).cmp(&(&b.role, &b.factors)));
        }
        self.protections.iter_mut().for_each(|it| it.features.sort_unstable());
        for cap in &mut self.fee_caps {
            cap.keys.sort_unstable();
            cap.chains.sort_unstable();
        }
        if let Some(simulation) = &mut self.simulation {
            simulation.keys.sort_unstable();
            simulation.classes.sort_unstable();
            simulation.chains.sort_unstable();
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
        if let Some(devices) = &mut self.devices {
            devices.records.sort_by(|a, b| a.body.holder.cmp(&b.body.holder));
        }
    }
}

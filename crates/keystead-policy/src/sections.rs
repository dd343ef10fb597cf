//! Which parts of a policy version differ from the one before.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_intent::AuthorityChange;
use serde::{Deserialize, Serialize};

use crate::{PolicyError, PolicyVersion};

/// One flag for each section of a [`PolicyVersion`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Sections {
    /// Who is who.
    pub roster: bool,
    /// The Cedar rules.
    pub rules: bool,
    /// The limits over time.
    pub windows: bool,
    /// Who has to approve what.
    pub quorums: bool,
    /// The destinations with names.
    pub address_book: bool,
    /// Which assets there are.
    pub assets: bool,
    /// What other contracts are.
    pub contracts: bool,
    /// The chains.
    pub chains: bool,
    /// Whose prices count.
    pub prices: bool,
    /// What each kind of key home may guard.
    pub caps: bool,
    /// What each kind of key home must have.
    pub protections: bool,
    /// How fresh the head must be under which a key of each home signs.
    pub fresh_heads: bool,
    /// Which transactions every node runs.
    pub simulation: bool,
    /// Spans and ages.
    pub timing: bool,
    /// What is said of Bitcoin alone.
    pub bitcoin: bool,
    /// The most that may be offered for fees.
    pub fee_caps: bool,
    /// By how much balances may fall short of events.
    pub tolerances: bool,
}

impl Sections {
    /// What differs between two versions; number and predecessor are no sections.
    #[must_use]
    pub fn between(current: &PolicyVersion, next: &PolicyVersion) -> Self {
        Self {
            roster: current.roster != next.roster,
            rules: current.rules != next.rules,
            windows: current.windows != next.windows,
            quorums: current.quorums != next.quorums,
            address_book: current.address_book != next.address_book,
            assets: current.assets != next.assets,
            contracts: current.contracts != next.contracts,
            chains: current.chains != next.chains,
            prices: current.prices != next.prices,
            caps: current.caps != next.caps,
            protections: current.protections != next.protections,
            fresh_heads: current.fresh_heads != next.fresh_heads,
            simulation: current.simulation != next.simulation,
            timing: current.timing != next.timing,
            bitcoin: current.bitcoin != next.bitcoin,
            fee_caps: current.fee_caps != next.fee_caps,
            tolerances: current.tolerances != next.tolerances,
        }
    }

    /// The names of the sections that differ, as JSON and Cedar write them.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        [
            ("roster", self.roster),
            ("rules", self.rules),
            ("windows", self.windows),
            ("quorums", self.quorums),
            ("address_book", self.address_book),
            ("assets", self.assets),
            ("contracts", self.contracts),
            ("chains", self.chains),
            ("prices", self.prices),
            ("caps", self.caps),
            ("protections", self.protections),
            ("fresh_heads", self.fresh_heads),
            ("simulation", self.simulation),
            ("timing", self.timing),
            ("bitcoin", self.bitcoin),
            ("fee_caps", self.fee_caps),
            ("tolerances", self.tolerances),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    /// A roster change touches the roster only, an address book change the address book only.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Section`] with the first section that the change may not touch.
    pub fn fit(&self, change: &AuthorityChange) -> Result<(), PolicyError> {
        let only = match change {
            AuthorityChange::Roster { .. } => "roster",
            AuthorityChange::AddressBook { .. } => "address_book",
            AuthorityChange::Policy { .. }
            | AuthorityChange::Thaw { .. }
            | AuthorityChange::Compromise { .. }
            | AuthorityChange::Key(_) => {
                return Ok(());
            }
        };
        match self.names().into_iter().find(|name| *name != only) {
            Some(found) => Err(PolicyError::Section { expected: only, found }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::version;

    #[test]
    fn each_section_is_told_apart() {
        let mut next = version();
        next.roster.people.clear();
        next.rules.clear();
        next.windows.clear();
        next.quorums.clear();
        next.address_book.clear();
        next.assets.clear();
        next.chains.clear();
        next.prices = None;
        next.caps.clear();
        next.fresh_heads.clear();
        next.simulation = Some(crate::fixture::simulation_rule());
        next.timing.skew_seconds = 9;
        next.bitcoin = Some(crate::BitcoinTerms::default());
        next.fee_caps = vec![crate::fixture::fee_cap("gas")];
        let asset = keystead_intent::Asset::Native;
        next.tolerances =
            vec![crate::Tolerance { chain: crate::fixture::CHAIN, asset, flow_bps: 1, hold_bps: 0 }];
        let sections = Sections::between(&version(), &next);
        assert_eq!(sections.names().len(), 15);
        assert!(!sections.contracts && !sections.is_empty());
        assert!(Sections::between(&next, &next).is_empty());
    }
}

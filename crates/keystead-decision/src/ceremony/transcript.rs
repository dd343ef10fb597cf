//! The transcript: a genesis, and the contributions from which anybody computes it again.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridSigner, Name, Timestamp};
use keystead_policy::{Device, Engine, Factor, Person, PolicyVersion, Roster, Service};
use serde::{Deserialize, Serialize};

use super::{Assent, CeremonyError, Contribution, FinishedCeremony, Part, SignedContribution, signed};
use crate::{Founder, Genesis, check_registered};

/// The most contributions of one ceremony.
pub const MAX_CONTRIBUTIONS: usize = 64;

/// The fewest founders: two approve what the third asks for.
const MIN_FOUNDERS: usize = 3;

/// What all members sign.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// The genesis that the contributions and the policy make.
    pub genesis: Genesis,
    /// One contribution of each member, by name ascending.
    pub contributions: Vec<SignedContribution>,
}

impl Canonical for Transcript {
    const DOMAIN: &'static str = "keystead/ceremony/v1";
}

impl Transcript {
    /// Puts contributions together. `policy` makes the first version for the roster that follows from them.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] names the contribution or the rule; or what `policy` fails with.
    pub fn assemble<E: From<CeremonyError>>(
        name: Name,
        created: Timestamp,
        mut contributions: Vec<SignedContribution>,
        policy: impl FnOnce(Roster) -> Result<PolicyVersion, E>,
    ) -> Result<CheckedTranscript, E> {
        contributions.sort_by(|a, b| a.body().name.cmp(&b.body().name));
        let members = Members::of(&name, &contributions)?;
        let policy = PolicyVersion { number: 0, previous: Digest::ZERO, ..policy(members.roster()?)? };
        let founders = members.founders();
        let genesis = Genesis { name, created, founders, policy: policy.into_canonical() };
        Ok(Self { genesis, contributions }.check()?)
    }

    /// Verifies each contribution and computes the genesis again: only then there is something to sign.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] names the contribution or the rule.
    pub fn check(self) -> Result<CheckedTranscript, CeremonyError> {
        let genesis = &self.genesis;
        let members = Members::of(&genesis.name, &self.contributions)?;
        let differs = |part| CeremonyError::Genesis { part };
        if genesis.policy.roster != members.roster()? {
            return Err(differs("roster"));
        }
        if genesis.founders != members.founders() {
            return Err(differs("list of founders"));
        }
        if genesis.policy.number != 0 || genesis.policy.previous != Digest::ZERO {
            return Err(differs("number of the policy version"));
        }
        Engine::compile(genesis.policy.clone())?;
        check_registered(&genesis.policy)?;
        let fingerprint = self.digest();
        Ok(CheckedTranscript { transcript: self, fingerprint })
    }

    /// INVARIANT S13: nobody's keys are put in the place of a member's without that member's refusal.
    pub(super) fn holds(&self, own: &SignedContribution) -> Result<(), CeremonyError> {
        let name = &own.body().name;
        let named = self.contributions.iter().find(|it| &it.body().name == name);
        match named {
            Some(found) if found == own => Ok(()),
            _ => Err(CeremonyError::NotMine {
                name: name.clone(),
                own: own.body().key.fingerprint(),
                found: named.map(|it| it.body().key.fingerprint()),
            }),
        }
    }
}

/// A transcript whose contributions verify and whose genesis follows from them.
#[derive(Debug)]
pub struct CheckedTranscript {
    transcript: Transcript,
    fingerprint: Digest,
}

impl CheckedTranscript {
    /// What was checked.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The digest that all members compare by voice: who reads out the same one has seen the same keys and rules.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// One member's signature: on a transcript that holds the member's own contribution byte for byte, and whose
    /// fingerprint is the one that the member `heard` from the others.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::NotMine`] and [`CeremonyError::Fingerprint`]: somebody was shown something else.
    pub fn assent(
        &self,
        own: &SignedContribution,
        heard: Digest,
        key: &HybridSigner,
    ) -> Result<Assent, CeremonyError> {
        self.holds(own)?;
        if heard != self.fingerprint {
            return Err(CeremonyError::Fingerprint { heard, computed: self.fingerprint });
        }
        Assent::new(&self.transcript, own.body(), key)
    }

    /// Whether a member's own contribution is in it, byte for byte.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::NotMine`] says which key stands under the member's name.
    pub fn holds(&self, own: &SignedContribution) -> Result<(), CeremonyError> {
        self.transcript.holds(own)
    }

    /// Puts the signatures to it, in whatever order they came. Twins are fine; a missing one is named.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] names the member.
    pub fn finish(self, assents: Vec<Assent>) -> Result<FinishedCeremony, CeremonyError> {
        signed::gather(self.transcript, self.fingerprint, assents)
    }
}

/// Verified contributions to one ceremony, by name ascending, no two of which share anything.
struct Members<'a>(Vec<&'a Contribution>);

impl<'a> Members<'a> {
    fn of(ceremony: &Name, contributions: &'a [SignedContribution]) -> Result<Self, CeremonyError> {
        if contributions.len() > MAX_CONTRIBUTIONS {
            return Err(CeremonyError::TooMany { limit: MAX_CONTRIBUTIONS, found: contributions.len() });
        }
        let members: Vec<_> = contributions.iter().map(|it| it.verify()).collect::<Result<_, _>>()?;
        if let Some(stray) = members.iter().find(|it| it.ceremony != *ceremony) {
            let (expected, found) = (ceremony.clone(), stray.ceremony.clone());
            return Err(CeremonyError::OtherCeremony { name: stray.name.clone(), expected, found });
        }
        check_distinct(&members)?;
        let members = Self(members);
        let founders = members.founders().len();
        if founders < MIN_FOUNDERS {
            return Err(CeremonyError::Founders { least: MIN_FOUNDERS, found: founders });
        }
        Ok(members)
    }

    fn roster(&self) -> Result<Roster, CeremonyError> {
        let mut roster =
            Roster { quorum: 0, nodes: Vec::new(), services: Vec::new(), people: Vec::new(), devices: None };
        for member in &self.0 {
            match &member.part {
                Part::Node(_) => roster.nodes.extend(member.node()),
                Part::Service(part) => roster.services.push(Service {
                    name: member.name.clone(),
                    key: member.key.clone(),
                    transport: member.transport,
                    roles: part.roles.clone(),
                }),
                Part::Founder(_) => roster.people.extend(person(member)),
            }
        }
        let nodes = roster.nodes.len();
        roster.quorum = Roster::usual_quorum(nodes).ok_or(CeremonyError::Nodes { found: nodes })?;
        Ok(roster)
    }

    fn founders(&self) -> Vec<Founder> {
        let founders = self.0.iter().filter(|it| matches!(it.part, Part::Founder(_)));
        founders.map(|it| Founder { name: it.name.clone(), key: it.key.clone() }).collect()
    }
}

fn person(member: &Contribution) -> Option<Person> {
    let Part::Founder(part) = &member.part else { return None };
    let device = Device {
        name: part.device.clone(),
        factor: Factor::Software,
        key: member.key.clone(),
        transport: member.transport,
    };
    Some(Person {
        name: member.name.clone(),
        roles: part.roles.clone(),
        devices: vec![device],
        recipient: Some(part.recipient.clone()),
    })
}

/// INVARIANT E3: one name, one key of each kind and one address for each member, and no order but that of names.
fn check_distinct(members: &[&Contribution]) -> Result<(), CeremonyError> {
    let mut seen = Seen::default();
    for member in members {
        seen.add("name", member.name.as_str().as_bytes().to_vec(), member)?;
        seen.add("signing key", member.key.fingerprint().0.to_vec(), member)?;
        seen.add("transport key", member.transport.0.0.to_vec(), member)?;
        match &member.part {
            Part::Node(part) => seen.add("address", part.address.clone().into_bytes(), member)?,
            Part::Founder(part) => seen.add("recipient key", part.recipient.clone(), member)?,
            Part::Service(_) => {}
        }
    }
    match members.is_sorted_by(|a, b| a.name < b.name) {
        true => Ok(()),
        false => Err(CeremonyError::Order),
    }
}

#[derive(Default)]
struct Seen(BTreeMap<(&'static str, Vec<u8>), Name>);

impl Seen {
    fn add(&mut self, what: &'static str, value: Vec<u8>, who: &Contribution) -> Result<(), CeremonyError> {
        match self.0.insert((what, value), who.name.clone()) {
            Some(first) => Err(CeremonyError::Shared { what, first, second: who.name.clone() }),
            None => Ok(()),
        }
    }
}

//! Checks a roster: one name, one key and one connection for each member, and a quorum that is one.

use std::collections::BTreeMap;

use keystead_base::{HybridPublicKey, Name};

use crate::limits::{MAX_DEVICES, MAX_LABEL_BYTES, MAX_MEMBERS, RECIPIENT_BYTES};
use crate::structure::{ascending, at_most, inner};
use crate::{Node, Person, PolicyError, Roster, TransportKey};

pub(crate) fn check(roster: &Roster) -> Result<(), PolicyError> {
    at_most("the list of nodes", roster.nodes.len(), MAX_MEMBERS)?;
    at_most("the list of services", roster.services.len(), MAX_MEMBERS)?;
    at_most("the list of people", roster.people.len(), MAX_MEMBERS)?;
    ascending("nodes", roster.nodes.iter().map(|it| &it.name))?;
    ascending("services", roster.services.iter().map(|it| &it.name))?;
    ascending("people", roster.people.iter().map(|it| &it.name))?;
    roster.nodes.iter().try_for_each(check_labels)?;
    roster.services.iter().try_for_each(|it| inner("a service's roles", &it.roles))?;
    roster.people.iter().try_for_each(check_person)?;
    check_quorum(roster)?;
    Identities::default().check(roster)
}

/// A quorum that is no majority would let two halves both commit.
fn check_quorum(roster: &Roster) -> Result<(), PolicyError> {
    let nodes = roster.nodes.len();
    let least = nodes / 2 + 1;
    let found = roster.quorum;
    let quorum = usize::try_from(found).unwrap_or(usize::MAX);
    if (least..=nodes).contains(&quorum) { Ok(()) } else { Err(PolicyError::Quorum { nodes, least, found }) }
}

fn check_labels(node: &Node) -> Result<(), PolicyError> {
    [&node.operator, &node.host, &node.provider, &node.build]
        .into_iter()
        .try_for_each(|label| at_most("a node's label, in bytes,", label.len(), MAX_LABEL_BYTES))
}

fn check_person(person: &Person) -> Result<(), PolicyError> {
    inner("a person's roles", &person.roles)?;
    at_most("a person's devices", person.devices.len(), MAX_DEVICES)?;
    ascending("a person's devices", person.devices.iter().map(|device| &device.name))?;
    match person.recipient.as_ref().map(Vec::len) {
        Some(found) if found != RECIPIENT_BYTES => {
            let what = "a recipient key, in bytes,";
            Err(PolicyError::TooMany { what, limit: RECIPIENT_BYTES, found })
        }
        _ => Ok(()),
    }
}

/// Who has which name and keys. INVARIANT S11: a key that spoke for two would count twice.
#[derive(Default)]
struct Identities<'a> {
    names: BTreeMap<&'a Name, String>,
    keys: BTreeMap<&'a HybridPublicKey, String>,
    transports: BTreeMap<&'a TransportKey, String>,
}

impl<'a> Identities<'a> {
    fn check(mut self, roster: &'a Roster) -> Result<(), PolicyError> {
        for node in &roster.nodes {
            let who = format!("node `{}`", node.name);
            self.add(Some(&node.name), &node.key, &node.transport, who)?;
        }
        for service in &roster.services {
            let who = format!("service `{}`", service.name);
            self.add(Some(&service.name), &service.key, &service.transport, who)?;
        }
        roster.people.iter().try_for_each(|person| self.add_person(person))
    }

    fn add_person(&mut self, person: &'a Person) -> Result<(), PolicyError> {
        unique(&mut self.names, &person.name, "name", format!("person `{}`", person.name))?;
        person.devices.iter().try_for_each(|device| {
            let who = format!("device `{}` of `{}`", device.name, person.name);
            self.add(None, &device.key, &device.transport, who)
        })
    }

    fn add(
        &mut self,
        name: Option<&'a Name>,
        key: &'a HybridPublicKey,
        transport: &'a TransportKey,
        who: String,
    ) -> Result<(), PolicyError> {
        if let Some(name) = name {
            unique(&mut self.names, name, "name", who.clone())?;
        }
        unique(&mut self.keys, key, "signing key", who.clone())?;
        unique(&mut self.transports, transport, "transport key", who)
    }
}

fn unique<K: Ord>(
    seen: &mut BTreeMap<K, String>,
    it: K,
    what: &'static str,
    second: String,
) -> Result<(), PolicyError> {
    match seen.insert(it, second.clone()) {
        Some(first) => Err(PolicyError::Shared { what, first, second }),
        None => Ok(()),
    }
}

//! What a founder should see before anything else: what the cluster does not withstand, and what policy leaves open.

use std::collections::BTreeMap;

use keystead_decision::Genesis;
use keystead_intent::DangerClass;
use keystead_policy::{Node, PolicyVersion, QuorumRow, Roster, Service};
use keystead_wire::Withstands;

/// The sentences, worst first; none where there is nothing to warn of.
pub(crate) fn dangers(genesis: &Genesis) -> Vec<String> {
    let policy = &genesis.policy;
    let mut all = nodes(&policy.roster);
    all.extend(policy.roster.services.iter().filter_map(|service| posing(service, &policy.roster)));
    all.extend(limits(policy));
    all.extend(policy.quorums.iter().filter_map(weak));
    all.extend(policy.quorums.iter().filter_map(|row| unmet(row, &policy.roster)));
    if undelayed(policy) {
        all.push(
            "a change of authority takes effect as soon as enough people approved: nobody has time to veto"
                .to_owned(),
        );
    }
    if policy.timing.cool_off_seconds == 0 {
        all.push(
            "a destination that is added to the address book can be paid at once: no cool-off".to_owned(),
        );
    }
    all
}

/// What a cluster of this size withstands.
pub(crate) fn withstands(roster: &Roster) -> Withstands {
    Withstands::of(u32::try_from(roster.nodes.len()).unwrap_or(u32::MAX), roster.quorum)
}

/// What the nodes of this roster do not withstand, and what they share.
pub(crate) fn nodes(roster: &Roster) -> Vec<String> {
    let Withstands { lying, down } = withstands(roster);
    let mut all = Vec::new();
    match roster.nodes.len() {
        1 => all.push("one node decides alone: whoever has that machine decides what is signed".to_owned()),
        nodes if lying == 0 => all.push(format!(
            "no lying node is withstood: these {nodes} nodes agree only while each of them is honest ({down} may be down)"
        )),
        _ => {}
    }
    let labels: [(&str, Label); 3] = [
        ("are run by", |it| &it.operator),
        ("stand on the machine", |it| &it.host),
        ("are at the provider", |it| &it.provider),
    ];
    for (words, label) in labels {
        all.extend(shared(roster, words, label, lying));
    }
    all
}

/// What nodes may share.
type Label = fn(&Node) -> &String;

/// More nodes with one label than may lie: who or what they share decides or stops everything.
fn shared(roster: &Roster, words: &str, label: Label, lying: u32) -> Vec<String> {
    let mut by_label: BTreeMap<&String, u32> = BTreeMap::new();
    roster.nodes.iter().for_each(|node| *by_label.entry(label(node)).or_default() += 1);
    let nodes = roster.nodes.len();
    let many = by_label.into_iter().filter(|(_, count)| *count > lying.max(1));
    many.map(|(label, count)| match count >= roster.quorum {
        true => format!(
            "{count} of {nodes} nodes {words} `{label}`, and {} votes decide everything",
            roster.quorum
        ),
        false => {
            format!("{count} of {nodes} nodes {words} `{label}`, and the log withstands {lying} that lie")
        }
    })
    .collect()
}

/// A machine with a role of people asks as they do, without anybody at it.
fn posing(service: &Service, roster: &Roster) -> Option<String> {
    let role = service.roles.iter().find(|role| roster.people.iter().any(|person| person.has_role(role)))?;
    Some(format!("service `{}` has the role {role}, which people have", service.name))
}

fn limits(policy: &PolicyVersion) -> Vec<String> {
    let mut all = Vec::new();
    if policy.windows.is_empty() {
        all.push("no limit: nothing bounds how much may leave in a span of time".to_owned());
    }
    if policy.caps.is_empty() {
        all.push("no cap: nothing bounds what one key may move at once".to_owned());
    }
    all
}

/// A row that lets fewer than two people do what gives control away.
fn weak(row: &QuorumRow) -> Option<String> {
    let grave = row
        .classes
        .iter()
        .filter(|class| !class.is_of_requests() && **class >= DangerClass::UnlimitedAllowance);
    let grave: Vec<String> = grave.map(ToString::to_string).collect();
    let people: u32 = row.needs.iter().map(|need| need.count).sum();
    (!grave.is_empty() && people < 2)
        .then(|| format!("`{}`: {} passes with {people} approvals of others", row.id, grave.join(", ")))
}

/// A row that asks for more people of a role than there are: what it speaks of is never possible.
fn unmet(row: &QuorumRow, roster: &Roster) -> Option<String> {
    let have = |need: &&keystead_policy::Need| {
        roster.people.iter().filter(|person| person.has_role(&need.role)).count()
    };
    let need =
        row.needs.iter().find(|need| have(need) < usize::try_from(need.count).unwrap_or(usize::MAX))?;
    Some(format!(
        "`{}` asks for {} of role {}, and {} have it: never possible",
        row.id,
        need.count,
        need.role,
        have(&need)
    ))
}

fn undelayed(policy: &PolicyVersion) -> bool {
    let mut rows = policy.quorums.iter().filter(|row| row.classes.contains(&DangerClass::Authority));
    rows.any(|row| row.changes.is_empty() && row.delay_seconds == 0)
}

#[cfg(test)]
mod tests {
    use keystead_base::{Digest, HYBRID_SEED_BYTES, HybridSigner, Name, Secret, Timestamp};
    use keystead_policy::TransportKey;

    use super::*;
    use crate::sample::{self, World};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn genesis(labels: &[(&str, &str)]) -> Genesis {
        let key = HybridSigner::from_seed(&Secret::new([1; HYBRID_SEED_BYTES])).unwrap().public().clone();
        let node = |(place, (operator, provider)): (usize, &(&str, &str))| Node {
            name: name(&format!("node-{place}")),
            key: key.clone(),
            transport: TransportKey(Digest::ZERO),
            operator: (*operator).to_owned(),
            host: format!("host-{place}"),
            provider: (*provider).to_owned(),
            build: "test".to_owned(),
            boot: 0,
        };
        let roster = Roster {
            quorum: Roster::usual_quorum(labels.len()).unwrap(),
            nodes: labels.iter().enumerate().map(node).collect(),
            services: Vec::new(),
            people: Vec::new(),
            devices: None,
        };
        let world = World { chain: 1, cool_off_seconds: 60, ..World::default() };
        let mut policy = sample::policy(&world, roster, Timestamp(0)).unwrap();
        // What every sample has: nobody is enrolled here, and authority is not delayed.
        policy.quorums.clear();
        Genesis { name: name("treasury"), created: Timestamp(0), founders: Vec::new(), policy }
    }

    fn said(labels: &[(&str, &str)]) -> String {
        dangers(&genesis(labels)).join("\n")
    }

    #[test]
    fn what_a_cluster_does_not_withstand_is_said() {
        assert!(said(&[("a", "x")]).contains("one node decides alone"));
        let three = said(&[("a", "x"), ("b", "y"), ("c", "z")]);
        assert!(three.contains("no lying node is withstood") && !three.contains("are run by"), "{three}");
        assert_eq!(said(&[("a", "w"), ("b", "x"), ("c", "y"), ("d", "z")]), "");
    }

    #[test]
    fn nodes_that_share_more_than_may_lie_are_named() {
        let two = said(&[("a", "w"), ("a", "x"), ("c", "y"), ("d", "z")]);
        assert!(two.contains("2 of 4 nodes are run by `a`, and the log withstands 1"), "{two}");
        let three = said(&[("a", "x"), ("b", "x"), ("c", "x"), ("d", "z")]);
        assert!(
            three.contains("3 of 4 nodes are at the provider `x`, and 3 votes decide everything"),
            "{three}"
        );
    }

    #[test]
    fn what_the_policy_leaves_open_is_said() {
        let mut genesis = genesis(&[("a", "w"), ("b", "x"), ("c", "y"), ("d", "z")]);
        let policy = &mut genesis.policy;
        policy.windows.clear();
        policy.caps.clear();
        policy.timing.cool_off_seconds = 0;
        policy.quorums = vec![QuorumRow {
            id: name("anybody"),
            keys: Vec::new(),
            classes: vec![DangerClass::Transfer, DangerClass::Authority],
            changes: Vec::new(),
            from: None,
            needs: vec![keystead_policy::Need { role: name("approver"), count: 1, factors: Vec::new() }],
            delay_seconds: 0,
            vetoers: Vec::new(),
        }];
        let said = dangers(&genesis).join("\n");
        for words in [
            "no limit",
            "no cap",
            "`anybody`: authority passes with 1 approvals",
            "0 have it: never possible",
            "nobody has time to veto",
            "no cool-off",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

//! The next roster from the one in force: who comes, goes or starts anew, and what the cluster then withstands.

use keystead_base::{Digest, Name};
use keystead_keys::MemberPublic;
use keystead_policy::{Node, Roster, TransportKey};
use keystead_wire::Withstands;

use crate::failure::Failure;

/// What people call a node, beside its keys.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    pub(crate) operator: String,
    pub(crate) host: String,
    pub(crate) provider: String,
    pub(crate) build: String,
}

/// A change of who votes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Nodes come in.
    Add(Vec<Node>),
    /// A machine takes the place of another one, under its own name or the same.
    Replace(Name, Box<Node>),
    /// Nodes go.
    Remove(Vec<Name>),
    /// A node that lost its record of votes starts anew under the next boot number.
    Readmit(Name),
}

/// A node that never voted.
pub(crate) fn node(public: MemberPublic, labels: Labels) -> Node {
    let Labels { operator, host, provider, build } = labels;
    let transport = TransportKey(Digest(public.transport));
    Node { name: public.name, key: public.signing, transport, operator, host, provider, build, boot: 0 }
}

impl Change {
    /// Who does not vote any more.
    pub(crate) fn leaving(&self) -> &[Name] {
        match self {
            Self::Add(_) | Self::Readmit(_) => &[],
            Self::Replace(name, _) => std::slice::from_ref(name),
            Self::Remove(names) => names,
        }
    }

    /// The next roster, with the quorum of its size.
    pub(crate) fn apply(&self, current: &Roster, in_transit: bool) -> Result<Roster, Failure> {
        for name in self.leaving() {
            sits(current, name)?;
        }
        let mut next = current.clone();
        next.nodes.retain(|node| !self.leaving().contains(&node.name));
        match self {
            Self::Add(nodes) => nodes.iter().try_for_each(|node| seat(&mut next, node))?,
            Self::Replace(_, node) => seat(&mut next, node)?,
            Self::Remove(_) => {}
            Self::Readmit(name) => {
                sits(current, name)?;
                let lost = next.nodes.iter_mut().filter(|node| node.name == *name);
                lost.for_each(|node| node.boot = node.boot.saturating_add(1));
            }
        }
        if next.nodes.len() != current.nodes.len() {
            next.quorum = quorum(next.nodes.len(), in_transit)?;
        }
        next.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        next.drop_stale_devices();
        Ok(next)
    }
}

fn sits(roster: &Roster, name: &Name) -> Result<(), Failure> {
    let next = "`keystead roster show` names the nodes";
    let missing = || Failure::new("roster.unknown", format!("the roster has no node `{name}`"), next);
    roster.node(name).map(drop).ok_or_else(missing)
}

fn seat(roster: &mut Roster, node: &Node) -> Result<(), Failure> {
    if roster.node(&node.name).is_some() {
        let what = format!("the roster has a node `{}` already", node.name);
        let next = "to give its place to another machine: `keystead roster replace NAME FILE`";
        return Err(Failure::new("roster.taken", what, next));
    }
    roster.nodes.push(node.clone());
    Ok(())
}

/// How many votes commit in a cluster of this size: 1 of 1, 2 of 3 (crashes only), else more than two thirds.
///
/// Two nodes stop when either does, so that they are worse than one; beyond seven each vote costs more than it
/// withstands. Five and six withstand no more than four, and serve on the way to another size.
fn quorum(nodes: usize, in_transit: bool) -> Result<u32, Failure> {
    let next = match (Roster::usual_quorum(nodes), nodes) {
        (Some(usual), _) => return Ok(usual),
        (None, 5 | 6) if in_transit => return Ok(Roster::quorum_of(nodes)),
        (None, 5 | 6) => "name all of them in one change, or add --in-transit and go on to 4 or 7",
        (None, _) => "clusters have 1, 3, 4 or 7 nodes; several can come or go in one change",
    };
    Err(Failure::new("roster.size", format!("expected 1, 3, 4 or 7 nodes, found {nodes}"), next))
}

/// What a roster withstands, in one line.
pub(crate) fn words(roster: &Roster) -> String {
    let nodes = u32::try_from(roster.nodes.len()).unwrap_or(u32::MAX);
    let Withstands { lying, down } = Withstands::of(nodes, roster.quorum);
    format!("{} of {nodes} votes commit; withstands {lying} lying, {down} down", roster.quorum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_base::{HYBRID_SEED_BYTES, HybridSigner, Secret};

    fn member(number: u8) -> Node {
        let name = format!("node-{number}");
        Node {
            name: name.parse().unwrap(),
            key: HybridSigner::from_seed(&Secret::new([number; HYBRID_SEED_BYTES])).unwrap().public().clone(),
            transport: TransportKey(Digest([number; 32])),
            operator: String::new(),
            host: name,
            provider: String::new(),
            build: String::new(),
            boot: 0,
        }
    }

    fn roster(nodes: u8, quorum: u32) -> Roster {
        let nodes = (1..=nodes).map(member).collect();
        Roster { quorum, nodes, services: Vec::new(), people: Vec::new(), devices: None }
    }

    fn code(change: &Change, current: &Roster, in_transit: bool) -> Result<(usize, u32), String> {
        let next = change.apply(current, in_transit).map_err(|failure| failure.code)?;
        Ok((next.nodes.len(), next.quorum))
    }

    #[test]
    fn a_cluster_has_one_three_four_or_seven_nodes_or_is_on_its_way() {
        let add = |nodes: std::ops::RangeInclusive<u8>| Change::Add(nodes.map(member).collect());
        let remove =
            |nodes: std::ops::RangeInclusive<u8>| Change::Remove(nodes.map(|it| member(it).name).collect());
        let size = || Err("roster.size".to_owned());
        let (one, three, four, seven) = (roster(1, 1), roster(3, 2), roster(4, 3), roster(7, 5));
        let cases = [
            (add(2..=2), &one, false, size()),
            (add(2..=2), &one, true, size()),
            (add(2..=3), &one, false, Ok((3, 2))),
            (add(2..=4), &one, false, Ok((4, 3))),
            (add(4..=4), &three, false, Ok((4, 3))),
            (add(5..=5), &four, false, size()),
            (add(5..=5), &four, true, Ok((5, 4))),
            (add(5..=6), &four, true, Ok((6, 5))),
            (add(5..=7), &four, false, Ok((7, 5))),
            (add(8..=8), &seven, true, size()),
            (remove(5..=7), &seven, false, Ok((4, 3))),
            (remove(1..=1), &four, false, Ok((3, 2))),
            (remove(1..=1), &one, true, size()),
            (add(4..=4), &four, false, Err("roster.taken".to_owned())),
            (remove(5..=5), &four, false, Err("roster.unknown".to_owned())),
        ];
        for (change, current, in_transit, expected) in cases {
            assert_eq!(code(&change, current, in_transit), expected, "{change:?}");
        }
    }

    #[test]
    fn s03_readmission_raises_the_number_of_that_node_alone_and_keeps_the_quorum() {
        let current = roster(4, 4);
        let next = Change::Readmit(member(3).name).apply(&current, false).unwrap();
        assert_eq!(next.nodes.iter().map(|it| it.boot).collect::<Vec<_>>(), [0, 0, 1, 0]);
        assert_eq!(next.quorum, 4);
        let replaced = Change::Replace(member(1).name, Box::new(member(9))).apply(&current, false).unwrap();
        assert_eq!(replaced.nodes.iter().map(|it| it.name.as_str()).collect::<Vec<_>>()[3], "node-9");
    }
}

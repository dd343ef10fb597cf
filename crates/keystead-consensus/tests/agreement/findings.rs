//! What one node finds on a chain and nobody shares: it goes into no block for ever.

use keystead_base::Signed;
use keystead_consensus::{Input, Message};
use keystead_decision::{Discrepancy, Entry, Finding};
use keystead_fixture::{CHAIN, name};
use keystead_intent::AccountRef;

use crate::Net;

impl Net {
    /// A node states what the others do not find.
    fn find_alone(&mut self, at: usize) {
        let body = Finding {
            cluster: self.genesis.cluster(),
            chain: CHAIN,
            account: AccountRef { key: name("hot"), index: 0 },
            address: [1; 20].into(),
            what: Discrepancy::Nonce { nonce: 5 },
        };
        let node = &self.desk.nodes[at];
        let entry = Entry::Finding(Signed::new(body, node.name.clone(), &node.signer).unwrap());
        let admitted = self.genesis.admit(entry).unwrap();
        let name = node.name.clone();
        self.step(&name, Input::Submit { from: None, entries: vec![admitted] });
        self.deliver();
    }

    /// How many blocks hold a finding.
    fn found(&self) -> usize {
        let blocks = &self.places[&name("node-2")].blocks;
        let entries = blocks.iter().flat_map(|it| &it.applied.block.entries);
        entries.filter(|it| matches!(it, Entry::Finding(_))).count()
    }
}

/// The first node is away, and nobody hears what the second one proposes: it is the third one's turn.
#[test]
fn d03_what_one_node_stated_and_nobody_took_it_takes_back() {
    for (waits, found, dropped) in [(1, 1, 0), (60, 0, 1)] {
        let mut net = Net::new(4, 3);
        net.places.remove(&name("node-1"));
        net.loses = |from, _, message| *from == name("node-2") && matches!(message, Message::Proposal { .. });
        net.find_alone(2);
        net.now = net.now.plus_seconds(waits);
        net.ask(2);
        (0..8).for_each(|_| net.run_out());
        assert_eq!((net.found(), net.dropped), (found, dropped), "after {waits} s");
        assert!(net.heights().iter().all(|height| *height > 0), "{:?}", net.heights());
    }
}

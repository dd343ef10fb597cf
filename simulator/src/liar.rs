//! What a lying node does with what its replica wants sent.

use std::collections::BTreeSet;

use keystead_base::{Canonical as _, ClusterId, Digest, Name, signing_message};
use keystead_consensus::{Abstention, Ballot, Claim, Message, Prevote, Proposal, Step};
use keystead_decision::{Block, Entry, Strict, Vote, propose};

use crate::simulation::Simulation;

/// How far ahead a lying proposer dates its blocks, in seconds.
const HOUR_SECONDS: u64 = 3_600;

impl Simulation {
    /// Sends a message, or something else in its place to some or all.
    pub(crate) fn lie(&mut self, node: usize, to: &BTreeSet<Name>, message: Message) {
        if self.dice.chance(30) {
            self.false_settlement(node);
        }
        match message {
            Message::Ballot(ballot) if self.dice.chance(400) => self.equivocate(node, to, &ballot),
            Message::Proposal { proposal, block } if self.dice.chance(500) => {
                self.propose_badly(node, to, &proposal, &block);
            }
            Message::Head { height, purpose, .. } if self.dice.chance(200) => {
                let message = Message::Head { height: height + 100, seen: None, purpose };
                self.post_all(node, to, &message);
            }
            Message::Blocks(mut blocks) if self.dice.chance(300) => {
                self.report.count("tampered block");
                blocks.iter_mut().for_each(|it| drop(it.entries.pop()));
                self.post_all(node, to, &Message::Blocks(blocks));
            }
            _ if self.dice.chance(100) => self.report.count("withheld message"),
            message => self.post_all(node, to, &message),
        }
    }

    /// One vote to some, another to the others.
    fn equivocate(&mut self, node: usize, to: &BTreeSet<Name>, ballot: &Ballot) {
        self.report.count("two votes");
        let mut other = Digest::ZERO;
        other.0[0] = u8::try_from(self.dice.below(4)).unwrap_or_default();
        let header = if ballot.header.is_some() && self.dice.chance(700) { None } else { Some(other) };
        let counter = self.ballot(node, ballot, header);
        for name in to {
            let message = if self.dice.chance(500) { ballot.clone() } else { counter.clone() };
            self.post_all(node, &BTreeSet::from([name.clone()]), &Message::Ballot(message));
        }
    }

    fn ballot(&self, node: usize, like: &Ballot, header: Option<Digest>) -> Ballot {
        let (cluster, boot) = self.seat(node);
        let (height, round) = like.place();
        let digest = match (like.step, header) {
            (Step::Prevote, header) => Prevote { cluster, height, round, header, boot }.digest(),
            (Step::Precommit, Some(header)) => Vote { cluster, height, round, header, boot }.digest(),
            (Step::Precommit, None) => Abstention { cluster, height, round, boot }.digest(),
        };
        let signature =
            self.places[node].signer.sign(&signing_message(&digest)).expect("a signature of a test");
        Ballot { header, signature, ..like.clone() }
    }

    fn seat(&self, node: usize) -> (ClusterId, u64) {
        let place = &self.places[node];
        let boot = place.state().roster().node(&place.name).map(|it| it.boot).unwrap_or_default();
        (place.state().cluster(), boot)
    }

    fn propose_badly(&mut self, node: usize, to: &BTreeSet<Name>, proposal: &Proposal, block: &Block) {
        match self.dice.below(4) {
            0 => self.report.count("withheld proposal"),
            1 => {
                self.report.count("undecodable block");
                let mut block = block.clone();
                block.header.decisions.0[0] ^= 1;
                self.post_proposal(node, to, proposal, block);
            }
            2 => {
                self.report.count("block of another time");
                self.post_dated(node, to, proposal, block, HOUR_SECONDS);
            }
            _ => {
                self.report.count("two proposals");
                let half: BTreeSet<Name> = to.iter().filter(|_| self.dice.chance(500)).cloned().collect();
                let rest: BTreeSet<Name> = to.difference(&half).cloned().collect();
                let message = Message::Proposal {
                    proposal: Box::new(proposal.clone()),
                    block: Box::new(block.clone()),
                };
                self.post_all(node, &half, &message);
                self.post_dated(node, &rest, proposal, block, 1);
            }
        }
    }

    /// The same entries at a later time: a valid block but for the clock.
    fn post_dated(
        &mut self,
        node: usize,
        to: &BTreeSet<Name>,
        proposal: &Proposal,
        block: &Block,
        seconds: u64,
    ) {
        let state = self.places[node].state();
        if block.header.height != state.height() + 1 {
            return;
        }
        let admitted: Vec<_> =
            block.entries.iter().filter_map(|it: &Entry| state.admit(it.clone()).ok()).collect();
        let time = block.header.time.plus_seconds(seconds).max(state.time().plus_seconds(1));
        let me = self.places[node].name.clone();
        let applied = propose(state, time, &me, &admitted, &Strict::default());
        self.post_proposal(node, to, proposal, applied.block);
    }

    fn post_proposal(&mut self, node: usize, to: &BTreeSet<Name>, like: &Proposal, block: Block) {
        let (cluster, boot) = self.seat(node);
        let (height, round) = (like.height, like.round);
        let header = block.header.digest();
        let claim = Claim { cluster, height, round, valid_round: None, header, boot };
        let signature = self.places[node].signer.sign(&signing_message(&claim.digest()));
        let signature = signature.expect("a signature of a test");
        let proposal = Proposal { valid_round: None, header, signature, ..like.clone() };
        let (proposal, block) = (Box::new(proposal), Box::new(block));
        self.post_all(node, to, &Message::Proposal { proposal, block });
    }
}

//! What goes wrong, and when; and how everything is healed at the end.

use keystead_base::{Canonical as _, Name};
use keystead_consensus::{Replica, Standing};
use keystead_intent::AuthorityChange;

use crate::clients::Act;
use crate::rules::lying_withstood;
use crate::simulation::{Event, Simulation};

/// One fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A node crashes between two of its next writes and sends.
    Crash(usize),
    /// All nodes lose their power at once.
    PowerLoss,
    /// The nodes fall into two groups.
    Split,
    /// They reach one another again.
    Join,
    /// So many messages of a thousand are lost.
    Storm(u64),
    /// A node's clock jumps by so many milliseconds.
    Clock(usize, i64),
    /// A node is put back to a snapshot that is so many blocks old.
    RollBack(usize, u64),
    /// All nodes are lost for ever.
    Lost,
    /// A node's token goes, or is back.
    Token(usize, bool),
}

/// The first and the last moment of a fault, in milliseconds after the start.
const FAULTS: (u64, u64) = (3_000, 140_000);

impl Simulation {
    /// Draws what goes wrong.
    pub(crate) fn schedule_faults(&mut self) {
        for _ in 0..self.dice.between(4, 10) {
            let at = self.now + self.dice.between(FAULTS.0, FAULTS.1);
            self.draw_fault(at);
        }
        let nodes = self.places.len();
        let lying = self.places.iter().filter(|it| it.lies).count();
        if lying < lying_withstood(nodes) {
            let at = self.now + self.dice.between(15_000, 90_000);
            let node = 1 + self.dice.index(nodes - 1);
            let blocks = self.dice.between(1, 6);
            self.at(at, Event::Fault(Fault::RollBack(node, blocks)));
        }
        if self.plan.lost {
            let at = self.now + self.dice.between(20_000, 70_000);
            self.at(at, Event::Fault(Fault::Lost));
        }
    }

    fn draw_fault(&mut self, at: u64) {
        let node = self.dice.index(self.places.len());
        let pause = self.dice.between(2_000, 12_000);
        let (begins, ends) = match self.dice.below(100) {
            0..=44 => (Fault::Crash(node), None),
            45..=49 => (Fault::PowerLoss, None),
            50..=74 => (Fault::Split, Some(Fault::Join)),
            75..=89 => (Fault::Storm(self.dice.between(50, 400)), Some(Fault::Storm(10))),
            _ if self.places.len() == 1 => (Fault::Crash(node), None),
            _ => {
                let hour = if self.dice.chance(500) { 3_600_000 } else { -3_600_000 };
                (Fault::Clock(node, hour), Some(Fault::Clock(node, 0)))
            }
        };
        self.at(at, Event::Fault(begins));
        if let Some(fault) = ends {
            self.at(at + pause, Event::Fault(fault));
        }
    }

    pub(crate) fn strike(&mut self, fault: Fault) {
        if self.healed {
            return;
        }
        match fault {
            Fault::Crash(node) => self.places[node].fuse = Some(self.dice.below(16)),
            Fault::PowerLoss => {
                self.report.count("power loss");
                let running = |it: &usize| self.places[*it].replica.is_some();
                let running: Vec<usize> = (0..self.places.len()).filter(running).collect();
                running.into_iter().for_each(|node| self.crash(node));
            }
            Fault::Split => {
                self.report.count("partition");
                self.network.split(&mut self.dice);
            }
            Fault::Join => {
                self.network.join();
                (0..self.places.len()).for_each(|node| self.connect(node));
            }
            Fault::Storm(loss) => {
                self.report.count("loss");
                self.network.loss = loss;
            }
            Fault::Clock(node, offset) => {
                self.report.count("clock");
                self.places[node].offset = offset;
            }
            Fault::RollBack(node, blocks) => self.roll_back(node, blocks),
            Fault::Lost => self.lose_all(),
            Fault::Token(node, is_there) => {
                if !is_there {
                    self.report.count("token away");
                }
                self.places[node].token.set(is_there);
            }
        }
    }

    fn roll_back(&mut self, node: usize, blocks: u64) {
        self.report.count("roll-back");
        if self.places[node].replica.is_some() {
            self.crash(node);
        }
        let blocks = usize::try_from(blocks).unwrap_or_default();
        let place = &mut self.places[node];
        place.disk.roll_back(blocks);
        place.rolled_back = Some((self.oracle.height() + 1, self.oracle.boot(&place.name)));
    }

    /// The end of all faults but lies.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        self.network.heal();
        for node in 0..self.places.len() {
            self.places[node].offset = 0;
            self.places[node].fuse = None;
            self.places[node].token.set(true);
            self.start(node);
        }
        (0..self.places.len()).for_each(|node| self.connect(node));
        self.state_time();
        self.after(4_000, Event::Readmit);
    }

    /// Founders raise the boot number of nodes that were rolled back, until all vote.
    pub(crate) fn readmit(&mut self) {
        let silent = |it: &&crate::place::Place| {
            let standing = it.replica.as_ref().map(Replica::standing);
            !it.lies && matches!(standing, Some(Standing::RolledBack { .. }))
        };
        let silent: Vec<Name> = self.places.iter().filter(silent).map(|it| it.name.clone()).collect();
        if silent.is_empty() {
            return self.after(6_000, Event::Readmit);
        }
        let mut next = self.oracle.policy.clone();
        next.previous = next.digest();
        next.number += 1;
        for node in next.roster.nodes.iter_mut().filter(|it| silent.contains(&it.name)) {
            node.boot += 1;
        }
        self.report.count("readmission");
        let document = next.to_document().into();
        self.change_authority(AuthorityChange::Roster { document }, Some(next));
        self.after(9_000, Event::Readmit);
    }

    pub(crate) fn later(&mut self, millis: u64, act: Act) {
        self.after(millis, Event::Act(act));
    }
}

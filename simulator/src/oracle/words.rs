//! What nodes sign for one another: never two things at one place (S3), and nothing that their disk lacks (S1).

use std::collections::BTreeMap;

use keystead_base::{Digest, Name};
use keystead_consensus::{Ballot, Proposal, Step};

use super::Oracle;
use crate::disk::Disk;

type Place = (Name, u64, u64, u32, Step);

/// All that honest nodes said.
#[derive(Debug, Default)]
pub(crate) struct Words {
    ballots: BTreeMap<Place, Option<Digest>>,
    proposals: BTreeMap<(Name, u64, u64, u32), Digest>,
}

impl Oracle {
    /// An honest node sends its vote. `forgot` for one that runs on an older disk than it once had, and that
    /// the cluster counts as lying; it is asked about elsewhere.
    pub(crate) fn voted(&mut self, ballot: &Ballot, boot: u64, disk: &Disk, forgot: bool) {
        if !disk.holds(ballot) {
            let text =
                format!("{} sends a vote of height {} that its disk lacks", ballot.node, ballot.height);
            self.object("S1", text);
        }
        let place = (ballot.node.clone(), boot, ballot.height, ballot.round, ballot.step);
        let before = *self.words.ballots.entry(place).or_insert(ballot.header);
        if before != ballot.header && !forgot {
            let Ballot { node, height, round, step, .. } = ballot;
            self.object("S3", format!("{node} votes twice at height {height}, round {round}, {step:?}"));
        }
    }

    /// An honest node sends its proposal.
    pub(crate) fn proposed(&mut self, proposal: &Proposal, boot: u64, disk: &Disk, forgot: bool) {
        let Proposal { node, height, round, header, .. } = proposal;
        if !disk.holds_block(*height, header) {
            self.object("S1", format!("{node} proposes a block of height {height} that its disk lacks"));
        }
        let place = (node.clone(), boot, *height, *round);
        let before = *self.words.proposals.entry(place).or_insert(*header);
        if before != *header && !forgot {
            self.object("S3", format!("{node} proposes twice at height {height}, round {round}"));
        }
    }
}

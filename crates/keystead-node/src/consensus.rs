//! What travels from the replica to the writer: in this order, durable first, then sent.

use std::collections::BTreeSet;

use keystead_base::{Canonical as _, Name};
use keystead_consensus::{Committed, Record, Step};
use keystead_decision::{Decision, Vote};
use keystead_wire::PeerMessage;
use tokio::sync::oneshot;

use crate::blocks::Subject;

/// Who waits for what a block decides.
pub(crate) type Waiting = Vec<(Subject, oneshot::Sender<Vec<Decision>>)>;

/// Everything that one turn of the replica wants done, in order.
#[derive(Debug, Default)]
pub(crate) struct Turn(pub(crate) Vec<Act>);

/// One thing to be done.
#[derive(Debug)]
pub(crate) enum Act {
    /// Make it durable; it is about this height.
    Record(u64, Record),
    /// Make it durable, then let it out.
    Commit(Box<Built>),
    /// Send it, once all before it is durable.
    Send(BTreeSet<Name>, Vec<u8>),
}

impl Act {
    /// The height that it commits.
    pub(crate) fn commits(&self) -> Option<u64> {
        match self {
            Self::Commit(built) => Some(built.committed.commit.header.height),
            Self::Record(..) | Self::Send(..) => None,
        }
    }
}

/// A committed block that is not durable yet: nobody outside may learn of it.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) committed: Committed,
    pub(crate) waiting: Waiting,
}

impl Turn {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A message of the consensus as it travels.
pub(crate) fn document(message: keystead_consensus::Message) -> Vec<u8> {
    PeerMessage::Consensus(Box::new(message)).to_document()
}

/// This node's word for a header, out of its record: kept for ever beside the log.
pub(crate) fn own_vote(
    record: &Record,
    me: &Name,
    cluster: keystead_base::ClusterId,
    boot: u64,
) -> Option<Vote> {
    let Record::Ballot(ballot) = record else { return None };
    let header = ballot.header.filter(|_| ballot.step == Step::Precommit && ballot.node == *me)?;
    Some(Vote { cluster, height: ballot.height, round: ballot.round, header, boot })
}

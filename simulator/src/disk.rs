//! A node's disk: what is written, and of that what is durable.

use std::collections::BTreeSet;

use keystead_base::RequestId;
use keystead_consensus::{Ballot, Record};
use keystead_decision::{Commit, Decision, Entry, SignedRebuild, State};

use crate::Dice;

/// A committed block as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) commit: Commit,
    pub(crate) entries: Vec<Entry>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) state: State,
}

/// One write, lost or kept as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// A line of the record of the height under way.
    Record(Record),
    /// A committed block: the records of its height are over.
    Block(Box<Stored>),
    /// The back end signed for this request.
    Signed(RequestId),
}

/// A disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    genesis: State,
    blocks: Vec<Stored>,
    records: Vec<Record>,
    signed: BTreeSet<RequestId>,
    pending: Vec<Write>,
    rebuild: Option<SignedRebuild>,
    /// So many blocks were imported, and are on every older copy of the disk, too.
    imported: usize,
}

impl Disk {
    pub(crate) fn new(genesis: State) -> Self {
        Self {
            genesis,
            blocks: Vec::new(),
            records: Vec::new(),
            signed: BTreeSet::new(),
            pending: Vec::new(),
            rebuild: None,
            imported: 0,
        }
    }

    /// The disk of a new machine: the log of a lost one, its signatures, and what people signed.
    pub(crate) fn imported(lost: &Self, signed: BTreeSet<RequestId>, rebuild: SignedRebuild) -> Self {
        let (blocks, imported) = (lost.blocks.clone(), lost.blocks.len());
        Self { blocks, imported, signed, rebuild: Some(rebuild), ..Self::new(lost.genesis.clone()) }
    }

    /// What its back end signed.
    pub(crate) fn signed(&self) -> BTreeSet<RequestId> {
        self.signed.clone()
    }

    /// The state that a node starts in: where a rebuild goes on from its log's end, the one that awaits it.
    pub(crate) fn awaiting(&self, state: State) -> State {
        match self.rebuild.as_ref().filter(|it| it.rebuild.height == state.height()) {
            Some(rebuild) => state.awaiting(rebuild).expect("a rebuild of this log"),
            None => state,
        }
    }

    /// Written, and lost by a crash before the next [`Self::sync`].
    pub(crate) fn write(&mut self, write: Write) {
        self.pending.push(write);
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&mut self) {
        std::mem::take(&mut self.pending).into_iter().for_each(|it| self.apply(it));
    }

    /// A crash: of what was not synced a part may have reached the disk all the same.
    pub(crate) fn crash(&mut self, dice: &mut Dice) {
        let kept = dice.index(self.pending.len() + 1);
        self.pending.truncate(kept);
        self.sync();
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Record(record) => self.records.push(record),
            Write::Block(stored) => {
                self.records.clear();
                self.blocks.push(*stored);
            }
            Write::Signed(request) => drop(self.signed.insert(request)),
        }
    }

    /// Puts an older snapshot in place: the newest blocks and all records are gone.
    pub(crate) fn roll_back(&mut self, blocks: usize) {
        self.pending.clear();
        self.records.clear();
        self.blocks.truncate(self.blocks.len().saturating_sub(blocks).max(self.imported));
    }

    /// Loses the newest block, as a disk does that lied about it.
    pub(crate) fn lose_newest_block(&mut self) {
        self.blocks.pop();
    }

    /// Loses the records.
    pub(crate) fn lose_records(&mut self) {
        self.records.clear();
    }

    /// The height of the newest durable block.
    pub(crate) fn height(&self) -> u64 {
        self.state().height()
    }

    pub(crate) fn state(&self) -> &State {
        self.blocks.last().map_or(&self.genesis, |it| &it.state)
    }

    pub(crate) fn blocks(&self) -> &[Stored] {
        &self.blocks
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn has_signed(&self, request: &RequestId) -> bool {
        let waits = |it: &Write| matches!(it, Write::Signed(signed) if signed == request);
        self.signed.contains(request) || self.pending.iter().any(waits)
    }

    /// Whether a vote is on the disk, or its height over.
    pub(crate) fn holds(&self, ballot: &Ballot) -> bool {
        let same = |it: &Ballot| {
            (it.step, it.place(), it.header, &it.node)
                == (ballot.step, ballot.place(), ballot.header, &ballot.node)
        };
        ballot.height <= self.height()
            || self.records.iter().any(|it| matches!(it, Record::Ballot(found) if same(found)))
    }

    /// Whether a proposed block is on the disk, or its height over.
    pub(crate) fn holds_block(&self, height: u64, header: &keystead_base::Digest) -> bool {
        let same = |it: &Record| matches!(it, Record::Block(block) if keystead_base::Canonical::digest(&block.header) == *header);
        height <= self.height() || self.records.iter().any(same)
    }
}

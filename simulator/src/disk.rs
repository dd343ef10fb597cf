//! A node's disk: what is written, and of that what is durable.

use std::collections::BTreeSet;

use keystead_base::{Name, RequestId};
use keystead_consensus::{Ballot, Record};
use keystead_decision::{Commit, Decision, Entry, SignedRebuild, State};
use keystead_threshold::Record as RunRecord;

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
    /// A line of the journal of runs of keys in shares.
    Run(RunRecord),
    /// A sealed share. One of an earlier attempt gives way.
    Share { key: Name, epoch: u32, bytes: Vec<u8> },
    /// A share of an epoch that is over goes.
    Erase { key: Name, epoch: u32 },
}

/// Since which height something is on the disk, and until which.
type Span = (u64, Option<u64>);

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
    runs: Vec<(u64, RunRecord)>,
    /// Sealed shares, those that were erased, too: an older copy of the disk has them.
    shares: Vec<(Span, Name, u32, Vec<u8>)>,
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
            runs: Vec::new(),
            shares: Vec::new(),
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
            Write::Run(record) => self.runs.push((self.height(), record)),
            Write::Share { key, epoch, bytes } => {
                self.erase(&key, epoch);
                self.shares.push(((self.height(), None), key, epoch, bytes));
            }
            Write::Erase { key, epoch } => self.erase(&key, epoch),
        }
    }

    fn erase(&mut self, key: &Name, epoch: u32) {
        let height = self.height();
        for (span, of, made, _) in &mut self.shares {
            if of == key && *made == epoch && span.1.is_none() {
                span.1 = Some(height);
            }
        }
    }

    /// The sealed share of an epoch.
    pub(crate) fn share(&self, key: &Name, epoch: u32) -> Option<Vec<u8>> {
        let here = |it: &&(Span, Name, u32, Vec<u8>)| it.0.1.is_none() && it.1 == *key && it.2 == epoch;
        self.shares.iter().find(here).map(|it| it.3.clone())
    }

    /// The epochs of a key that a share is here of.
    pub(crate) fn epochs(&self, key: &Name) -> Vec<u32> {
        let here = self.shares.iter().filter(|it| it.0.1.is_none() && it.1 == *key);
        here.map(|it| it.2).collect()
    }

    /// The journal of runs.
    pub(crate) fn runs(&self) -> Vec<&RunRecord> {
        self.runs.iter().map(|(_, record)| record).collect()
    }

    /// Puts an older snapshot in place: the newest blocks and all records are gone.
    pub(crate) fn roll_back(&mut self, blocks: usize) {
        self.pending.clear();
        self.records.clear();
        self.blocks.truncate(self.blocks.len().saturating_sub(blocks).max(self.imported));
        let height = self.height();
        self.runs.retain(|(at, _)| *at <= height);
        self.shares.retain(|(span, ..)| span.0 <= height);
        for (span, ..) in &mut self.shares {
            span.1 = span.1.filter(|until| *until <= height);
        }
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

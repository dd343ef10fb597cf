//! A node's own verdict on a proposed block, before it votes.

use keystead_base::{Digest, Name, Timestamp};
use keystead_decision::{Applied, Block, Controls, Entry, validate_unless};
use keystead_policy::Deviation;

use crate::candidate::{Candidate, rests_on};
use crate::{MAX_BLOCK_BYTES, Message, Objection, Output, Record, Replica};

impl<C: Controls> Replica<C> {
    /// INVARIANT S2, S3: this node's own decoding, policy and count, before it votes.
    pub(crate) fn look_at(
        &mut self,
        rounds: (u32, Option<u32>),
        proposer: &Name,
        header: Digest,
        block: Block,
    ) {
        match self.judge(rounds, proposer, header, block) {
            Err(objection) => self.object(rounds, proposer, objection),
            Ok(applied) => {
                let facts: Vec<Entry> = applied
                    .block
                    .entries
                    .iter()
                    .filter(|it| rests_on(it, &applied.decisions) && !self.pool.vouches_for(it))
                    .cloned()
                    .collect();
                if facts.is_empty() {
                    return self.accept(rounds, proposer, header, applied);
                }
                let candidate =
                    Candidate::Checking { applied: Box::new(applied), rounds, proposer: proposer.clone() };
                self.candidates.insert(header, candidate);
                self.out.push(Output::Check { header, entries: facts, from: None });
            }
        }
    }

    fn judge(
        &self,
        (round, valid_round): (u32, Option<u32>),
        proposer: &Name,
        header: Digest,
        block: Block,
    ) -> Result<Applied, Objection> {
        let height = self.state.height() + 1;
        let object = |error: Unfit| Objection::of(height, header, &error);
        let skew = self.state.policy().engine.version().timing.skew_seconds;
        let (time, now) = (block.header.time, self.now);
        if time > now.plus_seconds(skew) {
            return Err(object(Unfit::Early { time, now, skew }));
        }
        // A block that a quorum found timely in an earlier round is proposed again as it is.
        let fresh = valid_round.is_none();
        if fresh && time < now.minus_seconds(skew) {
            return Err(object(Unfit::Late { time, now, skew }));
        }
        if fresh && block.header.proposer != *proposer {
            let (expected, found) = (proposer.clone(), block.header.proposer);
            return Err(object(Unfit::Builder { expected, found }));
        }
        // INVARIANT D3: what is committed can be sent to whoever lacks it, a header and its votes beside it.
        let found = length(&block.entries);
        if found > MAX_BLOCK_BYTES {
            return Err(object(Unfit::Long { limit: MAX_BLOCK_BYTES, found }));
        }
        let applied =
            validate_unless(&self.state, block, |entry| self.pool.knows(entry, &self.state), &self.controls)
                .map_err(|error| Objection::of(height, header, &error))?;
        match self.withheld(round, &applied).filter(|_| fresh) {
            Some(deviation) => Err(object(Unfit::Price { deviation, since: PRICE_GRACE_SECONDS })),
            None => Ok(applied),
        }
    }

    /// INVARIANT S10: limits in money count with prices that are near those that this node holds itself. Whoever
    /// builds a block had the time to hear of them; once every node has had its turn, the log goes on.
    fn withheld(&self, round: u32, applied: &Applied) -> Option<Deviation> {
        let rule = self.state.policy().engine.version().prices.as_ref()?;
        let turns = u32::try_from(self.state.roster().nodes.len()).unwrap_or(u32::MAX);
        if round >= turns {
            return None;
        }
        let held = self.pool.prices_since(self.now.minus_seconds(PRICE_GRACE_SECONDS));
        applied.state.prices().deviation(held, rule, self.now)
    }

    fn accept(&mut self, rounds: (u32, Option<u32>), proposer: &Name, header: Digest, applied: Applied) {
        self.out.push(Output::Record(Record::Block(Box::new(applied.block.clone()))));
        self.candidates.insert(header, Candidate::Valid(Box::new(applied)));
        self.tell_verdict(rounds, proposer, header, true);
    }

    fn object(&mut self, rounds: (u32, Option<u32>), proposer: &Name, objection: Objection) {
        let header = objection.header;
        self.send_all(Message::Objection(objection.clone()));
        self.out.push(Output::Objected { node: self.me.clone(), objection });
        self.candidates.insert(header, Candidate::Invalid);
        self.tell_verdict(rounds, proposer, header, false);
    }

    pub(crate) fn tell_verdict(
        &mut self,
        rounds: (u32, Option<u32>),
        proposer: &Name,
        header: Digest,
        valid: bool,
    ) {
        if let Some(table) = &mut self.table {
            self.judged.insert(header);
            let acts = table.judged(rounds, proposer.clone(), header, valid);
            self.perform(acts);
        }
    }

    pub(crate) fn checked(&mut self, header: Digest, verdict: Result<(), Objection>) {
        if self.pool.checked(&header, verdict.is_ok()) {
            return;
        }
        match self.candidates.remove(&header) {
            Some(Candidate::Checking { applied, rounds, proposer }) => match verdict {
                Ok(()) => self.accept(rounds, &proposer, header, *applied),
                Err(objection) => self.object(rounds, &proposer, objection),
            },
            Some(other) => self.candidates.insert(header, other),
            None => {}
        }
    }
}

/// The bytes of entries, all together.
fn length(entries: &[Entry]) -> usize {
    let each = entries.iter().map(|it| borsh::object_length(it).unwrap_or(usize::MAX));
    each.fold(0, usize::saturating_add)
}

/// Why a block does not fit this node's view, whatever it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("the block's time {time} is more than {skew} s ahead of this node's clock, {now}")]
    Early { time: Timestamp, now: Timestamp, skew: u64 },
    #[error("the block's time {time} is more than {skew} s behind this node's clock, {now}")]
    Late { time: Timestamp, now: Timestamp, skew: u64 },
    #[error("the proposer is {expected}, the block names {found} as its builder")]
    Builder { expected: Name, found: Name },
    #[error("the block's entries have at most {limit} bytes together, found {found}")]
    Long { limit: usize, found: usize },
    #[error(
        "it leaves out a price of `{}` of {} that this node has held for more than {since} s: the log counts \
         with one of {}, too far from it", deviation.source, deviation.held, deviation.counted
    )]
    Price { deviation: Deviation, since: u64 },
}

impl keystead_base::Coded for Unfit {
    fn code(&self) -> &'static str {
        match self {
            Self::Early { .. } => "block.early",
            Self::Late { .. } => "block.late",
            Self::Builder { .. } => "block.builder",
            Self::Long { .. } => "block.long",
            Self::Price { .. } => "price.tolerance",
        }
    }

    fn blame(&self) -> keystead_base::Blame {
        keystead_base::Blame::Peer
    }
}

/// How long a price is on its way to every node: before that nobody is blamed for leaving it out.
const PRICE_GRACE_SECONDS: u64 = 2;

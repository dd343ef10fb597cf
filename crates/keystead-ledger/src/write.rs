//! The one durable transaction: checks first, then rows, all or nothing.

use keystead_base::{Canonical, Digest};
use keystead_decision::Vote;
use sha2::{Digest as _, Sha256};

use crate::engine::{Insert, Session, Value, bytes, int, text};
use crate::record::Appended;
use crate::{Batch, Ledger, LedgerError, RecordRow, SignatureRecord, tree};

impl Ledger {
    /// Writes a batch in one durable transaction: group commit. Returns only after the disk has it.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] says which row is refused; nothing of the batch is written then.
    pub async fn write(&self, batch: &Batch) -> Result<(), LedgerError> {
        let mut session = self.engine.write().await?;
        let tip = tip(&mut session).await?;
        check_chain(&tip, &batch.blocks)?;
        // INVARIANT S1, S3: the vote is in the same transaction as the block, or in an earlier one.
        record_votes(&mut session, &tip, batch).await?;
        insert_blocks(&mut session, &batch.blocks).await?;
        tree::grow(&mut session, tip.height, tip.height + batch.blocks.len() as u64).await?;
        insert_signatures(&mut session, &batch.signatures).await?;
        keep_records(&mut session, &tip, batch).await?;
        session.commit().await
    }

    /// Writes blocks with all their rows in one durable transaction.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Height`] or [`LedgerError::Parent`] for a block that does not follow the last one.
    pub async fn append(&self, blocks: Vec<Appended>) -> Result<(), LedgerError> {
        self.write(&Batch { blocks, ..Batch::default() }).await
    }

    /// Makes a vote durable. Only after this returns may the vote be sent (S1).
    ///
    /// # Errors
    ///
    /// [`LedgerError::VoteTaken`] when this node voted for another header at this height and round.
    pub async fn record_vote(&self, vote: &Vote) -> Result<(), LedgerError> {
        self.write(&Batch { votes: vec![*vote], ..Batch::default() }).await
    }
}

/// The last block written; the genesis before the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) height: u64,
    pub(crate) digest: Digest,
}

pub(crate) async fn tip(session: &mut Session) -> Result<Tip, LedgerError> {
    let row = session
        .row("SELECT height, digest FROM blocks ORDER BY height DESC LIMIT 1", vec![])
        .await?
        .ok_or(LedgerError::Empty)?;
    Ok(Tip { height: row.int(0)?, digest: row.digest(1)? })
}

fn check_chain(tip: &Tip, blocks: &[Appended]) -> Result<(), LedgerError> {
    let mut last = *tip;
    for block in blocks {
        let (expected, found) = (last.height + 1, block.header.height);
        if found != expected {
            return Err(LedgerError::Height { expected, found });
        }
        if block.header.parent != last.digest {
            let (expected, found) = (last.digest, block.header.parent);
            return Err(LedgerError::Parent { height: block.header.height, expected, found });
        }
        last = Tip { height: found, digest: block.digest };
    }
    Ok(())
}

/// INVARIANT S3, S4: one header for each height and round, whatever crashes and whoever asks again.
async fn record_votes(session: &mut Session, tip: &Tip, batch: &Batch) -> Result<(), LedgerError> {
    // The next height may be under way when the last block is written.
    let heights = tip.height + 1..=tip.height + batch.blocks.len() as u64 + 1;
    for vote in &batch.votes {
        if !heights.contains(&vote.height) {
            return Err(LedgerError::VoteHeight { expected: *heights.start(), found: vote.height });
        }
    }
    let row = |it: &Vote| vec![int(it.height), int(it.round.into()), bytes(it.header.0)];
    let inserted = session.insert(&VOTES, batch.votes.iter().map(row).collect()).await?;
    if inserted < batch.votes.len() as u64 {
        for vote in &batch.votes {
            same_vote(session, vote).await?;
        }
    }
    Ok(())
}

async fn same_vote(session: &mut Session, vote: &Vote) -> Result<(), LedgerError> {
    let values = vec![int(vote.height), int(vote.round.into())];
    let row = session.row("SELECT header FROM votes WHERE height = $1 AND round = $2", values).await?;
    let expected = row.ok_or(LedgerError::Empty)?.digest(0)?;
    if expected == vote.header {
        return Ok(());
    }
    Err(LedgerError::VoteTaken { height: vote.height, round: vote.round, expected, found: vote.header })
}

async fn insert_blocks(session: &mut Session, blocks: &[Appended]) -> Result<(), LedgerError> {
    session.insert(&BLOCKS, blocks.iter().map(block_row).collect()).await?;
    session.insert(&DECISIONS, blocks.iter().flat_map(decision_rows).collect()).await?;
    let versions = blocks.iter().filter_map(|block| {
        let (number, document) = block.policy.as_ref()?;
        Some(vec![int(*number), int(block.header.height), bytes(document.clone())])
    });
    session.insert(&POLICIES, versions.collect()).await.map(drop)
}

fn block_row(block: &Appended) -> Vec<Value> {
    vec![
        int(block.header.height),
        int(block.header.height - 1),
        bytes(block.header.parent.0),
        bytes(block.digest.0),
        bytes(block.leaf.0),
        int(block.header.time.0),
        bytes(block.header_document.clone()),
        bytes(block.entries.clone()),
        bytes(block.votes.clone()),
    ]
}

fn decision_rows(block: &Appended) -> impl Iterator<Item = Vec<Value>> {
    (0..).zip(&block.decisions).map(|(position, decision)| {
        vec![
            int(block.header.height),
            int(position),
            bytes(decision.subject.0.0),
            text(decision.word),
            bytes(decision.document.clone()),
        ]
    })
}

/// INVARIANT S3: what was said at a height is kept until the height is committed, and not a row longer.
async fn keep_records(session: &mut Session, tip: &Tip, batch: &Batch) -> Result<(), LedgerError> {
    let committed = tip.height + batch.blocks.len() as u64;
    if committed > tip.height {
        session.execute("DELETE FROM records WHERE height <= $1", vec![int(committed)]).await?;
    }
    let open = batch.records.iter().filter(|it| it.height > committed);
    let row = |it: &RecordRow| vec![int(it.position), int(it.height), bytes(it.document.clone())];
    session.insert(&RECORDS, open.map(row).collect()).await.map(drop)
}

/// INVARIANT S4: a decision is signed with one digest. The same signature again is no news.
async fn insert_signatures(session: &mut Session, records: &[SignatureRecord]) -> Result<(), LedgerError> {
    let row = |it: &SignatureRecord| {
        let document = it.to_document();
        let digest = Sha256::digest(&document).to_vec();
        vec![int(it.height), int(it.position), bytes(document), bytes(digest)]
    };
    let inserted = session.insert(&SIGNATURES, records.iter().map(row).collect()).await?;
    if inserted < records.len() as u64 {
        for record in records {
            same_signature(session, record).await?;
        }
    }
    Ok(())
}

async fn same_signature(session: &mut Session, record: &SignatureRecord) -> Result<(), LedgerError> {
    let stored = crate::read::signature_at(session, record.height, record.position).await?;
    match stored.filter(|stored| stored.signing_digest != record.signing_digest) {
        None => Ok(()),
        Some(stored) => Err(LedgerError::SignatureTaken {
            request: record.request,
            expected: stored.signing_digest,
            found: record.signing_digest,
        }),
    }
}

const VOTES: Insert = Insert {
    table: "votes",
    columns: &["height", "round", "header"],
    conflict: " ON CONFLICT (height, round) DO NOTHING",
};

const BLOCKS: Insert = Insert {
    table: "blocks",
    columns: &["height", "previous", "parent", "digest", "leaf", "time", "header", "entries", "votes"],
    conflict: "",
};

const DECISIONS: Insert = Insert {
    table: "decisions",
    columns: &["height", "position", "subject", "word", "document"],
    conflict: "",
};

const POLICIES: Insert =
    Insert { table: "policies", columns: &["number", "height", "document"], conflict: "" };

const RECORDS: Insert =
    Insert { table: "records", columns: &["position", "height", "document"], conflict: "" };

const SIGNATURES: Insert = Insert {
    table: "signatures",
    columns: &["height", "position", "document", "digest"],
    conflict: " ON CONFLICT (height, position) DO NOTHING",
};

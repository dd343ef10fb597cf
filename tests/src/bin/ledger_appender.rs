//! Copies an exported log into a database, and says after each transaction how far it is durable.
//!
//! The crash tests kill it at a chosen system call and start it again.

use std::path::Path;

use keystead_base::{HYBRID_SEED_BYTES, HybridSigner, Secret};
use keystead_decision::{Block, State, Strict, Vote, validate};
use keystead_ledger::{Appended, Batch, ExportedLog, Ledger, StoredBlock};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let [url, folder] = [1, 2].map(|n| std::env::args().nth(n).expect("a database URL and a folder"));
    let log = ExportedLog::open(Path::new(&folder)).expect("the exported log opens");
    let ledger = Ledger::open(&url).await.expect("the database opens");
    ledger.begin(log.genesis()).await.expect("the log begins");
    let node = &log.genesis().genesis.policy.roster.nodes[0];
    let mut state = ledger.load(&node.key, &Strict::default()).await.expect("the log loads");
    let begun_at = state.height();
    let size = log.checkpoint().body().size;
    while state.height() < size {
        let mut blocks = log.blocks_from(state.height() + 1).expect("the blocks are there");
        blocks.truncate(BLOCKS_PER_TRANSACTION);
        let blocks: Vec<Appended> = blocks.into_iter().map(|block| apply(&mut state, block)).collect();
        append(&ledger, &state, blocks).await;
    }
    if begun_at < size {
        ledger.save_snapshot(&state, &node.name, &node_key()).await.expect("the snapshot is written");
    }
    ledger.close().await;
}

fn apply(state: &mut State, stored: StoredBlock) -> Appended {
    let StoredBlock { commit, entries } = stored;
    let block = Block { header: commit.header, entries };
    let applied = validate(state, block, &Strict::default()).expect("the block is valid");
    let appended = Appended::new(&applied, commit.round, commit.votes);
    *state = applied.state;
    appended
}

/// First a vote, in a transaction of its own, as a node among several does; then all votes and the blocks.
async fn append(ledger: &Ledger, state: &State, blocks: Vec<Appended>) {
    let vote = |block: &Appended| Vote {
        cluster: state.cluster(),
        height: block.height(),
        round: 0,
        header: block.digest(),
        boot: 0,
    };
    let votes: Vec<Vote> = blocks.iter().map(vote).collect();
    ledger.record_vote(&votes[0]).await.expect("the vote is written");
    println!("voted {}", votes[0].height);
    ledger.write(&Batch { votes, blocks, ..Batch::default() }).await.expect("the blocks are written");
    println!("durable {}", state.height());
}

/// The key of the node in the crash tests' log.
fn node_key() -> HybridSigner {
    HybridSigner::from_seed(&Secret::new([1; HYBRID_SEED_BYTES])).expect("a seed makes a key")
}

const BLOCKS_PER_TRANSACTION: usize = 3;

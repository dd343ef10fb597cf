//! Another log is shown to the auditor (L2).
//!
//! DigiNotar, summer of 2011: rogue certificates had been signed, and the logs from which anybody could
//! have learned which ones had been tampered with. Certificate Transparency, a log that everybody outside can
//! compare, is what the web built after it.
//!
//! `dora` has the node's machine and with it the node's key. She moves a little, goes back to the block
//! before, and has the node sign another future in which nothing happened. It is as long as the true one, and
//! every vote in it is genuine. The witness remembers the other root. The twin's auditor remembers nothing.

use keystead_base::{Canonical as _, Digest, merkle};
use keystead_decision::{Applied, Block, Commit, Entry, State, Strict, propose};
use keystead_ledger::{Checkpoint, Consistency, CosignRequest, LogKeys, WitnessState, cosign};

use super::truncated_log::{Caper, Memory};
use crate::Loot;
use crate::archive::{Archive, checkpoint};
use crate::fixture::Member;

/// The naive way: every log that verifies is the log.
#[must_use]
pub fn forgetful(witness: &WitnessState) -> Option<Checkpoint> {
    super::truncated_log::forgetful(witness)
}

/// Plays it, with this auditor.
pub async fn attack(memory: Memory) -> Loot {
    let caper = Caper::new();
    let witness = caper.witness();
    let (blocks, _) = other_future(&caper);
    let archive = Archive::of(&caper.world.genesis, &blocks).await;
    caper.audited(&archive, memory(&witness)).await
}

/// She asks the witness to cosign the other log, with the proof that she can make: the code of its refusal.
#[must_use]
pub fn asks_the_witness() -> Loot {
    let caper = Caper::new();
    let remembered = caper.witness();
    let (blocks, state) = other_future(&caper);
    let leaves: Vec<Digest> =
        blocks.iter().map(|(commit, _)| merkle::leaf_hash(&commit.header.to_document())).collect();
    let older = usize::try_from(remembered.size).expect("a small log");
    let consistency = Consistency::prove(&leaves, older, leaves.len()).expect("a longer log");
    let world = &caper.world;
    let checkpoint = checkpoint(&world.genesis, &state, &world.desk.nodes[0].signer);
    let keys = LogKeys::of(&world.genesis.genesis, state.roster());
    let (witness, request) = (Member::new("witness", 50), CosignRequest { consistency, checkpoint });
    match cosign(&remembered, &request, &keys, &witness.name, &witness.signer, state.time()) {
        Ok(_) => Loot::Stolen { what: "a cosignature on another past".to_owned() },
        Err(error) => Loot::refused_for(&error),
    }
}

/// The blocks before the theft, and as many quiet ones as the true log has, and one more.
fn other_future(caper: &Caper) -> (Vec<(Commit, Block)>, State) {
    let mut blocks = caper.blocks();
    let length = blocks.len();
    blocks.truncate(usize::try_from(caper.before).expect("a small log"));
    let mut state = caper.innocent.clone();
    while blocks.len() <= length {
        let quiet = vec![state.admit(Entry::Tick).expect("a tick")];
        let time = state.time().plus_seconds(1);
        let builder = &caper.world.desk.nodes[0].name;
        let Applied { block, state: next, .. } = propose(&state, time, builder, &quiet, &Strict::default());
        blocks.push((caper.world.vote(&block), block));
        state = next;
    }
    (blocks, state)
}

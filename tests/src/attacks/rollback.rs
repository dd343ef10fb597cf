//! A node is put back to before its vote, and votes again (S3).
//!
//! Restored snapshots are how honest machines come to say two things: validators of proof-of-stake chains have been
//! slashed for a fail-over that started the same key from older data.
//!
//! The thieves lead the log with one of four nodes. They propose a block to `node-4`, which votes for it; the
//! others hear the vote. Then they put the folder of `node-4` back to what it was, start it, and propose another
//! block at the same height. A node that starts asks the others which vote of its own they know; they show it one that
//! it does not remember, and it stays silent until a committed roster readmits it. In the twin nobody tells it: the
//! two others answer that they know of nothing, as they would if nobody kept what others said.

use std::path::Path;

use keystead_base::{Canonical as _, Digest};
use keystead_consensus::{Ballot, Message, Purpose, Step};
use keystead_decision::{Block, Entry, State, Strict, propose};

use crate::Loot;
use crate::cluster::{NodeHome, Station};
use crate::liar::{Liar, state_of};
use crate::nodes::{keys_of, start_all};

/// What the others answer to a node that asks what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// What they heard.
    Told,
    /// Nothing.
    Untold,
}

/// The product's way.
#[must_use]
pub fn told() -> Memory {
    Memory::Told
}

/// The naive way.
#[must_use]
pub fn untold() -> Memory {
    Memory::Untold
}

/// Plays it, with others who answer like this.
pub async fn attack(memory: Memory) -> Loot {
    let mut homes = NodeHome::several(4, |_| {});
    let mut victim = homes.pop().expect("four nodes").start().await;
    let mut stations = start_all(homes).await;
    votes(&victim).await;
    let (home, snapshot) = (victim.stop().await, tempfile::tempdir().expect("a folder"));
    copy(&home.config.data, snapshot.path());
    victim = home.start().await;
    votes(&victim).await;

    let taken = stations.remove(0).stop().await;
    let mut liar = Liar::in_place_of(&taken, keys_of(1), &[&victim]).await;
    let state = state_of(&victim).await;
    liar.say(&victim, liar.proposal(0, &block(&state, &victim, &liar).await)).await;
    let first = said(&mut liar).await;
    for station in &stations {
        sits(station).await;
    }

    let home = victim.stop().await;
    std::fs::remove_dir_all(&home.config.data).expect("a folder that goes");
    copy(snapshot.path(), &home.config.data);
    let mut forgetful = Vec::new();
    if memory == Memory::Untold {
        for (station, number) in std::mem::take(&mut stations).into_iter().zip(2..) {
            forgetful.push((station.stop().await, number));
        }
    }
    let victim = home.start().await;
    let mut liars = Vec::new();
    for (home, number) in &forgetful {
        liars.push(Liar::in_place_of(home, keys_of(*number), &[&victim]).await);
    }
    let standing = settled(&victim).await;
    let other = block(&state, &victim, &liar).await;
    liar.say(&victim, liar.proposal(0, &other)).await;
    match second(&mut liar, &victim, other.header.digest()).await {
        Some(second) => {
            assert_eq!((first.place(), first.step), (second.place(), second.step));
            assert_ne!(first.header, second.header);
            Loot::harmed("two votes of one node at one height and round")
        }
        None => Loot::refused(standing),
    }
}

/// A block of the liar's at the next height, a little ahead of the clock: a busy machine takes its time to tell.
async fn block(state: &State, victim: &Station, liar: &Liar) -> Block {
    let tick = state.admit(Entry::Tick).expect("a tick");
    let time = victim.now().await.plus_seconds(3);
    propose(state, time, liar.name(), &[tick], &Strict::default()).block
}

/// The victim's next vote for a block, as the liar hears it.
async fn said(liar: &mut Liar) -> Ballot {
    loop {
        if let Some(ballot) = prevote(liar.hears().await.1) {
            return ballot;
        }
    }
}

/// The victim's vote for the second block, if it gives one before it answers a later question.
async fn second(liar: &mut Liar, victim: &Station, header: Digest) -> Option<Ballot> {
    let question = Message::Head { height: 0, seen: None, purpose: Purpose::Asks };
    liar.say(victim, question).await;
    loop {
        match liar.hears().await.1 {
            Message::Head { purpose: Purpose::Answers, .. } => return None,
            message => {
                if let Some(ballot) = prevote(message).filter(|it| it.header == Some(header)) {
                    return Some(ballot);
                }
            }
        }
    }
}

fn prevote(message: Message) -> Option<Ballot> {
    match message {
        Message::Ballot(ballot) if ballot.step == Step::Prevote && ballot.header.is_some() => Some(ballot),
        _ => None,
    }
}

/// Waits until a node votes.
async fn votes(station: &Station) {
    let client = station.client("eve").await;
    while client.status().await.expect("a status").standing != "votes" {
        tokio::task::yield_now().await;
    }
}

/// Waits until a node knows whether it votes, and gives its word.
async fn settled(station: &Station) -> String {
    let client = station.client("eve").await;
    loop {
        let standing = client.status().await.expect("a status").standing;
        if standing == "votes" || standing.starts_with("was rolled back") {
            return standing;
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until a node has heard that somebody votes at the first height, which may be over by then.
async fn sits(station: &Station) {
    let client = station.client("eve").await;
    loop {
        let status = client.status().await.expect("a status");
        if status.round.is_some() || status.height > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in from.read_dir().expect("a folder") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

//! A node's disk is copied, and votes (S3, A6).
//!
//! A snapshot at a provider, a backup of the machine, a disk that was sent back for repair: whoever has it has the key file, the
//! passphrase beside it, and the program. They run the node a second time.
//!
//! Here the disk of `node-4` is copied while its machine is away, and `node-3` is down: two honest nodes of four are left, and
//! nothing is decided without a third vote. The thief listens in `node-4`'s place (the identity of its connections is in the key
//! file) and votes for what it hears proposed.
//!
//! Half of the product's key is in a token, which is not on the disk. The thief has patched the program and signs with the half that
//! is there, and with one of their own in place of the other. Nobody counts that. In the twin's company the whole key is in the
//! file: the copy's vote is the third of a quorum.

use std::collections::BTreeMap;
use std::sync::Arc;

use keystead_base::{
    Canonical as _, ClassicalHalf, Coded as _, HYBRID_SEED_BYTES, HybridSigner, KeyError,
    ML_DSA_65_SEED_BYTES, Name, Secret, signing_message,
};
use keystead_consensus::{Abstention, Message, Proposal, Step};
use keystead_keys::{KeyFile, MemberKey, TokenHalf};

use crate::Loot;
use crate::cluster::{NodeHome, PASSPHRASE, Station, ether, member_key, sealed};
use crate::fixture::{ETHER, FRIEND, Member};
use crate::liar::Liar;
use crate::nodes::{height, keys_of, level, start_all};

/// The product's: what a node's disk holds where `[node.member.token]` names a token.
#[must_use]
pub fn beside_a_token(node: &Member) -> KeyFile {
    let half = TokenHalf { label: "keystead-log".to_owned(), public: *node.signer.public().ed25519() };
    let whole = member_key(node);
    let key = MemberKey::generate_beside(node.name.clone(), half, &mut |bytes| {
        bytes.fill(THE_FIXTURES);
        bytes[HYBRID_SEED_BYTES..][..32].copy_from_slice(whole.transport_seed().expose());
    });
    let file = key.seal_beside(PASSPHRASE.as_bytes(), &mut |bytes| bytes.fill(9));
    KeyFile::BesideToken(file.expect("a sealed key"))
}

/// The naive company's: all of the key.
#[must_use]
pub fn whole(node: &Member) -> KeyFile {
    KeyFile::Whole(sealed(node))
}

/// Plays it with what the disk holds.
pub async fn attack(kept: fn(&Member) -> KeyFile) -> Loot {
    let mut homes = NodeHome::several(4, |_| {});
    let away = homes.pop().expect("four nodes");
    std::fs::write(&away.config.member.key, kept(away.own()).to_document()).expect("its disk");
    let mut honest = start_all(homes).await;
    let before = level(&honest).await;
    honest.pop().expect("three nodes").stop().await;
    let others: Vec<&Station> = honest.iter().collect();
    let mut thief = Liar::in_place_of(&away, stolen(&away), &others).await;

    let intent = honest[0].intent("desk", ether(FRIEND, ETHER, 0), honest[0].now().await);
    let (client, entry) = (honest[0].client("desk").await, honest[0].entry(vec![intent]));
    let asked = tokio::spawn(async move { client.submit(vec![entry]).await });
    let counted = votes(&mut thief, &honest, before + 1).await;
    asked.abort();
    match counted {
        true => Loot::harmed("a vote of a node's that was not at home is the third of a quorum"),
        false => {
            assert_eq!(height(&honest[0]).await, before, "two of four decide nothing");
            refusal(&thief, &away)
        }
    }
}

/// Votes for what is proposed at this height; whether somebody commits.
async fn votes(thief: &mut Liar, honest: &[Station], under_way: u64) -> bool {
    let (mut voted, mut goes_on) = (false, false);
    let mut again: BTreeMap<Name, usize> = BTreeMap::new();
    // Both say their prevotes again and again. With the thief's, which they had before, they would be bound to the block.
    while goes_on || again.len() < honest.len() || again.values().any(|times| *times < TIMES) {
        match thief.hears().await {
            (_, Message::Head { height, .. }) if height >= under_way => return true,
            (_, Message::Proposal { proposal, .. }) if !voted => {
                vote(thief, honest, &proposal).await;
                voted = true;
            }
            (from, Message::Ballot(ballot)) if voted && ballot.node == from => match ballot.step {
                Step::Prevote => *again.entry(from).or_default() += 1,
                Step::Precommit => goes_on = true,
            },
            _ => {}
        }
    }
    false
}

/// Both have its votes when this returns.
async fn vote(thief: &mut Liar, honest: &[Station], proposal: &Proposal) {
    let place = (proposal.height, proposal.round);
    for step in [Step::Prevote, Step::Precommit] {
        let ballot = thief.ballot(step, place, Some(proposal.header));
        for station in honest {
            thief.say(station, Message::Ballot(ballot.clone())).await;
        }
    }
    for station in honest {
        thief.height_of(station).await;
    }
}

/// What the disk is good for: the key that is on it, or the half that is there and one of the thief's.
fn stolen(disk: &NodeHome) -> Member {
    let document = std::fs::read(&disk.config.member.key).expect("its disk");
    let passphrase = std::fs::read(&disk.config.member.passphrase).expect("the passphrase beside it");
    let file = KeyFile::from_document(&document).expect("a key file");
    assert_eq!(
        &file.public().signing,
        disk.own().signer.public(),
        "the roster's key, whichever half is elsewhere"
    );
    let key = file.open(passphrase.trim_ascii()).expect("a passphrase that fits");
    let signer = key.signer().unwrap_or_else(|error| {
        assert_eq!(error.code(), "member.in_token");
        let theirs = HybridSigner::from_seed(&Secret::new([0xBA; HYBRID_SEED_BYTES])).expect("a seed");
        let quantum = Secret::new([THE_FIXTURES; ML_DSA_65_SEED_BYTES]);
        HybridSigner::from_halves(Arc::new(Theirs(theirs)), &quantum).expect("a seed")
    });
    Member { signer, ..keys_of(4) }
}

/// Why nobody counts what the thief signs: by the key in the roster.
fn refusal(thief: &Liar, disk: &NodeHome) -> Loot {
    let ballot = thief.ballot(Step::Precommit, (1, 0), None);
    let abstention = Abstention { cluster: disk.genesis.genesis.cluster(), height: 1, round: 0, boot: 0 };
    let key = disk.own().signer.public();
    match key.verify(&signing_message(&abstention.digest()), &ballot.signature) {
        Ok(()) => Loot::harmed("the copy signs as the node"),
        Err(error) => Loot::refused_for(&error),
    }
}

/// The half that the thief has in place of the token's.
struct Theirs(HybridSigner);

impl ClassicalHalf for Theirs {
    fn public(&self) -> [u8; 32] {
        *self.0.public().ed25519()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        Ok(*self.0.sign(message)?.ed25519())
    }
}

/// The byte that the keys of `node-4` are made of.
const THE_FIXTURES: u8 = 4;
/// So often each honest node says that it waits for a third vote.
const TIMES: usize = 3;

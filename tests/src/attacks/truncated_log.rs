//! The end of the log is cut off (L2).
//!
//! The last act of most intrusions: whoever has root on a machine ends by cutting its logs.
//!
//! `dora` administers the node's machine, too. She moves a little, as she may, and then deletes the
//! blocks that say so. What is left is a log that begins at the genesis, is signed by the node and holds
//! together. A witness outside had cosigned the longer one; the auditor asks it. The twin takes the log for
//! what it is.

use keystead_decision::{Block, Commit, State, Strict};
use keystead_ledger::{Checkpoint, Consistency, CosignRequest, LogKeys, WitnessState, cosign};

use crate::Loot;
use crate::archive::{Archive, checkpoint};
use crate::fixture::{ETHER, FRIEND, Member};
use crate::theft::executed;
use crate::world::World;

/// What an auditor compares a log with, of what the witness remembers.
pub type Memory = fn(&WitnessState) -> Option<Checkpoint>;

/// The product's way: `audit verify --older`, and a witness that was outside.
#[must_use]
pub fn remembering(witness: &WitnessState) -> Option<Checkpoint> {
    Some(witness.remembered())
}

/// The naive way: a log that holds together is the log.
#[must_use]
pub fn forgetful(_: &WitnessState) -> Option<Checkpoint> {
    None
}

/// Plays it, with this auditor.
pub async fn attack(memory: Memory) -> Loot {
    let caper = Caper::new();
    let archive = Archive::of(&caper.world.genesis, &caper.blocks()).await;
    let witness = caper.witness();
    for table in ["decisions", "blocks"] {
        archive.run(&format!("DELETE FROM {table} WHERE height > {}", caper.before)).await;
    }
    caper.audited(&archive, memory(&witness)).await
}

/// A log with a theft at its end that policy allowed.
pub(crate) struct Caper {
    pub(crate) world: World<Strict>,
    /// The height before the theft.
    pub(crate) before: u64,
    /// The state before it.
    pub(crate) innocent: State,
}

impl Caper {
    pub(crate) fn new() -> Self {
        let mut world = World::new(Strict::default());
        let innocent = world.state.clone();
        let (id, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, 0));
        executed(&mut world, &id, &outcome).expect("within her limit");
        Self { before: innocent.height(), innocent, world }
    }

    pub(crate) fn blocks(&self) -> Vec<(Commit, Block)> {
        self.world.log.iter().map(|(commit, block, _)| (commit.clone(), block.clone())).collect()
    }

    /// A witness of the whole log: the real one, that signs only what continues what it remembers.
    pub(crate) fn witness(&self) -> WitnessState {
        let World { genesis, state, desk, .. } = &self.world;
        let keys = LogKeys::of(&genesis.genesis, state.roster());
        let fresh = WitnessState::new(&keys.origin);
        let checkpoint = checkpoint(genesis, state, &desk.nodes[0].signer);
        let newer = checkpoint.body().size;
        let consistency = Consistency { older: 0, newer, path: Vec::new() };
        let (witness, request) = (Member::new("witness", 50), CosignRequest { consistency, checkpoint });
        let cosigned = cosign(&fresh, &request, &keys, &witness.name, &witness.signer, state.time());
        cosigned.expect("the first checkpoint").state
    }

    /// What an audit makes of the database: silent where the theft is gone from it.
    pub(crate) async fn audited(&self, archive: &Archive, older: Option<Checkpoint>) -> Loot {
        let cluster = self.world.state.cluster();
        match archive.ledger.audit(cluster, older.as_ref(), &Strict::default()).await {
            Ok(_) => self.gone("wei that no log knows of"),
            Err(error) => Loot::refused_for(&error),
        }
    }

    /// What left.
    pub(crate) fn gone(&self, what: &str) -> Loot {
        Loot::stolen(self.world.chain.balance(FRIEND), what)
    }
}

//! One row of the database is rewritten (L1, L2).
//!
//! Whoever keeps the books of a fraud changes an entry and leaves all others alone: the sum that somebody
//! looks up is the sum that was written there last.
//!
//! The thief administers the database and holds no key of a node. The decision that let one ether go
//! becomes a denial. The product's books are what the log says when it is replayed from the genesis; the
//! twin reads the row.

use keystead_base::{Canonical as _, RequestId};
use keystead_decision::{Decision, Outcome};
use keystead_policy::Reason;

use super::truncated_log::Caper;
use crate::Loot;
use crate::archive::Archive;

/// How an accountant learns what was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Books {
    replayed: bool,
}

/// The product's way: `audit verify`, before anything is read.
#[must_use]
pub fn replayed() -> Books {
    Books { replayed: true }
}

/// The naive way: the database says so.
#[must_use]
pub fn as_stored() -> Books {
    Books { replayed: false }
}

/// Plays it, with these books.
pub async fn attack(books: Books) -> Loot {
    let caper = Caper::new();
    let archive = Archive::of(&caper.world.genesis, &caper.blocks()).await;
    let (position, honest) = the_theft(&caper);
    let denied = Outcome::Deny { class: None, reasons: vec![Reason::NotOpen { request: honest.subject }] };
    let forged = const_hex::encode(Decision { outcome: denied, ..honest.clone() }.to_document());
    let row = format!("height = {} AND position = {position}", honest.height);
    archive.run(&format!("UPDATE decisions SET word = 'deny', document = x'{forged}' WHERE {row}")).await;
    if books.replayed {
        return caper.audited(&archive, None).await;
    }
    match word(&archive, &honest.subject).await.as_str() {
        "deny" => caper.gone("wei, and the books say that they were refused"),
        other => Loot::refused(other),
    }
}

/// The decision that let the money go, and its place in its block.
fn the_theft(caper: &Caper) -> (usize, Decision) {
    let (_, _, decisions) = caper.world.log.last().expect("a block");
    let position = decisions.iter().position(|it| matches!(it.outcome, Outcome::Allow(_)));
    let position = position.expect("the theft");
    (position, decisions[position].clone())
}

async fn word(archive: &Archive, request: &RequestId) -> String {
    let stored = archive.ledger.decisions_about(request).await.expect("rows that parse");
    stored.last().map_or("nothing", |it| it.outcome.word()).to_owned()
}

//! An importer deals another key than the one that people approved (K3).
//!
//! People compare an address by voice and approve its import. Whoever has the key then deals another one, of which nobody
//! knows but its owner: what is paid to the new key can be taken by its owner alone, and no rule of the log holds it back.
//!
//! The product's log and its holders compare what is dealt, and what they hold afterwards, with what was approved. The twin
//! takes what comes.

use keystead_decision::{Controls, Strict};
use keystead_intent::{Importer, KeyCeremony};
use keystead_quorum::Strict as Checks;

use crate::Loot;
use crate::circle::{Secp, dealt, five, import, shares, treasury};
use crate::fixture::name;
use crate::theft::STRICT_CHECKS;
use crate::world::World;

/// Controls to which any key is the one that was approved.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutApproved;

impl Controls for WithoutApproved {
    type Checks = Checks;

    fn checks(&self) -> &Checks {
        &STRICT_CHECKS
    }

    fn imports(&self, _: &KeyCeremony, _: &[u8]) -> bool {
        true
    }
}

/// The product's controls.
#[must_use]
pub fn approved() -> Strict {
    Strict::default()
}

/// Plays it.
///
/// # Panics
///
/// When the attack does not come to an end.
pub fn attack(controls: impl Controls + Clone) -> Loot {
    let mut world = World::of(five(), controls, |_| {});
    let (shown, hidden) = (Secp::new(9), Secp::new(8));
    let (request, _) = world.allow(import(shown.account(), Importer::Person(name("cleo"))));
    world.take_seats(request, &[1, 2, 3], 100);
    let step = world.dealt_by("cleo", request, hidden.account().compressed());
    let decisions = world.says(1, step);
    if let Some(reason) = crate::world::reasons(&decisions[0].outcome).first() {
        return Loot::refused_for(reason);
    }
    // Its chain code is the one that was approved: the children of the two keys differ all the same.
    let account =
        keystead_decision::PublicAccount { chain_code: shown.account().chain_code, ..hidden.account() };
    for node in [1, 2, 3] {
        world.says(node, dealt(request, 1, account, shares(3, 7)));
    }
    let agreed = world.state.convening(&treasury()).and_then(|it| it.agreed()).expect("all say the same");
    assert_eq!(agreed.account.compressed(), hidden.account().compressed());
    assert_ne!(agreed.account.address(0), shown.account().address(0));
    Loot::harmed("the holders hold a key that nobody approved, whole in the hands of whoever dealt it")
}

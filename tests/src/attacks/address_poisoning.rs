//! A poisoned address gets into the address book (S12, S13).
//!
//! Since 2022 machines have put addresses that begin and end like somebody's own counterparts into millions of
//! histories, each with a payment of nothing. Wallets show the ends of an address only; who copies the wrong line into
//! a book of trusted addresses has made the thief a friend for good.
//!
//! `cleo` copied hers, and asks for a policy version that lists it as the friend's second account. `ana` and `ben` do
//! what careful people do: they read every line, compare the ends of the address with those that they know, and stop
//! where they are warned. The product's words warn them; the twin shows what most wallets do.

use alloy_primitives::Bytes;
use keystead_base::Canonical as _;
use keystead_decision::{Entry, Strict};
use keystead_intent::{Action, AuthorityChange};
use keystead_policy::{AddressEntry, PolicyVersion};

use super::look_alike_address::LOOK_ALIKE;
use crate::Loot;
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::theft::executed;
use crate::world::World;

/// What an approver's client shows of a change of authority under the policy in force.
pub type Screen = fn(&AuthorityChange, &PolicyVersion) -> Vec<String>;

/// The naive way: addresses by their ends, and no word about others that end like them.
#[must_use]
pub fn by_their_ends(change: &AuthorityChange, policy: &PolicyVersion) -> Vec<String> {
    let lines = keystead_approver::change_words(change, policy).into_iter();
    let shown = lines.filter(|line| !line.starts_with("WARNING"));
    shown.map(|line| line.replace(&LOOK_ALIKE.to_string(), &ends(&LOOK_ALIKE.to_string()))).collect()
}

/// Plays it, with this client on the approvers' side.
pub fn attack(screen: Screen) -> Loot {
    let mut world = World::new(Strict::default());
    let current = world.state.policy().engine.version().clone();
    let document = Bytes::from(poisoned(&current).to_document());
    let change = AuthorityChange::Policy { document };
    let (id, _) = world.ask("cleo", Action::Authority(change.clone()));
    for who in ["ana", "ben"] {
        if !agrees(&screen(&change, &current)) {
            return Loot::refused(format!("{who} is warned"));
        }
        world.approve(who, &id);
    }
    let cooled = world.now().plus_seconds(current.timing.cool_off_seconds + 1);
    world.commit_at(cooled, vec![Entry::Tick]);
    let (id, outcome) = world.ask("desk", world.ether(LOOK_ALIKE, ETHER, 0));
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(LOOK_ALIKE), "wei at the friend's second account"),
        Err(refused) => refused,
    }
}

/// The next version, with the line that was copied.
fn poisoned(current: &PolicyVersion) -> PolicyVersion {
    let mut next =
        PolicyVersion { number: current.number + 1, previous: current.digest(), ..current.clone() };
    let usable_from = current.address_book[0].usable_from;
    next.address_book.push(AddressEntry {
        chain: CHAIN,
        address: LOOK_ALIKE,
        name: name("friend-two"),
        usable_from,
    });
    next.address_book.sort_by_key(|entry| (entry.chain, entry.address));
    next
}

/// Whether nothing warns, and the new destination has the ends that everybody knows.
fn agrees(lines: &[String]) -> bool {
    let known = ends(&FRIEND.to_string());
    let (start, end) = known.split_once('…').expect("two ends");
    let new = lines.iter().find(|line| line.contains("friend-two")).expect("the line of the change");
    let familiar = new.to_lowercase().contains(&start.to_lowercase())
        && new.to_lowercase().contains(&end.to_lowercase());
    familiar && !lines.iter().any(|line| line.starts_with("WARNING"))
}

/// `0x0000…41e7`.
fn ends(address: &str) -> String {
    format!("{}…{}", &address[..6], &address[address.len() - 4..])
}

//! Holders of a key in shares sign without asking anybody (S3, A3).
//!
//! THORChain, 15 May 2026: a validator that had sat in a vault for two days signed with what it had learned, and no
//! other one had been asked. Whoever patches a holder has its share, and no control of ours runs there.
//!
//! The thieves ask for a hundred ether, which the log denies, and have two holders called to sign it. Any two of
//! three sign. One of them is patched and begins; the other one's enclave asks the log by itself, and says not a
//! word. In the twin both are patched: no control is left out then, only the number of holders that a key relies on.

use alloy_primitives::U256;
use keystead_decision::Outcome;

use crate::Loot;
use crate::circle::nodes;
use crate::fixture::{ETHER, FRIEND};
use crate::holders::{Circle, empty, signs};
use crate::table::{Draw, Table, begin};
use crate::theft::THIEF;

/// So many as a key that two sign withstands.
#[must_use]
pub fn withstood() -> usize {
    1
}

/// So many as sign: the twin.
#[must_use]
pub fn threshold() -> usize {
    2
}

/// Plays it, with so many patched holders.
pub fn attack(patched: usize) -> Loot {
    let mut circle = Circle::born();
    let stolen = circle.ether(THIEF, 100 * ETHER, 0);
    let unsigned = circle.unsigned(&stolen);
    let (request, denied) = circle.world.ask("desk", stolen);
    assert!(matches!(denied, Outcome::Deny { .. }), "{denied:?}");

    let (signers, digest) = (nodes(&[1, 2]), unsigned.signing_digest());
    let session = circle.session(&signers, digest);
    let (mut table, mut refused) = (Table::new(), None);
    for (number, holder) in signers.iter().enumerate() {
        if number >= patched
            && let Err(error) = circle.permitted(&request, &digest)
        {
            refused = Some(Loot::refused_for(&error));
            continue;
        }
        let begun = begin(&mut empty(), &session, holder).expect("a run");
        table.seat(begun, signs(holder), Draw::of(&session, holder));
    }
    table.run(|_, _| {});
    let made = table.ends().into_iter().find_map(|(_, end)| end);
    match (made, refused) {
        (Some(Ok((_, signature))), _) => circle.cash(&unsigned, &signature),
        (_, Some(refused)) => {
            pays_without_it(&mut circle);
            return refused;
        }
        (made, None) => panic!("both signed, and yet: {:?}", made.map(|it| it.map(drop))),
    }
    Loot::stolen(circle.world.chain.balance(THIEF), "wei that the log denied")
}

/// The two others go on.
fn pays_without_it(circle: &mut Circle) {
    let payment = circle.ether(FRIEND, ETHER, 0);
    let unsigned = circle.unsigned(&payment);
    let (request, _) = circle.world.ask("desk", payment);
    let digest = circle.permitted(&request, &unsigned.signing_digest()).expect("a right");
    let signature = circle.sign(&nodes(&[2, 3]), digest).expect("a signature");
    circle.cash(&unsigned, &signature);
    assert_eq!(circle.world.chain.balance(FRIEND), U256::from(ETHER));
}

//! A holder spoils run after run, and learns a bit of the other's share from each (K6).
//!
//! The wallets of 2023 that tried again after a failed two-party signature (CVE-2023-33242) gave the key away after 256 tries.
//! Which check over kept transfers fails depends on secret bits here, too.
//!
//! `node-2` changes one bit of what it offers, again and again. The product's holder writes down who spoiled a
//! multiplication before it tells anybody, and begins nothing with it any more. The twin forgets what it wrote.

use keystead_base::{Digest, tagged_hash};
use keystead_threshold::{Abort, Culprit, Fault, Journal, Kind, Record};

use crate::Loot;
use crate::circle::{nodes, treasury};
use crate::holders::{Circle, empty, signs};
use crate::table::{Draw, Table, begin};

/// What a holder remembers at the next run.
pub type Remembers = fn(&mut Journal, &Record);

/// The product's way.
pub fn written(journal: &mut Journal, record: &Record) {
    journal.apply(record);
}

/// The naive way.
pub fn forgotten(_: &mut Journal, _: &Record) {}

/// Plays it, with a holder who remembers like this.
pub fn attack(remembers: Remembers) -> Loot {
    let (mut circle, mut journal, mut bits) = (Circle::born(), empty(), 0);
    for try_ in 0_u32.. {
        if bits == ENOUGH {
            return Loot::harmed(format!(
                "{bits} answers of a holder whose share has 256 bits, and no end of it"
            ));
        }
        let abort = match spoiled(&mut circle, &mut journal, try_) {
            Ok(abort) => abort,
            Err(refused) => return refused,
        };
        bits += u32::from(abort.fault == Fault::Multiplication);
        assert_eq!(abort.culprit, Culprit::Node(nodes(&[2])[0].clone()), "{abort:?}");
        remembers(&mut journal, &Record::Aborted { key: treasury(), abort });
    }
    unreachable!("either it ends or it does not")
}

/// One run in which the thief changes a bit, or who does not begin it.
fn spoiled(circle: &mut Circle, journal: &mut Journal, try_: u32) -> Result<Abort, Loot> {
    let session = circle.session(&nodes(&[1, 2]), text());
    let mut table = Table::new();
    for holder in nodes(&[1, 2]) {
        let own = if holder == nodes(&[1])[0] { &mut *journal } else { &mut empty() };
        let begun = begin(own, &session, &holder).map_err(|error| Loot::refused_for(&error))?;
        table.seat(begun, signs(&holder), Draw::of(&session, &holder));
    }
    let draw = tagged_hash("keystead/test", &try_.to_be_bytes());
    table.run(|to, delivery| {
        if to == 0 && delivery.kind == Kind::MultiplyOffer {
            let payload = delivery.payload.expose_mut();
            let at = usize::from(u16::from_be_bytes([draw.0[0], draw.0[1]]));
            // Behind the lists' own heads, which would only be malformed.
            let at = 200 + at % (payload.len() - 200);
            payload[at] ^= 1;
        }
    });
    let (_, end) = table.ends().swap_remove(0);
    Ok(end.expect("an end").map(drop).expect_err("one bit was changed"))
}

fn text() -> Digest {
    tagged_hash("keystead/test", b"a payment")
}

/// So many that nobody would stop the thief any more.
const ENOUGH: u32 = 4;

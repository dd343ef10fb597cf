//! A holder is put back to before its answer, and answers again (S5).
//!
//! Sony's console, 2010, and many wallets since: two signatures with one nonce give the key. With FROST it takes three
//! answers of one pair of nonces under other commitments. Backups and snapshots of machines are where one pair
//! comes from twice.
//!
//! Played with Ed25519 and with BIP-340. With ECDSA there is nothing to put back: `DKLs23` has no presignature, its machine is neither
//! copied nor written down, and its library draws from the operating system.
//!
//! `b` is the thieves', and can put the disk of `c` back. Three times they start the very same run with it, with
//! commitments of `b` that differ, and solve three equations for the share of `c`.
//!
//! The product's nonces are drawn anew by each run, in memory only. The twin's come from a state that goes back with
//! the disk. Where the disk is not put back, the record of the run is there, and neither begins twice.

mod curves;

use alloy_primitives::U256;
use keystead_base::{Digest, tagged_hash};
use keystead_threshold::{Journal, Kind, Purpose, Sign, Signature};

pub use self::curves::Curve;
use crate::Loot;
use crate::fixture::name;
use crate::table::{Draw, Table, again, begin, born, holders, names, scalar, session};

/// What a holder draws from at its start number so many.
pub type SeedOf = fn(u32) -> Digest;

/// The product's way: what nobody knew before. Here it comes from the number, so that a run can be repeated.
#[must_use]
pub fn drawn(start: u32) -> Digest {
    tagged_hash("bytes of this start", &start.to_le_bytes())
}

/// The naive way.
#[must_use]
pub fn restored(_: u32) -> Digest {
    tagged_hash("bytes of this start", &[])
}

/// Whether the disk is put back, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// To before the run.
    PutBack,
    /// The process is killed, and no more.
    Kept,
}

/// Plays it, with a key of this kind.
pub fn attack<C: Curve>(seed_of: SeedOf, disk: Disk) -> Loot {
    let shares = born::<C>(holders(2, "a b c"));
    let key = shares[&name("c")].public().key.clone();
    let digest = C::SCHEME.names(TEXT).expect("a text that it signs");
    let purpose = Purpose::Sign { signers: names("b c"), digest, path: Vec::new() };
    let session = session(C::SCHEME, (1, holders(2, "a b c")), purpose, "again and again");
    let (mut journal, mut answers) = (Journal::default(), Vec::new());
    for start in 0..3 {
        if disk == Disk::PutBack {
            journal = Journal::default();
        }
        let begun = match begin(&mut journal, &session, &name("c")) {
            Ok(begun) => begun,
            Err(error) => return Loot::refused_for(&error),
        };
        let mut table = Table::new();
        let sign = |me: &str| Sign::<C>::new(again(&shares[&name(me)]), TEXT.to_vec());
        table.seat(begun, sign("c"), Draw::new(seed_of(start)));
        let ours = begin(&mut Journal::default(), &session, &name("b")).expect("a run");
        table.seat(ours, sign("b"), Draw::new(tagged_hash("the thieves'", &start.to_le_bytes())));
        answers.push(answer::<C>(table, &key));
    }
    match solved::<C>(&answers).contains(&C::read(&scalar(&shares[&name("c")]))) {
        true => Loot::Stolen {
            what: "the share of an honest holder, and with the thieves' own the key".to_owned(),
        },
        false => Loot::refused("each start draws nonces of its own"),
    }
}

/// What one run of the victim says of its nonces and its share: z = d + e·ρ + y·c, where y is its weighted share. Where the
/// curve has it negate the nonces, the thieves do not know whether it did: then of -z and -c.
struct Equation {
    rho: U256,
    challenge: U256,
    answer: U256,
}

fn answer<C: Curve>(mut table: Table<Sign<C>>, key: &[u8]) -> Equation {
    let (mut commitments, mut z) = (vec![Vec::new(); 2], Vec::new());
    // A message to place 0, the victim's, is the thieves' own; what goes to place 1 is the victim's.
    table.run(|to, delivery| match delivery.kind {
        Kind::NonceCommitment => commitments[1 - to] = delivery.payload.expose().clone(),
        Kind::SignatureShare if to == 1 => z = delivery.payload.expose().clone(),
        _ => {}
    });
    let (_, end) = table.ends().pop().expect("the thieves");
    let (_, Signature(signature)) = end.expect("an end").expect("a signature");
    let challenge = C::challenged(&signature[..32], key, TEXT);
    let rho = binding::<C>(key, [(2, &commitments[1]), (3, &commitments[0])]);
    Equation { rho, challenge, answer: C::read(&z) }
}

/// The binding factor of holder 3 (RFC 9591, 4.4), from what was sent: a commitment ends in its two points.
fn binding<C: Curve>(key: &[u8], commitments: [(u8, &Vec<u8>); 2]) -> U256 {
    let mut list = Vec::new();
    for (index, commitment) in commitments {
        list.extend(C::index(index));
        list.extend(&commitment[commitment.len() - 2 * C::POINT..]);
    }
    C::rho(&[key, &C::labelled("msg", TEXT), &C::labelled("com", &list), &C::index(3)].concat())
}

/// The shares that three equations with the same nonces may have in common.
fn solved<C: Curve>(answers: &[Equation]) -> Vec<U256> {
    let [one, two, three] = answers else { panic!("three answers") };
    let less = |a: U256, b: U256| (a % C::ORDER).add_mod(C::ORDER - b % C::ORDER, C::ORDER);
    let times = |a: U256, b: U256| a.mul_mod(b, C::ORDER);
    let over = |a: U256, b: U256| times(a, b.inv_mod(C::ORDER).expect("a prime order"));
    let cross = |a: U256, b: U256, c: U256, d: U256| less(times(a, b), times(c, d));
    let rho = [less(one.rho, two.rho), less(one.rho, three.rho)];
    // The weight of holder 3 beside holder 2: 2 / (2 - 3).
    let weight = less(U256::ZERO, U256::from(2));
    let mut found = Vec::new();
    // Which of the two others negated its nonces where the first did not.
    for [second, third] in [[false, false], [true, false], [false, true], [true, true]] {
        let turned = |it: U256, turns: bool| if turns { less(U256::ZERO, it) } else { it };
        let of = |first: U256, others: [U256; 2]| {
            [less(first, turned(others[0], second)), less(first, turned(others[1], third))]
        };
        let c = of(one.challenge, [two.challenge, three.challenge]);
        let z = of(one.answer, [two.answer, three.answer]);
        let weighted = over(cross(z[0], rho[1], z[1], rho[0]), cross(c[0], rho[1], c[1], rho[0]));
        let share = over(weighted, weight);
        // BIP-340 signs with the key whose point is even.
        found.extend([share, less(U256::ZERO, share)]);
    }
    found
}

/// Both kinds sign 32 bytes.
const TEXT: &[u8] = b"one ether to a friend of friends";

//! A holder is put back to before its answer, and answers again (S5).
//!
//! Sony's console, 2010, and many wallets since: two signatures with one nonce give the key. With FROST it takes three
//! answers of one pair of nonces under other commitments. Backups and snapshots of machines are where one pair
//! comes from twice.
//!
//! `b` is the thieves', and can put the disk of `c` back. Three times they start the very same run with it, with
//! commitments of `b` that differ, and solve three equations for the share of `c`.
//!
//! The product's nonces are drawn anew by each run, in memory only. The twin's come from a state that goes back with
//! the disk. Where the disk is not put back, the record of the run is there, and neither begins twice.

use alloy_primitives::U256;
use keystead_base::{Digest, tagged_hash};
use keystead_threshold::{Ed25519, Journal, Kind, Purpose, Scheme, Sign, Signature};
use sha2::{Digest as _, Sha256, Sha512};

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

/// Plays it.
pub fn attack(seed_of: SeedOf, disk: Disk) -> Loot {
    let shares = born::<Ed25519>(holders(2, "a b c"));
    let key = shares[&name("c")].public().key.clone();
    let digest = Digest(Sha256::digest(TEXT).into());
    let purpose = Purpose::Sign { signers: names("b c"), digest, path: Vec::new() };
    let session = session(Scheme::Ed25519Frost, (1, holders(2, "a b c")), purpose, "again and again");
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
        let sign = |me: &str| Sign::<Ed25519>::new(again(&shares[&name(me)]), TEXT.to_vec());
        table.seat(begun, sign("c"), Draw::new(seed_of(start)));
        let ours = begin(&mut Journal::default(), &session, &name("b")).expect("a run");
        table.seat(ours, sign("b"), Draw::new(tagged_hash("the thieves'", &start.to_le_bytes())));
        answers.push(answer(table, &key));
    }
    match solved(&answers) == U256::from_le_bytes(scalar(&shares[&name("c")])) {
        true => Loot::Stolen {
            what: "the share of an honest holder, and with the thieves' own the key".to_owned(),
        },
        false => Loot::refused("each start draws nonces of its own"),
    }
}

/// What one run of the victim says of its nonces and its share: z = d + e·ρ + y·c, where y is its weighted share.
struct Equation {
    rho: U256,
    challenge: U256,
    answer: U256,
}

fn answer(mut table: Table<Sign<Ed25519>>, key: &[u8]) -> Equation {
    let (mut commitments, mut z) = (vec![Vec::new(); 2], Vec::new());
    // A message to place 0, the victim's, is the thieves' own; what goes to place 1 is the victim's.
    table.run(|to, delivery| match delivery.kind {
        Kind::NonceCommitment => commitments[1 - to] = delivery.payload.expose().clone(),
        Kind::SignatureShare if to == 1 => z = delivery.payload.expose().clone(),
        _ => {}
    });
    let (_, end) = table.ends().pop().expect("the thieves");
    let (_, Signature(signature)) = end.expect("an end").expect("a signature");
    let challenge = hashed(&[&signature[..32], key, TEXT]);
    let rho = binding(key, [(2, &commitments[1]), (3, &commitments[0])]);
    Equation { rho, challenge, answer: U256::from_le_slice(&z) }
}

/// The binding factor of holder 3 (RFC 9591, 4.4 and 6.1), from what was sent: a commitment ends in its two points.
fn binding(key: &[u8], commitments: [(u8, &Vec<u8>); 2]) -> U256 {
    let mut list = Vec::new();
    for (index, commitment) in commitments {
        list.extend(number(index));
        list.extend(&commitment[commitment.len() - 64..]);
    }
    let hash =
        |label: &str, bytes: &[u8]| Sha512::digest([CONTEXT.as_bytes(), label.as_bytes(), bytes].concat());
    let input = [key, &hash("msg", TEXT), &hash("com", &list), &number(3)].concat();
    hashed(&[CONTEXT.as_bytes(), b"rho", &input])
}

/// A hash as a scalar: 64 bytes, little-endian, by the order.
fn hashed(parts: &[&[u8]]) -> U256 {
    let hash = Sha512::digest(parts.concat());
    let (low, high) = (U256::from_le_slice(&hash[..32]), U256::from_le_slice(&hash[32..]));
    // 2^256 by the order, which is not a power of two.
    let shift = (U256::MAX % ORDER).add_mod(U256::from(1), ORDER);
    high.mul_mod(shift, ORDER).add_mod(low, ORDER)
}

fn number(index: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = index;
    bytes
}

/// The share that three equations with the same nonces have in common.
fn solved(answers: &[Equation]) -> U256 {
    let [one, two, three] = answers else { panic!("three answers") };
    let less = |a: U256, b: U256| (a % ORDER).add_mod(ORDER - b % ORDER, ORDER);
    let (rho, c) = (
        [less(one.rho, two.rho), less(one.rho, three.rho)],
        [less(one.challenge, two.challenge), less(one.challenge, three.challenge)],
    );
    let z = [less(one.answer, two.answer), less(one.answer, three.answer)];
    let cross = |a: U256, b: U256, c: U256, d: U256| less(a.mul_mod(b, ORDER), c.mul_mod(d, ORDER));
    let over = cross(z[0], rho[1], z[1], rho[0]);
    let under = cross(c[0], rho[1], c[1], rho[0]);
    let weighted = over.mul_mod(under.inv_mod(ORDER).expect("a prime order"), ORDER);
    // The weight of holder 3 beside holder 2: 2 / (2 - 3).
    let weight = less(U256::ZERO, U256::from(2));
    weighted.mul_mod(weight.inv_mod(ORDER).expect("a prime order"), ORDER)
}

/// The order of Ed25519's group.
const ORDER: U256 =
    U256::from_limbs([0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 0x1000_0000_0000_0000]);
/// RFC 9591, 6.1.
const CONTEXT: &str = "FROST-ED25519-SHA512-v1";
const TEXT: &[u8] = b"one ether to a friend";

//! Messages that are read, and their twins that are not.

use keystead_base::Coded as _;

use super::*;
use crate::fixture::{OTHER, PAYEE, US, draft, message};
use crate::{Draft, compile, order};

fn bytes(version: Version) -> Vec<u8> {
    let instructions = vec![order::transfer(US, PAYEE, 7), order::transfer(OTHER, PAYEE, 8)];
    compile(&Draft { version, ..draft(instructions) }).unwrap().to_bytes()
}

#[test]
fn s02_a_message_is_written_again_as_it_was_read() {
    for version in [Version::Legacy, Version::Zero] {
        let bytes = bytes(version);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.version(), message.to_bytes()), (version, bytes));
        assert_eq!(message.signers(), [US, OTHER]);
        assert_eq!(message.payer(), US);
        assert_eq!(message.instructions()[0], order::transfer(US, PAYEE, 7));
    }
}

/// Offsets of version 0: version, header of three, count, four keys, blockhash, count, instructions.
const KEYS: usize = 5;
const COUNT: usize = KEYS + 4 * 32 + 32;

#[test]
fn s02_spoiled_twins_are_refused_each_for_its_reason() {
    type Twin = (&'static str, fn(&mut Vec<u8>));
    let twins: [Twin; 17] = [
        ("solana.version", |it| it[0] = 0x81),
        ("solana.version", |it| it[0] = 0xff),
        ("solana.header", |it| it[1] = 0),
        ("solana.header", |it| it[1] = 5),
        ("solana.header", |it| it[2] = 2),
        ("solana.header", |it| it[3] = 3),
        ("solana.duplicate_key", |it| it.copy_within(KEYS..KEYS + 32, KEYS + 32)),
        ("solana.index", |it| it[COUNT + 1] = 0),
        ("solana.index", |it| it[COUNT + 1] = 4),
        ("solana.index", |it| it[COUNT + 3] = 4),
        ("solana.length", |it| drop(it.splice(COUNT..=COUNT, [0x82, 0x00]))),
        ("solana.no_instruction", |it| {
            it.truncate(COUNT);
            it.extend([0, 0]);
        }),
        ("solana.truncated", |it| it.truncate(it.len() - 1)),
        ("solana.truncated", |it| it.clear()),
        ("solana.trailing", |it| it.push(0)),
        ("solana.lookup_tables", |it| {
            it.pop();
            it.push(1);
            it.extend([8; 32]);
            it.extend([1, 0, 0]);
        }),
        ("solana.too_long", |it| it.resize(1_233, 0)),
    ];
    for (code, spoil) in twins {
        let mut spoiled = bytes(Version::Zero);
        spoil(&mut spoiled);
        assert_eq!(Message::parse(&spoiled).unwrap_err().code(), code, "{spoiled:?}");
    }
}

#[test]
fn s02_every_cut_is_refused() {
    for version in [Version::Legacy, Version::Zero] {
        let bytes = bytes(version);
        assert!((0..bytes.len()).all(|cut| Message::parse(&bytes[..cut]).is_err()));
    }
}

/// With its signatures a transaction fits one packet: one byte more, and no validator would take it.
#[test]
fn a_message_leaves_room_for_its_signatures() {
    let memo = |length: usize| compile(&draft(vec![order::memo(&"a".repeat(length))]));
    let room = |length| memo(length).map(|it| it.to_bytes().len() + 65);
    let longest = (0..1_232).rev().find(|length| room(*length).is_ok()).unwrap();
    assert_eq!(room(longest), Ok(MAX_TRANSACTION_BYTES));
    assert_eq!(room(longest + 1).unwrap_err().code(), "solana.too_long");
}

#[test]
fn s02_rights_are_those_of_the_header() {
    let sent =
        message(vec![order::advance_nonce(crate::fixture::NONCE, OTHER), order::transfer(US, PAYEE, 1)]);
    let [nonce, sysvar, authority] = sent.instructions()[0].accounts[..] else { panic!("three accounts") };
    assert_eq!((nonce.signer, nonce.writable), (false, true));
    assert_eq!((sysvar.signer, sysvar.writable), (false, false));
    assert_eq!((authority.signer, authority.writable), (true, false));
}

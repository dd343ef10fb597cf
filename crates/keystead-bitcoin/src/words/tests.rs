//! The very words that people read.

use super::*;
use crate::fixture::{MULTI, TR, WPKH, at, change, desk, pay, receive, stranger};
use crate::{Scope, Terms, View, explain};

fn text(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|it| it.text.as_str()).collect()
}

#[test]
fn s02_a_payment_in_words() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.outputs[0] = pay(600_000, stranger());
    let lines = describe(&explain(&desk.view(&draft)), &|_| None);
    assert_eq!(
        text(&lines),
        [
            "TRANSFER: value leaves once, by the amounts below",
            "Sends 0.00600000 tBTC to bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080, NOT IN THE ADDRESS BOOK",
            "Change: 0.00399000 tBTC back to ours at wpkh hot/1/7, proven",
            "Fee 1 000 sat, 7.1 sat/vB for at most 141 vB, on regtest",
            "Spends 1 coin of ours with 0.01000000 tBTC",
            "Altogether 0.00601000 tBTC leave us, the fee included",
            "Until it is in a block, another transaction with a higher fee may replace it",
            &format!("Coins: {}", keystead_base::Canonical::digest(&explain(&desk.view(&draft)).spends)),
        ]
    );
    assert_eq!(lines[0].class, Some(DangerClass::Transfer));
    assert_eq!(lines[3].class, None);
}

#[test]
fn s02_names_dangers_and_conditions_in_words() {
    let desk = desk();
    let mut draft = desk.draft(MULTI);
    draft.lock_time = 812_345;
    draft.inputs[0].sequence = bitcoin::Sequence::ENABLE_LOCKTIME_NO_RBF;
    draft.inputs.push(desk.coin(receive(TR), 700_000));
    draft.outputs.push(pay(0, bitcoin::ScriptBuf::new_op_return(*b"swap")));
    draft
        .outputs
        .push(pay(1_000, bitcoin::ScriptBuf::from_hex("5210751e76e8199196d454941c45d1b3a323").unwrap()));
    draft.outputs.push(desk.back(650_000, at(TR, Branch::Receive, 0)));
    draft.inputs[1].sequence = bitcoin::Sequence::MAX;
    let psbt = desk.psbt(&draft).edited(Scope::Input(1), &[0x42, 1], Some(b"unknown"));
    let terms = Terms { lock_time_height: 812_345, ..Terms::default() };
    let effects = explain(&View::read(&psbt, &desk.wallet, &terms).unwrap());
    let lines = describe(&effects, &|address| address.ends_with("gt080").then(|| "exchange".to_owned()));
    let size = effects.virtual_bytes;
    assert_eq!(
        text(&lines)[..11],
        [
            "NOT UNDERSTOOD: nobody can say what a part of this transaction does",
            "Writes 5 bytes that others may take for an order: 0473776170",
            "Sends 0.00001000 tBTC to a script that nobody here understands: 5210751e76e8199196d454941c45d1b3a323",
            "Sends 0.00600000 tBTC to exchange (bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)",
            "Change: 0.00399000 tBTC back to ours at wsh(sortedmulti) vault/1/7, proven",
            "To ourselves: 0.00650000 tBTC back to ours at tr tap/0/0, proven",
            &format!(
                "Fee 50 000 sat, {}.{} sat/vB for at most {size} vB, on regtest",
                effects.rate_tenths() / 10,
                effects.rate_tenths() % 10
            ),
            "Spends 2 coins of ours with 0.01700000 tBTC",
            "Altogether 0.00651000 tBTC leave us, the fee included",
            "NOT VALID BEFORE block 812 345",
            "input 1: kept, and not read: unknown (key 4201)",
        ]
    );
    let _ = change(TR);
}

/// A PSBT of a megabyte is not a screen of a megabyte, and nothing is left out in silence.
#[test]
fn s02_what_is_too_long_to_read_is_counted() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.outputs.push(pay(0, bitcoin::ScriptBuf::from_bytes([&[0x6a, 0x4c, 200][..], &[7; 200]].concat())));
    let many =
        (0..30).fold(desk.psbt(&draft), |psbt, at| psbt.edited(Scope::Input(0), &[0x42, at], Some(b"")));
    let effects = explain(&View::read(&many, &desk.wallet, &Terms::default()).unwrap());
    let lines = describe(&effects, &|_| None);
    let data = format!("4cc8{}… and 119 bytes more", "07".repeat(81));
    assert_eq!(lines[1].text, format!("Writes 202 bytes that others may take for an order: {data}"));
    let kept = text(&lines).into_iter().filter(|it| it.contains("kept, and not read")).collect::<Vec<_>>();
    assert_eq!((kept.len(), kept[20]), (21, "10 more fields are kept, and not read"));
}

#[test]
fn s02_numbers_are_written_in_one_way() {
    for (sat, text) in [
        (0, "0.00000000 BTC"),
        (1, "0.00000001 BTC"),
        (100_000_000, "1.00000000 BTC"),
        (2_100_000_000_000_000, "21000000.00000000 BTC"),
    ] {
        assert_eq!(crate::Network::Mainnet.amount(sat), text);
    }
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1 000"),
        (12_345, "12 345"),
        (123_456, "123 456"),
        (1_234_567, "1 234 567"),
    ] {
        assert_eq!(grouped(number), text);
    }
}

/// An address that begins and ends as one of the address book does is another, whatever it is called.
#[test]
fn s12_an_address_that_looks_like_a_known_one_is_said_to_be_another() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.outputs[0] = pay(600_000, stranger());
    let effects = explain(&desk.view(&draft));
    let payee = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    let twin = "bcrt1qw508aaaaaaaaaaaaaaaaaaaaaaaaaaaaaat080";
    for (known, name, warns) in [(twin, None, true), (twin, Some("payee"), true), (payee, None, false)] {
        let known = [(known.to_owned(), "exchange".to_owned())];
        let names = |_: &str| name.map(str::to_owned);
        let speaker = Speaker { names: &names, known: &known, language: Language::English };
        let said = describe_as(&effects, &speaker)[1].text.clone();
        let warning = format!(", WHICH LOOKS LIKE exchange ({twin}) AND IS ANOTHER");
        assert_eq!(said.ends_with(&warning), warns, "{said}");
    }
}

#[test]
fn german_says_the_same_of_a_payment() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.outputs[0] = pay(600_000, stranger());
    let speaker = Speaker { names: &|_| None, known: &[], language: Language::German };
    let lines = describe_as(&explain(&desk.view(&draft)), &speaker);
    assert_eq!(
        text(&lines)[..4],
        [
            "ÜBERWEISUNG: Wert geht einmal ab, in den Beträgen unten",
            "Sendet 0.00600000 tBTC an bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080, NICHT IM ADRESSBUCH",
            "Wechselgeld: 0.00399000 tBTC zurück an uns bei wpkh hot/1/7, bewiesen",
            "Gebühr 1 000 sat, 7.1 sat/vB für höchstens 141 vB, auf regtest",
        ]
    );
}

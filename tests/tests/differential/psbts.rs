//! PSBTs of both versions: read, signed and finalized here and by `@scure/btc-signer`, to the same bytes (S2, S7).

use bitcoin::consensus::serialize;
use bitcoin::hex::DisplayHex as _;
use keystead_base::Coded;
use keystead_bitcoin::{InputSignature, Psbt, PsbtVersion, View, compose};
use serde_json::{Value, json};

use crate::books::{Books, Reason, Word};
use crate::dice::{Dice, PSBTS, SPOILED_PSBTS, cases};
use crate::other::node;
use crate::pairs::Pairs;
use crate::purse::{Purse, terms};
use crate::spoiled;

/// What we refuse and `@scure/btc-signer` takes.
const OURS: &[Reason] = &[
    ("psbt.trailing_bytes", "a map more than there are outputs, which an old writer adds"),
    ("bitcoin.already_final", "nothing is left to sign"),
    ("bitcoin.false_input", "a key of ours is claimed for a script that is another one: they know no wallet"),
    ("bitcoin.foreign_change", "the same of an output"),
    ("bitcoin.foreign_input", "no derivation says that it is ours"),
    ("bitcoin.nothing_of_ours", "none is ours"),
    ("bitcoin.foreign_signature", "a signature of somebody who has no part"),
    ("bitcoin.negative_fee", "amounts are added up before anything is signed, and not after"),
    ("bitcoin.overflow", "the same of amounts beyond all coins"),
    ("bitcoin.absurd_fee", "a fee beyond what any policy has"),
    ("bitcoin.absurd_rate", "the same"),
    ("bitcoin.dust", "an output that nodes do not relay"),
    ("bitcoin.burn", "coins that nobody could spend again"),
    ("bitcoin.sighash", "type 0 is none of ECDSA (BIP-143): they sign ALL"),
    ("bitcoin.unproven_amount", "an amount that no signature covers (the fee attack on BIP-143)"),
    ("bitcoin.transaction_version", "a version whose rules nobody knows"),
    ("bitcoin.script_path", "a spend by a taproot script, which no key here signs"),
    ("bitcoin.far_change", "change where no wallet looks"),
];
/// What it refuses and we take.
const THEIRS: &[Reason] = &[
    (UNREAD, "they read the value of a field that here is kept, named and without any meaning"),
    (
        "without redeemScript",
        "the script behind the hash is derived from our own keys, and need not come along",
    ),
    ("without witnessScript", "the same"),
];
/// Before what they say of a PSBT that has a field which nothing here reads.
const UNREAD: &str = "a field that nothing here reads: ";

/// A signed case: what we made of it.
struct Signed {
    /// Transaction, coins, digests.
    read: String,
    /// The transaction for the network.
    done: String,
    asked: Value,
}

#[test]
fn s02_random_psbts_are_signed_and_finalized_to_the_bytes_of_another_signer() {
    let (mut dice, purse) = (Dice::of("PSBTs"), Purse::open());
    let drawn: Vec<Signed> = (0..cases(PSBTS)).map(|_| sign(&mut dice, &purse)).collect();
    let asked: Vec<Value> = drawn.iter().map(|it| it.asked.clone()).collect();
    for (case, said) in drawn.iter().zip(node("psbts.mjs", &asked)) {
        assert!(said["error"].is_null(), "{said}: {}", case.asked);
        assert_eq!(case.read, text(&said, "word"), "read, left: ours; {}", case.asked);
        assert_eq!(case.done, text(&said, "done"), "signed by each, left: ours; {}", case.asked);
        assert_eq!(case.done, text(&said, "finalized"), "signed here, finalized there; {}", case.asked);
        let theirs = const_hex::decode(text(&said, "signed")).expect("hex");
        let read = Psbt::parse(&theirs).expect("what they signed");
        let view = View::read(&read, &purse.wallet, &terms()).expect("what they signed");
        let done = view.finalize(&[]).expect("signatures of theirs");
        assert_eq!(hex(&done.to_bytes()), case.done, "signed there, finalized here; {}", case.asked);
    }
    keystead_tests::tell(&format!("@scure/btc-signer: {} PSBTs to the same transactions", drawn.len()));
}

#[test]
fn s02_spoiled_psbts_are_read_the_same_or_refused_for_a_listed_reason() {
    let (mut dice, purse) = (Dice::of("spoiled PSBTs"), Purse::open());
    let drawn: Vec<(Vec<u8>, Word)> = (0..cases(SPOILED_PSBTS)).map(|_| spoil(&mut dice, &purse)).collect();
    let asked: Vec<Value> =
        drawn.iter().map(|(psbt, _)| json!({ "psbt": hex(psbt), "two": is_two(psbt) })).collect();
    let mut books = Books::with("@scure/btc-signer", OURS, THEIRS);
    for ((psbt, ours), said) in drawn.iter().zip(node("psbts.mjs", &asked)) {
        let theirs = match said["error"].as_str() {
            Some(error) if is_of_values(error) && keeps(psbt) => Err(format!("{UNREAD}{error}")),
            Some(error) => Err(error.to_owned()),
            None => Ok(text(&said, "word").to_owned()),
        };
        books.compare(ours, &theirs, &hex(psbt));
    }
    books.close(drawn.len() / 10, drawn.len() / 10);
}

/// A payment with the sighash types that are signed, and fields that nobody here knows.
fn draw(dice: &mut Dice, purse: &Purse) -> Pairs {
    let draft = purse.draft(dice);
    let psbt = compose(&purse.wallet, &draft).expect("a payment of ours");
    let version = if dice.once_in(2) { PsbtVersion::Zero } else { PsbtVersion::Two };
    let mut pairs = Pairs::read(&psbt.to_bytes(version));
    for (at, input) in draft.inputs.iter().enumerate() {
        let taproot = input.previous.output[input.output as usize].script_pubkey.is_p2tr();
        match dice.below(4) {
            0 => pairs.add(1 + at, &[0x03], &1_u32.to_le_bytes()),
            1 if taproot => pairs.add(1 + at, &[0x03], &0_u32.to_le_bytes()),
            _ => {}
        }
    }
    for map in 0..pairs.0.len() {
        if dice.once_in(6) {
            let value = dice.bytes(5);
            pairs.add(map, &[0xfc, 4, b't', b'e', b's', b't', 1, 7], &value);
        }
        if dice.once_in(6) {
            let value = dice.bytes(9);
            pairs.add(map, &[0xf0, 1, 2], &value);
        }
    }
    pairs
}

fn sign(dice: &mut Dice, purse: &Purse) -> Signed {
    let bytes = draw(dice, purse).write();
    let psbt = Psbt::parse(&bytes).expect("a PSBT of ours");
    let view = View::read(&psbt, &purse.wallet, &terms()).expect("a payment of ours");
    let digests = view.digests();
    let secret = |it: &bitcoin::secp256k1::SecretKey| hex(&it.secret_bytes());
    let keys: Vec<Vec<String>> =
        digests.iter().map(|it| purse.secrets(it).iter().map(secret).collect()).collect();
    let signatures: Vec<InputSignature> = digests.iter().flat_map(|it| purse.sign(it)).collect();
    let by_us = view.sign_into(&psbt, &signatures).expect("our signatures");
    let by_us = by_us.to_bytes(Psbt::version(&bytes).expect("a version"));
    let read = word(&view);
    let done = hex(&view.finalize(&signatures).expect("our signatures").to_bytes());
    Signed { read, done, asked: json!({ "psbt": hex(&bytes), "keys": keys, "by_us": hex(&by_us) }) }
}

fn spoil(dice: &mut Dice, purse: &Purse) -> (Vec<u8>, Word) {
    let mut pairs = draw(dice, purse);
    let bytes = match dice.below(3) {
        0 => spoiled::bytes(dice, pairs.write()),
        _ => {
            pairs.spoil(dice);
            pairs.write()
        }
    };
    let parsed = Psbt::parse(&bytes).map_err(|error| error.code().to_owned());
    let read = parsed
        .and_then(|it| View::read(&it, &purse.wallet, &terms()).map_err(|error| error.code().to_owned()));
    let read = read.map(|view| word(&view));
    (bytes, read)
}

/// Whether this is about a single field, and not about what fields say of one another.
fn is_of_values(error: &str) -> bool {
    error.starts_with("Reader(") || error.starts_with("PSBT")
}

/// Whether there are fields that nothing here reads, other than those of `draw`.
fn keeps(psbt: &[u8]) -> bool {
    let drawn = |key: &[u8]| key.first() == Some(&0xf0) || key.starts_with(&[0xfc, 4]);
    Psbt::parse(psbt).is_ok_and(|it| it.kept().iter().any(|kept| !drawn(&kept.key)))
}

/// Whether the first map says that it is of version 2.
fn is_two(psbt: &[u8]) -> bool {
    psbt.windows(7).any(|it| it == [0x01, 0xfb, 0x04, 2, 0, 0, 0])
}

/// The transaction, what it spends, and what is signed for each input.
fn word(view: &View) -> String {
    let spent = view
        .inputs()
        .iter()
        .map(|it| format!("{}:{}", it.spent.value.to_sat(), hex(it.spent.script_pubkey.as_bytes())));
    let digests = view.digests().into_iter().map(|it| hex(&it.digest.0));
    let transaction = std::iter::once(hex(&serialize(view.transaction())));
    transaction.chain(spent).chain(digests).collect::<Vec<_>>().join(" ")
}

fn text<'a>(said: &'a Value, name: &str) -> &'a str {
    said[name].as_str().unwrap_or_else(|| panic!("no {name} in {said}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.to_lower_hex_string()
}

//! Random wallets' payments, and spoiled bytes: what is read twice is the same, and no two fees have one signature.

use bitcoin::{ScriptBuf, Sequence};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::fixture::{ALL_FORMS, Desk, at, desk, pay};
use crate::{Branch, Draft, Psbt, PsbtVersion, Terms, View, describe, explain};

/// The seed of every run; a failing case is shrunk and printed.
const SEED: [u8; 32] = *b"keystead-bitcoin: bytes decide.\0";

/// Form, index, and what a coin has above 50,000 satoshi, in units of 16.
type In = (usize, u32, u32);
/// Form, index, and whether it is ours.
type Out = (usize, u32, bool);

fn run<S: Strategy>(
    name: &str,
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    println!("{name}: {cases} cases, seed {:?}", String::from_utf8_lossy(&SEED));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    TestRunner::new_with_rng(config, random).run(strategy, test).unwrap();
}

/// Coins and outputs of any form and place; what is left of a few thousand satoshi is the fee.
fn draft(desk: &Desk, inputs: &[In], outputs: &[Out], fee: u64) -> Draft {
    let coin = |(at_input, (form, index, sat)): (usize, &In)| {
        let sat = 50_000 + u64::from(*sat) * 16 + u64::try_from(at_input).unwrap();
        desk.coin(at(*form, Branch::Receive, *index), sat)
    };
    let inputs: Vec<_> = inputs.iter().enumerate().map(coin).collect();
    let value = |it: &crate::DraftInput| it.previous.output[1].value.to_sat();
    let total: u64 = inputs.iter().map(value).sum();
    let share = (total - fee) / u64::try_from(outputs.len()).unwrap();
    let output = |(form, index, ours): &Out| {
        let owned = at(*form, Branch::Change, *index);
        match ours {
            true => desk.back(share, owned),
            false => pay(share, ScriptBuf::new_p2sh(&desk.script(owned).script_hash())),
        }
    };
    Draft { lock_time: 0, inputs, outputs: outputs.iter().map(output).collect() }
}

fn drafts() -> impl Strategy<Value = (Vec<In>, Vec<Out>, u64)> {
    let form = || proptest::sample::select(ALL_FORMS.to_vec());
    let inputs = proptest::collection::vec((form(), 0..1_000_u32, any::<u32>()), 1..5);
    let outputs = proptest::collection::vec((form(), 0..1_000_u32, any::<bool>()), 1..5);
    (inputs, outputs, 100..20_000_u64)
}

#[test]
fn s02_random_payments_are_read_the_same_from_every_form() {
    let desk = desk();
    run("random payments", 150, &drafts(), |(inputs, outputs, fee)| {
        let psbt = desk.psbt(&draft(&desk, &inputs, &outputs, fee));
        let view = View::read(&psbt, &desk.wallet, &Terms::default()).unwrap();
        for version in [PsbtVersion::Zero, PsbtVersion::Two] {
            let again = Psbt::parse(&psbt.to_bytes(version)).unwrap();
            prop_assert_eq!(&again, &psbt);
            prop_assert_eq!(&View::read(&again, &desk.wallet, &Terms::default()).unwrap(), &view);
        }
        let effects = explain(&view);
        let out: u64 = effects.items.iter().map(|it| it.sat).sum();
        prop_assert_eq!(effects.ours_sat(), out + effects.fee_sat);
        let returned = outputs.iter().filter(|it| it.2).count();
        let share = effects.items[0].sat;
        prop_assert_eq!(effects.returned_sat(), share * u64::try_from(returned).unwrap());
        prop_assert!(describe(&effects, &|_| None).len() > outputs.len());
        let (most, signatures) = (view.weight(), desk.sign(&view));
        let done = view.finalize(&signatures).unwrap();
        prop_assert!(done.transaction().weight().to_wu() <= most);
        Ok(())
    });
}

/// What the fee attack needs: two readings, one signature. Bytes are spoiled anywhere in the PSBT, as values and as
/// lengths; whatever is still read and would be signed alike also pays alike.
#[test]
fn s02_one_digest_has_one_fee_and_one_set_of_outputs() {
    let desk = desk();
    let spoils = proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4);
    run(
        "spoiled payments",
        600,
        &(drafts(), any::<bool>(), spoils),
        |((inputs, outputs, fee), two, spoils)| {
            let psbt = desk.psbt(&draft(&desk, &inputs, &outputs, fee));
            let terms = Terms { foreign_inputs: true, relative_locks: true, ..Terms::default() };
            let view = View::read(&psbt, &desk.wallet, &terms).unwrap();
            let mut bytes = psbt.to_bytes(if two { PsbtVersion::Two } else { PsbtVersion::Zero });
            let length = bytes.len();
            spoils.iter().for_each(|(at, with)| bytes[at % length] ^= with);
            let Ok(spoiled) = Psbt::parse(&bytes) else { return Ok(()) };
            let Ok(other) = View::read(&spoiled, &desk.wallet, &terms) else { return Ok(()) };
            let same = |a: &crate::SigningDigest, b: &crate::SigningDigest| a.digest == b.digest;
            let shared = view.digests().iter().any(|a| other.digests().iter().any(|b| same(a, b)));
            if shared {
                prop_assert_eq!(view.fee_sat(), other.fee_sat());
                prop_assert_eq!(view.transaction(), other.transaction());
            }
            Ok(())
        },
    );
}

/// Whatever is accepted here and by another reader is the same transaction to both.
#[test]
fn s02_spoiled_bytes_are_one_transaction_to_all_readers() {
    let desk = desk();
    let spoils = proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4);
    let both = std::cell::Cell::new(0_u32);
    run(
        "spoiled bytes",
        1_500,
        &(drafts(), any::<bool>(), spoils),
        |((inputs, outputs, fee), two, spoils)| {
            let psbt = desk.psbt(&draft(&desk, &inputs, &outputs, fee));
            let mut bytes = psbt.to_bytes(if two { PsbtVersion::Two } else { PsbtVersion::Zero });
            let length = bytes.len();
            spoils.iter().for_each(|(at, with)| bytes[at % length] ^= with);
            let Ok(ours) = Psbt::parse(&bytes) else { return Ok(()) };
            let theirs = match two {
                false => bitcoin::Psbt::deserialize(&bytes).ok().map(|it| it.unsigned_tx),
                true => {
                    let read = psbt_v2::v2::Psbt::deserialize(&bytes).ok();
                    read.and_then(|it| psbt_v2::v2::Signer::new(it).ok()).map(|it| it.unsigned_tx())
                }
            };
            if let Some(mut theirs) = theirs {
                // A sequence that is missing is 0xffffffff (BIP-370); `psbt-v2` 0.3 takes 0.
                for (theirs, ours) in theirs.input.iter_mut().zip(&ours.transaction().input) {
                    let missing = two && theirs.sequence == Sequence::ZERO && ours.sequence == Sequence::MAX;
                    theirs.sequence = if missing { Sequence::MAX } else { theirs.sequence };
                }
                prop_assert_eq!(ours.transaction(), &theirs);
                both.set(both.get() + 1);
            }
            Ok(())
        },
    );
    assert!(both.get() > 100, "{} were accepted by both", both.get());
}

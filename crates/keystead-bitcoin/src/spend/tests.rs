//! What policy sees of a spend, and what a grant of it binds.

use bitcoin::Amount as BitcoinAmount;

use super::*;
use crate::fixture::{Desk, TR, WPKH, at, change, desk, pay, receive, stranger};
use crate::{Branch, PsbtVersion};

/// The first four descriptors of the desk are one account's; the fifth needs co-signers.
pub(crate) fn recorded(desk: &Desk) -> BitcoinWallet {
    let descriptors = desk.wallet.descriptors().iter().take(4).map(|(_, it)| it.to_string()).collect();
    let cosigner = desk.wallet.descriptors()[4].1.keys()[0].to_string();
    BitcoinWallet { chain: Network::Regtest.chain(), account: 0, descriptors, cosigner }
}

fn read(desk: &Desk, psbt: &Psbt) -> Result<Spend, SpendError> {
    Spend::read(&recorded(desk), &psbt.to_bytes(PsbtVersion::Zero))
}

#[test]
fn s02_outputs_fee_and_proven_change_are_what_policy_sees() {
    let desk = desk();
    for form in 0..4 {
        let spend = read(&desk, &desk.psbt(&desk.draft(form))).unwrap();
        let (effects, wallet) = (spend.effects(), spend.wallet());
        let to = BitcoinDestination { chain: effects.chain, script: stranger().into_bytes().into() }.id();
        let moves = |to, sat: u64| Kind::Transfer {
            asset: Asset::Native,
            from: wallet,
            to,
            amount: Amount::from(sat),
        };
        let kinds: Vec<_> = effects.items.iter().map(|it| it.kind.clone()).collect();
        assert_eq!(kinds, [moves(to, 600_000), moves(wallet, 399_000)]);
        assert_eq!(effects.fee.max, Amount::from(1_000_u64));
        let coins = effects.coins.unwrap();
        assert_eq!(coins.coins.len(), 1);
        assert_eq!(coins.fee_rate, 1_000_u64.div_ceil(spend.view().virtual_bytes()));
    }
}

#[test]
fn s02_data_and_scripts_of_no_standard_form_are_opaque() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.outputs[1].output.value -= BitcoinAmount::from_sat(10_000);
    draft.outputs.push(pay(0, bitcoin::ScriptBuf::new_op_return([7; 4])));
    draft.outputs.push(pay(10_000, bitcoin::ScriptBuf::from_bytes(vec![0x51])));
    let effects = read(&desk, &desk.psbt(&draft)).unwrap().effects();
    let reasons = effects.items.iter().filter_map(|it| match it.kind {
        Kind::Opaque { reason, value, .. } => Some((reason, value)),
        _ => None,
    });
    let sat = Amount::from(10_000_u64);
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [(OpaqueReason::DataOutput, Amount::ZERO), (OpaqueReason::UnknownScript, sat)]
    );
    assert_eq!(effects.class(), keystead_intent::DangerClass::Opaque);
}

/// INVARIANT S2: whatever differs in what is signed differs in what is granted; whatever is only said does not.
#[test]
fn s02_a_grant_names_all_that_is_signed_and_nothing_else() {
    let desk = desk();
    let digest = |change: &dyn Fn(&mut crate::Draft)| {
        let mut draft = desk.draft(TR);
        change(&mut draft);
        read(&desk, &desk.psbt(&draft)).unwrap().signing_digest()
    };
    let plain = digest(&|_| ());
    assert_eq!(digest(&|_| ()), plain);
    let sat = BitcoinAmount::from_sat(1);
    assert_ne!(digest(&|it| it.outputs[0].output.value -= sat), plain);
    assert_ne!(digest(&|it| it.outputs.swap(0, 1)), plain);
    assert_ne!(digest(&|it| it.inputs[0].sequence = bitcoin::Sequence::MAX), plain);
    let both = Spend::read(&recorded(&desk), &desk.psbt(&desk.draft(TR)).to_bytes(PsbtVersion::Two)).unwrap();
    assert_eq!(both.signing_digest(), plain, "the version of the format is no part of it");
}

#[test]
fn s07_signatures_travel_and_end_the_spend_and_one_that_came_along_is_refused() {
    let desk = desk();
    for form in 0..4 {
        let psbt = desk.psbt(&desk.draft(form));
        let spend = read(&desk, &psbt).unwrap();
        let signed = desk.sign(spend.view());
        let travels = |it: &InputSignature| SpendSignature {
            input: u32::try_from(it.input).unwrap(),
            key: it.key.serialize(),
            bytes: it.bytes.clone(),
        };
        let signatures = SpendSignatures { signatures: signed.iter().map(travels).collect() };
        let received = SpendSignatures::from_document(&signatures.to_document()).unwrap();
        let partial = spend.sign_into(&received).unwrap();
        assert_eq!(read(&desk, &partial).unwrap_err().code(), "bitcoin.signed");
        let mut spoiled = received.clone();
        spoiled.signatures[0].bytes[10] ^= 1;
        assert!(read(&desk, &psbt).unwrap().finalize(&spoiled).is_err());
        let mut none = received.clone();
        none.signatures.clear();
        assert_eq!(read(&desk, &psbt).unwrap().finalize(&none).unwrap_err().code(), "finalize.missing");
        assert!(spend.finalize(&received).is_ok());
    }
}

/// INVARIANT S12: what does not come back to this very account is no change, even where another key of ours holds it.
#[test]
fn s12_only_what_is_derived_from_the_recorded_wallet_comes_back() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.outputs[1].output.script_pubkey = desk.script(at(4, Branch::Change, 0));
    draft.outputs[1].owned = None;
    let spend = read(&desk, &desk.psbt(&draft)).unwrap();
    let to_wallet = spend.effects().items.iter().any(|it| match it.kind {
        Kind::Transfer { to, .. } => to == spend.wallet(),
        _ => false,
    });
    assert!(!to_wallet);
    let mut foreign = desk.draft(WPKH);
    foreign.inputs = vec![desk.coin(receive(4), 1_000_000)];
    let refused = read(&desk, &desk.psbt(&foreign)).unwrap_err();
    assert_eq!(refused.code(), "bitcoin.nothing_of_ours");
    let _ = change(WPKH);
}

#[test]
fn d03_a_request_has_no_more_inputs_and_outputs_than_are_read_quickly() {
    let desk = desk();
    let with = |outputs: usize| {
        let mut draft = desk.draft(WPKH);
        let paid: u64 = (draft.outputs.len()..outputs).map(|_| 1_000).sum();
        draft.outputs[1].output.value -= BitcoinAmount::from_sat(paid);
        draft.outputs.extend((draft.outputs.len()..outputs).map(|_| pay(1_000, stranger())));
        read(&desk, &desk.psbt(&draft)).map(drop)
    };
    assert_eq!(with(MAX_SPEND_OUTPUTS), Ok(()));
    let found = with(MAX_SPEND_OUTPUTS + 1);
    assert_eq!(found, Err(SpendError::Large { inputs: 1, outputs: MAX_SPEND_OUTPUTS + 1 }));
}

//! What leaves, what comes back, and what nobody can tell.

use bitcoin::ScriptBuf;

use super::*;
use crate::fixture::{ALL_FORMS, WPKH, at, change, desk, pay, receive, stranger};
use crate::{Branch, Terms};

#[test]
fn s02_change_is_what_is_derived_and_not_what_is_said() {
    let desk = desk();
    for form in ALL_FORMS {
        let effects = explain(&desk.view(&desk.draft(form)));
        let (name, descriptor) = desk.wallet.descriptors()[form].clone();
        let back =
            EffectKind::Return { name: name.to_string(), form: descriptor.form(), owned: change(form) };
        assert_eq!(effects.items[1].kind, back);
        assert_eq!(
            effects.items[0].kind,
            EffectKind::Payment { address: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080".into() }
        );
        assert_eq!((effects.ours_sat(), effects.foreign_sat()), (1_000_000, 0));
        assert_eq!((effects.returned_sat(), effects.net_outflow_sat()), (399_000, 601_000));
        assert_eq!(effects.class(), DangerClass::Transfer);
    }
    // The same script without a claim leaves us, as far as anybody can tell.
    let mut draft = desk.draft(WPKH);
    draft.outputs[1].owned = None;
    let effects = explain(&desk.view(&draft));
    assert!(matches!(effects.items[1].kind, EffectKind::Payment { .. }));
    assert_eq!(effects.net_outflow_sat(), 1_000_000);
    let terms = Terms { search: 8, ..Terms::default() };
    let searched = View::read(&desk.psbt(&draft), &desk.wallet, &terms).unwrap();
    assert_eq!(explain(&searched).net_outflow_sat(), 601_000);
}

#[test]
fn s02_what_nobody_can_tell_is_opaque() {
    let desk = desk();
    let hex = |text: &str| ScriptBuf::from_hex(text).unwrap();
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let unknown = [
        format!("21{key}ac"),
        format!("5121{key}51ae"),
        // A witness program of version 2, and the anchor that anybody may spend.
        "5210751e76e8199196d454941c45d1b3a323".to_owned(),
        "51024e73".to_owned(),
        "00".to_owned(),
        "6a".to_owned(),
    ];
    for script in unknown {
        let mut draft = desk.draft(WPKH);
        let value = if script == "6a" { 0 } else { 1_000 };
        draft.outputs[0] = pay(value, hex(&script));
        draft.outputs[1] = desk.back(990_000, change(WPKH));
        let effects = explain(&desk.view(&draft));
        assert_eq!(effects.class(), DangerClass::Opaque, "{script}");
        let data = EffectKind::Data { bytes: Vec::new() };
        assert_eq!(
            effects.items[0].kind,
            if script == "6a" { data } else { EffectKind::Unknown },
            "{script}"
        );
    }
    let mut draft = desk.draft(WPKH);
    draft.outputs.push(pay(0, ScriptBuf::new_op_return(*b"swap")));
    let effects = explain(&desk.view(&draft));
    assert_eq!(effects.items[2].kind, EffectKind::Data { bytes: b"\x04swap".to_vec() });
    assert_eq!(effects.class(), DangerClass::Opaque);
}

#[test]
fn s02_what_others_pay_is_told_apart() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.inputs.push(desk.coin(receive(WPKH), 50_000));
    draft.outputs.push(desk.back(49_000, at(WPKH, Branch::Receive, 9)));
    let psbt = desk.psbt(&draft);
    let key = desk.wallet.derive(receive(WPKH)).unwrap().keys[0].public.serialize();
    let psbt = psbt.edited(crate::Scope::Input(1), &[&[0x06][..], &key].concat(), None);
    let terms = Terms { foreign_inputs: true, ..Terms::default() };
    let effects = explain(&View::read(&psbt, &desk.wallet, &terms).unwrap());
    assert_eq!((effects.ours_sat(), effects.foreign_sat()), (1_000_000, 50_000));
    assert_eq!(effects.returned_sat(), 448_000);
    assert_eq!(effects.net_outflow_sat(), 552_000);
    assert_eq!(effects.fee_sat, 2_000);
    let _ = stranger();
}

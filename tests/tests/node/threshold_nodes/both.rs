//! A key of ECDSA and one of FROST, in one cluster.

use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_policy::PolicyVersion;
use keystead_solana::Pubkey;
use keystead_tests::cluster::{Station, ether};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::solana::{SOL, asks, lists_solana, moves_sol, payment};
use keystead_wire::RequestStage;

use super::{born, key_once, told};

/// Of ECDSA, and of Ed25519.
pub(super) const BOTH: [&str; 2] = ["hot", "sol"];

/// The desk moves what the key `sol` has.
pub(super) fn lists_sol(policy: &mut PolicyVersion) {
    lists_solana(policy, SOL);
    moves_sol(policy, "desk", "sol");
}

/// Both keys, born in shares among the first three: any two of them sign.
pub(super) async fn both_born(stations: &[Station]) {
    born(stations).await;
    let holders = ["node-1", "node-2", "node-3"].map(name).to_vec();
    let kind = KeyKind::ThresholdEd25519;
    let generate = KeyCeremony::Generate { key: name("sol"), kind, threshold: 2, holders };
    let view = stations[3].change(AuthorityChange::Key(generate)).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {:#?}", told(stations));
}

/// The first payment by a key, as this node knows it.
pub(super) async fn first_payment(station: &Station, key: &str) -> Action {
    let account = key_once(station, key, |_| true).await.account;
    match account.and_then(|it| it.ed25519_key()) {
        Some(us) => asks(key, payment(Pubkey(us), 1, SOL / 10)),
        None => ether(FRIEND, ETHER / 10, 0),
    }
}

/// A payment by each key, asked of this node: every node verifies what it is told was signed.
pub(super) async fn both_pay(stations: &[Station], at: usize) {
    for key in BOTH {
        let view = stations[at].ask("desk", first_payment(&stations[at], key).await).await;
        assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:#?}", told(stations));
    }
}

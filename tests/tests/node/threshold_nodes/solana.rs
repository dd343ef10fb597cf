//! Four real nodes, three of which hold an Ed25519 key in shares: they sign messages of Solana's that policy allows.

use keystead_base::Coded as _;
use keystead_decision::{KeyState, Outcome};
use keystead_intent::{AuthorityChange, KeyCeremony, KeyKind};
use keystead_policy::Reason;
use keystead_solana::{AccountMeta, Instruction, Pubkey, order};
use keystead_tests::cluster::{NodeHome, Station};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::solana::{
    CLUSTER, DEVNET, FEE, PAYEE, SOL, asks, lists_solana, message, moves_sol, payment,
};
use keystead_tests::start_all;
use keystead_wire::{RequestStage, RequestView};

use crate::verified::verified;

use super::{hot_once, lost_by_node_2, repair, without_share};

const STRANGER: Pubkey = Pubkey([4; 32]);

/// Two SOL a day; the desk moves them by messages.
async fn cluster() -> Vec<Station> {
    let homes = NodeHome::several(4, |policy| {
        lists_solana(policy, 2 * SOL);
        moves_sol(policy, "desk", "hot");
    });
    start_all(homes).await
}

async fn change(stations: &[Station], ceremony: KeyCeremony) {
    let done = stations[3].change(AuthorityChange::Key(ceremony)).await;
    let told: Vec<_> = stations.iter().map(Station::events).collect();
    assert_eq!(done.stage, RequestStage::Applied, "{done:?} {told:#?}");
}

/// The key `hot`, born in shares among the first three: any two of them sign. Its address.
async fn born(stations: &[Station]) -> Pubkey {
    let holders = ["node-1", "node-2", "node-3"].map(name).to_vec();
    let kind = KeyKind::ThresholdEd25519;
    change(stations, KeyCeremony::Generate { key: name("hot"), kind, threshold: 2, holders }).await;
    let key = stations[3].hot().await;
    assert_eq!((key.state, key.address), (KeyState::Active, None), "it has no address on Ethereum");
    Pubkey(key.account.and_then(|it| it.ed25519_key()).expect("a key of Ed25519"))
}

async fn pays(stations: &[Station], at: usize, bytes: Vec<u8>) -> RequestView {
    let view = stations[at].ask("desk", asks("hot", bytes.clone())).await;
    let told: Vec<_> = stations.iter().map(Station::events).collect();
    assert_eq!(view.stage, RequestStage::Signed, "{view:?} {told:#?}");
    verified(&view, &bytes);
    view
}

fn codes(view: &RequestView) -> Vec<&'static str> {
    let Outcome::Deny { reasons, .. } = &view.decision.outcome else { panic!("{view:?}") };
    reasons.iter().map(Reason::code).collect()
}

/// One story, as a birth is one: born, used to the lamport, denied beyond it, refreshed, lost by one and repaired, dealt to others by
/// the one who was repaired, used again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_s10_an_ed25519_key_in_shares_signs_transfers_of_solana_within_its_limits() {
    let mut stations = cluster().await;
    let us = born(&stations).await;
    let bytes = payment(us, 1, SOL);
    let view = pays(&stations, 3, bytes.clone()).await;
    let Outcome::Allow(grant) = &view.decision.outcome else { panic!("{view:?}") };
    let unsigned = keystead_solana::Unsigned::read(CLUSTER, us, &bytes).expect("a message");
    assert_eq!((grant.signing_digest, grant.address), (unsigned.signing_digest(), us.id(CLUSTER)));
    assert_eq!(grant.chain, DEVNET);

    // Over the limit, to a stranger, not understood, and of another key: denied by every node for itself.
    let lent = AccountMeta { key: us, signer: true, writable: true };
    let unknown = Instruction { program: STRANGER, accounts: vec![lent], data: vec![1] };
    let pay = |lamports| order::transfer(us, PAYEE, lamports);
    for (orders, expected) in [
        (vec![pay(SOL)], "deny.limit_exceeded"),
        (vec![pay(2 * SOL)], "deny.amount_too_large"),
        (vec![order::transfer(us, STRANGER, 1)], "deny.destination_unknown"),
        (vec![pay(1), unknown], "deny.no_rule_permits"),
    ] {
        let refused = stations[0].ask("desk", asks("hot", message(us, 1, orders))).await;
        assert!(codes(&refused).contains(&expected), "{expected}: {:?}", codes(&refused));
    }
    let theirs = message(STRANGER, 1, vec![order::transfer(STRANGER, us, 1)]);
    let refused = stations[0].ask("desk", asks("hot", theirs)).await;
    assert_eq!(codes(&refused), ["deny.undecodable"], "it wants no signature of ours");
    let ethereum = keystead_tests::cluster::ether(FRIEND, ETHER / 10, 0);
    assert_eq!(codes(&stations[0].ask("desk", ethereum).await), ["deny.kind"]);

    // Somebody else pays the fee: what comes out has our signature, and a place for theirs.
    let sponsored = message(STRANGER, 2, vec![pay(1)]);
    let view = stations[1].ask("desk", asks("hot", sponsored.clone())).await;
    let signed = view.signed.expect("a signature");
    let empty = [0; 64];
    assert_eq!(signed.raw[..], [&[2], &empty[..], &signed.signature, &sponsored].concat());

    change(&stations, KeyCeremony::Refresh { key: name("hot") }).await;
    // INVARIANT D1: the others sign on while one has lost its share, and give it another one.
    let holder = without_share(stations.remove(1)).await;
    stations.insert(1, holder);
    hot_once(&stations[3], lost_by_node_2).await;
    pays(&stations, 3, payment(us, 3, SOL / 4)).await;
    change(&stations, repair()).await;
    let key = stations[3].hot().await;
    assert_eq!(key.account.and_then(|it| it.ed25519_key()), Some(us.0));
    assert!(key.sharing.is_some_and(|it| it.lost.is_empty()));
    let (holders, dealers) =
        (["node-1", "node-4"].map(name).to_vec(), ["node-2", "node-3"].map(name).to_vec());
    change(&stations, KeyCeremony::Reshare { key: name("hot"), threshold: 2, holders, dealers }).await;
    assert_eq!(stations[3].hot().await.epoch, 3);
    // Whoever holds no share any more is not missed, and every node has verified what was signed.
    stations.remove(1).stop().await;
    let view = pays(&stations, 0, payment(us, 4, SOL / 2 - 6 * FEE)).await;
    for station in &stations {
        let mut seen = station.wait(&view.request).await;
        while seen.signed.is_none() {
            seen = station.wait(&view.request).await;
        }
        assert_eq!(seen.signed, view.signed, "verified there");
    }
    for station in stations {
        station.stop().await;
    }
}

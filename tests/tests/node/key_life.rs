//! The life of a key at a real node: suspended, resumed, wiped from enclave and ledger.

use keystead_base::Canonical as _;
use keystead_decision::{KeyState, Outcome};
use keystead_intent::{AuthorityChange, ChangeKind, DangerClass, KeyCeremony, KeyTerms};
use keystead_keys::{Sealed, SealingKey};
use keystead_ledger::Ledger;
use keystead_policy::{AssuranceLevel, Feature, Need, PolicyVersion, QuorumRow, Reason, RequiredProtections};
use keystead_tests::canary::Canaries;
use keystead_tests::cluster::{NodeHome, PASSPHRASE, Station, ether};
use keystead_tests::fixture::{FRIEND, name};
use keystead_wire::{RequestStage, RequestView};

fn reason(view: &RequestView) -> Reason {
    match &view.decision.outcome {
        Outcome::Deny { reasons, .. } => reasons[0].clone(),
        other => panic!("not denied: {other:?}"),
    }
}

fn key(ceremony: KeyCeremony) -> AuthorityChange {
    AuthorityChange::Key(ceremony)
}

/// Destruction is named; what every supported kernel has is demanded.
fn policy(policy: &mut PolicyVersion) {
    let needs = vec![Need { role: name("approver"), count: 2, factors: Vec::new() }];
    policy.quorums.push(QuorumRow {
        id: name("wipe"),
        keys: Vec::new(),
        classes: vec![DangerClass::Authority],
        changes: vec![ChangeKind::DestroyKey],
        from: None,
        needs,
        delay_seconds: 1,
        vetoers: vec![name("vetoer")],
    });
    let features = vec![Feature::NotDumpable, Feature::NoNewPrivileges, Feature::Seccomp];
    policy.protections = vec![RequiredProtections { level: AssuranceLevel::Process, features }];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k05_a_key_is_suspended_resumed_and_wiped_from_enclave_and_ledger() {
    let station = Station::with_hot_key_under(policy).await;
    let signed = station.ask("desk", ether(FRIEND, 1, 0)).await;
    assert_eq!(
        station.wait(&signed.request).await.stage,
        RequestStage::Signed,
        "its home has what is demanded"
    );

    let suspended = station.change(key(KeyCeremony::Suspend { key: name("hot") })).await;
    assert_eq!(suspended.stage, RequestStage::Applied, "{suspended:?}");
    let view = station.hot().await;
    assert_eq!((view.state, view.frozen), (KeyState::Suspended, false));
    let refused = station.ask("desk", ether(FRIEND, 1, 1)).await;
    assert!(matches!(reason(&refused), Reason::KeyStopped { .. }), "{refused:?}");

    let home = station.stop().await;
    let (folder, secret) = (home.config.data.clone(), canaries(&sealed(&home).await));
    let station = home.start().await;
    let refused = station.ask("desk", ether(FRIEND, 1, 1)).await;
    assert!(matches!(reason(&refused), Reason::KeyStopped { .. }), "{refused:?}");
    station.change(key(KeyCeremony::Resume { key: name("hot") })).await;
    let resumed = station.ask("desk", ether(FRIEND, 1, 1)).await;
    assert_eq!(station.wait(&resumed.request).await.stage, RequestStage::Signed);

    controlled(&station).await;
    let (found, _) = secret.found_below(&folder, &|_| false);
    assert!(
        found.iter().any(|it| it.contains("seal (raw)")) && !found.iter().any(|it| it.contains("seed")),
        "{found:?}"
    );
    station.change(key(KeyCeremony::Suspend { key: name("hot") })).await;
    let wiped = station.change(key(KeyCeremony::Destroy { key: name("hot") })).await;
    assert_eq!(wiped.stage, RequestStage::Applied, "{wiped:?}");
    let view = station.hot().await;
    assert_eq!((view.state, view.address, view.account), (KeyState::Destroyed, None, None));
    assert!(view.life.wipes.contains_key(&name("node-1")), "its node's certificate is in the log: {view:?}");
    // INVARIANT K5: while it runs, and with what it writes ahead.
    let (found, looked_at) = secret.found_below(&folder, &|_| false);
    assert_eq!(found, Vec::<String>::new());
    assert!(looked_at > 100_000, "{looked_at} bytes");
    let home = station.stop().await;
    assert_eq!(sealed(&home).await, Vec::<Vec<u8>>::new());
    let station = home.start().await;
    let again = station.client("cleo").await.request(wiped.request).await.unwrap().unwrap().view;
    assert_eq!(again.stage, RequestStage::Applied, "{again:?}");
    let refused = station.ask("desk", ether(FRIEND, 1, 2)).await;
    assert!(matches!(reason(&refused), Reason::KeyStopped { .. }), "{refused:?}");
}

/// What the ledger of a node that does not run has of its keys' secrets.
async fn sealed(home: &NodeHome) -> Vec<Vec<u8>> {
    let ledger = Ledger::open(&home.config.ledger_url()).await.unwrap();
    let sealed = ledger.sealed_keys(None).await.unwrap();
    ledger.close().await;
    sealed.into_iter().map(|(_, _, document)| document).collect()
}

/// The seed of the only key, and what of its seal nobody else writes.
fn canaries(documents: &[Vec<u8>]) -> Canaries {
    let [document] = documents else { panic!("one key") };
    let sealed = Sealed::from_document(document).unwrap();
    let opens = SealingKey::derive(PASSPHRASE.as_bytes(), *sealed.kdf()).unwrap();
    let mut seed = vec![0; sealed.secret_bytes()];
    opens.open(&sealed, sealed.label(), &mut seed).unwrap();
    let mut canaries = Canaries::default();
    canaries.add("seed", &seed);
    canaries.add("seal", document.rchunks(32).next().unwrap());
    canaries
}

/// The log has the receipt of the key's entropy, and its address is shown once its home has proved control.
async fn controlled(station: &Station) {
    let terms = KeyTerms { proof_seconds: Some(3_600), ..KeyTerms::default() };
    let limited = station.change(key(KeyCeremony::Limit { key: name("hot"), terms })).await;
    assert_eq!(limited.stage, RequestStage::Applied, "{limited:?}");
    let mut view = station.hot().await;
    for _ in 0..2_000 {
        if view.address.is_some() {
            break;
        }
        view = station.hot().await;
    }
    assert!(view.address.is_some() && view.life.proven.is_some(), "{view:?}");
    let receipt = view.life.receipts.get(&name("node-1")).expect("a receipt");
    assert!(receipt.hold().is_ok(), "{receipt:?}");
}

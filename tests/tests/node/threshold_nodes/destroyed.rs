//! Keys in shares that are destroyed, and every byte of their holders searched for the shares: folders while the nodes run, and the
//! memory of their enclaves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name, Secret};
use keystead_decision::{KeyState, Seat};
use keystead_intent::{AuthorityChange, ChangeKind, DangerClass, KeyCeremony, KeyKind};
use keystead_keys::{Sealed, SealingKey};
use keystead_ledger::Ledger;
use keystead_policy::{Need, PolicyVersion, QuorumRow};
use keystead_tests::canary::Canaries;
use keystead_tests::cluster::{NodeHome, PASSPHRASE, Station, ether};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::processes::{is_root, memory, process_with};
use keystead_tests::{binary, start_all};
use keystead_threshold::{Dkls23, EcdsaShare, Kept, KeyShare};
use keystead_wire::RequestStage;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::{key_once, nodes, sends_a_tenth, told};

const KEYS: [(&str, KeyKind); 3] = [
    ("hot", KeyKind::ThresholdSecp256k1),
    ("coins", KeyKind::ThresholdBip340),
    ("vault", KeyKind::ThresholdEd25519),
];

/// A holding at rest, as the enclave seals it.
#[derive(BorshSerialize, BorshDeserialize)]
struct Holding {
    share: Vec<u8>,
    seeds: Vec<u8>,
    seats: BTreeMap<Name, Seat>,
}

impl Canonical for Holding {
    const DOMAIN: &'static str = "keystead/threshold-holding/v1";
    const MAX_BYTES: usize = keystead_keys::MAX_SEALED_SHARE_BYTES;
}

/// Who may have a key wiped after a second.
pub(super) fn lets_keys_be_wiped(policy: &mut PolicyVersion) {
    policy.quorums.push(QuorumRow {
        id: name("wipe"),
        keys: Vec::new(),
        classes: vec![DangerClass::Authority],
        changes: vec![ChangeKind::DestroyKey],
        from: None,
        needs: vec![Need { role: name("approver"), count: 2, factors: Vec::new() }],
        delay_seconds: 1,
        vetoers: vec![name("vetoer")],
    });
    policy.quorums.sort_by(|one, other| one.id.cmp(&other.id));
}

/// An enclave whose pages nobody hides from root, so that what is in them is found as long as the share lives.
fn in_the_open(home: &mut NodeHome) {
    let program = home.path("enclave.sh");
    let enclave = binary("test_enclave");
    fs::write(&program, format!("#!/bin/sh\nulimit -l 0\nexec {} \"$@\"\n", enclave.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    home.config.enclave.program = Some(program);
}

async fn done(stations: &[Station], ceremony: KeyCeremony) {
    let view = stations[0].change(AuthorityChange::Key(ceremony)).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {:#?}", told(stations));
}

/// INVARIANT K5: of a key in shares, of each scheme, no holder has anything left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k05_the_shares_of_a_destroyed_key_are_in_no_file_and_no_enclave_of_their_holders() {
    let mut homes = NodeHome::several(4, lets_keys_be_wiped);
    homes.iter_mut().for_each(in_the_open);
    let stations = start_all(homes).await;
    for (key, kind) in KEYS {
        let holders = nodes(&["node-1", "node-2", "node-3"]);
        done(&stations, KeyCeremony::Generate { key: name(key), kind, threshold: 2, holders }).await;
    }
    // Of both epochs nothing is left.
    done(&stations, KeyCeremony::Refresh { key: name("hot") }).await;
    sends_a_tenth(&stations, 3, 0).await;

    let mut secrets = Vec::new();
    for station in &stations[..3] {
        let of_holder = of_holder(station).await;
        let found = found(station, &of_holder);
        for (key, _) in KEYS {
            assert!(found.contains(&format!("the seal of {key} in a file")), "{found:?}");
            assert!(!found.contains(&format!("the share of {key} in a file")), "{found:?}");
            let in_memory = format!("the share of {key} in memory");
            assert!(found.contains(&in_memory) || !is_root(), "{found:?}");
        }
        secrets.push(of_holder);
    }
    for (key, _) in KEYS {
        done(&stations, KeyCeremony::Suspend { key: name(key) }).await;
        done(&stations, KeyCeremony::Destroy { key: name(key) }).await;
        let view = key_once(&stations[3], key, |key| key.life.wipes.len() == 3).await;
        assert_eq!((view.state, view.account), (KeyState::Destroyed, None), "{view:?}");
    }
    for (station, of_holder) in stations.iter().zip(&secrets) {
        assert_eq!(found(station, of_holder), BTreeSet::new(), "at {}", station.home.own().name);
    }
    let refused = stations[3].ask("desk", ether(FRIEND, ETHER / 10, 1)).await;
    assert_eq!(refused.stage, RequestStage::Denied, "{refused:?}");
    for station in stations {
        let home = station.stop().await;
        let ledger = Ledger::open(&home.config.ledger_url()).await.unwrap();
        assert_eq!(ledger.sealed_keys(None).await.unwrap(), []);
        ledger.close().await;
    }
}

/// The share of each key that a running node's disk has: what nobody else writes of its seal, its scalar as texts and libraries
/// write it, and of one with an engine a piece of what the engine keeps.
async fn of_holder(station: &Station) -> Canaries {
    let mut canaries = Canaries::default();
    let url = format!("sqlite:{}", station.home.config.data.join("ledger.sqlite").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let rows = sqlx::query("SELECT document FROM sealed_keys").fetch_all(&mut database).await.unwrap();
    database.close().await.unwrap();
    assert!(rows.len() >= KEYS.len(), "a share of each key");
    for document in rows.iter().map(|row| row.get::<&[u8], _>(0)) {
        let sealed = Sealed::from_document(document).unwrap();
        let opens = SealingKey::derive(PASSPHRASE.as_bytes(), *sealed.kdf()).unwrap();
        let mut bytes = Secret::new(vec![0; sealed.secret_bytes()]);
        opens.open(&sealed, sealed.label(), bytes.expose_mut()).unwrap();
        let key = &sealed.label().name;
        // What a ceremony keeps of itself is no holding.
        let Ok(holding) = Holding::from_document(bytes.expose()) else { continue };
        let bytes = Secret::new(holding.share);
        canaries.add(&format!("the seal of {key}"), document.rchunks(32).next().unwrap());
        let (share, engine) = match (KeyShare::from_secret(&bytes), EcdsaShare::<Dkls23>::from_secret(&bytes))
        {
            (Some(share), _) | (None, Some(Kept::Bare(share, _))) => (share, None),
            (None, Some(Kept::Whole(share))) => {
                (share.into_parts().0, Some(&bytes.expose()[bytes.expose().len() / 2..][..32]))
            }
            (None, None) => panic!("no share in a holding of {key}"),
        };
        let scalar = share.scalar_that_leaves().expose();
        let backwards: Vec<u8> = scalar.iter().rev().copied().collect();
        canaries.add_scalar(&format!("the share of {key}"), scalar);
        canaries.add(&format!("the share of {key} backwards"), &backwards);
        if let Some(engine) = engine {
            canaries.add(&format!("the engine of {key}"), engine);
        }
    }
    canaries
}

/// What of it is in the node's folder, write-ahead file among it, and in its enclave's memory where that may be read.
fn found(station: &Station, secrets: &Canaries) -> BTreeSet<String> {
    let (files, looked_at) = secrets.found_below(&station.home.config.data, &|_| false);
    assert!(looked_at > 100_000, "{looked_at} bytes");
    let said = |it: &str, place: &str| {
        let secret = it.rsplit(": ").next().unwrap().split(" (").next().unwrap();
        format!("{secret} in {place}")
    };
    let mut found: BTreeSet<String> = files.iter().map(|it| said(it, "a file")).collect();
    if is_root() {
        let passphrase = station.home.config.enclave.passphrase.to_str().unwrap();
        let enclave = process_with(&["enclave", passphrase]).expect("the node's enclave");
        let read = memory(enclave, |bytes| {
            found.extend(secrets.found_in(bytes).iter().map(|it| said(it, "memory")));
        });
        assert!(read > 1_000_000, "{read} bytes");
    } else {
        println!("SKIPPED: the memory of an enclave is read by root alone");
    }
    found
}

//! How long the ceremonies of a shared key take through the log: asked for, approved by two people, convened, dealt,
//! proven. The nodes run in this process, each with its own database and enclave process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keystead_base::Name;
use keystead_intent::{AuthorityChange, KeyCeremony, KeyKind};
use keystead_policy::{PolicyVersion, Roster, Rule};
use keystead_solana::Pubkey;
use keystead_tests::cluster::{NodeHome, Station};
use keystead_tests::fixture::name;
use keystead_tests::purse::{Purse, lists_payee};
use keystead_tests::solana::lists_solana;
use keystead_tests::{coin_desk, start_all};
use keystead_threshold::{Bip340, Ed25519};
use keystead_wire::RequestStage;
use serde::Serialize;

use super::keys::{Ecdsa, Frost, Kind as _};
use super::path::Sharing;
use crate::cluster::proxy::Road;
use crate::cluster::site::{self, Pays};

/// Milliseconds from the question to the key's new state, with one distance between the nodes.
#[derive(Debug, Serialize)]
pub(crate) struct CeremonyRow {
    /// What the proxies add each way.
    pub(crate) added_millis: u64,
    pub(crate) birth_millis: f64,
    pub(crate) refresh_millis: f64,
    /// By the first `t` holders to holders in another order.
    pub(crate) reshare_millis: f64,
}

/// What was founded and stopped again, to be measured.
pub(crate) struct Founded {
    pub(crate) homes: Vec<NodeHome>,
    pub(crate) rows: Vec<CeremonyRow>,
    /// What the key `hot` signs.
    pub(crate) pays: Pays,
}

/// Founds the cluster, makes the key `hot` in shares, and times ceremonies with each distance.
pub(crate) async fn run(kind: KeyKind, sharing: Sharing, road: &Arc<Road>, added: &[u64]) -> Founded {
    let mut homes = NodeHome::several(NODES, allows);
    site::meet(&mut homes, Some(road));
    let stations = start_all(homes).await;
    let mut rows = Vec::new();
    for &added_millis in added {
        eprintln!("{} {sharing}, {added_millis} ms added: birth, refresh, resharing", scheme(kind));
        road.set_delay(Duration::from_millis(added_millis));
        rows.push(timed(&stations, kind, sharing, added_millis).await);
    }
    road.set_delay(Duration::ZERO);
    let pays = pays(kind, &stations[0]).await;
    let mut homes = Vec::new();
    for station in stations {
        homes.push(station.stop().await);
    }
    Founded { homes, rows, pays }
}

/// What each kind of key is asked for: one policy allows all of it.
fn allows(policy: &mut PolicyVersion) {
    policy.roster.quorum = Roster::quorum_of(NODES.into());
    lists_payee(policy);
    lists_solana(policy, u64::MAX);
    let cedar = r#"permit(principal in Role::"desk", action == Action::"solana", resource == Key::"hot")
                   when { context.class == "transfer" };"#;
    policy.rules.push(Rule { id: name("desk-moves-sol"), cedar: cedar.to_owned() });
    policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
}

async fn pays(kind: KeyKind, station: &Station) -> Pays {
    match kind {
        KeyKind::ThresholdBip340 => Pays::Coins(Arc::new(Purse::of(coin_desk::recorded(station).await))),
        KeyKind::ThresholdEd25519 => {
            let account = station.hot().await.account;
            Pays::Sol(Pubkey(account.and_then(|it| it.ed25519_key()).expect("a key of Ed25519")))
        }
        _ => Pays::Ether,
    }
}

/// How the tables call a kind.
pub(crate) fn scheme(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::ThresholdBip340 => Bip340Kind::NAME,
        KeyKind::ThresholdEd25519 => Ed25519Kind::NAME,
        _ => Ecdsa::NAME,
    }
}

type Bip340Kind = Frost<Bip340>;
type Ed25519Kind = Frost<Ed25519>;

async fn timed(stations: &[Station], kind: KeyKind, sharing: Sharing, added_millis: u64) -> CeremonyRow {
    // The first one is what signatures are measured with.
    let key = if added_millis == 0 { name("hot") } else { name(&format!("hot-{added_millis}")) };
    let birth = KeyCeremony::Generate {
        key: key.clone(),
        kind,
        threshold: sharing.threshold,
        holders: holders(sharing, 0),
    };
    let reshare = KeyCeremony::Reshare {
        key: key.clone(),
        threshold: sharing.threshold,
        holders: holders(sharing, 1),
        dealers: holders(sharing, 0).into_iter().take(sharing.threshold.into()).collect(),
    };
    CeremonyRow {
        added_millis,
        birth_millis: millis(stations, birth).await,
        refresh_millis: millis(stations, KeyCeremony::Refresh { key }).await,
        reshare_millis: millis(stations, reshare).await,
    }
}

/// As many nodes, from this one on.
fn holders(sharing: Sharing, first: u8) -> Vec<Name> {
    let number = |place: u8| (first + place) % NODES + 1;
    let mut numbers: Vec<u8> = (0..sharing.holders).map(number).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| name(&format!("node-{number}"))).collect()
}

async fn millis(stations: &[Station], ceremony: KeyCeremony) -> f64 {
    let start = Instant::now();
    let view = stations[0].change(AuthorityChange::Key(ceremony)).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?}");
    start.elapsed().as_secs_f64() * 1e3
}

/// Nodes of the cluster, whoever of them holds shares.
pub(crate) const NODES: u8 = 5;

//! Who sits in the cluster, on real nodes: they join, leave, are replaced, are lost, and are readmitted.
//!
//! Every change is an entry of the authority class, voted for by the roster before it; the one after it takes
//! over at the next height.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use keystead_base::{Canonical as _, Name, RequestId};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_keys::{BackupFile, RecipientPublicKey};
use keystead_ledger::Ledger;
use keystead_node::{PeerConfig, scratch_arguments};
use keystead_policy::{Node, PolicyVersion, Roster};
use keystead_signing::{Drill, EnclaveClient, HandOver};
use keystead_tests::cluster::{NodeHome, Station, ether, sealed};
use keystead_tests::fixture::{ETHER, FRIEND, Member, name};
use keystead_tests::{binary, free_port, start_all};
use keystead_wire::{EntryAnswer, NodeStatus, RequestStage};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_four_become_seven_and_four_again_and_never_do_two_rosters_commit() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    stations.extend(start_all(newcomers(&stations[0].home, 5..=7)).await);
    let nodes: Vec<Node> = stations[4..].iter().map(seat).collect();
    assert_eq!(status(&stations[5]).await.standing, OUTSIDE, "nobody made it a member");
    reseat(&stations[1], |roster| {
        roster.nodes.extend(nodes);
        roster.quorum = 5;
    })
    .await;
    everybody_votes(&stations).await;

    // The four of the old roster were a quorum of it, and commit nothing in the new one.
    let mut four: Vec<Station> = stations.drain(..4).collect();
    let mut three = stop(stations).await;
    let height = status(&four[0]).await.height;
    decides_nothing(&four[0]).await;
    assert_eq!(status(&four[2]).await.height, height);
    // One of the three makes five.
    four.extend(start_all(vec![three.remove(0)]).await);
    decides(&four[0]).await;
    four.extend(start_all(three).await);
    everybody_votes(&four).await;

    // Whoever built the last block goes, and two others.
    let builder = builder(&four[0]).await;
    let (mut leave, mut stay): (Vec<_>, Vec<_>) = four.into_iter().partition(|it| me(it) == builder);
    leave.extend(stay.drain(..2));
    let left: Vec<Name> = leave.iter().map(me).collect();
    reseat(&stay[0], |roster| {
        roster.nodes.retain(|node| !left.contains(&node.name));
        roster.quorum = 3;
    })
    .await;
    decides(&stay[0]).await;
    // Those who left are told nothing more, and four of them and us would not be a quorum of anything.
    let head = status(&stay[0]).await.height;
    for station in &leave {
        assert!(status(station).await.height < head, "{:?}", station.events());
    }
    let first = stay.remove(0).stop().await;
    decides(&stay[0]).await;
    let second = stay.remove(0).stop().await;
    decides_nothing(&stay[0]).await;
    stay.extend(start_all(vec![first, second]).await);
    decides(&stay[0]).await;
    stop(stay.into_iter().chain(leave).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_another_machine_takes_a_name_over_and_the_old_one_speaks_no_more() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    stations[0].make_hot_key().await;
    let old = stations.remove(3).stop().await;
    let new = stations[0].home.newcomer(Member::new("node-4", 44)).start().await;
    assert_eq!(status(&new).await.standing, OUTSIDE, "its name is another machine's");
    let seat = seat(&new);
    reseat(&stations[1], |roster| {
        roster.nodes.retain(|it| it.name != seat.name);
        roster.nodes.push(seat);
    })
    .await;
    stations.push(new);
    everybody_votes(&stations).await;
    // It makes up for one that is down, also where the enclave asks a quorum for the newest head.
    let third = stations.remove(2).stop().await;
    let signed = stations[2].ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    assert_eq!(signed.stage, RequestStage::Signed, "{signed:?} {:?}", stations[0].events());

    // The old machine comes back, where the new one is not: its word is nobody's.
    let new = stations.remove(2).stop().await;
    let old = old.start().await;
    decides_nothing(&stations[0]).await;
    assert_ne!(status(&old).await.standing, VOTES, "{:?}", old.events());
    stations.extend(start_all(vec![third, new]).await);
    decides(&stations[1]).await;
    stations.push(old);
    stop(stations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_a_node_lost_for_ever_is_replaced_and_the_cluster_withstands_the_next() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    // Machine, disk and keys.
    drop(stations.pop().unwrap().stop().await);
    stations.push(stations[0].home.newcomer(Member::new("node-5", 5)).start().await);
    let seat = seat(&stations[3]);
    reseat(&stations[2], |roster| {
        roster.nodes.retain(|node| node.name != name("node-4"));
        roster.nodes.push(seat);
    })
    .await;
    everybody_votes(&stations).await;
    drop(stations.remove(0).stop().await);
    decides(&stations[2]).await;
    stop(stations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_node_on_an_older_disk_is_silent_until_it_is_readmitted_under_a_new_number() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    let home = stations.pop().unwrap().stop().await;
    let snapshot = tempfile::tempdir().unwrap();
    copy(&home.config.data, snapshot.path());
    stations.push(home.start().await);
    decides(&stations[3]).await;
    everybody_votes(&stations).await;
    decides(&stations[3]).await;

    let home = stations.pop().unwrap().stop().await;
    fs::remove_dir_all(&home.config.data).unwrap();
    copy(snapshot.path(), &home.config.data);
    stations.push(home.start().await);
    stands(&stations[3], ROLLED_BACK).await;
    let third = stations.remove(2).stop().await;
    decides_nothing(&stations[0]).await;
    stations.insert(2, third.start().await);
    reseat(&stations[0], |roster| roster.nodes[3].boot += 1).await;
    everybody_votes(&stations).await;
    // It counts again.
    drop(stations.remove(2).stop().await);
    decides(&stations[2]).await;
    stop(stations).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_cluster_of_one_grows_to_four_without_a_restart() {
    let mut stations = start_all(NodeHome::several(1, |_| {})).await;
    decides(&stations[0]).await;
    stations.extend(start_all(newcomers(&stations[0].home, 2..=4)).await);
    let nodes: Vec<Node> = stations[1..].iter().map(seat).collect();
    reseat(&stations[0], |roster| {
        roster.nodes.extend(nodes);
        roster.quorum = 3;
    })
    .await;
    everybody_votes(&stations).await;
    drop(stations.remove(0).stop().await);
    decides(&stations[1]).await;
    stop(stations).await;
}

/// Machines that come together: of any two nodes, one has to know where the other listens.
fn newcomers(home: &NodeHome, numbers: RangeInclusive<u8>) -> Vec<NodeHome> {
    let newcomer = |it| home.newcomer(Member::new(&format!("node-{it}"), it));
    let mut homes: Vec<NodeHome> = numbers.map(newcomer).collect();
    let mut peers = home.config.peers.clone();
    for home in &mut homes {
        home.config.listen = format!("127.0.0.1:{}", free_port());
        peers.push(PeerConfig { name: home.own().name.clone(), address: home.config.listen.clone() });
    }
    homes.iter_mut().for_each(|home| home.config.peers.clone_from(&peers));
    homes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_a_key_whose_home_is_lost_signs_at_another_one_and_at_the_old_one_no_more() {
    let mut stations = start_all(NodeHome::several(4, |_| {})).await;
    stations[0].make_hot_key().await;
    let (account, hot) = (stations[0].account().await, stations[0].hot().await);
    let backup = stations[0].client("ana").await.backup(hot.backup.unwrap()).await.unwrap().unwrap();
    let lost = stations.remove(0).stop().await;

    let ceremony = KeyCeremony::Restore { key: name("hot"), home: name("node-2") };
    let asked = stations[1].ask("cleo", Action::Authority(AuthorityChange::Key(ceremony))).await.request;
    stations[1].approve("ana", &asked).await;
    stations[1].approve("ben", &asked).await;
    let receiver = receiver(&stations[0], &asked).await;
    let handed = handed_over(&stations[0], &backup, receiver);
    // Nobody else's enclave can read it, and the log was told nothing of another one.
    let elsewhere = stations[2].client("ana").await.restore(asked, handed.to_document()).await.unwrap();
    assert!(
        matches!(&elsewhere, EntryAnswer::Refused(it) if it.code == "node.no_permission"),
        "{elsewhere:?}"
    );
    let restored = stations[0].client("ana").await.restore(asked, handed.to_document()).await.unwrap();
    assert!(matches!(restored, EntryAnswer::Decided(_)), "{restored:?}");
    let twice = stations[0].client("ana").await.restore(asked, handed.to_document()).await.unwrap();
    assert!(
        matches!(&twice, EntryAnswer::Refused(it) if it.code == "node.no_permission"),
        "a permission serves once: {twice:?}"
    );
    let hot = stations[0].hot().await;
    assert_eq!((hot.home, hot.epoch, hot.address), (name("node-2"), 1, Some(account)));
    let signed = stations[1].ask("desk", ether(FRIEND, ETHER / 10, 0)).await;
    assert_eq!(signed.stage, RequestStage::Signed, "{signed:?} {:?}", stations[0].events());

    // The old home comes back, learns of it, and keeps no seal; the new one keeps its own over a restart.
    stations.push(lost.start().await);
    reaches(&stations[3], status(&stations[0]).await.height).await;
    let old = stations.remove(3).stop().await.start().await;
    let signed = old.ask("desk", ether(FRIEND, ETHER / 10, 1)).await;
    assert_eq!(signed.stage, RequestStage::Signed, "{signed:?} {:?}", stations[0].events());
    let new = stations.remove(0).stop().await.start().await;
    let signed = stations[0].ask("desk", ether(FRIEND, ETHER / 10, 2)).await;
    assert_eq!(signed.stage, RequestStage::Signed, "{signed:?} {:?}", new.events());
    stations.extend([old, new]);
    for (home, seals) in stop(stations).await.iter().zip([0, 0, 0, 1]) {
        let ledger = Ledger::open(&home.config.ledger_url()).await.unwrap();
        assert_eq!(ledger.sealed_keys(None).await.unwrap().len(), seals, "{}", home.own().name);
        ledger.close().await;
    }
}

/// The one-time key of the enclave that is to restore, once its node shows it.
async fn receiver(station: &Station, request: &RequestId) -> RecipientPublicKey {
    let client = station.client("ana").await;
    loop {
        let view = client.wait(*request, Duration::from_millis(100)).await.unwrap().unwrap();
        if let Some(file) = view.file {
            let bytes = client.backup(file).await.unwrap().unwrap();
            return RecipientPublicKey::from_bytes(&bytes).unwrap();
        }
    }
}

/// As `ana` does it on her own machine, for the enclave of this node.
fn handed_over(station: &Station, backup: &[u8], key: RecipientPublicKey) -> BackupFile {
    let file = BackupFile::from_document(backup).unwrap();
    let drill = Drill { file, recipient: name("ana"), member: sealed(station.member("ana")), after: None };
    let arguments = scratch_arguments(station.home.config.enclave.passphrase.as_os_str());
    let mut scratch = EnclaveClient::spawn(binary("test_enclave"), arguments).unwrap();
    scratch.hand_over(HandOver { drill, home: station.home.own().name.clone(), key }).unwrap()
}

async fn reaches(station: &Station, height: u64) {
    while status(station).await.height < height {
        tokio::task::yield_now().await;
    }
}

async fn stop(stations: Vec<Station>) -> Vec<NodeHome> {
    let mut homes = Vec::new();
    for station in stations {
        homes.push(station.stop().await);
    }
    homes
}

async fn status(station: &Station) -> NodeStatus {
    station.client("eve").await.status().await.unwrap()
}

async fn in_force(station: &Station) -> PolicyVersion {
    let document = station.client("eve").await.policy(None).await.unwrap().unwrap();
    PolicyVersion::from_document(&document).unwrap()
}

/// Asks for another roster, and waits until it is in force.
async fn reseat(station: &Station, change: impl FnOnce(&mut Roster)) {
    let current = in_force(station).await;
    let (number, previous) = (current.number + 1, current.digest());
    let mut next = PolicyVersion { number, previous, ..current };
    change(&mut next.roster);
    let document = next.into_canonical().to_document().into();
    let view = station.change(AuthorityChange::Roster { document }).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?}");
}

/// Something that only the log can decide, and does.
async fn decides(station: &Station) {
    let view = station.ask("desk", ether(FRIEND, 1, 9)).await;
    assert!(view.stage.is_over() || view.stage == RequestStage::Allowed, "{view:?}");
}

/// The same, with too few of them.
async fn decides_nothing(station: &Station) {
    let asked = timeout(A_FEW_ROUNDS, station.ask("desk", ether(FRIEND, 1, 9))).await;
    assert!(asked.is_err(), "{asked:?}");
}

async fn stands(station: &Station, word: &str) {
    let wait = async {
        while status(station).await.standing != word {
            tokio::task::yield_now().await;
        }
    };
    if timeout(PATIENCE, wait).await.is_err() {
        panic!("expected that it {word}: {:?} {:?}", status(station).await.standing, station.events());
    }
}

async fn everybody_votes(stations: &[Station]) {
    for station in stations {
        stands(station, VOTES).await;
    }
}

/// Who built the last block.
async fn builder(station: &Station) -> Name {
    let height = status(station).await.height;
    let blocks = station.client("eve").await.blocks(height, 1).await.unwrap();
    blocks[0].commit.header.proposer.clone()
}

fn me(station: &Station) -> Name {
    station.home.own().name.clone()
}

/// What the roster says of a node.
fn seat(station: &Station) -> Node {
    let own = station.home.own();
    Node {
        name: own.name.clone(),
        key: own.signer.public().clone(),
        transport: own.transport(),
        operator: "fixture".to_owned(),
        host: own.name.to_string(),
        provider: "test".to_owned(),
        build: "test".to_owned(),
        boot: 0,
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

const VOTES: &str = "votes";
const OUTSIDE: &str = "is not in the roster, and follows";
const ROLLED_BACK: &str = "was rolled back and stays silent until it is readmitted";
/// Longer than a quorum needs, and than several rounds of a minority.
const A_FEW_ROUNDS: Duration = Duration::from_secs(3);
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

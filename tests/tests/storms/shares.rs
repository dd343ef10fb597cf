//! Keys in shares in storms: handed on under load, killed at syncs and sends, put back, without room, parted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keystead_intent::{KeyCeremony, KeyKind};
use keystead_ledger::Ledger;
use keystead_tests::fixture::name;
use keystead_tests::tracer::{Thread, Tracer, calls_of, has_strace, is_gone};
use keystead_wire::RequestStage;
use tokio::time::interval;

use crate::circle::{Circle, HOT, SOL_KEY, nodes};
use crate::disks::SmallDisk;
use crate::ground::Ground;
use crate::kills::seed;
use crate::network::apart;
use crate::people::retry;
use crate::process::copy;

/// From any two of three to any three of five, the first of whom is out.
fn hand_on() -> KeyCeremony {
    let (holders, dealers) = (nodes(&[2, 3, 4, 5, 6]), nodes(&[1, 2, 3]));
    KeyCeremony::Reshare { key: name("hot"), threshold: 3, holders, dealers }
}

/// When each payment of an asker was signed, and how long it took.
type Answers = Vec<(Instant, Duration)>;

/// Has one payment signed after the other at a node, until it is told to stop.
async fn asks(circle: &Circle, stop: &AtomicBool, node: usize) -> Answers {
    let mut answers = Answers::new();
    while !stop.load(Ordering::Relaxed) {
        let took = circle.pays(node).await;
        answers.push((Instant::now(), took));
    }
    answers
}

fn longest_pause(answers: &Answers) -> Duration {
    answers.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or_default()
}

/// Six nodes: three hold, and five others or the same will.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_d03_a_key_is_handed_on_under_load_while_one_of_its_next_holders_is_killed() {
    let circle = Circle::start(6).await;
    let before = circle.born().await;
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let handed_on = async {
        let view = circle.ceremony([0, 1, 3], hand_on()).await;
        let took = start.elapsed();
        circle.pays(3).await;
        stop.store(true, Ordering::Relaxed);
        assert_eq!(view.stage, RequestStage::Applied, "{view:?} {}", circle.told());
        took
    };
    let killed = async {
        circle.convening(0, |it| it.attempt == 1).await;
        circle.kill(4);
        circle.launch(4);
    };
    let (took, (), mut answers, others) =
        tokio::join!(handed_on, killed, asks(&circle, &stop, 0), asks(&circle, &stop, 3));
    answers.extend(others);
    answers.sort();
    let after = circle.hot(3).await;
    assert_eq!((after.address, after.epoch), (before.address, before.epoch + 1));
    println!(
        "handed on in {took:?}: {} payments, none failed; longest pause {:?}, longest payment {:?}",
        answers.len(),
        longest_pause(&answers),
        answers.iter().map(|(_, took)| *took).max().unwrap_or_default()
    );
    without_any_old_share(&circle).await;
    a_removed_share_is_gone(&circle).await;
    circle.executes(before.address.unwrap());
}

/// The enclaves of all who held before hang: three new ones sign.
async fn without_any_old_share(circle: &Circle) {
    circle.hang(&[0, 1, 2], "-STOP");
    println!("without any old holder: signed after {:?}", circle.pays(3).await);
    circle.hang(&[0, 1, 2], "-CONT");
}

/// Whoever left has nothing sealed any more once no right can name the epoch.
async fn a_removed_share_is_gone(circle: &Circle) {
    circle.kill(0);
    circle.launch(0);
    circle.votes(0).await;
    circle.pays(0).await;
    circle.kill(0);
    assert_eq!(seals(circle, 0).await, [0; 0], "node-1 held in the first epoch alone");
    assert_eq!(seals(circle, 3).await, [1]);
    circle.launch(0);
    circle.votes(0).await;
}

/// The epochs of the key that a node's disk has a share of.
async fn seals(circle: &Circle, node: usize) -> Vec<u32> {
    let folder = tempfile::tempdir().unwrap();
    copy(&circle.data(node), folder.path());
    let ledger =
        Ledger::open(&format!("sqlite:{}", folder.path().join("ledger.sqlite").display())).await.unwrap();
    let all = ledger.sealed_keys(None).await.unwrap();
    ledger.close().await;
    all.into_iter().filter(|(key, _, _)| *key == name("hot")).map(|(_, epoch, _)| epoch).collect()
}

/// What a node is killed in.
#[derive(Clone, Copy, Debug)]
enum Way {
    Birth,
    Refresh,
    HandOn,
    Sign,
}

impl Way {
    /// With the key of ECDSA.
    async fn go(self, circle: &Circle) {
        self.go_with(circle, HOT).await;
    }

    async fn go_with(self, circle: &Circle, key: &str) {
        let ceremony = match self {
            Self::Sign => return pays(circle, key).await,
            // Of a key of its own each time: its name is not free again.
            Self::Birth => {
                let born = name(&format!("born-{}", BIRTHS.fetch_add(1, Ordering::Relaxed)));
                let (kind, holders) = (kind(key), nodes(&[1, 2, 3]));
                KeyCeremony::Generate { key: born, kind, threshold: 2, holders }
            }
            Self::Refresh => KeyCeremony::Refresh { key: name(key) },
            Self::HandOn => {
                let (holders, dealers) = (nodes(&[3, 2, 1]), nodes(&[1, 2, 3]));
                KeyCeremony::Reshare { key: name(key), threshold: 2, holders, dealers }
            }
        };
        let view = circle.ceremony([3, 3, 3], ceremony).await;
        assert_eq!(view.stage, RequestStage::Applied, "{self:?}: {view:?} {}", circle.told());
    }
}

/// The kind of a key of the storm.
fn kind(key: &str) -> KeyKind {
    if key == SOL_KEY { KeyKind::ThresholdEd25519 } else { KeyKind::ThresholdSecp256k1 }
}

async fn pays(circle: &Circle, key: &str) {
    if key == SOL_KEY {
        circle.pays_sol(3).await;
    } else {
        circle.pays(3).await;
    }
}

/// A call of a thread, and which one.
type Place = (Thread, String, usize);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_holders_killed_at_syncs_and_sends_of_ceremonies_and_signatures_lose_no_key() {
    if !has_strace() {
        return;
    }
    let circle = Circle::start(4).await;
    let (mut reached, mut tried, seed) = (0, 0, seed());
    let (key, turn) = ([HOT, SOL_KEY][seed % KINDS], seed / KINDS);
    let account = circle.born_as(key, kind(key)).await.account;
    for way in [Way::Sign, Way::Birth, Way::Refresh, Way::HandOn] {
        let calls = calls_of(&threads(&circle, 1), way.go_with(&circle, key)).await;
        let (places, turns) = chosen(&calls, turn);
        println!(
            "{way:?} of {key}: killed at {} of {} calls, turn {} of {turns}; {} seeds in a row are each call at each holder with \
             each kind of key; KEYSTEAD_STORM_SEED={seed} takes the same again, KEYSTEAD_STORM_PLACES=all takes all of this kind",
            places.len(),
            calls.values().sum::<usize>(),
            turn % turns + 1,
            turns * HOLDERS * KINDS
        );
        for (at, place) in places.into_iter().enumerate() {
            let victim = (at + turn / turns) % HOLDERS;
            tried += 1;
            reached += usize::from(killed(&circle, victim, (way, key), &place).await);
        }
        assert_eq!(circle.key(key, 3).await.account, account, "the same key");
    }
    let paid = if key == HOT { circle.executes(circle.hot(3).await.address.unwrap()) } else { 0 };
    println!("{reached} of {tried} places were reached; {paid} payments executed on Ethereum");
    assert!(2 * reached > tried, "hardly a place was reached");
}

/// The threads of a node and of its enclave.
fn threads(circle: &Circle, node: usize) -> BTreeMap<Thread, u32> {
    circle.with(node, |it| it.as_ref().expect("it runs").all_threads())
}

/// Some of all calls, spread over all kinds of them, and in how many turns each has been taken once: the seed says which turn.
fn chosen(calls: &BTreeMap<(Thread, String), usize>, seed: usize) -> (Vec<Place>, usize) {
    let all = calls
        .iter()
        .flat_map(|((thread, call), count)| (1..=*count).map(move |nth| (thread.clone(), call.clone(), nth)));
    let all: Vec<Place> = all.collect();
    let is_whole = std::env::var("KEYSTEAD_STORM_PLACES").is_ok_and(|it| it == "all");
    let turns = if is_whole { 1 } else { all.len().div_ceil(PLACES).max(1) };
    (all.into_iter().skip(seed % turns).step_by(turns).collect(), turns)
}

#[test]
fn d04_turns_of_a_storm_leave_no_call_out() {
    let own = keystead_tests::tracer::threads("this test", std::process::id());
    let thread = own.keys().next().expect("a thread");
    let of = |call: &str, count: usize| ((thread.clone(), call.to_owned()), count);
    let calls = BTreeMap::from([of("fsync", 10), of("sendto", 7)]);
    let turns = chosen(&calls, 0).1;
    let mut taken: Vec<Place> = (100..100 + turns).flat_map(|seed| chosen(&calls, seed).0).collect();
    assert!((0..turns).all(|seed| chosen(&calls, seed).0.len() <= PLACES));
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 17);
}

/// Kills a node at a place of this way, has it started again, and the way goes on to its end. Whether it was reached.
async fn killed(circle: &Circle, node: usize, (way, key): (Way, &str), (thread, call, nth): &Place) -> bool {
    let Some(number) = threads(circle, node).get(thread).copied() else { return false };
    let tracer = Tracer::killing(number, call, *nth);
    supervised(circle, node, way.go_with(circle, key)).await;
    let reached = is_gone(number);
    tracer.detach();
    // Whoever was killed at the way's last moment is still dying here.
    supervised(circle, node, circle.votes(node)).await;
    pays(circle, key).await;
    reached
}

/// Goes a way to its end, and starts a node that dies on it again each time, as a service manager does.
async fn supervised(circle: &Circle, node: usize, way: impl Future<Output = ()>) {
    let starts = async {
        let mut pace = interval(LOOKS);
        loop {
            pace.tick().await;
            circle.supervise(node);
        }
    };
    tokio::select! {
        () = way => {}
        () = starts => {}
    }
}

/// The disk of one holder is put back to before a refresh, and to before runs that it took part in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_k03_a_holder_put_back_to_an_older_disk_signs_with_no_share_of_then() {
    let circle = Circle::start(4).await;
    let account = circle.born().await.address;
    circle.kill(1);
    let older = tempfile::tempdir().unwrap();
    copy(&circle.data(1), older.path());
    circle.launch(1);
    circle.votes(1).await;
    for _ in 0..3 {
        circle.pays(3).await;
    }
    Way::Refresh.go(&circle).await;
    circle.kill(1);
    std::fs::remove_dir_all(circle.data(1)).unwrap();
    copy(older.path(), &circle.data(1));
    circle.launch(1);
    // It asks the others, learns that it said more than it remembers, and votes no more.
    circle.stands(1, "was rolled back").await;
    circle.knows(1, |key| key.epoch == 1).await;
    circle.pays(3).await;
    circle.kill(1);
    circle.launch(1);
    circle.knows(1, |key| key.epoch == 1).await;
    circle.kill(1);
    assert_eq!(
        seals(&circle, 1).await,
        [0; 0],
        "neither the old share, which is over, nor the new one, which is lost"
    );
    circle.launch(1);

    // It gets a share again from the two others.
    let (holders, dealers) = (nodes(&[1, 2, 3]), nodes(&[1, 3]));
    let again = KeyCeremony::Reshare { key: name("hot"), threshold: 2, holders, dealers };
    let view = circle.ceremony([3, 3, 3], again).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {}", circle.told());
    circle.hang(&[0], "-STOP");
    circle.pays(3).await;
    circle.hang(&[0], "-CONT");
    assert_eq!(circle.executes(account.unwrap()), 5);
}

/// The disk of one holder is put back to how it was at each point of a ceremony, and of a signature: whatever it remembers, it
/// signs with no share of then, and says itself that its share is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_k03_a_holder_put_back_to_each_point_of_a_ceremony_is_dealt_a_share_again() {
    let circle = Circle::start(4).await;
    let account = circle.born().await.address;
    for point in [Point::Asked, Point::Seated, Point::Convened, Point::Signed] {
        let older = tempfile::tempdir().unwrap();
        let before = circle.hot(3).await.epoch;
        let taken = async {
            point.comes(&circle).await;
            circle.kill(1);
            copy(&circle.data(1), older.path());
            circle.launch(1);
        };
        match point {
            Point::Signed => drop(tokio::join!(circle.pays(3), taken)),
            Point::Asked | Point::Seated | Point::Convened => {
                tokio::join!(again(&circle, &[1, 2, 3], &[1, 2, 3]), taken);
            }
        }
        again(&circle, &[1, 2, 3], &[1, 2, 3]).await;
        circle.kill(1);
        std::fs::remove_dir_all(circle.data(1)).unwrap();
        copy(older.path(), &circle.data(1));
        circle.launch(1);
        circle.stands(1, "was rolled back").await;
        circle.knows(3, |key| key.sharing.as_ref().is_some_and(|it| it.lost == nodes(&[2]))).await;
        circle.pays(3).await;
        again(&circle, &[1, 2, 3], &[1, 3]).await;
        circle.hang(&[0], "-STOP");
        circle.pays(3).await;
        circle.hang(&[0], "-CONT");
        let key = circle.hot(3).await;
        assert_eq!(key.address, account);
        println!("put back to {point:?}: epoch {before} then, {} now, and it signs again", key.epoch);
    }
    circle.executes(account.unwrap());
}

/// When a disk is copied.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The ceremony is under way, and no enclave has a seat that the log knows.
    Asked,
    Seated,
    Convened,
    /// A payment is asked for.
    Signed,
}

impl Point {
    async fn comes(self, circle: &Circle) {
        match self {
            Self::Asked => circle.convening(0, |_| true).await,
            Self::Seated => circle.convening(0, |it| it.parts.iter().any(|it| it.seated)).await,
            Self::Convened => circle.convening(0, |it| it.attempt > 0).await,
            Self::Signed => {}
        }
    }
}

/// New shares for these holders, of which any two sign.
async fn again(circle: &Circle, holders: &[u8], dealers: &[u8]) {
    let (holders, dealers) = (nodes(holders), nodes(dealers));
    let again = KeyCeremony::Reshare { key: name("hot"), threshold: 2, holders, dealers };
    let view = circle.ceremony([3, 3, 3], again).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {}", circle.told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_a_disk_that_is_full_in_a_ceremony_ends_the_node_and_nothing_is_half_written() {
    let circle = Circle::placed(4, Ground::Loopback);
    std::fs::create_dir_all(circle.data(1)).unwrap();
    let Some(disk) = SmallDisk::below(&circle.data(1)) else { return };
    let circle = circle.all_up().await;
    let account = circle.born().await.address;
    disk.fill();
    let room_again = async {
        let ended = retry(async || circle.with(1, |it| it.as_mut().and_then(|it| it.ended()))).await;
        assert_eq!(ended, Ok(1), "it cannot write, and ends by itself");
        assert!(circle.words(1).contains("error[ledger."), "and says why, with a code: {}", circle.words(1));
        println!("a full disk: signed by the others after {:?}", circle.pays(3).await);
        disk.free();
        circle.launch(1);
    };
    tokio::join!(Way::Refresh.go(&circle), room_again);
    circle.knows(1, |key| key.epoch == 1 && key.address == account).await;
    circle.hang(&[0], "-STOP");
    circle.pays(3).await;
    circle.hang(&[0], "-CONT");
    circle.executes(account.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_ceremony_parted_from_one_of_its_holders_ends_once_the_network_is_whole() {
    let Some(net) = apart() else { return };
    let circle = Circle::placed(4, Ground::Apart(net)).all_up().await;
    let Ground::Apart(net) = &circle.ground else { return };
    let account = circle.born().await.address;
    let parted = async {
        circle.convening(3, |it| it.parts.iter().any(|it| it.seated)).await;
        net.part(&[0, 2, 3], &[1]);
        println!("parted in a ceremony: signed by the others after {:?}", circle.pays(3).await);
        circle.pays(3).await;
        net.heal();
        Instant::now()
    };
    let ((), healed) = tokio::join!(Way::Refresh.go(&circle), parted);
    println!("healed: the ceremony was over after {:?}", healed.elapsed());
    let key = circle.hot(3).await;
    assert_eq!((key.epoch, key.address), (1, account));
    circle.pays(3).await;
    circle.executes(account.unwrap());
}

/// So many for each way.
const PLACES: usize = 3;
/// Of ECDSA and of FROST, in turns.
const KINDS: usize = 2;
/// Of the key, each of whom is killed by turns.
const HOLDERS: usize = 3;
/// Keys that were born in storms so far.
static BIRTHS: AtomicUsize = AtomicUsize::new(0);
/// How often somebody looks whether a node has ended.
const LOOKS: Duration = Duration::from_millis(20);

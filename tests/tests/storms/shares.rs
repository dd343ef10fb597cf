//! Keys in shares in storms: handed on under load, killed at syncs and sends, put back, without room, parted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keystead_intent::KeyCeremony;
use keystead_ledger::Ledger;
use keystead_tests::fixture::name;
use keystead_tests::tracer::{Thread, Tracer, calls_of, has_strace, is_gone};
use keystead_wire::{PartView, RequestStage};
use tokio::time::interval;

use crate::circle::{Circle, HOT, KINDS, kind, nodes, turn};
use crate::disks::SmallDisk;
use crate::ground::Ground;
use crate::kills::seed;
use crate::network::apart;
use crate::people::retry;
use crate::process::copy;

/// From any two of three to any three of five, the first of whom is out.
fn hand_on(key: &str) -> KeyCeremony {
    let (holders, dealers) = (nodes(&[2, 3, 4, 5, 6]), nodes(&[1, 2, 3]));
    KeyCeremony::Reshare { key: name(key), threshold: 3, holders, dealers }
}

/// When each payment of an asker was signed, and how long it took.
type Answers = Vec<(Instant, Duration)>;

/// Has one payment signed after the other at a node, until it is told to stop.
async fn asks(circle: &Circle, key: &str, stop: &AtomicBool, node: usize) -> Answers {
    let mut answers = Answers::new();
    while !stop.load(Ordering::Relaxed) {
        let took = circle.pays(key, node).await;
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
    let key = turn(seed());
    let before = circle.born(key).await;
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let handed_on = async {
        let view = circle.ceremony([0, 1, 3], hand_on(key)).await;
        let took = start.elapsed();
        circle.pays(key, 3).await;
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
        tokio::join!(handed_on, killed, asks(&circle, key, &stop, 0), asks(&circle, key, &stop, 3));
    answers.extend(others);
    answers.sort();
    let after = circle.key(key, 3).await;
    assert_eq!((after.account, after.epoch), (before.account, before.epoch + 1));
    println!(
        "handed on in {took:?}: {} payments, none failed; longest pause {:?}, longest payment {:?}",
        answers.len(),
        longest_pause(&answers),
        answers.iter().map(|(_, took)| *took).max().unwrap_or_default()
    );
    without_any_old_share(&circle, key).await;
    a_removed_share_is_gone(&circle, key).await;
    circle.executes(before.address);
}

/// The enclaves of all who held before hang: three new ones sign.
async fn without_any_old_share(circle: &Circle, key: &str) {
    circle.hang(&[0, 1, 2], "-STOP");
    println!("without any old holder: signed after {:?}", circle.pays(key, 3).await);
    circle.hang(&[0, 1, 2], "-CONT");
}

/// Whoever left has nothing sealed any more once no right can name the epoch.
async fn a_removed_share_is_gone(circle: &Circle, key: &str) {
    circle.kill(0);
    circle.launch(0);
    circle.votes(0).await;
    circle.pays(key, 0).await;
    circle.kill(0);
    assert_eq!(seals(circle, key, 0).await, [0; 0], "node-1 held in the first epoch alone");
    assert_eq!(seals(circle, key, 3).await, [1]);
    circle.launch(0);
    circle.votes(0).await;
}

/// The epochs of the key that a node's disk has a share of.
async fn seals(circle: &Circle, key: &str, node: usize) -> Vec<u32> {
    let folder = tempfile::tempdir().unwrap();
    copy(&circle.data(node), folder.path());
    let ledger =
        Ledger::open(&format!("sqlite:{}", folder.path().join("ledger.sqlite").display())).await.unwrap();
    let all = ledger.sealed_keys(None).await.unwrap();
    ledger.close().await;
    all.into_iter().filter(|(it, _, _)| *it == name(key)).map(|(_, epoch, _)| epoch).collect()
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
    async fn go(self, circle: &Circle, key: &str) {
        let ceremony = match self {
            Self::Sign => {
                circle.pays(key, 3).await;
                return;
            }
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

/// A call of a thread, and which one.
type Place = (Thread, String, usize);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_holders_killed_at_syncs_and_sends_of_ceremonies_and_signatures_lose_no_key() {
    if !has_strace() {
        return;
    }
    let circle = Circle::start(4).await;
    let (mut reached, mut tried, seed) = (0, 0, seed());
    let (key, turn) = (turn(seed), seed / KINDS);
    let account = circle.born(key).await.account;
    for way in [Way::Sign, Way::Birth, Way::Refresh, Way::HandOn] {
        let calls = calls_of(&threads(&circle, 1), way.go(&circle, key)).await;
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
    let paid = circle.executes(circle.key(key, 3).await.address);
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
    supervised(circle, node, way.go(circle, key)).await;
    let reached = is_gone(number);
    tracer.detach();
    // Whoever was killed at the way's last moment is still dying here.
    supervised(circle, node, circle.votes(node)).await;
    circle.pays(key, 3).await;
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
    let key = turn(seed());
    let born = circle.born(key).await;
    circle.kill(1);
    let older = tempfile::tempdir().unwrap();
    copy(&circle.data(1), older.path());
    circle.launch(1);
    circle.votes(1).await;
    for _ in 0..3 {
        circle.pays(key, 3).await;
    }
    Way::Refresh.go(&circle, key).await;
    circle.kill(1);
    std::fs::remove_dir_all(circle.data(1)).unwrap();
    copy(older.path(), &circle.data(1));
    circle.launch(1);
    // It asks the others, learns that it said more than it remembers, and votes no more.
    circle.stands(1, "was rolled back").await;
    circle.knows(key, 1, |it| it.epoch == 1).await;
    circle.pays(key, 3).await;
    circle.kill(1);
    circle.launch(1);
    circle.knows(key, 1, |it| it.epoch == 1).await;
    circle.kill(1);
    assert_eq!(
        seals(&circle, key, 1).await,
        [0; 0],
        "neither the old share, which is over, nor the new one, which is lost"
    );
    circle.launch(1);

    // It gets a share again from the two others.
    let (holders, dealers) = (nodes(&[1, 2, 3]), nodes(&[1, 3]));
    let again = KeyCeremony::Reshare { key: name(key), threshold: 2, holders, dealers };
    let view = circle.ceremony([3, 3, 3], again).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {}", circle.told());
    circle.hang(&[0], "-STOP");
    circle.pays(key, 3).await;
    circle.hang(&[0], "-CONT");
    let ether = if key == HOT { 5 } else { 0 };
    assert_eq!(circle.executes(born.address), ether);
}

/// The disk of one holder is put back to how it was at each point of a ceremony, and of a signature: whatever it remembers, it
/// signs with no share of then, and says itself that its share is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_k03_a_holder_put_back_to_each_point_of_a_ceremony_is_dealt_a_share_again() {
    let circle = Circle::start(4).await;
    let seed = seed();
    let key = turn(seed);
    let born = circle.born(key).await;
    // All but one, by turns.
    let points = [Point::Asked, Point::Seated, Point::Convened, Point::Sealed, Point::Signed];
    let left_out = seed / KINDS % points.len();
    for (_, point) in points.into_iter().enumerate().filter(|(at, _)| *at != left_out) {
        let older = tempfile::tempdir().unwrap();
        let before = circle.key(key, 3).await.epoch;
        let taken = async {
            point.comes(&circle, (key, before)).await;
            circle.kill(1);
            copy(&circle.data(1), older.path());
            circle.launch(1);
        };
        match point {
            Point::Signed => drop(tokio::join!(circle.pays(key, 3), taken)),
            Point::Asked | Point::Seated | Point::Convened | Point::Sealed => {
                tokio::join!(again(&circle, key, &[1, 2, 3], &[1, 2, 3]), taken);
            }
        }
        again(&circle, key, &[1, 2, 3], &[1, 2, 3]).await;
        circle.kill(1);
        std::fs::remove_dir_all(circle.data(1)).unwrap();
        copy(older.path(), &circle.data(1));
        circle.launch(1);
        circle.stands(1, "was rolled back").await;
        circle.knows(key, 3, |it| it.sharing.as_ref().is_some_and(|it| it.lost == nodes(&[2]))).await;
        circle.pays(key, 3).await;
        again(&circle, key, &[1, 2, 3], &[1, 3]).await;
        circle.hang(&[0], "-STOP");
        circle.pays(key, 3).await;
        circle.hang(&[0], "-CONT");
        let known = circle.key(key, 3).await;
        assert_eq!(known.account, born.account);
        println!("put back to {point:?}: epoch {before} then, {} now, and it signs again", known.epoch);
    }
    circle.executes(born.address);
}

/// When a disk is copied.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The ceremony is under way, and no enclave has a seat that the log knows.
    Asked,
    Seated,
    Convened,
    /// The holder's new share is sealed, and was not proven yet.
    Sealed,
    /// A payment is asked for.
    Signed,
}

impl Point {
    async fn comes(self, circle: &Circle, (key, before): (&str, u32)) {
        match self {
            Self::Asked => circle.convening(0, |_| true).await,
            Self::Seated => circle.convening(0, |it| it.parts.iter().any(|it| it.seated)).await,
            Self::Convened => circle.convening(0, |it| it.attempt > 0).await,
            // Whoever looks too late takes the disk of a moment later.
            Self::Sealed => {
                let is_over = async || circle.key(key, 0).await.epoch > before;
                let comes = async || {
                    let status = circle.people.status(0).await?;
                    let is_there = status.ceremonies.iter().any(|it| it.parts.iter().any(is_sealed));
                    if is_there {
                        println!("a share was sealed, and not proven yet");
                    }
                    (is_there || is_over().await).then_some(())
                };
                retry(comes).await;
            }
            Self::Signed => {}
        }
    }
}

/// Of `node-2`.
fn is_sealed(part: &PartView) -> bool {
    part.node == name("node-2") && part.dealt && !part.proven
}

/// New shares for these holders, of which any two sign.
async fn again(circle: &Circle, key: &str, holders: &[u8], dealers: &[u8]) {
    let (holders, dealers) = (nodes(holders), nodes(dealers));
    let again = KeyCeremony::Reshare { key: name(key), threshold: 2, holders, dealers };
    let view = circle.ceremony([3, 3, 3], again).await;
    assert_eq!(view.stage, RequestStage::Applied, "{view:?} {}", circle.told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_a_disk_that_is_full_in_a_ceremony_ends_the_node_and_nothing_is_half_written() {
    let circle = Circle::placed(4, Ground::Loopback);
    std::fs::create_dir_all(circle.data(1)).unwrap();
    let Some(disk) = SmallDisk::below(&circle.data(1)) else { return };
    let circle = circle.all_up().await;
    let key = turn(seed());
    let born = circle.born(key).await;
    disk.fill();
    let room_again = async {
        let ended = retry(async || circle.with(1, |it| it.as_mut().and_then(|it| it.ended()))).await;
        assert_eq!(ended, Ok(1), "it cannot write, and ends by itself");
        assert!(circle.words(1).contains("error[ledger."), "and says why, with a code: {}", circle.words(1));
        println!("a full disk: signed by the others after {:?}", circle.pays(key, 3).await);
        disk.free();
        circle.launch(1);
    };
    tokio::join!(Way::Refresh.go(&circle, key), room_again);
    circle.knows(key, 1, |it| it.epoch == 1 && it.account == born.account).await;
    circle.hang(&[0], "-STOP");
    circle.pays(key, 3).await;
    circle.hang(&[0], "-CONT");
    circle.executes(born.address);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_ceremony_parted_from_one_of_its_holders_ends_once_the_network_is_whole() {
    let Some(net) = apart() else { return };
    let circle = Circle::placed(4, Ground::Apart(net)).all_up().await;
    let Ground::Apart(net) = &circle.ground else { return };
    let key = turn(seed());
    let born = circle.born(key).await;
    let parted = async {
        circle.convening(3, |it| it.parts.iter().any(|it| it.seated)).await;
        net.part(&[0, 2, 3], &[1]);
        println!("parted in a ceremony: signed by the others after {:?}", circle.pays(key, 3).await);
        circle.pays(key, 3).await;
        net.heal();
        Instant::now()
    };
    let ((), healed) = tokio::join!(Way::Refresh.go(&circle, key), parted);
    println!("healed: the ceremony was over after {:?}", healed.elapsed());
    let known = circle.key(key, 3).await;
    assert_eq!((known.epoch, known.account), (1, born.account));
    circle.pays(key, 3).await;
    circle.executes(born.address);
}

/// So many for each way.
const PLACES: usize = 3;
/// Of the key, each of whom is killed by turns.
const HOLDERS: usize = 3;
/// Keys that were born in storms so far.
static BIRTHS: AtomicUsize = AtomicUsize::new(0);
/// How often somebody looks whether a node has ended.
const LOOKS: Duration = Duration::from_millis(20);

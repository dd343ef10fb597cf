//! Nodes that die: at a sync or a send, while they propose, and two at once.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keystead_tests::tracer::{Thread, Tracer, calls_of, has_strace};
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::founded::{HOME, NODES};
use crate::load::{Load, PROBE};
use crate::people::{ANSWER, PATIENCE};

/// At every sync and every send of a payment's way at the key's home and at another node, which is the next one in
/// each run; a number in `KEYSTEAD_STORM_SEED` says which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_one_of_four_is_killed_at_a_sync_or_a_send() {
    if !has_strace() {
        return;
    }
    let cluster = Cluster::start().await;
    let load = cluster.load();
    load.answers(10).await;
    let seed = seed();
    let places = places(&cluster, [HOME, 1 + seed % (NODES - 1)]).await;
    println!("killed at each of {} places; KEYSTEAD_STORM_SEED={seed} takes the same again", places.len());
    let mut killed = 0;
    for place in &places {
        killed += usize::from(killed_at(&cluster, &load, place).await);
    }
    println!("{killed} of {} places were reached", places.len());
    assert!(2 * killed > places.len(), "hardly a place was reached");
    cluster.verify("killed at syncs and sends", load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_the_proposer_is_killed() {
    let cluster = Cluster::start().await;
    let load = cluster.load();
    for _ in 0..2 {
        load.answers(15).await;
        let proposer = proposer(&cluster).await;
        cluster.kill(proposer);
        println!(
            "proposer node-{} killed: next decision after {:?}",
            proposer + 1,
            load.next_decision().await
        );
        cluster.launch(proposer);
        println!("node-{} takes part after {:?}", proposer + 1, cluster.takes_part(proposer).await);
    }
    cluster.verify("the proposer killed", load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_two_of_four_are_killed_and_the_others_wait() {
    let cluster = Cluster::start().await;
    let load = cluster.load();
    load.answers(15).await;
    let ([first, second], left) = two_of_four(seed());
    cluster.kill(first);
    cluster.kill(second);
    // What was under way may end.
    load.silences(SOME_ROUNDS).await;
    let before = cluster.reached(&left).await;
    load.silences(2 * SOME_ROUNDS).await;
    assert_eq!(cluster.reached(&left).await, before, "two of four decide nothing");
    for node in left {
        assert!(cluster.with(node, |it| it.as_mut().unwrap().ended()).is_none(), "node-{} ended", node + 1);
        assert_eq!(cluster.status(node).await.standing, "votes");
    }
    cluster.launch(second);
    println!("node-{} is back: next decision after {:?}", second + 1, load.next_decision().await);
    cluster.launch(first);
    println!("node-{} takes part after {:?}", first + 1, cluster.takes_part(first).await);
    cluster.verify("two of four killed", load).await;
}

/// Two nodes, and the others: each pair once in six seeds.
fn two_of_four(seed: usize) -> ([usize; 2], Vec<usize>) {
    let pair = [[2, 3], [0, 1], [1, 3], [0, 2], [1, 2], [0, 3]][seed % 6];
    (pair, (0..NODES).filter(|it| !pair.contains(it)).collect())
}

/// A call of a thread of a process.
pub(crate) struct Place {
    process: usize,
    thread: Thread,
    call: String,
    nth: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, call {} of {}", self.thread, self.nth, self.call)
    }
}

/// Every call of these nodes, the key's home and another one, on the way of a payment that each is asked for.
async fn places(cluster: &Cluster, nodes: [usize; 2]) -> Vec<Place> {
    let mut places = Vec::new();
    for node in nodes {
        let payment = async {
            cluster.pays(node, PROBE).await;
        };
        places.extend(calls(cluster, node, &KILLING, payment).await);
    }
    places
}

/// Every call of this process, of those that kill, while something is on its way.
pub(crate) async fn calls(
    cluster: &Cluster,
    process: usize,
    killing: &[&str],
    way: impl Future<Output = ()>,
) -> Vec<Place> {
    let threads = cluster.with(process, |it| it.as_ref().unwrap().threads());
    let mut places = Vec::new();
    let calls = calls_of(&threads, way).await;
    for ((thread, call), count) in calls.into_iter().filter(|((_, call), _)| killing.contains(&call.as_str()))
    {
        let nth = |nth| Place { process, thread: thread.clone(), call: call.clone(), nth };
        places.extend((1..=count.min(MAX_OF_ONE)).map(nth));
    }
    assert!(places.len() >= 5, "only {} places", places.len());
    places
}

/// Kills a process there under the load. True when the place was reached.
pub(crate) async fn died_at(cluster: &Cluster, Place { process, thread, call, nth }: &Place) -> bool {
    let threads: BTreeMap<Thread, u32> = cluster.with(*process, |it| it.as_ref().unwrap().threads());
    let Some(number) = threads.get(thread).copied() else { return false };
    let tracer = Tracer::killing(number, call, *nth);
    // The load comes by there; a thread that makes no such call today is let go.
    let ended = timeout(2 * ANSWER, cluster.ended(*process)).await;
    tracer.detach();
    let Ok(ended) = ended else { return false };
    assert_eq!(ended, Err(9), "process {} ended by itself", process + 1);
    true
}

/// Kills a node there under the load, and starts it again. True when the place was reached.
async fn killed_at(cluster: &Cluster, load: &Load, place: &Place) -> bool {
    if !died_at(cluster, place).await {
        return false;
    }
    let (node, start) = (place.process, Instant::now());
    let decided = load.next_decision().await;
    cluster.launch(node);
    let back = cluster.takes_part(node).await;
    println!(
        "node-{}, {place}: next decision after {decided:?}, takes part after {back:?} ({:?})",
        node + 1,
        start.elapsed()
    );
    true
}

/// Who built the last block, and so proposes the next one.
async fn proposer(cluster: &Cluster) -> usize {
    let height = cluster.status(HOME).await.height;
    let client = cluster.people.client("eve", HOME, PATIENCE);
    let blocks = client.blocks(height, 1).await.unwrap();
    let name = &blocks[0].commit.header.proposer;
    cluster.people.desk.nodes.iter().position(|it| it.name == *name).unwrap()
}

/// Another one each time, unless somebody wants the same again.
pub(crate) fn seed() -> usize {
    let named = std::env::var("KEYSTEAD_STORM_SEED").ok().and_then(|text| text.parse().ok());
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    named.unwrap_or(usize::try_from(elapsed.as_secs()).unwrap_or_default() % 1_000_000)
}

/// What makes something durable, and what sends.
const KILLING: [&str; 5] = ["fsync", "fdatasync", "sendto", "sendmsg", "writev"];
/// Of one kind of call of one thread.
const MAX_OF_ONE: usize = 6;
/// How many kills a run does.
pub(crate) const KILLS: usize = 4;
/// Questions that nobody answers: each client has asked every node.
const SOME_ROUNDS: u64 = 8;

//! Ledgers on PostgreSQL, whose server dies under the load.

use std::collections::BTreeMap;
use std::sync::Arc;

use keystead_tests::Postgres;

use crate::cluster::Cluster;
use crate::founded::{Founded, HOME, NODES};
use crate::ground::Ground;
use crate::kills::seed;
use crate::load::{Load, PROBE};

/// Two of four stand on one server, the key's home every other time. While it is gone nothing is decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_the_postgres_below_two_of_four_is_killed_under_load() {
    let mut server = Postgres::start();
    let seed = seed();
    println!("KEYSTEAD_STORM_SEED={seed} takes the same nodes again");
    let below = if seed.is_multiple_of(2) { [HOME, 2] } else { [1, 3] };
    let ledgers: BTreeMap<usize, String> = below.iter().map(|it| (*it, server.new_database())).collect();
    let founded = Arc::new(Founded::new(&ledgers).await);
    let cluster = Cluster::of(founded, Ground::Loopback).await.all_up().await;
    let load = cluster.load();
    load.answers(15).await;
    for (words, end) in [("killed", Postgres::kill as fn(&Postgres)), ("stopped hard", Postgres::stop_hard)] {
        end(&server);
        waits(&cluster, &load, &below).await;
        server.restart();
        for node in below {
            println!("{words}: node-{} takes part after {:?}", node + 1, cluster.comes_back(node).await);
        }
        println!("{words}: next decision after {:?}", load.next_decision().await);
        load.answers(15).await;
    }
    // With another one gone, nothing is decided without both.
    let other = (0..NODES).find(|it| !below.contains(it) && *it != HOME).unwrap();
    cluster.kill(other);
    cluster.pays(below[0], PROBE).await;
    cluster.launch(other);
    cluster.takes_part(other).await;
    cluster.verify("PostgreSQL killed", load).await;
}

/// Nothing is decided, and nobody ends but for a reason that names the database.
async fn waits(cluster: &Cluster, load: &Load, below: &[usize; 2]) {
    // What was under way may end.
    load.silences(SOME_ROUNDS).await;
    let left: Vec<usize> = (0..NODES).filter(|it| !below.contains(it)).collect();
    let before = cluster.reached(&left).await;
    load.silences(2 * SOME_ROUNDS).await;
    assert_eq!(cluster.reached(&left).await, before, "two of four decide nothing");
    left.iter().for_each(|node| assert!(cluster.ended_now(*node).is_none(), "node-{} ended", node + 1));
    for node in below {
        match cluster.ended_now(*node) {
            Some(ended) => {
                println!("node-{} ended: {}", node + 1, cluster.ended_for_its_ledger(*node, ended))
            }
            None => println!("node-{} waits for its database", node + 1),
        }
    }
}

/// Questions that nobody answers: each client has asked every node.
const SOME_ROUNDS: u64 = 8;

//! A coordinator that dies while a wallet pays: the wallet goes on, and each order is paid once.

use keystead_tests::tracer::{DURABLE_AND_SENT, has_strace};

use crate::cluster::{COORDINATOR, Cluster};
use crate::kills::{KILLS, calls, died_at, seed};

/// Each run takes the next few of all places, as with the nodes; then it is killed while an order is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_the_coordinator_is_killed_while_a_wallet_pays() {
    if !has_strace() {
        return;
    }
    let cluster = Cluster::start().await;
    let load = cluster.load();
    load.orders(2).await;
    let seed = seed();
    let killing: Vec<&str> = DURABLE_AND_SENT.split(',').collect();
    let places = calls(&cluster, COORDINATOR, &killing, load.orders(1)).await;
    println!("killed at some of {} places; KEYSTEAD_STORM_SEED={seed} takes the same again", places.len());
    let mut killed = 0;
    for number in 0..KILLS {
        let place = &places[(seed * KILLS + number) % places.len()];
        if died_at(&cluster, place).await {
            killed += 1;
            cluster.launch(COORDINATOR);
            println!("the coordinator killed at {place}: next order after {:?}", load.next_order().await);
        }
    }
    assert!(killed > 0, "no place was reached");
    for _ in 0..KILLS {
        load.order_begun().await;
        cluster.kill(COORDINATOR);
        cluster.launch(COORDINATOR);
        println!("the coordinator killed with an order under way: next after {:?}", load.next_order().await);
    }
    // Both at once: whom it asks next may not know yet what it promised.
    for node in 1..3 {
        load.order_begun().await;
        cluster.kill(node);
        cluster.kill(COORDINATOR);
        cluster.launch(COORDINATOR);
        println!("and node-{} with it: next order after {:?}", node + 1, load.next_order().await);
        cluster.launch(node);
        cluster.takes_part(node).await;
    }
    cluster.verify("the coordinator killed", load).await;
}

//! A throwaway measurement.
use keystead_tests::cluster::{Station, ether};
use keystead_tests::fixture::FRIEND;
use std::sync::Arc;
use std::time::Instant;
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe() {
    let station = Arc::new(Station::with_hot_key().await);
    let now = station.now().await;
    let mut nonce = 0;
    for (clients, batch, each) in [(1, 1, 100), (16, 1, 30), (64, 1, 20), (16, 8, 10), (8, 32, 5)] {
        let client = station.client("desk").await;
        let mut entries = Vec::new();
        for _ in 0..clients * each {
            let intents = (0..batch).map(|_| { nonce += 1; station.intent("desk", ether(FRIEND, 1, nonce - 1), now) }).collect();
            entries.push(station.entry(intents));
        }
        let before = client.status().await.unwrap();
        let start = Instant::now();
        let mut set = tokio::task::JoinSet::new();
        for chunk in entries.chunks(each) {
            let (client, chunk) = (client.clone(), chunk.to_vec());
            set.spawn(async move {
                let mut times = Vec::new();
                for entry in chunk { let t = Instant::now(); let a = client.submit(vec![entry]).await.unwrap(); times.push(t.elapsed()); let keystead_wire::EntryAnswer::Requests(v) = &a[0] else { panic!("{a:?}") }; assert!(v.iter().all(|it| it.signed.is_some()), "{v:?}"); }
                times
            });
        }
        let mut times: Vec<_> = set.join_all().await.into_iter().flatten().collect();
        times.sort();
        let total = start.elapsed();
        let after = client.status().await.unwrap();
        eprintln!("clients {clients} batch {batch}: {:.0} requests/s, p50 {:?} p99 {:?}, {} blocks for {} requests", (clients * each * batch) as f64 / total.as_secs_f64(), times[times.len()/2], times[times.len()*99/100], after.height - before.height, clients * each * batch);
    }
}

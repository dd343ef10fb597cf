//! More keys than fit one page: they survive a restart, are all listed, and sign.

use keystead_tests::cluster::{Station, ether};
use keystead_tests::fixture::{FRIEND, name};
use keystead_wire::{KeyView, MAX_SENT_KEYS, MAX_SHOWN_KEYS, RequestStage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_more_keys_than_fit_a_page_are_there_after_a_restart() {
    let station = Station::with_hot_key().await;
    station.make_keys(MAX_SENT_KEYS, drop).await;
    let all = MAX_SENT_KEYS + 1;
    let before = with_receipts(&station).await;
    assert_eq!(before.len(), all);

    let station = station.stop().await.start().await;
    let client = station.client("cleo").await;
    assert_eq!(client.keys().await.unwrap(), before);
    assert_eq!(client.key(&name("key-01024")).await.unwrap().as_ref(), before.last());
    assert_eq!(client.key(&name("key-01025")).await.unwrap(), None);
    let status = client.status().await.unwrap();
    assert_eq!((status.key_count, status.keys.len()), (all as u64, MAX_SHOWN_KEYS));
    let loading: Vec<_> = station.events().into_iter().filter(|it| it.starts_with("loading keys")).collect();
    assert_eq!(loading, ["loading keys 1,024 of 1,025", "loading keys 1,025 of 1,025"]);
    let signed = station.ask("desk", ether(FRIEND, 1, 0)).await;
    assert_eq!(station.wait(&signed.request).await.stage, RequestStage::Signed);
    station.stop().await;
}

/// All keys, once the log has the receipt of each: the last ones come after the births.
async fn with_receipts(station: &Station) -> Vec<KeyView> {
    let client = station.client("cleo").await;
    for _ in 0..MANY_LOOKS {
        let keys = client.keys().await.unwrap();
        if keys.iter().all(|it| !it.life.receipts.is_empty()) {
            return keys;
        }
    }
    panic!("a receipt never came");
}

/// Longer than anything takes: each reads all keys.
const MANY_LOOKS: u32 = 2_000;

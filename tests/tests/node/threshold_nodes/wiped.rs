//! A key in shares that is wiped, as nodes show it that hold none.

use keystead_decision::KeyState;
use keystead_intent::{AuthorityChange, KeyCeremony};
use keystead_tests::cluster::NodeHome;
use keystead_tests::fixture::name;
use keystead_tests::start_all;
use keystead_wire::RequestStage;

use super::destroyed::lets_keys_be_wiped;
use super::{born, ended, told};

/// Holders know it of themselves; whoever holds no share reads it in the log, and in its state after a start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_every_node_shows_that_a_key_in_shares_was_wiped() {
    let mut stations = start_all(NodeHome::several(4, lets_keys_be_wiped)).await;
    born(&stations).await;
    let (suspend, destroy) =
        (KeyCeremony::Suspend { key: name("hot") }, KeyCeremony::Destroy { key: name("hot") });
    stations[3].change(AuthorityChange::Key(suspend)).await;
    let wiped = stations[3].change(AuthorityChange::Key(destroy)).await;
    assert_eq!(wiped.stage, RequestStage::Applied, "{wiped:?} {:#?}", told(&stations));
    assert_eq!(stations[3].hot().await.state, KeyState::Destroyed);

    let other = stations.remove(3).stop().await.start().await;
    stations.push(other);
    for station in &stations {
        let view = station.wait(&wiped.request).await;
        assert_eq!(view.stage, RequestStage::Applied, "{view:?}");
    }
    ended(stations).await;
}

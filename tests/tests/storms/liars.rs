//! K6, D3: a holder whose process lies in the runs of a key in shares is named, kept out, and done without.

use keystead_intent::{AuthorityChange, KeyCeremony};
use keystead_node::Config;
use keystead_tests::binary;
use keystead_tests::fixture::name;
use keystead_wire::RequestStage;

use crate::circle::{Circle, HOT, turn};
use crate::ground::Ground;
use crate::kills::seed;
use crate::people::retry;

/// `node-2` has an enclave that signs what it likes with its own keys; all else of it is the product's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k06_d03_a_holder_whose_process_lies_is_named_kept_out_and_done_without() {
    let circle = with_a_liar().await;
    let key = turn(seed());
    let account = circle.born(key).await.account;

    // Whoever falls silent may be cut off: it is done without, and let in again.
    lies(&circle, "silence").await;
    pays_until(&circle, key, async || [0, 2].iter().any(|it| circle.words(*it).contains(SILENCE))).await;
    assert!(!keeps_out(&circle, 0, key).await && !keeps_out(&circle, 2, key).await);

    // `node-1` alone is dealt a wrong number, again and again, and it alone keeps the dealer out.
    lies(&circle, "share").await;
    let refresh = AuthorityChange::Key(KeyCeremony::Refresh { key: name(key) });
    let request = circle.people.allow([3, 3, 3], refresh).await;
    retry(async || keeps_out(&circle, 0, key).await.then_some(())).await;
    assert!(names(&circle, 0, "a share that does not fit its commitment"), "{}", circle.told());
    circle.ceremony([3, 3, 3], KeyCeremony::Abort { key: name(key), request }).await;
    circle.pays(key, 3).await;
    assert!(!keeps_out(&circle, 2, key).await, "what it was dealt was right");

    // A part of a signature of FROST is held against its sender's share, an offer of ECDSA against what was set up.
    let (lie, fault) = match key {
        HOT => ("offer", "a multiplication check that fails"),
        _ => ("sum", "a signature share that does not verify"),
    };
    lies(&circle, lie).await;
    pays_until(&circle, key, async || keeps_out(&circle, 2, key).await).await;
    assert!(names(&circle, 2, fault), "{}", circle.told());

    is_not_forgotten(&circle, key).await;
    assert_eq!(circle.key(key, 3).await.account, account);
}

/// It signs two broadcasts of one round: the two who were told them show each other what they were told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k06_d03_a_holder_whose_process_tells_two_things_is_kept_out_until_people_let_it_in() {
    let circle = with_a_liar().await;
    let key = turn(seed());
    let born = circle.born(key).await;
    lies(&circle, "two").await;
    let refresh = || KeyCeremony::Refresh { key: name(key) };
    let request = circle.people.allow([3, 3, 3], AuthorityChange::Key(refresh())).await;
    let caught = retry(async || keeps_out_both(&circle, key).await.then_some(()));
    let pays = async {
        for _ in 0..3 {
            circle.pays(key, 3).await;
        }
    };
    tokio::join!(caught, pays);
    for node in [0, 2] {
        assert!(names(&circle, node, TWO_THINGS), "{}", circle.told());
    }
    let end = KeyCeremony::Abort { key: name(key), request };
    assert_eq!(circle.ceremony([3, 3, 3], end).await.stage, RequestStage::Applied);
    is_not_forgotten(&circle, key).await;

    let lift = KeyCeremony::Lift { key: name(key), node: name("node-2") };
    for change in [lift, refresh()] {
        let view = circle.ceremony([3, 3, 3], change).await;
        assert_eq!(view.stage, RequestStage::Applied, "{view:?} {}", circle.told());
    }
    // Nobody signs without it now.
    circle.hang(&[0], "-STOP");
    circle.pays(key, 3).await;
    circle.hang(&[0], "-CONT");
    let after = circle.key(key, 3).await;
    assert_eq!((after.account, after.epoch), (born.account, born.epoch + 1));
    assert!(!keeps_out(&circle, 0, key).await && !keeps_out(&circle, 2, key).await);
}

/// Its word of honor counts for nothing, nor does a life of those who caught it.
async fn is_not_forgotten(circle: &Circle, key: &str) {
    lies(circle, "nothing").await;
    for node in [0, 2] {
        circle.kill(node);
        circle.launch(node);
        circle.votes(node).await;
        assert!(keeps_out(circle, node, key).await, "after a restart, too");
    }
    circle.pays(key, 3).await;
    assert!(keeps_out_both(circle, key).await);
}

async fn keeps_out_both(circle: &Circle, key: &str) -> bool {
    keeps_out(circle, 0, key).await && keeps_out(circle, 2, key).await
}

/// Four nodes, the second of which has such an enclave.
async fn with_a_liar() -> Circle {
    let placed = |node: usize, config: &mut Config| {
        config.enclave.program = (node == LIAR).then(|| binary("lying_enclave"));
    };
    Circle::placed_with(4, Ground::Loopback, |_| {}, placed).all_up().await
}

/// The liar is started again, and lies like this from then on.
async fn lies(circle: &Circle, lie: &str) {
    circle.tell_to_lie(LIAR, lie);
    circle.kill(LIAR);
    circle.launch(LIAR);
    circle.votes(LIAR).await;
}

/// Pays, and no payment fails, until it is so.
async fn pays_until(circle: &Circle, key: &str, is_so: impl AsyncFn() -> bool) {
    for payments in 1..=ENOUGH {
        circle.pays(key, 3).await;
        if is_so().await {
            println!("it was met in {payments} payments of {key}");
            return;
        }
    }
    panic!("nobody met the liar in {ENOUGH} payments: {}", circle.told());
}

/// Whether a node said that a run ended with this fault of the liar.
fn names(circle: &Circle, node: usize, fault: &str) -> bool {
    circle.words(node).lines().any(|line| line.contains("node-2") && line.contains(fault))
}

/// Whether a node keeps the liar out of runs of the key.
async fn keeps_out(circle: &Circle, node: usize, key: &str) -> bool {
    let status = retry(async || circle.people.status(node).await).await;
    status.kept_out.iter().any(|it| it.key == name(key) && it.node == name("node-2"))
}

/// What a node says of a run in which somebody was not heard.
const SILENCE: &str = "no message in time";
/// What a node says of whoever told two things.
const TWO_THINGS: &str = "two signed broadcasts of one round";
/// `node-2`.
const LIAR: usize = 1;
/// Two in three runs are with the liar, where nobody knows it yet; whoever named it takes it last for a minute, however many are paid in it.
const ENOUGH: usize = 1_000;

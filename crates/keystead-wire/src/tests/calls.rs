//! Calls: many at once, bounded, late, and over a connection that came back.

use std::sync::atomic::{AtomicUsize, Ordering};

use keystead_base::Canonical as _;
use keystead_decision::Entry;
use tokio::sync::Notify;

use super::*;
use crate::limits::REQUEST_BYTES;

#[tokio::test]
async fn many_calls_are_in_flight_on_one_connection() {
    let release = Arc::new(Notify::new());
    let gate = Arc::clone(&release);
    let server = Running::start(Limits::default(), known(), move |peer: Arc<Peer>, request: Vec<u8>| {
        let gate = Arc::clone(&gate);
        async move {
            if request == b"slow" {
                gate.notified().await;
            }
            format!("{} {} {}", peer.name, peer.address, request.len()).into_bytes()
        }
    })
    .await;
    let client = server.client().await;
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.call(b"slow".to_vec()).await }
    });
    let mut fast = tokio::task::JoinSet::new();
    for length in 0..300 {
        let client = client.clone();
        fast.spawn(async move { (length, client.call(vec![0; length]).await.unwrap()) });
    }
    let mut addresses = std::collections::BTreeSet::new();
    for (length, reply) in fast.join_all().await {
        let reply = String::from_utf8(reply).unwrap();
        let [name, address, found] = reply.split(' ').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((name, found), ("alice", length.to_string().as_str()));
        addresses.insert(address.to_owned());
    }
    assert_eq!(addresses.len(), 1);
    assert!(!slow.is_finished());
    release.notify_one();
    assert!(slow.await.unwrap().is_ok());
    assert_eq!(client.server_hello().await, Some(hello(Role::Node)));
}

#[tokio::test]
async fn the_longest_message_passes_and_one_byte_more_does_not() {
    let server = Running::echo(Limits::default()).await;
    let client = server.client().await;
    let longest = vec![1; MAX_FRAME_BYTES - 8];
    assert_eq!(client.call(longest.clone()).await, Ok(longest));
    let error = client.call(vec![1; MAX_FRAME_BYTES - 7]).await.unwrap_err();
    assert_eq!(error, WireError::FrameTooLong { limit: MAX_FRAME_BYTES, found: MAX_FRAME_BYTES + 1 });
    assert_eq!(client.call(Vec::new()).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_late_reply_harms_only_its_call() {
    let release = Arc::new(Notify::new());
    let gate = Arc::clone(&release);
    let server = Running::start(Limits::default(), known(), move |_: Arc<Peer>, request: Vec<u8>| {
        let gate = Arc::clone(&gate);
        async move {
            if request == b"late" {
                gate.notified().await;
            }
            request
        }
    })
    .await;
    let client = server.client().await;
    let error = client.call_within(b"late".to_vec(), SHORT).await.unwrap_err();
    assert_eq!(error, WireError::Late { stage: Stage::Call, limit: SHORT });
    release.notify_one();
    assert_eq!(client.call(b"next".to_vec()).await, Ok(b"next".to_vec()));
}

#[tokio::test]
async fn d04_a_call_after_a_broken_connection_makes_a_new_one() {
    let server = Running::start(Limits::default(), known(), |_: Arc<Peer>, _| std::future::pending()).await;
    let client = server.client().await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.call(b"lost".to_vec()).await }
    });
    let address = server.address;
    tokio::task::yield_now().await;
    server.task.abort();
    assert!(matches!(waiting.await.unwrap(), Err(WireError::Closed | WireError::Io(_))));
    drop(server);

    let again = Server::bind(address, &server_identity(), known(), hello(Role::Node)).await.unwrap();
    let serving = tokio::spawn(again.serve(|_: Arc<Peer>, request| async move { request }));
    assert_eq!(client.call(b"again".to_vec()).await, Ok(b"again".to_vec()));
    serving.abort();
}

#[tokio::test]
async fn a_peer_has_only_its_budget_of_unanswered_requests() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, highest) = (Arc::clone(&running), Arc::clone(&most));
    let limits = Limits { bytes_per_peer: 2 * REQUEST_BYTES, ..Limits::default() };
    let server = Running::start(limits, known(), move |_: Arc<Peer>, request: Vec<u8>| {
        let (count, highest) = (Arc::clone(&count), Arc::clone(&highest));
        async move {
            highest.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            count.fetch_sub(1, Ordering::SeqCst);
            request
        }
    })
    .await;
    // Two connections of the same peer share one budget.
    let clients = [server.client().await, server.client().await];
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..40_u8 {
        let client = clients[usize::from(number % 2)].clone();
        calls.spawn(async move { assert_eq!(client.call(vec![number]).await, Ok(vec![number])) });
    }
    calls.join_all().await;
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

/// A call that ends with its server is made again at the next one; a single server's is not.
#[tokio::test]
async fn a_client_of_several_goes_on_with_the_next() {
    let arrived = Arc::new(Notify::new());
    let told = Arc::clone(&arrived);
    let stuck = Running::start(Limits::default(), known(), move |_: Arc<Peer>, _: Vec<u8>| {
        let told = Arc::clone(&told);
        async move {
            told.notify_one();
            std::future::pending::<Vec<u8>>().await
        }
    })
    .await;
    let second = Running::echo(Limits::default()).await;
    let targets = vec![stuck.target(client_identity()), second.target(client_identity())];
    let client = Client::among(targets).unwrap();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call(b"again".to_vec()).await }
    });
    arrived.notified().await;
    drop(stuck);
    assert_eq!(call.await.unwrap(), Ok(b"again".to_vec()));
    assert_eq!(client.call(b"more".to_vec()).await, Ok(b"more".to_vec()));
    drop(second);
    assert!(matches!(client.call(b"nobody".to_vec()).await, Err(WireError::Io(_) | WireError::Closed)));
    assert_eq!(Client::among(Vec::new()).unwrap_err(), WireError::NoServer);
}

/// A node of before traces: it knows of no `SubmitTraced`, and says so.
#[tokio::test]
async fn a_node_that_knows_of_no_traces_is_asked_without_them_from_then_on() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Running::start(Limits::default(), known(), move |_: Arc<Peer>, request: Vec<u8>| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            match NodeRequest::from_document(&request).unwrap() {
                NodeRequest::Submit(_) => NodeReply::Submitted(Vec::new()),
                _ => NodeReply::Refused(Refused { code: "node.message".to_owned(), text: String::new() }),
            }
            .to_document()
        }
    })
    .await;
    let client = NodeClient::connect(server.target(client_identity())).await.unwrap();
    let context = TraceContext::new([1; 16], [2; 8], true).unwrap();
    let marks = vec![TraceMark { request: keystead_base::RequestId(Digest::ZERO), context }];
    for so_far in [2, 3] {
        let answers = client.submit_traced(vec![Entry::Tick], marks.clone()).await;
        assert_eq!((answers, asked.load(Ordering::Relaxed)), (Ok(Vec::new()), so_far));
    }
}

/// What is hashed and signed is the entry, and a trace is beside it.
#[test]
fn s02_a_trace_is_in_no_entry() {
    let context = TraceContext::new([0xab; 16], [0xcd; 8], true).unwrap();
    let marks = vec![TraceMark { request: keystead_base::RequestId(Digest::ZERO), context }];
    let traced = NodeRequest::SubmitTraced { entries: vec![Entry::Tick], marks }.to_document();
    let NodeRequest::SubmitTraced { entries, .. } = NodeRequest::from_document(&traced).unwrap() else {
        panic!("another question")
    };
    assert_eq!(entries.iter().map(Entry::digest).collect::<Vec<_>>(), [Entry::Tick.digest()]);
    assert!(!Entry::Tick.to_document().windows(8).any(|it| it == context.span()));
}

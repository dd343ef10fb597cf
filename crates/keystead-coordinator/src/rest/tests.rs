//! Requests by REST at a node that looks into the coordinator's journal before it answers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keystead_base::{
    Canonical as _, ClusterId, Digest, HYBRID_SEED_BYTES, HybridSigner, Name, PublicAccount, RequestId,
    Secret,
};
use keystead_decision::{Entry, KeyState};
use keystead_intent::{ChainId, KeyKind};
use keystead_transmit::{ChainView, Endpoint, Finality, Limits as EndpointLimits, Roots};
use keystead_wire::{
    EntryAnswer, Hello, Identity, KeyPage, KeyView, Limits, NodeReply, NodeRequest, NodeStatus, Peer,
    Refused, Role, Server, Target, pins,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Coordinator, Doors, HttpLimits, HttpServer, Settings};

/// The generator of secp256k1.
const GENERATOR: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const KEYS: usize = 2_500;
const CLUSTER: ClusterId = ClusterId(Digest([7; 32]));

/// What a node was asked, and where its log is.
#[derive(Clone, Default)]
struct Fake {
    /// For each request that it was given, whether it stood in the journal by then.
    seen: Arc<Mutex<Vec<bool>>>,
    /// One that it says to nobody where it is zero.
    height: Arc<AtomicU64>,
    /// How often all its keys were read from the first one on.
    listings: Arc<AtomicUsize>,
}

/// A node that takes nothing.
async fn node(journal: PathBuf, fake: Fake) -> Target {
    let (ours, theirs) = (identity(1), identity(2));
    let known = pins([(*theirs.key(), "desk".parse().unwrap())]);
    let hello = |role| Hello::new(CLUSTER, role, 0);
    let server = Server::bind("127.0.0.1:0", &ours, known, hello(Role::Node)).await.unwrap();
    let address = server.address().unwrap().to_string();
    let handler = move |_: Arc<Peer>, question: Vec<u8>| {
        let reply = reply(&journal, &fake, &question);
        async move {
            match reply {
                Some(reply) => reply.to_document(),
                None => std::future::pending().await,
            }
        }
    };
    tokio::spawn(server.serve(handler));
    let hello = hello(Role::Service);
    Target { address, server: *ours.key(), identity: theirs, hello, limits: Limits::default() }
}

/// None to whoever has to wait.
fn reply(journal: &PathBuf, fake: &Fake, question: &[u8]) -> Option<NodeReply> {
    let seen = &fake.seen;
    let refused = || Refused { code: "node.test".to_owned(), text: "nothing is taken here".to_owned() };
    Some(match NodeRequest::from_document(question) {
        Ok(NodeRequest::Wait { .. }) => {
            seen.lock().unwrap().push(true);
            return None;
        }
        Ok(NodeRequest::Keys { after }) => {
            fake.listings.fetch_add(usize::from(after.is_none()), Ordering::SeqCst);
            NodeReply::Keys(page_after(after.as_ref()))
        }
        Ok(NodeRequest::Status) => match fake.height.load(Ordering::SeqCst) {
            0 => NodeReply::Refused(refused()),
            height => status(height),
        },
        Ok(NodeRequest::Key(name)) => NodeReply::Key(keys().find(|it| it.name == name).map(Box::new)),
        Ok(NodeRequest::Submit(entries)) => {
            let text = std::fs::read_to_string(journal).unwrap();
            for entry in entries {
                let Entry::Requests(batch) = entry else { panic!("{entry:?}") };
                let stands = |id: String| text.contains(&id);
                let batch = batch.body.intents.iter().map(|intent| stands(intent.id().to_string()));
                seen.lock().unwrap().extend(batch);
            }
            NodeReply::Submitted(vec![EntryAnswer::Refused(refused())])
        }
        _ => NodeReply::Refused(refused()),
    })
}

/// The status of the vectors, at this height.
fn status(height: u64) -> NodeReply {
    let vectors: Value = serde_json::from_str(include_str!("../../../../specs/vectors/wire.json")).unwrap();
    let mut all = vectors.as_array().unwrap().iter();
    let status = all.find(|it| it["name"] == "a status").unwrap();
    let document = const_hex::decode(status["document"].as_str().unwrap()).unwrap();
    let NodeReply::Status(status) = NodeReply::from_document(&document).unwrap() else { panic!("no status") };
    NodeReply::Status(Box::new(NodeStatus { height, ..*status }))
}

/// In pages of a hundred, as a node sends those that are long.
fn page_after(after: Option<&Name>) -> KeyPage {
    let mut left = keys().filter(|key| after.is_none_or(|after| key.name > *after));
    let keys = left.by_ref().take(100).collect();
    KeyPage { keys, more: left.next().is_some() }
}

/// All of one account, which costs less to derive than that of each.
fn keys() -> impl Iterator<Item = KeyView> {
    let x = const_hex::decode_to_array(GENERATOR).unwrap();
    let account = PublicAccount { parity: 2, x: Digest(x), chain_code: Digest::ZERO };
    let address = account.address(0);
    (0..KEYS).map(move |number| KeyView {
        name: format!("key-{number:05}").parse().unwrap(),
        kind: KeyKind::HdSecp256k1,
        epoch: 0,
        home: "node-1".parse().unwrap(),
        state: KeyState::Active,
        frozen: false,
        backup: None,
        account: Some(account),
        address,
        wallets: Vec::new(),
        sharing: None,
        exits: Default::default(),
        drilled: None,
        life: Default::default(),
        spend_only: None,
    })
}

fn identity(seed: u8) -> Identity {
    Identity::from_seed(&Secret::new([seed; 32])).unwrap()
}

async fn post(server: &HttpServer, body: &Value) -> String {
    let body = body.to_string();
    let head = format!(
        "POST /v1/requests HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(server, head).await
}

async fn get(server: &HttpServer, path: &str) -> Value {
    let head = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    let answer = exchange(server, head).await;
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

async fn exchange(server: &HttpServer, head: String) -> String {
    let mut answer = String::new();
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn coordinator(journal: PathBuf, fake: Fake) -> Coordinator {
    let target = node(journal.clone(), fake).await;
    let settings = Settings {
        cluster: CLUSTER,
        service: "desk".parse().unwrap(),
        chain: ChainId(31337),
        deadline: Duration::from_secs(1),
        lifetime: Duration::from_secs(60),
        addresses_per_key: 1,
    };
    let limits = EndpointLimits::default();
    let nowhere = Endpoint::new("nowhere".parse().unwrap(), "http://127.0.0.1:1", limits, &Roots::System);
    let chain = ChainView::new(31337, vec![nowhere.unwrap()], 1, Finality::Finalized).unwrap();
    let signer = HybridSigner::from_seed(&Secret::new([3; HYBRID_SEED_BYTES])).unwrap();
    Coordinator::start(settings, vec![target], signer, Some(chain), &journal).unwrap()
}

#[tokio::test]
async fn d04_a_broadcast_is_promised_before_a_node_hears_of_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, fake) = (folder.path().join("journal"), Fake::default());
    let (coordinator, seen) = (coordinator(journal, fake.clone()).await, fake.seen);
    let listen = ([127, 0, 0, 1], 0).into();
    let server = HttpServer::start(listen, coordinator, Doors::default(), HttpLimits::default()).await;
    let server = server.unwrap();

    let gas = json!({"nonce": 0, "gas_limit": 21000, "max_fee_per_gas": 3, "max_priority_fee_per_gas": 1});
    let transfer = json!({"transfer": {
        "account": {"key": "hot", "index": 0}, "chain": 31337, "asset": "native",
        "to": format!("0x{}", "11".repeat(20)), "amount": "5", "gas": gas,
    }});
    for (broadcast, promised) in [(true, true), (false, false)] {
        let answer = post(&server, &json!({"action": transfer, "broadcast": broadcast})).await;
        assert!(answer.contains("node.test"), "{answer}");
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), [promised], "{answer}");
    }
}

#[tokio::test]
async fn thousands_of_keys_are_listed_page_after_page_to_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = coordinator(folder.path().join("journal"), Fake::default()).await;
    let listen = ([127, 0, 0, 1], 0).into();
    let server = HttpServer::start(listen, coordinator, Doors::default(), HttpLimits::default()).await;
    let server = server.unwrap();

    let (mut names, mut path) = (Vec::new(), "/v1/keys?limit=90".to_owned());
    loop {
        let page = get(&server, &path).await;
        names.extend(
            page["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/keys?limit=90&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = keys().map(|key| key.name.to_string()).collect();
    assert_eq!(names, expected);
    assert_eq!(get(&server, "/v1/keys/key-02499").await["name"], "key-02499");
    assert_eq!(get(&server, "/v1/keys/key-02500").await["code"], "key.unknown");
    let points = get(&server, "/api/v1/eth1/publicKeys").await;
    assert_eq!(points.as_array().map(Vec::len), Some(KEYS));
}

#[tokio::test]
async fn a01_all_keys_are_read_once_for_all_who_ask_until_the_log_grows() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    fake.height.store(7, Ordering::SeqCst);
    let coordinator = coordinator(folder.path().join("journal"), fake.clone()).await;
    let inner = &coordinator.inner;
    let read = async || {
        let points = inner.accounts.points(|_| true);
        let (names, all, points) = tokio::join!(inner.accounts.names(), inner.accounts.all(), points);
        assert_eq!((names.unwrap().len(), all.unwrap().len(), points.unwrap().len()), (KEYS, KEYS, KEYS));
        fake.listings.load(Ordering::SeqCst)
    };
    assert_eq!((read().await, read().await), (1, 1));
    fake.height.store(8, Ordering::SeqCst);
    assert_eq!((read().await, read().await), (2, 2));
    // What a node does not say is not guessed.
    fake.height.store(0, Ordering::SeqCst);
    assert_eq!(read().await, 5);
}

/// A node keeps a question's place for as long as it was asked to wait, whoever hung up meanwhile.
#[tokio::test]
async fn a04_a_carried_question_holds_its_place_until_the_node_has_answered() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let (coordinator, seen) = (coordinator(folder.path().join("journal"), fake.clone()).await, fake.seen);
    let share = coordinator.inner.shares.of("ci");
    let before = share.free_asks();
    let wait = NodeRequest::Wait { request: RequestId(Digest::ZERO), millis: 600_000 };
    let params = [const_hex::encode_prefixed(wait.to_document())];
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "keystead_ask", "params": params}).to_string();
    let asked = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.answer_to(call.as_bytes(), &coordinator.asking("ci")).await }
    });
    while seen.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    assert_eq!(share.free_asks(), before - 1);
}

/// Whoever has as many fill-ins as one may have waits for a place of its own, and takes no account's turn meanwhile.
#[tokio::test]
async fn a04_a_caller_without_a_place_holds_up_nobody_else_s_turn() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    let coordinator = coordinator(folder.path().join("journal"), fake.clone()).await;
    let share = coordinator.inner.shares.of("greedy");
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(share.own_fill().await.unwrap());
    }
    let from = keys().next().unwrap().address.unwrap();
    let call = move |word: &'static str| {
        let coordinator = coordinator.clone();
        let params = [json!({"from": from, "to": from, "value": "0x1"})];
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": params});
        tokio::spawn(async move {
            coordinator.answer_to(call.to_string().as_bytes(), &coordinator.asking(word)).await
        })
    };
    let waits = call("greedy");
    while fake.listings.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let other = call("other").await.unwrap();
    assert_eq!(other["error"]["data"]["code"], "request.chain", "{other}");
    assert!(!waits.is_finished(), "it waits for a place of its own");
    drop(held);
    assert_eq!(waits.await.unwrap()["error"]["data"]["code"], "request.chain");
}

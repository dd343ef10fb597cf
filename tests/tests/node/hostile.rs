//! Strangers, garbage, oversize and slow clients: refused with a reason, while others are served.

use keystead_base::{Canonical, Secret, Signed};
use keystead_decision::{Entry, Renewal};
use keystead_intent::{Message, RequestBatch};
use keystead_tests::cluster::{Station, ether, signed};
use keystead_tests::fixture::{CHAIN, ETHER, FRIEND};
use keystead_tests::world::hot;
use keystead_wire::{Client, EntryAnswer, Identity, NodeClient, NodeReply, RequestStage, Target};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_slow_clients_do_not_disturb_others() {
    let station = Station::with_hot_key().await;
    let mut slow = Vec::new();
    for garbage in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0; 512], &[0x16, 3, 1, 0xff, 0xff], b""] {
        for _ in 0..8 {
            let mut socket = TcpStream::connect(station.node.address()).await.unwrap();
            socket.write_all(garbage).await.unwrap();
            slow.push(socket);
        }
    }
    let view = station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    assert_eq!(view.stage, RequestStage::Signed);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused_in_the_handshake() {
    let station = keystead_tests::cluster::NodeHome::new().start().await;
    let stranger = Identity::from_seed(&Secret::new([99; 32])).unwrap();
    let target = Target { identity: stranger, ..station.target(station.member("ana")) };
    let error = NodeClient::connect(target).await.err().unwrap();
    let code = keystead_base::Coded::code(&error);
    assert!(["wire.tls", "wire.closed", "wire.io"].contains(&code), "{code}");
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_admitted_leaves_no_trace_in_the_log() {
    let station = keystead_tests::cluster::NodeHome::new().start().await;
    let now = station.now().await;
    let intent = station.intent("desk", ether(FRIEND, 1, 0), now);
    let desk = station.member("desk");
    let forged = Signed { signer: desk.name.clone(), ..signed(batch(&intent), station.member("dora")) };
    let mut elsewhere = intent.clone();
    elsewhere.cluster = keystead_base::ClusterId(keystead_base::Digest([1; 32]));
    let renewal = Renewal { cluster: station.node.cluster(), request: intent.id(), at: now };
    let node = &station.home.desk.nodes[0];
    let long = keystead_intent::Intent { action: long_message(), ..intent.clone() };
    let many = RequestBatch { intents: vec![long.clone(); 12] };
    for (entry, code) in [
        (Entry::Requests(forged), "admission.signature"),
        (Entry::Requests(signed(batch(&elsewhere), desk)), "admission.cluster"),
        (Entry::Requests(signed(batch(&intent), station.member("dora"))), "admission.requester"),
        (Entry::Requests(signed(RequestBatch { intents: Vec::new() }, desk)), "admission.batch_size"),
        (Entry::Renew(signed(renewal, node)), "node.own_entry"),
        (Entry::Tick, "node.own_entry"),
        (Entry::Requests(signed(many, desk)), "node.entry_too_long"),
    ] {
        let answer = station.submit("desk", entry).await;
        let EntryAnswer::Refused(refused) = answer else { panic!("{answer:?}") };
        assert_eq!(refused.code, code, "{refused}");
    }
    assert_eq!(station.client("eve").await.status().await.unwrap().height, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_none_get_an_error_and_the_connection_goes_on() {
    let station = keystead_tests::cluster::NodeHome::new().start().await;
    let client = Client::connect(station.target(station.member("desk"))).await.unwrap();
    for message in [b"".as_slice(), b"\x18keystead/node-request/v1", &[0xff; 4096]] {
        let reply = NodeReply::from_document(&client.call(message.to_vec()).await.unwrap()).unwrap();
        let NodeReply::Refused(refused) = reply else { panic!("{reply:?}") };
        assert_eq!(refused.code, "node.message");
    }
    let empty = NodeClient::connect(station.target(station.member("desk"))).await.unwrap();
    assert!(empty.submit(Vec::new()).await.is_err());
    assert!(empty.submit(vec![Entry::Tick; 300]).await.is_err());
    assert!(empty.status().await.is_ok());
}

fn batch(intent: &keystead_intent::Intent) -> RequestBatch {
    RequestBatch { intents: vec![intent.clone()] }
}

fn long_message() -> keystead_intent::Action {
    let bytes = vec![7; 200 * 1024].into();
    keystead_intent::Action::Message(Message { account: hot(), chain: CHAIN, bytes })
}

//! Peers with a pinned key that break the protocol: each gets a typed error and is cut off, alone.

use std::sync::Mutex;

use borsh::BorshSerialize;
use keystead_base::{Canonical, Name};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::frame;

#[tokio::test]
async fn a_hello_that_does_not_agree_is_refused_with_a_reason() {
    let mut server = Running::echo(Limits::default()).await;
    let honest = server.client().await;
    let other = ClusterId(Digest([8; 32]));
    let ours = hello(Role::Service);
    for (hello, refusal, code) in [
        (Hello { version: 2, ..ours.clone() }, Refusal::Version { speaks: 1 }, "wire.version"),
        (Hello { cluster: other, ..ours }, Refusal::Cluster, "wire.cluster"),
    ] {
        let target = Target { hello, ..server.target(identity(3)) };
        assert_eq!(Client::connect(target).await.unwrap_err(), WireError::Refused(refusal));
        assert_eq!(server.fault().await.code(), code);
        assert_eq!(honest.call(b"on".to_vec()).await, Ok(b"on".to_vec()));
    }
}

#[tokio::test]
async fn a_hello_that_is_none_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let longer = [hello(Role::Node).to_document(), vec![0]].concat();
    for (frame, code) in [
        (framed(b"hello?"), "wire.hello"),
        (framed(&longer), "wire.hello"),
        (framed(&[]), "wire.hello"),
        (vec![0xff; 4], "wire.frame_too_long"),
    ] {
        let mut stream = server.raw().await;
        stream.write_all(&frame).await.unwrap();
        stream.flush().await.unwrap();
        let greeting: Greeting = hello::receive(&mut stream, LONG).await.unwrap();
        assert_eq!(greeting, Greeting::Refused(Refusal::Garbled));
        assert_eq!(server.fault().await.code(), code);
    }
}

#[tokio::test]
async fn broken_frames_end_only_their_connection() {
    let limits = Limits { frame: SHORT, ..Limits::default() };
    let mut server = Running::echo(limits).await;
    let honest = server.client().await;
    let too_long = u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_be_bytes().to_vec();
    let late = WireError::Late { stage: Stage::Reading, limit: SHORT };
    for (bytes, expected) in [
        (too_long, WireError::FrameTooLong { limit: MAX_FRAME_BYTES, found: MAX_FRAME_BYTES + 1 }),
        (framed(&[1; 7]), WireError::FrameTooShort { found: 7 }),
        (vec![0], late.clone()),
        ([&framed(&[0; 100])[..50]].concat(), late),
    ] {
        let mut stream = server.welcomed().await;
        stream.write_all(&bytes).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(server.fault().await, expected);
        assert!(!matches!(stream.read(&mut [0; 1]).await, Ok(1..)));
        assert_eq!(honest.call(b"on".to_vec()).await, Ok(b"on".to_vec()));
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off() {
    let limits = Limits { frame: SHORT, ..Limits::default() };
    let mut server = Running::echo(limits).await;
    let mut stream = server.welcomed().await;
    let message = framed(&[5; 1024 * 1024]);
    // It writes until the server, whose replies nobody reads, stops reading and then gives up.
    let flood = async { while stream.write_all(&message).await.is_ok() {} };
    let (fault, ()) = tokio::join!(server.fault(), flood);
    assert_eq!(fault, WireError::Late { stage: Stage::Writing, limit: SHORT });
}

#[tokio::test]
async fn an_idle_peer_frees_its_place() {
    let limits = Limits { idle: SHORT, ..Limits::default() };
    let mut server = Running::echo(limits).await;
    let client = server.client().await;
    assert_eq!(server.fault().await, WireError::Late { stage: Stage::Idle, limit: SHORT });
    // The next call connects anew, once this end has seen that the connection is gone.
    let mut reply = client.call(b"back".to_vec()).await;
    while reply.is_err() {
        reply = client.call(b"back".to_vec()).await;
    }
    assert_eq!(reply, Ok(b"back".to_vec()));
}

#[tokio::test]
async fn one_peer_cannot_take_every_place() {
    let limits = Limits { connections: 3, connections_per_peer: 2, ..Limits::default() };
    let mut server = Running::echo(limits).await;
    let first = [server.client().await, server.client().await];
    let full = Client::connect(server.target(client_identity())).await.unwrap_err();
    assert_eq!(full, WireError::Refused(Refusal::Full));
    assert_eq!(server.fault().await, WireError::Full { peer: "alice".parse().unwrap(), limit: 2 });
    let bob = Client::connect(server.target(identity(3))).await.unwrap();
    assert_eq!(bob.call(b"in".to_vec()).await, Ok(b"in".to_vec()));
    let full = Client::connect(server.target(identity(3))).await.unwrap_err();
    assert_eq!(full, WireError::Refused(Refusal::Full));
    assert_eq!(server.fault().await, WireError::Full { peer: "bob".parse().unwrap(), limit: 3 });
    drop(first);
    let again = loop {
        match Client::connect(server.target(client_identity())).await {
            Ok(client) => break client,
            Err(error) => assert_eq!(error, WireError::Refused(Refusal::Full)),
        }
    };
    assert_eq!(again.call(b"in".to_vec()).await, Ok(b"in".to_vec()));
}

#[tokio::test]
async fn s13_a_peer_that_leaves_the_roster_is_cut_off() {
    let roster: Arc<Mutex<Option<Name>>> = Arc::new(Mutex::new(Some("alice".parse().unwrap())));
    let view = Arc::clone(&roster);
    let pins: Pins =
        Arc::new(move |key| view.lock().unwrap().clone().filter(|_| key == client_identity().key()));
    let mut server =
        Running::start(Limits::default(), pins, |_: Arc<Peer>, request| async move { request }).await;
    let client = server.client().await;
    assert!(client.call(b"in".to_vec()).await.is_ok());
    *roster.lock().unwrap() = None;
    assert!(client.call(b"out".to_vec()).await.is_err());
    assert_eq!(server.fault().await, WireError::Unpinned { peer: "alice".parse().unwrap() });
    assert_eq!(client.call(b"out".to_vec()).await.unwrap_err().code(), "wire.tls");
}

#[tokio::test]
async fn a_server_that_answers_what_was_not_asked_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let lying = tokio::spawn(async move {
        let config = tls::server_config(&server_identity(), known()).unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(socket).await.unwrap();
        let _: Hello = hello::receive(&mut stream, LONG).await.unwrap();
        hello::send(&mut stream, &Greeting::Welcome(hello(Role::Node)), LONG).await.unwrap();
        frame::write_call(&mut stream, 99, b"answer", LONG).await.unwrap();
        stream.flush().await.unwrap();
        let _ = stream.read(&mut [0; 64]).await;
        stream
    });
    let target = Target {
        address,
        server: *server_identity().key(),
        identity: client_identity(),
        hello: hello(Role::Service),
        limits: Limits::default(),
    };
    let client = Client::connect(target).await.unwrap();
    assert_eq!(client.call(b"?".to_vec()).await, Err(WireError::UnknownCall { found: 99 }));
    drop(lying);
}

#[test]
fn a_hello_has_one_encoding() {
    #[derive(BorshSerialize)]
    struct Fields(u16, [u8; 32], u8, u64);
    let document = Hello::new(CLUSTER, Role::Person, 5).to_document();
    let body = borsh::to_vec(&Fields(1, [7; 32], 2, 5)).unwrap();
    assert_eq!(document, [b"\x11keystead/hello/v1".as_slice(), &body].concat());
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

//! WebSockets over real connections, and what stands between them and plain requests.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use keystead_base::Secret;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::tests::Desk;
use super::*;
use crate::tokens::{Scope, Shelf, TokenFile, TokenRecord};
use crate::{MIN_TOKEN_BYTES, Token};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn connect(desk: &Desk, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/", desk.server.address()).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The status with which a socket is refused.
async fn refused(desk: &Desk, headers: &[(&'static str, &str)]) -> u16 {
    match connect(desk, headers).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

async fn ask(socket: &mut Socket, text: &str) -> Value {
    socket.send(Message::text(text)).await.unwrap();
    read(socket).await
}

async fn read(socket: &mut Socket) -> Value {
    let answer = socket.next().await.unwrap().unwrap();
    serde_json::from_str(answer.to_text().unwrap()).unwrap()
}

/// How the server says that it hangs up; none when it does so without a word.
async fn farewell(socket: &mut Socket) -> Option<u16> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(frame))) => return frame.map(|CloseFrame { code, .. }| code.into()),
            Some(Ok(Message::Text(text))) => panic!("answered: {text}"),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

fn call(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "eth_chainId"})
}

#[tokio::test]
async fn a_socket_carries_the_same_calls_as_bodies_do() {
    let desk = Desk::open().await;
    let mut socket = connect(&desk, &[]).await.unwrap();
    assert_eq!(ask(&mut socket, &call(1).to_string()).await["result"], "0x7a69");
    let batch = ask(&mut socket, &json!([call(2), call(3)]).to_string()).await;
    assert_eq!((&batch[0]["id"], &batch[1]["id"]), (&json!(2), &json!(3)));
    assert_eq!(ask(&mut socket, "{").await["error"]["code"], -32700);
    let subscribe = json!({"id": 4, "method": "eth_subscribe", "params": ["newHeads"]});
    assert_eq!(ask(&mut socket, &subscribe.to_string()).await["error"]["data"]["code"], "request.no_chain");
    // More than are under way at once: the others are read later, and none is lost.
    for id in 10..74 {
        socket.send(Message::text(call(id).to_string())).await.unwrap();
    }
    let mut ids = Vec::new();
    for _ in 10..74 {
        ids.push(read(&mut socket).await["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (10..74).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_socket_stands_behind_the_same_door() {
    let token = "f".repeat(MIN_TOKEN_BYTES);
    let doors = Doors { token: Some(Token::new(token.as_bytes()).unwrap()), ..Doors::default() };
    let desk = Desk::open_with(doors).await;
    let bearer = format!("Bearer {token}");
    assert_eq!(refused(&desk, &[]).await, 401);
    assert_eq!(refused(&desk, &[("authorization", "Bearer wrong")]).await, 401);
    let page = [("authorization", bearer.as_str()), ("origin", "https://page.example")];
    assert_eq!(refused(&desk, &page).await, 403, "a page of somebody's browser");
    assert_eq!(refused(&desk, &[("authorization", &bearer), ("host", "rebound.example")]).await, 403);
    assert_eq!(refused(&desk, &[("authorization", &bearer), ("idempotency-key", "a")]).await, 400);
    let mut socket = connect(&desk, &[("authorization", &bearer)]).await.unwrap();
    assert_eq!(ask(&mut socket, &call(1).to_string()).await["result"], "0x7a69");
}

#[tokio::test]
async fn a04_a_token_that_is_taken_back_is_good_for_no_further_call_of_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let ends = crate::clock::now().plus_seconds(3600);
    let scopes = (vec![Scope::Rpc], Vec::new());
    let (token, record) = TokenRecord::mint("bot".parse().unwrap(), scopes, ends, &Secret::new([7; 32]));
    let write = |tokens| std::fs::write(&path, serde_json::to_vec(&TokenFile { tokens }).unwrap()).unwrap();
    write(vec![record]);
    let tokens = Some(Arc::new(Shelf::open(&path).unwrap()));
    let desk = Desk::open_with(Doors { tokens, ..Doors::default() }).await;
    let bearer = format!("Bearer {}", token.expose());
    let mut socket = connect(&desk, &[("authorization", &bearer)]).await.unwrap();
    assert_eq!(ask(&mut socket, &call(1).to_string()).await["result"], "0x7a69");
    let mut silent = connect(&desk, &[("authorization", &bearer)]).await.unwrap();
    write(Vec::new());
    socket.send(Message::text(call(2).to_string())).await.unwrap();
    assert_eq!(farewell(&mut socket).await, Some(1008));
    assert_eq!(farewell(&mut silent).await, Some(1008), "whoever says nothing is sent away as well");
}

#[tokio::test]
async fn a04_one_token_does_not_open_all_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let ends = crate::clock::now().plus_seconds(3600);
    let mint = |name: &str, byte| {
        let scopes = (vec![Scope::Rpc], Vec::new());
        TokenRecord::mint(name.parse().unwrap(), scopes, ends, &Secret::new([byte; 32]))
    };
    let ((greedy, first), (other, second)) = (mint("greedy", 7), mint("other", 8));
    std::fs::write(&path, serde_json::to_vec(&TokenFile { tokens: vec![first, second] }).unwrap()).unwrap();
    let tokens = Some(Arc::new(Shelf::open(&path).unwrap()));
    let desk = Desk::open_within(Doors { tokens, ..Doors::default() }, HttpLimits::default()).await;
    let bearer = |token: &Secret<String>| format!("Bearer {}", token.expose());
    let mut open = Vec::new();
    while let Ok(socket) = connect(&desk, &[("authorization", &bearer(&greedy))]).await {
        open.push(socket);
    }
    assert!(open.len() < HttpLimits::default().sockets / 2, "{}", open.len());
    assert!(connect(&desk, &[("authorization", &bearer(&other))]).await.is_ok());
}

#[tokio::test]
async fn a01_a_socket_keeps_the_limits_of_a_body() {
    let quick = Duration::from_millis(100);
    let limits = HttpLimits { body_bytes: 1000, sockets: 2, silence: quick, ..HttpLimits::default() };
    let desk = Desk::open_within(Doors::default(), limits).await;
    let mut long = connect(&desk, &[]).await.unwrap();
    let mut binary = connect(&desk, &[]).await.unwrap();
    assert_eq!(refused(&desk, &[]).await, 503, "a third socket");
    long.send(Message::text("x".repeat(1001))).await.unwrap();
    assert!(matches!(farewell(&mut long).await, Some(1009) | None));
    binary.send(Message::binary(vec![0; 10])).await.unwrap();
    assert_eq!(farewell(&mut binary).await, Some(1003));

    // Nobody answers the question whether anybody is there.
    let silent =
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{UPGRADE_HEADERS}sec-websocket-version: 13\r\n\r\n");
    assert!(desk.say(silent.as_bytes()).await.starts_with("HTTP/1.1 101 "));
}

/// A client that asks and asks, and reads no answer, would hold its connection for ever.
#[tokio::test]
async fn a01_a_client_that_reads_nothing_loses_its_place() {
    let limits = HttpLimits {
        connections: 1,
        unread: Duration::from_secs(1),
        head: Duration::from_secs(60),
        ..HttpLimits::default()
    };
    let desk = Desk::open_within(Doors::default(), limits).await;
    let greedy = TcpSocket::new_v4().unwrap();
    greedy.set_recv_buffer_size(4096).unwrap();
    let mut greedy = greedy.connect(desk.server.address()).await.unwrap();
    let questions = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    // Until the server hangs up: what it cannot send it keeps, and then it reads no more.
    let asks = async { while greedy.write_all(questions.as_bytes()).await.is_ok() {} };
    timeout(Duration::from_secs(60), asks).await.expect("it is let hold on for ever");
    assert!(
        desk.say(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

const UPGRADE_HEADERS: &str =
    "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What comes behind a request on the same connection is answered only where nobody could take it for anything
/// but a request.
#[tokio::test]
async fn a01_nothing_is_smuggled_behind_a_body_or_an_upgrade() {
    let desk = Desk::open().await;
    let host = "host: localhost\r\n";
    let json = "content-type: application/json\r\n";
    let body = call(1).to_string();
    let second = format!(
        "POST / HTTP/1.1\r\n{host}{json}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let plain = format!("POST / HTTP/1.1\r\n{host}{json}content-length: {}\r\n\r\n{body}", body.len());
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let socket = UPGRADE_HEADERS;
    for (what, first, answers) in [
        ("a plain request", plain.clone(), 2),
        ("chunks", format!("POST / HTTP/1.1\r\n{host}{json}transfer-encoding: chunked\r\n\r\n{chunks}"), 1),
        (
            "chunks and a length",
            format!(
                "POST / HTTP/1.1\r\n{host}{json}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
            ),
            1,
        ),
        (
            "a length behind chunks",
            format!(
                "POST / HTTP/1.1\r\n{host}{json}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n{chunks}"
            ),
            1,
        ),
        ("another version", format!("GET / HTTP/1.1\r\n{host}{socket}sec-websocket-version: 777\r\n\r\n"), 1),
        (
            "no key",
            format!(
                "GET / HTTP/1.1\r\n{host}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n"
            ),
            1,
        ),
        (
            "an upgrade of a post",
            plain.replace("content-type", "connection: upgrade\r\nupgrade: websocket\r\ncontent-type"),
            1,
        ),
        (
            "an upgrade to HTTP/2",
            plain.replace("content-type", "connection: upgrade\r\nupgrade: h2c\r\ncontent-type"),
            1,
        ),
        (
            "an upgrade elsewhere",
            format!("GET /v1/status HTTP/1.1\r\n{host}{socket}sec-websocket-version: 13\r\n\r\n"),
            1,
        ),
        (
            "an upgrade with a body",
            format!(
                "GET / HTTP/1.1\r\n{host}{socket}sec-websocket-version: 13\r\ncontent-length: {}\r\n\r\n{second}",
                second.len()
            ),
            1,
        ),
    ] {
        let answer = desk.say(format!("{first}{second}").as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), answers, "{what}: {answer}");
    }
}

/// RFC 6455: what a client may not send ends its socket, and a call that hides in it is not answered (sections 5.1 to 5.5, 8.1).
#[tokio::test]
async fn a01_a_frame_that_breaks_the_protocol_ends_its_socket() {
    // The server hangs up once nothing comes any more.
    let limits = HttpLimits { silence: Duration::from_millis(100), ..HttpLimits::default() };
    let desk = Desk::open_within(Doors::default(), limits).await;
    let text = call(1).to_string();
    let masked = |head: u8, payload: &[u8]| -> Vec<u8> {
        let length = 0x80 | u8::try_from(payload.len()).unwrap();
        [&[head, length, 0, 0, 0, 0], payload].concat()
    };
    let behind = masked(0x81, text.as_bytes());
    let unmasked = [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    for (what, frame, answers) in [
        ("a call", behind.clone(), 2),
        ("a call in two fragments", [masked(0x01, b"{"), masked(0x80, &text.as_bytes()[1..])].concat(), 2),
        ("without a mask", unmasked, 0),
        ("a reserved bit", masked(0xc1, text.as_bytes()), 0),
        ("a reserved kind", masked(0x83, b""), 0),
        ("a continuation of nothing", masked(0x80, text.as_bytes()), 0),
        ("a second beginning", [masked(0x01, b"{"), masked(0x81, text.as_bytes())].concat(), 0),
        ("a ping in fragments", masked(0x09, b""), 0),
        ("a long ping", [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[b'x'; 126]].concat(), 0),
        (
            "more than there is memory",
            vec![0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
            0,
        ),
        ("bytes that are no text", masked(0x81, &[0xff; 8]), 0),
    ] {
        let head = format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\n{UPGRADE_HEADERS}sec-websocket-version: 13\r\n\r\n"
        );
        let answer = desk.say(&[head.as_bytes(), &frame, &behind].concat()).await;
        assert_eq!(answer.matches("0x7a69").count(), answers, "{what}: {answer}");
    }
}

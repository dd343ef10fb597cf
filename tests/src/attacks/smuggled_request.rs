//! A request within a request: two servers of one connection find its end in different places (A1, A5).
//!
//! Request smuggling (Watchfire, 2005; again by PortSwigger, 2019): whoever stands in front reads a length, whoever
//! stands behind reads chunks, or believes that a connection has become a WebSocket when the other one refused it. What
//! one takes for a body the other takes for the next request, one that nobody let in.
//!
//! The thief is a partner behind a proxy that lets ordinary questions through and no others. The product refuses a body
//! without a plain length and ends a connection whose upgrade it refuses, so that there is no second request; the naive
//! server reads whatever framing it is given, and goes on.

use std::net::SocketAddr;
use std::path::Path;

use keystead_coordinator::{Coordinator, HttpLimits, HttpServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::{Loot, edge};

/// Where the two find the end in different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seam {
    /// A length for the proxy, chunks for the server.
    LengthAndChunks,
    /// Chunks that the proxy passes on as they are, read by their length.
    ChunksAndLength,
    /// An upgrade to a WebSocket of a version that nobody has; the proxy passes on what comes behind.
    RefusedUpgrade,
    /// An upgrade to HTTP/2 in the clear (RFC 7540, section 3.2), which nobody speaks here.
    ClearHttp2,
}

impl Seam {
    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::LengthAndChunks, Self::ChunksAndLength, Self::RefusedUpgrade, Self::ClearHttp2];
}

/// A server behind the proxy.
pub struct Behind {
    address: SocketAddr,
    _product: Option<HttpServer>,
    naive: Option<JoinHandle<()>>,
}

impl Drop for Behind {
    fn drop(&mut self) {
        if let Some(task) = &self.naive {
            task.abort();
        }
    }
}

/// The product's.
pub async fn framed_in_one_way(folder: &Path) -> Behind {
    let server = edge::coordinator(edge::nowhere(), HttpLimits::default(), folder).await;
    Behind { address: server.address(), _product: Some(server), naive: None }
}

/// The naive one's, around the same coordinator: chunks before length, and a refusal is an answer like any other.
pub async fn read_as_it_comes(folder: &Path) -> Behind {
    let coordinator = edge::bare_coordinator(edge::nowhere(), None, folder);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let naive = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer_all(socket, coordinator.clone()));
        }
    });
    Behind { address, _product: None, naive: Some(naive) }
}

/// Plays it: the proxy hands on what it takes for one question, and counts the answers.
pub async fn attack(behind: &Behind, seam: Seam) -> Loot {
    let asked = seam.bytes();
    assert!(proxy_lets_through(&asked), "{asked}");
    let mut socket = TcpStream::connect(behind.address).await.expect("a server");
    // A server that refuses early may hang up before everything is sent.
    let _ = socket.write_all(asked.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    match answer.contains(SECRET) {
        true => Loot::harmed("a call that the proxy never saw is answered"),
        false => Loot::refused(code(&answer)),
    }
}

/// What the hidden call's answer has in it.
const SECRET: &str = r#""id":"hidden""#;

/// What the server says of the question that it saw; nothing is answered twice.
fn code(answer: &str) -> String {
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let code = answer.split_once(r#""code":""#).and_then(|(_, rest)| rest.split_once('"'));
    code.map_or_else(|| answer.to_owned(), |(code, _)| code.to_owned())
}

impl Seam {
    fn bytes(self) -> String {
        let hidden =
            post("connection: close\r\n", r#"{"jsonrpc":"2.0","id":"hidden","method":"eth_chainId"}"#);
        let plain = r#"{"jsonrpc":"2.0","id":1,"method":"web3_clientVersion"}"#;
        let chunks = format!("{:x}\r\n{plain}\r\n0\r\n\r\n", plain.len());
        let host = "host: localhost\r\n";
        let json = "content-type: application/json\r\n";
        match self {
            Self::LengthAndChunks => {
                let length = chunks.len() + hidden.len();
                format!(
                    "POST / HTTP/1.1\r\n{host}{json}content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{hidden}"
                )
            }
            Self::ChunksAndLength => {
                format!("POST / HTTP/1.1\r\n{host}{json}transfer-encoding: chunked\r\n\r\n{chunks}{hidden}")
            }
            Self::RefusedUpgrade => format!(
                "GET / HTTP/1.1\r\n{host}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 777\r\n\r\n{hidden}"
            ),
            Self::ClearHttp2 => {
                let upgrade = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";
                format!("{}{hidden}", post(upgrade, plain))
            }
        }
    }
}

fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The proxy reads the first head and no other: an upgrade, or a question of the one method that partners have. Behind
/// an upgrade and within a body it does not look.
fn proxy_lets_through(asked: &str) -> bool {
    let Some((head, body)) = asked.split_once("\r\n\r\n") else { return false };
    let whole = head.split_once("content-length: ").is_none_or(|(_, rest)| {
        let length = rest.split("\r\n").next().and_then(|it| it.parse().ok());
        length.is_some_and(|length: usize| length <= body.len())
    });
    whole && (head.contains("upgrade: ") || body.contains("web3_clientVersion"))
}

/// Question by question, each read as it frames itself.
async fn answer_all(mut socket: TcpStream, coordinator: Coordinator) {
    let mut bytes = Vec::new();
    loop {
        let Some((body, rest, last)) = one(&bytes) else {
            match socket.read_buf(&mut bytes).await {
                Ok(read) if read > 0 => continue,
                _ => return,
            }
        };
        let answer = coordinator.answer(&body, None).await.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        if socket.write_all(format!("{head}{answer}").as_bytes()).await.is_err() || last {
            return;
        }
        bytes = rest;
    }
}

/// A question's body, what comes behind it, and whether it is the last.
fn one(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>, bool)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let (body, rest) = match field("transfer-encoding: ") {
        Some(_) => {
            let (size, rest) = rest.split_once("\r\n")?;
            let (chunk, rest) = rest.split_at_checked(usize::from_str_radix(size, 16).ok()?)?;
            (chunk, rest.strip_prefix("\r\n0\r\n\r\n")?)
        }
        None => {
            let length = field("content-length: ").map_or(Some(0), |it| it.parse().ok())?;
            rest.split_at_checked(length)?
        }
    };
    let last = field("connection: ") == Some("close");
    Some((body.as_bytes().to_vec(), rest.as_bytes().to_vec(), last))
}

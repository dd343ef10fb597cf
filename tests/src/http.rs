//! The barest HTTP/1.1: one request on a connection of its own, as a script or a thief would send it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Posts JSON; gives the status and the body.
///
/// # Panics
///
/// When nobody answers in HTTP.
pub async fn post(server: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let answer = exchange(server, request(path, body).as_bytes()).await;
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status.expect("a status"), body.expect("a body"))
}

/// The whole answer to a question.
///
/// # Panics
///
/// When nobody listens.
pub async fn get(server: SocketAddr, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    exchange(server, head.as_bytes()).await
}

/// The same with a bearer token.
pub(crate) async fn post_as(server: SocketAddr, path: &str, token: &str, body: &str) -> (u16, String) {
    let bearer = format!("authorization: Bearer {token}\r\ncontent-length: ");
    let answer =
        exchange(server, request(path, body).replacen("content-length: ", &bearer, 1).as_bytes()).await;
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status.expect("a status"), body.expect("a body"))
}

/// The whole answer to a question with a bearer token.
pub(crate) async fn get_as(server: SocketAddr, path: &str, token: &str) -> String {
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    exchange(server, head.as_bytes()).await
}

/// The bytes of such a request.
pub(crate) fn request(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// Sends bytes, and reads what comes back until the server hangs up.
pub(crate) async fn exchange(server: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server).await.expect("a server");
    let mut answer = Vec::new();
    // A server that refuses early may hang up before everything is sent.
    let _ = socket.write_all(bytes).await;
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one request from a connection: its path and its body.
pub(crate) async fn read_request(socket: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(whole) = parse(&bytes) {
            return Some(whole);
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let length: usize = length.parse().ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    Some((path, body.get(..length)?.to_owned()))
}

//! Endpoints that are dead, silent, endless or talk nonsense: typed errors, and the others go on.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const LIMITS: Limits = Limits { time: Duration::from_secs(1), bytes: 4096 };

/// A server that sends `answer` to whatever it is asked, or nothing if that is empty, and never hangs up.
pub(super) async fn fake(answer: String) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
            open.push(socket);
        }
    });
    (url, task)
}

pub(super) fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(super) async fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn every_broken_endpoint_has_its_error() {
    let endless =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", "5\r\naaaaa\r\n".repeat(2000));
    let cases = [
        (String::new(), "endpoint.late"),
        (endless, "endpoint.too_long"),
        (http("200 OK", &"a".repeat(5000)), "endpoint.too_long"),
        (http("503 Service Unavailable", "<html>busy</html>"), "endpoint.status"),
        (http("200 OK", "<html>"), "endpoint.malformed"),
        (http("200 OK", r#"{"jsonrpc":"2.0","id":999,"result":"0x1"}"#), "endpoint.malformed"),
        (http("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":1}"#), "endpoint.malformed"),
        (http("429 Too Many", r#"{"id":1,"error":{"code":-32005,"message":"limit"}}"#), "endpoint.rpc"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), "endpoint.unreachable"),
    ];
    for (answer, code) in cases {
        let (url, task) = fake(answer).await;
        let view = ChainView::new(CHAIN, endpoints(&[url], LIMITS), 1, Finality::Finalized).unwrap();
        let unknown = view.reported_chain_id().await.unwrap_err();
        let (_, error) = &unknown.failures[0];
        assert_eq!(error.code(), code, "{error}");
        task.abort();
    }
    let view = ChainView::new(CHAIN, endpoints(&[dead().await], LIMITS), 1, Finality::Finalized).unwrap();
    let unknown = view.reported_chain_id().await.unwrap_err();
    assert_eq!(unknown.failures[0].1.code(), "endpoint.unreachable");
}

#[tokio::test]
async fn one_broken_endpoint_of_three_harms_nothing() {
    let nodes = Nodes::start([genesis(), genesis()]).await;
    let (silent, task) = fake(String::new()).await;
    for broken in [dead().await, silent] {
        let urls = [broken, nodes.0[0].url(), nodes.0[1].url()];
        let view = ChainView::new(CHAIN, endpoints(&urls, LIMITS), 2, Finality::Confirmations(1)).unwrap();
        assert_eq!(view.head().await, Ok(nodes.0[0].chain().head().number()));
        let nonce = view.nonce(account()).await.unwrap();
        let (raw, watched) = transfer(nonce, 1);
        let sent = view.send(&raw).await.unwrap();
        assert_eq!(sent.taken.len(), 2);
        assert!(matches!(view.watch(&watched).await, Verdict::Settled { .. }));
        assert_eq!(view.read("net_version", serde_json::json!([])).await, Ok("31337".into()));
    }
    task.abort();
}

#[tokio::test]
async fn without_enough_endpoints_nothing_is_known() {
    let nodes = Nodes::start([genesis()]).await;
    let urls = [nodes.0[0].url(), dead().await];
    let view = ChainView::new(CHAIN, endpoints(&urls, LIMITS), 2, Finality::Confirmations(1)).unwrap();
    assert!(view.nonce(account()).await.is_err());
    assert!(view.head().await.is_err());
    assert!(matches!(view.watch(&transfer(0, 1).1).await, Verdict::Unknown(_)));
    assert_eq!(view.receipt(B256::ZERO).await.unwrap_err().most, 1);
}

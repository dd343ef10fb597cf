//! A chain endpoint that lies about what contracts have stored, and passes every other question on to a real one.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::http::{post, read_request};

/// The liar. It listens until it is dropped.
pub struct Poisoned {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Poisoned {
    /// One in front of the endpoint at this address: every slot holds `word`, a quantity in hex.
    pub async fn before(real: SocketAddr, word: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound address");
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, real, word));
            }
        });
        Self { address, task }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Poisoned {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut socket: TcpStream, real: SocketAddr, word: &str) {
    let Some((path, body)) = read_request(&mut socket).await else { return };
    let question: Value = serde_json::from_str(&body).expect("JSON");
    let answer = match question["method"].as_str() {
        Some("eth_getStorageAt") => {
            json!({"jsonrpc": "2.0", "id": question["id"], "result": word}).to_string()
        }
        _ => post(real, &path, &body).await.1,
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let _ = socket.write_all([head, answer].concat().as_bytes()).await;
}

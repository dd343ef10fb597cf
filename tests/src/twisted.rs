//! A chain endpoint that passes questions on to a real one, and tells the answers in its own way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::http::{post, read_request};

/// What it makes of a true answer to a method.
pub type Twist = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

/// The endpoint. It listens until it is dropped.
pub struct Twisted {
    address: SocketAddr,
    silent: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Twisted {
    /// One in front of the endpoint at this address.
    ///
    /// # Panics
    ///
    /// When loopback has no free port.
    pub async fn before(real: SocketAddr, twist: Twist) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound address");
        let silent = Arc::new(AtomicBool::new(false));
        let is_silent = Arc::clone(&silent);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if !is_silent.load(Ordering::SeqCst) {
                    tokio::spawn(answer(socket, real, Arc::clone(&twist)));
                }
            }
        });
        Self { address, silent, task }
    }

    /// One that tells the truth, for as long as it is not silenced.
    pub async fn honest(real: SocketAddr) -> Self {
        Self::before(real, Arc::new(|_, _| {})).await
    }

    /// From now on it hangs up on everybody, or answers again.
    pub fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Twisted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut socket: TcpStream, real: SocketAddr, twist: Twist) {
    let Some((path, body)) = read_request(&mut socket).await else { return };
    let question: Value = serde_json::from_str(&body).expect("JSON");
    let mut answer: Value = serde_json::from_str(&post(real, &path, &body).await.1).expect("JSON");
    bend(&question, &mut answer, &twist);
    let answer = json!(answer).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    // Whoever asked may have hung up.
    let _ = socket.write_all([head, answer].concat().as_bytes()).await;
}

/// Each answer of a batch is told as if it had been asked for alone.
fn bend(question: &Value, answer: &mut Value, twist: &Twist) {
    if let (Some(questions), Some(answers)) = (question.as_array(), answer.as_array_mut()) {
        for answer in answers {
            let own = questions.iter().find(|it| it["id"] == answer["id"]);
            bend(own.expect("a question for each answer"), answer, twist);
        }
    } else if let Some(result) = answer.get_mut("result") {
        twist(question["method"].as_str().unwrap_or_default(), result);
    }
}

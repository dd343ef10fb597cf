//! Servers of one chain, honest ones and liars, on loopback ports of their own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::Regtest;

/// What an endpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Esplora's HTTP.
    Esplora,
    /// Bitcoin Core's JSON-RPC.
    Core,
}

/// What a liar makes of an honest answer to a question: its path, or its whole call.
pub type Lie = Arc<dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync>;

/// A server. It ends with this value.
pub struct Source {
    /// Where it listens.
    pub url: String,
    over: Arc<AtomicBool>,
}

impl Regtest {
    /// An honest server, which estimates a fee of this many satoshi for a virtual byte.
    ///
    /// # Panics
    ///
    /// When no port is free.
    #[must_use]
    pub fn serve(&self, shape: Shape, estimate: f64) -> Source {
        self.serve_with(shape, estimate, None, Arc::new(|_, honest| honest))
    }

    /// A server that lies, or one that wants `user:password` to be shown.
    ///
    /// # Panics
    ///
    /// When no port is free.
    #[must_use]
    pub fn serve_with(&self, shape: Shape, estimate: f64, login: Option<&str>, lie: Lie) -> Source {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let over = Arc::new(AtomicBool::new(false));
        let server = Server {
            chain: self.clone(),
            shape,
            estimate,
            login: login.map(|it| {
                format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, it))
            }),
            lie,
        };
        let (server, ends) = (Arc::new(server), Arc::clone(&over));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let server = Arc::clone(&server);
                std::thread::spawn(move || socket.map(|it| server.answer(it)));
            }
        });
        Source { url, over }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // One more caller, so that the thread looks.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

struct Server {
    chain: Regtest,
    shape: Shape,
    estimate: f64,
    login: Option<String>,
    lie: Lie,
}

impl Server {
    /// One call, after which the connection ends. A caller that went away is nobody's loss.
    fn answer(&self, mut socket: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(socket.try_clone().ok()?);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let path = first.split(' ').nth(1)?.to_owned();
        let (mut length, mut shown) = (0, None);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "authorization" => shown = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let answer = self.say(&path, &String::from_utf8(body).ok()?, shown);
        let head = format!(
            "HTTP/1.1 {} Said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.status,
            answer.body.len()
        );
        socket.write_all(&[head.as_bytes(), &answer.body].concat()).ok()
    }

    fn say(&self, path: &str, body: &str, shown: Option<String>) -> Answer {
        if self.login.is_some() && shown != self.login {
            return Answer::refused(401, "");
        }
        let mut chain = self.chain.lock();
        let (question, answer) = match self.shape {
            Shape::Esplora => (path, chain.esplora(path, body, self.estimate)),
            Shape::Core => (body, chain.core(body, self.estimate)),
        };
        Answer { status: answer.status, body: (self.lie)(question, answer.body) }
    }
}

/// A status and a body.
pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(text: String) -> Self {
        Self::bytes(text.into_bytes())
    }

    pub(super) fn bytes(body: Vec<u8>) -> Self {
        Self { status: 200, body }
    }

    pub(super) fn json(value: &Value) -> Self {
        Self::text(value.to_string())
    }

    pub(super) fn refused(status: u16, reason: &str) -> Self {
        Self { status, body: reason.as_bytes().to_vec() }
    }
}

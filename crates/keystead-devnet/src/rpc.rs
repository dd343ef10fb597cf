//! The JSON-RPC 2.0 server in front of a chain.

mod encode;
mod method;
mod params;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Json;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Devnet;
use params::Params;

/// The longest request body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The most calls in one batch.
pub const MAX_BATCH: usize = 100;

/// Gives the time of the next block in seconds. The chain itself reads no clock.
pub type BlockClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A chain that listens. Dropping it closes the port.
pub struct DevnetServer {
    address: SocketAddr,
    chain: Arc<Mutex<Devnet>>,
    task: JoinHandle<()>,
}

impl DevnetServer {
    /// Binds `listen` (port 0 takes a free one) and answers from then on.
    ///
    /// # Errors
    ///
    /// What the operating system says when the port cannot be bound.
    pub async fn start(listen: SocketAddr, chain: Devnet, clock: BlockClock) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let chain = Arc::new(Mutex::new(chain));
        let served = Served { chain: Arc::clone(&chain), clock };
        let app = Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(served);
        let task = tokio::spawn(async move {
            // Serving ends only with this task: accept errors are retried within.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, chain, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The chain, locked: no request is answered while the guard lives.
    pub fn chain(&self) -> MutexGuard<'_, Devnet> {
        lock(&self.chain)
    }
}

impl Drop for DevnetServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Served {
    chain: Arc<Mutex<Devnet>>,
    clock: BlockClock,
}

async fn answer(State(served): State<Served>, body: Bytes) -> Json<Value> {
    let reply = match serde_json::from_slice(&body) {
        Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > MAX_BATCH => {
            failure(&Value::Null, RpcError::request(format!("a batch has 1 to {MAX_BATCH} calls")))
        }
        Ok(Value::Array(calls)) => calls.into_iter().map(|call| served.one(call)).collect(),
        Ok(call) => served.one(call),
        Err(error) => failure(&Value::Null, RpcError::new(-32700, error.to_string())),
    };
    Json(reply)
}

impl Served {
    fn one(&self, mut call: Value) -> Value {
        let id = call.get("id").cloned().unwrap_or(Value::Null);
        let params = call.get_mut("params").map(Value::take);
        let Some(method) = call.get("method").and_then(Value::as_str) else {
            return failure(&id, RpcError::request("a call has a method".to_owned()));
        };
        let mut chain = lock(&self.chain);
        let reply = Params::new(params).and_then(|params| {
            chain.set_time((self.clock)());
            method::call(&mut chain, method, &params)
        });
        match reply {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => failure(&id, error),
        }
    }
}

/// A panic of another request cannot leave a chain half changed: each change is one assignment.
fn lock(chain: &Mutex<Devnet>) -> MutexGuard<'_, Devnet> {
    chain.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failure(id: &Value, error: RpcError) -> Value {
    let mut body = json!({"code": error.code, "message": error.message});
    if let (Some(data), Some(fields)) = (error.data, body.as_object_mut()) {
        fields.insert("data".to_owned(), data);
    }
    json!({"jsonrpc": "2.0", "id": id, "error": body})
}

/// An error object of JSON-RPC 2.0, section 5.1.
#[derive(Debug)]
struct RpcError {
    code: i64,
    message: String,
    data: Option<Value>,
}

impl RpcError {
    fn new(code: i64, message: String) -> Self {
        Self { code, message, data: None }
    }

    fn request(message: String) -> Self {
        Self::new(-32600, message)
    }

    fn params(message: String) -> Self {
        Self::new(-32602, message)
    }
}

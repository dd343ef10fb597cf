//! What the same machine does without any of Keystead: the figures that ours are held against.
//!
//! The floors are a bare libsecp256k1 signature, one fsync, the smallest HTTP server that parses JSON and
//! signs, and the same server that makes each signature durable first, many in one transaction.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use secp256k1::{Message, Secp256k1, SecretKey, SignOnly};
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use crate::load::{self, Figures, Load};
use crate::table;

/// How long each load runs.
pub(crate) const SPAN: Duration = Duration::from_secs(5);
/// The numbers of clients.
pub(crate) const CLIENTS: [usize; 3] = [1, 16, 64];

/// The floors that the full path is compared with.
#[derive(Debug)]
pub(crate) struct Floors {
    /// The server that signs.
    pub(crate) bare: Vec<Figures>,
    /// The server that signs what is durable.
    pub(crate) durable: Vec<Figures>,
}

/// Measures and prints all floors.
pub(crate) async fn run() -> Floors {
    println!("\nFloors (no policy, no approvals, no log that anybody could verify)");
    println!("  bare libsecp256k1 signature   {}", table::micros(signature_nanos()));
    println!("  one fdatasync of 512 bytes    {}", table::micros(fsync_nanos()));
    let bare = loads(&Process::start(None)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let durable = loads(&Process::start(Some(folder.path()))).await;
    let floors = Floors { bare, durable };
    print("HTTP + JSON + sign", &floors.bare);
    print("HTTP + JSON + durable group-committed log + sign", &floors.durable);
    floors
}

fn print(title: &str, figures: &[Figures]) {
    let head = ["clients", "per second", "p50", "p99", "CPU each", "CPU of the load"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(figures.iter().map(|it| {
        vec![
            it.clients.to_string(),
            format!("{:.0}", it.per_second),
            table::micros(it.p50),
            table::micros(it.p99),
            table::micros(it.cpu),
            table::micros(it.load_cpu),
        ]
    }));
    table::print(title, &rows);
}

async fn loads(server: &Process) -> Vec<Figures> {
    let mut figures = Vec::new();
    let body = |client, number| format!(r#"{{"digest":"{client:032x}{number:032x}"}}"#);
    for clients in CLIENTS {
        let right = |it: &str| it.contains("signature");
        let load = Load { address: server.address, clients, span: SPAN, path: "/".to_owned(), right };
        figures.push(load::run(&load, &[server.child.id()], body).await);
    }
    figures
}

/// A floor's server, in a process of its own as the product's are: the load is then the same for both.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(folder: Option<&Path>) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let mut child =
            command.arg(SERVE).args(folder).stdout(Stdio::piped()).spawn().expect("this program once more");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("an address");
        Self { child, address: line.trim().parse().expect("an address") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The word that makes this program a floor's server; a folder after it makes the server durable.
pub(crate) const SERVE: &str = "serve-floor";

/// Serves until it is killed.
pub(crate) async fn serve_alone(folder: Option<&Path>) {
    let log = match folder {
        Some(folder) => Some(log(folder).await),
        None => None,
    };
    println!("{}", serve(log).await);
    std::future::pending().await
}

fn signature_nanos() -> f64 {
    let (context, key) = (Secp256k1::signing_only(), key());
    let start = Instant::now();
    let rounds = 20_000_u32;
    for round in 0..rounds {
        let mut digest = [1; 32];
        digest[..4].copy_from_slice(&round.to_be_bytes());
        std::hint::black_box(context.sign_ecdsa_recoverable(Message::from_digest(digest), &key));
    }
    start.elapsed().as_nanos() as f64 / f64::from(rounds)
}

/// One appended piece of 512 bytes made durable, the mean of many, in nanoseconds.
pub(crate) fn fsync_nanos() -> f64 {
    let mut file: File = tempfile::tempfile().expect("a file");
    let rounds = 200_u32;
    let start = Instant::now();
    for _ in 0..rounds {
        file.write_all(&[0; 512]).expect("a write");
        file.sync_data().expect("a sync");
    }
    start.elapsed().as_nanos() as f64 / f64::from(rounds)
}

fn key() -> SecretKey {
    SecretKey::from_byte_array([0x42; 32]).expect("a scalar")
}

#[derive(Deserialize)]
struct Ask {
    digest: String,
}

#[derive(Serialize)]
struct Answer {
    signature: String,
}

type Durable = mpsc::Sender<([u8; 32], oneshot::Sender<()>)>;

struct Server {
    context: Secp256k1<SignOnly>,
    key: SecretKey,
    log: Option<Durable>,
}

async fn serve(log: Option<Durable>) -> SocketAddr {
    let server = Arc::new(Server { context: Secp256k1::signing_only(), key: key(), log });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/", post(sign)).with_state(server);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn sign(State(server): State<Arc<Server>>, Json(ask): Json<Ask>) -> Json<Answer> {
    let digest: [u8; 32] = const_hex::decode_to_array(&ask.digest).expect("32 bytes of hex");
    if let Some(log) = &server.log {
        let (done, durable) = oneshot::channel();
        log.send((digest, done)).await.expect("a log");
        durable.await.expect("a durable record");
    }
    let signature = server.context.sign_ecdsa_recoverable(Message::from_digest(digest), &server.key);
    Json(Answer { signature: const_hex::encode(signature.serialize_compact().1) })
}

/// A writer that puts everything that waits into one transaction (SQLite, WAL, synchronous=FULL).
async fn log(folder: &Path) -> Durable {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    let options = SqliteConnectOptions::new()
        .filename(folder.join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePool::connect_with(options).await.expect("a database");
    sqlx::query("CREATE TABLE log (digest BLOB NOT NULL, body BLOB NOT NULL)")
        .execute(&pool)
        .await
        .expect("a table");
    let (sender, mut receiver) = mpsc::channel::<([u8; 32], oneshot::Sender<()>)>(1024);
    tokio::spawn(async move {
        while let Some(first) = receiver.recv().await {
            let mut waiting = vec![first];
            while let Ok(next) = receiver.try_recv() {
                waiting.push(next);
            }
            write(&pool, &waiting).await;
            for (_, done) in waiting {
                let _ = done.send(());
            }
        }
    });
    sender
}

async fn write(pool: &SqlitePool, waiting: &[([u8; 32], oneshot::Sender<()>)]) {
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO log (digest, body) ");
    insert.push_values(waiting, |mut row, (digest, _)| {
        row.push_bind(digest.to_vec()).push_bind(vec![0_u8; 400]);
    });
    insert.build().execute(pool).await.expect("a durable transaction");
}

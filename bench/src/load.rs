//! A closed loop of HTTP/1.1 clients: each connection sends its next request when the last is answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::usage;

/// What a run of the load showed.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// How many connections.
    pub(crate) clients: usize,
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Median latency, in nanoseconds.
    pub(crate) p50: f64,
    /// 99th percentile, in nanoseconds.
    pub(crate) p99: f64,
    /// Answers that are not right.
    pub(crate) wrong: u64,
    /// CPU of the serving processes, in nanoseconds per answer.
    pub(crate) cpu: f64,
    /// CPU of the clients, in nanoseconds per answer.
    pub(crate) load_cpu: f64,
    /// The same of the serving processes by the names of their threads.
    pub(crate) threads: BTreeMap<String, f64>,
}

/// What is asked of whom.
pub(crate) struct Load {
    /// Where the server listens.
    pub(crate) address: SocketAddr,
    /// How many connections.
    pub(crate) clients: usize,
    /// For how long.
    pub(crate) span: Duration,
    /// Which path is asked.
    pub(crate) path: String,
    /// Whether an answer's body is right.
    pub(crate) right: fn(&str) -> bool,
}

/// Runs the load against the server that the processes `servers` make up. `body` makes the request of
/// (client, number); what has none is a GET.
pub(crate) async fn run(
    load: &Load,
    servers: &[u32],
    body: impl Fn(usize, u64) -> String + Clone + Send + 'static,
) -> Figures {
    let &Load { address, clients, span, right, .. } = load;
    let before = (usage::threads(servers), own_cpu(), cpu(servers));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (path, body) = (load.path.clone(), body.clone());
        let request = move |number| request(&path, &body(client, number));
        tasks.spawn(one_client(address, start + span, right, request));
    }
    let results = tasks.join_all().await;
    let seconds = start.elapsed().as_secs_f64();
    let wrong = results.iter().map(|(_, wrong)| wrong).sum();
    let mut times: Vec<u64> = results.into_iter().flat_map(|(times, _)| times).collect();
    times.sort_unstable();
    let each = |seconds: f64| 1e9 * seconds / times.len() as f64;
    let (load_cpu, server_cpu) = (each(own_cpu() - before.1), each(cpu(servers) - before.2));
    let mut threads = usage::threads(servers);
    threads.iter_mut().for_each(|(name, used)| {
        *used = each(*used - before.0.get(name).copied().unwrap_or_default());
    });
    let at =
        |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default() as f64;
    Figures {
        clients,
        per_second: times.len() as f64 / seconds,
        p50: at(0.50),
        p99: at(0.99),
        wrong,
        cpu: server_cpu,
        load_cpu,
        threads,
    }
}

fn own_cpu() -> f64 {
    usage::cpu_seconds(std::process::id()).unwrap_or_default()
}

fn cpu(servers: &[u32]) -> f64 {
    servers.iter().filter_map(|pid| usage::cpu_seconds(*pid)).sum()
}

async fn one_client(
    address: SocketAddr,
    end: Instant,
    right: fn(&str) -> bool,
    request: impl Fn(u64) -> String,
) -> (Vec<u64>, u64) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let (mut times, mut wrong, mut buffer) = (Vec::new(), 0, Vec::new());
    let mut number = 0;
    while Instant::now() < end {
        let text = request(number);
        number += 1;
        let start = Instant::now();
        let answer = exchange(&mut stream, &text, &mut buffer).await;
        times.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if !right(&answer) {
            if wrong == 0 {
                eprintln!("  unexpected answer: {}", answer.chars().take(300).collect::<String>());
            }
            wrong += 1;
        }
    }
    (times, wrong)
}

fn request(path: &str, body: &str) -> String {
    let length = body.len();
    match length {
        0 => format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        _ => format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    }
}

/// One request and its answer's body.
async fn exchange(stream: &mut TcpStream, request: &str, buffer: &mut Vec<u8>) -> String {
    stream.write_all(request.as_bytes()).await.expect("a server that reads");
    buffer.clear();
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut chunk).await.expect("a server that answers");
        assert!(read > 0, "the server closed the connection");
        buffer.extend_from_slice(&chunk[..read]);
        if let Some(answer) = whole_body(buffer) {
            return answer;
        }
    }
}

fn whole_body(buffer: &[u8]) -> Option<String> {
    let end = buffer.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let length: usize =
        head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let body = buffer.get(end..end + length)?;
    Some(String::from_utf8_lossy(body).into_owned())
}

//! D4: the node is killed at syncs, writes and sends of one request's way; started again, it has kept S1–S14.
//!
//! After each kill the same request is sent again: it is signed with the same bytes, another digest at its nonce is
//! refused, and the log verifies from the genesis on.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Digest, Secret};
use keystead_decision::{Entry, Strict};
use keystead_ledger::{Auditor, StoredBlock};
use keystead_node::{Config, Silent, run};
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::FRIEND;
use keystead_wire::{
    EntryAnswer, Hello, Identity, Limits, NodeClient, RequestStage, RequestView, Role, Target,
};

#[tokio::test]
async fn d04_killed_at_each_sync_of_a_request_the_node_recovers() {
    killed_at("fsync,fdatasync", (1..=12).collect()).await;
}

#[tokio::test]
async fn d04_killed_at_writes_of_a_request_the_node_recovers() {
    killed_at("pwrite64", (1..=60).step_by(6).collect()).await;
}

#[tokio::test]
async fn d04_killed_at_sends_of_a_request_the_node_recovers() {
    killed_at("write,writev,sendto,sendmsg", (1..=19).step_by(2).collect()).await;
}

async fn killed_at(calls: &str, whens: Vec<usize>) {
    if !has_strace() {
        println!("SKIPPED: strace is not installed, so no process was killed at a system call");
        return;
    }
    let story = Story::new().await;
    let mut kills = 0;
    for when in &whens {
        kills += usize::from(story.dies_and_recovers(calls, *when).await);
    }
    println!("killed at {kills} of {} calls of {calls}", whens.len());
    assert!(kills >= 3, "only {kills} calls of {calls} were reached");
}

/// A node's folder with an active key, one request for it, and another one for the same nonce.
struct Story {
    home: NodeHome,
    cluster: keystead_base::ClusterId,
    request: Entry,
    other: Entry,
    raw: Vec<u8>,
}

impl Story {
    async fn new() -> Self {
        let station = Station::with_hot_key().await;
        let now = station.now().await;
        let request = station.entry(vec![station.intent("desk", ether(FRIEND, 1, 0), now)]);
        let other = station.entry(vec![station.intent("desk", ether(FRIEND, 2, 0), now)]);
        let cluster = station.node.cluster();
        let home = station.stop().await;
        let mut story = Self { home, cluster, request, other, raw: Vec::new() };
        let folder = tempfile::tempdir().unwrap();
        let config = story.copy(folder.path());
        story.raw = story.finish(config).await;
        story
    }

    /// A copy of the folder as it was before the request.
    fn copy(&self, folder: &Path) -> Config {
        for file in std::fs::read_dir(&self.home.config.data).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        Config { data: folder.to_owned(), listen: "127.0.0.1:0".to_owned(), ..self.home.config.clone() }
    }

    /// True when the node died on the way.
    async fn dies_and_recovers(&self, calls: &str, when: usize) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let config = self.copy(folder.path());
        let text = serde_json::to_string(&config).unwrap();
        std::fs::write(folder.path().join("config.json"), text).unwrap();
        let mut process = traced(&folder.path().join("config.json"), calls, when);
        let answered = match listening(&mut process) {
            Some(address) => self.ask(&address).await,
            None => false,
        };
        kill_all(process);
        assert_eq!(self.finish(config).await, self.raw, "killed at call {when} of {calls}");
        !answered
    }

    /// Sends the request; whether an answer comes is the killer's choice.
    async fn ask(&self, address: &str) -> bool {
        let Ok(client) = NodeClient::connect(self.target(address)).await else { return false };
        let answer = tokio::time::timeout(PATIENCE, client.submit(vec![self.request.clone()])).await;
        matches!(answer, Ok(Ok(_)))
    }

    /// Starts the node as anybody would, sends the request again: the signed bytes.
    async fn finish(&self, config: Config) -> Vec<u8> {
        let node = run(config, Arc::new(Silent)).await.unwrap();
        let client = NodeClient::connect(self.target(&node.address().to_string())).await.unwrap();
        let view = one_view(client.submit(vec![self.request.clone()]).await.unwrap());
        let view = match view.stage {
            RequestStage::Allowed => client.wait(view.request, PATIENCE).await.unwrap().unwrap(),
            _ => view,
        };
        assert_eq!(view.stage, RequestStage::Signed, "{view:?}");
        let other = one_view(client.submit(vec![self.other.clone()]).await.unwrap());
        assert_eq!(other.stage, RequestStage::Denied, "INVARIANT S4: {other:?}");
        self.audit(&client).await;
        node.shutdown().await.unwrap();
        view.signed.unwrap().raw.to_vec()
    }

    async fn audit(&self, client: &NodeClient) {
        let strict = Strict::default();
        let mut auditor = Auditor::begin(&self.home.genesis, self.cluster, &strict).unwrap();
        let mut from = 1;
        loop {
            let blocks = client.blocks(from, 100).await.unwrap();
            if blocks.is_empty() {
                break;
            }
            from += blocks.len() as u64;
            for block in blocks {
                auditor.block(StoredBlock { commit: block.commit, entries: block.entries }).unwrap();
            }
        }
        assert!(auditor.finish().unwrap().blocks > 0);
    }

    fn target(&self, address: &str) -> Target {
        let desk = &self.home.desk;
        let Digest(server) = desk.nodes[0].transport().0;
        Target {
            address: address.to_owned(),
            server,
            identity: Identity::from_seed(&Secret::new(desk.desk.transport_seed)).unwrap(),
            hello: Hello::new(self.cluster, Role::Service, 1),
            limits: Limits::default(),
        }
    }
}

fn one_view(mut answers: Vec<EntryAnswer>) -> RequestView {
    match answers.pop() {
        Some(EntryAnswer::Requests(mut views)) => views.pop().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn traced(config: &Path, calls: &str, when: usize) -> Child {
    let inject = format!("inject={calls}:signal=SIGKILL:when={when}");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject]);
    strace.arg(env!("CARGO_BIN_EXE_test_node")).arg(config);
    strace.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the tracer, the node and its enclave: a node whose tracer alone is killed would go on.
fn kill_all(mut process: Child) {
    let group = format!("-{}", process.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let _ = process.wait();
    while Command::new("kill").args(["-0", "--", &group]).stderr(Stdio::null()).status().unwrap().success() {
        std::thread::yield_now();
    }
}

/// Where the node listens; none when it died before.
fn listening(process: &mut Child) -> Option<String> {
    let mut line = String::new();
    BufReader::new(process.stdout.take()?).read_line(&mut line).ok()?;
    line.trim().strip_prefix("listening ").map(str::to_owned)
}

fn has_strace() -> bool {
    Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success())
}

const PATIENCE: Duration = Duration::from_secs(20);

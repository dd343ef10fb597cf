//! Four nodes founded on one machine and run by one command, as people meet them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use keystead_tests::{Collector, Service, binary, free_port};
use serde_json::{Value, json};

use crate::desk::{json as parsed, path, succeeds};
use crate::plain::post;

/// A folder with four nodes, each in a folder of its own.
fn founded(folder: &Path) {
    let listen = four_in_a_row();
    let (first, coordinator) = (format!("127.0.0.1:{listen}"), format!("127.0.0.1:{}", free_port()));
    let arguments = ["--json", "init", path(folder), "--nodes", "4", "--node-listen", &first];
    let founded = succeeds(
        Command::new(binary("keystead")).args(arguments).args(["--coordinator-listen", &coordinator]),
    );
    let founded = parsed(&founded);
    assert_eq!(founded["quorum"], 3);
    assert_eq!(founded["withstands"]["lying"], 1);
}

/// The first of four free ports in a row, none of which another test of this process gets.
pub(crate) fn four_in_a_row() -> u16 {
    loop {
        let first = free_port();
        if (1..4).all(|more| free_port() == first + more) {
            return first;
        }
    }
}

fn status(folder: &Path, node: &str) -> Value {
    let arguments = ["--json", "--dir", path(folder), "--as", "ana", "--node", node, "status"];
    parsed(&succeeds(Command::new(binary("keystead")).args(arguments)))
}

/// The node processes of this folder, by the words of their command lines.
pub(crate) fn process_of(home: &Path) -> Option<String> {
    let words = |entry: &Path| std::fs::read(entry.join("cmdline")).unwrap_or_default();
    let of_home = |entry: &Path| {
        let words: Vec<String> = words(entry)
            .split(|byte| *byte == 0)
            .map(|it| String::from_utf8_lossy(it).into_owned())
            .collect();
        words.iter().any(|word| word == path(home)) && words.iter().any(|word| word == "--supervised")
    };
    let mut entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let found = entries.find(|entry| of_home(entry))?;
    Some(found.file_name()?.to_str()?.to_owned())
}

#[test]
fn d03_four_nodes_run_by_one_command_and_a_killed_one_comes_back() {
    let home = tempfile::Builder::new().prefix("keystead-several-").tempdir().unwrap();
    let folder = home.path().join("desk");
    founded(&folder);
    let scratch = tempfile::Builder::new().prefix("keystead-up-").tempdir().unwrap();
    let program = binary("keystead");
    let devnet = free_port().to_string();
    let words = [path(&program), "up", path(&folder), "--devnet", "--devnet-port", &devnet];
    let _up = Service::start(scratch.path(), &words, "ready:");
    for node in ["node-1", "node-2", "node-3", "node-4"] {
        let status = status(&folder, node);
        assert_eq!((&status["status"]["node"], &status["status"]["nodes"]), (&node.into(), &4.into()));
    }
    let victim = folder.join("node-3");
    let process = process_of(&victim).expect("node-3 runs");
    succeeds(Command::new("kill").args(["-9", &process]));
    let back = std::iter::repeat_with(|| process_of(&victim))
        .find(|it| it.as_ref().is_some_and(|it| *it != process));
    assert!(back.is_some());
    // Its folder is one of a machine of its own: commands in it talk to it first.
    let text = std::fs::read_to_string(victim.join("keystead.toml")).unwrap();
    let first = text.split("[[client.nodes]]").nth(1).unwrap();
    assert!(first.contains("name = \"node-3\""), "{text}");
    assert!(!victim.join("members").exists() && victim.join("node-3.key").exists());
}

#[test]
fn only_sizes_that_withstand_something_are_founded() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("desk");
    for (nodes, listen) in
        [("2", "127.0.0.1:7400"), ("5", "127.0.0.1:7400"), ("4", "127.0.0.1:65534"), ("4", "127.0.0.1:0")]
    {
        let arguments = ["init", path(&folder), "--nodes", nodes, "--node-listen", listen];
        let refused = Command::new(binary("keystead")).args(arguments).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{nodes} {listen}");
        let words = String::from_utf8_lossy(&refused.stderr);
        assert!(words.contains("error[cli.usage]: expected") && words.contains("next: "), "{words}");
    }
}

/// The nodes that were not asked tell of the same request as parts of the one that was, and of the caller's trace.
#[test]
fn a_request_is_one_trace_at_all_nodes() {
    let home = tempfile::Builder::new().prefix("keystead-several-").tempdir().unwrap();
    let folder = home.path().join("desk");
    founded(&folder);
    let collector = Collector::start();
    for folder in [""].into_iter().chain(NODES).map(|it| folder.join(it)) {
        let file = folder.join("keystead.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + &collector.configuration()).unwrap();
    }
    let scratch = tempfile::Builder::new().prefix("keystead-up-").tempdir().unwrap();
    let (program, devnet) = (binary("keystead"), free_port().to_string());
    let words = [path(&program), "up", path(&folder), "--devnet", "--devnet-port", &devnet];
    let up = Service::start(scratch.path(), &words, "cast send");
    let url = up.ready_line().split("--rpc-url ").nth(1).and_then(|it| it.split(' ').next()).expect("a URL");
    // What a node hears of late it does not tell of: asked often enough, all have heard in time.
    let told = (0..100).any(|at| {
        let trace = format!("{:032x}", at + 1);
        let headers = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
        // Denied, as there is no such key: that is a decision like any other.
        let message =
            json!({"account": {"key": "none", "index": 0}, "chain": 31337, "bytes": "0x68656c6c6f"});
        let asked = post(url, "/v1/requests", &headers, &json!({"action": {"message": message}}).to_string());
        assert_eq!((asked.status, &asked.json()["stage"]), (201, &"denied".into()), "{asked:?}");
        is_told_by_all(&collector.spans())
    });
    assert!(told, "{:?}", collector.spans());
}

/// Whether all nodes have told of one of the traces so far.
fn is_told_by_all(spans: &[Value]) -> bool {
    let asked = spans.iter().filter(|span| span["name"] == "node.submit" && span["parent"] != "");
    let followed_by_others = |asked: &Value| {
        let follows = |span: &&Value| {
            (&span["trace"], &span["parent"]) == (&asked["trace"], &asked["span"])
                && span["name"] == "node.follow"
        };
        let nodes = spans.iter().filter(follows).map(|it| it["resource"]["service.instance.id"].to_string());
        nodes.collect::<BTreeSet<_>>().len() == NODES.len() - 1
    };
    asked.into_iter().any(followed_by_others)
}

const NODES: [&str; 4] = ["node-1", "node-2", "node-3", "node-4"];

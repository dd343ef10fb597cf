//! A node that can go on no longer ends its process, so that a service manager starts it again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keystead_tests::binary;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::desk::{loopback, path, succeeds};

#[tokio::test]
async fn d04_a_node_that_cannot_write_ends_its_process_and_says_why() {
    let home = tempfile::Builder::new().prefix("keystead-cli-").tempdir().unwrap();
    let folder = home.path().join("desk");
    let (node, coordinator) = (loopback(), loopback());
    let listen = ["--node-listen", &node, "--coordinator-listen", &coordinator];
    succeeds(Command::new(binary("keystead")).args(["init", path(&folder)]).args(listen));
    let mut node = start(&folder);
    let ledger = format!("sqlite:{}", folder.join("node/ledger.sqlite").display());
    let mut database = SqliteConnection::connect(&ledger).await.unwrap();
    database.execute("ALTER TABLE blocks RENAME TO gone").await.unwrap();
    // Whoever asks for something now has no answer.
    let mut freeze = Command::new(binary("keystead"));
    freeze.args(["--dir", path(&folder), "--as", "ana", "freeze"]);
    assert!(!freeze.output().unwrap().status.success());
    let code = code_of(&mut node);
    let mut words = String::new();
    node.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("error[ledger."), "{words}");
}

/// How it ended; none when it goes on, and is ended here.
fn code_of(node: &mut Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = node.try_wait().unwrap() {
            return status.code();
        }
        std::thread::yield_now();
    }
    node.kill().unwrap();
    node.wait().unwrap();
    None
}

/// Returns when it serves.
fn start(folder: &Path) -> Child {
    let mut command = Command::new(binary("keystead"));
    command.args(["--dir", path(folder), "node"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("node"), "{line}");
    node
}

const PATIENCE: Duration = Duration::from_secs(60);

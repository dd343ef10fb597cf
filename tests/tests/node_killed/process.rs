//! The node as a process, with its enclave.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keystead_tests::tracer::{Thread, child_of, threads};

/// A node that runs, and its enclave.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts one, perhaps under strace. One worker, so that its threads are the same ones every time.
    pub(crate) fn start(config: &Path, strace: &[&str]) -> Self {
        let node = env!("CARGO_BIN_EXE_test_node");
        let mut command = match strace {
            [] => Command::new(node),
            arguments => {
                let mut command = Command::new("strace");
                command.args(["-f", "-qq", "-o", "/dev/null"]).args(arguments).arg(node);
                command
            }
        };
        command.arg(config).env("TOKIO_WORKER_THREADS", "1").process_group(0);
        Self { child: command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap() }
    }

    /// Where the node listens; none when it died before.
    pub(crate) fn listening(&mut self) -> Option<String> {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take()?).read_line(&mut line).ok()?;
        line.trim().strip_prefix("listening ").map(str::to_owned)
    }

    /// Every thread of node and enclave.
    pub(crate) fn threads(&self) -> BTreeMap<Thread, u32> {
        let node = self.child.id();
        let mut all = threads("node", node);
        all.extend(child_of(node).into_iter().flat_map(|enclave| threads("enclave", enclave)));
        all
    }

    /// Waits for a node that is on its way out to be gone.
    pub(crate) fn ended(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    /// Kills the tracer, the node and its enclave: a node whose tracer alone is killed would go on.
    pub(crate) fn end(mut self) {
        let group = format!("-{}", self.child.id());
        let kill = |signal| {
            let mut kill = Command::new("kill");
            kill.args([signal, "--", &group]).stderr(Stdio::null()).status().unwrap().success()
        };
        kill("-KILL");
        let _ = self.child.wait();
        while kill("-0") {
            std::thread::yield_now();
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

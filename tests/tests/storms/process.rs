//! A part of the product as a supervisor runs it: a process whose words go to a file, started as often as it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keystead_tests::binary;
use keystead_tests::tracer::{Thread, child_of, threads};

/// How a part is started, whatever became of the last time.
pub(crate) struct Program {
    /// The product's command: `node` or `serve`.
    command: &'static str,
    /// What stands before its command line.
    pub(crate) prefix: Vec<String>,
    /// The folder with `keystead.toml`.
    pub(crate) folder: PathBuf,
    /// Its environment, beside the ordinary one.
    pub(crate) environment: Vec<(String, String)>,
}

impl Program {
    pub(crate) fn new(command: &'static str, folder: PathBuf, prefix: Vec<String>) -> Self {
        Self { command, prefix, folder, environment: Vec::new() }
    }

    /// Starts it. It ends with the test process, however that ends.
    pub(crate) fn start(&self) -> Process {
        let words = File::options().create(true).append(true).open(self.log()).expect("a file");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(&self.prefix).arg(binary("keystead"));
        command.arg("--dir").arg(&self.folder).arg(self.command).process_group(0);
        // One worker, so that its threads are the same ones every time.
        command.env("TOKIO_WORKER_THREADS", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::null()).stderr(words).stdin(Stdio::null());
        Process { child: command.spawn().expect("setpriv starts"), command: self.command }
    }

    /// What it said in all its lives.
    pub(crate) fn words(&self) -> String {
        let bytes = std::fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// A running part.
pub(crate) struct Process {
    child: Child,
    command: &'static str,
}

impl Process {
    /// Every thread of the part, and not of a node's enclave.
    pub(crate) fn threads(&self) -> BTreeMap<Thread, u32> {
        threads(self.command, self.child.id())
    }

    /// The process of a node's enclave.
    pub(crate) fn enclave(&self) -> Option<u32> {
        child_of(self.child.id())
    }

    /// Every thread of the part, and of its enclave.
    pub(crate) fn all_threads(&self) -> BTreeMap<Thread, u32> {
        let mut all = self.threads();
        all.extend(self.enclave().into_iter().flat_map(|it| threads("enclave", it)));
        all
    }

    /// Whether it is there no more; and then, the signal that ended it or its exit code.
    pub(crate) fn ended(&mut self) -> Option<Result<i32, i32>> {
        let status = self.child.try_wait().expect("a child")?;
        Some(status.signal().map_or(Ok(status.code().unwrap_or_default()), Err))
    }

    /// `kill -9`, and its enclave with it, as a service manager does.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let group = format!("-{}", self.child.id());
        let mut kill = Command::new("kill");
        let _ = kill.args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Copies the files of a folder, and not its folders.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in std::fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        if file.path().is_dir() {
            continue;
        }
        std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

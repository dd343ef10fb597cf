//! Bitcoin Core's validation in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Block, BlockHash};
use tempfile::TempDir;

use crate::{python_program, root};

pub(crate) struct Kernel {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Kernel {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("keystead-regtest-").tempdir().expect("a folder");
        let mut child = Command::new(python_program("python"))
            .arg(root().join("tests/python/regtest.py"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let questions = child.stdin.take();
        let mut kernel = Self { child, questions, answers, _folder: folder };
        assert_eq!(kernel.answer(), "ready");
        kernel
    }

    /// Whether the block is in the chain now; one that is neither good nor bad is on another branch.
    pub(crate) fn take(&mut self, block: &Block) -> bool {
        self.ask("block", &serialize_hex(block)) == "taken"
    }

    pub(crate) fn hash(&mut self, height: u32) -> Option<BlockHash> {
        self.ask("hash", &height.to_string()).parse().ok()
    }

    pub(crate) fn block(&mut self, height: u32) -> Block {
        deserialize_hex(&self.ask("raw", &height.to_string())).expect("a block of Core's")
    }

    fn ask(&mut self, word: &str, given: &str) -> String {
        let questions = self.questions.as_mut().expect("it runs");
        writeln!(questions, "{word} {given}").expect("it listens");
        questions.flush().expect("it listens");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        assert!(!line.is_empty(), "the kernel ended");
        line.trim_end().to_owned()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}

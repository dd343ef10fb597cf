//! Another implementation: one process that is asked for all cases, a line each, and answers with a line each.

use std::io::{Seek as _, Write as _};
use std::process::{Command, Stdio};

use keystead_tests::{python_program, root};
use serde_json::Value;

/// ethers or `@scure/btc-signer`, by a script of `tests/npm/clients/differ`.
pub(crate) fn node(script: &str, cases: &[Value]) -> Vec<Value> {
    let script = root().join("tests/npm/clients/differ").join(script);
    ask(Command::new("node").arg(script), cases)
}

/// eth-account, by `tests/python/differ.py`.
pub(crate) fn python(kind: &str, cases: &[Value]) -> Vec<Value> {
    let script = root().join("tests/python/differ.py");
    ask(Command::new(python_program("python")).arg(script).arg(kind), cases)
}

/// Both at once, on the same cases.
pub(crate) fn both(kind: &str, cases: &[Value]) -> [Vec<Value>; 2] {
    std::thread::scope(|scope| {
        let node = scope.spawn(|| node(&format!("{kind}.mjs"), cases));
        let python = python(kind, cases);
        [node.join().expect("answers of ethers"), python]
    })
}

fn ask(command: &mut Command, cases: &[Value]) -> Vec<Value> {
    let mut asked = tempfile::tempfile().expect("a file");
    for case in cases {
        writeln!(asked, "{case}").expect("a written case");
    }
    asked.rewind().expect("a file to read");
    let output = command.stdin(Stdio::from(asked)).stderr(Stdio::inherit()).output().expect("a process");
    assert!(output.status.success(), "{command:?} failed: {}", output.status);
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let answers: Vec<Value> = lines.map(|line| serde_json::from_slice(line).expect("an answer")).collect();
    assert_eq!(answers.len(), cases.len(), "{command:?} answers each case");
    answers
}

//! A real program that runs beside the tests and ends with them, however they end.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

/// A program in the background, with a folder of its own that is removed after it.
///
/// A shell stands between the test and the program and waits for the end of its standard input. That end comes
/// when this value is dropped, when the test process exits without dropping it (a `static`), and when the test
/// process is killed: so no service and no folder is left over in any of the three cases.
#[derive(Debug)]
pub struct Service {
    guard: Child,
    ready_line: String,
}

impl Service {
    /// Starts `command`, waits until it prints a line that contains `ready`, and keeps that line.
    ///
    /// `folder` is removed when the program has ended. The working folder is `folder`, too.
    pub fn start<S: AsRef<OsStr>>(folder: &Path, command: &[S], ready: &'static str) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(folder)
            .args(command)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let output = guard.stdout.take().expect("the output is piped");
        match wait_for(output, ready) {
            Ok(ready_line) => Self { guard, ready_line },
            Err(last_lines) => {
                stop(&mut guard);
                panic!("the service did not print `{ready}`; its last lines:\n{last_lines}");
            }
        }
    }

    /// The line by which the program said that it is ready.
    pub fn ready_line(&self) -> &str {
        &self.ready_line
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        stop(&mut self.guard);
    }
}

fn stop(guard: &mut Child) {
    drop(guard.stdin.take());
    let _ = guard.wait();
}

fn wait_for(output: ChildStdout, ready: &'static str) -> Result<String, String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || drain(output, &sender));
    let mut last = VecDeque::new();
    while let Some(line) = next_line(&receiver) {
        if line.contains(ready) {
            return Ok(line);
        }
        last.push_back(line);
        if last.len() > LINES_SHOWN {
            last.pop_front();
        }
    }
    Err(Vec::from(last).join("\n"))
}

fn next_line(receiver: &Receiver<String>) -> Option<String> {
    receiver.recv_timeout(START_DEADLINE).ok()
}

/// Reads to the end, also when nobody listens any more: a full pipe would stop the program.
fn drain(output: impl Read, lines: &Sender<String>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let _ = lines.send(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}

/// SIGQUIT ends PostgreSQL at once, without a last checkpoint: its data is thrown away anyway. A shell starts
/// its background programs with SIGQUIT ignored, so the others end by the SIGTERM that follows.
const GUARD: &str = r#"
trap : INT TERM HUP
folder=$1; shift
"$@" 2>&1 &
service=$!
exec >&- 2>&-
read -r _
kill -QUIT "$service"
kill -TERM "$service"
wait "$service"
cd / && rm -rf "$folder"
"#;

/// How long a service may be silent while it starts. Reached only when it hangs.
const START_DEADLINE: Duration = Duration::from_secs(120);

const LINES_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_its_folder_are_gone_after_the_drop() {
        let folder = tempfile::tempdir().unwrap().keep();
        let script = "echo $$ ready; exec cat /dev/zero > /dev/null";
        let service = Service::start(&folder, &["sh", "-c", script], "ready");
        let pid = service.ready_line().split(' ').next().unwrap().to_owned();
        let process = Path::new("/proc").join(pid);
        assert!(process.exists() && folder.exists());
        drop(service);
        assert!(!process.exists() && !folder.exists());
    }

    #[test]
    #[should_panic(expected = "no such database")]
    fn a_service_that_dies_shows_its_last_words() {
        let folder = tempfile::tempdir().unwrap().keep();
        Service::start(&folder, &["sh", "-c", "echo no such database >&2; exit 1"], "ready");
    }
}

//! `keystead status --watch`: on a terminal that the kernel made, and in a pipe.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use keystead_tests::binary;
use keystead_tests::screen::Screen;
use serde_json::{Value, json};

use crate::desk::{Desk, EXCHANGE, path};

/// A watch under script(1), which gives it a terminal of 80 columns and 24 lines.
struct Watched {
    script: Child,
    screen: Screen,
    /// Everything that was written, for what stands after the program's end.
    raw: String,
}

impl Watched {
    /// Prints the program's own process id first; after its end its exit code and the terminal's settings.
    fn start(folder: &Path) -> Self {
        let program = binary("keystead");
        let watch = format!("exec '{}' --dir '{}' --as ana status --watch", path(&program), path(folder));
        let shell = format!(
            "stty rows 24 cols 80; sh -c 'echo pid=$$.; {}'; echo code=$?.; stty -a; echo done.",
            watch.replace('\'', "'\\''")
        );
        let script = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &shell, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1) starts");
        Self { script, screen: Screen::default(), raw: String::new() }
    }

    /// Reads on until something holds; what the terminal shows is told when it ends before.
    fn until(&mut self, holds: impl Fn(&Screen, &str) -> bool) {
        let mut bytes = [0; 4096];
        while !holds(&self.screen, &self.raw) {
            let read = self.script.stdout.as_mut().unwrap().read(&mut bytes).unwrap();
            assert!(read > 0, "the terminal ended:\n{}\n{}", self.screen.text(), self.raw);
            self.screen.write(&bytes[..read]);
            self.raw.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }

    fn height(&mut self) -> u64 {
        self.until(|screen, _| screen.alternate && height_of(screen).is_some());
        height_of(&self.screen).unwrap()
    }

    fn press(&mut self, keys: &[u8]) {
        let keyboard = self.script.stdin.as_mut().unwrap();
        keyboard.write_all(keys).unwrap();
        keyboard.flush().unwrap();
    }

    /// The program ended well, and the terminal is as it was before.
    fn ends_well(mut self) {
        self.until(|_, raw| raw.contains("done."));
        assert!(!self.screen.alternate, "{}", self.raw);
        assert!(self.raw.contains("code=0."), "{}", self.raw);
        let settings = self.raw.split("code=").last().unwrap();
        for setting in ["icanon", "isig", "opost"] {
            let is_on = settings.split_whitespace().any(|word| word == setting);
            assert!(is_on, "{setting}: {settings}");
        }
        assert!(self.script.wait().unwrap().success());
    }
}

fn height_of(screen: &Screen) -> Option<u64> {
    screen.text().split("height ").nth(1)?.split(' ').next()?.parse().ok()
}

#[test]
fn a_watch_sees_the_log_grow_and_gives_the_terminal_back() {
    let desk = Desk::open();
    let mut watched = Watched::start(&desk.folder);
    let before = watched.height();
    let paid = desk.call("eth_sendTransaction", desk.transfer(EXCHANGE, 1_000));
    assert!(paid["result"].is_string(), "{paid}");
    watched.until(|screen, _| height_of(screen) > Some(before) && screen.text().contains("ether"));
    watched.press(b"?");
    watched.until(|screen, _| screen.text().contains(" help "));
    watched.press(b"q");
    watched.ends_well();

    // A signal from outside gives it back, too.
    let mut watched = Watched::start(&desk.folder);
    watched.height();
    let pid = watched.raw.split("pid=").nth(1).unwrap().split('.').next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    watched.ends_well();
    in_a_pipe(&desk);
}

/// One object a line; it ends when its reader does. A node that is down is in it, and no reason to end.
fn in_a_pipe(desk: &Desk) {
    let watch = |extra: &[&str]| {
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "--dir", path(&desk.folder), "--as", "ana"]).args(extra);
        command.args(["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap()
    };
    let large = ["request", "transfer", "--key", "hot", "--to", EXCHANGE, "--wei", "3000000000000000000"];
    let asked = desk.as_person("ana", &large);
    let mut child = watch(&[]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let [first, second]: [Value; 2] =
        [(); 2].map(|()| serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
    drop(lines);
    assert!(child.wait().unwrap().success());
    assert!(second["at"].as_u64() > first["at"].as_u64(), "{first} {second}");
    let status = &second["nodes"][0]["status"];
    assert_eq!(status["withstands"], json!({"lying": 0, "down": 0}));
    let windows = status["windows"].as_array().unwrap();
    let used = |it: &Value| it["used"].as_str().is_some_and(|used| used != "0");
    assert!(windows.iter().any(|it| it["symbol"] == "ETH" && used(it)), "{windows:?}");
    let waits = &status["waiting"][0];
    assert_eq!(waits["request"], asked["request"]["request"]);
    assert_eq!((&waits["requester"], &waits["class"]), (&json!("ana"), &json!("transfer")));
    assert_eq!(waits["missing"][0]["count"], 2, "{waits}");
    assert_eq!(waits["missing"][0]["people"], json!(["ben", "cleo"]), "not the one who asked: {waits}");

    let mut child = watch(&["--node", "127.0.0.1:1"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["nodes"][0]["error"]["code"], "wire.io", "{line}");
    }
    drop(lines);
    assert!(child.wait().unwrap().success());
}

//! A node that signs its part of the log with half of its key in a real token of SoftHSM 2: without the token it says nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_tests::{Service, binary, free_port};
use serde_json::{Value, json};

use crate::desk::{json as parsed, loopback, path, rewrite, succeeds};
use crate::plain::{get, post};
use crate::several::{four_in_a_row, process_of};
use crate::softhsm::{check_copy, code, make_log_token, module};

/// A token store with one token, and the file that `--node-token` reads.
struct Store {
    folder: PathBuf,
    file: PathBuf,
}

impl Store {
    fn make(folder: &Path, module: &Path) -> Self {
        Self { folder: folder.to_owned(), file: make_log_token(folder, module) }
    }

    /// Somebody pulls the token out.
    fn take_away(&self, home: &Path) {
        self.moves("tokens", "aside");
        std::fs::create_dir(self.folder.join("tokens")).unwrap();
        kill_token(home);
    }

    fn bring_back(&self) {
        std::fs::remove_dir(self.folder.join("tokens")).unwrap();
        self.moves("aside", "tokens");
    }

    fn moves(&self, from: &str, to: &str) {
        std::fs::rename(self.folder.join(from), self.folder.join(to)).unwrap();
    }
}

/// Ends the process of this node's token.
fn kill_token(home: &Path) {
    signal_token(home, "-9");
}

fn signal_token(home: &Path, signal: &str) {
    let node = process_of(home).expect("the node runs");
    let listed = succeeds(Command::new("ps").args(["-eo", "pid=,ppid=,args="]));
    let text = String::from_utf8(listed.stdout).unwrap();
    let mut rows = text.lines().filter(|it| it.contains(" token-process ")).map(str::split_whitespace);
    let id = rows.find_map(|mut row| Some((row.next()?, row.next()?)).filter(|(_, parent)| *parent == node));
    succeeds(Command::new("kill").args([signal, id.expect("a process of the token").0]));
}

fn init(folder: &Path, arguments: &[&str]) -> Output {
    let coordinator = loopback();
    let words = ["--json", "init", path(folder), "--coordinator-listen", &coordinator];
    Command::new(binary("keystead")).args(words).args(arguments).output().unwrap()
}

fn status(folder: &Path, node: &str) -> Value {
    let arguments = ["--json", "--dir", path(folder), "--as", "ana", "--node", node, "status"];
    parsed(&succeeds(Command::new(binary("keystead")).args(arguments)))["status"].clone()
}

/// Whether the nodes decided about something new: denied, as there is no such key.
fn decides(url: &str) -> bool {
    let message = json!({"account": {"key": "none", "index": 0}, "chain": 31337, "bytes": "0x68656c6c6f"});
    let asked = post(url, "/v1/requests", "", &json!({"action": {"message": message}}).to_string());
    asked.status == 201 && asked.json()["stage"] == "denied"
}

/// What is there sooner or later, and well within the time of this test.
fn until(what: &str, look: impl Fn() -> bool) {
    assert!((0..400).any(|_| look()), "it never came: {what}");
}

fn signal(home: &Path, signal: &str) {
    succeeds(Command::new("kill").args([signal, &process_of(home).expect("the node runs")]));
}

/// The keys of a node as a thief has them; what `node --check` says of them.
fn check(home: &Path, change: impl FnOnce(&Path)) -> Output {
    check_copy(home, |copy| {
        // A log that is being written is no good copy.
        std::fs::remove_dir_all(copy.join("node")).unwrap();
        change(copy);
    })
}

fn says(refused: &Output, word: &str) {
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && words.contains(word), "{word}: {refused:?}");
}

/// Removes one table from keystead.toml.
fn without_token(folder: &Path) {
    let file = folder.join("keystead.toml");
    let mut table: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    let member = table["node"]["member"].as_table_mut().unwrap();
    assert!(member.remove("token").is_some());
    std::fs::write(&file, table.to_string()).unwrap();
}

/// Whoever copies the node's folder, its passphrases included, has half of a key.
fn is_no_node_without_its_token(home: &Path, store: &Store) {
    let whole = check(home, |_| {});
    assert!(whole.status.success(), "with folder and token: {whole:?}");
    says(&check(home, without_token), "member.in_token");
    let elsewhere = store.folder.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let empty = elsewhere.join("softhsm2.conf");
    std::fs::write(&empty, format!("directories.tokendir = {}\n", elsewhere.display())).unwrap();
    let configuration = store.folder.join("softhsm2.conf");
    let stolen = check(home, |copy| rewrite(copy, path(&configuration), path(&empty)));
    says(&stolen, "home.no_token");
    says(&stolen, "start the node again");
    let pinless = check(home, |copy| {
        let pin = copy.join("wrong.pin");
        std::fs::write(&pin, "0000").unwrap();
        rewrite(copy, path(&store.folder.join("log.pin")), path(&pin));
    });
    says(&pinless, "home.pin");
}

/// It votes, says nothing without its token, and votes again.
fn comes_and_goes(folder: &Path, store: &Store, url: &str, metrics: &str) {
    let (third, fourth) = (folder.join("node-3"), folder.join("node-4"));
    // Three of four are there, and three votes commit: the one with the token is one of them.
    signal(&third, "-STOP");
    until("three nodes decide", || decides(url));
    store.take_away(&fourth);
    until("node-4 says that its token is away", || {
        status(folder, "node-4")["standing"].as_str().unwrap().contains("away")
    });
    until("it says which", || {
        let lost = status(folder, "node-4")["tokens"][0]["lost"].clone();
        lost.as_str().is_some_and(|it| it.contains("no token is called `log`"))
    });
    let ready = get(metrics, "/readyz", "");
    assert_eq!(ready.status, 503, "{ready:?}");
    let height = status(folder, "node-1")["height"].clone();
    assert!(!decides(url), "two votes commit nothing");
    assert_eq!(status(folder, "node-1")["height"], height);

    // The height that lacked its vote has it as soon as the token is back, and nobody was started anew.
    store.bring_back();
    until("the nodes decide again", || decides(url));
    assert_eq!(status(folder, "node-4")["standing"], "votes");

    // Without it the others go on, and it follows them.
    signal(&third, "-CONT");
    store.take_away(&fourth);
    until("node-4 says it again", || status(folder, "node-4")["standing"] != "votes");
    until("the others decide", || decides(url));
    let height = status(folder, "node-1")["height"].as_u64().unwrap();
    until("node-4 follows", || status(folder, "node-4")["height"].as_u64().unwrap() >= height);
    store.bring_back();
    until("it votes again", || status(folder, "node-4")["standing"] == "votes");
}

/// A token that hangs takes the node's voice and nothing else: not the log's time, and not the node's other work.
fn hangs(folder: &Path, url: &str, metrics: &str) {
    let fourth = folder.join("node-4");
    signal_token(&fourth, "-STOP");
    until("the others decide", || decides(url));
    until("node-4 says that its token is away", || {
        status(folder, "node-4")["standing"].as_str().unwrap().contains("away")
    });
    let lost = status(folder, "node-4")["tokens"][0]["lost"].clone();
    assert!(lost.as_str().is_some_and(|it| it.contains("did not answer")), "{lost}");
    let ready = get(metrics, "/readyz", "");
    assert_eq!(ready.status, 503, "{ready:?}");
    until("the others decide", || decides(url));
    let height = status(folder, "node-1")["height"].as_u64().unwrap();
    until("node-4 follows", || status(folder, "node-4")["height"].as_u64().unwrap() >= height);
    assert_ne!(status(folder, "node-4")["standing"], "votes");
    signal_token(&fourth, "-CONT");
    until("it votes again", || status(folder, "node-4")["standing"] == "votes");
    assert_eq!(get(metrics, "/readyz", "").status, 200);
}

#[test]
fn a06_a_node_whose_key_is_half_in_a_token_votes_with_the_token_alone() {
    let Some(module) = module() else {
        println!("SKIPPED: no SoftHSM 2 here (apt-get install softhsm2)");
        return;
    };
    let scratch = tempfile::Builder::new().prefix("keystead-log-token-").tempdir().unwrap();
    let store = Store::make(scratch.path(), &module);
    let folder = scratch.path().join("desk");
    let listen = format!("127.0.0.1:{}", four_in_a_row());
    let token = format!("node-4={}", store.file.display());
    let found =
        |token: &str| init(&folder, &["--nodes", "4", "--node-listen", &listen, "--node-token", token]);
    let nobody = found(&token.replace("node-4", "node-5"));
    assert_eq!(code(&nobody), "cli.usage", "{nobody:?}");
    let founded = found(&token);
    assert!(founded.status.success(), "{founded:?}");
    let fourth = folder.join("node-4");
    rewrite(&folder, "deadline_seconds = 60", "deadline_seconds = 2");
    let metrics = loopback();
    rewrite(&fourth, "[node]\n", &format!("[node]\nmetrics = \"{metrics}\"\n"));
    let metrics = format!("http://{metrics}");

    let beside = tempfile::Builder::new().prefix("keystead-up-").tempdir().unwrap();
    let (program, devnet) = (binary("keystead"), free_port().to_string());
    let words = [path(&program), "up", path(&folder), "--devnet", "--devnet-port", &devnet];
    let up = Service::start(beside.path(), &words, "cast send");
    let url = up.ready_line().split("--rpc-url ").nth(1).and_then(|it| it.split(' ').next()).expect("a URL");
    until("four nodes decide", || decides(url));
    let seen = status(&folder, "node-4");
    let row = &seen["tokens"][0];
    assert_eq!(
        (&seen["standing"], &row["group"], &row["lost"]),
        (&"votes".into(), &"log-key".into(), &Value::Null)
    );

    comes_and_goes(&folder, &store, url, &metrics);
    hangs(&folder, url, &metrics);
    is_no_node_without_its_token(&fourth, &store);

    // Whoever names a token for a key that is whole believes what is not so.
    let mixed = check(&folder.join("node-1"), |copy| {
        let text = std::fs::read_to_string(&store.file).unwrap();
        let file = copy.join("keystead.toml");
        let named = std::fs::read_to_string(&file).unwrap() + "\n[node.member.token]\n" + &text;
        std::fs::write(&file, named).unwrap();
    });
    says(&mixed, "member.half");
}

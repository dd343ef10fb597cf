//! A key in shares among four node processes, founded and driven by the real program, paid from on a real chain.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use keystead_tests::{Anvil, Service, binary};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::desk::{EXCHANGE, call_at, json, loopback, path, succeeds};
use crate::several::{four_in_a_row, process_of};
use crate::share_secrets;

/// Four nodes, a coordinator and anvil, each a process.
struct Circle {
    anvil: Anvil,
    url: String,
    folder: PathBuf,
    _up: Service,
    _home: tempfile::TempDir,
}

impl Circle {
    fn open() -> Self {
        Self::saying("")
    }

    /// All that its programs can be asked to say stands in `said`.
    fn saying_all() -> Self {
        Self::saying("RUST_LOG=trace")
    }

    fn saying(setting: &str) -> Self {
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        let home = tempfile::Builder::new().prefix("keystead-shares-").tempdir().unwrap();
        let folder = home.path().join("desk");
        let (node, coordinator) = (format!("127.0.0.1:{}", four_in_a_row()), loopback());
        let (allow, endpoint) = (format!("exchange={EXCHANGE}"), anvil.url());
        let arguments =
            ["init", path(&folder), "--nodes", "4", "--node-listen", &node, "--endpoint", &endpoint];
        let policy = ["--confirmations", "1", "--allow", &allow, "--cool-off", "0"];
        let listen = ["--coordinator-listen", &coordinator];
        succeeds(Command::new(binary("keystead")).args(arguments).args(policy).args(listen));
        let scratch = tempfile::Builder::new().prefix("keystead-up-").tempdir().unwrap().keep();
        let program = binary("keystead");
        let script = format!("export NO_COLOR=1 {setting}; exec \"$0\" up \"$1\" 2> \"$1/said\"");
        let up = Service::start(&scratch, &["sh", "-c", &script, path(&program), path(&folder)], "ready");
        Self { anvil, url: format!("http://{coordinator}"), folder, _up: up, _home: home }
    }

    fn person(&self, who: &str, arguments: &[&str]) -> Value {
        let global = ["--json", "--dir", path(&self.folder), "--as", who];
        json(&succeeds(Command::new(binary("keystead")).args(global).args(arguments)))
    }

    /// What is said where a command does not do what it was asked for.
    fn refused(&self, arguments: &[&str]) -> String {
        let global = ["--json", "--dir", path(&self.folder), "--as", "ana"];
        let output = Command::new(binary("keystead")).args(global).args(arguments).output().unwrap();
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn approved(&self, arguments: &[&str]) {
        let asked = self.person("ana", arguments);
        let id = asked["request"]["request"].as_str().unwrap().to_owned();
        ["ben", "cleo"].iter().for_each(|who| drop(self.person(who, &["approve", &id, "--yes"])));
    }

    /// The key's address, once the share of every holder has signed.
    fn address(&self) -> String {
        self.key_once(|key| key["address"].is_string())["address"].as_str().unwrap().to_owned()
    }

    /// The key, once it is so.
    fn key_once(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let look = || self.person("ana", &["key", "list"])["keys"][0].clone();
        std::iter::repeat_with(look).take(MANY_LOOKS).find(is_so).expect("a key in shares")
    }

    /// The node's disk has its share no more, and its process starts anew.
    async fn loses_its_share(&self, node: &str) {
        let folder = self.folder.join(node);
        let ledgers = [folder.join("node/ledger.sqlite"), folder.join("ledger.sqlite")];
        let ledger = ledgers.iter().find(|it| it.exists()).expect("a ledger");
        let url = format!("sqlite:{}", ledger.display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        database.execute("DELETE FROM sealed_keys").await.unwrap();
        database.close().await.unwrap();
        self.signals(node, "-9");
    }

    /// A key of FROST's.
    fn vault(&self, holders: &str) -> Value {
        let scheme = ["key", "generate", "vault", "--scheme", "bip340"];
        self.approved(&[&scheme[..], &["--threshold", "2", "--holders", holders]].concat());
        self.key("vault")
    }

    /// A key, once the share of every holder has signed.
    fn key(&self, name: &str) -> Value {
        self.named_once(name, |_| true)
    }

    /// A key, once it is so.
    fn named_once(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let keys = || self.person("ana", &["key", "list"])["keys"].as_array().unwrap().clone();
        let look = || keys().into_iter().find(|it| it["name"] == name);
        std::iter::repeat_with(look).take(MANY_LOOKS).flatten().find(is_so).expect("a key in shares")
    }

    fn pays(&self, account: &str) {
        let payment =
            json!([{"from": account, "to": EXCHANGE, "value": "0x2386f26fc10000", "gas": "0x5208"}]);
        let before = self.balance();
        let answer = call_at(&self.url, "eth_sendTransaction", payment);
        assert!(answer["result"].is_string(), "{answer}");
        let after = std::iter::repeat_with(|| self.balance()).find(|it| *it != before);
        assert_eq!(after, Some(before + 10_000_000_000_000_000));
    }

    fn balance(&self) -> u128 {
        self.balance_of(EXCHANGE)
    }

    fn balance_of(&self, account: &str) -> u128 {
        let balance = call_at(&self.anvil.url(), "eth_getBalance", json!([account, "latest"]));
        u128::from_str_radix(balance["result"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    fn signals(&self, node: &str, signal: &str) {
        let home: &Path = &self.folder.join(node);
        let process = process_of(home).expect("the node runs");
        succeeds(Command::new("kill").args([signal, &process]));
    }
}

#[tokio::test]
async fn d03_k01_a_key_in_shares_pays_while_one_of_its_holders_hangs_or_is_killed_and_no_share_is_seen() {
    let circle = Circle::saying_all();
    let holders = "node-1,node-2,node-3";
    circle.approved(&["key", "generate", "hot", "--threshold", "2", "--holders", holders]);
    let account = circle.address();
    call_at(&circle.anvil.url(), "anvil_setBalance", json!([account, "0x3635c9adc5dea00000"]));
    circle.pays(&account);
    let vault = circle.vault(holders);
    assert_eq!((&vault["kind"], &vault["address"]), (&json!("threshold_bip340"), &Value::Null));
    // It holds its connections and answers nothing: whoever leads goes on without it.
    circle.signals("node-3", "-STOP");
    circle.pays(&account);
    circle.signals("node-3", "-CONT");
    circle.signals("node-2", "-9");
    circle.pays(&account);
    share_secrets::nowhere_but_in_enclaves(&circle.folder, &["node-1", "node-3"], 2).await;
}

#[tokio::test]
async fn d01_a_holder_whose_disk_lost_its_share_is_repaired_by_the_others() {
    let circle = Circle::open();
    let holders = "node-1,node-2,node-3";
    circle.approved(&["key", "generate", "hot", "--threshold", "2", "--holders", holders]);
    let account = circle.address();
    call_at(&circle.anvil.url(), "anvil_setBalance", json!([account, "0x3635c9adc5dea00000"]));
    let vault = circle.vault(holders);
    circle.loses_its_share("node-2").await;
    circle.key_once(|key| key["sharing"]["lost"] == json!(["node-2"]));
    circle.pays(&account);
    circle.approved(&["key", "repair", "hot", "--lost", "node-2"]);
    let repaired = circle.key_once(|key| key["epoch"] == 1);
    assert_eq!((&repaired["address"], &repaired["sharing"]["lost"]), (&json!(account), &json!([])));
    is_repaired_too(&circle, &vault);
    // Without it nobody signs now.
    circle.signals("node-3", "-STOP");
    circle.pays(&account);
    circle.signals("node-3", "-CONT");
    // All of it stands in the log, under the votes of a quorum each.
    let transcript = circle.person("ana", &["key", "transcript", "hot"]);
    let steps = transcript["steps"].as_array().unwrap();
    let of = |what: &str| steps.iter().filter(|it| it["what"] == what).collect::<Vec<_>>();
    assert_eq!((of("asked").len(), of("approved").len(), of("convened").len()), (2, 4, 2), "{transcript}");
    assert_eq!((of("dealt").len(), of("proven").len(), of("lost").len()), (6, 6, 1), "{transcript}");
    assert_eq!(of("convened")[1]["more"]["epoch"], 1);
    assert!(steps.iter().all(|it| it["voters"].as_array().unwrap().len() >= 3), "{transcript}");
    is_ended_and_begun_again(&circle);
    circle.pays(&account);
}

/// The same disk had a share of FROST's: every new share has signed before the epoch is in force.
fn is_repaired_too(circle: &Circle, vault: &Value) {
    assert!(!vault["account"].is_null(), "{vault}");
    let lost = circle.named_once("vault", |key| key["sharing"]["lost"] == json!(["node-2"]));
    assert_eq!(lost["epoch"], 0);
    circle.approved(&["key", "repair", "vault", "--lost", "node-2"]);
    let repaired = circle.named_once("vault", |key| key["epoch"] == 1);
    assert_eq!((&repaired["account"], &repaired["sharing"]["lost"]), (&vault["account"], &json!([])));
}

/// A refresh waits for a holder that answers nothing; people end it, and another one begins from its first round.
fn is_ended_and_begun_again(circle: &Circle) {
    circle.signals("node-3", "-STOP");
    let waits = Follower::refreshing(circle);
    circle.approved(&["key", "abort", "hot"]);
    let (said, ended) = waits.ended();
    assert!(!ended.status.success() && said.last().unwrap().contains("keystead key transcript"), "{said:?}");
    circle.signals("node-3", "-CONT");
    is_followed(Follower::refreshing(circle));
    let refreshed = circle.key_once(|key| key["epoch"] == 2);
    assert_eq!(refreshed["sharing"]["lost"], json!([]), "{refreshed}");
}

/// Whoever asked for a refresh and stays with it.
struct Follower {
    command: Child,
    said: BufReader<ChildStderr>,
}

impl Follower {
    /// Ana asks; the two others approve.
    fn refreshing(circle: &Circle) -> Self {
        let arguments = ["--dir", path(&circle.folder), "--as", "ana", "key", "refresh", "hot", "--follow"];
        let mut command = Command::new(binary("keystead"));
        let mut command =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut said, mut first) = (BufReader::new(command.stderr.take().unwrap()), String::new());
        said.read_line(&mut first).unwrap();
        let id = first.trim().strip_prefix("request ").expect("the request comes first");
        ["ben", "cleo"].iter().for_each(|who| drop(circle.person(who, &["approve", id, "--yes"])));
        Self { command, said }
    }

    fn ended(self) -> (Vec<String>, Output) {
        let said = self.said.lines().map(Result::unwrap).collect();
        (said, self.command.wait_with_output().unwrap())
    }
}

/// It sees whom it waits for and each node, and then that the new shares are there.
fn is_followed(follower: Follower) {
    let (said, output) = follower.ended();
    let done = String::from_utf8(output.stdout).unwrap();
    let stands = done.contains("any 2 of node-1, node-2, node-3 now, epoch 2");
    assert!(output.status.success() && stands, "{done} {said:?}");
    assert!(said[0].starts_with("waiting: needs 2 of role"), "{said:?}");
    let nodes = |it: &&String| ["node-1 ", "node-2 ", "node-3 "].iter().all(|node| it.contains(node));
    let steps: Vec<_> = said.iter().filter(nodes).collect();
    assert!(steps.iter().all(|it| it.starts_with("refresh_key of `hot`, epoch 2")), "{said:?}");
    assert!(!steps.is_empty() && said.windows(2).all(|two| two[0] != two[1]), "{said:?}");
}

/// The words of a wallet of others: the first of its addresses is paid from.
#[test]
fn k04_the_words_that_people_bring_are_dealt_in_shares_and_pay_from_the_address_that_they_had() {
    let old = "0x91dda55ef940cbba4015cc8830e2edd94c578431";
    let circle = imported_and_paid_from(WORDS, RAW, old);
    is_swept(&circle, old);
}

/// Whoever copied the words once finds nothing: what is left goes to a key that never was whole, where people allow it to.
fn is_swept(circle: &Circle, old: &str) {
    call_at(&circle.anvil.url(), "anvil_setBalance", json!([old, ETHER]));
    let holders = "node-1,node-2,node-3";
    circle.approved(&["key", "generate", "vault", "--threshold", "2", "--holders", holders]);
    let vault = circle.key("vault")["address"].as_str().unwrap().to_lowercase();
    let sweep = ["key", "sweep", "hot", "--to", "vault", "--accounts", "2"];
    let send = [&sweep[..], &["--send"]].concat();
    let listed = circle.person("ana", &sweep);
    let moves = listed["moves"].as_array().unwrap();
    let told = |it: &Value| it.as_str().unwrap().to_lowercase();
    assert_eq!((moves.len(), told(&moves[0]["from"]), told(&moves[0]["to"])), (1, old.into(), vault.clone()));
    assert_eq!((&listed["sent"], &moves[0]["request"]), (&json!(false), &Value::Null), "{listed}");
    // It is a request like any other: policy knows no such payee so far.
    let said = circle.refused(&send);
    assert!(said.contains("\"denied\"") && circle.balance_of(&vault) == 0, "{said}");

    let mut policy = circle.person("ana", &["policy", "show"]);
    let mut entry = policy["address_book"][0].clone();
    (entry["address"], entry["name"]) = (json!(vault), json!("vault"));
    policy["address_book"].as_array_mut().unwrap().push(entry);
    let next = circle.folder.join("next.json");
    std::fs::write(&next, policy.to_string()).unwrap();
    circle.approved(&["policy", "propose", path(&next)]);
    let swept = circle.person("ana", &send);
    assert!(swept["moves"][0]["sent"].is_string(), "{swept}");
    let arrived = std::iter::repeat_with(|| circle.balance_of(&vault)).take(MANY_LOOKS).find(|it| *it > 0);
    assert_eq!(arrived.map(|it| it.to_string()).as_deref(), swept["moves"][0]["amount"].as_str(), "{swept}");
    // What the fee did not take, at most: it pays for nothing more.
    assert!(circle.balance_of(old) < arrived.unwrap() / 100, "{swept}");
    let done = circle.person("ana", &sweep);
    assert_eq!((&done["moves"], done["left"][0]["why"].as_str().is_some()), (&json!([]), true), "{done}");
}

/// A raw key: its own address is paid from.
#[test]
fn k04_a_raw_key_that_people_bring_is_dealt_in_shares_and_pays_from_its_own_address() {
    let circle = imported_and_paid_from(RAW, WORDS, "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23");
    imports_a_key_of_ed25519(&circle);
    imports_a_taproot_wallet(&circle);
}

/// As `solana-keygen` writes it: the share of every holder has signed with it.
fn imports_a_key_of_ed25519(circle: &Circle) {
    let file = circle.folder.join("id.json");
    std::fs::write(&file, KEYPAIR).unwrap();
    let holders = ["--threshold", "2", "--holders", "node-1,node-2,node-3"];
    let asked =
        circle.person("ana", &[&["key", "import", "vault", "--secret", path(&file)][..], &holders].concat());
    let id = asked["request"]["request"].as_str().unwrap();
    let shown = circle.person("ben", &["request", "show", id])["words"].to_string();
    assert!(shown.contains(SOLANA), "{shown}");
    ["ben", "cleo"].iter().for_each(|who| drop(circle.person(who, &["approve", id, "--yes"])));
    let done = circle.person("ana", &["key", "deal", id, "--secret", path(&file)]);
    let key = &done["key"];
    assert_eq!((&key["kind"], &key["imported"]), (&json!("threshold_ed25519"), &json!(true)), "{done}");
    assert_eq!(circle.person("ana", &["key", "list"])["solana"]["vault"], SOLANA);
}

/// The words of a wallet of Bitcoin: the share of every holder has signed with it, by BIP-340.
fn imports_a_taproot_wallet(circle: &Circle) {
    let file = circle.folder.join("taproot");
    std::fs::write(&file, WORDS).unwrap();
    let wallet = ["--secret", path(&file), "--taproot", "m/86'/1'/0'"];
    let holders = ["--threshold", "2", "--holders", "node-1,node-2,node-3"];
    let refused =
        circle.refused(&[&["key", "import", "coins", "--taproot", "m/84'/0'/0'"][..], &holders].concat());
    assert!(refused.contains("m/86'/0'/ACCOUNT'"), "{refused}");
    let asked = circle.person("ana", &[&["key", "import", "coins"][..], &wallet, &holders].concat());
    let id = asked["request"]["request"].as_str().unwrap();
    ["ben", "cleo"].iter().for_each(|who| drop(circle.person(who, &["approve", id, "--yes"])));
    let shown = circle.person("ben", &["request", "show", id])["words"].to_string();
    assert!(shown.contains(TAPROOT), "{shown}");
    // Ethereum's account of the same words is another key.
    let said = circle.refused(&["key", "deal", id, "--secret", path(&file)]);
    assert!(said.contains("enclave.other_key"), "{said}");
    let done = circle.person("ana", &[&["key", "deal", id][..], &wallet].concat());
    let key = &done["key"];
    assert_eq!((&key["kind"], &key["imported"]), (&json!("threshold_bip340"), &json!(true)), "{done}");
    assert_eq!(key["address"], Value::Null, "it has none on Ethereum");
}

fn imported_and_paid_from(secret: &str, other: &str, address: &str) -> Circle {
    let circle = Circle::open();
    let file = |name: &str, text: &str| {
        let path = circle.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (right, wrong) = (file("right", secret), file("wrong", other));
    let weak = file("weak", &format!("{}about\n", "abandon ".repeat(11)));
    let import = |secret: &Path| {
        let holders = ["--threshold", "2", "--holders", "node-1,node-2,node-3"];
        let asked = ["key", "import", "hot", "--secret", path(secret)];
        [&asked[..], &holders].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let words = |arguments: &[String]| arguments.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    // What others can make again is refused before anybody is asked, and no word of it is repeated.
    let said = circle.refused(&words(&import(&weak)).split(' ').collect::<Vec<_>>());
    assert!(said.contains("weak_seed.plain") && !said.contains("abandon"), "{said}");

    let asked = circle.person("ana", &words(&import(&right)).split(' ').collect::<Vec<_>>());
    let id = asked["request"]["request"].as_str().unwrap();
    let early = circle.refused(&["key", "deal", id, "--secret", path(&right)]);
    assert!(early.contains("key.not_allowed"), "{early}");
    ["ben", "cleo"].iter().for_each(|who| drop(circle.person(who, &["approve", id, "--yes"])));
    let said = circle.refused(&["key", "deal", id, "--secret", path(&wrong)]);
    assert!(said.contains("enclave.other_key"), "{said}");
    let done = circle.person("ana", &["key", "deal", id, "--secret", path(&right)]);
    assert_eq!(done["key"]["address"].as_str().unwrap().to_lowercase(), address);
    call_at(&circle.anvil.url(), "anvil_setBalance", json!([address, "0x3635c9adc5dea00000"]));
    circle.pays(address);
    let shown = circle.person("ana", &["key", "show", "hot"]);
    assert_eq!((&shown["key"]["imported"], &shown["key"]["epoch"]), (&json!(true), &json!(0)), "{shown}");
    // New shares are of the same key, which stays what it was.
    circle.approved(&["key", "refresh", "hot"]);
    circle.key_once(|key| key["epoch"] == 1 && key["imported"] == true);
    circle.pays(address);
    // The log says that it was whole, and by whose hand.
    let transcript = circle.person("ana", &["key", "transcript", "hot"]);
    let steps = transcript["steps"].as_array().unwrap();
    let imported: Vec<_> = steps.iter().filter(|it| it["what"] == "imported").collect();
    assert_eq!((imported.len(), &imported[0]["more"]["dealer"]), (1, &json!("ana")), "{transcript}");
    circle
}

const ETHER: &str = "0xde0b6b3a7640000";
/// The seed is the digest of a sentence; the public key is by another implementation.
const KEYPAIR: &str = "[176,79,112,70,254,134,159,145,137,252,115,109,119,236,70,132,87,27,254,158,175,19,100,188,144,8,128,\
                       121,251,142,206,202,246,152,150,185,50,176,212,182,252,26,2,27,190,153,187,0,149,29,232,36,97,231,\
                       148,242,107,183,39,136,225,31,159,35]";
const SOLANA: &str = "HbcF9ZiwYDAAMkQDc2tpB1zBmVfuYMiKWdzULwYNc1Nz";
/// The first of `m/86'/1'/0'` of the words, as the main network writes it; by another implementation.
const TAPROOT: &str = "bc1pu3ue7s3xxqx7ce4yxx2kgts5nqeukekee6tl3r5zfjvv733v6eyq7p0d8h";
/// Drawn once for these tests.
const WORDS: &str = "survey risk area tortoise warm era sure nose daring frozen grow trigger\n";
const RAW: &str = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318\n";

/// A birth takes seconds, and a look is a process.
const MANY_LOOKS: usize = 500;

//! All nodes of a cluster are lost: it goes on with four new machines, from a backup, frozen, and counts what was spent.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_tests::{Anvil, Service, binary, free_port};
use serde_json::{Value, json};

use crate::anchor::{self, Anchor};
use crate::desk::{EXCHANGE, STRANGER, call_at, json as parsed, path, succeeds};
use crate::rebuilt;

const OLD: [&str; 4] = ["node-1", "node-2", "node-3", "node-4"];
pub(super) const NEW: [&str; 4] = ["node-5", "node-6", "node-7", "node-8"];
const ETHER: u128 = 1_000_000_000_000_000_000;

/// People's folder, and those of the nodes that run; a chain beside them.
pub(super) struct Cluster {
    home: tempfile::TempDir,
    pub(super) anvil: Anvil,
    pub(super) url: String,
    pub(super) parts: Vec<Service>,
    account: String,
}

impl Cluster {
    fn found() -> Self {
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        let home = tempfile::Builder::new().prefix("keystead-rebuild-").tempdir().unwrap();
        let desk = home.path().join("desk");
        let (endpoint, allow) = (anvil.url(), format!("exchange={EXCHANGE}"));
        let (first, coordinator) =
            (format!("127.0.0.1:{}", four_in_a_row()), format!("127.0.0.1:{}", free_port()));
        let found =
            ["init", path(&desk), "--nodes", "4", "--founders", "ana,ben,cleo,dora", "--name", "treasury"];
        let chain = ["--endpoint", &endpoint, "--confirmations", "1", "--allow", &allow];
        let places = ["--node-listen", &first, "--coordinator-listen", &coordinator];
        succeeds(Command::new(binary("keystead")).args(found).args(chain).args(places));
        let url = format!("http://{coordinator}");
        let mut cluster = Self { home, anvil, url, parts: Vec::new(), account: String::new() };
        cluster.start(&OLD.map(|node| desk.join(node)));
        cluster
    }

    pub(super) fn desk(&self) -> PathBuf {
        self.home.path().join("desk")
    }

    pub(super) fn file(&self, name: &str) -> String {
        path(&self.home.path().join(name)).to_owned()
    }

    /// The nodes, and the coordinator after them.
    fn start(&mut self, nodes: &[PathBuf]) {
        self.parts = nodes.iter().map(|node| serve(&["node", "--dir", path(node)])).collect();
        self.parts.push(serve(&["serve", "--dir", path(&self.desk())]));
    }

    pub(super) fn run(&self, who: &str, arguments: &[&str]) -> Output {
        let desk = self.desk();
        let dir: &[&str] = if arguments.contains(&"--dir") { &[] } else { &["--dir", path(&desk)] };
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "--as", who]).args(dir).args(arguments).output().unwrap()
    }

    pub(super) fn ok(&self, who: &str, arguments: &[&str]) -> Value {
        let output = self.run(who, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        parsed(&output)
    }

    /// The words of an error with this code.
    pub(super) fn refused(&self, who: &str, arguments: &[&str], code: &str) -> String {
        let output = self.run(who, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], code, "{arguments:?}: {error}");
        error["error"]["what"].as_str().unwrap().to_owned()
    }

    /// The answer as soon as it is one that fits: what follows a decision at once is asked for again.
    pub(super) fn until(&self, who: &str, arguments: &[&str], fits: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        for _ in 0..TRIES {
            let output = self.run(who, arguments);
            if output.status.code() != Some(1) && fits(&parsed(&output)) {
                return parsed(&output);
            }
            last = Some(output);
        }
        panic!("{arguments:?} never answered as it should: {last:?}");
    }

    /// Ana asks, others approve: the request.
    pub(super) fn asked(&self, arguments: &[&str], others: &[&str]) -> String {
        let asked = self.until("ana", arguments, |_| true);
        let id = asked["request"]["request"].as_str().unwrap().to_owned();
        others.iter().for_each(|who| drop(self.ok(who, &["approve", &id, "--yes"])));
        id
    }

    /// A key with a backup that ana holds, and an account with coins.
    fn make_key(&mut self) {
        self.asked(&["key", "create", "hot", "--home", "node-2"], &["ben", "cleo"]);
        let backup = self.asked(&["key", "backup", "hot", "--to", "ana,ben"], &["ben", "cleo"]);
        let drilled = self.until("ana", &["key", "drill", "hot"], |_| true);
        self.account = drilled["key"]["address"].as_str().unwrap().to_owned();
        let fetch = ["key", "fetch", &backup, "--file", &self.file("hot.backup"), "--node", "node-2"];
        self.until("ana", &fetch, |_| true);
        self.chain("anvil_setBalance", json!([self.account, "0x3635c9adc5dea00000"]));
    }

    fn chain(&self, method: &str, params: Value) -> Value {
        call_at(&self.anvil.url(), method, params)["result"].clone()
    }

    pub(super) fn pay(&self, wei: u128) -> Value {
        let payment =
            json!([{"from": self.account, "to": EXCHANGE, "value": format!("{wei:#x}"), "gas": "0x5208"}]);
        call_at(&self.url, "eth_sendTransaction", payment)
    }

    pub(super) fn status(&self) -> Value {
        self.until("ana", &["status"], |_| true)["status"].clone()
    }

    /// What counts against the day's limit in ether, in wei.
    fn used(&self) -> u128 {
        let status = self.status();
        let windows = status["windows"].as_array().unwrap().clone();
        let used = windows.iter().find(|it| it["window"] == "ether-per-day").unwrap()["used"].clone();
        used.as_str().unwrap().parse().unwrap()
    }

    /// A signed checkpoint, and the log up to it, from the folder of one node.
    pub(super) fn export(&self, checkpoint: &str, folder: &str) {
        self.ok("ana", &["audit", "checkpoint", "--file", &self.file(checkpoint)]);
        let node = self.ok("ana", &["status"])["status"]["node"].as_str().unwrap().to_owned();
        let dir = [self.desk().join(&node), self.home.path().join(&node)].into_iter().find(|it| it.exists());
        self.ok("ana", &["--dir", path(&dir.unwrap()), "audit", "export", &self.file(folder)]);
    }

    /// Every node's machine is gone, with its disk.
    fn lose_all(&mut self) {
        self.parts.clear();
        OLD.iter().for_each(|node| std::fs::remove_dir_all(self.desk().join(node)).unwrap());
    }

    pub(super) fn join(&self, node: &str) -> String {
        let (machine, address) = (self.file(node), format!("127.0.0.1:{}", free_port()));
        let (operator, host) = (format!("Operator of {node}"), format!("rack of {node}"));
        let labels = ["--operator", &operator, "--host", &host, "--provider", node];
        let part = ["--cluster", "treasury", "--part", "node", "--address", &address];
        let start = ["--dir", &machine, "ceremony", "join", &machine, node];
        self.ok("ana", &[&start[..], &part, &labels].concat());
        format!("{machine}/{node}.contribution")
    }
}

pub(super) fn serve(arguments: &[&str]) -> Service {
    let scratch = tempfile::Builder::new().prefix("keystead-part-").tempdir().unwrap().keep();
    let program = binary("keystead");
    Service::start(&scratch, &[&[path(&program), "--json"], arguments].concat(), "ready")
}

fn height(status: &Value) -> u64 {
    status["height"].as_u64().unwrap()
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The first of four free ports in a row, none of which another test of this process gets.
fn four_in_a_row() -> u16 {
    loop {
        let first = free_port();
        if (1..4).all(|more| free_port() == first + more) {
            return first;
        }
    }
}

#[test]
fn d01_a_cluster_whose_nodes_are_all_lost_goes_on_frozen_and_counts_what_was_spent() {
    let mut cluster = Cluster::found();
    cluster.make_key();
    assert!(cluster.pay(ETHER)["result"].is_string());
    cluster.until("ana", &["status"], |it| it["status"]["unsettled"] == 0);
    cluster.export("early.checkpoint", "early");
    // The second payment leaves, and no block takes it before the nodes are gone.
    cluster.chain("evm_setAutomine", json!([false]));
    assert!(cluster.pay(ETHER / 2)["result"].is_string());
    let (used, before) = (cluster.used(), cluster.status());
    assert!(used > ETHER + ETHER / 2, "{used}: fees count, too");
    cluster.export("late.checkpoint", "backup");
    cluster.lose_all();
    cluster.chain("evm_mine", json!([]));

    let (id, heard) = draft(&cluster);
    sign_and_finish(&cluster, &id, &heard);
    let anchor = Anchor::made(&cluster);
    install(&mut cluster, &id, (&anchor, &heard));
    let frozen = cluster.until("ana", &["status"], |it| height(&it["status"]) > height(&before));
    assert_eq!(frozen["status"]["frozen"]["everything"], true, "{frozen}");
    assert_eq!(frozen["status"]["withstands"], json!({"lying": 1, "down": 1}));
    reconcile(&cluster);
    assert_eq!(cluster.used(), used, "what was spent before the loss counts, to the wei");
    thaw(&cluster);

    let paid = cluster.until("ana", &["status"], |it| it["status"]["frozen"]["everything"] == false);
    assert_eq!(paid["status"]["keys"][0]["address"], cluster.account.as_str(), "the same address");
    assert!(cluster.pay(ETHER / 100)["result"].is_string());
    let over = cluster.pay(10 * ETHER - used);
    assert!(over["error"]["message"].as_str().unwrap().contains("ether-per-day"), "{over}");
    // From the genesis that everybody was always pinned to.
    assert_eq!(cluster.ok("cleo", &["audit", "verify"])["verified"], true);
    rebuilt::a_machine_joins_later(&mut cluster, &id);
    strangers_are_found(&cluster);
    rebuilt::all_are_lost_again(&mut cluster, &id, &anchor);
}

/// The cluster's id, and the fingerprint that all read out.
fn draft(cluster: &Cluster) -> (String, String) {
    let contributions: Vec<String> = NEW.iter().map(|node| cluster.join(node)).collect();
    let (late, early) = (cluster.file("late.checkpoint"), cluster.file("early.checkpoint"));
    let files: Vec<&str> = contributions.iter().map(String::as_str).collect();
    let words = |log: &str, out: &str, more: &[&str]| -> Vec<String> {
        let (log, out) = (cluster.file(log), cluster.file(out));
        let start = ["rebuild", "draft", "--log", &log, "--out", &out];
        let all = [&start[..], &files, &["--remembered", &early, &late], more].concat();
        all.iter().map(|it| (*it).to_owned()).collect()
    };
    // An older backup than somebody remembers: refused, unless people put the loss into what they sign.
    let lost = cluster.refused("ana", &strs(&words("early", "lossy", &[])), "rebuild.lost");
    assert!(lost.contains("late.checkpoint remembers"), "{lost}");
    let lossy = cluster.ok("ana", &strs(&words("early", "lossy", &["--accept-loss"])));
    assert!(lossy["lost"].as_u64().unwrap() > 0, "{lossy}");
    assert!(lossy["dangers"][0].as_str().unwrap().contains("BLOCKS ARE LOST"), "{lossy}");
    let drafted = cluster.ok("ana", &strs(&words("backup", "draft", &[])));
    assert_eq!((&drafted["lost"], &drafted["quorum"]), (&json!(0), &json!(3)));
    assert_eq!(drafted["needs"], json!([{"role": "approver", "count": 3, "factors": []}]));
    let said = drafted["dangers"][0].as_str().unwrap();
    assert!(said.contains("if 3 of node-1, node-2, node-3, node-4 still run"), "{said}");
    let fingerprint = drafted["fingerprint"].as_str().unwrap().to_owned();
    (drafted["cluster"].as_str().unwrap().to_owned(), fingerprint)
}

fn sign_and_finish(cluster: &Cluster, id: &str, heard: &str) {
    let (draft, log, bundle) = (cluster.file("draft"), cluster.file("backup"), cluster.file("bundle"));
    let shown = cluster.ok("ben", &["rebuild", "show", &draft, "--log", &log]);
    assert_eq!((&shown["fingerprint"], &shown["audited"]), (&json!(heard), &json!(true)));
    assert_eq!((&shown["keys"][0]["home"], &shown["unsettled"]), (&json!("node-2"), &json!(1)));
    let early = cluster.file("early");
    cluster.refused("ben", &["rebuild", "show", &draft, "--log", &early], "rebuild.place");
    cluster.refused("ben", &["rebuild", "sign", &draft], "rebuild.unheard");
    let other = "0".repeat(64);
    cluster.refused("ben", &["rebuild", "sign", &draft, "--fingerprint", &other], "rebuild.fingerprint");
    let sign = |who: &str| {
        cluster.ok(who, &["rebuild", "sign", &draft, "--log", &log, "--fingerprint", heard]);
        path(&cluster.desk().join(format!("{who}.rebuild-assent"))).to_owned()
    };
    let (ana, ben) = (sign("ana"), sign("ben"));
    let missing = cluster.refused(
        "ana",
        &["rebuild", "finish", &draft, &ana, &ben, "--out", &bundle],
        "rebuild.missing",
    );
    assert!(missing.ends_with("still missing: 1 of role `approver`"), "{missing}");
    cluster.refused(
        "ana",
        &["rebuild", "finish", &draft, &ana, &ben, &ana, "--out", &bundle],
        "rebuild.missing",
    );
    let lossy = cluster.file("lossy");
    let print = cluster.ok("ana", &["rebuild", "show", &lossy])["fingerprint"].as_str().unwrap().to_owned();
    cluster.refused("ana", &["rebuild", "sign", &lossy, "--fingerprint", &print], "rebuild.signed");
    let dora = sign("dora");
    // By anybody: in a folder that knows nothing of this cluster, with the backup and the id that was read out.
    let nobody = cluster.file("nobody");
    let finish = ["--dir", &nobody, "rebuild", "finish", &draft, &dora, &ana, &ben, "--out", &bundle];
    cluster.refused("zoe", &finish, "cli.usage");
    let with = |id: &str| [&finish[..], &["--log", &log, "--cluster", id]].concat().join("\n");
    let elsewhere = with(&other);
    cluster.refused("zoe", &elsewhere.split('\n').collect::<Vec<_>>(), "certificate.cluster");
    let groups = id.as_bytes().chunks(4).map(|it| std::str::from_utf8(it).unwrap()).collect::<Vec<_>>();
    let (heard, here) = (with(&groups.join(" ")), ["rebuild", "finish", &draft, &ana, "--out", &bundle]);
    cluster.refused("ana", &[&here[..], &["--cluster", &other]].concat(), "rebuild.cluster");
    let finished = cluster.ok("zoe", &heard.split('\n').collect::<Vec<_>>());
    assert_eq!(finished["signed"], json!(["ana", "ben", "dora"]));
}

fn install(cluster: &mut Cluster, id: &str, (anchor, heard): (&Anchor, &str)) {
    let lossy = cluster.ok("ana", &["rebuild", "show", &cluster.file("lossy")])["fingerprint"].clone();
    let other = (cluster.file("lossy"), cluster.file("early"));
    let other = anchor.signs(cluster, (&other.0, &other.1), id, lossy.as_str().unwrap());
    let word = anchor.signs(cluster, (&cluster.file("bundle"), &cluster.file("backup")), id, heard);
    let (bundle, log, endpoint) = (cluster.file("bundle"), cluster.file("backup"), cluster.anvil.url());
    for node in NEW {
        let machine = cluster.file(node);
        let start = ["--dir", &machine, "rebuild", "install", &bundle];
        let rest = ["--endpoint", &endpoint, "--confirmations", "1"];
        cluster.refused("ana", &start, "cli.usage");
        let elsewhere = "1".repeat(64);
        let wrong = [&start[..], &["--log", &log, "--cluster", &elsewhere]].concat();
        cluster.refused("ana", &wrong, "certificate.cluster");
        let early = cluster.file("early");
        let older = [&start[..], &["--log", &early, "--cluster", id]].concat();
        if node == NEW[0] {
            cluster.refused("ana", &older, "rebuild.place");
            let forged = forged_signature(cluster);
            let forged = [&start[..], &["--log", &forged, "--cluster", id]].concat();
            cluster.refused("ana", &forged, "rebuild.signature_file");
        }
        let install = [&start[..], &["--log", &log, "--cluster", id], &rest].concat();
        match node == NEW[0] {
            true => anchor::a_new_node_is_pinned(cluster, anchor, &install, &word, &other),
            false => drop(cluster.ok("ana", &install)),
        }
        cluster.refused("ana", &install, "rebuild.installed");
        quick_looks(Path::new(&machine));
    }
    rebuilt::nobody_takes_a_place_that_is_not_theirs(cluster, id);
    rebuilt::a_folder_of_before_follows(cluster, anchor, &word);
    let machines = NEW.map(|node| PathBuf::from(cluster.file(node)));
    cluster.start(&machines);
}

/// The backup with another transaction in the place of the one that was signed: its end would free what that one spends.
fn forged_signature(cluster: &Cluster) -> String {
    let (log, forged) = (cluster.file("backup"), cluster.file("forged"));
    succeeds(Command::new("cp").args(["-r", &log, &forged]));
    let mut files = std::fs::read_dir(Path::new(&forged).join("signature")).unwrap();
    let file = files.next().expect("the payment that is on its way").unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    forged
}

/// The test does not wait four seconds between two looks at the chain.
fn quick_looks(machine: &Path) {
    let file = machine.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("settlement_seconds = 4"), "{text}");
    std::fs::write(&file, text.replace("settlement_seconds = 4", "settlement_seconds = 1")).unwrap();
}

/// The key comes back, frozen; the nodes find what became of the payment that was on its way; people compare.
fn reconcile(cluster: &Cluster) {
    let refused = cluster.pay(1);
    assert!(refused["error"]["message"].as_str().unwrap().contains("frozen"), "{refused}");
    let endpoint = cluster.anvil.url();
    let check = ["rebuild", "check", "--endpoint", &endpoint, "--confirmations", "1"];
    let checked = cluster.ok("ben", &[&check[..], &["--addresses", "2"]].concat());
    assert_eq!((&checked["unknown"], &checked["rebuilt"]), (&json!(0), &json!(true)), "{checked}");
    assert_eq!((checked["accounts"].as_array().unwrap().len(), &checked["elsewhere"]), (2, &json!([])));
    cluster.refused("ben", &[&check[..], &["--addresses", "0"]].concat(), "cli.usage");
    cluster.refused("ben", &[&check[..], &["--chain", "5"]].concat(), "cli.usage");
    let restore = cluster.asked(&["key", "restore", "hot", "--home", "node-6"], &["ben", "cleo"]);
    let backup = cluster.file("hot.backup");
    let moved = cluster.until(
        "ana",
        &["key", "hand-over", &restore, "--backup", &backup, "--node", "node-6"],
        |_| true,
    );
    assert_eq!((&moved["key"]["home"], &moved["key"]["epoch"]), (&json!("node-6"), &json!(1)), "{moved}");
    cluster.until("ben", &check, |it| {
        let ours = it["accounts"].as_array().unwrap().iter().find(|it| it["executed"] == 2).cloned();
        ours.is_some_and(|it| it["unsettled"] == json!([]) && it["outstanding"] == json!([]))
    });
    let still = cluster.pay(1);
    assert!(still["error"]["message"].as_str().unwrap().contains("frozen"), "{still}");
}

fn thaw(cluster: &Cluster) {
    let id = cluster.asked(&["thaw"], &["ben", "cleo"]);
    assert_eq!(cluster.status()["frozen"]["everything"], true, "two and who asked are not enough");
    cluster.ok("dora", &["approve", &id, "--yes"]);
}

/// A payment of our account that no log knows: what whoever stole a key, or a lost node, could have signed.
fn strangers_are_found(cluster: &Cluster) {
    cluster.chain("evm_setAutomine", json!([true]));
    cluster.chain("anvil_impersonateAccount", json!([cluster.account]));
    let theft = json!([{"from": cluster.account, "to": STRANGER, "value": "0x1"}]);
    assert!(cluster.chain("eth_sendTransaction", theft).is_string());
    let endpoint = cluster.anvil.url();
    let check = ["rebuild", "check", "--endpoint", &endpoint, "--confirmations", "1"];
    let found = cluster.until("ben", &check, |it| it["unknown"] == 1);
    let ours = found["accounts"].as_array().unwrap().iter().find(|it| it["executed"] == 5).cloned();
    assert_eq!(ours.unwrap()["unknown"], json!([4]), "{found}");
    assert_eq!(cluster.run("ben", &check).status.code(), Some(2));
}

/// How often something that follows a decision at once is asked for.
const TRIES: usize = 300;

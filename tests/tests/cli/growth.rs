//! A cluster of one becomes one of four by the commands of people, and a key moves to a machine that joined.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_tests::{Service, binary};
use serde_json::Value;

use crate::desk::{Desk, EXCHANGE, json, loopback, path};
use crate::script::{Script, fails, ok};

#[test]
fn d01_machines_join_by_commands_and_a_key_moves_to_one_of_them() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    let machines: Vec<Machine> = (2..=4).map(|number| Machine::join(home.path(), number)).collect();
    let mut script = Script::new(&desk.folder);
    script.set("tmp", path(home.path()));
    script.set("exchange", EXCHANGE);
    script.set("second", format!("node-2@{}", machines[0].address));
    let asked = script.step(
        &ok(
            "ana",
            "roster add {tmp}/node-2.contribution {tmp}/node-3.contribution {tmp}/node-4.contribution",
        )
        .has("/after", "withstands 1 lying, 1 down")
        .has("/nodes/1/operator", "Operator of node-2")
        .keep("grown", "/request/request"),
    );
    let _running: Vec<Service> = machines.iter().map(|it| it.settle(&desk, &asked).start()).collect();
    script.play([
        ok("ben", "approve {grown} --yes"),
        ok("cleo", "approve {grown} --yes"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 3").has("/request/stage", "signed"),
        ok("ana", "status").has("/status/nodes", "4").has("/status/withstands/lying", "1"),
        ok("ben", "key restore hot --home node-2").keep("restore", "/request/request"),
        ok("ana", "approve {restore} --yes"),
        ok("cleo", "approve {restore} --yes"),
    ]);
    // The founders' roster does not know this node: its key is that of the roster in force.
    let moved = script.until_it_works("ana", "key hand-over {restore} --node {second}");
    assert_eq!(moved["key"]["home"], "node-2", "{moved}");
    script.play([
        ok("ana", "request transfer --key hot --to {exchange} --wei 4").has("/request/stage", "signed"),
        ok("ana", "key list --node {second}").has("/keys/0/epoch", "1"),
    ]);
}

/// What a new machine is told may be wrong, and what it hands over may be somebody else's.
#[test]
fn s13_a_machine_that_joins_believes_only_the_cluster_that_was_read_out() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    let machine = Machine::join(home.path(), 2);
    let genesis = desk.folder.join("genesis");
    let cluster = desk.as_person("ana", &["status"])["status"]["cluster"].as_str().unwrap().to_owned();
    let peer = format!("node-1@{}", loopback());
    let (here, own) = (["--peer", peer.as_str()], format!("node-2@{}", machine.address));
    let other = "0".repeat(64);
    let altered = home.path().join("altered");
    let mut bytes = std::fs::read(&genesis).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&altered, bytes).unwrap();
    for (genesis, heard, peers, code) in [
        (&genesis, &other, &here[..], "roster.genesis"),
        (&altered, &cluster, &here, "genesis."),
        (&genesis, &cluster, &[here, here].concat(), "cli.usage"),
        (&genesis, &cluster, &["--peer", &own], "cli.usage"),
        (&genesis, &cluster, &["--peer", "node-1"], "cli.usage"),
    ] {
        machine.refused(genesis, heard, peers, code);
        assert!(!machine.folder.join("keystead.toml").exists() && !machine.folder.join("genesis").exists());
    }
    // As people read it out, in groups; and once.
    let groups: Vec<&str> = (0..16).map(|at| &cluster[at * 4..at * 4 + 4]).collect();
    assert!(machine.install(&genesis, &groups.join(" "), &here).status.success());
    machine.refused(&genesis, &cluster, &here, "ceremony.installed");
    contributions_are_refused(&desk, home.path());
}

fn contributions_are_refused(desk: &Desk, home: &Path) {
    let stray = home.join("stray");
    keystead(&["ceremony", "join", path(&stray), "node-3", "--cluster", "vault", "--part", "node"], 3);
    let person = home.join("person");
    keystead(&["ceremony", "join", path(&person), "zoe", "--cluster", "keystead", "--part", "founder"], 0);
    let mut bytes = std::fs::read(home.join("node-2.contribution")).unwrap();
    let at = bytes.windows(8).position(|it| it == b"Operator").unwrap();
    bytes[at] = b'o';
    std::fs::write(home.join("altered.contribution"), bytes).unwrap();
    let mut script = Script::new(&desk.folder);
    script.set("tmp", path(home));
    script.play([
        fails("ana", "roster add {tmp}/stray/node-3.contribution", "roster.other_cluster"),
        fails("ana", "roster add {tmp}/person/zoe.contribution", "roster.file"),
        fails("ana", "roster add {tmp}/altered.contribution", "ceremony.contribution"),
        fails("ana", "roster replace node-1 {tmp}/altered.contribution", "ceremony.contribution"),
    ]);
}

/// A machine that joins: its folder, with keys of its own making.
struct Machine {
    folder: PathBuf,
    address: String,
}

impl Machine {
    /// Makes its keys, and lays its contribution where the others find it.
    fn join(home: &Path, number: u8) -> Self {
        let (name, folder) = (format!("node-{number}"), home.join(format!("machine-{number}")));
        let join = ["ceremony", "join", path(&folder), &name, "--cluster", "keystead", "--part", "node"];
        let address = keystead(&join, number);
        let contribution = format!("{name}.contribution");
        std::fs::copy(folder.join(&contribution), home.join(&contribution)).unwrap();
        Self { folder, address }
    }

    /// Types the line that the operator of the cluster reads out.
    fn settle(&self, desk: &Desk, asked: &Value) -> &Self {
        let line = asked["install"].as_str().unwrap();
        let words = line.split(' ').skip(1).map(|word| match word {
            "FOLDER" => path(&self.folder).to_owned(),
            "GENESIS" => path(&desk.folder.join("genesis")).to_owned(),
            word => word.to_owned(),
        });
        let chain = ["--endpoint".to_owned(), desk.anvil.url(), "--confirmations".to_owned(), "1".to_owned()];
        let words: Vec<String> = words.chain(chain).collect();
        let output = Command::new(binary("keystead")).arg("--json").args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        self
    }

    fn start(&self) -> Service {
        let scratch = tempfile::Builder::new().prefix("keystead-joins-").tempdir().unwrap().keep();
        let program = binary("keystead");
        // A joined machine's folder has a node and no coordinator: `up` runs that.
        let command = [path(&program), "--json", "up", path(&self.folder)];
        Service::start(&scratch, &command, "ready")
    }

    fn install(&self, genesis: &Path, cluster: &str, peers: &[&str]) -> Output {
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "roster", "install", "--dir", path(&self.folder)]);
        command.args(["--genesis", path(genesis), "--cluster", cluster]).args(peers).output().unwrap()
    }

    fn refused(&self, genesis: &Path, cluster: &str, peers: &[&str], code: &str) {
        let output = self.install(genesis, cluster, peers);
        assert_eq!(output.status.code(), Some(1), "{code}: {output:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(error["error"]["code"].as_str().unwrap().starts_with(code), "{code}: {error}");
    }
}

/// Runs `ceremony join`; a node listens at the address that is given back.
fn keystead(join: &[&str], number: u8) -> String {
    let (address, operator) = (loopback(), format!("Operator of node-{number}"));
    let host = format!("rack {number}");
    let node = ["--address", &address, "--operator", &operator, "--host", &host, "--provider", "own"];
    let labels = if number > 0 { &node[..] } else { &[] };
    let output = Command::new(binary("keystead")).arg("--json").args(join).args(labels).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(json(&output)["contribution"].is_string(), "{output:?}");
    address
}

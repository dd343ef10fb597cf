//! A whole run, and then every byte that it left behind or still holds, searched for its secrets (K1).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use keystead_base::{Canonical as _, Name};
use keystead_keys::{BackupFile, MemberKeyFile, SeedShares};
use keystead_tests::canary::Canaries;
use keystead_tests::{Anvil, Collector, Relay, binary, free_port};
use serde_json::{Value, json};

use crate::desk::{EXCHANGE, call_at, json as parsed, path, succeeds};
use crate::searched::{Place, Search, no_core_below};

/// A founded cluster whose program writes into files, and everything that its commands have said.
struct Run {
    anvil: Anvil,
    home: tempfile::TempDir,
    up: Option<Child>,
    starts: u32,
    said: Vec<u8>,
    /// Between commands and node, between scripts and coordinator, between both of these and the chain, and between them and
    /// whoever collects traces.
    wires: [Relay; 4],
    _collector: Collector,
}

impl Run {
    fn found() -> Self {
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        let home = tempfile::Builder::new().prefix("keystead-canary-").tempdir().unwrap();
        let (node, coordinator) = (loopback(), loopback());
        let chain = anvil.url().trim_start_matches("http://").to_owned();
        let collector = Collector::start();
        let traces = collector.url().trim_start_matches("http://").to_owned();
        let wires = [&node, &coordinator, &chain, &traces].map(|it| Relay::to(it));
        let folder = home.path().join("desk");
        let (allow, url) = (format!("exchange={EXCHANGE}"), format!("http://{}", wires[2].address()));
        let chain = ["init", path(&folder), "--endpoint", &url, "--confirmations", "1", "--allow", &allow];
        let listens = ["--node-listen", &node, "--coordinator-listen", &coordinator];
        let founded = succeeds(Command::new(binary("keystead")).args(chain).args(listens));
        let file = folder.join("keystead.toml");
        let address = |of: &str| format!("address = \"{of}\"");
        let (direct, relayed) = (address(&node), address(&wires[0].address()));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&direct), "{text}");
        let telemetry = collector.configuration().replace(&traces, &wires[3].address());
        fs::write(&file, text.replace(&direct, &relayed) + &telemetry).unwrap();
        Self {
            anvil,
            home,
            up: None,
            starts: 0,
            said: [founded.stdout, founded.stderr].concat(),
            wires,
            _collector: collector,
        }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("desk")
    }

    /// The most that the program can be asked to say, where a crash would leave a core file.
    fn start(&mut self) {
        self.starts += 1;
        let log =
            |what: &str| File::create(self.home.path().join(format!("{what}-{}", self.starts))).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""]).arg(binary("keystead"));
        command.args(["--json", "up", path(&self.folder())]).current_dir(self.home.path());
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").stdin(Stdio::null());
        self.up = Some(command.stdout(log("stdout")).stderr(log("stderr")).spawn().unwrap());
        // A command waits for nobody who does not listen yet.
        for _ in 0..2_000 {
            if self.command("ana", &["status"]).status.success() {
                return;
            }
        }
        panic!("the cluster does not answer");
    }

    fn kill(&mut self) {
        let mut up = self.up.take().unwrap();
        up.kill().unwrap();
        up.wait().unwrap();
    }

    fn command(&mut self, who: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("keystead"));
        command.env("RUST_LOG", "trace").args(["--json", "--dir", path(&self.folder()), "--as", who]);
        let output = command.args(arguments).output().unwrap();
        self.said.extend_from_slice(&output.stdout);
        self.said.extend_from_slice(&output.stderr);
        output
    }

    fn ask(&mut self, who: &str, arguments: &[&str]) -> Value {
        let output = self.command(who, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        parsed(&output)
    }

    /// The program crashes.
    fn crash(&mut self) {
        let mut up = self.up.take().unwrap();
        let pid = up.id().to_string();
        succeeds(Command::new("kill").args(["-ABRT", &pid]));
        up.wait().unwrap();
    }

    /// A script speaks to the coordinator, which speaks to node and chain.
    fn script(&self, account: &str) {
        let url = format!("http://{}", self.wires[1].address());
        for (method, params) in [
            ("eth_accounts", json!([])),
            ("personal_sign", json!(["0x68656c6c6f", account])),
            ("eth_getTransactionCount", json!([account, "latest"])),
        ] {
            call_at(&url, method, params);
        }
    }

    /// Ana asks, Ben and Cleo approve.
    fn approved(&mut self, arguments: &[&str]) -> String {
        let asked = (0..200).find_map(|_| {
            let asked = self.command("ana", arguments);
            asked.status.success().then(|| parsed(&asked))
        });
        let asked = asked.unwrap_or_else(|| panic!("{arguments:?} was never possible"));
        let id = asked["request"]["request"].as_str().unwrap().to_owned();
        ["ben", "cleo"].iter().for_each(|who| drop(self.ask(who, &["approve", &id, "--yes"])));
        id
    }

    /// What a person prints for themselves: standard output is their paper, and everything else is looked at.
    fn printed(&mut self, who: &str, arguments: &[&str]) -> Output {
        let before = self.said.len();
        let output = self.command(who, arguments);
        self.said.truncate(before);
        self.said.extend_from_slice(&output.stderr);
        output
    }

    /// The key is backed up in shares, which are printed in every form, saved, and brought together in a drill.
    fn in_shares(&mut self) -> PathBuf {
        let request = self.approved(&["backup", "split", "hot", "--group", "2:ana,ben,cleo"]);
        let mut words = Vec::new();
        for who in ["ana", "ben"] {
            let file = self.home.path().join(format!("{who}.words"));
            let print = ["backup", "print", "hot", "--words", path(&file)];
            let printed = (0..200).any(|_| self.printed(who, &print).status.success());
            assert!(printed, "the shares reached the log");
            words.push(file);
        }
        let (sheet, plate) = (self.home.path().join("ana.html"), self.home.path().join("ana.svg"));
        let terminal = self.printed("ana", &["backup", "print", "hot"]);
        assert!(terminal.status.success(), "{terminal:?}");
        self.ask("ana", &["backup", "print", "hot", "--sheet", path(&sheet), "--plate", path(&plate)]);
        self.ask("ana", &["backup", "save", "hot", "--folder", path(&self.home.path().join("shares"))]);
        let receipt = self.home.path().join("receipt.json");
        let drill = ["backup", "drill", "hot", "--words", path(&words[0]), "--words", path(&words[1])];
        self.ask("ana", &[&drill[..], &["--receipt", path(&receipt)]].concat());
        let alone = self.command("ana", &["backup", "drill", "hot", "--words", path(&words[0])]);
        assert!(!alone.status.success(), "{alone:?}");
        let file = self.home.path().join("hot.shares");
        self.ask("ana", &["key", "fetch", &request, "--file", path(&file)]);
        file
    }

    fn member(&self, file: &str) -> Vec<u8> {
        fs::read(self.folder().join("members").join(file)).unwrap()
    }

    /// Passphrases, and the seed as a recipient restores it from the backup. What the running program itself
    /// needs (`services`: node and coordinator) may be in its memory, and nowhere else.
    fn secrets(&self, (backup, shares): (&Path, &Path), services: bool) -> Canaries {
        let mut canaries = Canaries::default();
        for entry in fs::read_dir(self.folder().join("members")).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let Some(who) = file.strip_suffix(".passphrase") else { continue };
            if services || ["ana", "ben", "cleo", "vault"].contains(&who) {
                canaries.add(&format!("the passphrase of {who}"), self.member(&file).trim_ascii());
            }
        }
        for who in ["ana", "ben", "cleo"] {
            let key = self.key(who);
            canaries.add(&format!("{who}'s transport key"), key.transport_seed().expose());
        }
        let file = BackupFile::from_document(&fs::read(backup).unwrap()).unwrap();
        let ana: Name = "ana".parse().unwrap();
        let seed = file.restore(&ana, &self.key("ana").recipient().unwrap()).unwrap();
        canaries.add("the seed", seed.entropy().expose());
        canaries.add_words("the seed", seed.mnemonic().unwrap().words().expose());
        let account = seed.root().unwrap().ethereum().unwrap().account(0).unwrap();
        canaries.add_scalar("the key of account 0", account.scalar().expose());
        canaries.add("the seed of BIP-39", seed.mnemonic().unwrap().seed("").expose());
        let shares = SeedShares::from_document(&fs::read(shares).unwrap()).unwrap();
        for who in ["ana", "ben", "cleo"] {
            let share = shares.open(&who.parse().unwrap(), &self.key(who).recipient().unwrap()).unwrap();
            canaries.add_words(&format!("{who}'s share"), share.words().expose());
            canaries.add(&format!("{who}'s share"), &value_of(share.words().expose()));
            let short: Vec<_> = share.words().expose().split(' ').map(|it| it[..4].to_owned()).collect();
            canaries.add_words(&format!("{who}'s share in four letters"), &short.join(" "));
        }
        canaries
    }

    /// What no secret is and stands in every place that is searched: an account that people pay, and a variable.
    fn search(&self, files: (&Path, &Path), key: &Value) -> Search {
        let mut public = Canaries::default();
        for name in ["address", "account"] {
            let text =
                key[name]["chain_code"].as_str().or(key[name].as_str()).unwrap_or_else(|| panic!("{key}"));
            public.add(name, text.as_bytes());
            public.add(name, &const_hex::decode(text).unwrap());
        }
        public.add("a variable", b"RUST_BACKTRACE=full");
        Search::new(self.secrets(files, true), self.secrets(files, false), public)
    }

    fn key(&self, who: &str) -> keystead_keys::MemberKey {
        let file = MemberKeyFile::from_document(&self.member(&format!("{who}.key"))).unwrap();
        file.open(self.member(&format!("{who}.passphrase")).trim_ascii()).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.up.is_some() {
            self.kill();
        }
    }
}

#[test]
fn k1_no_secret_is_in_anything_that_a_whole_run_leaves_or_holds() {
    let mut run = Run::found();
    run.start();
    run.approved(&["key", "create", "hot"]);
    let request = run.approved(&["key", "backup", "hot", "--to", "ana,ben"]);
    let drilled = run.ask("ana", &["key", "drill", "hot"]);
    let account = drilled["key"]["address"].as_str().unwrap().to_owned();
    call_at(&run.anvil.url(), "anvil_setBalance", json!([account, "0x3635c9adc5dea00000"]));
    let backup = run.home.path().join("hot.backup");
    run.ask("ana", &["key", "fetch", &request, "--file", path(&backup)]);
    let transfer = ["request", "transfer", "--key", "hot", "--to", EXCHANGE, "--wei"];
    run.ask("ana", &[&transfer[..], &["5"]].concat());
    run.kill();
    run.start();
    run.approved(&[&transfer[..], &["3000000000000000000"]].concat());
    let refused = run.command("ana", &[&transfer[..], &["999000000000000000000"]].concat());
    assert!(!refused.status.success(), "{refused:?}");
    run.script(&account);
    let shares = run.in_shares();
    let mut search = run.search((&backup, &shares), &drilled["key"]);
    search.processes(run.up.as_ref().unwrap().id());
    run.crash();

    search.look(Place::Said, "standard output and error of commands", &run.said);
    search.wires(&run.wires);
    // Where secrets live: passphrases, and the papers that their owners had printed.
    let homes = ["passphrase", "words", "html", "svg"];
    let is_home = |file: &Path| file.extension().is_some_and(|it| homes.iter().any(|home| it == *home));
    search.files(run.home.path(), &is_home);
    search.swap();
    // The scan of the very same files finds what is there: the words that were printed.
    let (planted, _) = search.all.found_below(run.home.path(), &|file| !file.ends_with("ana.words"));
    assert!(planted.iter().any(|it| it.contains("ana's share (words)")), "{planted:?}");
    search.told();
    no_core_below(run.home.path());
}

/// The value of a share of 33 words (SLIP-39): 256 bits behind four words and four bits of padding.
fn value_of(words: &str) -> Vec<u8> {
    let list: Vec<&str> = WORDS.lines().collect();
    let numbers = words.split(' ').map(|word| list.iter().position(|it| *it == word).unwrap());
    let bits: Vec<u8> =
        numbers.flat_map(|number| (0..10).rev().map(move |bit| (number >> bit & 1) as u8)).collect();
    let value = &bits[4 * 10 + 4..bits.len() - 3 * 10];
    value.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
}

const WORDS: &str = include_str!("../../../crates/keystead-keys/src/slip39/words.txt");

fn loopback() -> String {
    format!("127.0.0.1:{}", free_port())
}

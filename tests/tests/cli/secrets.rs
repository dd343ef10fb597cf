//! A whole run, and then every byte that it left behind or still holds, searched for its secrets (K1).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use keystead_base::{Canonical as _, Name};
use keystead_keys::{BackupFile, MemberKeyFile, SeedShares};
use keystead_tests::canary::Canaries;
use keystead_tests::processes::memory;
use keystead_tests::{Anvil, Collector, Relay, binary, free_port, root};
use serde_json::{Value, json};

use crate::desk::{EXCHANGE, call_at, json as parsed, path, succeeds};
use crate::swapped::Swap;

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

    /// Whatever of the program may go to swap, node, coordinator and enclave, goes there, where there is some.
    fn to_swap(&self, swap: &mut Option<Swap>) {
        if let Some(swap) = swap {
            swap.take(&family(self.up.as_ref().unwrap().id()));
        }
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

    /// People roll for a key at the node's machine, which promised its part.
    fn rolled(&mut self, key: &str) -> String {
        let folder = self.folder();
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "entropy", "roll", key, "--data", path(&folder.join("node"))]);
        let output = given(&mut command, ROLLS);
        self.said.extend([output.stdout.as_slice(), &output.stderr].concat());
        assert!(output.status.success(), "{output:?}");
        assert!(folder.join(format!("node/rolls/{key}.dice")).exists());
        let told: Value =
            serde_json::from_slice(output.stdout.split(|it| *it == b'\n').next().unwrap()).unwrap();
        told["ready"]["promise"].as_str().unwrap().to_owned()
    }

    /// Ana computes the key's seed on other software, from her rolls, the receipt in the log and the openings that came with the backup.
    fn computed_again(&mut self, key: &str, promise: &str) -> String {
        let paper = tempfile::tempdir().unwrap();
        let [rolls, openings, shown] = ["rolls", "openings.json", "key.json"].map(|it| paper.path().join(it));
        let age = self.folder().join(format!("node/rolls/{key}.openings.age"));
        self.ask("ana", &["entropy", "open", path(&age), "--out", path(&openings)]);
        let told = self.ask("ana", &["key", "show", key]);
        fs::write(&shown, told.to_string()).unwrap();
        fs::write(&rolls, ROLLS).unwrap();
        let script = root().join("tests/python/seed.py");
        let files = [path(&script), path(&shown), path(&openings), path(&rolls), "--promise", promise];
        let told = parsed(&succeeds(Command::new("python3").args(files)));
        told["seed"].as_str().unwrap().to_owned()
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
        canaries.add("what people rolled", ROLLS.as_bytes());
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
    let (mut run, mut swap) = (Run::found(), Swap::of_chore());
    run.start();
    let promise = run.rolled("hot");
    run.approved(&["key", "create", "hot"]);
    run.to_swap(&mut swap);
    let request = run.approved(&["key", "backup", "hot", "--to", "ana,ben"]);
    let drilled = run.ask("ana", &["key", "drill", "hot"]);
    let account = drilled["key"]["address"].as_str().unwrap().to_owned();
    call_at(&run.anvil.url(), "anvil_setBalance", json!([account, "0x3635c9adc5dea00000"]));
    let backup = run.home.path().join("hot.backup");
    run.ask("ana", &["key", "fetch", &request, "--file", path(&backup)]);
    let transfer = ["request", "transfer", "--key", "hot", "--to", EXCHANGE, "--wei"];
    run.ask("ana", &[&transfer[..], &["5"]].concat());
    run.to_swap(&mut swap);
    run.kill();
    run.start();
    run.approved(&[&transfer[..], &["3000000000000000000"]].concat());
    let refused = run.command("ana", &[&transfer[..], &["999000000000000000000"]].concat());
    assert!(!refused.status.success(), "{refused:?}");
    run.script(&account);
    let shares = run.in_shares();
    let secrets = run.secrets((&backup, &shares), true);
    let again = run.computed_again("hot", &promise);
    assert!(secrets.found_in(again.as_bytes()).contains("the seed (hex)"), "the seed of rolls and openings");
    let of_people = run.secrets((&backup, &shares), false);
    run.to_swap(&mut swap);
    let in_memory = nothing_in_processes(&of_people, run.up.as_ref().unwrap().id());
    match &swap {
        Some(swap) => {
            let (searched, went) = swap.nothing(&of_people);
            println!("searched: {searched} bytes in swap, where {went} of the program's went; found: 0");
        }
        None => println!("SKIPPED: swap is searched by `cargo xtask secrets`, as root, in a file of its own"),
    }
    run.crash();

    let on_wires = nothing_on_wires(&secrets, &run.wires);
    assert_eq!(secrets.found_in(&run.said), BTreeSet::new(), "standard output and error of commands");
    // Where secrets live: passphrases, and the papers that their owners had printed.
    let homes = ["passphrase", "words", "html", "svg"];
    let is_home = |file: &Path| file.extension().is_some_and(|it| homes.iter().any(|home| it == *home));
    let (found, looked_at) = secrets.found_below(run.home.path(), &is_home);
    assert_eq!(found, Vec::<String>::new());
    // The scan of the very same files finds what is there: the words that were printed.
    let (planted, _) = secrets.found_below(run.home.path(), &|file| !file.ends_with("ana.words"));
    assert!(planted.iter().any(|it| it.contains("ana's share (words)")), "{planted:?}");
    let (count, forms) = secrets.counted();
    println!(
        "{count} secrets in {forms} forms; searched: {} bytes that commands said, {on_wires} on wires, {looked_at} in files, \
         {in_memory} of memory and dumps; found: 0",
        run.said.len()
    );
    assert!(looked_at > 100_000, "logs, databases, write-ahead files, backups: {looked_at} bytes");
    no_core_below(run.home.path());
}

/// A command that people type something into.
fn given(command: &mut Command, lines: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The numbers 0 to 98, each hashed, and of the hash's first byte the face.
const ROLLS: &str =
    "663146423232642344156416346266325134531642236422333465635333454355521242412421531632312422465366456";

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

fn nothing_on_wires(secrets: &Canaries, wires: &[Relay]) -> usize {
    let mut searched = 0;
    for (wire, least) in wires.iter().zip([10_000, 500, 500, 500]) {
        let heard = wire.heard();
        let bytes: usize = heard.iter().map(Vec::len).sum();
        assert!(bytes > least, "something was said to {}: {bytes} bytes", wire.address());
        for direction in heard {
            assert_eq!(secrets.found_in(&direction), BTreeSet::new(), "at {}", wire.address());
        }
        searched += bytes;
    }
    searched
}

/// The crash left no core file, on a machine where a program without secrets leaves one.
fn no_core_below(home: &Path) {
    let cores = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("core")).collect::<Vec<_>>()
    };
    assert_eq!(cores(home), Vec::<String>::new());
    let other = tempfile::tempdir().unwrap();
    let crash = ["-c", "ulimit -c unlimited; kill -ABRT $$"];
    let _ = Command::new("sh").args(crash).current_dir(other.path()).status().unwrap();
    if cores(other.path()).is_empty() {
        println!("SKIPPED: this machine writes no core files where programs run");
    }
}

/// Arguments and environment of all of them; the memory of those that are not the enclave, whose own pages
/// the enclave's tests search.
fn nothing_in_processes(secrets: &Canaries, root: u32) -> usize {
    let mut searched = 0;
    let family = family(root);
    assert!(family.len() > 1, "the enclave is a process of its own");
    for pid in family {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            assert_eq!(secrets.found_in(&bytes), BTreeSet::new(), "{file} of {pid}");
        }
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if arguments.split(|byte| *byte == 0).any(|word| word == b"enclave") {
            continue;
        }
        searched += memory(pid, |bytes| {
            assert_eq!(secrets.found_in(bytes), BTreeSet::new(), "memory of {pid}");
        });
        searched += nothing_in_a_dump(secrets, pid);
    }
    assert!(searched > 1_000_000, "node and coordinator were read: {searched} bytes");
    searched
}

/// What a debugger writes down: memory, registers, notes.
fn nothing_in_a_dump(secrets: &Canaries, pid: u32) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut gcore = Command::new("gcore");
    gcore.arg("-o").arg(folder.path().join("core")).arg(pid.to_string());
    match gcore.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        other => {
            println!("SKIPPED: no debugger may write down process {pid}: {other:?}");
            return 0;
        }
    }
    let dump = fs::read(folder.path().join(format!("core.{pid}"))).unwrap();
    assert!(dump.len() > 1_000_000, "a whole process: {} bytes", dump.len());
    assert_eq!(secrets.found_in(&dump), BTreeSet::new(), "a core dump of {pid}");
    dump.len()
}

/// A process and all that it started.
fn family(root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
        }
        at += 1;
    }
    all
}

fn loopback() -> String {
    format!("127.0.0.1:{}", free_port())
}

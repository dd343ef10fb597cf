//! A cluster founded over eight machines, each a folder of its own: only public files go from one to another.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keystead_base::Canonical as _;
use keystead_keys::{KeyFile, MemberKeyFile};
use keystead_tests::canary::Canaries;
use keystead_tests::{Anvil, Service, binary, free_port};
use serde_json::{Value, json};

use crate::desk::{EXCHANGE, call_at, json as parsed, path};
use crate::softhsm::{make_log_token, module};

const NODES: [&str; 4] = ["node-1", "node-2", "node-3", "node-4"];
const FOUNDERS: [&str; 3] = ["ana", "ben", "cleo"];
const SERVICE: &str = "desk";

fn members() -> impl Iterator<Item = &'static str> {
    NODES.into_iter().chain(FOUNDERS).chain([SERVICE])
}

/// Eight machines, and the table on which public files lie.
struct Hall {
    home: tempfile::TempDir,
    said: Vec<u8>,
}

impl Hall {
    fn open() -> Self {
        let home = tempfile::Builder::new().prefix("keystead-hall-").tempdir().unwrap();
        std::fs::create_dir(home.path().join("table")).unwrap();
        Self { home, said: Vec::new() }
    }

    fn machine(&self, who: &str) -> PathBuf {
        self.home.path().join(who)
    }

    fn table(&self, file: &str) -> String {
        path(&self.home.path().join("table").join(file)).to_owned()
    }

    fn run(&mut self, arguments: &[&str]) -> Output {
        let output = Command::new(binary("keystead")).arg("--json").args(arguments).output().unwrap();
        self.said.extend_from_slice(&output.stdout);
        self.said.extend_from_slice(&output.stderr);
        output
    }

    fn ok(&mut self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        parsed(&output)
    }

    /// The words of an error with this code.
    fn refused(&mut self, arguments: &[&str], code: &str) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], code, "{arguments:?}: {error}");
        assert!(!error["error"]["next"].as_str().unwrap().is_empty(), "{error}");
        error["error"]["what"].as_str().unwrap().to_owned()
    }

    /// Makes a member's keys on its machine, and lays its contribution on the table.
    fn join(&mut self, who: &str, rest: &[&str]) {
        let machine = self.machine(who);
        let start = ["ceremony", "join", path(&machine), who, "--cluster", "treasury"];
        self.ok(&[&start, rest].concat());
        self.lay(who, &format!("{who}.contribution"));
    }

    fn join_node(&mut self, who: &str, rest: &[&str]) {
        let address = format!("127.0.0.1:{}", free_port());
        let (operator, host) = (format!("Operator of {who}"), format!("rack of {who}"));
        let labels = ["--operator", &operator, "--host", &host, "--provider", who];
        self.join(who, &[&["--part", "node", "--address", &address], &labels[..], rest].concat());
    }

    fn join_all(&mut self) {
        NODES.iter().for_each(|who| self.join_node(who, &[]));
        FOUNDERS.iter().for_each(|who| self.join(who, &["--part", "founder"]));
        self.join(SERVICE, &["--part", "service"]);
    }

    /// A public file goes from a machine to the table.
    fn lay(&self, who: &str, file: &str) {
        std::fs::copy(self.machine(who).join(file), self.table(file)).unwrap();
    }

    fn contributions(&self) -> Vec<String> {
        members().map(|who| self.table(&format!("{who}.contribution"))).collect()
    }

    fn draft(&mut self, contributions: &[String], out: &str) -> Value {
        let (allow, out) = (format!("exchange={EXCHANGE}"), self.table(out));
        let mut arguments =
            vec!["ceremony", "draft", "--cluster", "treasury", "--allow", &allow, "--out", &out];
        arguments.extend(contributions.iter().map(String::as_str));
        self.ok(&arguments)
    }

    /// What a member reads on its own machine.
    fn show(&mut self, who: &str, file: &str) -> Value {
        let (machine, file) = (self.machine(who), self.table(file));
        self.ok(&["ceremony", "show", &file, "--dir", path(&machine)])
    }

    fn sign(&mut self, who: &str, draft: &str, heard: &str) {
        let (machine, draft) = (self.machine(who), self.table(draft));
        self.ok(&["ceremony", "sign", &draft, "--dir", path(&machine), "--fingerprint", heard]);
        self.lay(who, &format!("{who}.assent"));
    }

    fn not_signed(&mut self, who: &str, draft: &str, heard: &str, code: &str) -> String {
        let (machine, draft) = (self.machine(who), self.table(draft));
        let words = self
            .refused(&["ceremony", "sign", &draft, "--dir", path(&machine), "--fingerprint", heard], code);
        assert!(!machine.join(format!("{who}.assent")).exists(), "a refused draft leaves no signature");
        words
    }

    fn finish(&self, who: impl Iterator<Item = &'static str>, draft: &str, out: &str) -> Vec<String> {
        let start = ["ceremony", "finish"].map(str::to_owned).into_iter();
        let signatures = who.map(|who| self.table(&format!("{who}.assent")));
        let out = ["--out".to_owned(), self.table(out)];
        start.chain([self.table(draft)]).chain(signatures).chain(out).collect()
    }

    /// Everything that a member must never let out of its machine.
    fn secrets(&self) -> Canaries {
        let mut canaries = Canaries::default();
        for who in members() {
            let folder = self.machine(who).join("members");
            let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
            let passphrase = read(&format!("{who}.passphrase"));
            canaries.add(&format!("the passphrase of {who}"), passphrase.trim_ascii());
            if folder.join("vault.passphrase").exists() {
                canaries.add(&format!("the vault of {who}"), read("vault.passphrase").trim_ascii());
            }
            let file = MemberKeyFile::from_document(&read(&format!("{who}.key"))).unwrap();
            let key = file.open(passphrase.trim_ascii()).unwrap();
            canaries.add(&format!("{who}'s transport key"), key.transport_seed().expose());
        }
        canaries
    }
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// The whole of it: eight folders, four nodes and a coordinator as processes, a key with a home, one payment.
#[test]
fn s13_a_cluster_is_founded_over_eight_machines_and_signs() {
    let mut hall = Hall::open();
    hall.join_all();
    let contributions = hall.contributions();
    let drafted = hall.draft(&contributions, "draft");
    let fingerprint = drafted["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!((&drafted["quorum"], &drafted["withstands"]["lying"]), (&json!(3), &json!(1)));
    for who in members() {
        let shown = hall.show(who, "draft");
        assert_eq!(shown["own"], json!({"name": who, "holds": true}));
        assert_eq!(shown["fingerprint"], fingerprint.as_str());
        hall.sign(who, "draft", &fingerprint);
    }
    let early = hall.finish(members().filter(|who| !["ben", "node-3"].contains(who)), "draft", "bundle");
    assert_eq!(hall.refused(&strs(&early), "ceremony.missing"), "not signed yet by `ben`, `node-3`");
    let all = hall.finish(members(), "draft", "bundle");
    assert_eq!(hall.ok(&strs(&all))["signed"].as_array().unwrap().len(), 8);

    let secrets = hall.secrets();
    let (found, looked_at) = secrets.found_below(&hall.home.path().join("table"), &|_| false);
    assert_eq!(found, Vec::<String>::new(), "k1: what travels is public");
    assert!(looked_at > 100_000, "{looked_at} bytes on the table");
    assert!(secrets.found_in(&hall.said).is_empty(), "k1: no command says a secret");
    Running::start(hall).pays();
}

/// The cluster after the ceremony.
struct Running {
    hall: Hall,
    anvil: Anvil,
    url: String,
    _parts: Vec<Service>,
}

impl Running {
    fn start(mut hall: Hall) -> Self {
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        let (bundle, endpoint) = (hall.table("bundle"), anvil.url());
        let mut parts = Vec::new();
        for who in members() {
            let machine = hall.machine(who);
            let install = ["ceremony", "install", &bundle, "--dir", path(&machine)];
            match who {
                _ if NODES.contains(&who) => {
                    hall.ok(&[&install[..], &["--endpoint", &endpoint, "--confirmations", "1"]].concat());
                    parts.push(serve(&["node", "--dir", path(&machine)]));
                }
                SERVICE => drop(
                    hall.ok(&[&install[..], &["--endpoint", &endpoint, "--listen", "127.0.0.1:0"]].concat()),
                ),
                _ => drop(hall.ok(&install)),
            }
            hall.refused(&install, "ceremony.installed");
        }
        let desk = serve(&["serve", "--dir", path(&hall.machine(SERVICE))]);
        let ready: Value = serde_json::from_str(desk.ready_line()).unwrap();
        let url = ready["ready"]["coordinator"].as_str().unwrap().to_owned();
        parts.push(desk);
        Self { hall, anvil, url, _parts: parts }
    }

    fn person(&mut self, who: &str, arguments: &[&str]) -> Output {
        let machine = self.hall.machine(who);
        self.hall.run(&[&["--dir", path(&machine)], arguments].concat())
    }

    fn ask(&mut self, who: &str, arguments: &[&str]) -> Value {
        // What follows a decision at once is asked for again until it is there.
        let tries = (0..200).map(|_| self.person(who, arguments)).collect::<LastOf>();
        tries.answer(arguments)
    }

    /// Ana asks, Ben and Cleo approve, each on a machine of their own.
    fn approved(&mut self, arguments: &[&str]) {
        let asked = self.ask("ana", arguments);
        let id = asked["request"]["request"].as_str().unwrap().to_owned();
        ["ben", "cleo"].iter().for_each(|who| drop(self.ask(who, &["approve", &id, "--yes"])));
    }

    fn pays(mut self) {
        self.approved(&["key", "create", "hot", "--home", "node-2"]);
        self.approved(&["key", "backup", "hot", "--to", "ana,ben"]);
        let drilled = self.ask("ana", &["key", "drill", "hot"]);
        let account = drilled["key"]["address"].as_str().unwrap().to_owned();
        call_at(&self.anvil.url(), "anvil_setBalance", json!([account, "0x3635c9adc5dea00000"]));
        let payment =
            json!([{"from": account, "to": EXCHANGE, "value": "0x2386f26fc10000", "gas": "0x5208"}]);
        let before = self.balance();
        let answer = call_at(&self.url, "eth_sendTransaction", payment);
        assert!(answer["result"].is_string(), "{answer}");
        // The chain answers before its block is there.
        let after = std::iter::repeat_with(|| self.balance()).find(|it| *it != before);
        assert_eq!(after, Some(before + 10_000_000_000_000_000));
        let status = self.ask("cleo", &["status"]);
        assert_eq!(status["status"]["withstands"], json!({"lying": 1, "down": 1}));
        assert_eq!(status["status"]["keys"][0]["state"], "active");
    }

    fn balance(&self) -> u128 {
        let balance = call_at(&self.anvil.url(), "eth_getBalance", json!([EXCHANGE, "latest"]));
        u128::from_str_radix(balance["result"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }
}

/// The first answer that is one, or the last that is none.
struct LastOf(Option<Output>);

impl FromIterator<Output> for LastOf {
    fn from_iter<T: IntoIterator<Item = Output>>(outputs: T) -> Self {
        let mut last = None;
        for output in outputs {
            let done = output.status.success();
            last = Some(output);
            if done {
                break;
            }
        }
        Self(last)
    }
}

impl LastOf {
    fn answer(self, arguments: &[&str]) -> Value {
        let output = self.0.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        parsed(&output)
    }
}

fn serve(arguments: &[&str]) -> Service {
    let scratch = tempfile::Builder::new().prefix("keystead-part-").tempdir().unwrap().keep();
    let program = binary("keystead");
    Service::start(&scratch, &[&[path(&program), "--json"], arguments].concat(), "ready")
}

/// The narrowest ceremony: one node, three founders, and the node's key is half in a token of its machine.
#[test]
fn a06_a_node_joins_a_ceremony_with_half_of_its_key_in_a_token_and_votes() {
    let Some(module) = module() else {
        println!("SKIPPED: no SoftHSM 2 here (apt-get install softhsm2)");
        return;
    };
    let mut hall = Hall::open();
    let token = make_log_token(hall.home.path(), &module);
    hall.join_node("node-1", &["--node-token", path(&token)]);
    FOUNDERS.iter().for_each(|who| hall.join(who, &["--part", "founder"]));
    let key = std::fs::read(hall.machine("node-1").join("members/node-1.key")).unwrap();
    assert!(matches!(KeyFile::from_document(&key).unwrap(), KeyFile::BesideToken(_)), "form 2");

    let who = || FOUNDERS.into_iter().chain(["node-1"]);
    let contributions: Vec<_> = who().map(|it| hall.table(&format!("{it}.contribution"))).collect();
    let drafted = hall.draft(&contributions, "draft");
    let fingerprint = drafted["fingerprint"].as_str().unwrap().to_owned();
    who().for_each(|it| hall.sign(it, "draft", &fingerprint));
    let all = hall.finish(who(), "draft", "bundle");
    hall.ok(&strs(&all));
    let (bundle, machine) = (hall.table("bundle"), hall.machine("node-1"));
    for it in ["node-1", "ana"] {
        let machine = hall.machine(it);
        hall.ok(&["ceremony", "install", &bundle, "--dir", path(&machine)]);
    }
    let _node = serve(&["node", "--dir", path(&machine)]);
    let founder = hall.machine("ana");
    let mut ask = |arguments: &[&str]| hall.ok(&[&["--dir", path(&founder)], arguments].concat());
    let before = ask(&["status"])["status"].clone();
    assert_eq!((&before["standing"], &before["tokens"][0]["group"]), (&"votes".into(), &"log-key".into()));
    // By this one's vote: there is no other.
    ask(&["freeze"]);
    let height = ask(&["status"])["status"]["height"].as_u64().unwrap();
    assert!(height > before["height"].as_u64().unwrap(), "{height}");
}

#[test]
fn s13_an_assembler_that_swaps_a_node_cannot_finish() {
    swapped("node-2");
}

/// As on Ronin: whoever puts the files together brings a founder of their own.
#[test]
fn s13_an_assembler_that_swaps_a_founder_cannot_finish() {
    swapped("ben");
}

/// The assembler has the table, and keys of its own under the victim's name.
fn swapped(victim: &'static str) {
    let mut hall = Hall::open();
    hall.join_all();
    let honest = hall.draft(&hall.contributions(), "honest")["fingerprint"].as_str().unwrap().to_owned();
    let mut thief = Hall::open();
    match NODES.contains(&victim) {
        true => thief.join_node(victim, &[]),
        false => thief.join(victim, &["--part", "founder"]),
    }
    let theirs =
        |who: &str, it: String| if who == victim { thief.table(&format!("{who}.contribution")) } else { it };
    let contributions: Vec<String> =
        members().zip(hall.contributions()).map(|(who, it)| theirs(who, it)).collect();
    let forged = hall.draft(&contributions, "forged")["fingerprint"].as_str().unwrap().to_owned();

    // The victim's own machine says so, and signs only what holds its key.
    let (machine, draft) = (hall.machine(victim), hall.table("forged"));
    let shown = hall.run(&["ceremony", "show", &draft, "--dir", path(&machine)]);
    assert_eq!(shown.status.code(), Some(2), "{shown:?}");
    assert!(parsed(&shown)["dangers"][0].as_str().unwrap().contains("NOT in it"), "{shown:?}");
    let words = hall.not_signed(victim, "forged", &forged, "ceremony.not_mine");
    assert!(words.contains("found another under that name"), "{words}");
    hall.sign(victim, "honest", &honest);
    // The others compare with what the victim reads out.
    for who in members().filter(|who| *who != victim) {
        hall.not_signed(who, "forged", &honest, "ceremony.fingerprint");
    }
    // With the thief's own signature the assembler has one of eight; the victim's is for another transcript.
    std::fs::copy(hall.table("forged"), thief.table("forged")).unwrap();
    thief.sign(victim, "forged", &forged);
    let alone =
        ["ceremony", "finish", &draft, &thief.table(&format!("{victim}.assent")), "--out", &thief.table("b")]
            .map(str::to_owned);
    let missing = hall.refused(&strs(&alone), "ceremony.missing");
    assert!(missing.contains("ana") || missing.contains("cleo"), "{missing}");
    let mixed = hall.finish([victim].into_iter(), "forged", "bundle");
    hall.refused(&strs(&mixed), "ceremony.other_transcript");
}

/// Mistakes and small frauds, each with its code; nothing is signed or written.
#[test]
fn each_refusal_of_the_ceremony_has_a_code_and_a_way_on() {
    let mut hall = Hall::open();
    hall.join_all();
    let used = hall.machine("ana");
    let again = ["ceremony", "join", path(&used), "ana", "--cluster", "treasury", "--part", "founder"];
    hall.refused(&again, "ceremony.folder");
    let bare = path(&hall.machine("bare")).to_owned();
    hall.refused(&["ceremony", "join", &bare, "n", "--cluster", "c", "--part", "node"], "cli.usage");
    drafts_are_refused(&mut hall);

    let fingerprint = hall.draft(&hall.contributions(), "draft")["fingerprint"].as_str().unwrap().to_owned();
    let draft = hall.table("draft");
    hall.refused(&["ceremony", "sign", &draft, "--dir", path(&used)], "ceremony.unheard");
    hall.refused(
        &["ceremony", "sign", &draft, "--dir", "/nowhere", "--fingerprint", &fingerprint],
        "cli.file",
    );
    let heard = "0".repeat(64);
    hall.not_signed("ana", "draft", &heard, "ceremony.fingerprint");
    // Groups of four, as people read them out.
    let grouped: Vec<&str> = (0..16).map(|at| &fingerprint[at * 4..at * 4 + 4]).collect();
    hall.sign("ana", "draft", &grouped.join(" "));
    a_member_signs_once(&mut hall, &fingerprint);
    bundles_are_refused(&mut hall, &fingerprint);
}

fn drafts_are_refused(hall: &mut Hall) {
    let all = hall.contributions();
    let other = hall.machine("other");
    hall.ok(&["ceremony", "join", path(&other), "zoe", "--cluster", "vault", "--part", "founder"]);
    let stray = path(&other.join("zoe.contribution")).to_owned();
    let altered = hall.table("altered.contribution");
    let mut bytes = std::fs::read(&all[0]).unwrap();
    let at = bytes.windows(8).position(|it| it == b"Operator").unwrap();
    bytes[at] = b'o';
    std::fs::write(&altered, bytes).unwrap();
    for (contributions, code) in [
        ([&all[..], &[stray]].concat(), "ceremony.other"),
        ([&all[..], &all[..1]].concat(), "ceremony.shared"),
        ([&all[1..], &[altered]].concat(), "ceremony.contribution"),
        (all[2..].to_vec(), "ceremony.nodes"),
        ([&all[..4], &all[5..]].concat(), "ceremony.founders"),
        (vec![path(&hall.machine("ana").join("members/ana.key")).to_owned()], "canon.domain"),
    ] {
        let out = hall.table("refused");
        let start = ["ceremony", "draft", "--cluster", "treasury", "--out", &out];
        hall.refused(&[&start[..], &strs(&contributions)].concat(), code);
        assert!(!Path::new(&out).exists(), "{code}");
    }
}

fn a_member_signs_once(hall: &mut Hall, fingerprint: &str) {
    let first = std::fs::read(hall.table("ana.assent")).unwrap();
    hall.sign("ana", "draft", fingerprint);
    assert_eq!(std::fs::read(hall.table("ana.assent")).unwrap(), first, "signing again gives the same file");
    let (machine, draft, wrong) = (hall.machine("ana"), hall.table("draft"), "0".repeat(64));
    let sign = ["ceremony", "sign", &draft, "--dir", path(&machine), "--fingerprint", &wrong];
    hall.refused(&sign, "ceremony.fingerprint");
    let second = hall.draft(&hall.contributions(), "second")["fingerprint"].as_str().unwrap().to_owned();
    let draft = hall.table("second");
    hall.refused(
        &["ceremony", "sign", &draft, "--dir", path(&machine), "--fingerprint", &second],
        "ceremony.signed",
    );
}

fn bundles_are_refused(hall: &mut Hall, fingerprint: &str) {
    members().skip(1).for_each(|who| hall.sign(who, "draft", fingerprint));
    let all = hall.finish(members().skip(1), "draft", "bundle");
    hall.refused(&strs(&all), "ceremony.missing");
    hall.sign("node-1", "draft", fingerprint);
    let all = hall.finish(members(), "draft", "bundle");
    hall.ok(&strs(&all));
    hall.refused(&strs(&all), "ceremony.folder");
    let bundle = hall.table("bundle");
    let machine = hall.machine("cleo");
    let install = ["ceremony", "install", &bundle, "--dir", path(&machine)];
    std::fs::rename(machine.join("cleo.assent"), machine.join("kept")).unwrap();
    hall.refused(&install, "ceremony.unsigned");
    std::fs::rename(machine.join("kept"), machine.join("cleo.assent")).unwrap();
    let genesis = Path::new(&bundle).join("genesis");
    let sound = std::fs::read(&genesis).unwrap();
    let mut other = sound.clone();
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(&genesis, other).unwrap();
    hall.refused(&install, "ceremony.bundle");
    std::fs::write(&genesis, sound).unwrap();
    hall.ok(&install);
    let desk = hall.machine("desk");
    let elsewhere = ["ceremony", "install", &bundle, "--dir", path(&desk), "--chain", "5"];
    hall.refused(&elsewhere, "cli.usage");
}

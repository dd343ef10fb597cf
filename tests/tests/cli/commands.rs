//! Every command of `keystead --help`, run for real: exit code and shape of its JSON, on one cluster.

use std::path::Path;
use std::process::Command;

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{TxKind, U256};
use keystead_tests::{Service, binary};
use serde_json::{Value, json};

use crate::desk::{Desk, EXCHANGE, STRANGER, cast, loopback, path, succeeds};
use crate::help::leaves;
use crate::script::{Script, fails, no, ok};

#[test]
fn every_command_runs_on_real_parts() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    let mut script = Script::new(&desk.folder);
    script.set("tmp", path(home.path()));
    script.set("exchange", EXCHANGE);
    script.set("stranger", STRANGER);
    script.set("url", &desk.url);
    script.set("account", &desk.account);
    looks(&mut script);
    seeds(&mut script, home.path());
    requests(&mut script, &desk, home.path());
    crate::exposure::an_account(&mut script);
    replacements(&mut script, &desk);
    people_say_no(&mut script);
    freezes(&mut script);
    policies(&mut script, &desk, home.path());
    rosters(&mut script, home.path());
    crate::device::each_command(&mut script);
    keys_leave(&mut script, home.path());
    audits(&mut script, &desk, home.path());
    key_restored(&mut script);
    folders(&mut script, home.path());
    crate::bitcoin::each_command(&mut script, home.path());
    solana(&mut script);
    crate::near::each_command(&mut script);
    tokens(&mut script, &desk);
    crate::life::each_command(&mut script, home.path());
    let missing: Vec<_> = leaves().difference(script.ran()).collect();
    assert!(missing.is_empty(), "no end-to-end test runs these commands: {missing:?}");
}

/// A whole key signs nothing of Solana's; what does, `--test node` shows.
fn solana(script: &mut Script) {
    script.play([
        ok("ana", "solana destination 7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv --cluster devnet").has("/id", "0xf663d3a1"),
        fails("ana", "solana inspect {tmp}/nothing --account 7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv --cluster devnet", "cli.file"),
        fails("ana", "request solana {tmp}/nothing --key hot --cluster devnet", "cli.file"),
        fails(
            "ana",
            "request solana-transfer --key hot --cluster devnet --to 7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv --lamports 5 --blockhash 7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv",
            "solana.no_address",
        ),
    ]);
}

/// The last ones: a configuration that names tokens has nobody forward calls to the chain for nothing.
fn tokens(script: &mut Script, desk: &Desk) {
    script.play([fails("ana", "token list", "config.tokens")]);
    let file = desk.folder.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[coordinator]\n", "[coordinator]\ntokens = \"tokens.json\"\n");
    std::fs::write(&file, text).unwrap();
    script.play([
        ok("ana", "token list").has("/tokens", "[]"),
        ok("ana", "token create ci --scope read,request --key hot --days 2")
            .has("/token", "kst_")
            .has("/record/scopes", "request"),
        fails("ana", "token create ci --scope read", "coordinator.tokens"),
        fails("ana", "token create wallet --scope rpc --key hot", "coordinator.tokens"),
        ok("ana", "token list").has("/tokens/0/name", "ci"),
        ok("ana", "token revoke ci").has("/revoked", "ci"),
        fails("ana", "token revoke ci", "cli.usage"),
    ]);
    aligned(&script.text("ana", "token list"));
}

fn looks(script: &mut Script) {
    script.play([
        ok("ana", "status").has("/status/nodes", "1").has("/status/keys/0/name", "hot").has("/open", "[]"),
        ok("ana", "vault").has("/protections/0/name", "").has("/keys/0/state", "active"),
        ok("ana", "key list").has("/keys/0/address", "0x"),
        ok("ana", "approver new dora").has("/name", "dora").has("/recipient", ""),
        fails("ana", "approver new dora", "cli.file"),
        ok("ana", "approver show dora").has("/name", "dora"),
        ok("ben", "approver inbox").has("/open", "[]"),
        ok("ben", "request list").has("/open", "[]"),
        ok("ana", "completions zsh").has("/script", "keystead"),
    ]);
    for line in ["status", "vault", "key list"] {
        aligned(&script.text("ana", line));
    }
}

fn seeds(script: &mut Script, home: &Path) {
    let counted = keystead_keys::Mnemonic::from_entropy(&[0x7f; 32]).unwrap().words();
    std::fs::write(home.join("counted"), counted.expose()).unwrap();
    script.play([
        fails("ana", "entropy dice --out {tmp}", "cli.usage"),
        fails("ana", "entropy coins --out {tmp}", "cli.usage"),
        fails("ana", "entropy roll hot --data {tmp}/nothing", "cli.usage"),
        fails("ana", "entropy open {tmp}/nothing --out {tmp}/openings", "cli.file"),
        fails("ana", "entropy check {tmp}/nothing", "cli.file"),
        no("ana", "entropy check {tmp}/counted").has("/weak", "it counts"),
    ]);
}

/// The columns of a table begin where those of its neighbors do: no cell is ragged.
pub(crate) fn aligned(text: &str) {
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    assert!(!text.contains('\t'), "{text}");
}

fn requests(script: &mut Script, desk: &Desk, home: &Path) {
    let typed = json!({
        "types": {"EIP712Domain": [{"name": "chainId", "type": "uint256"}], "Note": [{"name": "text", "type": "string"}]},
        "primaryType": "Note", "domain": {"chainId": 31337}, "message": {"text": "x"},
    });
    std::fs::write(home.join("note.json"), typed.to_string()).unwrap();
    script.play([
        ok("ana", "request transfer --key hot --to {exchange} --wei 1000")
            .has("/request/stage", "signed")
            .has("/sent", "0x")
            .keep("paid", "/request/request"),
        no("ana", "request transfer --key hot --to {stranger} --wei 5")
            .has("/request/stage", "denied")
            .has("/request/decision/outcome/deny/reasons", "destination_unknown")
            .keep("refused", "/request/request"),
        ok("ana", "request call --key hot --to {exchange} --value 7").has("/sent", "0x"),
        no("ana", "request call --key hot --to {stranger} --data 0x12345678").has("/request/stage", "denied"),
        no("ana", "request typed-data --key hot --file {tmp}/note.json").has("/request/stage", "denied"),
        ok("ana", "request message --key hot 'we own this'")
            .has("/request/stage", "signed")
            .keep("signature", "/request/signed/raw"),
        ok("ben", "request show {paid}").has("/words/0", "TRANSFER").has("/detail/view/stage", ""),
        no("ana", "request transfer --key hot --to {exchange} --wei 19000000000000000000 --no-send"),
    ]);
    let verify = ["wallet", "verify", "--address", &desk.account, "we own this", script.get("signature")];
    succeeds(cast().args(verify));
    raw_bytes(script, desk);
    let words = script.text("ana", "request transfer --key hot --to {exchange} --wei 11000000000000000000");
    assert!(words.contains("holds at most 10 ETH (10000000000000000000 wei)"), "{words}");
    let words = script.text("ben", "request show {paid}");
    let own = format!("go from our own account hot/0 ({})", desk.account);
    assert!(words.to_lowercase().contains(&own.to_lowercase()), "{words}");
}

/// A transaction that somebody else built: signed as it is, and sent afterwards.
fn raw_bytes(script: &mut Script, desk: &Desk) {
    let transaction = TxEip1559 {
        chain_id: 31337,
        nonce: nonce(desk),
        gas_limit: 21_000,
        max_fee_per_gas: 5_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(EXCHANGE.parse().unwrap()),
        value: U256::from(9),
        ..TxEip1559::default()
    };
    script.set("preimage", const_hex::encode_prefixed(transaction.encoded_for_signing()));
    script.play([
        ok("ana", "request raw --key hot --preimage {preimage}")
            .has("/request/stage", "signed")
            .has("/sent", "null")
            .keep("raw", "/request/request"),
        ok("ana", "request send {raw}").keep("sent", "/sent"),
        fails("ana", "request send {refused}", "request.unsigned"),
    ]);
    mined(desk, script.get("sent"));
}

/// Behind a gap two transactions are stuck; each gets another one into its place.
fn replacements(script: &mut Script, desk: &Desk) {
    let first = nonce(desk);
    script.set("gap", first.to_string());
    script.set("second", (first + 1).to_string());
    script.set("third", (first + 2).to_string());
    script.play([
        ok("ana", "request transfer --key hot --to {exchange} --wei 21 --nonce {second}")
            .keep("b", "/request/request")
            .keep("b-sent", "/sent"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 22 --nonce {third}")
            .keep("c", "/request/request"),
        ok("ana", "request replace {b}").has("/request/stage", "signed").keep("dearer", "/sent"),
        ok("ana", "request replace {c} --cancel").has("/request/stage", "signed").keep("cancel", "/sent"),
        no("ana", "request replace {b}").has("/request/decision/outcome/deny/reasons", "not_replacing"),
        fails("ana", "request replace {raw} --max-fee 9", "replace.raw"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 20 --nonce {gap}").has("/sent", "0x"),
    ]);
    mined(desk, script.get("dearer"));
    mined(desk, script.get("cancel"));
    let gone =
        crate::desk::call_at(&desk.anvil.url(), "eth_getTransactionReceipt", json!([script.get("b-sent")]));
    assert!(gone["result"].is_null(), "{gone}");
    for replaced in ["b", "c"] {
        let line = format!("request show {{{replaced}}}");
        let stage = || script.answer("ana", &line)["detail"]["view"]["stage"].clone();
        assert!((0..500).any(|_| stage() == "dead"), "{replaced} is {}", stage());
    }
}

fn people_say_no(script: &mut Script) {
    script.play([
        ok("ana", "request transfer --key hot --to {exchange} --wei 2000000000000000000 --no-send")
            .has("/request/stage", "waiting")
            .keep("two", "/request/request"),
        ok("ana", "request list").has("/open/0/request", "{two}"),
        ok("ben", "approver inbox").has("/open/0/words/0", "TRANSFER"),
        ok("cleo", "veto {two}").has("/decisions/0/outcome", "vetoed"),
        ok("ana", "request show {two}").has("/detail/view/stage", "denied"),
        fails("cleo", "veto {two}", "approval.refused"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 2000000000000000000 --no-send")
            .keep("three", "/request/request"),
        ok("ben", "reject {three} --yes").has("/stage", "denied"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 2000000000000000000")
            .keep("four", "/request/request"),
        fails("ana", "approve {four} --yes", "approval.refused"),
        ok("ben", "--through {url} approve {four} --yes").has("/class", "transfer").has("/digest", ""),
        ok("cleo", "approve {four} --yes").has("/stage", "signed"),
        ok("ana", "request send {four}").has("/sent", "0x"),
    ]);
}

fn freezes(script: &mut Script) {
    script.play([
        ok("ana", "freeze --key hot").has("/decisions/0/outcome", "frozen"),
        ok("ana", "key list").has("/keys/0/frozen", "true"),
        no("ana", "request transfer --key hot --to {exchange} --wei 5")
            .has("/request/decision/outcome", "frozen"),
        ok("ana", "thaw --key hot").has("/request/stage", "waiting").keep("thaw", "/request/request"),
        ok("ben", "approve {thaw} --yes").has("/class", "authority"),
        ok("cleo", "approve {thaw} --yes").has("/stage", "applied"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 5").has("/request/stage", "signed"),
        ok("ana", "key suspend hot").keep("suspend", "/request/request"),
        ok("ben", "approve {suspend} --yes").has("/class", "authority"),
        ok("cleo", "approve {suspend} --yes").has("/stage", "applied"),
        ok("ana", "key list").has("/keys/0/state", "suspended"),
        no("ana", "request transfer --key hot --to {exchange} --wei 5").has("/request/stage", "denied"),
        no("ana", "key destroy hot").has("/request/stage", "denied"),
        ok("ana", "key resume hot").keep("resume", "/request/request"),
        ok("ben", "approve {resume} --yes").has("/class", "authority"),
        ok("cleo", "approve {resume} --yes").has("/stage", "applied"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 5").has("/request/stage", "signed"),
    ]);
}

fn policies(script: &mut Script, desk: &Desk, home: &Path) {
    let described = crate::descriptors::own(script, desk, home);
    let shown = script.step(&ok("ana", "policy show").has("/number", "0"));
    let mut next = shown.clone();
    let mut entry = next["address_book"][0].clone();
    entry["address"] = STRANGER.to_lowercase().into();
    entry["name"] = "partner".into();
    next["address_book"].as_array_mut().unwrap().push(entry);
    next["contracts"].as_array_mut().unwrap().push(described);
    write(&home.join("next.json"), &next);
    let mut broken = shown.clone();
    broken["rules"][0]["cedar"] = "permit(principal, action, resource) when { context.nothing };".into();
    write(&home.join("broken.json"), &broken);
    write(&home.join("shape.json"), &json!({"number": 0}));
    let detail = script.step(&ok("ana", "request show {refused}"));
    let mut intent = detail["detail"]["intent"].clone();
    intent["action"]["transfer"]["amount"] = "12000000000000000000".into();
    write(&home.join("intent.json"), &intent);
    crate::proofs::of_a_version(script, home);
    script.play([
        ok("ana", "policy check {tmp}/next.json").has("/compiles", "true"),
        ok("ana", "policy check {tmp}/next.json --last 100")
            .has("/differences", "would PASS")
            .has("/tried", ""),
        ok("ana", "policy check {tmp}/next.json --request {refused}")
            .has("/ruling", "pass")
            .has("/words/0", "TRANSFER"),
        ok("ana", "policy check {tmp}/next.json --request {tmp}/intent.json").has("/reasons", "10 ETH"),
        fails("ana", "policy check {tmp}/shape.json", "policy.json"),
        fails("ana", "policy check {tmp}/missing.json", "cli.file"),
        ok("ana", "policy propose {tmp}/next.json")
            .has("/sections", "address_book")
            .has("/direction/label", "neither")
            .keep("next", "/request/request"),
        no("ana", "policy activate {next} --wait 0").has("/request/stage", "waiting"),
        ok("ben", "policy approve {next} --yes")
            .has("/words/0", "CHANGE OF AUTHORITY")
            .has("/direction/label", "neither"),
        ok("cleo", "policy approve {next} --yes"),
        ok("ana", "policy activate {next}").has("/request/stage", "applied"),
        ok("ana", "policy show").has("/number", "1"),
        ok("ana", "policy show --number 0").has("/number", "0"),
        ok("ana", "request transfer --key hot --to {stranger} --wei 5").has("/request/stage", "signed"),
        no("ana", "request call --key hot --to {described} --data {act} --no-send")
            .keep("act", "/request/request"),
        ok("ben", "request show {act}").has("/words", "> Act with 7").has("/words", "not understood"),
    ]);
    let refused = script.step(&fails("ana", "policy check {tmp}/broken.json", "policy."));
    assert!(refused["error"]["what"].as_str().unwrap().contains("authority"), "the rule is named: {refused}");
    assert!(script.text("ana", "policy show").contains("10 ETH (10000000000000000000 wei) in 1 day"));
    let table = script.text("ana", "policy check {tmp}/next.json --last 3");
    assert!(table.contains("version 0 compiles"), "{table}");
}

/// Asked for and refused by others: this cluster stays what it is.
fn rosters(script: &mut Script, home: &Path) {
    for (line, file) in [
        ("approver new node-2", "two.json"),
        ("approver new node-3", "three.json"),
        ("approver new node-4", "four.json"),
    ] {
        let public = script.step(&ok("ana", line));
        write(&home.join(file), &public);
    }
    script.play([
        ok("ana", "roster show").has("/nodes/0/name", "node-1").has("/withstands", "1 of 1 votes commit"),
        fails("ana", "roster add {tmp}/two.json", "roster.size"),
        fails("ana", "roster add {tmp}/next.json", "roster.file"),
        ok("ana", "roster add {tmp}/two.json {tmp}/three.json {tmp}/four.json --operator 'Alpha Ltd'")
            .has("/nodes/3/operator", "Alpha Ltd")
            .has("/before", "withstands 0 lying, 0 down")
            .has("/after", "3 of 4 votes commit; withstands 1 lying, 1 down")
            .keep("grown", "/request/request"),
        ok("ben", "reject {grown} --yes").has("/stage", "denied"),
        fails("ana", "roster remove node-1", "roster.size"),
        fails("ana", "roster remove node-9", "roster.unknown"),
        fails("ana", "roster replace node-1 {tmp}/two.json", "roster.keys"),
        ok("ana", "roster replace node-1 {tmp}/two.json --abandon-keys").has("/nodes/0/name", "node-2"),
        ok("ana", "roster readmit node-1").has("/nodes/0/boot", "1").has("/request/stage", "waiting"),
    ]);
}

fn keys_leave(script: &mut Script, home: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    script.play([
        ok("ana", "key create spare").keep("create", "/request/request"),
        ok("ben", "approve {create} --yes"),
        ok("cleo", "approve {create} --yes"),
    ]);
    script.play([
        ok("ben", "key backup hot --to ana,ben").keep("backup", "/request/request"),
        fails("ben", "key fetch {backup} --file {tmp}/early", "key.no_file"),
        ok("ana", "approve {backup} --yes"),
        ok("cleo", "approve {backup} --yes"),
        ok("ana", "key drill hot").has("/key/state", "active").has("/key/address", "0x"),
        ok("ben", "key export hot --to ana").keep("export", "/request/request"),
        ok("ana", "approve {export} --yes").has("/words/1", "LEAVES THE ENCLAVE FOR GOOD"),
        ok("cleo", "approve {export} --yes"),
    ]);
    script.until_it_works("ben", "key fetch {backup} --file {tmp}/hot.backup");
    // The enclave writes the file right after the decision.
    let export = script.until_it_works("ben", "key fetch {export} --file {tmp}/hot.export");
    assert!(export["digest"].is_string(), "{export}");
    script.play([
        no("ben", "key generate treasury --threshold 2 --holders node-1,node-2")
            .has("/request/stage", "denied"),
        no("ben", "key import hot --threshold 2 --holders node-1,node-2").has("/request/stage", "denied"),
        fails("ben", "key deal {paid} --secret {tmp}/next.json", "cli.usage"),
        fails("ben", "key sweep hot --to spare", "key.inactive"),
        ok("ben", "key show hot").has("/key/imported", "false"),
        no("ben", "key refresh hot").has("/request/stage", "denied"),
        fails("ben", "key reshare hot --threshold 2 --holders node-1,node-2", "key.whole"),
        fails("ben", "key repair hot --lost node-1", "key.whole"),
        fails("ben", "key abort hot", "key.no_ceremony"),
        no("ben", "key lift hot --holder node-1").has("/request/stage", "denied"),
        fails("ben", "key exit hot --recipients {tmp}/next.json", "age."),
        fails("ben", "key shares hot --folder {tmp}/shares", "key.no_file"),
        ok("ben", "key transcript hot").has("/verified", "true").has("/steps", "export"),
        no("ana", "backup split hot --group 1:ana").has("/request/stage", "denied"),
        fails("ana", "backup print hot", "backup.not_in_shares"),
        fails("ana", "backup save hot --folder {tmp}/saved", "backup.not_in_shares"),
        fails("ana", "backup drill hot --words {tmp}/nothing", "backup.not_in_shares"),
        fails("ana", "backup hand-over {export} --words {tmp}/nothing", "cli.usage"),
    ]);
    let mode = std::fs::metadata(home.join("hot.export")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "k01");
}

/// Restored at the node that it had: its next epoch, the same addresses.
fn key_restored(script: &mut Script) {
    script.play([
        ok("ben", "key restore hot --home node-1").keep("restore", "/request/request"),
        ok("ana", "approve {restore} --yes").has("/words/1", "GETS ANOTHER HOME"),
        ok("cleo", "approve {restore} --yes"),
    ]);
    let restored = script.until_it_works("ana", "key hand-over {restore} --backup {tmp}/hot.backup");
    assert_eq!(restored["key"]["epoch"], 1, "{restored}");
    script.play([
        fails("ana", "key hand-over {restore} --backup {tmp}/hot.backup", "node.no_permission"),
        fails("ana", "key hand-over {paid}", "cli.usage"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 3").has("/request/stage", "signed"),
    ]);
}

fn audits(script: &mut Script, desk: &Desk, home: &Path) {
    script.play([
        ok("ana", "audit checkpoint --file {tmp}/new.checkpoint").has("/checkpoint", "keystead"),
        ok("ana", "audit verify").has("/verified", "true").has("/report/decisions/deny", ""),
        ok("ana", "audit verify --older {tmp}/new.checkpoint").has("/verified", "true"),
        ok("ana", "audit prove {refused} --file {tmp}/proof").has("/decision/outcome", "deny"),
        ok("ana", "audit verify --proof {tmp}/proof --older {tmp}/new.checkpoint")
            .has("/shown/decision", "deny"),
        ok("ana", "audit export {tmp}/log").has("/blocks", ""),
        ok("ana", "audit verify --folder {tmp}/log --older {tmp}/new.checkpoint").has("/verified", "true"),
        ok("ana", "audit cosign-request --file {tmp}/request").has("/file", "request"),
        ok("cleo", "witness --request {tmp}/request --state {tmp}/witness --out {tmp}/lines")
            .has("/lines", "cleo"),
        fails("ana", "audit verify --folder {tmp}", ""),
    ]);
    assert!(home.join("lines").is_file() && desk.folder.is_dir());
}

/// Folders of their own: a custom ceremony, its node alone, both parts together on a chain of their own.
fn folders(script: &mut Script, home: &Path) {
    let custom = home.join("custom");
    let shown = script.step(&ok("ana", "policy show"));
    let mut policy = shown.clone();
    policy["number"] = 0.into();
    policy["previous"] = "0".repeat(64).into();
    write(&home.join("own.json"), &policy);
    script.set("listen", loopback());
    script.play([
        ok("ana", "init {tmp}/custom --name vaults --founders dora,emil,fay,gus --policy {tmp}/own.json --node-listen 127.0.0.1:0 --coordinator-listen {listen}")
            .has("/cluster", "")
            .has("/founders/3", "gus"),
        fails("ana", "init {tmp}/custom", "init.exists"),
        fails("ana", "init {tmp}/few --founders ana,ben", "cli.usage"),
        fails("ana", "init {tmp}/odd --policy {tmp}/broken.json", "policy."),
        fails("ana", "init {tmp}/odd --policy {tmp}/shape.json", "policy.json"),
    ]);
    assert!(!home.join("odd/members").exists(), "a ceremony that fails leaves no keys");
    node_alone(script, &custom);
    together(script, &custom);
    let quick = Command::new(binary("keystead"))
        .args(["--json", "quickstart", "--folder"])
        .arg(home.join("quick"))
        .output();
    assert_eq!(crate::desk::json(&quick.unwrap())["holds"], true);
    ["init", "quickstart", "serve"].iter().for_each(|leaf| script.note(leaf));
    // Eight folders of their own: `s13_a_cluster_is_founded_over_eight_machines_and_signs`.
    script.notes("ceremony", &["join", "draft", "show", "sign", "finish", "install"]);
    // A machine of its own: `d01_machines_join_by_commands_and_a_key_moves_to_one_of_them`.
    script.note("roster install");
    // A TPM of its own: `s05_a_node_of_a_tpm_opens_by_it_and_knows_a_disk_that_was_put_back`.
    script.notes("tpm", &["seal", "status", "identity", "quote", "accept-restore"]);
    // A token of its own: `a06_a_node_with_a_token_signs_and_its_disk_alone_opens_nothing`.
    script.note("root make");
    // `d01_a_cluster_whose_nodes_are_all_lost_goes_on_frozen_and_counts_what_was_spent`.
    script.notes("rebuild", &["draft", "show", "sign", "finish", "install", "check"]);
    script.notes("anchor", &["public", "make", "sign", "finish", "check"]);
}

/// Two objects: it serves, and it has stopped.
fn node_alone(script: &mut Script, folder: &Path) {
    let output =
        succeeds(Command::new(binary("keystead")).args(["--json", "--dir", path(folder), "node", "--check"]));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines[0]["ready"]["node"].as_str().unwrap().starts_with("127.0.0.1:"), "{lines:?}");
    assert_eq!((lines.len(), &lines[1]["stopped"]), (2, &json!(true)));
    script.note("node");
}

fn together(script: &mut Script, folder: &Path) {
    let scratch = tempfile::Builder::new().prefix("keystead-up-").tempdir().unwrap().keep();
    let program = binary("keystead");
    let port = keystead_tests::free_port().to_string();
    let fund = "0x00000000000000000000000000000000000000aa";
    let command =
        [path(&program), "--json", "up", path(folder), "--devnet", "--devnet-port", &port, "--fund", fund];
    let up = Service::start(&scratch, &command, "ready");
    let ready = &serde_json::from_str::<Value>(up.ready_line()).unwrap()["ready"];
    assert_eq!(ready["chain"], format!("http://127.0.0.1:{port}"));
    let url = ready["coordinator"].as_str().unwrap();
    let balance = crate::desk::call_at(url, "eth_getBalance", json!([fund, "latest"]));
    assert_eq!(balance["result"], "0x3635c9adc5dea00000", "forwarded to the chain that it brought");
    let here = ["--json", "--dir", path(folder), "--as", "dora", "--node", ready["node"].as_str().unwrap()];
    let transfer = ["request", "transfer", "--key", "none", "--to", fund, "--wei", "1"];
    let asked = Command::new(&program).args(here).args(transfer).output().unwrap();
    let error: Value = serde_json::from_slice(&asked.stderr).unwrap();
    assert_eq!(error["error"]["code"], "key.unknown", "there is a chain, though no file names one: {error}");
    script.note("up");
}

pub(crate) fn write(path: &Path, json: &Value) {
    std::fs::write(path, json.to_string()).unwrap();
}

fn nonce(desk: &Desk) -> u64 {
    desk.cast(&["nonce", &desk.account], &desk.anvil.url()).parse().unwrap()
}

fn mined(desk: &Desk, hash: &str) {
    let receipt = desk.cast(&["receipt", hash, "--confirmations", "1"], &desk.anvil.url());
    assert!(receipt.contains("success"), "{receipt}");
}

//! Coins by the real program: found on a chain that the test mines, waited for, paid, replaced; addresses that nobody was told
//! before; and what watches them elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::str::FromStr as _;
use std::sync::Arc;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Network as Chain, ScriptBuf, Transaction};
use keystead_bitcoin::{Branch, Network, address_of};
use keystead_tests::binary;
use keystead_tests::purse::{Purse, Secrets, TR, WPKH, payee};
use keystead_tests::regtest::{Regtest, Shape, Source};
use miniscript::{Descriptor, DescriptorPublicKey};
use serde_json::{Value, json};

use crate::bitcoin::{PAYEE, Till, list_bitcoin};
use crate::desk::{Desk, path};

/// A machine with a wallet and sources of coins, and the chain behind them.
struct Watcher {
    chain: Regtest,
    purse: Purse,
    folder: PathBuf,
    wallet: PathBuf,
    _sources: Vec<Source>,
    _home: tempfile::TempDir,
}

impl Watcher {
    /// One that knows no cluster.
    fn alone() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().to_owned();
        let start = format!(
            "cluster = \"{}\"\n[client]\ngenesis = \"g\"\nmembers = \"m\"\nnodes = []\n",
            "0".repeat(64)
        );
        std::fs::write(folder.join("keystead.toml"), start).unwrap();
        Self::at(folder, Purse::of_seed(7), home)
    }

    fn at(folder: PathBuf, purse: Purse, home: tempfile::TempDir) -> Self {
        let chain = Regtest::start();
        let wallet = home.path().join("hot.json");
        std::fs::write(&wallet, serde_json::to_string(&purse.recorded).unwrap()).unwrap();
        let sources =
            [Shape::Esplora, Shape::Core, Shape::Esplora].map(|shape| (chain.serve(shape, 2.5), shape));
        let watcher = Self { chain, purse, folder, wallet, _sources: Vec::new(), _home: home };
        watcher.configure(2, &sources);
        Self { _sources: sources.into_iter().map(|(it, _)| it).collect(), ..watcher }
    }

    fn configure(&self, agree: usize, sources: &[(Source, Shape)]) {
        let file = self.folder.join("keystead.toml");
        let mut config: toml::Value = toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let listed = sources.iter().enumerate().map(|(at, (source, shape))| {
            let kind = if *shape == Shape::Core { "core" } else { "esplora" };
            json!({"name": format!("source-{at}"), "kind": kind, "url": source.url})
        });
        let sources = json!([{"network": "regtest", "agree": agree, "sources": listed.collect::<Vec<_>>()}]);
        let sources: toml::Value = serde_json::from_value(sources).unwrap();
        config["client"].as_table_mut().unwrap().insert("bitcoin".to_owned(), sources);
        std::fs::write(file, toml::to_string(&config).unwrap()).unwrap();
    }

    fn command(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary("keystead"));
        command.args(["--json", "--dir", path(&self.folder), "psbt"]).args(words);
        command.args(["--wallet", path(&self.wallet)]).output().unwrap()
    }

    fn ask(&self, words: &[&str]) -> Value {
        let output = self.command(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn fails(&self, words: &[&str]) -> Value {
        let output = self.command(words);
        assert!(!output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"].clone()
    }

    fn receive(&self, form: usize, index: u32) -> ScriptBuf {
        self.purse.script(Purse::place(form, Branch::Receive, index))
    }

    fn address(&self, form: usize, index: u32) -> String {
        address_of(&self.receive(form, index), Network::Regtest).unwrap()
    }
}

fn places(coins: &Value) -> Vec<&str> {
    coins["coins"].as_array().unwrap().iter().map(|it| it["place"].as_str().unwrap()).collect()
}

#[test]
fn coins_are_found_up_to_the_gap_limit_and_said_by_enough_sources() {
    let watcher = Watcher::alone();
    assert_eq!(watcher.ask(&["coins"])["sat"], 0);
    for (form, index, sat) in [(WPKH, 0, 50_000), (WPKH, 20, 40_000), (TR, 19, 30_000), (WPKH, 41, 20_000)] {
        watcher.chain.fund(&watcher.receive(form, index), sat);
    }
    let found = watcher.ask(&["coins"]);
    assert_eq!(places(&found), ["bip84/0/0", "bip84/0/20", "bip86/0/19"]);
    assert_eq!((&found["sat"], &found["coins"][0]["confirmations"]), (&json!(120_000), &json!(4)));
    assert_eq!(places(&watcher.ask(&["coins", "--gap", "21"])).len(), 4);

    // One source that hides coins changes nothing beside two honest ones; beside one it makes the answer unknown.
    let hides = |question: &str, honest: Vec<u8>| match question.contains("txs/chain") {
        true => b"[]".to_vec(),
        false => honest,
    };
    let liar = || (watcher.chain.serve_with(Shape::Esplora, 2.5, None, Arc::new(hides)), Shape::Esplora);
    let honest = |shape| (watcher.chain.serve(shape, 2.5), shape);
    let three = [liar(), honest(Shape::Core), honest(Shape::Esplora)];
    watcher.configure(2, &three);
    assert_eq!(watcher.ask(&["coins"])["sat"], 120_000);
    let two = [liar(), honest(Shape::Core)];
    watcher.configure(2, &two);
    assert_eq!(watcher.fails(&["coins"])["code"], "transmit.unknown");
    assert_eq!(watcher.fails(&["build", "--pay", &format!("{PAYEE}=1000")])["code"], "transmit.unknown");
    assert_eq!(watcher.fails(&["address"])["code"], "transmit.unknown");

    // Where all sources agree on a lie, the transaction itself still says what its coin is worth.
    let richer = |_: &str, honest: Vec<u8>| match String::from_utf8(honest) {
        Ok(text) => text.replace("\"value\":50000}", "\"value\":90000}").into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    };
    let lying = [(watcher.chain.serve_with(Shape::Esplora, 2.5, None, Arc::new(richer)), Shape::Esplora)];
    watcher.configure(1, &lying);
    assert_eq!(watcher.ask(&["coins"])["sat"], 160_000);
    assert_eq!(watcher.fails(&["build", "--pay", &format!("{PAYEE}=1000")])["code"], "psbt.coins");
}

#[test]
fn a_miner_s_coin_is_spent_only_when_the_network_lets_it() {
    let watcher = Watcher::alone();
    watcher.chain.mine_to(&watcher.receive(WPKH, 0));
    watcher.chain.mine(98);
    assert_eq!(watcher.ask(&["coins"])["coins"][0]["immature"], true);
    assert_eq!(watcher.fails(&["build", "--pay", &format!("{PAYEE}=1000")])["code"], "plan.too_little");
    assert!(!spends(&watcher));
    watcher.chain.mine(1);
    assert_eq!(watcher.ask(&["coins"])["coins"][0]["immature"], false);
    assert_eq!(watcher.ask(&["build", "--pay", &format!("{PAYEE}=1000")])["inputs"], 1);
    assert!(spends(&watcher));
}

/// Whether Core takes a transaction with the only coin of the first place into the next block.
fn spends(watcher: &Watcher) -> bool {
    let coin = watcher.ask(&["coins"])["coins"][0].clone();
    let txid = coin["transaction"].as_str().unwrap().parse().unwrap();
    let (outpoint, sat) = (bitcoin::OutPoint { txid, vout: 0 }, coin["sat"].as_u64().unwrap());
    watcher.chain.takes(&[Secrets::of_seed(7).pays(&watcher.purse, outpoint, sat, &[(payee(), sat - 1_000)])])
}

#[test]
fn an_address_is_handed_out_once_and_never_after_it_was_paid_to() {
    let watcher = Watcher::alone();
    let next = |more: &[&str]| watcher.ask(&[&["address"], more].concat());
    assert_eq!(next(&["--label", "invoice 17"])["address"], watcher.address(WPKH, 0));
    assert_eq!(next(&[])["place"], "bip84/0/1");
    assert_eq!(next(&["--form", "bip86"])["address"], watcher.address(TR, 0));
    // Somebody pays to an address that nobody was told, and the coin is spent again: it was used.
    let coin = watcher.chain.fund(&watcher.receive(WPKH, 5), 50_000);
    assert_eq!(next(&[])["place"], "bip84/0/6");
    let first = watcher.chain.fund(&watcher.receive(WPKH, 0), 50_000);
    let emptied = Secrets::of_seed(7).pays(&watcher.purse, first, 50_000, &[(payee(), 49_000)]);
    watcher.chain.send(&emptied).unwrap();
    watcher.chain.mine(1);
    assert_eq!(watcher.ask(&["coins"])["coins"][0]["transaction"], coin.txid.to_string());
    // Two at once get two; whatever the chain says, what was handed out is not handed out again.
    let both = std::thread::scope(|scope| {
        let each = [(); 4].map(|()| scope.spawn(|| next(&[])["place"].clone()));
        each.map(|it| it.join().unwrap().to_string())
    });
    assert_eq!(BTreeSet::from(both.clone()).len(), 4, "{both:?}");
    assert_eq!(next(&[])["place"], "bip84/0/11");

    // Place 5 is the last that was paid to: place 25 is the last within twenty.
    for index in 12..=25 {
        assert_eq!(next(&[])["place"], format!("bip84/0/{index}"));
    }
    let refused = watcher.fails(&["address"]);
    assert_eq!(refused["code"], "psbt.gap_limit");
    assert!(refused["what"].as_str().unwrap().contains("the last 20 addresses of bip84"), "{refused}");
    watcher.chain.fund(&watcher.receive(WPKH, 12), 1_000);
    assert_eq!(next(&[])["place"], "bip84/0/26");

    let file = watcher.folder.join("hot.json.addresses");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("invoice 17"));
    std::fs::write(&file, kept.replace("\"wallet\": \"0x", "\"wallet\": \"0y")).unwrap();
    assert_eq!(watcher.fails(&["address"])["code"], "psbt.addresses");
    std::fs::write(&file, "").unwrap();
    assert_eq!(watcher.fails(&["address"])["code"], "psbt.addresses");
}

#[test]
fn what_waits_is_not_spent_twice_and_rates_are_estimated_within_bounds() {
    let watcher = Watcher::alone();
    let coins = [60_000, 50_000].map(|sat| watcher.chain.fund(&watcher.receive(WPKH, 0), sat));
    let pay = format!("{PAYEE}=10000");
    let built = watcher.ask(&["build", "--pay", &pay]);
    assert_eq!((&built["inputs"], &built["rate_sat_per_kvb"]), (&json!(1), &json!(2_500)));
    assert_eq!(built["change"], "bip84/1/0");
    assert_eq!(spent(&built), [coins[0].to_string()]);
    assert_eq!(watcher.ask(&["build", "--pay", &pay, "--max-rate", "2"])["rate_sat_per_kvb"], 2_000);
    assert_eq!(watcher.ask(&["build", "--pay", &pay, "--rate", "7"])["rate_sat_per_kvb"], 7_000);
    let within = |blocks: &str| watcher.ask(&["build", "--pay", &pay, "--blocks", blocks]);
    let rates = ["1", "2", "144", "1008"].map(|blocks| within(blocks)["rate_sat_per_kvb"].clone());
    assert_eq!(json!(rates), json!([2_500, 2_500, 1_000, 1_000]), "whoever has time pays less");
    for wrong in [&["--blocks", "0"][..], &["--blocks", "1009"], &["--blocks", "6", "--rate", "7"]] {
        assert_eq!(watcher.fails(&[&["build", "--pay", &pay], wrong].concat())["code"], "cli.usage");
    }

    let waiting = Secrets::of_seed(7).pays(&watcher.purse, coins[0], 60_000, &[(payee(), 59_000)]);
    watcher.chain.send(&waiting).unwrap();
    assert_eq!(spent(&watcher.ask(&["build", "--pay", &pay])), [coins[1].to_string()]);
    let both = watcher.fails(&["build", "--pay", &format!("{PAYEE}=90000")]);
    assert_eq!(both["code"], "plan.too_little", "the coin that is on its way pays for nothing");
    let deep = watcher.fails(&["build", "--pay", &pay, "--confirmations", "3"]);
    assert_eq!(deep["code"], "plan.too_little");
    watcher.chain.mine(2);
    assert_eq!(
        spent(&watcher.ask(&["build", "--pay", &pay, "--confirmations", "3"])),
        [coins[1].to_string()]
    );
}

/// The coins that a PSBT spends.
fn spent(built: &Value) -> Vec<String> {
    let psbt = keystead_bitcoin::Psbt::parse_text(built["psbt"].as_str().unwrap()).unwrap();
    psbt.transaction().input.iter().map(|it| it.previous_output.to_string()).collect()
}

/// Somebody else's reading of descriptors comes to the same scripts.
#[test]
fn s02_what_watches_a_wallet_elsewhere_has_its_addresses_and_no_secret() {
    let watcher = Watcher::alone();
    let imports = watcher.ask(&["watch", "--birthdate", "1764150000"]);
    let imports = imports.as_array().unwrap();
    assert_eq!(imports.len(), 8);
    for (at, import) in imports.iter().enumerate() {
        let branch = if at % 2 == 0 { Branch::Receive } else { Branch::Change };
        let theirs = Descriptor::<DescriptorPublicKey>::from_str(import["desc"].as_str().unwrap()).unwrap();
        for index in [0, 1, 999] {
            let script = theirs.at_derivation_index(index).unwrap().script_pubkey();
            assert_eq!(script, watcher.purse.script(Purse::place(at / 2, branch, index)), "{import}");
        }
        assert_eq!((&import["internal"], &import["active"]), (&json!(at % 2 == 1), &json!(true)));
        assert_eq!((&import["timestamp"], &import["range"]), (&json!(1_764_150_000), &json!([0, 999])));
    }
    let plain = watcher.ask(&["watch", "--format", "plain", "--label", "till"]);
    for (at, line) in plain.as_array().unwrap().iter().enumerate() {
        let theirs =
            Descriptor::<DescriptorPublicKey>::from_str(line["descriptor"].as_str().unwrap()).unwrap();
        let branches = theirs.into_single_descriptors().unwrap();
        for (descriptor, branch) in branches.iter().zip([Branch::Receive, Branch::Change]) {
            let address = descriptor.at_derivation_index(7).unwrap().address(Chain::Regtest).unwrap();
            let ours = watcher.purse.script(Purse::place(at, branch, 7));
            assert_eq!(Some(address.to_string()), address_of(&ours, Network::Regtest));
        }
    }
    assert_eq!(plain[2]["label"], "till bip84");
    let all = format!("{imports:?}{plain}");
    assert!(!all.contains("prv"), "public keys alone");
}

/// The whole way: an address, a payment by a node's signature, a replacement that is mined, and all coins into one.
#[test]
fn s07_coins_of_a_chain_are_paid_by_a_node_replaced_and_made_one() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    list_bitcoin(&desk, home.path());
    let wallet = home.path().join("hot.json");
    let till = Till { desk: &desk, folder: home.path(), wallet: wallet.clone() };
    let purse = till.purse();
    std::fs::remove_file(&wallet).unwrap();
    let watcher = Watcher::at(desk.folder.clone(), purse, tempfile::tempdir().unwrap());
    std::fs::copy(&watcher.wallet, &wallet).unwrap();
    let till = Till { desk: &desk, folder: home.path(), wallet };

    let first = watcher.ask(&["address"])["address"].as_str().unwrap().to_owned();
    assert_eq!(first, watcher.address(WPKH, 0));
    watcher.chain.fund(&watcher.receive(WPKH, 0), 300_000);
    watcher.chain.fund(&watcher.receive(TR, 2), 250_000);
    let paying = home.path().join("paying.psbt");
    let pay = format!("{PAYEE}=200000");
    watcher.ask(&["build", "--pay", &pay, "--output", path(&paying)]);
    let (cheap, request) = finished(&till, &paying, &[]);
    watcher.chain.send(&cheap).unwrap();

    // It waits; the same once more at a rate that nodes take in its place, and the log as well.
    let low = watcher.fails(&["bump", path(&paying), "--rate", "3"]);
    assert_eq!(low["code"], "replacement.bandwidth", "{low}");
    let higher = home.path().join("higher.psbt");
    let bumped = watcher.ask(&["bump", path(&paying), "--output", path(&higher)]);
    assert!(bumped["rate_sat_per_kvb"].as_u64().unwrap() > 3_500, "{bumped}");
    let (dear, _) = finished(&till, &higher, &["--replaces", &request]);
    assert_eq!(cheap.output[0], dear.output[0], "the payment stays");
    watcher.chain.send(&dear).unwrap();
    watcher.chain.mine(1);
    assert_eq!(watcher.chain.height_of(dear.compute_txid()), Some(watcher.chain.height()));
    assert!(watcher.chain.height_of(cheap.compute_txid()).is_none() && !watcher.chain.takes(&[cheap]));

    // What came back and the other coin become one, at the next place of change.
    let whole = home.path().join("whole.psbt");
    let made = watcher.ask(&["consolidate", "--below", "260000", "--rate", "1", "--output", path(&whole)]);
    assert_eq!((&made["inputs"], &made["change"]), (&json!(2), &json!("bip84/1/1")));
    watcher.chain.send(&finished(&till, &whole, &[]).0).unwrap();
    watcher.chain.mine(1);
    let left = watcher.ask(&["coins"]);
    assert_eq!(places(&left), ["bip84/1/1"]);
    let fee = |it: &Value| it["sat"].as_u64().unwrap();
    assert!((348_000..349_800).contains(&fee(&left)), "{left}");
}

/// Signed by a node, and made a transaction of; with the request that it was signed for.
fn finished(till: &Till<'_>, file: &Path, more: &[&str]) -> (Transaction, String) {
    let signed = file.with_extension("signed");
    let answer = till.sign(file, &[more, &["--output", path(&signed)]].concat());
    assert_eq!(answer["request"]["stage"], "signed", "{answer}");
    let done = till.offline("finalize", &signed);
    let transaction = deserialize_hex(done["transaction"].as_str().unwrap()).unwrap();
    (transaction, answer["request"]["request"].as_str().unwrap().to_owned())
}

//! A wallet that a key shares with the keys of others, by the command line: registered in the policy, paid to, spent by two
//! of three, whoever signs first.

use std::path::{Path, PathBuf};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Transaction, TxOut};
use keystead_bitcoin::{Branch, Descriptor, DraftInput, PsbtVersion, Spend};
use keystead_tests::purse::{Purse, REGTEST, Secrets, consensus_takes};
use serde_json::{Value, json};

use crate::bitcoin::{COINS, PAYEE, Till, list_bitcoin};
use crate::desk::{Desk, json as parsed, path};
use crate::rest_psbt::say;

/// Whoever signs beside `hot`, with programs of their own.
const OTHERS: [u8; 2] = [21, 22];

#[test]
fn s07_a_shared_wallet_is_registered_and_spent_with_the_signature_of_another() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    list_bitcoin(&desk, home.path());
    let till = Till { desk: &desk, folder: home.path(), wallet: home.path().join("hot.json") };
    let own = till.purse();
    let vault = Vault::registered(&desk, home.path(), &own);
    let payment = vault.builds("payment", 1);
    s02_no_other_wallet_is_meant(&till, &payment);
    // Ours first: the PSBT has one signature of two, and a co-signer's ends it.
    let ours = vault.signed(&payment);
    assert_eq!(
        vault.offline("inspect", &ours)["inputs"][0]["signatures"],
        json!({"expected": 2, "found": 1})
    );
    vault.unfinished(&ours);
    let both = vault.cosigned(&ours, OTHERS[0]);
    vault.taken(&both, 1);
    // A co-signer first, and not the same one: then ours ends it.
    let other = vault.cosigned(&vault.builds("other", 2), OTHERS[1]);
    vault.unfinished(&other);
    vault.taken(&vault.signed(&other), 2);
    // The two others need no node at all: that is what a shared wallet is.
    let without = vault.builds("without", 3);
    let theirs = vault.cosigned(&vault.cosigned(&without, OTHERS[0]), OTHERS[1]);
    vault.taken(&theirs, 3);
}

/// The key's own wallet has none of these coins, and no other wallet is registered.
fn s02_no_other_wallet_is_meant(till: &Till<'_>, payment: &Path) {
    let sign = |more: &[&str]| {
        let asked = ["psbt", "sign", path(payment), "--key", "hot", "--network", "regtest"];
        let output = till.desk.command("ana", &[&asked, more].concat());
        assert!(!output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"]["code"].clone()
    };
    assert_eq!(sign(&[]), "bitcoin.nothing_of_ours");
    assert_eq!(sign(&["--shared", "other"]), "psbt.no_wallet");
}

struct Vault<'a> {
    desk: &'a Desk,
    folder: &'a Path,
    wallet: PathBuf,
    purse: Purse,
}

impl<'a> Vault<'a> {
    /// Two of three. The cosigners' keys are as their programs show them (BIP-48).
    fn registered(desk: &'a Desk, folder: &'a Path, own: &Purse) -> Self {
        let keys = [own.recorded.cosigner.clone()].into_iter();
        let keys = keys.chain(OTHERS.map(|seed| Purse::of_seed(seed).recorded.cosigner));
        let body = format!("wsh(sortedmulti(2,{}))", keys.collect::<Vec<_>>().join(","));
        let descriptor = Descriptor::with_checksum(&body).unwrap();
        let mut policy = desk.as_person("ana", &["policy", "show"]);
        let shared = json!({"chain": REGTEST.0, "name": "vault", "key": "hot", "descriptor": descriptor});
        policy["bitcoin"] = json!({"lock_times": [], "finality": [], "shared_wallets": [shared]});
        let file = folder.join("vault-policy.json");
        std::fs::write(&file, policy.to_string()).unwrap();
        desk.approved(&["policy", "propose", path(&file)]);
        let wallet = folder.join("vault.json");
        let asked = ["psbt", "wallet", "--key", "hot", "--network", "regtest", "--shared", "vault"];
        let shown = desk.as_person("ana", &[&asked[..], &["--output", path(&wallet)]].concat());
        assert_eq!(shown["wallet"]["descriptors"], json!([descriptor]), "{shown}");
        let purse = Purse::of(serde_json::from_value(shown["wallet"].clone()).unwrap());
        Self { desk, folder, wallet, purse }
    }

    fn coin(&self, number: u8) -> DraftInput {
        self.purse.coin(0, COINS, number)
    }

    /// A payment of a coin from a file; what is left comes back to the shared wallet.
    fn builds(&self, name: &str, number: u8) -> PathBuf {
        let (coins, output) =
            (self.folder.join("vault-coins.json"), self.folder.join(format!("{name}.psbt")));
        let coin = json!([{"transaction": serialize_hex(&self.coin(number).previous), "output": 0}]);
        std::fs::write(&coins, coin.to_string()).unwrap();
        let pay = format!("{PAYEE}=300000");
        let built = self.offline_with(&[
            "build",
            "--coins",
            path(&coins),
            "--pay",
            &pay,
            "--rate",
            "2",
            "--output",
            path(&output),
        ]);
        assert_eq!(built["change"], "shared/1/0", "{built}");
        output
    }

    fn signed(&self, file: &Path) -> PathBuf {
        let output = file.with_extension("ours");
        let asked = ["psbt", "sign", path(file), "--key", "hot", "--network", "regtest", "--shared", "vault"];
        let signed = self.desk.command("ana", &[&asked[..], &["--output", path(&output)]].concat());
        let signed = parsed(&signed);
        assert_eq!(signed["request"]["stage"], "signed", "{signed}");
        output
    }

    /// With the signature of another one added, made from the words of the PSBT.
    fn cosigned(&self, file: &Path, seed: u8) -> PathBuf {
        let text = std::fs::read_to_string(file).unwrap();
        let mut psbt =
            bitcoin::Psbt::deserialize(&keystead_bitcoin::Psbt::decode_text(text.trim()).unwrap()).unwrap();
        let bare = {
            let mut bare = psbt.clone();
            bare.inputs[0].partial_sigs.clear();
            bare.serialize()
        };
        let spend = Spend::read(&self.purse.recorded, &bare).unwrap();
        for it in Secrets::of_seed(seed).sign(&spend).signatures {
            let key = bitcoin::PublicKey::from_slice(&it.key).unwrap();
            psbt.inputs[0]
                .partial_sigs
                .insert(key, bitcoin::ecdsa::Signature::from_slice(&it.bytes).unwrap());
        }
        let read = keystead_bitcoin::Psbt::parse(&psbt.serialize()).unwrap();
        let output = file.with_extension(format!("with-{seed}"));
        std::fs::write(&output, read.to_text(PsbtVersion::Zero)).unwrap();
        output
    }

    /// One signature is too few, and both surfaces say of which input.
    fn unfinished(&self, file: &Path) {
        let asked = ["psbt", "finalize", path(file), "--wallet", path(&self.wallet)];
        let output = self.desk.command("ana", &asked);
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], "finalize.missing", "{error}");
        let (status, problem) = self.by_rest("finalize", file);
        assert_eq!((status, &problem["code"]), (422, &json!("finalize.missing")), "{problem}");
        assert_eq!(problem["missing"], json!([{"input": 0, "expected": 2, "found": 1}]));
    }

    /// Core's rules take what the command line makes of it; REST makes the same.
    fn taken(&self, file: &Path, number: u8) {
        let done = self.offline("finalize", file);
        assert_eq!(self.by_rest("finalize", file), (200, done.clone()));
        let transaction: Transaction = deserialize_hex(done["transaction"].as_str().unwrap()).unwrap();
        let spent: Vec<TxOut> = vec![self.coin(number).previous.output[0].clone()];
        assert!(consensus_takes(&transaction, &spent), "Bitcoin Core's rules take it");
        let back = self.purse.script(Purse::place(0, Branch::Change, 0));
        assert!(transaction.output.iter().any(|it| it.script_pubkey == back), "what is left is the vault's");
    }

    fn by_rest(&self, what: &str, file: &Path) -> (u16, Value) {
        let text = std::fs::read_to_string(file).unwrap();
        say(self.desk, what, json!({"psbt": text.trim(), "shared": "vault"}))
    }

    fn offline(&self, command: &str, file: &Path) -> Value {
        self.offline_with(&[command, path(file)])
    }

    fn offline_with(&self, words: &[&str]) -> Value {
        self.desk.as_person("ana", &[&["psbt"], words, &["--wallet", path(&self.wallet)]].concat())
    }
}

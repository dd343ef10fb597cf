//! The five forms, every refusal, and a second implementation that reads the same.

use std::collections::BTreeSet;
use std::str::FromStr;

use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::{All, Secp256k1};
use miniscript::descriptor::{Descriptor as Theirs, DescriptorPublicKey};

use super::*;
use crate::fixture::{ALL_FORMS, desk, key_text, with_checksum};
use crate::{Branch, Place, address_of};

fn parse(text: &str) -> Result<Descriptor, DescriptorError> {
    Descriptor::parse(text, Network::Regtest)
}

fn theirs(text: &str) -> Theirs<DescriptorPublicKey> {
    Theirs::from_str(text).unwrap()
}

#[test]
fn s02_a_descriptor_reads_back_from_its_canonical_text() {
    for (_, descriptor) in desk().wallet.descriptors() {
        let text = descriptor.to_string();
        assert_eq!(parse(&text).as_ref(), Ok(descriptor), "{text}");
        let (body, _) = text.rsplit_once('#').unwrap();
        let marks = with_checksum(&body.replace("h/", "'/").replace("h]", "']"));
        assert_eq!(parse(&marks).unwrap().to_string(), text, "{marks}");
    }
}

/// The same text, the same scripts and the same addresses in both branches, read by `miniscript`.
#[test]
fn s02_a_second_implementation_derives_the_same_scripts() {
    let (desk, secp) = (desk(), Secp256k1::new());
    for form in ALL_FORMS {
        let (_, ours) = &desk.wallet.descriptors()[form];
        let branches = theirs(&ours.to_string()).into_single_descriptors().unwrap();
        for (branch, single) in [Branch::Receive, Branch::Change].into_iter().zip(branches) {
            for index in [0, 1, 19, 1_000, (1 << 31) - 1] {
                let script = ours.derive(Place { branch, index }).unwrap();
                let other = single.at_derivation_index(index).unwrap().derived_descriptor(&secp);
                assert_eq!(script.script_pubkey, other.script_pubkey(), "{ours} {branch:?} {index}");
                let address = other.address(bitcoin::Network::Regtest).unwrap().to_string();
                assert_eq!(address_of(&script.script_pubkey, Network::Regtest), Some(address));
                if let Some(witness) = script.witness_script {
                    assert_eq!(witness, other.explicit_script().unwrap());
                }
            }
        }
    }
}

#[test]
fn s02_what_a_second_implementation_writes_is_read_the_same() {
    for (_, ours) in desk().wallet.descriptors() {
        let text = theirs(&ours.to_string()).to_string();
        assert_eq!(parse(&text).as_ref(), Ok(ours), "{text}");
    }
}

/// "abandon … about" of BIP-39, whose seed and addresses BIP-44's, 49's, 84's and 86's test vectors start from.
#[test]
fn s02_addresses_are_those_of_bips_44_49_84_and_86() {
    const SEED: &str = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1\
                        9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4";
    let (seed, secp) = (const_hex::decode(SEED).unwrap(), Secp256k1::new());
    let check = |network: Network, open: &str, path: &str, close: &str, addresses: &[(Branch, u32, &str)]| {
        let master = Xpriv::new_master(network.kind(), &seed).unwrap();
        let text = with_checksum(&format!("{open}{}{close}", key_text(&master, path, &secp)));
        assert!(text.contains("[73c5da0a/"), "{text}");
        let descriptor = Descriptor::parse(&text, network).unwrap();
        for (branch, index, address) in addresses {
            let place = Place { branch: *branch, index: *index };
            let script = descriptor.derive(place).unwrap().script_pubkey;
            assert_eq!(address_of(&script, network).as_deref(), Some(*address), "{text} {place}");
            assert_eq!(descriptor.find(&script, 0, 3), Some(place));
        }
    };
    let (receive, change) = (Branch::Receive, Branch::Change);
    check(
        Network::Mainnet,
        "wpkh(",
        "84h/0h/0h",
        ")",
        &[
            (receive, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
            (receive, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"),
            (change, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"),
        ],
    );
    check(
        Network::Mainnet,
        "tr(",
        "86h/0h/0h",
        ")",
        &[
            (receive, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
            (receive, 1, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"),
            (change, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"),
        ],
    );
    check(
        Network::Testnet4,
        "sh(wpkh(",
        "49h/1h/0h",
        "))",
        &[(receive, 0, "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2")],
    );
    check(Network::Mainnet, "pkh(", "44h/0h/0h", ")", &[(receive, 0, "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA")]);
}

/// Keys of one master on a test network, and one of the main network's.
struct Keys {
    secp: Secp256k1<All>,
    master: Xpriv,
}

impl Keys {
    fn new() -> Self {
        let master = Xpriv::new_master(Network::Regtest.kind(), &[1; 64]).unwrap();
        Self { secp: Secp256k1::new(), master }
    }

    fn at(&self, account: u32) -> String {
        key_text(&self.master, &format!("84h/1h/{account}h"), &self.secp)
    }
}

/// What is wrong with the form, each with its code.
fn wrong_forms(keys: &Keys) -> Vec<(&'static str, String)> {
    let (key, other) = (keys.at(0), |index| keys.at(index));
    let many: Vec<String> = (0..16).map(other).collect();
    vec![
        ("descriptor.form", format!("wsh(pk({key}))")),
        ("descriptor.form", format!("sh({key})")),
        ("descriptor.form", format!("multi(1,{key})")),
        ("descriptor.form", format!("wsh(multi(1,{key}))")),
        ("descriptor.form", format!("sh(wsh(sortedmulti(1,{key})))")),
        ("descriptor.form", format!("sh(sortedmulti(1,{key}))")),
        ("descriptor.form", format!("combo({key})")),
        ("descriptor.form", format!("wpkh(wpkh({key}))")),
        ("descriptor.form", format!("wpkh({key},{})", other(1))),
        ("descriptor.form", format!("WPKH({key})")),
        ("descriptor.form", format!("wsh(sortedmulti({}))", 1)),
        ("descriptor.script_path", format!("tr({key},pk({}))", other(1))),
        ("descriptor.threshold", format!("wsh(sortedmulti(0,{key}))")),
        ("descriptor.threshold", format!("wsh(sortedmulti(2,{key}))")),
        ("descriptor.threshold", format!("wsh(sortedmulti(01,{key}))")),
        ("descriptor.threshold", format!("wsh(sortedmulti(257,{key}))")),
        ("descriptor.too_many_keys", format!("wsh(sortedmulti(2,{}))", many.join(","))),
        ("descriptor.duplicate_key", format!("wsh(sortedmulti(2,{key},{key}))")),
    ]
}

/// What is wrong with a key, each with its code.
fn wrong_keys(keys: &Keys) -> Vec<(&'static str, String)> {
    let (key, secp) = (keys.at(0), &keys.secp);
    let secret = keys.master.derive_priv(secp, &"84'/1'/0'".parse::<DerivationPath>().unwrap()).unwrap();
    let mainnet = Xpriv::new_master(Network::Mainnet.kind(), &[1; 64]).unwrap();
    let (origin, bare) = key.split_once(']').unwrap();
    vec![
        ("descriptor.private_key", format!("wpkh({origin}]{secret}/<0;1>/*)")),
        ("descriptor.private_key", format!("wpkh({secret}/<0;1>/*)")),
        ("descriptor.no_origin", format!("wpkh({bare})")),
        ("descriptor.origin", format!("wpkh({})", key.replacen('[', "[0", 1))),
        ("descriptor.origin", format!("wpkh({})", key.replace("84h", "084h"))),
        ("descriptor.origin", format!("wpkh({})", key.replace("84h", "84H"))),
        ("descriptor.origin", format!("wpkh({})", key.replace("84h", "+84h"))),
        ("descriptor.origin", format!("wpkh({})", key.replace("84h", "2147483648h"))),
        ("descriptor.origin", format!("wpkh({})", key.replace("84h", ""))),
        ("descriptor.origin_depth", format!("wpkh({})", key.replace("/1h", ""))),
        ("descriptor.extended_key", format!("wpkh({})", key.replacen("tpub", "tpuc", 1))),
        ("descriptor.extended_key", format!("wpkh({origin}]{}/<0;1>/*)", "02".repeat(33))),
        ("descriptor.wrong_network", format!("wpkh({})", key_text(&mainnet, "84h/0h/0h", secp))),
        ("descriptor.branches", format!("wpkh({})", key.replace("/<0;1>/*", "/0/*"))),
        ("descriptor.branches", format!("wpkh({})", key.replace("/<0;1>/*", "/<1;0>/*"))),
        ("descriptor.branches", format!("wpkh({})", key.replace("/<0;1>/*", "/<0;1;2>/*"))),
        ("descriptor.branches", format!("wpkh({})", key.replace("/*", "/*h"))),
        ("descriptor.branches", format!("wpkh({})", key.replace("/<0;1>/*", ""))),
    ]
}

#[test]
fn s02_every_other_text_is_refused_with_its_code() {
    let keys = Keys::new();
    let mut codes: BTreeSet<&str> = BTreeSet::new();
    for (code, body) in wrong_forms(&keys).into_iter().chain(wrong_keys(&keys)) {
        let error = parse(&with_checksum(&body)).expect_err(&body);
        assert_eq!(error.code(), code, "{body}: {error}");
        assert!(!error.to_string().contains("prv"), "an error repeats a secret: {error}");
        codes.insert(code);
    }
    let good = with_checksum(&format!("wpkh({})", keys.at(0)));
    assert!(parse(&good).is_ok());
    let last = if good.ends_with('q') { "p" } else { "q" };
    for (code, text) in [
        ("descriptor.too_long", "w".repeat(MAX_DESCRIPTOR_BYTES + 1)),
        ("descriptor.letters", format!("wpkh(Ü)#{}", "q".repeat(8))),
        ("descriptor.letters", good.replace("wpkh", "wpkh\n")),
        ("descriptor.no_checksum", format!("wpkh({})", keys.at(0))),
        ("descriptor.checksum", format!("{}{last}", &good[..good.len() - 1])),
        ("descriptor.checksum", format!("{good} ")),
        ("descriptor.checksum", good.replace("84h", "85h")),
    ] {
        assert_eq!(parse(&text).expect_err(&text).code(), code, "{text}");
        codes.insert(code);
    }
    // All but an invalid branch, which nobody has ever found.
    assert_eq!(codes.len(), 16, "{codes:?}");
}

#[test]
fn s08_a_key_of_a_test_network_is_none_of_the_main_one() {
    for (_, descriptor) in desk().wallet.descriptors() {
        let text = descriptor.to_string();
        let error = Descriptor::parse(&text, Network::Mainnet).unwrap_err();
        assert_eq!(error, DescriptorError::WrongNetwork { expected: Network::Mainnet });
    }
    let xpub: Xpub = *desk().wallet.descriptors()[0].1.keys()[0].xpub();
    assert_eq!(xpub.network, bitcoin::NetworkKind::Test);
}

/// BIP-380, "Test Vectors": the form is none of ours, and what stands before it is its checksum.
#[test]
fn s02_the_checksums_of_bip_380() {
    for (text, code) in [
        ("raw(deadbeef)#89f8spxm", "descriptor.form"),
        ("raw(deadbeef)", "descriptor.no_checksum"),
        ("raw(deadbeef)#", "descriptor.checksum"),
        ("raw(deadbeef)#89f8spxmx", "descriptor.checksum"),
        ("raw(deadbeef)#89f8spx", "descriptor.checksum"),
        ("raw(dedbeef)#89f8spxm", "descriptor.checksum"),
        ("raw(deedbeef)#89f8spxm", "descriptor.checksum"),
        ("raw(deadbeef)##9f8spxm", "descriptor.checksum"),
        ("raw(Ü)#00000000", "descriptor.letters"),
    ] {
        assert_eq!(parse(text).expect_err(text).code(), code, "{text}");
    }
}

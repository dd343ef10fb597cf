//! The test cases of ethers (`@ethersproject/testcases`): transactions, EIP-712, HD wallets, units, words.

use std::process::Command;

use alloy_primitives::{Address, B256, keccak256};
use keystead_base::{Amount, Secret};
use keystead_chain::{Payload, Unsigned, assemble};
use keystead_intent::ChainId;
use keystead_keys::{HdRoot, Mnemonic};
use keystead_tests::npm_package;
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use serde_json::{Map, Value, json};

use crate::tally::Tally;

#[test]
fn s08_legacy_transactions_sign_as_ethers_does_and_never_without_a_chain() {
    let mut tally = Tally::default();
    for case in cases("transactions") {
        let (key, account) = account(text(&case, "privateKey"));
        let without = Payload::Transaction(bytes(&case, "unsignedTransaction").into());
        assert!(Unsigned::parse(account, ChainId(5), without).is_err(), "{}", text(&case, "name"));
        tally.reject();
        let preimage = bytes(&case, "unsignedTransactionChainId5");
        match Unsigned::parse(account, ChainId(5), Payload::Transaction(preimage.into())) {
            Ok(unsigned) => {
                assert_eq!(signed(&unsigned, &key), bytes(&case, "signedTransactionChainId5"));
                tally.pass();
            }
            Err(error) => {
                tally.leave_out(format!("a gas limit beyond 2^64 or a price beyond 2^128: {error}"));
            }
        }
    }
    tally.close("ethers transactions", 980, 1_067);
}

#[test]
fn s08_typed_transactions_sign_as_ethers_does_and_never_without_a_chain() {
    let mut tally = Tally::default();
    for case in cases("typed-transactions") {
        let (key, account) = account(text(&case, "key"));
        let chain = case["tx"].get("chainId").map_or(0, number);
        let payload = Payload::Transaction(bytes(&case, "unsigned").into());
        match Unsigned::parse(account, ChainId(chain), payload) {
            Ok(unsigned) if chain > 0 => {
                assert_eq!(signed(&unsigned, &key), bytes(&case, "signed"), "{}", text(&case, "name"));
                tally.pass();
            }
            Ok(_) => panic!("{} has no chain and was parsed", text(&case, "name")),
            Err(_) if chain == 0 => tally.reject(),
            Err(error) => tally.leave_out(error.to_string()),
        }
    }
    tally.close("ethers typed transactions", 1_400, 380);
}

#[test]
fn s08_typed_data_hashes_as_ethers_does_and_never_without_a_chain() {
    let mut tally = Tally::default();
    for case in cases("eip712") {
        let chain = case["domain"].get("chainId").map_or(0, number);
        let payload = Payload::TypedData(document(&case).to_string());
        match Unsigned::parse(Address::ZERO, ChainId(chain), payload) {
            Ok(unsigned) if chain > 0 => {
                let digest = const_hex::encode_prefixed(unsigned.signing_digest().0);
                assert_eq!(digest, text(&case, "digest"), "{}", text(&case, "name"));
                tally.pass();
            }
            Ok(_) => panic!("{} has no chain and was parsed", text(&case, "name")),
            Err(_) if chain == 0 => tally.reject(),
            Err(error) => tally.leave_out(error.to_string().chars().take(60).collect::<String>()),
        }
    }
    tally.close("ethers EIP-712", 530, 480);
}

#[test]
fn wallets_derive_as_ethers_does() {
    let mut tally = Tally::default();
    for case in cases("hdnode") {
        if text(&case, "locale") != "en" {
            tally.leave_out("a word list other than English: the product writes English words only");
            continue;
        }
        let mnemonic = Mnemonic::from_words(text(&case, "mnemonic")).unwrap();
        let password = case.get("password").and_then(Value::as_str).unwrap_or_default();
        if !password.is_ascii() {
            tally.leave_out("a BIP-39 passphrase outside ASCII: the product's seeds have none at all");
            continue;
        }
        let seed = mnemonic.seed(password);
        assert_eq!(seed.expose().as_slice(), bytes(&case, "seed"), "{}", text(&case, "name"));
        tally.pass();
        case["hdnodes"].as_array().unwrap().iter().for_each(|node| derive(&mut tally, &seed, node));
    }
    tally.close("ethers HD nodes", 1_000, 0);
}

fn derive(tally: &mut Tally, seed: &Secret<[u8; 64]>, node: &Value) {
    let Some(index) = text(node, "path").strip_prefix("m/44'/60'/0'/0/") else {
        return tally.leave_out("a path outside m/44'/60'/0'/0: no key of the product lives there");
    };
    let Ok(index) = index.parse() else {
        return tally.leave_out("a path below or beside an address: no key of the product lives there");
    };
    let child = HdRoot::from_seed(seed).unwrap().ethereum().unwrap().account(index).unwrap();
    assert_eq!(child.scalar().expose().as_slice(), bytes(node, "privateKey"));
    let (_, address) = account(text(node, "privateKey"));
    assert_eq!(address, text(node, "address").parse::<Address>().unwrap());
    tally.pass();
}

/// What people are shown of an amount. ethers writes `1.0` where there is no fraction; here it is `1`.
#[test]
fn amounts_are_shown_as_ethers_shows_them() {
    let mut tally = Tally::default();
    let units = [("kwei", 3), ("mwei", 6), ("gwei", 9), ("szabo", 12), ("finney", 15), ("ether", 18)];
    for case in cases("units") {
        for (unit, decimals) in units {
            let Some(shown) = case.get(format!("{unit}_format")).and_then(Value::as_str) else { continue };
            match text(&case, "wei").parse::<Amount>() {
                Ok(amount) => {
                    let expected = shown.strip_suffix(".0").unwrap_or(shown);
                    assert_eq!(amount.with_decimals(decimals), expected, "{}", text(&case, "name"));
                    tally.pass();
                }
                Err(_) if text(&case, "wei").starts_with('-') => tally.reject(),
                Err(error) => tally.leave_out(error),
            }
        }
    }
    tally.close("ethers units", 10, 0);
}

/// Each of the 2,048 words: the first eleven bits of entropy choose it.
#[test]
fn the_english_words_are_those_of_ethers() {
    let mut tally = Tally::default();
    for case in cases("wordlists") {
        if text(&case, "locale") != "en" {
            tally.leave_out("a word list other than English: the product writes English words only");
            continue;
        }
        for (index, word) in text(&case, "content").lines().enumerate() {
            let mut entropy = [0; 32];
            entropy[..2].copy_from_slice(&(u16::try_from(index).unwrap() << 5).to_be_bytes());
            let words = Mnemonic::from_entropy(&entropy).unwrap().words();
            assert_eq!(words.expose().split(' ').next(), Some(word));
            tally.pass();
        }
    }
    tally.close("ethers word lists", 2_048, 0);
}

/// Encrypted wallet files of other programs: a key comes from the enclave, and nothing reads these.
#[test]
fn wallet_files_of_other_programs_are_not_read() {
    let mut tally = Tally::default();
    for case in cases("wallets") {
        let kind = text(&case, "type");
        tally.leave_out(format!(
            "a {kind} file: keys are born in the enclave, and no file of another program is read"
        ));
    }
    tally.close("ethers wallets", 0, 0);
}

/// The document that a wallet is given: ethers keeps the domain's type implicit.
fn document(case: &Value) -> Value {
    let known = [
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
        ("salt", "bytes32"),
    ];
    let domain = case["domain"].as_object().unwrap();
    let fields = known.iter().filter(|(name, _)| domain.contains_key(*name));
    let mut types: Map<String, Value> = case["types"].as_object().unwrap().clone();
    types.insert(
        "EIP712Domain".into(),
        fields.map(|(name, kind)| json!({ "name": name, "type": kind })).collect(),
    );
    json!({ "types": types, "domain": domain, "primaryType": case["primaryType"], "message": case["data"] })
}

fn signed(unsigned: &Unsigned, key: &SecretKey) -> Vec<u8> {
    let message = Message::from_digest(unsigned.signing_digest().0);
    let (parity, rs) = Secp256k1::new().sign_ecdsa_recoverable(message, key).serialize_compact();
    let (r, s) = (B256::from_slice(&rs[..32]), B256::from_slice(&rs[32..]));
    assemble(unsigned, r, s, i32::from(parity) == 1).unwrap().raw.to_vec()
}

fn account(secret: &str) -> (SecretKey, Address) {
    let key = SecretKey::from_byte_array(const_hex::decode_to_array(secret).unwrap()).unwrap();
    let point = PublicKey::from_secret_key(&Secp256k1::new(), &key).serialize_uncompressed();
    (key, Address::from_word(keccak256(&point[1..])))
}

/// A number, as ethers writes them: JSON, decimal or hex text.
fn number(value: &Value) -> u64 {
    match value {
        Value::String(text) => match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
            None => text.parse().unwrap(),
        },
        other => other.as_u64().unwrap(),
    }
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{case} has no {field}"))
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    const_hex::decode(text(case, field)).unwrap()
}

fn cases(set: &str) -> Vec<Value> {
    let file = npm_package("@ethersproject/testcases").join(format!("testcases/{set}.json.gz"));
    let output = Command::new("gzip").arg("-dc").arg(&file).output().unwrap();
    assert!(output.status.success(), "{} does not unpack", file.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

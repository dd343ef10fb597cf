//! The test cases of ethers (`@ethersproject/testcases`): transactions, EIP-712, HD wallets.

use std::process::Command;

use alloy_primitives::{Address, B256, keccak256};
use keystead_base::Secret;
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
            Err(error) => tally.leave_out(error.to_string()),
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

//! Transactions of every action, with what they do, and such as are refused; `specs/check_near.py` says the same of each.

use keystead_base::Coded as _;
use keystead_quantum::{QuantumNode, Scheme};
use serde_json::{Value, json};

use crate::{Action, Effect, EffectKind, Permission, PublicKey, Refusal, Transaction, explain};

/// The transfer that near-api-js and wallet-core test with, and the hash that both name.
const PUBLISHED: &str = "09000000746573742e6e65617200917b3d268d4b58f7fec1b150bd68d69be3ee5d4cc39855e341538465bb77860d01000000000000000d00000077686174657665722e6e6561720fa473fd26901df296be6adc4cc4df34d040efa2435224b6986910e630c2fef6010000000301000000000000000000000000000000";
const PUBLISHED_HASH: &str = "eea6e680f3ea51a7f667e9a801d0bfadf66e03d41ed54975b3c6006351461b32";

fn node() -> QuantumNode {
    QuantumNode::master(&[7; 64])
}

fn ours() -> PublicKey {
    PublicKey::MlDsa65(node().key(Scheme::MlDsa65, 0, 0).unwrap().public().clone())
}

/// Another scheme's: short, for what does not depend on the signer's key.
fn other() -> PublicKey {
    PublicKey::Ed25519([6; 32])
}

fn bytes(key: &PublicKey, actions: &[Action]) -> Vec<u8> {
    let mut out = Vec::new();
    crate::reader::write_bytes(&mut out, b"vault.near");
    key.write(&mut out);
    out.extend(9_u64.to_le_bytes());
    crate::reader::write_bytes(&mut out, b"usdt.tether-token.near");
    out.extend([8; 32]);
    out.extend(u32::try_from(actions.len()).unwrap().to_le_bytes());
    actions.iter().for_each(|it| it.write(&mut out));
    out
}

fn call(method: &str, args: &str, deposit: u128) -> Action {
    let (method, args) = (method.to_owned(), args.as_bytes().to_vec());
    Action::FunctionCall { method, args, gas: 30_000_000_000_000, deposit }
}

fn read() -> Vec<(&'static str, Vec<u8>)> {
    let one = |action: Action| bytes(&other(), &[action]);
    let add = |key, permission| one(Action::AddKey { key, nonce: 0, permission });
    let limited = |allowance| Permission::FunctionCall {
        allowance,
        receiver: "app.near".to_owned(),
        methods: vec!["play".to_owned(), "stop".to_owned()],
    };
    let transfer = Action::Transfer { deposit: 10_u128.pow(24) };
    vec![
        ("the published transfer", const_hex::decode(PUBLISHED).unwrap()),
        ("a transfer", bytes(&ours(), std::slice::from_ref(&transfer))),
        ("the most", one(Action::Transfer { deposit: u128::MAX })),
        ("a token", one(call("ft_transfer", r#"{"receiver_id":"bob.near","amount":"1500000"}"#, 1))),
        (
            "a token with a memo",
            one(call("ft_transfer", r#"{"amount":"1","memo":"m","receiver_id":"bob.near"}"#, 1)),
        ),
        (
            "a token without its coin",
            one(call("ft_transfer", r#"{"receiver_id":"bob.near","amount":"1"}"#, 0)),
        ),
        (
            "a token twice",
            one(call("ft_transfer", r#"{"receiver_id":"bob.near","amount":"1","amount":"9"}"#, 1)),
        ),
        (
            "a token and more",
            one(call("ft_transfer", r#"{"receiver_id":"bob.near","amount":"1","to":"eve.near"}"#, 1)),
        ),
        ("a token's number", one(call("ft_transfer", r#"{"receiver_id":"bob.near","amount":1}"#, 1))),
        ("a token's zeros", one(call("ft_transfer", r#"{"receiver_id":"bob.near","amount":"01"}"#, 1))),
        ("a token to nobody", one(call("ft_transfer", r#"{"receiver_id":"Bob.near","amount":"1"}"#, 1))),
        (
            "a token and a call",
            one(call("ft_transfer_call", r#"{"receiver_id":"bob.near","amount":"1","msg":""}"#, 1)),
        ),
        ("another call", one(call("withdraw", "", 5))),
        ("a full key", add(ours(), Permission::FullAccess)),
        ("a limited key", add(other(), limited(Some(5)))),
        ("a limited key without an end", add(other(), limited(None))),
        ("a key leaves", one(Action::DeleteKey { key: PublicKey::Secp256k1([4; 64]) })),
        ("code", one(Action::DeployContract { code: vec![0, 0x61, 0x73, 0x6d] })),
        ("a stake", one(Action::Stake { stake: 3, key: PublicKey::Ed25519([3; 32]) })),
        ("the end", one(Action::DeleteAccount { beneficiary: "eve.near".parse().unwrap() })),
        ("several", bytes(&ours(), &[Action::CreateAccount, transfer, Action::DeleteKey { key: ours() }])),
    ]
}

fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let good = bytes(&other(), &[Action::Transfer { deposit: 1 }]);
    let spoiled = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        bad
    };
    let last = good.len() - 17;
    vec![
        ("nothing", vec![]),
        ("half", good[..good.len() / 2].to_vec()),
        ("signed", [good.as_slice(), &[2], &[0; 3309]].concat()),
        ("version 1", [&[1], good.as_slice()].concat()),
        ("a capital", spoiled(4, b'V')),
        ("two dots", spoiled(10, b'.')),
        ("no UTF-8", spoiled(5, 0xff)),
        ("a hashed key", spoiled(14, 3)),
        ("a delegated action", spoiled(last, 8)),
        ("a gas key", spoiled(last, 12)),
        ("no action", bytes(&other(), &[])),
        ("too many", bytes(&other(), &vec![Action::CreateAccount; 101])),
        ("the end for itself", {
            let beneficiary = "usdt.tether-token.near".parse().unwrap();
            bytes(&other(), &[Action::DeleteAccount { beneficiary }])
        }),
        ("a permission", {
            let full = Action::AddKey { key: other(), nonce: 0, permission: Permission::FullAccess };
            let mut bad = bytes(&other(), &[full]);
            *bad.last_mut().unwrap() = 2;
            bad
        }),
        ("a name of one letter", [&[1, 0, 0, 0, b'a'], &good[14..]].concat()),
    ]
}

fn shown(Effect { action, kind }: &Effect) -> Value {
    let what = match kind {
        EffectKind::Transfer { to, amount } => json!({"transfer": [to.as_str(), amount.to_string()]}),
        EffectKind::TokenTransfer { token, to, amount } => {
            json!({"token_transfer": [token.as_str(), to.as_str(), amount.to_string()]})
        }
        EffectKind::AccountCreated { account } => json!({"account_created": [account.as_str()]}),
        EffectKind::KeyAdded { account, key, permission } => {
            let may = match permission {
                Permission::FullAccess => json!("everything"),
                Permission::FunctionCall { allowance, receiver, methods } => {
                    json!([receiver, methods, allowance.map(|it| it.to_string())])
                }
            };
            json!({"key_added": [account.as_str(), key.listed(), may]})
        }
        EffectKind::KeyDeleted { account, key } => json!({"key_deleted": [account.as_str(), key.listed()]}),
        EffectKind::CodeReplaced { account, code } => json!({"code_replaced": [account.as_str(), code]}),
        EffectKind::Staked { amount } => json!({"staked": [amount.to_string()]}),
        EffectKind::AccountDeleted { account, beneficiary } => {
            json!({"account_deleted": [account.as_str(), beneficiary.as_str()]})
        }
        EffectKind::Opaque { contract, method, deposit, reason } => {
            json!({"opaque": [contract.as_str(), method, deposit.to_string(), reason.as_str()]})
        }
    };
    json!({"action": action, "kind": what, "class": kind.class().as_str()})
}

fn examples() -> Value {
    let good = read().into_iter().map(|(name, bytes)| {
        let it = Transaction::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let effects: Vec<Value> = explain(&it).iter().map(shown).collect();
        json!({"name": name, "transaction": const_hex::encode(&bytes), "hash": it.hash(), "signer": it.signer().as_str(),
            "key": it.key().listed(), "nonce": it.nonce(), "receiver": it.receiver().as_str(), "effects": effects})
    });
    let bad = refused().into_iter().map(|(name, bytes)| {
        let code = Transaction::read(&bytes).unwrap_err().code();
        json!({"name": name, "transaction": const_hex::encode(&bytes), "refused": code})
    });
    good.chain(bad).collect()
}

/// `KEYSTEAD_BLESS=1` writes them anew.
#[test]
fn s02_the_examples_hold_and_the_page_alone_reads_them_alike() {
    let specs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs");
    let path = format!("{specs}/examples/near.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&examples()).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(stored, examples());
    let output =
        std::process::Command::new("python3").arg(format!("{specs}/check_near.py")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("36 transactions, 0 wrong"), "{text}");
}

#[test]
fn the_published_transfer_has_the_published_hash() {
    let it = Transaction::read(&const_hex::decode(PUBLISHED).unwrap()).unwrap();
    assert_eq!(it.hash().to_string(), PUBLISHED_HASH);
    assert_eq!(it.key().to_string(), "ed25519:Anu7LYDfpLtkP7E16LT9imXF694BdQaa9ufVkQiwTQxC");
    assert_eq!(it.signing_key(), Err(Refusal::Signer));
}

#[test]
fn s07_a_signature_joins_only_what_it_is_over() {
    let key = node().key(Scheme::MlDsa65, 0, 0).unwrap();
    let it = Transaction::read(&bytes(&ours(), &[Action::Transfer { deposit: 1 }])).unwrap();
    let signature = key.sign(it.hash().as_bytes()).unwrap();
    let signed = it.assemble(&signature).unwrap();
    assert_eq!(signed.len(), bytes(&ours(), &[Action::Transfer { deposit: 1 }]).len() + 1 + 3309);
    assert!(Transaction::read(&signed).is_err(), "a signed one is not signed again");
    let other = Transaction::read(&bytes(&ours(), &[Action::Transfer { deposit: 2 }])).unwrap();
    assert_eq!(other.assemble(&signature), Err(Refusal::Signature));
    let stranger = node().key(Scheme::MlDsa65, 0, 1).unwrap();
    assert_eq!(it.assemble(&stranger.sign(it.hash().as_bytes()).unwrap()), Err(Refusal::Signature));
    // The hash is what is signed, not the bytes.
    assert_eq!(
        it.assemble(&key.sign(&bytes(&ours(), &[Action::Transfer { deposit: 1 }])).unwrap()),
        Err(Refusal::Signature)
    );
}

#[test]
fn s02_what_is_cut_or_longer_is_refused() {
    for (name, bytes) in read().into_iter().filter(|(_, bytes)| bytes.len() < 3_000) {
        assert!((0..bytes.len()).step_by(7).all(|cut| Transaction::read(&bytes[..cut]).is_err()), "{name}");
        assert_eq!(
            Transaction::read(&[bytes.as_slice(), &[0]].concat()),
            Err(Refusal::Trailing { found: 1 })
        );
    }
    let long = vec![0; crate::MAX_TRANSACTION_BYTES + 1];
    assert_eq!(Transaction::read(&long).unwrap_err().code(), "near.too_long");
}

#[test]
fn s02_arguments_of_another_form_and_a_name_of_65_letters_are_none() {
    let listed = r#"["bob.near","1"]"#;
    for args in [r#"{"receiver_id":"bob.near","amount":"+1"}"#, listed] {
        let it = Transaction::read(&bytes(&other(), &[call("ft_transfer", args, 1)])).unwrap();
        assert!(matches!(explain(&it)[0].kind, EffectKind::Opaque { .. }), "{args}");
    }
    assert!("a".repeat(64).parse::<crate::AccountId>().is_ok());
    assert!("a".repeat(65).parse::<crate::AccountId>().is_err());
}

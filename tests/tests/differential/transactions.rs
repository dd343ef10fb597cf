//! Transactions and authorizations: built and signed here, by ethers 6 and by eth-account, byte for byte the same (S2, S8).

use std::sync::LazyLock;

use alloy_consensus::{
    EthereumTxEnvelope, SignableTransaction as _, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use keystead_base::Amount;
use keystead_chain::{Payload, Transaction, Unsigned, assemble, build};
use keystead_intent::{Action, ChainId, ContractCall, GasTerms, MAX_EIP155_CHAIN, RawEthereum};
use keystead_tests::world::hot;
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};
use serde_json::{Value, json};

use crate::books::{Books, Reason, Word};
use crate::dice::{Dice, TRANSACTIONS, cases};
use crate::other::both;
use crate::spoiled;

/// What we refuse and others take.
const OURS: &[Reason] = &[
    ("the tip per gas is at most", "no block takes a tip above the ceiling (EIP-1559)"),
    ("for chain id 0x0, expected", "an authorization for chain 0 is good on every chain (S8)"),
    ("the payload is for chain id", "another chain than the one that is asked for (S8)"),
    ("the payload names no chain", "a transaction for every chain (S8)"),
    ("not the canonical encoding", "two encodings of one transaction would be two payloads (S2)"),
    ("is not RLP of its form", "numbers beyond their size, lists of another shape (EIP-2718 payloads)"),
    ("a blob transaction names", "no blob, or a hash of another version (EIP-4844)"),
    ("carries at least one authorization", "no chain takes it (EIP-7702)"),
    ("no signable form begins with", "bytes before or instead of a type"),
];
/// What ethers refuses and we take.
const ETHERS: &[Reason] = &[
    ("overflow", "a nonce from 2^53 on is no safe number of JavaScript"),
    (
        "invalid yParity",
        "an authorization that nobody signed, which a chain skips (EIP-7702), and our effects with it",
    ),
];
const ETH_ACCOUNT: &[Reason] = &[];

/// A case: what is asked here, and of others.
struct Case {
    ours: Word,
    /// What ethers should say of it.
    asked: Value,
}

#[test]
fn s02_random_transactions_have_the_bytes_and_signatures_of_ethers_and_eth_account() {
    let mut dice = Dice::of("transactions");
    let drawn: Vec<Case> = (0..cases(TRANSACTIONS)).map(|_| case(&mut dice)).collect();
    let asked: Vec<Value> = drawn.iter().map(|it| it.asked.clone()).collect();
    let [ethers, eth_account] = both("transactions", &asked);
    let (mut with_ethers, mut with_python) =
        (Books::with("ethers 6", OURS, ETHERS), Books::with("eth-account", OURS, ETH_ACCOUNT));
    for ((case, ethers), python) in drawn.iter().zip(&ethers).zip(&eth_account) {
        with_ethers.compare(&case.ours, &word(ethers, &ETHERS_SAYS), &case.asked);
        if case.asked.get("spoiled").is_none() {
            let few = case.ours.clone().map(|all| fewer(&all, &case.asked));
            let says = if case.asked["kind"] == "authorization" { &SIGNED[..] } else { &SENT[..] };
            with_python.compare(&few, &word(python, says), &case.asked);
        }
    }
    with_ethers.close(drawn.len() / 2, 1);
    with_python.close(drawn.len() / 2, 0);
}

/// What ethers says of a case, in this order; what it does not say is not there.
const ETHERS_SAYS: [&str; 6] = ["word", "preimage", "digest", "raw", "hash", "from"];
/// What eth-account says of a transaction.
const SENT: [&str; 3] = ["raw", "hash", "from"];
/// What it says of an authorization.
const SIGNED: [&str; 2] = ["digest", "signature"];

fn word(said: &Value, names: &[&str]) -> Word {
    match said["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(names.iter().filter_map(|it| said[*it].as_str()).collect::<Vec<_>>().join(" ")),
    }
}

/// Of all that we say, what eth-account says too.
fn fewer(all: &str, asked: &Value) -> String {
    let said: Vec<&str> = all.split(' ').collect();
    match (&said[..], asked["kind"] == "authorization") {
        ([digest, _, _], true) => format!("{digest} {}", asked["signature"].as_str().expect("a signature")),
        ([_, _, raw, hash, from], false) => format!("{raw} {hash} {from}"),
        _ => panic!("{all}"),
    }
}

fn case(dice: &mut Dice) -> Case {
    let key = SecretKey::from_byte_array(dice.array()).expect("a scalar");
    let chain = ChainId(match dice.below(4) {
        0 => 1 + dice.next() % MAX_EIP155_CHAIN,
        _ => 1 + dice.next() % 100_000,
    });
    match dice.below(8) {
        0 => authorization(dice, &key, chain),
        1 | 2 => spoil(dice, &key, chain),
        kind => sent(dice, &key, chain, kind),
    }
}

fn sent(dice: &mut Dice, key: &SecretKey, chain: ChainId, kind: usize) -> Case {
    let transaction = transaction(dice, chain, kind);
    let account = address(key);
    let raw = signed(&transaction, key);
    let ours = build(&action(&transaction, chain), account).map_err(|error| error.to_string());
    let ours = ours.map(|unsigned| {
        let (digest, preimage) = (unsigned.signing_digest().0, unsigned.signing_preimage());
        let (r, s, odd) = sign(digest, key);
        let done = assemble(&unsigned, r, s, odd).expect("our own signature");
        let hash = hex(done.hash.expect("a transaction").as_slice());
        [hex(&preimage), hex(&digest), hex(&done.raw), hash, hex(account.as_slice())].join(" ")
    });
    let mut asked = fields(&transaction);
    asked["key"] = hex(&key.secret_bytes()).into();
    asked["raw"] = hex(&raw).into();
    Case { ours, asked }
}

fn authorization(dice: &mut Dice, key: &SecretKey, chain: ChainId) -> Case {
    let (delegate, nonce) = (dice.address(), nonce(dice));
    let named = if dice.once_in(20) { 0 } else { chain.0 };
    let it = Authorization { chain_id: U256::from(named), address: delegate, nonce };
    let mut preimage = vec![0x05];
    alloy_rlp::Encodable::encode(&it, &mut preimage);
    let raw = RawEthereum { account: hot(), chain, preimage: preimage.into() };
    let digest = it.signature_hash().0;
    let (r, s, odd) = sign(digest, key);
    let ours = build(&Action::RawEthereum(raw), address(key)).map_err(|error| error.to_string());
    let ours = ours.map(|unsigned| {
        assert_eq!(unsigned.signing_digest().0, digest);
        let done = assemble(&unsigned, r, s, odd).expect("our own signature");
        [hex(&digest), hex(&done.raw), hex(address(key).as_slice())].join(" ")
    });
    let (key, to) = (hex(&key.secret_bytes()), delegate.to_string());
    let signature = hex(&[r.as_slice(), s.as_slice(), &[u8::from(odd)]].concat());
    let asked = json!({ "kind": "authorization", "chainId": named, "nonce": nonce, "to": to, "key": key, "signature": signature });
    Case { ours, asked }
}

/// The bytes of a transaction with a few of them changed: whoever still reads it has the same to sign.
fn spoil(dice: &mut Dice, key: &SecretKey, chain: ChainId) -> Case {
    let kind = 3 + dice.below(5);
    let whole = transaction(dice, chain, kind).encoded_for_signing();
    let spoiled = spoiled::bytes(dice, whole);
    let ours = Unsigned::parse(address(key), chain, Payload::Transaction(spoiled.clone().into()));
    let ours = ours.map(|it| hex(&it.signing_digest().0)).map_err(|error| error.to_string());
    Case { ours, asked: json!({ "spoiled": hex(&spoiled) }) }
}

/// What a client would ask for: a call where the form has nothing else, and the bytes for the rest.
fn action(transaction: &Transaction, chain: ChainId) -> Action {
    match transaction {
        Transaction::Eip1559(it) if it.access_list.is_empty() && it.to.is_call() => {
            let gas = GasTerms {
                nonce: it.nonce,
                gas_limit: it.gas_limit,
                max_fee_per_gas: it.max_fee_per_gas,
                max_priority_fee_per_gas: it.max_priority_fee_per_gas,
            };
            let (value, to) = (Amount(it.value), *it.to.to().expect("a call"));
            Action::ContractCall(ContractCall {
                account: hot(),
                chain,
                to,
                value,
                data: it.input.clone(),
                gas,
            })
        }
        _ => {
            let preimage = transaction.encoded_for_signing().into();
            Action::RawEthereum(RawEthereum { account: hot(), chain, preimage })
        }
    }
}

fn transaction(dice: &mut Dice, chain: ChainId, kind: usize) -> Transaction {
    let (chain_id, nonce, gas_limit) = (chain.0, nonce(dice), word64(dice, 64));
    let to = if dice.once_in(6) { TxKind::Create } else { TxKind::Call(dice.address()) };
    let (value, input) = (dice.number(256), input(dice));
    let max_fee_per_gas = wide(dice, 128);
    let max_priority_fee_per_gas =
        if dice.once_in(40) { max_fee_per_gas.saturating_add(1) } else { max_fee_per_gas / 3 };
    let access_list = access_list(dice);
    match kind {
        3 => {
            let (chain_id, gas_price) = (Some(chain_id), max_fee_per_gas);
            Transaction::Legacy(TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input })
        }
        4 => {
            let gas_price = max_fee_per_gas;
            let it = TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input };
            Transaction::Eip2930(it)
        }
        5 => Transaction::Eip1559(TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            input,
        }),
        6 => {
            let blob_versioned_hashes = (0..1 + dice.below(6)).map(|_| blob(dice)).collect();
            let (to, max_fee_per_blob_gas) = (dice.address(), wide(dice, 128));
            Transaction::Eip4844(TxEip4844 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                blob_versioned_hashes,
                max_fee_per_blob_gas,
                input,
            })
        }
        _ => {
            let authorization_list = (0..1 + dice.below(3)).map(|_| listed(dice, chain)).collect();
            let to = dice.address();
            Transaction::Eip7702(TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                authorization_list,
                input,
            })
        }
    }
}

fn listed(dice: &mut Dice, chain: ChainId) -> SignedAuthorization {
    let chain_id = U256::from(if dice.once_in(30) { 0 } else { chain.0 });
    let it = Authorization { chain_id, address: dice.address(), nonce: nonce(dice) >> 12 };
    let key = SecretKey::from_byte_array(dice.array()).expect("a scalar");
    let (r, s, odd) = sign(it.signature_hash().0, &key);
    it.into_signed(Signature::new(r.into(), s.into(), odd))
}

/// The fields by the names that clients have for them.
fn fields(transaction: &Transaction) -> Value {
    use alloy_consensus::Transaction as _;
    let to = transaction.to().map(|it| it.to_string());
    let list = |list: &AccessList| -> Value {
        list.0
            .iter()
            .map(|it| json!({ "address": it.address.to_string(), "storageKeys": it.storage_keys }))
            .collect()
    };
    let signed = |it: &SignedAuthorization| {
        json!({ "chainId": quantity(it.chain_id), "address": it.address.to_string(), "nonce": quantity(it.nonce),
            "yParity": it.y_parity(), "r": quantity(it.r()), "s": quantity(it.s()) })
    };
    let kind = u8::from(transaction.tx_type());
    let mut fields = json!({
        "type": kind, "chainId": quantity(transaction.chain_id().unwrap_or_default()), "nonce": quantity(transaction.nonce()),
        "gas": quantity(transaction.gas_limit()), "to": to, "value": quantity(transaction.value()), "data": hex(transaction.input()),
    });
    match kind {
        0 | 1 => fields["gasPrice"] = quantity(transaction.max_fee_per_gas()).into(),
        _ => {
            fields["maxFeePerGas"] = quantity(transaction.max_fee_per_gas()).into();
            fields["maxPriorityFeePerGas"] =
                quantity(transaction.max_priority_fee_per_gas().unwrap_or_default()).into();
        }
    }
    if let Some(it) = transaction.access_list() {
        fields["accessList"] = list(it);
    }
    if let Some(hashes) = transaction.blob_versioned_hashes() {
        fields["blobVersionedHashes"] = json!(hashes);
        fields["maxFeePerBlobGas"] = quantity(transaction.max_fee_per_blob_gas().unwrap_or_default()).into();
    }
    if let Some(authorizations) = transaction.authorization_list() {
        fields["authorizationList"] = authorizations.iter().map(signed).collect();
    }
    fields
}

/// Below the last one, which nobody can use; most within what JavaScript counts exactly.
fn nonce(dice: &mut Dice) -> u64 {
    match dice.once_in(20) {
        true => word64(dice, 64).min(u64::MAX - 1),
        false => word64(dice, 53),
    }
}

fn access_list(dice: &mut Dice) -> AccessList {
    let items = (0..dice.below(3)).map(|_| AccessListItem {
        address: dice.address(),
        storage_keys: (0..dice.below(3)).map(|_| B256::from(dice.array::<32>())).collect(),
    });
    AccessList(items.collect())
}

fn blob(dice: &mut Dice) -> B256 {
    let mut hash: [u8; 32] = dice.array();
    hash[0] = 1;
    hash.into()
}

fn input(dice: &mut Dice) -> Bytes {
    let longest = *dice.pick(&[0, 1, 4, 60, 300]);
    let length = dice.below(longest + 1);
    dice.bytes(length).into()
}

fn word64(dice: &mut Dice, bits: usize) -> u64 {
    dice.number(bits).to()
}

fn wide(dice: &mut Dice, bits: usize) -> u128 {
    dice.number(bits).to()
}

fn signed(transaction: &Transaction, key: &SecretKey) -> Vec<u8> {
    let (r, s, odd) = sign(keccak256(transaction.encoded_for_signing()).0, key);
    let signature = Signature::new(r.into(), s.into(), odd);
    let envelope: EthereumTxEnvelope<_> = transaction.clone().into_envelope(signature);
    envelope.encoded_2718()
}

/// RFC 6979 and low s, as everybody signs.
fn sign(digest: [u8; 32], key: &SecretKey) -> (B256, B256, bool) {
    let (parity, rs) = CURVE.sign_ecdsa_recoverable(Message::from_digest(digest), key).serialize_compact();
    (B256::from_slice(&rs[..32]), B256::from_slice(&rs[32..]), i32::from(parity) == 1)
}

fn address(key: &SecretKey) -> Address {
    let point = PublicKey::from_secret_key(&CURVE, key).serialize_uncompressed();
    Address::from_word(keccak256(&point[1..]))
}

fn quantity(number: impl Into<U256Number>) -> String {
    format!("{:#x}", number.into().0)
}

/// Any of the widths that fields have.
struct U256Number(U256);

impl From<u64> for U256Number {
    fn from(it: u64) -> Self {
        Self(U256::from(it))
    }
}

impl From<u128> for U256Number {
    fn from(it: u128) -> Self {
        Self(U256::from(it))
    }
}

impl From<U256> for U256Number {
    fn from(it: U256) -> Self {
        Self(it)
    }
}

fn hex(bytes: &[u8]) -> String {
    const_hex::encode_prefixed(bytes)
}

static CURVE: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

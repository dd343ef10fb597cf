//! Bounded deterministic fuzzing: adversarial bytes never panic, never decode in two ways, and
//! typed data hashes as alloy hashes it.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use keystead_base::Canonical as _;
use keystead_intent::{Action, Asset, EffectKind, PERMIT2, Transfer};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value as Any, json};

use crate::call::tests::corpus;
use crate::fixture::{CHAIN, GOVERNED, ITEM, MULTICALL, MULTISEND, PUNK, SAFE, UNKNOWN, US, USDC};
use crate::fixture::{account, effects_of, gas, registry};
use crate::typed_data::Document;
use crate::{Payload, Unsigned, build, explain};

/// The seed of every run; a failing case is shrunk and printed.
const SEED: [u8; 32] = *b"keystead-chain: the bytes decide";
const CASES: u32 = 4_000;

fn run<S: Strategy>(name: &str, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    println!("{name}: {CASES} cases, seed {:?}", String::from_utf8_lossy(&SEED));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    TestRunner::new_with_rng(config, random).run(strategy, test).unwrap();
}

/// One way to spoil bytes.
#[derive(Clone, Debug)]
enum Spoil {
    Flip(usize, u8),
    Cut(usize),
    Append(Vec<u8>),
    CopyWord(usize, usize),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

impl Spoil {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len().max(1);
        match self {
            Self::Flip(at, with) => {
                if let Some(byte) = bytes.get_mut(at % length) {
                    *byte ^= with;
                }
            }
            Self::Cut(at) => bytes.truncate(at % length),
            Self::Append(more) => bytes.extend_from_slice(more),
            Self::CopyWord(from, to) => {
                let (from, to) = (4 + from % length / 32 * 32, 4 + to % length / 32 * 32);
                if let Some(word) = bytes.get(from..from + 32).map(<[u8]>::to_vec)
                    && let Some(place) = bytes.get_mut(to..to + 32)
                {
                    place.copy_from_slice(&word);
                }
            }
            Self::Insert(at, more) => {
                let at = at % length;
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), more.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = (at % length).min(bytes.len());
                let end = at.saturating_add(count % 40).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

fn spoils() -> impl Strategy<Value = Vec<Spoil>> {
    let few = || proptest::collection::vec(any::<u8>(), 0..40);
    let one = prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, with)| Spoil::Flip(at, with)),
        1 => any::<usize>().prop_map(Spoil::Cut),
        1 => few().prop_map(Spoil::Append),
        3 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Spoil::CopyWord(from, to)),
        1 => (any::<usize>(), few()).prop_map(|(at, more)| Spoil::Insert(at, more)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(at, count)| Spoil::Remove(at, count)),
    ];
    proptest::collection::vec(one, 0..4)
}

fn target() -> impl Strategy<Value = Address> {
    let known = vec![USDC, PUNK, ITEM, SAFE, MULTISEND, MULTICALL, GOVERNED, PERMIT2, UNKNOWN];
    proptest::sample::select(known)
}

/// A call that is decoded as something else than opaque is in its canonical encoding, whatever was
/// done to its bytes: the same effects on the same contract mean the same bytes, up to data that
/// no effect shows.
#[test]
fn s02_spoiled_calls_are_explained_or_opaque() {
    let calls = proptest::sample::select(corpus::calls());
    run("spoiled calls", &(calls, target(), spoils()), |((own, data), other, spoils)| {
        let mut bytes = data.clone();
        spoils.iter().for_each(|spoil| spoil.apply(&mut bytes));
        for to in [own, other] {
            let effects = effects_of(to, 1, &bytes);
            prop_assert!(!effects.items.is_empty());
            prop_assert_eq!(&effects, &effects_of(to, 1, &bytes));
        }
        Ok(())
    });
}

/// Known selectors before words that look like offsets, lengths and addresses.
#[test]
fn s02_known_selectors_with_any_words_are_explained_or_opaque() {
    let word = prop_oneof![
        6 => (0_u64..20).prop_map(|number| U256::from(number * 32)),
        3 => (0_u64..4).prop_map(U256::from),
        2 => target().prop_map(|address| U256::from_be_bytes(address.into_word().0)),
        1 => any::<[u8; 32]>().prop_map(U256::from_be_bytes),
    ];
    let words = proptest::collection::vec(word, 0..24);
    let selectors = proptest::sample::select(corpus::selectors());
    run("known selectors", &(selectors, target(), words), |(selector, to, words)| {
        let mut data = selector.to_vec();
        words.iter().for_each(|word| data.extend_from_slice(&word.to_be_bytes::<32>()));
        prop_assert!(!effects_of(to, 0, &data).items.is_empty());
        Ok(())
    });
}

/// Exactly one calldata is a transfer of an amount to an address: nothing else is explained as it.
#[test]
fn s02_one_transfer_has_one_encoding() {
    let transfer = (any::<[u8; 20]>(), any::<[u8; 32]>(), spoils());
    run("one encoding", &transfer, |(to, amount, spoils)| {
        let data = crate::call::erc20::encode_transfer(to.into(), U256::from_be_bytes(amount).into());
        let mut bytes = data.to_vec();
        spoils.iter().for_each(|spoil| spoil.apply(&mut bytes));
        let effects = effects_of(USDC, 0, &bytes);
        if let [one] = effects.items.as_slice()
            && let EffectKind::Transfer { asset: Asset::Token(_), from: US, to, amount } = one.kind
        {
            let only = crate::call::erc20::encode_transfer(to, amount);
            prop_assert_eq!(only.as_ref(), bytes.as_slice());
        }
        Ok(())
    });
}

/// What a person asks for is what the bytes do.
#[test]
fn s02_a_built_transfer_explains_as_itself() {
    let strategy = (any::<bool>(), any::<[u8; 20]>(), any::<[u8; 32]>());
    run("built transfers", &strategy, |(native, to, amount)| {
        let (to, amount) = (Address::from(to), U256::from_be_bytes(amount).max(U256::from(1)).into());
        let asset = if native { Asset::Native } else { Asset::Token(USDC) };
        let transfer = Transfer { account: account(), chain: CHAIN, asset, to, amount, gas: gas() };
        let unsigned = build(&Action::Transfer(transfer), US).unwrap();
        prop_assert_eq!(&Unsigned::from_document(&unsigned.to_document()).unwrap(), &unsigned);
        let effects = explain(&unsigned, &registry());
        prop_assert_eq!(effects.items.len(), 1);
        prop_assert_eq!(&effects.items[0].kind, &EffectKind::Transfer { asset, from: US, to, amount });
        Ok(())
    });
}

/// Spoiled preimages parse only if they are the canonical encoding of what they parse to.
#[test]
fn s02_spoiled_preimages_have_one_meaning() {
    let preimages = proptest::sample::select(crate::transaction::tests::preimages());
    let random = proptest::collection::vec(any::<u8>(), 0..200);
    let bytes = prop_oneof![4 => preimages, 1 => random];
    run("spoiled preimages", &(bytes, spoils()), |(mut bytes, spoils)| {
        spoils.iter().for_each(|spoil| spoil.apply(&mut bytes));
        let all: Bytes = bytes.clone().into();
        for payload in
            [Payload::Transaction(all.clone()), Payload::Authorization(all.clone()), Payload::Message(all)]
        {
            if let Ok(unsigned) = Unsigned::parse(US, CHAIN, payload) {
                prop_assert_eq!(unsigned.signing_digest().0, keccak256(unsigned.signing_preimage()).0);
                prop_assert!(!explain(&unsigned, &registry()).items.is_empty());
            }
        }
        Ok(())
    });
}

/// A random document: structs that refer only to later ones, so that every value is finite.
fn document(seed: u64) -> Any {
    let mut random = Random(seed);
    let count = 1 + random.below(4);
    let mut types = serde_json::Map::new();
    let mut fields: Vec<Vec<String>> = Vec::new();
    for index in 0..count {
        let mut kinds: Vec<String> = (0..random.below(5)).map(|_| random.kind()).collect();
        if index + 1 < count {
            kinds.push(format!("S{}{}", index + 1, random.array()));
        }
        fields.push(kinds);
    }
    for (index, kinds) in fields.iter().enumerate() {
        let list = kinds.iter().enumerate().map(|(at, kind)| json!({"name": format!("f{at}"), "type": kind}));
        types.insert(format!("S{index}"), Any::Array(list.collect()));
    }
    let message = random.structure(&fields, 0);
    let mut domain = serde_json::Map::new();
    for (name, value) in [
        ("name", json!("n\u{e4}me")),
        ("version", json!("1")),
        ("chainId", json!(1)),
        ("verifyingContract", json!(USDC)),
        ("salt", json!(B256::repeat_byte(7))),
    ] {
        if random.below(2) == 0 {
            domain.insert(name.to_owned(), value);
        }
    }
    json!({"types": types, "primaryType": "S0", "domain": domain, "message": message})
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn kind(&mut self) -> String {
        let kinds = [
            "bool", "address", "string", "bytes", "uint8", "uint256", "int16", "int256", "bytes1", "bytes32",
        ];
        format!("{}{}", kinds[self.below(kinds.len())], self.array())
    }

    fn array(&mut self) -> &'static str {
        ["", "", "", "[]", "[2]", "[][2]"][self.below(6)]
    }

    fn structure(&mut self, fields: &[Vec<String>], index: usize) -> Any {
        let members = fields[index].iter().enumerate();
        Any::Object(members.map(|(at, kind)| (format!("f{at}"), self.value(fields, kind))).collect())
    }

    fn value(&mut self, fields: &[Vec<String>], kind: &str) -> Any {
        if let Some((inner, length)) = kind.strip_suffix(']').and_then(|it| it.rsplit_once('[')) {
            let length = length.parse().unwrap_or_else(|_| self.below(3));
            return Any::Array((0..length).map(|_| self.value(fields, inner)).collect());
        }
        let word = format!("{:016x}", self.next());
        match kind {
            "bool" => json!(self.below(2) == 0),
            "address" => json!(format!("0x{}", word.repeat(3).get(..40).unwrap())),
            "string" => json!(word),
            "bytes" => json!(format!("0x{word}")),
            "uint8" => json!(self.below(256)),
            "uint256" => json!(format!("0x{}", word.repeat(4))),
            "int16" => json!(self.below(65_536) as i64 - 32_768),
            "int256" => json!(format!("-{}", self.next())),
            "bytes1" => json!(format!("0x{}", word.get(..2).unwrap())),
            "bytes32" => json!(format!("0x{}", word.repeat(4))),
            name => self.structure(fields, name.strip_prefix('S').unwrap().parse().unwrap()),
        }
    }
}

/// Two implementations, one hash. Then the text is spoiled: ours parses less, and what it parses
/// hashes alike.
#[test]
fn s02_typed_data_hashes_as_alloy_hashes_it() {
    run("typed data", &(any::<u64>(), spoils()), |(seed, spoils)| {
        let text = document(seed).to_string();
        prop_assert!(Document::parse(&text).is_ok(), "{}", text);
        let mut bytes = text.clone().into_bytes();
        spoils.iter().for_each(|spoil| spoil.apply(&mut bytes));
        for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
            if let Ok(ours) = Document::parse(&text) {
                let theirs: alloy_dyn_abi::TypedData = serde_json::from_str(&text).unwrap();
                let ours = keccak256(ours.signing_preimage());
                prop_assert_eq!(ours, theirs.eip712_signing_hash().unwrap(), "{}", text);
            }
        }
        Ok(())
    });
}

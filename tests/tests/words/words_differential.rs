//! The same descriptors, read by the library of one of the standard's authors: random calls say the same.
//!
//! `KEYSTEAD_SEED` chooses other calls, `KEYSTEAD_CASES` more of them.

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{Address, I256, U256, address, keccak256};
use clear_signing::{
    Descriptor, DisplayEntry, DisplayItem, ResolvedDescriptor, TransactionContext, WellKnownTokenSource,
    format_calldata, merge_descriptors,
};
use keystead_base::Amount;
use keystead_chain::{AddressBook, AssetIndex, Speaker, Unsigned, build};
use keystead_intent::{
    Action, Asset, AssetEntry, AssetKind, ChainId, ContractCall, ContractEntry, ContractKind,
};
use keystead_tests::root;
use keystead_tests::world::{gas, hot};
use keystead_words::{Language, Library};

const CHAIN: ChainId = ChainId(1);
const US: Address = Address::repeat_byte(0x11);
/// Every format that both sides have, on one function. The other one writes negative numbers as large ones, and coins
/// of the chain without their symbol, so that these are left out.
const EVERYTHING: &str = r#"{"$schema":"https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json","context":{"contract":{"deployments":[{"chainId":1,"address":"0x5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d"}]}},"metadata":{"owner":"Us","constants":{"usdc":"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"},"enums":{"mode":{"0":"none","1":"one","2":"two"}}},"display":{"formats":{"order(address who,uint256 amount,uint64 price,uint32 until,uint32 span,uint256 share,(uint8 mode,uint128[] parts) plan,bytes32 salt,int128 delta,bool ok,bytes route)":{"intent":"Order","interpolatedIntent":"Order {amount} for {who} until {until}","fields":[{"path":"who","label":"Who","format":"addressName"},{"path":"amount","label":"Amount","format":"tokenAmount","params":{"token":"$.metadata.constants.usdc","threshold":"0x8000000000000000000000000000000000000000000000000000000000000000","message":"All"}},{"path":"price","label":"Price","format":"raw"},{"path":"until","label":"Until","format":"date","params":{"encoding":"timestamp"}},{"path":"span","label":"Span","format":"duration"},{"path":"share","label":"Share","format":"unit","params":{"base":"%","decimals":2}},{"path":"plan.mode","label":"Mode","format":"enum","params":{"$ref":"$.metadata.enums.mode"}},{"path":"plan.parts.[0]","label":"First","format":"raw"},{"path":"plan.parts.[-1]","label":"Last","format":"raw"},{"path":"salt","label":"Salt","format":"raw"},{"path":"delta","label":"Delta","format":"raw"},{"path":"ok","label":"Ok","format":"raw"},{"path":"route.[0:4]","label":"Start","format":"raw"}]}}}}"#;
const ORDER: &str =
    "order(address,uint256,uint64,uint32,uint32,uint256,(uint8,uint128[]),bytes32,int128,bool,bytes)";
const USDC: Address = address!("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48");
const VAULT: Address = Address::repeat_byte(0x5d);

/// xorshift64*, so that a run is one number.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number of at most so many bits: small, large or the largest.
    fn number(&mut self, bits: usize) -> U256 {
        let words = [self.next(), self.next(), self.next(), self.next()];
        let used = match self.next() % 4 {
            0 => 2,
            1 => bits / 2,
            2 => return U256::MAX >> (256 - bits),
            _ => bits,
        };
        U256::from_limbs(words) >> (256 - used)
    }

    fn value(&mut self, kind: &DynSolType) -> DynSolValue {
        match kind {
            DynSolType::Address => DynSolValue::Address(Address::from_word(self.number(160).into())),
            DynSolType::Uint(bits) => {
                let bits_used = if *bits == 8 { 1 } else { *bits };
                DynSolValue::Uint(self.number(bits_used), *bits)
            }
            DynSolType::Int(bits) => {
                DynSolValue::Int(I256::try_from(self.number(bits - 1)).expect("it fits"), *bits)
            }
            DynSolType::Bool => DynSolValue::Bool(self.next().is_multiple_of(2)),
            DynSolType::FixedBytes(length) => {
                let mut word = self.number(256).to_be_bytes::<32>();
                word[*length..].fill(0);
                DynSolValue::FixedBytes(word.into(), *length)
            }
            DynSolType::Bytes => {
                let length = usize::try_from(4 + self.next() % 60).expect("small");
                DynSolValue::Bytes((0..length).map(|_| self.next() as u8).collect())
            }
            DynSolType::Array(inner) => {
                DynSolValue::Array((0..1 + self.next() % 3).map(|_| self.value(inner)).collect())
            }
            DynSolType::Tuple(kinds) => {
                DynSolValue::Tuple(kinds.iter().map(|kind| self.value(kind)).collect())
            }
            other => panic!("no {other:?} here"),
        }
    }

    /// A call of this signature, with tokens that both sides know.
    fn call(&mut self, signature: &str) -> Vec<u8> {
        let (name, kinds) = signature.split_at(signature.find('(').expect("a function"));
        let kind = DynSolType::parse(kinds).expect("types");
        let mut data = [&keccak256(signature)[..4], &self.value(&kind).abi_encode_params()].concat();
        let tokens: &[usize] = match name {
            "liquidationCall" => &[0, 1],
            "flashLoanSimple" => &[1],
            "supply" | "supplyWithPermit" | "deposit" | "withdraw" | "borrow" => &[0],
            "repay" | "repayWithPermit" | "repayWithATokens" | "setUserUseReserveAsCollateral" => &[0],
            _ => &[],
        };
        for place in tokens {
            data[4 + 32 * place..][..32].copy_from_slice(USDC.into_word().as_slice());
        }
        // A value that its list does not have takes our sentence away, as the standard wants it, and not theirs.
        if matches!(name, "borrow" | "repay" | "repayWithPermit" | "repayWithATokens") {
            data[4 + 32 * 2..][..32].copy_from_slice(&U256::from(1 + self.next() % 2).to_be_bytes::<32>());
        }
        data
    }
}

/// Tokens that the other library knows by itself.
fn registry(own: keystead_base::Digest) -> AssetIndex {
    let asset = |asset, symbol: &str, decimals| AssetEntry {
        chain: CHAIN,
        asset,
        symbol: symbol.to_owned(),
        decimals,
        kind: AssetKind::Fungible,
    };
    let token = |text: &str| Asset::Token(text.parse().expect("an address"));
    let assets = [
        asset(Asset::Native, "ETH", 18),
        asset(Asset::Token(USDC), "USDC", 6),
        asset(token("0xdAC17F958D2ee523a2206206994597C13D831ec7"), "USDT", 6),
        asset(token("0x6B175474E89094C44Da98b954EedeAC495271d0F"), "DAI", 18),
    ];
    let name = "vault".parse().expect("a name");
    let vault = ContractEntry { chain: CHAIN, address: VAULT, name, kind: ContractKind::Described(own) };
    AssetIndex::new(&assets, &[vault]).expect("a registry")
}

fn unsigned(to: Address, data: &[u8]) -> Unsigned {
    let (value, data) = (Amount::ZERO, data.to_vec().into());
    let call = ContractCall { account: hot(), chain: CHAIN, to, value, data, gas: gas(0) };
    build(&Action::ContractCall(call), US).expect("a call")
}

/// Labels and values as the other library has them, its sentence first; none of a moment that no calendar has.
async fn theirs(
    json: &str,
    to: Address,
    data: &[u8],
    tokens: &WellKnownTokenSource,
) -> Option<Vec<(String, String)>> {
    let address = to.to_string();
    let from = US.to_string();
    let descriptor = Descriptor::from_json(json).expect("a descriptor");
    let resolved = [ResolvedDescriptor { descriptor, chain_id: CHAIN.0, address: address.clone() }];
    let context = TransactionContext {
        chain_id: CHAIN.0,
        to: &address,
        calldata: data,
        value: None,
        from: Some(&from),
        implementation_address: None,
    };
    let outcome = format_calldata(&resolved, &context, tokens).await.ok()?;
    let model = outcome.model();
    let sentence = model.interpolated_intent.as_ref().unwrap_or(&model.intent);
    let sentence = [(String::new(), sentence.clone())].into_iter();
    let items = model.entries.iter().map(|entry| match entry {
        DisplayEntry::Item(DisplayItem { label, value }) => (label.clone(), value.clone()),
        other => panic!("a flat list: {other:?}"),
    });
    Some(sentence.chain(items).map(|(label, value)| (label, without_point(&value))).collect())
}

/// Nothing is 0 here, and 0.0 there.
fn without_point(value: &str) -> String {
    let words = value.split(' ').map(|word| match word.strip_prefix("0.0") {
        Some(unit) if !unit.starts_with(|it: char| it.is_ascii_digit()) => format!("0{unit}"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Ours in the same form: marks that only we make are taken off.
fn ours(library: &Library, registry: &AssetIndex, to: Address, data: &[u8]) -> Vec<(String, String)> {
    let book = AddressBook::default();
    let lines = library.words(&unsigned(to, data), &Speaker::new(CHAIN, registry, &book));
    let said = lines.iter().skip(1).filter_map(|line| line.strip_prefix("> "));
    let plain = said.map(|line| {
        line.replace(" NOT IN ADDRESS BOOK", "")
            .replace(" (as it is: its format does not fit)", "")
            .replace("NOBODY (the zero address)", &Address::ZERO.to_string())
    });
    let own = |line: &String| !line.contains("by the descriptor: ");
    let mut lines = plain.map(|line| line.replace(".000 UTC", " UTC")).filter(own);
    let sentence = lines.next().map(|it| (String::new(), it));
    let fields = lines.filter_map(|line| line.split_once(": ").map(|(a, b)| (a.to_owned(), b.to_owned())));
    sentence.into_iter().chain(fields).collect()
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn stored(name: &str) -> String {
    let path = root().join("crates/keystead-words/descriptors").join(name);
    std::fs::read_to_string(path).expect("a bundled descriptor")
}

#[tokio::test]
async fn s02_random_calls_say_the_same_as_in_another_implementation() {
    let seed = number("KEYSTEAD_SEED", 20_261_126);
    let cases = number("KEYSTEAD_CASES", 400);
    keystead_tests::tell(&format!("KEYSTEAD_SEED={seed}"));
    let (mut dice, mut compared, mut beyond) = (Dice(seed | 1), 0, 0);
    let mut library = Library::bundled(Language::English).unwrap();
    let registry = registry(library.add(EVERYTHING.as_bytes()).unwrap());
    let tokens = WellKnownTokenSource::new();
    let mut subjects = vec![(EVERYTHING.to_owned(), VAULT, ORDER.to_owned())];
    for (name, descriptor) in library.entries().filter(|(name, _)| name.ends_with(".json")) {
        let Some((_, to)) = descriptor.deployments().find(|(chain, _)| *chain == CHAIN) else { continue };
        if name.ends_with("-signed.json") {
            continue;
        }
        let text = match stored(&name) {
            text if text.contains("\"includes\"") => merge_descriptors(&text, &stored("erc20.json")).unwrap(),
            text => text,
        };
        subjects.extend(descriptor.described().map(|it| (text.clone(), to, it.to_owned())));
    }
    for (json, to, signature) in &subjects {
        for _ in 0..cases {
            let data = dice.call(signature);
            let ours = ours(&library, &registry, *to, &data);
            match theirs(json, *to, &data, &tokens).await {
                Some(theirs) => assert_eq!(ours, theirs, "{signature} {}", const_hex::encode(&data)),
                None => beyond += 1,
            }
            compared += 1;
        }
    }
    assert!(beyond * 10 < compared * 3, "{beyond} of {compared} calls are read by us alone");
    keystead_tests::tell(&format!(
        "{compared} calls of {} functions, {beyond} of them with moments beyond any calendar",
        subjects.len()
    ));
}

//! What people read of calls and messages, through the library, from the bytes that would be signed.

use alloy_primitives::{Address, Bytes, U256, address, keccak256};
use keystead_base::Amount;
use keystead_chain::{AddressBook, AssetIndex, Payload, Speaker, Unsigned, build};
use keystead_intent::{
    AccountRef, Action, Asset, AssetEntry, AssetKind, ChainId, ContractCall, ContractEntry, ContractKind,
    GasTerms, PERMIT2,
};

use crate::kind::Function;
use crate::{Descriptor, Language, Library, descriptor_digest};

const CHAIN: ChainId = ChainId(1);
const US: Address = Address::repeat_byte(0x11);
const ALICE: Address = Address::repeat_byte(0xa1);
const MALLORY: Address = Address::repeat_byte(0x66);
const SAFE: Address = Address::repeat_byte(0x5a);
const VAULT: Address = Address::repeat_byte(0x5d);
const TOKEN: Address = Address::repeat_byte(0x20);
const USDC: Address = address!("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48");
const DAI: Address = address!("6B175474E89094C44Da98b954EedeAC495271d0F");
const POOL: Address = address!("87870Bca3F3fD6335C3F4ce8392D69350B4fA4E2");

fn registry(own: Option<&str>) -> AssetIndex {
    let asset = |asset, symbol: &str, decimals| AssetEntry {
        chain: CHAIN,
        asset,
        symbol: symbol.to_owned(),
        decimals,
        kind: AssetKind::Fungible,
    };
    let contract = |address, name: &str, kind| ContractEntry {
        chain: CHAIN,
        address,
        name: name.parse().unwrap(),
        kind,
    };
    let described =
        own.map(|text| contract(VAULT, "vault", ContractKind::Described(descriptor_digest(text.as_bytes()))));
    let contracts: Vec<_> =
        [contract(SAFE, "safe", ContractKind::Safe)].into_iter().chain(described).collect();
    let assets = [
        asset(Asset::Native, "ETH", 18),
        asset(Asset::Token(USDC), "USDC", 6),
        asset(Asset::Token(TOKEN), "TOK", 2),
    ];
    AssetIndex::new(&assets, &contracts).unwrap()
}

/// Arguments as words, behind a function's selector.
fn data(signature: &str, words: &[U256]) -> Vec<u8> {
    let words = words.iter().flat_map(|it| it.to_be_bytes::<32>());
    Function::parse(signature).unwrap().selector.into_iter().chain(words).collect()
}

fn number(it: u64) -> U256 {
    U256::from(it)
}

fn word(address: Address) -> U256 {
    address.into_word().into()
}

fn calling(to: Address, value: u64, data: &[u8]) -> Unsigned {
    let account = AccountRef { key: "hot".parse().unwrap(), index: 0 };
    let gas = GasTerms { nonce: 0, gas_limit: 100_000, max_fee_per_gas: 1, max_priority_fee_per_gas: 1 };
    let (value, data) = (Amount::from(value), Bytes::copy_from_slice(data));
    build(&Action::ContractCall(ContractCall { account, chain: CHAIN, to, value, data, gas }), US).unwrap()
}

fn signing(json: &str) -> Unsigned {
    Unsigned::parse(US, CHAIN, Payload::TypedData(json.to_owned())).unwrap()
}

fn read(library: &Library, registry: &AssetIndex, unsigned: &Unsigned) -> Vec<String> {
    let book = AddressBook::new([(US, "treasury".to_owned()), (ALICE, "alice".to_owned())]);
    let speaker = Speaker::new(CHAIN, registry, &book);
    let shorten = |line: String| {
        let known = [US, ALICE, MALLORY, SAFE, VAULT, TOKEN, USDC, DAI, POOL];
        known.iter().fold(line, |line, it| line.replace(&it.to_string(), &format!("0x{:02x}", it[0])))
    };
    library.words(unsigned, &speaker).into_iter().map(shorten).collect()
}

fn say(unsigned: &Unsigned) -> Vec<String> {
    read(&Library::bundled(Language::English).unwrap(), &registry(None), unsigned)
}

#[test]
fn a_transfer_reads_as_its_author_says_it_with_our_names_and_numbers() {
    let transfer = data("transfer(address to,uint256 value)", &[word(ALICE), number(1_500_000)]);
    assert_eq!(
        say(&calling(USDC, 0, &transfer)),
        [
            "In the words of USD Coin, Circle (ERC-7730, bundled set 2, usdc.json):",
            "> Send 1.5 USDC to alice (0xa1)",
            "> Amount: 1.5 USDC",
            "> To: alice (0xa1)",
        ]
    );
    let generic =
        say(&calling(TOKEN, 0, &data("transfer(address to,uint256 value)", &[word(MALLORY), number(150)])));
    assert_eq!(generic[0], "In the words of ERC-20 token (ERC-7730, bundled set 2, erc20.json):");
    assert_eq!(generic[1], "> Send 1.5 TOK to 0x66 NOT IN ADDRESS BOOK");
}

/// The account that signs is ours by its key and index, also where the address book has no name for it.
#[test]
fn s02_the_sender_of_a_call_is_named_as_our_own() {
    let own = AccountRef { key: "hot".parse().unwrap(), index: 3 };
    let (registry, book) = (registry(None), AddressBook::default());
    let speaker = Speaker::new(CHAIN, &registry, &book).with_own(Some((US, &own)));
    let supply = data(
        "supply(address asset,uint256 amount,address onBehalfOf,uint16 referralCode)",
        &[word(USDC), number(1_500_000), word(US), number(0)],
    );
    let library = Library::bundled(Language::English).unwrap();
    let lines = library.words(&calling(POOL, 0, &supply), &speaker);
    let whom = format!("{US} NOT IN ADDRESS BOOK (by the node's word our own account hot/3, which signs)");
    assert_eq!(lines[1], format!("> Supply 1.5 USDC for {whom}"));
}

#[test]
fn an_unlimited_allowance_is_said_to_be_one_and_hidden_arguments_are_named() {
    let approve = data("approve(address spender,uint256 value)", &[word(MALLORY), U256::MAX]);
    assert_eq!(
        say(&calling(USDC, 0, &approve))[1],
        "> Allow 0x66 NOT IN ADDRESS BOOK to spend Unlimited USDC"
    );
    let permit = data(
        "permit(address owner,address spender,uint256 value,uint256 deadline,uint8 v,bytes32 r,bytes32 s)",
        &[word(US), word(ALICE), number(5), number(1_709_191_632), number(27), number(1), number(2)],
    );
    let lines = say(&calling(USDC, 0, &permit));
    assert_eq!(lines[5], "> Valid until: 2024-02-29 07:27:12.000 UTC");
    let hidden = format!("> Left out by the descriptor: v = 27, r = 0x{:064x}, s = 0x{:064x}", 1, 2);
    assert_eq!(lines.last().unwrap(), &hidden);
}

#[test]
fn a_token_that_the_registry_does_not_know_is_its_authors_word() {
    let transfer =
        data("transfer(address to,uint256 value)", &[word(ALICE), number(7_000_000_000_000_000_000)]);
    let lines = say(&calling(DAI, 0, &transfer));
    assert_eq!(lines[2], "> Amount: 7 DAI (by the descriptor's word, NOT IN REGISTRY)");
    let supply = data(
        "supply(address asset,uint256 amount,address onBehalfOf,uint16 referralCode)",
        &[word(DAI), number(7), word(US), number(0)],
    );
    let lines = say(&calling(POOL, 0, &supply));
    assert_eq!(lines[1], "> Supply 7 base units of the token 0x6b NOT IN REGISTRY for treasury (0x11)");
}

#[test]
fn s02_a_descriptor_is_for_its_own_contracts_and_functions_only() {
    let transfer = data("transfer(address to,uint256 value)", &[word(ALICE), number(1)]);
    let unknown = data("transfer(address to,uint128 value)", &[word(ALICE), number(1)]);
    for (to, data) in [(MALLORY, &transfer), (SAFE, &transfer), (USDC, &unknown), (USDC, &vec![])] {
        assert_eq!(say(&calling(to, 0, data)), Vec::<String>::new(), "{to}");
    }
    let library = Library::bundled(Language::English).unwrap();
    let (registry, book) = (AssetIndex::default(), AddressBook::default());
    let elsewhere = Speaker::new(ChainId(31_337), &registry, &book);
    assert!(library.words(&calling(USDC, 0, &transfer), &elsewhere).is_empty(), "another chain");
    let mut dirty = transfer.clone();
    dirty[4] = 1;
    let lines = say(&calling(USDC, 0, &dirty));
    assert_eq!(lines[1..], ["> the arguments are not encoded as this function wants them"]);
}

/// Coins that go along with a call whose descriptor is silent about them are said all the same.
#[test]
fn s02_coins_that_go_along_are_never_left_unsaid() {
    let transfer = data("transfer(address to,uint256 value)", &[word(ALICE), number(1)]);
    let lines = say(&calling(USDC, 5, &transfer));
    let coins = "> Coins that go along, not spoken of by the descriptor: 0.000000000000000005 ETH";
    assert!(lines.contains(&coins.to_owned()), "{lines:#?}");
}

const PERMIT_BATCH: &str = r#"{"types":{"PermitBatch":[{"name":"details","type":"PermitDetails[]"},{"name":"spender","type":"address"},{"name":"sigDeadline","type":"uint256"}],"PermitDetails":[{"name":"token","type":"address"},{"name":"amount","type":"uint160"},{"name":"expiration","type":"uint48"},{"name":"nonce","type":"uint48"}]},"primaryType":"PermitBatch","domain":{"name":"Permit2","chainId":1,"verifyingContract":"0x000000000022D473030F116dDEE9F6B43aC78BA3"},"message":{"details":[{"token":"0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48","amount":"1500000","expiration":1709191632,"nonce":0},{"token":"0x2020202020202020202020202020202020202020","amount":"1461501637330902918203684832716283019655932542975","expiration":0,"nonce":1}],"spender":"0x6666666666666666666666666666666666666666","sigDeadline":"1709191632"}}"#;

#[test]
fn a_batch_is_read_element_by_element() {
    let unsigned = signing(PERMIT_BATCH);
    assert_eq!(unsigned.typed_data().unwrap().domain().verifying_contract, Some(PERMIT2));
    assert_eq!(
        say(&unsigned),
        [
            "In the words of Permit2, Uniswap (ERC-7730, bundled set 2, permit2-signed.json):",
            "> Allow 0x66 NOT IN ADDRESS BOOK to spend several tokens, by signatures until 2024-02-29 07:27:12.000 UTC",
            "> Spender: 0x66 NOT IN ADDRESS BOOK",
            "> Allowances:",
            "> Amount [1]: 1.5 USDC",
            "> Allowance ends [1]: 2024-02-29 07:27:12.000 UTC",
            "> Nonce [1]: 0",
            "> Amount [2]: Unlimited TOK",
            "> Allowance ends [2]: 1970-01-01 00:00:00.000 UTC",
            "> Nonce [2]: 1",
            "> Signature valid until: 2024-02-29 07:27:12.000 UTC",
        ]
    );
}

fn safe_tx(to: Address, inner: &[u8], operation: u8) -> Unsigned {
    let inner = const_hex::encode_prefixed(inner);
    signing(&format!(
        r#"{{"types":{{"SafeTx":[{{"name":"to","type":"address"}},{{"name":"value","type":"uint256"}},{{"name":"data","type":"bytes"}},{{"name":"operation","type":"uint8"}},{{"name":"safeTxGas","type":"uint256"}},{{"name":"baseGas","type":"uint256"}},{{"name":"gasPrice","type":"uint256"}},{{"name":"gasToken","type":"address"}},{{"name":"refundReceiver","type":"address"}},{{"name":"nonce","type":"uint256"}}]}},"primaryType":"SafeTx","domain":{{"chainId":1,"verifyingContract":"{SAFE}"}},"message":{{"to":"{to}","value":"0","data":"{inner}","operation":{operation},"safeTxGas":"0","baseGas":"0","gasPrice":"0","gasToken":"0x0000000000000000000000000000000000000000","refundReceiver":"0x0000000000000000000000000000000000000000","nonce":"7"}}}}"#
    ))
}

#[test]
fn a_call_inside_a_safe_s_transaction_has_its_own_words() {
    let transfer = data("transfer(address to,uint256 value)", &[word(ALICE), number(1_500_000)]);
    let lines = say(&safe_tx(USDC, &transfer, 0));
    assert_eq!(
        lines[..10],
        [
            "In the words of Safe account, Safe (ERC-7730, bundled set 2, safe-signed.json):",
            "> Have the Safe call USDC (0xa0) with 0 ETH",
            "> To: USDC (0xa0)",
            "> Coins: 0 ETH",
            "> Kind of call: call",
            "> Call: call of USDC (0xa0)",
            ">   In the words of USD Coin, Circle (ERC-7730, bundled set 2, usdc.json):",
            ">   > Send 1.5 USDC to alice (0xa1)",
            ">   > Amount: 1.5 USDC",
            ">   > To: alice (0xa1)",
        ]
    );
    let last = "> Left out by the descriptor: gasToken = NOBODY (the zero address), refundReceiver = NOBODY (the zero address)";
    assert_eq!(lines.last().unwrap(), last);
    let opaque = say(&safe_tx(MALLORY, &[1, 2, 3, 4, 5], 1));
    assert!(
        opaque.contains(&"> Call: call of 0x66 NOT IN ADDRESS BOOK: 0x0102030405".to_owned()),
        "{opaque:#?}"
    );
    assert!(opaque.contains(&"> Kind of call: delegatecall: FOREIGN CODE ACTS AS THE SAFE".to_owned()));
    let strange = say(&safe_tx(MALLORY, &[], 7));
    assert!(
        strange.contains(&"> Kind of call: 7 (as it is: its format does not fit)".to_owned()),
        "{strange:#?}"
    );
}

/// A file of one's own, for one function of one contract.
fn own(fields: &str, sentence: &str) -> String {
    format!(
        r##"{{"$schema":"https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json","context":{{"contract":{{"deployments":[{{"chainId":1,"address":"{VAULT}"}}]}}}},"metadata":{{"owner":"Us","constants":{{"zero":"0x0000000000000000000000000000000000000000"}},"maps":{{"coin":{{"values":{{"1":"{USDC}"}}}}}}}},"display":{{"formats":{{"act(address who,uint256 amount,bytes route,uint256[] shares)":{{"intent":"Act","interpolatedIntent":"{sentence}","fields":[{fields}]}}}}}}}}"##
    )
}

fn act() -> Vec<u8> {
    let route = [&[0xee; 2][..], USDC.as_slice()].concat();
    let mut bytes = data(
        "act(address who,uint256 amount,bytes route,uint256[] shares)",
        &[word(Address::ZERO), number(1_500_000), number(128), number(192), number(22)],
    );
    bytes.extend([route, vec![0; 10]].concat());
    [2, 30, 70].into_iter().for_each(|it| bytes.extend(number(it).to_be_bytes::<32>()));
    bytes
}

fn act_in(fields: &str, sentence: &str) -> Vec<String> {
    let text = own(fields, sentence);
    let mut library = Library::bundled(Language::English).unwrap();
    library.add(text.as_bytes()).unwrap();
    let lines = read(&library, &registry(Some(&text)), &calling(VAULT, 0, &act()));
    assert!(lines[0].starts_with("In the words of Us (ERC-7730, policy's descriptor "), "{}", lines[0]);
    lines[1..].to_vec()
}

#[test]
fn every_argument_is_shown_or_said_to_be_left_out() {
    let amount = r#"{"path":"amount","label":"Amount","format":"tokenAmount","params":{"token":{"map":"$.metadata.maps.coin","keyPath":"@.chainId"}}}"#;
    let lines = act_in(amount, "Do {amount}");
    assert_eq!(
        lines,
        [
            "> Do 1.5 USDC",
            "> Amount: 1.5 USDC",
            &format!(
                "> Not spoken of by the descriptor: who = NOBODY (the zero address), route = 0xeeee{}, shares[0] = 30, shares[1] = 70",
                const_hex::encode(USDC)
            ),
        ]
    );
    let all = r##"{"path":"#.who","label":"Who","format":"addressName","params":{"senderAddress":"$.metadata.constants.zero"}},
        {"path":"amount","label":"Amount","format":"tokenAmount","params":{"tokenPath":"route.[-20:]"}},
        {"path":"route","label":"Route","visible":"never"},
        {"path":"shares.[]","label":"Share","format":"unit","params":{"base":"%"},"separator":"Part {index}"}"##;
    assert_eq!(
        act_in(all, "{who} does {amount} in {shares.[]}"),
        [
            "> the sender, treasury (0x11) does 1.5 USDC in 30%, 70%",
            "> Who: the sender, treasury (0x11)",
            "> Amount: 1.5 USDC",
            "> Part 1",
            "> Share [1]: 30%",
            "> Part 2",
            "> Share [2]: 70%",
            &format!("> Left out by the descriptor: route = 0xeeee{}", const_hex::encode(USDC)),
        ]
    );
}

#[test]
fn what_does_not_fit_is_shown_as_it_is_with_a_mark() {
    let lines = act_in(
        r#"{"path":"who","label":"When","format":"date","params":{"encoding":"timestamp"}},
           {"path":"amount","label":"Height","format":"date","params":{"encoding":"blockheight"}},
           {"path":"route","label":"Remote","format":"interoperableAddressName"},
           {"path":"amount","label":"Secret","format":"raw","encryption":{"scheme":"fhevm"}},
           {"path":"shares.[5]","label":"Sixth","format":"raw"}"#,
        "{nobody}",
    );
    assert_eq!(
        lines[..6],
        [
            "> Act",
            "> When: NOBODY (the zero address) (as it is: its format does not fit)",
            "> Height: block 1500000 (when that is nobody can tell here)",
            &format!("> Remote: 0xeeee{} (as it is: its format does not fit)", const_hex::encode(USDC)),
            "> Secret: [Encrypted] 1500000",
            "> Sixth: (not in these bytes)",
        ]
    );
}

#[test]
fn rules_hide_say_and_rule_out() {
    let rule =
        |rule: &str| act_in(&format!(r#"{{"path":"amount","label":"Amount","visible":{rule}}}"#), "{amount}");
    assert!(
        rule(r#"{"ifNotIn":["1500000"]}"#)
            .contains(&"> Left out by the descriptor: amount = 1500000".to_owned())
    );
    assert!(rule(r#"{"ifNotIn":[7]}"#).contains(&"> Amount: 1500000".to_owned()));
    assert!(
        rule(r#"{"mustMatch":["0x16e360"]}"#)
            .contains(&"> Left out by the descriptor: amount = 1500000".to_owned())
    );
    assert_eq!(rule(r#"{"mustMatch":[7]}"#), ["> THE DESCRIPTOR RULES THIS OUT: Amount = 1500000"]);
    // A sentence may only name what is always shown.
    assert_eq!(rule(r#""optional""#)[..2], ["> Act", "> Amount: 1500000"]);
}

#[test]
fn s13_a_file_of_ones_own_counts_where_the_policy_names_its_digest() {
    let text = own(r#"{"path":"amount","label":"Amount"}"#, "Act");
    let other = own(r#"{"path":"amount","label":"Gift"}"#, "Act");
    let mut library = Library::bundled(Language::English).unwrap();
    let payload = calling(VAULT, 0, &act());
    assert!(read(&library, &registry(None), &payload).is_empty(), "no policy names one");
    let digest = descriptor_digest(text.as_bytes());
    let missing = format!("The policy names a descriptor that no file here is for this contract: {digest}");
    assert_eq!(read(&library, &registry(Some(&text)), &payload), vec![missing.clone()]);
    library.add(other.as_bytes()).unwrap();
    assert_eq!(read(&library, &registry(Some(&text)), &payload), [missing], "another file is another");
    assert!(read(&library, &registry(None), &payload).is_empty(), "a file that no policy names says nothing");
    library.add(text.as_bytes()).unwrap();
    assert!(read(&library, &registry(Some(&text)), &payload).contains(&"> Amount: 1500000".to_owned()));
    let elsewhere = text.replace(&VAULT.to_string(), &MALLORY.to_string());
    library.add(elsewhere.as_bytes()).unwrap();
    let lines = read(&library, &registry(Some(&elsewhere)), &payload);
    assert!(lines[0].starts_with("The policy names a descriptor that no file here is"), "{lines:?}");
}

#[test]
fn german_says_the_same_in_other_words() {
    let library = Library::bundled(Language::German).unwrap();
    let transfer = data("transfer(address to,uint256 value)", &[word(ALICE), number(1_500_000)]);
    assert_eq!(
        read(&library, &registry(None), &calling(USDC, 0, &transfer)),
        [
            "In den Worten von USD Coin, Circle (ERC-7730, mitgelieferter Satz 2, usdc.json):",
            "> 1.5 USDC an alice (0xa1) senden",
            "> Betrag: 1.5 USDC",
            "> An: alice (0xa1)",
        ]
    );
}

#[test]
fn each_translation_is_of_a_sentence_that_exists_and_keeps_its_values() {
    let german = Library::bundled(Language::German).unwrap();
    let texts: std::collections::BTreeSet<String> = german.entries().flat_map(|(_, it)| it.texts()).collect();
    let values = |text: &str| {
        let template = crate::template::Template::parse(text).unwrap();
        let mut values: Vec<_> = template.values().map(|it| format!("{it:?}")).collect();
        values.sort();
        values
    };
    for (english, other) in german.catalogue().sentences() {
        assert!(texts.contains(english), "nobody says {english:?}");
        assert_eq!(values(english), values(other), "{english}");
    }
    let said: std::collections::BTreeSet<&str> = german.catalogue().sentences().map(|it| it.0).collect();
    let missing: Vec<&String> = texts.iter().filter(|it| !said.contains(it.as_str())).collect();
    assert!(missing.is_empty(), "said in English alone: {missing:#?}");
}

/// Another set has another number: whoever reads `bundled set 2` reads these files.
#[test]
fn the_bundled_set_is_the_one_of_its_number() {
    assert_eq!(crate::BUNDLED_SET, 2);
    let digest = crate::library::bundled_digest().to_string();
    assert_eq!(
        digest, "ef5780ae0d92855f9d2432f775432d303bef1db82752169d9978d53504739dc6",
        "the set changed: give it a number, and write its digest here"
    );
}

#[test]
fn every_bundled_function_is_described_to_the_last_argument() {
    let library = Library::bundled(Language::English).unwrap();
    let described: Vec<&str> = library.entries().flat_map(|(_, it)| it.described()).collect();
    assert!(described.len() > 60, "{}", described.len());
    for name in ["transfer(address,uint256)", "setUserEMode(uint8)", "changeThreshold(uint256)"] {
        assert!(described.contains(&name), "{name}");
    }
    assert!(
        Descriptor::parse(include_str!("../../descriptors/usdc.json")).is_err(),
        "it includes another file"
    );
    assert_eq!(keccak256("changeThreshold(uint256)")[..4], [0x69, 0x4e, 0x80, 0xc3]);
}

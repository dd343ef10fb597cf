//! What an approver reads of a request whose contract has a descriptor: its words beside the effects, and nothing
//! of the approval depends on them.

use alloy_primitives::{Address, Bytes, address, keccak256};
use keystead_approver::{Reviewed, change_words, review};
use keystead_base::{Amount, Canonical as _, Digest};
use keystead_decision::Strict;
use keystead_intent::{Action, AuthorityChange, ContractEntry, ContractKind, DangerClass, Intent, TypedData};
use keystead_policy::PolicyVersion;
use keystead_tests::fixture::{CHAIN, FRIEND, TOKEN, name};
use keystead_tests::world::{World, hot};
use keystead_wire::{RequestDetail, RequestStage, RequestView};
use keystead_words::{Language, Library, descriptor_digest};

const VAULT: Address = address!("5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d");

/// Asks for it, and reads it as an approver's client does.
fn read(world: &mut World<Strict>, library: &Library, action: Action) -> Reviewed {
    let intent: Intent = world.intent("desk", action);
    let entry = world.requests(vec![intent.clone()]);
    let decisions = world.commit(vec![entry]);
    let decision = decisions.first().expect("a decision").clone();
    let view = RequestView {
        request: intent.id(),
        stage: RequestStage::Waiting,
        decision: decision.clone(),
        signed: None,
        refusal: None,
        file: None,
    };
    let (asked, address) = (intent.id(), Some(world.account()));
    let sent =
        RequestDetail { view, intent, address, decisions: vec![decision], simulation: None, wallet: None };
    let policy = world.state.policy().engine.version().clone();
    review(asked, &sent, policy, library).expect("a request that reads")
}

fn library() -> Library {
    Library::bundled(Language::English).expect("the bundled set")
}

/// `transfer(address,uint256)` to the friend.
fn transfer(units: u64) -> Vec<u8> {
    let amount = Amount::from(units).0.to_be_bytes::<32>();
    [&[0xa9, 0x05, 0x9c, 0xbb][..], FRIEND.into_word().as_slice(), &amount].concat()
}

fn place(lines: &[String], start: &str) -> usize {
    let found = lines.iter().position(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no line starts with {start:?}: {lines:#?}"))
}

#[test]
fn s02_a_descriptor_s_words_stand_behind_the_effects_and_never_in_their_place() {
    let mut world = World::new(Strict::default());
    let action = world.call(TOKEN, transfer(1_500_000), 0);
    let reviewed = read(&mut world, &library(), action);
    let effect = place(&reviewed.lines, "1.5 USDT go from");
    let digest = place(&reviewed.lines, "Digest to be signed");
    let words = place(&reviewed.lines, "In the words of ERC-20 token (ERC-7730, bundled set 2, erc20.json):");
    assert!(effect < digest && digest < words, "{:#?}", reviewed.lines);
    let sentence = &reviewed.lines[words + 1];
    assert_eq!(sentence, &format!("> Send 1.5 USDT to friend ({FRIEND})"));
    assert_eq!(reviewed.class, DangerClass::Transfer);
}

/// A permit of the token: the sentence that an approver reads is that of the typed data.
#[test]
fn s02_typed_data_reads_in_the_words_of_its_contract_too() {
    let mut world = World::new(Strict::default());
    let owner = world.account();
    let json = format!(
        r#"{{"types":{{"Permit":[{{"name":"owner","type":"address"}},{{"name":"spender","type":"address"}},{{"name":"value","type":"uint256"}},{{"name":"nonce","type":"uint256"}},{{"name":"deadline","type":"uint256"}}]}},"primaryType":"Permit","domain":{{"name":"Tether","version":"1","chainId":{},"verifyingContract":"{TOKEN}"}},"message":{{"owner":"{owner}","spender":"{VAULT}","value":"115792089237316195423570985008687907853269984665640564039457584007913129639935","nonce":0,"deadline":1709191632}}}}"#,
        CHAIN.0
    );
    let action = Action::TypedData(TypedData { account: hot(), chain: CHAIN, json });
    let reviewed = read(&mut world, &library(), action);
    let words = place(&reviewed.lines, "> Allow ");
    let said = format!(
        "> Allow {VAULT} NOT IN ADDRESS BOOK to spend Unlimited USDT of {owner} NOT IN ADDRESS BOOK \
         (by the node's word our own account hot/0, which signs) until"
    );
    assert!(reviewed.lines[words].starts_with(&said), "{:#?}", reviewed.lines);
    assert_eq!(reviewed.class, DangerClass::UnlimitedAllowance);
}

/// What an approval names is the same with every descriptor, and with none.
#[test]
fn s11_an_approval_does_not_depend_on_any_words() {
    let own = own_descriptor("Harmless");
    let other = own_descriptor("Harmful");
    let digest = descriptor_digest(own.as_bytes());
    let read_with = |file: Option<&str>| {
        let mut world = World::with_policy(Strict::default(), |policy| describe(policy, digest));
        let mut library = library();
        file.map(|file| library.add(file.as_bytes()).unwrap());
        let action = world.call(VAULT, [&keccak256("act(uint256)")[..4], &[0; 32]].concat(), 0);
        let reviewed = read(&mut world, &library, action);
        (reviewed.digest, reviewed.class, reviewed.lines)
    };
    let (with, without, foreign) = (read_with(Some(&own)), read_with(None), read_with(Some(&other)));
    assert_eq!((with.0, with.1), (without.0, without.1));
    assert_eq!((with.0, with.1), (foreign.0, foreign.1));
    assert_eq!(with.1, DangerClass::Opaque, "words make nothing understood");
    place(&with.2, &format!("In the words of Us (ERC-7730, policy's descriptor {digest}):"));
    place(&with.2, "> Harmless");
    for lines in [without.2, foreign.2] {
        place(&lines, "The policy names a descriptor that no file here is for this contract");
        assert!(!lines.iter().any(|line| line.starts_with("> ")), "{lines:#?}");
    }
}

/// Whoever reads another language reads other lines of the same, and approves the same digest.
#[test]
fn s11_an_approval_does_not_depend_on_the_language() {
    let read_in = |language| {
        let mut world = World::new(Strict::default());
        let action = world.call(TOKEN, transfer(1_500_000), 0);
        read(&mut world, &Library::bundled(language).unwrap(), action)
    };
    let (english, german) = (read_in(Language::English), read_in(Language::German));
    assert_eq!(
        (english.digest, english.class, english.lines.len()),
        (german.digest, german.class, german.lines.len())
    );
    for (at, line) in english.lines.iter().enumerate() {
        assert_ne!(line, &german.lines[at], "a line that nobody translated");
    }
    place(&german.lines, "1.5 USDT gehen von Konto hot/0 (unser eigenes, ");
    place(&german.lines, &format!("> 1.5 USDT an friend ({FRIEND}) senden"));
}

#[test]
fn s13_who_approves_a_policy_reads_which_descriptor_it_names() {
    let world = World::new(Strict::default());
    let current = world.state.policy().engine.version();
    let mut next = PolicyVersion { number: 1, previous: current.digest(), ..current.clone() };
    describe(&mut next, Digest([6; 32]));
    let document = Bytes::from(next.to_document());
    let lines = change_words(&AuthorityChange::Policy { document }, current);
    let expected = format!(
        "+ contract `vault` on {CHAIN}: {VAULT}, not understood; people read the descriptor {}",
        Digest([6; 32])
    );
    assert!(lines.contains(&expected), "{lines:#?}");
}

fn describe(policy: &mut PolicyVersion, digest: Digest) {
    let kind = ContractKind::Described(digest);
    policy.contracts.push(ContractEntry { chain: CHAIN, address: VAULT, name: name("vault"), kind });
}

/// Of `act(uint256)`.
fn own_descriptor(intent: &str) -> String {
    format!(
        r#"{{"$schema":"https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json","context":{{"contract":{{"deployments":[{{"chainId":{},"address":"{VAULT}"}}]}}}},"metadata":{{"owner":"Us"}},"display":{{"formats":{{"act(uint256 amount)":{{"intent":"{intent}","fields":[{{"path":"amount","label":"Amount","format":"raw"}}]}}}}}}}}"#,
        CHAIN.0
    )
}

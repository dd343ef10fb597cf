//! What people read, line by line.

use alloy_primitives::{Address, B256, Bytes};
use keystead_base::Digest;
use keystead_intent::{AccountRef, Fee, Slot};
use keystead_speech::Language;

use super::*;
use crate::fixture::{
    ALICE, CHAIN, GOVERNED, ITEM, MALLORY, MULTISEND, PUNK, SAFE, UNKNOWN, US, USDC, registry,
};

fn book() -> AddressBook {
    AddressBook::new([(US, "treasury"), (ALICE, "alice")].map(|(address, name)| (address, name.to_owned())))
}

fn effects(kinds: Vec<EffectKind>) -> Effects {
    let item = |kind| Effect { path: vec![], contract: None, selector: None, arguments: vec![], kind };
    Effects {
        signing_digest: Digest([0xdd; 32]),
        chain: CHAIN,
        slot: None,
        fee: Fee::default(),
        items: kinds.into_iter().map(item).collect(),
        typed: None,
        coins: None,
    }
}

/// The line of one effect, with addresses shortened to their first byte.
fn line(kind: EffectKind) -> String {
    shorten(&describe(&effects(vec![kind]), &registry(), &book())[1].text)
}

fn shorten(text: &str) -> String {
    let mut text = text.to_owned();
    for address in [US, ALICE, MALLORY, UNKNOWN, USDC, PUNK, ITEM, SAFE, MULTISEND, GOVERNED] {
        let short = format!("0x{:02x}", address[0]);
        text = text.replace(&address.to_string(), &short);
    }
    text
}

fn allowance(amount: Amount, increase: bool, by_signature: bool) -> EffectKind {
    let deadline = by_signature.then(|| Amount::from(9_u64));
    let (token, owner, spender) = (USDC, US, MALLORY);
    EffectKind::Allowance(Allowance { token, owner, spender, amount, increase, deadline, by_signature })
}

#[test]
fn movements_and_allowances_have_plain_words() {
    let (token, owner, amount) = (USDC, US, Amount::from(1_500_000_u64));
    let id = Amount::from(8_u64);
    for (kind, expected) in [
        (
            EffectKind::Transfer { asset: Asset::Token(USDC), from: US, to: ALICE, amount },
            "1.5 USDC go from treasury (0x11) to alice (0xa1)",
        ),
        (
            EffectKind::Transfer { asset: Asset::Native, from: US, to: MALLORY, amount: Amount::from(1_u64) },
            "0.000000000000000001 ETH go from treasury (0x11) to 0x66 NOT IN ADDRESS BOOK",
        ),
        (
            EffectKind::Transfer { asset: Asset::Token(UNKNOWN), from: US, to: Address::ZERO, amount },
            "1500000 base units of the token 0x77 NOT IN REGISTRY go from treasury (0x11) to NOBODY (the zero address)",
        ),
        (
            EffectKind::NftTransfer { token: PUNK, from: US, to: ALICE, id },
            "PUNK no. 8 goes from treasury (0x11) to alice (0xa1)",
        ),
        (
            EffectKind::MultiTokenTransfer { token: ITEM, from: US, to: ALICE, id, amount: id },
            "8 pieces of ITEM no. 8 go from treasury (0x11) to alice (0xa1)",
        ),
        (allowance(amount, false, false), "0x66 NOT IN ADDRESS BOOK may take 1.5 USDC from treasury (0x11)"),
        (
            allowance(amount, true, false),
            "0x66 NOT IN ADDRESS BOOK may take 1.5 USDC more than before from treasury (0x11)",
        ),
        (
            allowance(Amount::MAX, false, true),
            "0x66 NOT IN ADDRESS BOOK may take ALL USDC from treasury (0x11), \
             as soon as anybody submits this signature, until 1970-01-01 00:00:09.000 UTC",
        ),
        (
            EffectKind::AllowanceReduction { token, owner, spender: ALICE, amount },
            "alice (0xa1) may take 1.5 USDC less than before from treasury (0x11)",
        ),
        (
            EffectKind::AllowanceReduction { token, owner, spender: ALICE, amount: Amount::MAX },
            "alice (0xa1) may take no USDC from treasury (0x11)",
        ),
    ] {
        assert_eq!(line(kind), expected);
    }
}

#[test]
fn rights_and_control_have_plain_words() {
    let (owner, id) = (US, Amount::from(8_u64));
    let opaque =
        |reason| EffectKind::Opaque { to: Some(UNKNOWN), value: Amount::ZERO, data_hash: B256::ZERO, reason };
    for (kind, expected) in [
        (
            EffectKind::NftApproval { token: PUNK, owner, spender: ALICE, id },
            "alice (0xa1) may take PUNK no. 8 from treasury (0x11)",
        ),
        (
            EffectKind::OperatorApproval { token: PUNK, owner, operator: MALLORY, approved: true },
            "0x66 NOT IN ADDRESS BOOK may take EVERY PUNK of treasury (0x11)",
        ),
        (
            EffectKind::OperatorApproval { token: PUNK, owner, operator: ALICE, approved: false },
            "alice (0xa1) may no longer take any PUNK of treasury (0x11)",
        ),
        (
            EffectKind::Authority { change: AuthorityKind::Owner, target: SAFE, subject: Some(MALLORY) },
            "An owner of safe (0x5a) changes: 0x66 NOT IN ADDRESS BOOK",
        ),
        (
            EffectKind::Authority { change: AuthorityKind::Upgrade, target: GOVERNED, subject: None },
            "The code of vault (0x5d) changes",
        ),
        (
            EffectKind::Delegation { authority: Some(US), delegate: MALLORY, chain: CHAIN, nonce: 4 },
            "treasury (0x11) gets the code of 0x66 NOT IN ADDRESS BOOK on eip155:1 (EIP-7702, nonce 4)",
        ),
        (
            EffectKind::Delegation { authority: None, delegate: Address::ZERO, chain: CHAIN, nonce: 4 },
            "an unnamed account gets no code any more on eip155:1 (EIP-7702, nonce 4)",
        ),
        (
            EffectKind::DelegateCall { caller: SAFE, target: MALLORY },
            "The code of 0x66 NOT IN ADDRESS BOOK runs AS safe (0x5a) (delegatecall)",
        ),
        (EffectKind::Cancel { account: US }, "Signatures that treasury (0x11) gave earlier become void"),
        (EffectKind::NoValue, "Nothing moves"),
        (
            EffectKind::Statement { message: Bytes::from_static(b"line one\nline two") },
            "Signs the text: \"line one\\nline two\"",
        ),
        (
            opaque(OpaqueReason::AmbiguousContract),
            "Bytes for 0x77 NOT IN ADDRESS BOOK are not understood: the registry does not say what this contract is",
        ),
    ] {
        assert_eq!(line(kind), expected);
    }
}

#[test]
fn the_worst_comes_first_and_numbers_come_last() {
    let transfer = EffectKind::Transfer {
        asset: Asset::Native,
        from: US,
        to: ALICE,
        amount: Amount::from(1_000_000_000_000_000_000_u64),
    };
    let mut effects = effects(vec![transfer, EffectKind::DelegateCall { caller: SAFE, target: MULTISEND }]);
    effects.items[1].path = vec![0, 4];
    effects.slot = Some(Slot { chain: CHAIN, account: US, nonce: 7 });
    effects.fee.max = Amount::from(3_000_000_000_000_000_u64);
    let lines: Vec<String> =
        describe(&effects, &registry(), &book()).iter().map(|line| shorten(&line.to_string())).collect();
    assert_eq!(
        lines,
        [
            "FOREIGN CODE TAKES OVER: it may do anything with the account that runs it",
            "[call 1.5] The code of multisend (0x5b) runs AS safe (0x5a) (delegatecall)",
            "1 ETH go from treasury (0x11) to alice (0xa1)",
            "Network fee: at most 0.003 ETH, on eip155:1",
            "Nonce 7 of treasury (0x11)",
            &format!("Digest to be signed: 0x{}", "dd".repeat(32)),
        ]
    );
}

#[test]
fn an_opaque_call_says_what_its_selector_looks_like() {
    let transfer = crate::call::erc20::encode_transfer(ALICE, Amount::from(1_u64));
    let effects = crate::fixture::effects_of(UNKNOWN, 0, &transfer);
    let lines = describe(&effects, &registry(), &book());
    assert_eq!(lines[0].text, "NOT UNDERSTOOD: nobody can say what these bytes do");
    assert_eq!(
        shorten(&lines[1].text),
        "Bytes for 0x77 NOT IN ADDRESS BOOK (function 0xa9059cbb, which elsewhere is transfer(address,uint256)) \
         are not understood: the registry does not say what this contract is"
    );
}

#[test]
fn s02_our_own_account_is_named_where_it_gives_and_nowhere_else() {
    let account = AccountRef { key: "hot".parse().unwrap(), index: 2 };
    let own = Some((MALLORY, &account));
    let amount = Amount::from(1_u64);
    let say = |from, to| {
        let transfer = EffectKind::Transfer { asset: Asset::Token(USDC), from, to, amount };
        let mut effects = effects(vec![transfer]);
        effects.slot = Some(Slot { chain: CHAIN, account: from, nonce: 7 });
        let (registry, book) = (registry(), book());
        let lines = describe_as(&effects, &Speaker::new(CHAIN, &registry, &book).with_own(own));
        (shorten(&lines[1].text), shorten(&lines[3].text))
    };
    assert_eq!(
        say(MALLORY, ALICE),
        (
            "0.000001 USDC go from our own account hot/2 (0x66) to alice (0xa1)".to_owned(),
            "Nonce 7 of our own account hot/2 (0x66)".to_owned()
        )
    );
    // A server that calls the receiver our own account moves no reader: it still has no name.
    let (words, _) = say(MALLORY, MALLORY);
    assert!(words.ends_with("to 0x66 NOT IN ADDRESS BOOK"), "{words}");
    let book = say(US, ALICE);
    assert_eq!(book.1, "Nonce 7 of treasury (0x11)", "the address book's name comes first");
}

/// Where nobody says whether somebody gives or receives, as in a descriptor's words, the node's word is one, and is said
/// to be.
#[test]
fn s02_an_account_that_the_node_calls_ours_is_said_to_be_so_by_the_node() {
    let account = AccountRef { key: "hot".parse().unwrap(), index: 2 };
    let (registry, book) = (registry(), book());
    let speaker = Speaker::new(CHAIN, &registry, &book).with_own(Some((MALLORY, &account)));
    assert_eq!(
        shorten(&speaker.party(MALLORY)),
        "0x66 NOT IN ADDRESS BOOK (by the node's word our own account hot/2, which signs)"
    );
    assert_eq!(shorten(&speaker.party(ALICE)), "alice (0xa1)");
    let speaker = speaker.with_own(Some((US, &account)));
    assert_eq!(shorten(&speaker.party(US)), "treasury (0x11)", "the address book's name is enough");
}

#[test]
fn german_says_the_same_of_the_same_effects() {
    let amount = Amount::from(1_500_000_u64);
    let mut effects =
        effects(vec![EffectKind::Transfer { asset: Asset::Token(USDC), from: US, to: MALLORY, amount }]);
    effects.slot = Some(Slot { chain: CHAIN, account: US, nonce: 7 });
    let (registry, book) = (registry(), book());
    let speaker = Speaker::new(CHAIN, &registry, &book).with_language(Language::German);
    let lines: Vec<String> = describe_as(&effects, &speaker).iter().map(|it| shorten(&it.text)).collect();
    assert_eq!(
        lines,
        [
            "ÜBERWEISUNG: Wert geht einmal ab, in den Beträgen unten",
            "1.5 USDC gehen von treasury (0x11) an 0x66 NICHT IM ADRESSBUCH",
            "Netzgebühr: höchstens 0 ETH, auf eip155:1",
            "Nonce 7 von treasury (0x11)",
            &format!("Zu unterschreibender Digest: 0x{}", "dd".repeat(32)),
        ]
    );
}

/// An address that begins and ends as another one does.
fn forged(address: Address) -> Address {
    let mut bytes = address.0.0;
    bytes[2..18].fill(0xee);
    bytes.into()
}

#[test]
fn s12_an_address_that_looks_like_a_known_one_is_said_to_be_another() {
    let account = AccountRef { key: "hot".parse().unwrap(), index: 2 };
    let (registry, book) = (registry(), book());
    let speaker = Speaker::new(CHAIN, &registry, &book).with_own(Some((MALLORY, &account)));
    let alike = |known: Address, name: &str| {
        let other = forged(known);
        format!("{other} NOT IN ADDRESS BOOK, WHICH LOOKS LIKE {name} ({known}) AND IS ANOTHER")
    };
    for (known, name) in [(ALICE, "alice"), (SAFE, "safe"), (USDC, "USDC"), (MALLORY, "our own account")] {
        assert_eq!(speaker.who(forged(known)), alike(known, name));
        assert!(!speaker.who(known).contains("LOOKS LIKE"), "{name} is itself");
    }
    let unlisted = speaker.token(forged(USDC));
    assert!(unlisted.ends_with(&format!("LOOKS LIKE USDC ({USDC}) AND IS ANOTHER")), "{unlisted}");
    let amount = speaker.amount(Asset::Token(forged(USDC)), Amount::from(7_u64));
    assert!(amount.ends_with(&format!("LOOKS LIKE USDC ({USDC}) AND IS ANOTHER")), "{amount}");
}

#[test]
fn s12_a_name_of_its_own_does_not_silence_the_warning() {
    let (registry, forged) = (registry(), forged(ALICE));
    let book = AddressBook::new([(ALICE, "alice".to_owned()), (forged, "alice-2".to_owned())]);
    let said = Speaker::new(CHAIN, &registry, &book).who(forged);
    assert_eq!(said, format!("alice-2 ({forged}), WHICH LOOKS LIKE alice ({ALICE}) AND IS ANOTHER"));
}

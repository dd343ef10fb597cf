//! The policy of the story: small for reading, and strict.

use alloy_primitives::{Address, address};
use keystead_base::{Amount, Digest, Name, NameError, Timestamp};
use keystead_intent::{Asset, AssetEntry, AssetKind, ChainId, ContractEntry, ContractKind, DangerClass};
use keystead_policy::{
    AddressEntry, Measure, Need, PolicyVersion, QuorumRow, Roster, Rule, Threshold, Timing, Window,
};

/// The chain of the story: anvil's number.
pub(crate) const CHAIN: ChainId = ChainId(31_337);
/// Who is paid.
pub(crate) const EXCHANGE: Address = address!("e8c4a49e0000000000000000000000000000e8c4");
/// A multisig that the desk owns a part of.
pub(crate) const SAFE: Address = address!("5afe00000000000000000000000000000000cafe");
/// A token.
pub(crate) const USDT: Address = address!("dac17f958d2ee523a2206206994597c13d831ec7");
/// One ether in wei.
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;
/// What may leave in a day.
pub(crate) const DAY_LIMIT: u128 = 3 * ETHER;

/// Policy version 0 for this roster.
pub(crate) fn policy(roster: Roster, now: Timestamp) -> Result<PolicyVersion, NameError> {
    let version = PolicyVersion {
        number: 0,
        previous: Digest::ZERO,
        roster,
        rules: rules()?,
        windows: windows()?,
        quorums: quorums()?,
        address_book: vec![entry(EXCHANGE, "exchange-deposit", now)?, entry(SAFE, "treasury-safe", now)?],
        assets: vec![asset(Asset::Native, "ETH", 18), asset(Asset::Token(USDT), "USDT", 6)],
        contracts: vec![ContractEntry {
            chain: CHAIN,
            address: SAFE,
            name: name("treasury-safe")?,
            kind: ContractKind::Safe,
        }],
        chains: vec![CHAIN],
        prices: None,
        caps: Vec::new(),
        timing: Timing { max_lifetime_seconds: 86_400, certificate_seconds: 60, skew_seconds: 5 },
    };
    Ok(version.into_canonical())
}

fn name(text: &str) -> Result<Name, NameError> {
    text.parse()
}

fn rules() -> Result<Vec<Rule>, NameError> {
    let texts = [
        (
            "desk-pays",
            r#"permit(principal in Role::"desk", action in Action::"sign", resource == Key::"hot")
when { context.class == "transfer" };"#,
        ),
        (
            "no-rights-by-signature",
            r#"forbid(principal, action == Action::"typed_data", resource)
when { context.by_signature };"#,
        ),
        (
            "no-foreign-code",
            r#"forbid(principal, action in Action::"sign", resource)
when { context.kind == "delegate_call" };"#,
        ),
        (
            "founders-govern",
            r#"permit(principal in Role::"founder", action == Action::"authority", resource);"#,
        ),
    ];
    texts.into_iter().map(|(id, cedar)| Ok(Rule { id: name(id)?, cedar: cedar.to_owned() })).collect()
}

fn windows() -> Result<Vec<Window>, NameError> {
    Ok(vec![Window {
        id: name("ether-per-day")?,
        keys: Vec::new(),
        chains: Vec::new(),
        destinations: Vec::new(),
        measure: ether(),
        per: Vec::new(),
        limit: Amount::from(DAY_LIMIT),
        span_seconds: 86_400,
    }])
}

fn quorums() -> Result<Vec<QuorumRow>, NameError> {
    let two = || Ok(vec![Need { role: name("approver")?, count: 2, factors: Vec::new() }]);
    let row = |id, class, from, needs| {
        Ok(QuorumRow {
            id: name(id)?,
            keys: Vec::new(),
            classes: vec![class],
            from,
            needs,
            delay_seconds: 0,
            vetoers: vec![name("vetoer")?],
        })
    };
    let above = Some(Threshold { measure: ether(), amount: Amount::from(ETHER + 1) });
    Ok(vec![
        row("up-to-one-ether", DangerClass::Transfer, None, Vec::new())?,
        row("above-one-ether", DangerClass::Transfer, above, two()?)?,
        row("authority", DangerClass::Authority, None, two()?)?,
    ])
}

fn ether() -> Measure {
    Measure::Asset { chain: CHAIN, asset: Asset::Native }
}

fn entry(address: Address, text: &str, usable_from: Timestamp) -> Result<AddressEntry, NameError> {
    Ok(AddressEntry { chain: CHAIN, address, name: name(text)?, usable_from })
}

fn asset(asset: Asset, symbol: &str, decimals: u8) -> AssetEntry {
    AssetEntry { chain: CHAIN, asset, symbol: symbol.to_owned(), decimals, kind: AssetKind::Fungible }
}

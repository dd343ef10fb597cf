//! A small policy version that the unit tests start from, and questions about it.

use std::sync::LazyLock;

use alloy_primitives::Address;
use keystead_base::{
    Amount, Coded as _, Digest, HYBRID_SEED_BYTES, HybridSigner, Name, Secret, Signed, Timestamp,
};
use keystead_intent::{
    ActionKind, Allowance, Asset, AssetEntry, AssetKind, AuthorityChange, ChainId, DangerClass, Effect,
    EffectKind, Effects, Fee, Run, Slot,
};

use crate::{
    AddressEntry, AssuranceCap, AssuranceLevel, Cooling, Device, Dimension, Engine, Factor, Facts, FeeCap,
    FreshHeadDemand, FreshHeadRule, Measure, Need, Node, Person, PolicyVersion, Price, PriceRule,
    PriceSource, Prices, Question, QuorumRow, Roster, Rule, Ruling, Sections, Service, Simulate, Simulated,
    SimulationRule, Subject, Threshold, Timing, TransportKey, Window,
};

pub(crate) const CHAIN: ChainId = ChainId(1);
pub(crate) const OTHER_CHAIN: ChainId = ChainId(10);
pub(crate) const ACCOUNT: Address = Address::repeat_byte(0xaa);
pub(crate) const FRIEND: Address = Address::repeat_byte(0xf1);
pub(crate) const YOUNG: Address = Address::repeat_byte(0xf2);
pub(crate) const STRANGER: Address = Address::repeat_byte(0x66);
pub(crate) const TOKEN: Address = Address::repeat_byte(0x20);
pub(crate) const UNLISTED: Address = Address::repeat_byte(0x21);
/// Monday, 2026-11-23 20:15:02 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_464_902_000);
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn signer(byte: u8) -> HybridSigner {
    HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).unwrap()
}

pub(crate) fn version() -> PolicyVersion {
    VERSION.clone()
}

static VERSION: LazyLock<PolicyVersion> = LazyLock::new(|| {
    PolicyVersion {
        number: 0,
        previous: Digest::ZERO,
        roster: roster(),
        rules: RULES.iter().map(|(id, cedar)| rule(id, cedar)).collect(),
        windows: windows(),
        quorums: quorums(),
        address_book: vec![address("friend", FRIEND, 0), address("young", YOUNG, NOW.0 + 1)],
        assets: vec![
            asset(CHAIN, Asset::Native, "ETH", 18),
            asset(CHAIN, Asset::Token(TOKEN), "USDC", 6),
            asset(OTHER_CHAIN, Asset::Native, "ETH", 18),
        ],
        contracts: Vec::new(),
        chains: vec![CHAIN, OTHER_CHAIN],
        prices: Some(price_rule()),
        caps: vec![AssuranceCap {
            level: AssuranceLevel::Process,
            measure: native(),
            amount: Amount::from(50 * ETHER),
        }],
        protections: Vec::new(),
        fresh_heads: vec![FreshHeadRule { level: AssuranceLevel::Process, demand: FreshHeadDemand::AtBoot }],
        simulation: None,
        bitcoin: None,
        timing: Timing {
            max_lifetime_seconds: 86_400,
            certificate_seconds: 60,
            skew_seconds: 5,
            cool_off_seconds: 3600,
        },
        fee_caps: Vec::new(),
        tolerances: Vec::new(),
    }
    .into_canonical()
});

const RULES: &[(&str, &str)] = &[
    (
        "pay",
        r#"permit(principal in Role::"trader", action in Action::"sign", resource == Key::"hot")
           when { context.class == "transfer" };"#,
    ),
    ("warm", r#"permit(principal in Role::"trader", action in Action::"sign", resource == Key::"warm");"#),
    (
        "lend",
        r#"permit(principal in Role::"trader", action == Action::"contract_call", resource == Key::"hot")
           when { context.kind == "allowance" && !context.unlimited && !context.by_signature };"#,
    ),
    (
        "no-permits",
        r#"forbid(principal, action in Action::"sign", resource == Key::"hot") when { context.by_signature };"#,
    ),
    ("govern", r#"permit(principal in Role::"founder", action == Action::"authority", resource);"#),
];

pub(crate) fn rule(id: &str, cedar: &str) -> Rule {
    Rule { id: name(id), cedar: cedar.to_owned() }
}

pub(crate) fn native() -> Measure {
    Measure::Asset { chain: CHAIN, asset: Asset::Native }
}

fn windows() -> Vec<Window> {
    let hot = || vec![name("hot")];
    vec![
        window("coins", hot(), native(), &[Dimension::Key], Amount::from(10 * ETHER)),
        window(
            "number",
            hot(),
            Measure::Count,
            &[Dimension::Key, Dimension::Destination],
            Amount::from(5_u64),
        ),
        window(
            "tokens",
            hot(),
            Measure::Asset { chain: CHAIN, asset: Asset::Token(TOKEN) },
            &[],
            usdc(1_000_000),
        ),
        window("worth", vec![name("warm")], Measure::Fiat, &[Dimension::Chain], usdc(1_000_000)),
    ]
}

pub(crate) fn window(
    id: &str,
    keys: Vec<Name>,
    measure: Measure,
    per: &[Dimension],
    limit: Amount,
) -> Window {
    Window {
        id: name(id),
        keys,
        chains: Vec::new(),
        destinations: Vec::new(),
        measure,
        per: per.to_vec(),
        limit,
        span_seconds: 86_400,
    }
}

/// Whole USDC or dollars in their millionths.
pub(crate) fn usdc(whole: u64) -> Amount {
    Amount::from(whole * 1_000_000)
}

fn quorums() -> Vec<QuorumRow> {
    let large = Threshold { measure: native(), amount: Amount::from(ETHER) };
    vec![
        row("anything-warm", &["warm"], &DangerClass::ALL, None, &[], 0),
        row("authority", &[], &[DangerClass::Authority], None, &[("approver", 2)], 3600),
        row("lending", &["hot"], &[DangerClass::Allowance], None, &[("approver", 1)], 0),
        row("paying", &["hot"], &[DangerClass::Transfer], None, &[], 0),
        row("paying-much", &["hot"], &[DangerClass::Transfer], Some(large), &[("approver", 2)], 60),
    ]
}

pub(crate) fn row(
    id: &str,
    keys: &[&str],
    classes: &[DangerClass],
    from: Option<Threshold>,
    needs: &[(&str, u32)],
    delay_seconds: u64,
) -> QuorumRow {
    let need = |(role, count): &(&str, u32)| Need { role: name(role), count: *count, factors: Vec::new() };
    QuorumRow {
        id: name(id),
        keys: keys.iter().map(|key| name(key)).collect(),
        classes: classes.to_vec(),
        changes: Vec::new(),
        from,
        needs: needs.iter().map(need).collect(),
        delay_seconds,
        vetoers: if delay_seconds > 0 { vec![name("vetoer")] } else { Vec::new() },
    }
}

fn roster() -> Roster {
    let founder: &[&str] = &["approver", "founder"];
    Roster {
        quorum: 1,
        nodes: vec![node("node", 1)],
        services: vec![Service {
            name: name("desk"),
            key: signer(2).public().clone(),
            transport: TransportKey(Digest([2; 32])),
            roles: vec![name("trader")],
        }],
        people: vec![
            person("ana", 3, founder),
            person("ben", 4, founder),
            person("cleo", 5, founder),
            person("eve", 6, &["freezer", "vetoer"]),
        ],
        devices: None,
    }
}

pub(crate) fn node(text: &str, byte: u8) -> Node {
    Node {
        name: name(text),
        key: signer(byte).public().clone(),
        transport: TransportKey(Digest([byte; 32])),
        operator: String::new(),
        host: String::new(),
        provider: String::new(),
        build: String::new(),
        boot: 0,
    }
}

pub(crate) fn person(text: &str, byte: u8, roles: &[&str]) -> Person {
    let device = Device {
        name: name("laptop"),
        factor: Factor::Software,
        key: signer(byte).public().clone(),
        transport: TransportKey(Digest([byte; 32])),
    };
    let roles = roles.iter().map(|role| name(role)).collect();
    Person { name: name(text), roles, devices: vec![device], recipient: None }
}

fn asset(chain: ChainId, asset: Asset, symbol: &str, decimals: u8) -> AssetEntry {
    AssetEntry { chain, asset, symbol: symbol.to_owned(), decimals, kind: AssetKind::Fungible }
}

fn address(text: &str, address: Address, usable_from: u64) -> AddressEntry {
    AddressEntry { chain: CHAIN, address, name: name(text), usable_from: Timestamp(usable_from) }
}

pub(crate) fn price_rule() -> PriceRule {
    let sources = [(51, "alpha"), (52, "beta"), (53, "gamma")];
    PriceRule {
        currency: "USD".to_owned(),
        sources: sources
            .iter()
            .map(|(byte, text)| PriceSource { name: name(text), key: signer(*byte).public().clone() })
            .collect(),
        agree: 2,
        max_age_seconds: 60,
        max_spread_bps: 100,
        tolerance_bps: 200,
    }
}

/// Every transaction is run, on a state that is not older than a minute.
pub(crate) fn simulation_rule() -> SimulationRule {
    SimulationRule {
        keys: Vec::new(),
        classes: Vec::new(),
        chains: Vec::new(),
        max_age_seconds: 60,
        wait_seconds: 30,
        may_fail: false,
        simulate: Simulate::WhereAsked,
    }
}

/// 100 gwei per gas, 3 of them for whoever makes the block, on one chain.
pub(crate) fn fee_cap(id: &str) -> FeeCap {
    FeeCap {
        id: name(id),
        keys: Vec::new(),
        chains: vec![CHAIN],
        max_fee_per_gas: Some(Amount::from(100 * GWEI)),
        max_priority_fee_per_gas: Some(Amount::from(3 * GWEI)),
        fee: None,
        fee_fiat: None,
    }
}

pub(crate) const GWEI: u64 = 1_000_000_000;

/// A price of so many dollars for one ether, by the source with this key.
pub(crate) fn price(source: &str, byte: u8, dollars: u64, at: Timestamp) -> Signed<Price> {
    let body = Price {
        chain: CHAIN,
        asset: Asset::Native,
        currency: "USD".to_owned(),
        micro_per_unit: dollars * 1_000_000,
        decimals: 18,
        at,
    };
    Signed::new(body, name(source), &signer(byte)).unwrap()
}

/// One question about the fixture.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) requester: Name,
    pub(crate) action: ActionKind,
    pub(crate) key: Option<Name>,
    pub(crate) effects: Effects,
    pub(crate) prices: Prices,
    pub(crate) cooling: Cooling,
    pub(crate) now: Timestamp,
    /// What came of running it.
    pub(crate) run: Option<Run>,
    pub(crate) nonce_ahead: u64,
    pub(crate) drill_age_seconds: u64,
}

impl Ask {
    pub(crate) fn new(key: &str, kinds: Vec<EffectKind>) -> Self {
        let effect = |kind| Effect {
            path: Vec::new(),
            contract: Some(TOKEN),
            selector: Some([1, 2, 3, 4]),
            arguments: Vec::new(),
            kind,
        };
        let effects = Effects {
            signing_digest: Digest::ZERO,
            chain: CHAIN,
            slot: None,
            fee: Fee::default(),
            items: kinds.into_iter().map(effect).collect(),
            typed: None,
            coins: None,
        };
        Self {
            requester: name("desk"),
            action: ActionKind::ContractCall,
            key: Some(name(key)),
            effects,
            prices: Prices::default(),
            cooling: Cooling::default(),
            now: NOW,
            run: None,
            nonce_ahead: 0,
            drill_age_seconds: 0,
        }
    }

    /// What only calls an earlier request off.
    pub(crate) fn cancel(key: &str) -> Self {
        Self::new(key, vec![EffectKind::NoValue]).with(|it| {
            it.action = ActionKind::Replacement;
            it.effects.slot = Some(Slot { chain: CHAIN, account: ACCOUNT, nonce: 0 });
            it.effects.items.iter_mut().for_each(|it| (it.contract, it.selector) = (Some(ACCOUNT), None));
        })
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn of(&self, engine: &Engine) -> Ruling {
        let facts = self.facts();
        engine.decide(&self.question(&facts))
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            account: Some(ACCOUNT),
            assurance: AssuranceLevel::Process,
            prices: &self.prices,
            cooling: &self.cooling,
            simulation: self.run.as_ref().map_or(Simulated::No, Simulated::Ran),
            nonce_ahead: self.nonce_ahead,
            drill_age_seconds: self.drill_age_seconds,
        }
    }

    pub(crate) fn question<'a>(&'a self, facts: &'a Facts<'a>) -> Question<'a> {
        Question {
            requester: &self.requester,
            action: self.action,
            key: self.key.as_ref(),
            subject: Subject::Payload(&self.effects),
            facts,
        }
    }
}

/// What an engine says to a change of authority, without prices and with nothing cooling.
pub(crate) fn ask_authority(
    engine: &Engine,
    requester: &str,
    key: Option<&str>,
    change: &AuthorityChange,
    sections: Sections,
) -> Ruling {
    let (prices, cooling) = (Prices::default(), Cooling::default());
    let assurance = AssuranceLevel::Process;
    let simulation = Simulated::No;
    let (account, nonce_ahead, drill_age_seconds) = (None, 0, 0);
    let (now, prices, cooling) = (NOW, &prices, &cooling);
    let facts =
        Facts { now, account, assurance, prices, cooling, simulation, nonce_ahead, drill_age_seconds };
    let (requester, key) = (name(requester), key.map(name));
    engine.decide(&Question {
        requester: &requester,
        action: ActionKind::Authority,
        key: key.as_ref(),
        subject: Subject::Authority(change, sections),
        facts: &facts,
    })
}

/// The codes of all reasons, or those of a pass: `pass` and how many people it needs.
pub(crate) fn verdict(ruling: &Ruling) -> Vec<String> {
    match ruling {
        Ruling::Deny { reasons, .. } => reasons.iter().map(|it| it.code().to_owned()).collect(),
        Ruling::Pass { requirement, .. } => vec![format!("pass {}", requirement.people())],
    }
}

pub(crate) fn pay(to: Address, wei: u128) -> EffectKind {
    EffectKind::Transfer { asset: Asset::Native, from: ACCOUNT, to, amount: Amount::from(wei) }
}

pub(crate) fn pay_token(to: Address, amount: Amount) -> EffectKind {
    EffectKind::Transfer { asset: Asset::Token(TOKEN), from: ACCOUNT, to, amount }
}

pub(crate) fn allow(spender: Address, amount: u64) -> Allowance {
    Allowance {
        token: TOKEN,
        owner: ACCOUNT,
        spender,
        amount: Amount::from(amount),
        increase: false,
        deadline: None,
        by_signature: false,
    }
}

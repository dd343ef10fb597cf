//! The sample policy: small enough to read, strict enough to start from.

use alloy_primitives::Address;
use keystead_base::{Amount, Digest, Name, NameError, Timestamp};
use keystead_intent::{Asset, AssetEntry, AssetKind, ChainId, ContractEntry, DangerClass};
use keystead_policy::{
    AddressEntry, AssuranceCap, AssuranceLevel, Dimension, FeeCap, FreshHeadDemand, FreshHeadRule, Measure,
    Need, PolicyVersion, QuorumRow, Roster, Rule, Simulate, SimulationRule, Threshold, Timing, Window,
};

/// What the sample is told about the world.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) chain: u64,
    pub(crate) addresses: Vec<(Name, Address)>,
    pub(crate) tokens: Vec<(String, u8, Address)>,
    pub(crate) contracts: Vec<ContractEntry>,
    /// How long a new destination of the address book waits before anybody is paid there.
    pub(crate) cool_off_seconds: u64,
    /// Whether the nodes have an endpoint of the chain, and can run what is asked.
    pub(crate) can_run: bool,
    /// After how many days without a drill of its backup a key signs nothing; 0: none is stopped.
    pub(crate) drill_days: u32,
}

/// The cool-off of the sample policy, unless `init` is told otherwise.
pub(crate) const COOL_OFF_SECONDS: u64 = 3600;

/// One ether, in wei.
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;

/// A billionth of it.
const GWEI: u128 = 1_000_000_000;

/// Version 0 for a roster.
pub(crate) fn policy(world: &World, roster: Roster, created: Timestamp) -> Result<PolicyVersion, NameError> {
    let chain = ChainId(world.chain);
    // One node answers its own enclave: asking it more often than at boot would prove nothing more.
    let demand = match roster.quorum {
        1 => FreshHeadDemand::AtBoot,
        _ => FreshHeadDemand::PerSignature,
    };
    let entry = |(name, address): &(Name, Address)| AddressEntry {
        chain,
        address: *address,
        name: name.clone(),
        usable_from: created,
    };
    Ok(PolicyVersion {
        number: 0,
        previous: Digest::ZERO,
        roster,
        rules: rules(world.drill_days)?,
        windows: windows(chain)?,
        quorums: quorums(chain)?,
        address_book: world.addresses.iter().map(entry).collect(),
        assets: assets(chain, world),
        contracts: world.contracts.clone(),
        chains: vec![chain],
        prices: None,
        caps: vec![AssuranceCap {
            level: AssuranceLevel::Process,
            measure: native(chain),
            amount: Amount::from(20 * ETHER),
        }],
        protections: Vec::new(),
        fresh_heads: vec![FreshHeadRule { level: AssuranceLevel::Process, demand }],
        simulation: world.can_run.then(every_run_is_shown),
        bitcoin: None,
        timing: Timing {
            max_lifetime_seconds: 86_400,
            certificate_seconds: 60,
            skew_seconds: 5,
            cool_off_seconds: world.cool_off_seconds,
        },
        fee_caps: vec![fee_cap(chain)?],
        tolerances: Vec::new(),
    })
}

/// Every transaction is run, and what the run does is shown, compared with the bytes and a fact for rules. It is waited
/// for a few seconds, and nothing is denied for want of it: whoever wants that says of what.
fn every_run_is_shown() -> SimulationRule {
    SimulationRule {
        keys: Vec::new(),
        classes: Vec::new(),
        chains: Vec::new(),
        max_age_seconds: 600,
        wait_seconds: 60,
        may_fail: false,
        simulate: Simulate::Shown { wait_seconds: 5 },
    }
}

fn native(chain: ChainId) -> Measure {
    Measure::Asset { chain, asset: Asset::Native }
}

/// INVARIANT D2: where a schedule of drills is asked for, nothing that a key signs outlives it.
fn rules(drill_days: u32) -> Result<Vec<Rule>, NameError> {
    let mut rules: Vec<Rule> = RULES.iter().map(|(id, cedar)| rule(id, cedar)).collect::<Result<_, _>>()?;
    if drill_days > 0 {
        let seconds = u64::from(drill_days) * 24 * 3600;
        let overdue = format!(
            "forbid(principal, action in Action::\"sign\", resource) when {{ context.drill_age_seconds > {seconds} }};"
        );
        rules.push(rule("no-overdue-drills", &overdue)?);
        rules.sort_by(|one, other| one.id.cmp(&other.id));
    }
    Ok(rules)
}

fn rule(id: &str, cedar: &str) -> Result<Rule, NameError> {
    Ok(Rule { id: id.parse()?, cedar: cedar.to_owned() })
}

fn assets(chain: ChainId, world: &World) -> Vec<AssetEntry> {
    let entry = |asset, symbol: &str, decimals| AssetEntry {
        chain,
        asset,
        symbol: symbol.to_owned(),
        decimals,
        kind: AssetKind::Fungible,
    };
    let tokens =
        world.tokens.iter().map(|(symbol, decimals, at)| entry(Asset::Token(*at), symbol, *decimals));
    [entry(Asset::Native, "ETH", 18)].into_iter().chain(tokens).collect()
}

fn windows(chain: ChainId) -> Result<Vec<Window>, NameError> {
    let window = |id: &str, measure, per: Vec<Dimension>, limit| {
        Ok(Window {
            id: id.parse()?,
            keys: Vec::new(),
            chains: Vec::new(),
            destinations: Vec::new(),
            measure,
            per,
            limit,
            span_seconds: 86_400,
        })
    };
    Ok(vec![
        window("ether-per-day", native(chain), Vec::new(), Amount::from(10 * ETHER))?,
        window("requests-per-day", Measure::Count, vec![Dimension::Key], Amount::from(1_000_000_u64))?,
    ])
}

/// What no hour of a chain has asked for long: beyond it an endpoint, a slip or a spike spoke.
fn fee_cap(chain: ChainId) -> Result<FeeCap, NameError> {
    Ok(FeeCap {
        id: "gas".parse()?,
        keys: Vec::new(),
        chains: vec![chain],
        max_fee_per_gas: Some(Amount::from(500 * GWEI)),
        max_priority_fee_per_gas: Some(Amount::from(100 * GWEI)),
        fee: Some(Amount::from(ETHER / 2)),
        fee_fiat: None,
    })
}

fn quorums(chain: ChainId) -> Result<Vec<QuorumRow>, NameError> {
    let row = |id: &str, classes: &[DangerClass], from, people: u32| {
        let needs = match people {
            0 => Vec::new(),
            count => vec![Need { role: "approver".parse()?, count, factors: Vec::new() }],
        };
        Ok(QuorumRow {
            id: id.parse()?,
            keys: Vec::new(),
            classes: classes.to_vec(),
            changes: Vec::new(),
            from,
            needs,
            delay_seconds: 0,
            vetoers: vec!["vetoer".parse()?],
        })
    };
    let large = Threshold { measure: native(chain), amount: Amount::from(ETHER + ETHER / 100) };
    Ok(vec![
        row("authority", &[DangerClass::Authority], None, 2)?,
        row("cancels-and-replacements", &[DangerClass::Cancel, DangerClass::Replacement], None, 0)?,
        row("statements", &[DangerClass::Statement], None, 0)?,
        row("transfers", &[DangerClass::Transfer], None, 0)?,
        row("transfers-large", &[DangerClass::Transfer], Some(large), 2)?,
    ])
}

const RULES: &[(&str, &str)] = &[
    ("authority", r#"permit(principal in Role::"founder", action == Action::"authority", resource);"#),
    (
        "no-delegate-calls",
        r#"forbid(principal, action in Action::"sign", resource) when { context.class == "delegate_call" };"#,
    ),
    (
        "no-far-nonces",
        r#"forbid(principal, action in Action::"sign", resource) when { context.nonce_ahead > 16 && !context.cancels };"#,
    ),
    (
        "no-signed-rights",
        r#"forbid(principal, action in Action::"sign", resource) when { context.by_signature };"#,
    ),
    (
        "statements",
        r#"permit(principal, action == Action::"message", resource) when { context.class == "statement" };"#,
    ),
    (
        "transfers-of-the-desk",
        r#"permit(principal in Role::"desk", action in Action::"sign", resource) when { context.class == "transfer" };"#,
    ),
    (
        "transfers-of-founders",
        r#"permit(principal in Role::"founder", action in Action::"sign", resource) when { context.class == "transfer" };"#,
    ),
];

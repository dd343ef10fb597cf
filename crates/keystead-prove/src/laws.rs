//! What holds of every request, whatever a policy says: each law forbids what never is.
//!
//! The solver knows words and numbers, and nothing of what they mean. Without laws it would refute with requests that
//! nobody can make: more seats taken than people approved, an amount beyond a threshold that is not reached.

use keystead_base::Amount;
use keystead_intent::{Asset, AssetIndex, ChainId};
use keystead_policy::{Measure, in_micro};

use crate::auxiliary::Vocabulary;
use crate::ladder::Ladder;

/// The conditions of the laws about people, for every kind of request.
pub(crate) fn of_people(vocabulary: &Vocabulary) -> Vec<String> {
    let seat = |name: String| format!("context.approved[{name:?}]");
    let seats: Vec<_> = vocabulary.seats.iter().map(|it| seat(it.name())).collect();
    let mut laws = vec![
        "context.approvals < 0 || context.approvals > 100000".to_owned(),
        "context.waited_seconds < 0".to_owned(),
        // INVARIANT S11: the quorum refuses it.
        "context.requester_approves".to_owned(),
        "context.hour < 0 || context.hour > 23 || context.weekday < 1 || context.weekday > 7".to_owned(),
    ];
    laws.extend(seats.iter().map(|it| format!("{it} < 0 || {it} > 100000")));
    if !seats.is_empty() {
        // Bounded first, so that the sum of at most some thousand seats does not overflow.
        let bounded: Vec<_> = seats.iter().map(|it| format!("{it} >= 0 && {it} <= 100000")).collect();
        laws.push(format!("{} && context.approvals < {}", bounded.join(" && "), seats.join(" + ")));
    }
    laws
}

/// The conditions of the laws about effects.
pub(crate) fn of_effects(vocabulary: &Vocabulary, registry: &AssetIndex) -> Vec<String> {
    let mut laws: Vec<String> = NUMBERS.iter().map(|it| format!("context.{it} < 0")).collect();
    laws.extend(CLASSES.iter().map(|(kind, classes)| {
        let class: Vec<_> = classes.iter().map(|class| format!("context.class != \"{class}\"")).collect();
        format!("context.kind == \"{kind}\" && {}", class.join(" && "))
    }));
    let kinds: Vec<_> = CLASSES.iter().map(|(kind, _)| format!("context.kind != \"{kind}\"")).collect();
    laws.push(kinds.join(" && "));
    laws.extend(WITHOUT_ASSET.iter().map(|it| format!("context.kind == \"{it}\" && context.asset != \"\"")));
    laws.push("context.effects < 1".to_owned());
    laws.push(CANCELS.to_owned());
    laws.push("context.effects == 1 && context.request_class != context.class".to_owned());
    laws.push("context.asset == \"\" && (context.amount > 0 || context.outflow_fiat > 0)".to_owned());
    laws.push("context.to_itself && (!context.destination_known || context.outflow_fiat > 0)".to_owned());
    laws.push("context.destination == \"\" && context.destination_known".to_owned());
    for ladder in vocabulary.ladders.iter() {
        laws.extend(of_ladder(&ladder, registry));
    }
    laws
}

/// An amount that leaves is part of the request's, so the request stands at least as high.
fn of_ladder(ladder: &Ladder<'_>, registry: &AssetIndex) -> Vec<String> {
    let attribute = format!("context.{}", ladder.attribute);
    let top = ladder.steps.len();
    let mut laws = vec![format!("{attribute} < 0 || {attribute} > {top}")];
    let concerned = match ladder.measure {
        Measure::Asset { chain, .. } => format!("context.chain == {} && ", chain.0),
        Measure::Fiat | Measure::Count => String::new(),
    };
    laws.push(format!("{concerned}({UNBOUNDED}) && {attribute} < {top}"));
    for (place, amount) in ladder.steps.iter().enumerate() {
        let below = format!("{attribute} < {}", place.saturating_add(1));
        let reached = match ladder.measure {
            Measure::Asset { chain, asset } => of_asset(registry, chain, asset, *amount),
            Measure::Fiat | Measure::Count => at_least("outflow_fiat", *amount).into_iter().collect(),
        };
        laws.extend(reached.iter().map(|it| format!("!context.to_itself && {it} && {below}")));
    }
    laws
}

/// The ways to see in Cedar's numbers that an amount of an asset is reached. Millionths are rounded up, so that only
/// more of them than the amount has is proof.
fn of_asset(registry: &AssetIndex, chain: ChainId, asset: Asset, amount: Amount) -> Vec<String> {
    let word = match asset {
        Asset::Native => "native".to_owned(),
        Asset::Token(token) => format!("{token:#x}"),
    };
    let its = format!("context.chain == {} && context.asset == \"{word}\"", chain.0);
    let micro = Amount(in_micro(registry, chain, asset, amount).saturating_add(Amount::from(1_u64).0));
    let units = at_least("amount", amount);
    let ways = units.into_iter().chain(at_least("amount_micro", micro));
    ways.map(|way| format!("{its} && {way}")).collect()
}

/// None where the number does not fit: then nothing can be seen of it.
fn at_least(attribute: &str, amount: Amount) -> Option<String> {
    let number = i64::try_from(amount.0).ok().filter(|it| *it < i64::MAX)?;
    Some(format!("context.{attribute} >= {number}"))
}

/// Whether an effect only takes a right back: it needs no known destination.
pub(crate) const TAKES_BACK: &str = r#"(context.kind == "allowance_reduction"
  || ((context.kind == "nft_approval" || context.kind == "operator_approval") && context.amount <= 0)
  || (context.kind == "allowance" && context.amount <= 0 && context.takes_back)
  || (context.kind == "delegation" && context.destination == "0x0000000000000000000000000000000000000000"))"#;

/// What calls an earlier request off is one effect that moves nothing.
const CANCELS: &str = r#"context.cancels && (action != Action::"replacement" || context.kind != "no_value"
  || context.effects != 1)"#;

/// What nobody can put into numbers reaches every threshold.
const UNBOUNDED: &str = r#"context.kind == "opaque" || context.kind == "blind_digest" || context.kind == "authority"
  || context.kind == "creation" || context.kind == "delegate_call" || (context.kind == "delegation"
    && context.destination != "0x0000000000000000000000000000000000000000")"#;

const NUMBERS: [&str; 15] = [
    "fee",
    "max_fee_per_gas",
    "max_priority_fee_per_gas",
    "fee_rate",
    "nonce_ahead",
    "drill_age_seconds",
    "amount",
    "amount_micro",
    "outflow_fiat",
    "deadline",
    "domain_chain",
    "fee_micro",
    "simulated_out",
    "simulated_out_fiat",
    "depth",
];

/// What moves nothing by itself.
const WITHOUT_ASSET: [&str; 8] = [
    "authority",
    "blind_digest",
    "cancel",
    "creation",
    "delegate_call",
    "delegation",
    "no_value",
    "statement",
];

/// The classes that each kind of effect may have.
const CLASSES: [(&str, &[&str]); 16] = [
    ("transfer", &["transfer"]),
    ("nft_transfer", &["transfer"]),
    ("multi_token_transfer", &["transfer"]),
    ("allowance", &["allowance", "unlimited_allowance"]),
    ("allowance_reduction", &["transfer"]),
    ("nft_approval", &["allowance"]),
    ("operator_approval", &["allowance", "unlimited_allowance"]),
    ("authority", &["authority"]),
    ("delegation", &["authority"]),
    ("creation", &["authority"]),
    ("delegate_call", &["delegate_call"]),
    ("cancel", &["transfer"]),
    ("no_value", &["transfer"]),
    ("statement", &["statement"]),
    ("opaque", &["opaque"]),
    ("blind_digest", &["blind_digest"]),
];

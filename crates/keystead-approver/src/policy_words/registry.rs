//! The rest of a policy, line by line: destinations, assets, contracts, prices, rules and times.
//!
//! People sign what these lines say, so nothing of a policy is left out, and nothing in it can change how a
//! terminal shows it.

use keystead_intent::{Asset, ContractKind};
use keystead_policy::{
    BitcoinFinality, FeeCap, FeePart, LockTimeRule, Measure, PolicyVersion, PriceRule, Rule, SharedWallet,
    Simulate, SimulationRule, Timing,
};

use super::rules::{list, span, word};

/// Everything that neither limits nor quorums nor the roster say. Each rule is a line with its own lines indented below.
#[must_use]
pub fn registry(policy: &PolicyVersion) -> Vec<String> {
    // A field that is added to policies is added here, or named as shown elsewhere.
    let PolicyVersion {
        number: _,
        previous: _,
        roster: _,
        windows: _,
        quorums: _,
        caps: _,
        chains,
        timing,
        address_book,
        assets,
        contracts,
        prices,
        protections,
        fresh_heads,
        simulation,
        rules,
        bitcoin,
        fee_caps,
        tolerances,
    } = policy;
    let mut lines = vec![format!("chains: {}", list(chains))];
    lines.extend(times(timing));
    lines.extend(address_book.iter().map(|it| {
        format!("destination `{}` on {}: {}, from {}", it.name, it.chain, it.address, it.usable_from)
    }));
    lines.extend(assets.iter().map(|it| {
        let at = match it.asset {
            Asset::Native => "the chain's own coin".to_owned(),
            Asset::Token(address) => address.to_string(),
        };
        format!("asset `{}` on {}: {at}, {} decimals, {}", it.symbol, it.chain, it.decimals, word(&it.kind))
    }));
    lines.extend(contracts.iter().map(|it| {
        let kind = match it.kind {
            ContractKind::Described(digest) => format!("not understood; people read the descriptor {digest}"),
            kind => format!("understood as {}", word(&kind)),
        };
        format!("contract `{}` on {}: {}, {kind}", it.name, it.chain, it.address)
    }));
    lines.extend(prices.iter().flat_map(price_lines));
    lines.extend(
        protections.iter().map(|it| format!("homes of level {} must have {}", it.level, list(&it.features))),
    );
    lines.extend(
        fresh_heads
            .iter()
            .map(|it| format!("homes of level {} ask for the newest head: {}", it.level, word(&it.demand))),
    );
    lines.extend(simulation.iter().flat_map(simulation_lines));
    lines.extend(bitcoin.iter().flat_map(|it| it.lock_times.iter().map(lock_line)));
    lines.extend(bitcoin.iter().flat_map(|it| it.shared_wallets.iter().map(shared_line)));
    lines.extend(bitcoin.iter().flat_map(|it| it.finality.iter().map(final_line)));
    let written = bitcoin.iter().flat_map(|it| &it.written);
    lines.extend(written.map(|it| format!("an address on {} is written {}", it.chain, it.address)));
    lines.extend(fee_caps.iter().flat_map(|cap| fee_lines(policy, cap)));
    lines.extend(tolerances.iter().map(|it| {
        let (asset, _) = policy.unit(Measure::Asset { chain: it.chain, asset: it.asset });
        format!(
            "balances of {asset} on {} may fall short by {} basis points of what moves and {} of what is held, and no \
             alarm comes",
            it.chain, it.flow_bps, it.hold_bps
        )
    }));
    lines.extend(rules.iter().flat_map(rule_lines));
    lines.iter().map(|line| unambiguous(line)).collect()
}

fn simulation_lines(rule: &SimulationRule) -> Vec<String> {
    let SimulationRule { keys, classes, chains, max_age_seconds, wait_seconds, may_fail, simulate } = rule;
    let classes: Vec<String> = classes.iter().map(word).collect();
    let of =
        format!("keys {}, classes {}, chains {}", any(list(keys)), any(list(&classes)), any(list(chains)));
    let (age, wait) = (span(*max_age_seconds), span(*wait_seconds));
    let fails = if *may_fail { "passes too" } else { "is refused" };
    let demanded = [
        format!("every node runs transactions before they are allowed, of {of}"),
        format!("runs: waited for at most {wait}, and what has none then is denied"),
        format!("runs: what does not succeed in one {fails}"),
    ];
    let unasked = |others: &str, seconds: u64| {
        format!(
            "every node runs {others} transaction that it can; what has no run after {} goes on without",
            span(seconds)
        )
    };
    let state = format!("runs: on a state that is at most {age} old");
    match *simulate {
        Simulate::WhereAsked => [&demanded[..], &[state]].concat(),
        Simulate::Always { wait_seconds } => {
            [&demanded[..], &[unasked("every other", wait_seconds), state]].concat()
        }
        Simulate::Shown { wait_seconds } => vec![unasked("every", wait_seconds), state],
    }
}

fn lock_line(rule: &LockTimeRule) -> String {
    let LockTimeRule { chain, keys, height, ahead_seconds, relative_blocks, relative_seconds } = rule;
    let height = height.map(|it| match it.grows_from {
        None => format!("for a block up to {}", it.height),
        Some(from) => {
            format!("for a block up to {}, and one more for each ten minutes from {from} on", it.height)
        }
    });
    let time = ahead_seconds.map(|it| format!("for a moment at most {} ahead", span(it)));
    let blocks = (*relative_blocks > 0).then(|| format!("{relative_blocks} blocks after what they spend"));
    let seconds = (*relative_seconds > 0)
        .then(|| format!("{} after what they spend", span((*relative_seconds).into())));
    let parts: Vec<_> = [height, time, blocks, seconds].into_iter().flatten().collect();
    let what = if parts.is_empty() { "for nothing".to_owned() } else { parts.join("; ") };
    format!("transactions on {chain} of keys {} may be signed that wait: {what}", any(list(keys)))
}

fn final_line(rule: &BitcoinFinality) -> String {
    let BitcoinFinality { chain, confirmations } = rule;
    format!("a block of {chain} is final with {confirmations} blocks on it, itself included")
}

fn shared_line(wallet: &SharedWallet) -> String {
    let SharedWallet { chain, name, key, descriptor } = wallet;
    format!("key `{key}` shares the wallet `{name}` on {chain}: {descriptor}")
}

/// One line for each ceiling.
fn fee_lines(policy: &PolicyVersion, cap: &FeeCap) -> Vec<String> {
    let of = format!("keys {}, chains {}", any(list(&cap.keys)), any(list(&cap.chains)));
    let line = |(part, limit): (FeePart, _)| {
        let limit = match part {
            FeePart::FeeFiat => policy.amount(Measure::Fiat, limit),
            part => format!("{limit} {part}"),
        };
        format!("fee cap `{}` of {of}: {} at most {limit}", cap.id, word(&part))
    };
    cap.ceilings().map(line).collect()
}

fn any(names: String) -> String {
    if names.is_empty() { "all".to_owned() } else { names }
}

fn times(timing: &Timing) -> [String; 4] {
    let Timing { max_lifetime_seconds, certificate_seconds, skew_seconds, cool_off_seconds } = *timing;
    [
        format!("a request lives at most {}", span(max_lifetime_seconds)),
        format!("a certificate is good for {}", span(certificate_seconds)),
        format!("clocks may differ by {}", span(skew_seconds)),
        format!("a new destination cools off for {}", span(cool_off_seconds)),
    ]
}

fn price_lines(rule: &PriceRule) -> Vec<String> {
    let PriceRule { currency, sources, agree, max_age_seconds, max_spread_bps, tolerance_bps } = rule;
    let head = format!(
        "prices in {currency}: {agree} sources agree within {max_spread_bps} basis points, at most {} old; a node \
         votes for none further than {tolerance_bps} from its own",
        span(*max_age_seconds)
    );
    let source = sources.iter().map(|it| format!("price source `{}`: key {}", it.name, it.key.fingerprint()));
    [head].into_iter().chain(source).collect()
}

/// Line by line: a comment that ends where the rule begins must not seem to hold the rule.
fn rule_lines(rule: &Rule) -> Vec<String> {
    let text = rule.cedar.lines().map(|line| format!("    {line}"));
    [format!("rule `{}`:", rule.id)].into_iter().chain(text).collect()
}

/// Everything but plain characters is written as its number: nothing turns a line around or hides in it.
#[must_use]
pub fn unambiguous(text: &str) -> String {
    let plain = |c: char| c == ' ' || c.is_ascii_graphic();
    text.chars().map(|c| if plain(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

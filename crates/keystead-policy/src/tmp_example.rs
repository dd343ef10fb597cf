//! Temporary: writes the example.
#[test]
fn write() {
    use crate::fixture::*;
    use crate::*;
    use keystead_base::*;
    use keystead_intent::*;
    let mut v = version();
    let c = ChainId(31337);
    v.roster.people.push(person("dora", 7, &["trader"]));
    v.roster.nodes[0].name = name("node-1");
    v.roster.nodes[0].operator = "example".into();
    v.roster.nodes[0].host = "one".into();
    v.roster.nodes[0].provider = "own".into();
    v.roster.nodes[0].build = "0.1.0".into();
    v.roster.services[0].roles = vec![name("desk")];
    v.chains = vec![c];
    let usdc: alloy_primitives::Address = "0x5fbdb2315678afecb367f032d93f642f64180aa3".parse().unwrap();
    v.assets.truncate(2);
    for a in &mut v.assets {
        a.chain = c;
    }
    v.assets[1].asset = Asset::Token(usdc);
    v.address_book = vec![
        AddressEntry {
            chain: c,
            address: "0x70997970c51812dc3a010c7d01b50e0d17dc79c8".parse().unwrap(),
            name: name("exchange"),
            usable_from: Timestamp(1_795_464_000_000),
        },
        AddressEntry {
            chain: c,
            address: "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc".parse().unwrap(),
            name: name("payroll"),
            usable_from: Timestamp(1_795_467_600_000),
        },
    ];
    v.contracts = vec![ContractEntry {
        chain: c,
        address: "0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9".parse().unwrap(),
        name: name("treasury"),
        kind: ContractKind::Safe,
    }];
    let native = Measure::Asset { chain: c, asset: Asset::Native };
    let w = |id: &str, m, per: &[Dimension], limit| window(id, vec![], m, per, limit);
    v.windows = vec![
        w("ether-per-day", native, &[], Amount::from(10 * ETHER)),
        w("requests-per-hour", Measure::Count, &[Dimension::Key], Amount::from(1000u64)),
        w(
            "usdc-per-day",
            Measure::Asset { chain: c, asset: Asset::Token(usdc) },
            &[Dimension::Destination],
            crate::fixture::usdc(50_000),
        ),
    ];
    v.windows[1].span_seconds = 3600;
    let big = Threshold { measure: native, amount: Amount::from(ETHER) };
    v.quorums = vec![
        row("authority", &[], &[DangerClass::Authority], None, &[("approver", 2)], 3600),
        row("lending", &["hot"], &[DangerClass::Allowance], None, &[("approver", 1)], 0),
        row("statements", &[], &[DangerClass::Statement], None, &[], 0),
        row("transfers", &["hot"], &[DangerClass::Transfer], None, &[], 0),
        row("transfers-large", &["hot"], &[DangerClass::Transfer], Some(big), &[("approver", 2)], 0),
    ];
    v.prices = None;
    v.caps = vec![AssuranceCap {
        level: AssuranceLevel::Process,
        measure: native,
        amount: Amount::from(20 * ETHER),
    }];
    v.rules = vec![
        rule(
            "authority",
            "permit(principal in Role::\"founder\", action == Action::\"authority\", resource);",
        ),
        rule(
            "lending",
            "permit(principal in Role::\"desk\", action == Action::\"contract_call\", resource == Key::\"hot\")\nwhen { context.kind == \"allowance\" && context.amount_micro <= 1000000000 && !context.by_signature };",
        ),
        rule(
            "no-signed-rights",
            "@note(\"a permit can be submitted by anybody, at any time\")\nforbid(principal, action in Action::\"sign\", resource)\nwhen { context.by_signature };",
        ),
        rule(
            "statements",
            "permit(principal, action == Action::\"message\", resource)\nwhen { context.class == \"statement\" };",
        ),
        rule(
            "transfers",
            "permit(principal in Role::\"desk\", action in Action::\"sign\", resource == Key::\"hot\")\nwhen { context.class == \"transfer\" };",
        ),
        rule(
            "transfers-by-people",
            "permit(principal in Role::\"trader\", action in Action::\"sign\", resource == Key::\"hot\")\nwhen { context.class == \"transfer\" && context.weekday <= 5 && context.hour >= 7 && context.hour < 19 };",
        ),
    ];
    let v = v.into_canonical();
    Engine::compile(v.clone()).unwrap();
    std::fs::write("../../specs/examples/policy.json", serde_json::to_string_pretty(&v).unwrap() + "\n")
        .unwrap();
}

//! A request for Solana: it has its place in intents and policy, and no key signs it yet.

use keystead_decision::{Outcome, Strict};
use keystead_intent::{Action, ChainId, SolanaMessage};
use keystead_policy::Reason;
use keystead_tests::world::{World, hot, reasons};

/// INVARIANT S2: what no key can sign is denied with its reason, whatever policy lists.
#[test]
fn s02_no_key_of_another_curve_signs_for_solana() {
    let chain = ChainId::SOLANA_DEVNET;
    let mut world = World::with_policy(Strict::default(), |policy| policy.chains.push(chain));
    let message = vec![0x80, 1, 0, 0].into();
    let (_, outcome) = world.ask("desk", Action::Solana(SolanaMessage { account: hot(), chain, message }));
    assert!(matches!(outcome, Outcome::Deny { .. }), "{outcome:?}");
    let codes: Vec<_> = reasons(&outcome).iter().map(code).collect();
    assert_eq!(codes, ["solana.no_key"], "{outcome:?}");
}

fn code(reason: &Reason) -> String {
    match reason {
        Reason::Undecodable { code, .. } => code.clone(),
        other => format!("{other:?}"),
    }
}

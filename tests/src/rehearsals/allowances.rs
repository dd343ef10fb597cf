//! One account of ours signs, and another one of ours loses something by an allowance that it gave before.

use alloy_primitives::{Address, U256, address};
use alloy_sol_types::SolCall as _;
use keystead_base::{Amount, Canonical as _, Coded as _, RequestId};
use keystead_chain::{AddressBook, Speaker, describe_run};
use keystead_decision::{Outcome, Snapshot, Strict};
use keystead_intent::{AccountRef, Action, Asset, DangerClass};
use keystead_policy::{QuorumRow, Rule};

use super::demanded;
use crate::contracts::{COINS, DEPLOYER, approveCall, drainCall, mintCall, place, say, transferFromCall};
use crate::fixture::{CHAIN, FRIEND, TOKEN, name};
use crate::world::{World, outcome_of, reasons};

/// Takes from whoever its storage names.
const DRAIN: Address = address!("00000000000000000000000000000000000d7a10");
/// The account that signs, and the one that loses: neither is the first of its key.
const SIGNS: u32 = 3;
const LOSES: u32 = 7;

fn by(index: u32, mut action: Action) -> Action {
    let account = AccountRef { key: name("hot"), index };
    match &mut action {
        Action::ContractCall(call) => call.account = account,
        Action::Transfer(transfer) => transfer.account = account,
        _ => {}
    }
    action
}

/// Account 7 of `hot` has coins, and signed something once; `TOKEN` is this contract.
fn world(token: &str) -> World<Strict> {
    let call = format!("{:#x}/0x{}", DRAIN, const_hex::encode(drainCall::SELECTOR));
    let mut world = World::with_policy(Strict::default(), |policy| {
        demanded(policy);
        policy.rules.push(Rule {
            id: name("drains"),
            cedar: format!(
                "@opaque(\"{call}\") permit(principal in Role::\"desk\", action, resource == Key::\"hot\");"
            ),
        });
        policy.quorums.push(QuorumRow {
            id: name("anything"),
            classes: vec![DangerClass::Opaque],
            ..policy.quorums[0].clone()
        });
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        policy.quorums.sort_by(|a, b| a.id.cmp(&b.id));
    });
    let (signs, loses) = (world.account_at(SIGNS), world.account_at(LOSES));
    place(&mut world.chain, TOKEN, token);
    place(&mut world.chain, DRAIN, "Drain");
    for (slot, word) in [(0, TOKEN), (1, loses)] {
        world.chain.set_storage(DRAIN, U256::from(slot), U256::from_be_slice(word.as_slice()));
    }
    for account in [signs, loses] {
        world.chain.fund(account, U256::from(10).pow(U256::from(18)));
    }
    say(&mut world.chain, DEPLOYER, TOKEN, &mintCall { to: loses, value: U256::from(COINS) });
    world
}

/// Account 7 signs something: from now on the log knows it.
fn sign_once(world: &mut World<Strict>) {
    let nonce = world.chain.nonce(world.account_at(LOSES));
    let (id, _) = world.ask("desk", by(LOSES, world.ether(FRIEND, 1, nonce)));
    assert!(matches!(outcome_of(&world.simulate(&id), &id), Outcome::Allow(_)));
    world.sign_and_execute(&id).unwrap();
}

/// What account 7 loses of the token in the run of a request.
fn lost(world: &World<Strict>, id: &RequestId) -> Vec<Amount> {
    let loses = world.account_at(LOSES);
    let run = world.run_of(id);
    assert!(run.succeeded() && !run.cut, "{run:?}");
    let of = run.balances.iter().filter(|it| (it.account, it.asset) == (loses, Asset::Token(TOKEN)));
    of.map(|it| it.lost()).collect()
}

/// What the bytes say is taken from another account of ours is compared, counted and shown as the signer's own would be.
#[test]
fn s02_what_one_account_takes_from_another_of_ours_is_a_loss_of_ours() {
    let mut world = world("Coin");
    sign_once(&mut world);
    let (signs, loses) = (world.account_at(SIGNS), world.account_at(LOSES));
    say(&mut world.chain, loses, TOKEN, &approveCall { spender: signs, amount: U256::from(9) });
    let taken = transferFromCall { from: loses, to: FRIEND, amount: U256::from(5) };
    let (id, _) = world.ask("desk", by(SIGNS, world.call(TOKEN, taken.abi_encode(), 0)));
    assert_eq!(lost(&world, &id), [Amount::from(5_u64)]);
    let simulated = world.simulate(&id);
    assert!(matches!(outcome_of(&simulated, &id), Outcome::Allow(_)), "{simulated:?}");
    let said = said(&world, &id);
    assert!(
        said.iter().any(|it| it.contains(&loses.to_string()) && it.contains("loses 0.000005 USDT")),
        "{said:?}"
    );

    // Rules see it as what leaves all of us together.
    let out = format!("context.simulated_assets_out.contains(\"{TOKEN:#x}\")");
    let rule = Rule {
        id: name("no-coins"),
        cedar: format!("forbid(principal, action in Action::\"sign\", resource) when {{ {out} }};"),
    };
    world.adopt(|policy| {
        policy.rules.push(rule);
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
    });
    let (id, _) = world.ask("desk", by(SIGNS, world.call(TOKEN, taken.abi_encode(), 1)));
    let outcome = outcome_of(&world.simulate(&id), &id);
    assert!(reasons(&outcome).iter().any(|it| it.code() == "deny.forbidden"), "{outcome:?}");
}

/// What people read of the run that counts for a request.
fn said(world: &World<Strict>, id: &RequestId) -> Vec<String> {
    let rehearsed = world.state.request(id).unwrap().simulation.clone().unwrap();
    let (registry, book) = (world.state.policy().engine.registry(), AddressBook::default());
    let lines = describe_run(&rehearsed.block, &rehearsed.run, &Speaker::new(CHAIN, registry, &book));
    lines.iter().map(ToString::to_string).collect()
}

/// A contract that nobody understands takes from another account of ours, which no call data of the transaction
/// names; the token says so in its events, or does not.
#[test]
fn s02_what_leaves_another_account_of_ours_behind_a_call_is_refused() {
    for token in ["Coin", "Mute"] {
        let mut world = world(token);
        if token == "Coin" {
            let loses = world.account_at(LOSES);
            say(&mut world.chain, loses, TOKEN, &approveCall { spender: DRAIN, amount: U256::from(9) });
        }
        // Nobody knows account 7 of a key that never signed with it: nothing of its tokens can be given away by this log.
        let (id, _) = world.ask("desk", by(SIGNS, world.call(DRAIN, drainCall {}.abi_encode(), 0)));
        assert_eq!(lost(&world, &id), []);
        sign_once(&mut world);
        let five = Amount::from(5_u64);
        assert_eq!(lost(&world, &id), [five], "{token}");
        let outcome = outcome_of(&world.simulate(&id), &id);
        let [reason] = &reasons(&outcome)[..] else { panic!("{outcome:?}") };
        assert_eq!(reason.code(), "deny.simulation_takes_more");
        assert!(reason.to_string().contains(&world.account_at(LOSES).to_string()), "{reason}");
    }
}

/// A node that starts from a state that others sent knows the same accounts as one that counted them as they signed.
#[test]
fn s02_accounts_are_known_alike_however_a_state_was_come_by() {
    let mut world = world("Coin");
    assert!(world.state.accounts().is_empty());
    sign_once(&mut world);
    assert_eq!(world.state.accounts().iter().collect::<Vec<_>>(), [&world.account_at(LOSES)]);
    let read = Snapshot::from_document(&Snapshot(world.state.clone()).to_document()).unwrap();
    assert_eq!(read.0.accounts(), world.state.accounts());
}

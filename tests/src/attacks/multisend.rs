//! One bad call among eight (S2).
//!
//! The form of many thefts by batch: the first lines of a batch are the payments that everybody expects,
//! and a screen that shows the first one, or the number of them, shows nothing of the sixth.
//!
//! A Safe pays eight suppliers through `MultiSendCallOnly`, as the policy lets two people do. The sixth
//! is the thief. The twin reads the first inner call and takes it for the whole.

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall as _;
use keystead_chain::{AssetIndex, Unsigned};
use keystead_decision::Controls;
use keystead_intent::{ContractKind, DangerClass, Effects};
use keystead_policy::{AddressEntry, PolicyVersion};
use keystead_quorum::Strict;

use crate::Loot;
use crate::contracts::{MULTI_SEND, SAFE, by_safe, multiSendCall, place_safe, register};
use crate::fixture::{BIRTH, CHAIN, ETHER, FRIEND, name};
use crate::theft::{STRICT_CHECKS, THIEF, add_rule, approved, executed};
use crate::world::World;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, may_batch);
    let owner = world.account();
    place_safe(&mut world.chain, owner);
    world.chain.fund(SAFE, U256::from(10 * ETHER));
    let payees = (0..8).map(|index| if index == 5 { THIEF } else { FRIEND });
    let transactions = payees.flat_map(|payee| payment(payee, ETHER / 10)).collect::<Vec<_>>().into();
    let batch = multiSendCall { transactions }.abi_encode();
    let (id, outcome) = world.ask("dora", world.call(SAFE, by_safe(owner, MULTI_SEND, 1, batch), 0));
    let outcome = approved(&mut world, &id, outcome);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(THIEF), "wei of the Safe"),
        Err(refused) => refused,
    }
}

/// Operation, address, value, length of no data, as MultiSend packs them.
fn payment(to: Address, wei: u128) -> Vec<u8> {
    [&[0], to.as_slice(), &U256::from(wei).to_be_bytes::<32>(), &[0; 32]].concat()
}

fn may_batch(policy: &mut PolicyVersion) {
    register(policy, "desk-safe", SAFE, ContractKind::Safe);
    register(policy, "multi-send", MULTI_SEND, ContractKind::MultiSend);
    let (batches, usable_from) = (name("batches"), BIRTH);
    policy.address_book.push(AddressEntry {
        chain: CHAIN,
        address: MULTI_SEND,
        name: batches.clone(),
        usable_from,
    });
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
    let rule = r#"permit(principal in Role::"trader", action == Action::"contract_call", resource == Key::"hot")
                  when { context.kind == "delegate_call" && context.destination_name == "batches" };"#;
    add_rule(policy, "batches", rule);
    let mut row = policy.quorums.iter().find(|row| row.id == name("authority-two")).expect("a row").clone();
    (row.id, row.classes) = (batches, vec![DangerClass::DelegateCall]);
    policy.quorums.push(row);
    policy.quorums.sort_by(|a, b| a.id.cmp(&b.id));
}

/// Controls whose decoder follows the first inner call of each call.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutLaterCalls;

impl Controls for WithoutLaterCalls {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        let mut effects = keystead_chain::explain(unsigned, assets);
        effects.items.retain(|effect| effect.path.iter().all(|index| *index == 0));
        effects
    }
}

//! A vault behind an ERC-1967 proxy that the treasury owns, and the code that would empty it.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolValue as _};
use keystead_decision::Controls;
use keystead_devnet::Devnet;
use keystead_intent::{Action, ContractKind};
use keystead_policy::PolicyVersion;

use crate::Loot;
use crate::contracts::{DEPLOYER, deploy, initializeCall, register, say, sweepCall, upgradeToAndCallCall};
use crate::fixture::ETHER;
use crate::theft::{THIEF, add_rule};
use crate::world::World;

/// Says in a policy what the vault is: a contract whose code its owner can replace.
pub(crate) fn registered(policy: &mut PolicyVersion) {
    register(policy, "vault", address(), ContractKind::Governed);
}

/// The same, and traders may ask for new code, whatever its address: what stops them is people and time.
pub(crate) fn upgradable(policy: &mut PolicyVersion) {
    registered(policy);
    let rule = r#"@any_destination("true")
                  permit(principal in Role::"trader", action == Action::"contract_call", resource == Key::"hot")
                  when { context.class == "authority" };"#;
    add_rule(policy, "traders-upgrade", rule);
}

/// Puts the vault on the chain, with 300 ether, and the thief's code beside it: where that is.
pub(crate) fn place<C: Controls>(world: &mut World<C>) -> Address {
    let owner = world.account();
    assert_eq!(deploy_vault(&mut world.chain, owner), address());
    world.chain.fund(address(), U256::from(300 * ETHER));
    deploy(&mut world.chain, "HollowVault", &[])
}

/// The owner replaces the vault's code.
pub(crate) fn upgrade<C: Controls>(world: &World<C>, implementation: Address) -> Action {
    let call = upgradeToAndCallCall { implementation, data: Bytes::new() };
    world.call(address(), call.abi_encode(), 0)
}

/// The thief empties what the new code left open.
pub(crate) fn swept<C: Controls>(world: &mut World<C>) -> Loot {
    say(&mut world.chain, THIEF, address(), &sweepCall { to: THIEF });
    Loot::stolen(world.chain.balance(THIEF), "wei of the vault")
}

/// The deployer's second contract.
fn address() -> Address {
    DEPLOYER.create(1)
}

/// The deployer's first two contracts: the code, and the proxy before it.
fn deploy_vault(chain: &mut Devnet, owner: Address) -> Address {
    let code = deploy(chain, "Vault", &[]);
    let initialize = Bytes::from(initializeCall { owner }.abi_encode());
    deploy(chain, "VaultProxy", &(code, initialize).abi_encode_params())
}

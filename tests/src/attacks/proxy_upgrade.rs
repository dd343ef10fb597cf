//! The code behind an address is replaced (S9).
//!
//! PAID Network, 5 March 2021: with the key of the deployer the token's proxy was pointed at code that
//! could mint, and 59 million tokens were minted and sold. No transfer of the victim's was ever signed.
//!
//! The treasury keeps ether in a vault behind an ERC-1967 proxy that it owns. The twin knows transfers
//! only: a call that is none moves nothing.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolValue as _};
use keystead_chain::{AssetIndex, Unsigned};
use keystead_decision::Controls;
use keystead_devnet::Devnet;
use keystead_intent::{ContractKind, Effects};
use keystead_quorum::Strict;

use crate::Loot;
use crate::contracts::{DEPLOYER, deploy, initializeCall, register, say, sweepCall, upgradeToAndCallCall};
use crate::fixture::ETHER;
use crate::theft::{STRICT_CHECKS, THIEF, executed, transfers_only};
use crate::world::World;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let vault = DEPLOYER.create(1);
    let mut world =
        World::with_policy(controls, |policy| register(policy, "vault", vault, ContractKind::Governed));
    let owner = world.account();
    assert_eq!(place_vault(&mut world.chain, owner), vault);
    world.chain.fund(vault, U256::from(300 * ETHER));
    let hollow = deploy(&mut world.chain, "HollowVault", &[]);

    let call = upgradeToAndCallCall { implementation: hollow, data: Bytes::new() };
    let (id, outcome) = world.ask("dora", world.call(vault, call.abi_encode(), 0));
    if let Err(refused) = executed(&mut world, &id, &outcome) {
        return refused;
    }
    say(&mut world.chain, THIEF, vault, &sweepCall { to: THIEF });
    Loot::stolen(world.chain.balance(THIEF), "wei of the vault")
}

/// The deployer's first two contracts: the code, and the proxy before it.
fn place_vault(chain: &mut Devnet, owner: Address) -> Address {
    let code = deploy(chain, "Vault", &[]);
    let initialize = Bytes::from(initializeCall { owner }.abi_encode());
    deploy(chain, "VaultProxy", &(code, initialize).abi_encode_params())
}

/// Controls whose decoder knows transfers only.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutAuthority;

impl Controls for WithoutAuthority {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        transfers_only(unsigned, assets)
    }
}

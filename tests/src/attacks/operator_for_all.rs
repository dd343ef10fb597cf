//! `setApprovalForAll`: every picture, now and later (S2, S9).
//!
//! Premint, 17 July 2022: a script on the site asked visitors to "verify" their wallets. The call was
//! `setApprovalForAll`, and 314 NFTs were taken within hours.
//!
//! The twin knows transfers only: a call that is none moves nothing.

use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use keystead_decision::Controls;
use keystead_intent::{Asset, AssetEntry, AssetKind};
use keystead_policy::PolicyVersion;

use crate::Loot;
use crate::contracts::{PICTURES, coins_at, say, setApprovalForAllCall, stock, transferFromCall};
use crate::fixture::CHAIN;
use crate::theft::{THIEF, executed};
use crate::world::World;

pub use crate::theft::TransfersOnly as WithoutOperators;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, know_pictures);
    stock(&mut world);
    let call = setApprovalForAllCall { operator: THIEF, approved: true };
    let (id, outcome) = world.ask("dora", world.call(PICTURES, call.abi_encode(), 0));
    let owner = match executed(&mut world, &id, &outcome) {
        Ok(receipt) => receipt.from,
        Err(refused) => return refused,
    };
    for picture in [1_u64, 2] {
        let take = transferFromCall { from: owner, to: THIEF, amount: U256::from(picture) };
        say(&mut world.chain, THIEF, PICTURES, &take);
    }
    Loot::stolen(coins_at(&world.chain, PICTURES, THIEF), "pictures")
}

fn know_pictures(policy: &mut PolicyVersion) {
    let (asset, symbol) = (Asset::Token(PICTURES), "PIC".to_owned());
    policy.assets.push(AssetEntry { chain: CHAIN, asset, symbol, decimals: 0, kind: AssetKind::NonFungible });
    policy.assets.sort_by_key(|entry| (entry.chain, entry.asset));
}

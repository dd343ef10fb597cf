//! One registry and one account for all tests of this crate.

use alloy_primitives::{Address, Bytes};
use keystead_base::Amount;
use keystead_intent::{
    Action, Asset, AssetEntry, AssetIndex, AssetKind, ChainId, ContractCall, ContractEntry, ContractKind,
    Effects, GasTerms,
};

use crate::{build, explain};

pub(crate) const CHAIN: ChainId = ChainId(1);
pub(crate) const US: Address = Address::repeat_byte(0x11);
pub(crate) const ALICE: Address = Address::repeat_byte(0xa1);
pub(crate) const MALLORY: Address = Address::repeat_byte(0x66);
pub(crate) const UNKNOWN: Address = Address::repeat_byte(0x77);
pub(crate) const USDC: Address = Address::repeat_byte(0xc0);
pub(crate) const PUNK: Address = Address::repeat_byte(0xc1);
pub(crate) const ITEM: Address = Address::repeat_byte(0xc2);
pub(crate) const SAFE: Address = Address::repeat_byte(0x5a);
pub(crate) const MULTISEND: Address = Address::repeat_byte(0x5b);
pub(crate) const MULTICALL: Address = Address::repeat_byte(0x5c);
pub(crate) const GOVERNED: Address = Address::repeat_byte(0x5d);

pub(crate) fn registry() -> AssetIndex {
    let asset = |asset, symbol: &str, decimals, kind| AssetEntry {
        chain: CHAIN,
        asset,
        symbol: symbol.into(),
        decimals,
        kind,
    };
    let contract = |address, name: &str, kind| {
        let name = name.parse().unwrap();
        ContractEntry { chain: CHAIN, address, name, kind }
    };
    let assets = [
        asset(Asset::Native, "ETH", 18, AssetKind::Fungible),
        asset(Asset::Token(USDC), "USDC", 6, AssetKind::Fungible),
        asset(Asset::Token(PUNK), "PUNK", 0, AssetKind::NonFungible),
        asset(Asset::Token(ITEM), "ITEM", 0, AssetKind::MultiToken),
    ];
    let contracts = [
        contract(SAFE, "safe", ContractKind::Safe),
        contract(MULTISEND, "multisend", ContractKind::MultiSend),
        contract(MULTICALL, "multicall", ContractKind::Multicall),
        contract(GOVERNED, "vault", ContractKind::Governed),
    ];
    AssetIndex::new(&assets, &contracts).unwrap()
}

pub(crate) fn gas() -> GasTerms {
    GasTerms { nonce: 7, gas_limit: 100_000, max_fee_per_gas: 30_000_000_000, max_priority_fee_per_gas: 1 }
}

pub(crate) fn account() -> keystead_intent::AccountRef {
    keystead_intent::AccountRef { key: "hot".parse().unwrap(), index: 0 }
}

pub(crate) fn call_action(to: Address, value: u64, data: &[u8]) -> Action {
    Action::ContractCall(ContractCall {
        account: account(),
        chain: CHAIN,
        to,
        value: Amount::from(value),
        data: Bytes::copy_from_slice(data),
        gas: gas(),
    })
}

/// What a call by [`US`] does.
pub(crate) fn effects_of(to: Address, value: u64, data: &[u8]) -> Effects {
    explain(&build(&call_action(to, value, data), US).unwrap(), &registry())
}

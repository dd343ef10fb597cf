//! Calls to every kind of contract that a decoder reads, nested ones among them.

use std::sync::LazyLock;

use alloy_primitives::{Address, Bytes};
use keystead_base::Amount;
use keystead_chain::{AddressBook, MAX_EFFECTS, build, describe, explain};
use keystead_intent::{
    AccountRef, Action, Asset, AssetEntry, AssetIndex, AssetKind, ContractCall, ContractEntry, ContractKind,
    EffectKind, GasTerms, PERMIT2,
};

use crate::Verdict;
use crate::ethereum::{ACCOUNT, CHAIN};

/// What the calls may reach, by the first byte of the input. The order is that of the seeds.
const REACHED: [Address; 9] = [
    Address::repeat_byte(0xc0),
    Address::repeat_byte(0xc1),
    Address::repeat_byte(0xc2),
    Address::repeat_byte(0x5a),
    Address::repeat_byte(0x5b),
    Address::repeat_byte(0x5c),
    Address::repeat_byte(0x5d),
    PERMIT2,
    Address::repeat_byte(0x77),
];

/// The registry: tokens of each kind, and a contract of each kind; the last address is in neither.
pub(crate) static REGISTRY: LazyLock<AssetIndex> = LazyLock::new(|| {
    let [fungible, single, multi, safe, multisend, multicall, governed, ..] = REACHED;
    let asset = |asset, symbol: &str, decimals, kind| AssetEntry {
        chain: CHAIN,
        asset,
        symbol: symbol.to_owned(),
        decimals,
        kind,
    };
    let contract = |address, name: &str, kind| ContractEntry {
        chain: CHAIN,
        address,
        name: name.parse().expect("a name"),
        kind,
    };
    let assets = [
        asset(Asset::Native, "ETH", 18, AssetKind::Fungible),
        asset(Asset::Token(fungible), "USDC", 6, AssetKind::Fungible),
        asset(Asset::Token(single), "PUNK", 0, AssetKind::NonFungible),
        asset(Asset::Token(multi), "ITEM", 0, AssetKind::MultiToken),
    ];
    let contracts = [
        contract(safe, "safe", ContractKind::Safe),
        contract(multisend, "multisend", ContractKind::MultiSend),
        contract(multicall, "multicall", ContractKind::Multicall),
        contract(governed, "vault", ContractKind::Governed),
    ];
    AssetIndex::new(&assets, &contracts).expect("a registry")
});

/// One call: a byte that chooses the contract, a byte that is the value, and calldata.
pub(crate) fn call(data: &[u8]) -> Verdict {
    let [to, value, calldata @ ..] = data else { return Verdict::Refused };
    let action = Action::ContractCall(ContractCall {
        account: AccountRef { key: "hot".parse().expect("a name"), index: 0 },
        chain: CHAIN,
        to: REACHED[usize::from(*to) % REACHED.len()],
        value: Amount::from(u64::from(*value)),
        data: Bytes::copy_from_slice(calldata),
        gas: GasTerms { nonce: 7, gas_limit: 100_000, max_fee_per_gas: 9, max_priority_fee_per_gas: 1 },
    });
    let Ok(unsigned) = build(&action, ACCOUNT) else { return Verdict::Refused };
    let effects = explain(&unsigned, &REGISTRY);
    assert!(effects.items.len() <= MAX_EFFECTS + 1, "{} effects", effects.items.len());
    assert_eq!(effects, explain(&unsigned, &REGISTRY), "two readings of the same bytes");
    // Calldata does something, or it is opaque: coins that move beside it do not explain it.
    let says = |kind: &EffectKind| match kind {
        EffectKind::NoValue => false,
        EffectKind::Transfer { asset, .. } => *asset != Asset::Native,
        _ => true,
    };
    assert!(
        calldata.is_empty() || effects.items.iter().any(|item| says(&item.kind)),
        "calldata without an effect: {effects:?}"
    );
    assert!(!describe(&effects, &REGISTRY, &AddressBook::default()).is_empty(), "effects without words");
    match effects.items.iter().any(|item| matches!(item.kind, EffectKind::Opaque { .. })) {
        true => Verdict::Refused,
        false => Verdict::Accepted,
    }
}

//! Which functions a contract of a kind has.

use keystead_intent::{AssetKind, ContractKind, OpaqueReason};

use super::{Function, access, eip3009, erc20, multicall, multisend, nft, permit, permit2, proxy, safe};

/// Tables are searched in order; within one kind no selector occurs twice.
pub(crate) type Tables = &'static [&'static [Function]];

/// The functions of a contract of this kind.
pub(crate) fn of(kind: ContractKind) -> Tables {
    match kind {
        ContractKind::Token(AssetKind::Fungible) => FUNGIBLE,
        ContractKind::Token(AssetKind::NonFungible) => NON_FUNGIBLE,
        ContractKind::Token(AssetKind::MultiToken) => MULTI_TOKEN,
        ContractKind::Safe => &[safe::TABLE],
        ContractKind::MultiSend => &[multisend::TABLE],
        ContractKind::Multicall => &[multicall::AGGREGATE],
        ContractKind::Permit2 => &[permit2::TABLE],
        ContractKind::Governed => GOVERNED,
        // The words of a descriptor are for people; nothing is understood by them.
        ContractKind::Described(_) => &[],
    }
}

/// The row with a selector.
pub(crate) fn find(tables: Tables, selector: [u8; 4]) -> Option<&'static Function> {
    tables.iter().flat_map(|table| table.iter()).find(|function| function.selector == selector)
}

/// How standards write the function with a selector; a contract may mean another one by it.
pub(crate) fn signature(selector: [u8; 4]) -> Option<&'static str> {
    find(EVERY, selector).map(|function| function.signature)
}

/// Why a call is opaque whose contract has no such function.
pub(crate) fn reason(selector: [u8; 4]) -> OpaqueReason {
    match find(EVERY, selector) {
        Some(_) => OpaqueReason::AmbiguousContract,
        None => OpaqueReason::UnknownSelector,
    }
}

const FUNGIBLE: Tables =
    &[erc20::TABLE, permit::TABLE, eip3009::TABLE, multicall::SELF, access::TABLE, proxy::TABLE];
const NON_FUNGIBLE: Tables = &[nft::ERC721, multicall::SELF, access::TABLE, proxy::TABLE];
const MULTI_TOKEN: Tables = &[nft::ERC1155, multicall::SELF, access::TABLE, proxy::TABLE];
const GOVERNED: Tables = &[multicall::SELF, access::TABLE, proxy::TABLE];

/// Read even on unknown contracts, beside saying that they are opaque.
pub(crate) const CONTROL: Tables =
    &[safe::TABLE, multisend::TABLE, multicall::AGGREGATE, multicall::SELF, access::TABLE, proxy::TABLE];

pub(crate) const EVERY: Tables = &[
    erc20::TABLE,
    permit::TABLE,
    eip3009::TABLE,
    nft::ERC721,
    nft::ERC1155,
    permit2::TABLE,
    safe::TABLE,
    multisend::TABLE,
    multicall::AGGREGATE,
    multicall::SELF,
    access::TABLE,
    proxy::TABLE,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alloy_primitives::keccak256;

    use super::*;

    #[test]
    fn selectors_are_the_hashes_of_their_signatures() {
        for function in EVERY.iter().flat_map(|table| table.iter()) {
            assert_eq!(function.selector, keccak256(function.signature)[..4], "{}", function.signature);
        }
    }

    #[test]
    fn no_kind_of_contract_has_a_selector_twice() {
        for tables in [FUNGIBLE, NON_FUNGIBLE, MULTI_TOKEN, GOVERNED, CONTROL] {
            let mut seen = BTreeSet::new();
            for function in tables.iter().flat_map(|table| table.iter()) {
                assert!(seen.insert(function.selector), "{} twice", function.signature);
            }
        }
    }
}

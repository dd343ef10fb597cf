//! ERC-7730 descriptors, and calls that they are asked about.

use std::sync::LazyLock;

use alloy_primitives::Bytes;
use keystead_base::Amount;
use keystead_chain::{AddressBook, Speaker, build};
use keystead_intent::{
    AccountRef, Action, AssetIndex, ChainId, ContractCall, ContractEntry, ContractKind, GasTerms,
};
use keystead_words::{Descriptor, Language, Library};

use crate::Verdict;
use crate::ethereum::ACCOUNT;

/// A descriptor; what it shows is asked for with the calldata that stands behind its end, after a byte of zero.
pub(crate) fn descriptor(data: &[u8]) -> Verdict {
    let (file, calldata) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
    let Some(descriptor) = std::str::from_utf8(file).ok().and_then(|it| Descriptor::parse(it).ok()) else {
        return Verdict::Refused;
    };
    let mut library = LIBRARY.clone();
    let digest = library.add(file).expect("it was read");
    for (chain, to) in descriptor.deployments().filter(|(chain, _)| chain.0 != 0).take(1) {
        let name = "vault".parse().expect("a name");
        let contract = ContractEntry { chain, address: to, name, kind: ContractKind::Described(digest) };
        let registry = AssetIndex::new(&[], &[contract]).unwrap_or_default();
        let action = Action::ContractCall(ContractCall {
            account: AccountRef { key: "hot".parse().expect("a name"), index: 0 },
            chain: ChainId(chain.0),
            to,
            value: Amount::ZERO,
            data: Bytes::copy_from_slice(calldata.get(1..).unwrap_or_default()),
            gas: GasTerms { nonce: 7, gas_limit: 100_000, max_fee_per_gas: 9, max_priority_fee_per_gas: 1 },
        });
        let unsigned = build(&action, ACCOUNT).expect("a call");
        let book = AddressBook::default();
        let lines = library.words(&unsigned, &Speaker::new(chain, &registry, &book));
        let marked = |line: &String| line.starts_with('>') && !line.chars().any(char::is_control);
        assert!(lines.iter().skip(1).all(marked), "a line that could pass for one of ours: {lines:?}");
    }
    Verdict::Accepted
}

static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::bundled(Language::English).expect("the bundled set"));

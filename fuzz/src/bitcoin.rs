//! What Bitcoin keys might sign: a PSBT means one thing in both versions, a descriptor has one text.

use std::sync::LazyLock;

use keystead_bitcoin::{
    Descriptor, Network, Psbt, PsbtVersion, Terms, View, Wallet, address_of, describe, explain, parse_address,
};

use crate::Verdict;
use crate::seeds::stored;

const NETWORK: Network = Network::Regtest;

/// The seeds of descriptors, which the seeds of PSBTs spend from.
static WALLET: LazyLock<Wallet> = LazyLock::new(|| {
    let texts = stored("descriptor").into_iter().map(|it| String::from_utf8(it).expect("text"));
    let named = texts.enumerate().map(|(at, text)| {
        let name = format!("d{at}").parse().expect("a name");
        (name, Descriptor::parse(&text, NETWORK).expect("a seed"))
    });
    Wallet::new(NETWORK, named.collect()).expect("a wallet")
});

/// Bytes that may be a PSBT.
pub(crate) fn psbt(data: &[u8]) -> Verdict {
    let Ok(psbt) = Psbt::parse(data) else { return Verdict::Refused };
    let terms = Terms { foreign_inputs: true, relative_locks: true, ..Terms::default() };
    let view = View::read(&psbt, &WALLET, &terms);
    for version in [PsbtVersion::Zero, PsbtVersion::Two] {
        let bytes = psbt.to_bytes(version);
        let again = Psbt::parse(&bytes).expect("its own bytes");
        assert_eq!(again, psbt, "another PSBT comes back");
        assert_eq!(again.to_bytes(version), bytes);
        assert_eq!(View::read(&again, &WALLET, &terms), view, "another reading of the same PSBT");
    }
    let Ok(view) = view else { return Verdict::Refused };
    let effects = explain(&view);
    assert_eq!(effects.items.len(), view.transaction().output.len(), "an output without an effect");
    let out: u64 = effects.items.iter().map(|it| it.sat).sum();
    assert_eq!(effects.ours_sat() + effects.foreign_sat(), out + effects.fee_sat, "money from nowhere");
    assert!(!describe(&effects, &|_| None).is_empty(), "effects without words");
    assert!(!view.digests().is_empty(), "nothing of ours");
    Verdict::Accepted
}

/// Text that may be a descriptor.
pub(crate) fn descriptor(data: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(data) else { return Verdict::Refused };
    let Ok(descriptor) = Descriptor::parse(text, NETWORK) else { return Verdict::Refused };
    let canonical = descriptor.to_string();
    assert_eq!(Descriptor::parse(&canonical, NETWORK).as_ref(), Ok(&descriptor), "its own text");
    Verdict::Accepted
}

/// Text that may be an address.
pub(crate) fn address(data: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(data) else { return Verdict::Refused };
    let Ok(script) = parse_address(text, NETWORK) else { return Verdict::Refused };
    let canonical = address_of(&script, NETWORK).expect("an address of its script");
    assert_eq!(parse_address(&canonical, NETWORK).as_ref(), Ok(&script), "another script comes back");
    Verdict::Accepted
}

//! Everything that an Ethereum key may sign: the raw bytes mean one thing, or they are refused.

use alloy_primitives::{Address, Bytes, keccak256};
use keystead_base::Canonical as _;
use keystead_chain::typed_data::Document;
use keystead_chain::{AddressBook, Payload, Unsigned, assemble, describe, explain};
use keystead_intent::ChainId;

use crate::Verdict;
use crate::calls::REGISTRY;

/// The chain whose id the seeds carry.
pub(crate) const CHAIN: ChainId = ChainId(1);
/// The account that would sign.
pub(crate) const ACCOUNT: Address = Address::repeat_byte(0x11);

/// A transaction of any type: the bytes that are explained are the bytes that are signed.
pub(crate) fn transaction(data: &[u8]) -> Verdict {
    preimage(data, Payload::Transaction(Bytes::copy_from_slice(data)))
}

/// An EIP-7702 authorization.
pub(crate) fn authorization(data: &[u8]) -> Verdict {
    preimage(data, Payload::Authorization(Bytes::copy_from_slice(data)))
}

/// An EIP-191 message.
pub(crate) fn message(data: &[u8]) -> Verdict {
    let payload = Payload::Message(Bytes::copy_from_slice(data));
    let Ok(unsigned) = Unsigned::parse(ACCOUNT, CHAIN, payload) else { return Verdict::Refused };
    let expected = alloy_primitives::eip191_hash_message(data);
    assert_eq!(unsigned.signing_digest().0, expected.0, "a message is signed with its prefix");
    understood(&unsigned)
}

/// EIP-712: whatever is accepted, alloy hashes alike.
pub(crate) fn typed_data(data: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(data) else { return Verdict::Refused };
    let Ok(document) = Document::parse(text) else { return Verdict::Refused };
    let theirs: alloy_dyn_abi::TypedData = serde_json::from_str(text).expect("alloy reads what is accepted");
    let theirs = theirs.eip712_signing_hash().expect("alloy hashes what is accepted");
    assert_eq!(keccak256(document.signing_preimage()), theirs, "two hashes of one document");
    match Unsigned::parse(ACCOUNT, CHAIN, Payload::TypedData(text.to_owned())) {
        Ok(unsigned) => understood(&unsigned),
        Err(_) => Verdict::Refused,
    }
}

fn preimage(data: &[u8], payload: Payload) -> Verdict {
    let Ok(unsigned) = Unsigned::parse(ACCOUNT, CHAIN, payload) else { return Verdict::Refused };
    assert_eq!(unsigned.signing_preimage(), data, "what is signed is what was read");
    // No such signature exists: whatever address it may give, it is not this account's.
    let (r, s) = (keccak256(data), keccak256(b"s"));
    assert!(assemble(&unsigned, r, s, false).is_err(), "a made-up signature is the account's");
    understood(&unsigned)
}

/// No success without an effect, the same effects twice, and words for them.
fn understood(unsigned: &Unsigned) -> Verdict {
    let effects = explain(unsigned, &REGISTRY);
    assert!(!effects.items.is_empty(), "accepted, and it does nothing");
    assert_eq!(effects, explain(unsigned, &REGISTRY), "two readings of the same bytes");
    assert_eq!(effects.signing_digest, unsigned.signing_digest());
    assert!(!describe(&effects, &REGISTRY, &AddressBook::default()).is_empty(), "effects without words");
    let again = Unsigned::from_document(&unsigned.to_document()).expect("its own document");
    assert_eq!(&again, unsigned);
    Verdict::Accepted
}

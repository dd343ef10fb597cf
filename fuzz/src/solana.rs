//! What Solana keys might sign: a message is written again as it was read, and nothing that it does goes unsaid.

use keystead_solana::{Cluster, Message, Pubkey, Unsigned, describe};

use crate::Verdict;

/// Bytes that may be a message.
pub(crate) fn message(data: &[u8]) -> Verdict {
    let Ok(message) = Message::parse(data) else { return Verdict::Refused };
    assert_eq!(message.to_bytes(), data, "other bytes come back");
    for signer in message.signers() {
        let unsigned = Unsigned::read(Cluster::Devnet, *signer, data).expect("one of its signers");
        let (ours, theirs) = (unsigned.explain(), unsigned.effects());
        assert_eq!(ours.items.len(), message.instructions().len(), "an instruction without an effect");
        assert!(theirs.items.len() >= ours.items.len(), "an effect that policy does not read");
        assert_eq!(ours.class(), theirs.class(), "people and policy read two classes");
        assert_eq!(unsigned.effects(), theirs, "two readings of the same bytes");
        assert!(describe(&ours, &|_| None).len() > ours.items.len(), "effects without words");
        assert!(unsigned.assemble(&[(*signer, [7; 64])]).is_err(), "a made-up signature is the account's");
    }
    Verdict::Accepted
}

/// Text that may be an address.
pub(crate) fn key(data: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(data) else { return Verdict::Refused };
    let Ok(key) = text.parse::<Pubkey>() else { return Verdict::Refused };
    assert_eq!(key.to_string(), text, "another text comes back");
    Verdict::Accepted
}

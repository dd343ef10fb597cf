//! What was signed for Solana, as its own crates read it.

use keystead_wire::RequestView;
use solana_transaction::versioned::VersionedTransaction;

/// What came out is a transaction of theirs, with this message, and every signature is good as validators verify: no small
/// order, no other encoding.
pub(crate) fn verified(view: &RequestView, message: &[u8]) {
    let signed = view.signed.as_ref().expect("a signature");
    let theirs: VersionedTransaction = wincode::deserialize_exact(&signed.raw).expect("their wire format");
    theirs.sanitize().expect("sane");
    assert_eq!(theirs.message.serialize(), message);
    assert_eq!(theirs.signatures[0].as_ref(), &signed.signature[..]);
    for (key, signature) in theirs.message.static_account_keys().iter().zip(&theirs.signatures) {
        let verifier = ed25519_dalek::VerifyingKey::from_bytes(&key.to_bytes()).expect("a point");
        let signature =
            ed25519_dalek::Signature::from_bytes(signature.as_ref().try_into().expect("64 bytes"));
        verifier.verify_strict(message, &signature).expect("a signature of the message");
    }
}

//! Ids, digests, one canonical encoding, hybrid keys, secrets, and time as an argument.
//!
//! Everything above this crate speaks in these words. Nothing here reads a clock, a file or a socket.

mod account;
mod amount;
mod canon;
mod digest;
mod fault;
mod hybrid;
mod id;
pub mod merkle;
mod secret;
mod self_test;
mod signed;
mod time;

pub use account::{KeyScheme, PublicAccount};
pub use amount::Amount;
pub use canon::{CanonError, Canonical, MAX_DOCUMENT_BYTES};
pub use digest::{Digest, DigestError, tagged_hash};
pub use fault::{Blame, Coded};
pub use hybrid::{
    ClassicalHalf, ED25519_KEY_BYTES, ED25519_SIGNATURE_BYTES, HYBRID_SEED_BYTES, HybridPublicKey,
    HybridSignature, HybridSigner, KeyError, ML_DSA_65_KEY_BYTES, ML_DSA_65_SEED_BYTES,
    ML_DSA_65_SIGNATURE_BYTES, SignatureError,
};
pub use id::{ClusterId, MAX_NAME_BYTES, Name, NameError, RequestId, RequestNonce};
pub use secret::Secret;
pub use self_test::{BASE_SELF_TESTS, SelfTest, SelfTestError, SelfTested};
pub use signed::{Signed, signing_message};
pub use time::Timestamp;

//! Where whole keys live beside the enclave: one trait, the software home, PKCS#11 tokens in processes of their own.
//!
//! A home makes keys and signs with them; it decides nothing. Whether something may be signed is decided by the enclave, which
//! verifies the log's certificate first, and asks a home only then. A home is a peer that is not believed: whatever it signs is
//! brought into the one form that chains take, and verified, before anybody sees it ([`finish`]).

mod error;
mod finish;
mod frame;
mod home;
mod point;
mod pool;
mod process;
mod self_test;
mod software;
mod token;

pub use error::HomeError;
pub use finish::finish;
pub use home::{
    Abilities, Home, Label, MAX_LABEL_BYTES, MAX_WRAPPED_BYTES, Parcel, PublicKey, Receiver, Scheme,
    Signature, Testimony, ToSign,
};
pub use pool::{Member, Pool};
pub use process::{ProcessHome, ServeError, TokenProcess, serve, serve_with};
pub use self_test::power_on;
pub use software::SoftwareHome;
pub use token::{Pin, TokenHome, TokenPlace};

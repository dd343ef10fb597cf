//! Keys whose signatures a quantum computer does not forge: ML-DSA (FIPS 204) and SLH-DSA (FIPS 205).
//!
//! A [`QuantumNode`] grows from a wallet's seed by hardened steps; at the end of a path stands a [`QuantumKey`], which
//! signs, and whose [`QuantumPublicKey`] verifies. A [`QuantumQuorum`] is k of n such keys, each made for itself. An anchor
//! is one that is kept offline, whose [`AnchorWord`] a pinned cluster's rebuild takes beside its people's signatures.
//!
//! People, nodes and checkpoints do not use these: their keys are hybrid (`keystead_base::HybridSigner`), so that
//! breaking lattices alone gives nothing. These are for chains and verifiers that take no hybrid.

mod anchor;
mod error;
pub mod exposure;
mod key;
mod node;
mod octets;
mod public;
mod quorum;
mod scheme;
mod second;
mod slh;
#[cfg(test)]
mod vectors;

pub use anchor::{AnchorError, AnchorPart, AnchorStatement, AnchorWord};
pub use error::QuantumError;
pub use key::QuantumKey;
pub use node::QuantumNode;
pub use octets::Octets;
pub use public::{QuantumPublicKey, QuantumSignature};
pub use quorum::{
    MAX_QUORUM_KEYS, MAX_QUORUM_MESSAGE_BYTES, QuantumQuorum, QuantumQuorumMessage, QuantumQuorumSignature,
    QuantumSeat, QuorumError,
};
pub use scheme::{ParseSchemeError, Scheme};

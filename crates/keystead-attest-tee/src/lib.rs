//! Reads evidence of AMD SEV-SNP, Intel TDX and SGX, and AWS Nitro.
//!
//! A crate of its own because its libraries are large, and nothing of the product links it yet. Each verifier is handed what
//! the maker publishes (certificates, collateral); nothing here asks a server.

mod amd;
mod intel;
mod nitro;

pub use amd::AmdVerifier;
pub use intel::IntelVerifier;
pub use nitro::NitroVerifier;

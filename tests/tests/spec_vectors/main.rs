//! The vectors of `specs/vectors`: what this code makes of them, and with `KEYSTEAD_BLESS=1` writes anew.

mod canonical_vectors;
mod descriptor_vectors;
mod drills;
mod finding_vectors;
mod life_vectors;
mod policy_vectors;
mod rebuild_vectors;
mod simulation_vectors;

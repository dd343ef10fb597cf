//! Threshold keys in many nodes at once: ceremonies and signatures under faults and lies, from one seed.
//!
//! The protocols are the product's own (`keystead-threshold`), with real cryptography. What stands around them is a
//! model: a node's disk and calls, the network, clocks, and the decision log, which here is one list that all read
//! late ([`crate::run`] has the real one). Sealing, TLS and the enclave's process are not in it.

mod bug;
pub(crate) mod evil;
mod log;
mod node;
mod oracle;
mod report;
pub(crate) mod run;
pub(crate) mod shell;
mod world;

pub use bug::ThresholdBug;
pub use keystead_threshold::Scheme;
pub use report::{Broken, ThresholdReport};

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThresholdPlan {
    /// Everything but what `dkls23-core` draws comes from it.
    pub seed: u64,
    /// The kind of key.
    pub scheme: Scheme,
    /// A mistake that all honest nodes make.
    pub bug: Option<ThresholdBug>,
}

/// The schemes by their names on the command line.
pub const SCHEMES: [(&str, Scheme); 3] =
    [("ed25519", Scheme::Ed25519Frost), ("bip340", Scheme::Bip340Frost), ("ecdsa", Scheme::EcdsaDkls23)];

/// Runs one seed to its end, or to the first violation.
#[must_use]
pub fn run_threshold(plan: ThresholdPlan) -> ThresholdReport {
    world::World::new(plan).run()
}

/// The command that runs a seed again.
#[must_use]
pub fn replay_threshold(plan: ThresholdPlan) -> String {
    let scheme = SCHEMES.iter().find(|(_, scheme)| *scheme == plan.scheme).map_or("", |(name, _)| name);
    let bug = plan.bug.map(|it| format!(" --bug {}", it.name())).unwrap_or_default();
    format!("cargo xtask simulate --threshold {scheme} --seeds 1 --seed {}{bug}", plan.seed)
}

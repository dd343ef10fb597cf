//! Whole clusters in one thread: seeded faults, lying nodes, invariants after each step.
//!
//! A run takes everything from one seed: who lies, what clients ask, what the network loses, when a node
//! crashes between which write and which send. The nodes run the product's own replica and state machine;
//! only their disks, clocks, network and chain are simulated. After each step an oracle with an account of
//! its own says what must not happen. A [`Bug`] planted in the honest nodes must be found: that is the
//! proof that the oracle looks (docs/simulator.md).

mod asked;
mod back_end;
mod bug;
mod chain;
mod clients;
mod controls;
mod deadline;
mod dice;
mod disk;
mod faults;
mod liar;
mod loss;
mod model;
mod network;
mod oracle;
mod place;
mod prelude;
mod report;
mod rules;
mod shares;
mod shell;
mod signing;
mod simulation;
mod threshold;
mod token;

pub use bug::Bug;
pub(crate) use dice::Dice;
pub use model::{Explored, explore};
pub use oracle::Violation;
pub use report::Report;
pub use simulation::Plan;
pub use threshold::{
    Broken, SCHEMES, Scheme, ThresholdBug, ThresholdPlan, ThresholdReport, replay_threshold, run_threshold,
};

/// Runs one seed to its end, or to the first violation.
#[must_use]
pub fn run(plan: Plan) -> Report {
    simulation::Simulation::new(plan).run()
}

/// The command that runs a seed again.
#[must_use]
pub fn replay_command(plan: Plan) -> String {
    let nodes = plan.nodes.map(|it| format!(" --nodes {it}")).unwrap_or_default();
    let bug = plan.bug.map(|it| format!(" --bug {}", it.name())).unwrap_or_default();
    let lost = if plan.lost { " --lost 1" } else { "" };
    let shares = if plan.shares { " --shares 1" } else { "" };
    let tokens = if plan.tokens { " --tokens 1" } else { "" };
    format!("cargo xtask simulate --seeds 1 --seed {}{nodes}{bug}{lost}{shares}{tokens}", plan.seed)
}

//! Why nothing could be proven or refuted.

use keystead_base::{Blame, Coded};
use keystead_policy::PolicyError;
use thiserror::Error;

/// Why there is no answer. An answer that refutes is none of these.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The version does not compile.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The solver is not there.
    #[error("found no program `cvc5` in the search path, nor in the variable CVC5: {reason}")]
    SolverMissing {
        /// What the system said.
        reason: String,
    },
    /// The solver gave up: it has a minute for each question.
    #[error("the solver has no answer about {about}: {reason}")]
    Undecided {
        /// What was asked.
        about: String,
        /// What it said.
        reason: String,
    },
    /// A property is not what a property is.
    #[error("property {property}: expected {expected}, found {found}")]
    Property {
        /// Its `@id`, or its place in the file.
        property: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A property is no Cedar policy.
    #[error("{property} is no Cedar policy: {reason}")]
    Syntax {
        /// Its place in the file.
        property: String,
        /// What Cedar says.
        reason: String,
    },
    /// More than a limit allows.
    #[error("{what}: expected at most {limit}, found {found}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A set of policies that this crate wrote is not what Cedar takes: a mistake of ours.
    #[error("the model of the policy is not well formed: {reason}")]
    Model {
        /// What Cedar says.
        reason: String,
    },
}

impl Coded for ProveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Policy(error) => error.code(),
            Self::SolverMissing { .. } => "prove.solver_missing",
            Self::Undecided { .. } => "prove.undecided",
            Self::Property { .. } => "prove.property",
            Self::Syntax { .. } => "prove.syntax",
            Self::TooMany { .. } => "prove.too_many",
            Self::Model { .. } => "prove.model",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Policy(error) => error.blame(),
            Self::Property { .. } | Self::Syntax { .. } | Self::TooMany { .. } => Blame::Caller,
            Self::SolverMissing { .. } | Self::Undecided { .. } | Self::Model { .. } => Blame::Environment,
        }
    }
}

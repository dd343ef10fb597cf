//! Why the life of a key, or a declared compromise, does not let something be done.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded, Name, Timestamp};
use keystead_intent::{KeyTerm, Rotation};
use serde::{Deserialize, Serialize};

/// One reason.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LifeReason {
    /// The originator usage period of a key is over.
    #[error(
        "the usage period of key `{key}` ended at {at}: it signs nothing new until people set a later end, or name its successor"
    )]
    PeriodOver {
        /// The key.
        key: Name,
        /// When it ended.
        at: Timestamp,
    },
    /// A key that was given as many rights to sign as its terms allow.
    #[error("key `{key}` has signed {limit} times, as often as its terms allow")]
    UsedUp {
        /// The key.
        key: Name,
        /// How often.
        limit: u64,
    },
    /// Something that the terms of a key keep it from.
    #[error("key `{key}` {term}")]
    Term {
        /// The key.
        key: Name,
        /// Which of its terms.
        term: KeyTerm,
    },
    /// A key that signs only what moves everything to its successor.
    #[error("key `{key}` signs only what moves to its successor `{successor}`, and nothing else with it")]
    SweepsOnly {
        /// The key.
        key: Name,
        /// The successor.
        successor: Name,
    },
    /// A key that cannot take the place of another one.
    #[error(
        "key `{successor}` cannot take the place of key `{key}`: it takes another key that is active, of the same scheme and \
         without a successor of its own"
    )]
    NotASuccessor {
        /// The key.
        key: Name,
        /// What was named.
        successor: Name,
    },
    /// A compromise was declared, and what may be known was not replaced yet, or nobody thawed since.
    #[error("a compromise was declared: replace {}, then thaw", rotations(rotate))]
    NotRotated {
        /// What is to be replaced, ascending.
        rotate: Vec<Rotation>,
    },
    /// A declaration that names nothing of ours.
    #[error(
        "a compromise names 1 to 32 different keys, nodes, devices or services of this cluster, in ascending order"
    )]
    SuspectsRefused,
    /// A reason in words that is none.
    #[error("why is to be said in one line of 1 to 256 bytes that shows what it says")]
    WhyRefused,
}

impl Coded for LifeReason {
    fn code(&self) -> &'static str {
        match self {
            Self::PeriodOver { .. } => "deny.key_period_over",
            Self::UsedUp { .. } => "deny.key_used_up",
            Self::Term { .. } => "deny.key_terms",
            Self::SweepsOnly { .. } => "deny.sweeps_only",
            Self::NotASuccessor { .. } => "deny.not_a_successor",
            Self::NotRotated { .. } => "deny.not_rotated",
            Self::SuspectsRefused => "deny.suspects",
            Self::WhyRefused => "deny.why",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

fn rotations(rotate: &[Rotation]) -> String {
    match rotate {
        [] => "nothing more".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

//! Why a transaction is not allowed as it was run, or for want of a run.

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Blame, Coded, RequestId, Timestamp};
use keystead_intent::Asset;
use serde::{Deserialize, Serialize};

use crate::reason::asset_text;

/// What stands between a request and a yes where policy demands a run of its transaction.
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
pub enum SimulationReason {
    /// Nothing can be judged before the nodes ran the transaction.
    #[error("request {request} waits for a simulation")]
    Pending {
        /// The request.
        request: RequestId,
    },
    /// No quorum came to the same run in time: what it would do is not known.
    #[error("by {until} no quorum of nodes had simulated it on a recent state that their endpoints agree on")]
    Unknown {
        /// The end of the wait.
        until: Timestamp,
    },
    /// A run on a state that is too old.
    #[error("the state of {found} is too old to simulate on, the policy takes {oldest} at the earliest")]
    Stale {
        /// The earliest moment of a block that counts.
        oldest: Timestamp,
        /// The moment of the block.
        found: Timestamp,
    },
    /// The run did not end well.
    #[error("its simulation does not succeed: {ending}")]
    Fails {
        /// How it ended, as rules call it.
        ending: String,
    },
    /// The run takes more than the bytes say.
    #[error(
        "its simulation takes {simulated} of {} from {account}, the bytes say {stated}",
        asset_text(asset)
    )]
    TakesMore {
        /// From whom.
        account: Address,
        /// What.
        asset: Asset,
        /// How much the bytes say.
        stated: Amount,
        /// How much the run takes.
        simulated: Amount,
    },
    /// The run gives a right that the bytes do not state.
    #[error("its simulation lets {holder} take more of token {token} from {owner} than the bytes say")]
    GivesRight {
        /// Whose it is.
        owner: Address,
        /// The token.
        token: Address,
        /// Who may take it.
        holder: Address,
    },
}

impl Coded for SimulationReason {
    fn code(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "deny.simulation_pending",
            Self::Unknown { .. } => "deny.simulation_unknown",
            Self::Stale { .. } => "deny.simulation_stale",
            Self::Fails { .. } => "deny.simulation_fails",
            Self::TakesMore { .. } => "deny.simulation_takes_more",
            Self::GivesRight { .. } => "deny.simulation_gives_right",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Pending { .. } | Self::Unknown { .. } | Self::Stale { .. } => Blame::Environment,
            Self::Fails { .. } | Self::TakesMore { .. } | Self::GivesRight { .. } => Blame::Caller,
        }
    }
}

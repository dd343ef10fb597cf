//! What a threshold run signs, for nodes that call one another to it and for enclaves that begin it (specs/enclave.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Name, RequestId};
use serde::{Deserialize, Serialize};

/// What a run signs. It is a wish: whether it is allowed, each enclave asks the log itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RunAim {
    /// A request that was admitted with the block at this height.
    Request {
        /// The request.
        request: RequestId,
        /// The height.
        height: u64,
    },
    /// The proof that a holder's new share signs.
    Proof {
        /// The ceremony's request.
        request: RequestId,
        /// The holder.
        prover: Name,
    },
    /// One input of a PSBT that was admitted with the block at this height.
    Input {
        /// The request.
        request: RequestId,
        /// The height.
        height: u64,
        /// The input's position.
        input: u32,
    },
}

impl RunAim {
    /// The request that it serves.
    #[must_use]
    pub fn request(&self) -> RequestId {
        match self {
            Self::Request { request, .. } | Self::Proof { request, .. } | Self::Input { request, .. } => {
                *request
            }
        }
    }
}

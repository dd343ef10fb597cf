//! What may be known to somebody else, and what has to be replaced before the cluster signs again.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, Name};
use serde::{Deserialize, Serialize};

/// What people say is compromised.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Suspect {
    /// A key: somebody else may know its secret.
    Key {
        /// The key.
        key: Name,
    },
    /// A node with its enclave: every key that is whole there, every share there, and the node's own keys.
    Node {
        /// The node.
        node: Name,
    },
    /// A device that its owner approves with.
    Device {
        /// The person.
        person: Name,
        /// The device.
        device: Name,
    },
    /// A service that asks.
    Service {
        /// The service.
        service: Name,
    },
}

/// One thing that has to be replaced.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rotation {
    /// A key is replaced by a successor that is active.
    Key {
        /// The key.
        key: Name,
    },
    /// The holders of a key get new shares, and this node gets none.
    Share {
        /// The key.
        key: Name,
        /// The node.
        node: Name,
        /// The epoch of the share that may be known.
        epoch: u32,
    },
    /// The roster has another key for a node, or the node no more.
    Node {
        /// The node.
        node: Name,
        /// The digest of the key that it had.
        key: Digest,
    },
    /// The roster has another key for a device, or the device no more.
    Device {
        /// Whose.
        person: Name,
        /// The device.
        device: Name,
        /// The digest of the key that it had.
        key: Digest,
    },
    /// The roster has another key for a service, or the service no more.
    Service {
        /// The service.
        service: Name,
        /// The digest of the key that it had.
        key: Digest,
    },
}

impl std::fmt::Display for Suspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { key } => write!(f, "key `{key}`"),
            Self::Node { node } => write!(f, "node {node} with all keys and shares in its enclave"),
            Self::Device { person, device } => write!(f, "device {device} of {person}"),
            Self::Service { service } => write!(f, "service {service}"),
        }
    }
}

impl std::fmt::Display for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { key } => write!(f, "key `{key}` by an active successor"),
            Self::Share { key, node, .. } => write!(f, "the shares of key `{key}`, without {node}"),
            Self::Node { node, .. } => write!(f, "node {node} in the roster"),
            Self::Device { person, device, .. } => write!(f, "device {device} of {person} in the roster"),
            Self::Service { service, .. } => write!(f, "service {service} in the roster"),
        }
    }
}

/// The most things that one declaration names.
pub const MAX_SUSPECTS: usize = 32;
/// The most bytes of the reason that people give for a change.
pub const MAX_WHY_BYTES: usize = 256;

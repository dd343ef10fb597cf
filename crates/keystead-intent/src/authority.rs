//! Changes of authority: requests like any other, of a class of their own (S9, S13).

use alloy_primitives::Bytes;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Name;
use serde::{Deserialize, Serialize};

/// What is to change. A policy document is the whole next version, so that what people approve is
/// what becomes active, whatever happened in between.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthorityChange {
    /// The next policy version; any section may differ.
    Policy {
        /// The `keystead/policy/v1` document.
        document: Bytes,
    },
    /// The next policy version; only its roster differs.
    Roster {
        /// The `keystead/policy/v1` document.
        document: Bytes,
    },
    /// The next policy version; only its address book differs.
    AddressBook {
        /// The `keystead/policy/v1` document.
        document: Bytes,
    },
    /// Ends a freeze.
    Thaw {
        /// The key to thaw, or none for the whole cluster.
        key: Option<Name>,
    },
    /// A step in the life of a key.
    Key(KeyCeremony),
}

/// The steps of a key's life that need authority.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyCeremony {
    /// A key is born in the enclave.
    Create {
        /// Its name, unused so far.
        key: Name,
        /// What kind of key.
        kind: KeyKind,
    },
    /// The enclave writes a backup for named people.
    Backup {
        /// The key.
        key: Name,
        /// Who can read it: people of the roster with a recipient key.
        recipients: Vec<Name>,
    },
    /// The key leaves the enclave for one person, for good: a named, logged exception.
    Export {
        /// The key.
        key: Name,
        /// Who receives it.
        recipient: Name,
    },
}

/// What kind of secret a key is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
// One variant so far would take no bytes in memory, and Borsh refuses lists of such a type.
#[repr(u8)]
pub enum KeyKind {
    /// A BIP-39 seed with BIP-32/44 secp256k1 children.
    HdSecp256k1,
}

//! Who is who: nodes, services and people, with the keys that speak for them.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, HybridPublicKey, Name};
use serde::{Deserialize, Serialize};

use crate::RosterDevices;

/// Everybody that the cluster listens to. Changed only by the authority path (S13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// How many votes make a certificate.
    pub quorum: u32,
    /// The signer nodes, by name ascending.
    pub nodes: Vec<Node>,
    /// Coordinators and other machines that submit requests, by name ascending.
    pub services: Vec<Service>,
    /// People, by name ascending.
    pub people: Vec<Person>,
    /// Which devices they have shown; a roster that says nothing of devices has the bytes that it always had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<RosterDevices>,
}

impl Canonical for Roster {
    const DOMAIN: &'static str = "keystead/roster/v1";
}

impl Roster {
    /// How many votes commit in a cluster of so many nodes; none for a size that withstands no more than a
    /// smaller one does.
    #[must_use]
    pub fn usual_quorum(nodes: usize) -> Option<u32> {
        matches!(nodes, 1 | 3 | 4 | 7).then(|| Self::quorum_of(nodes))
    }

    /// How many votes commit among so many nodes: more than two thirds of them; of three a majority, which
    /// withstands crashes only.
    #[must_use]
    pub fn quorum_of(nodes: usize) -> u32 {
        let votes = if nodes == 3 { 2 } else { nodes.saturating_mul(2) / 3 + 1 };
        u32::try_from(votes).unwrap_or(u32::MAX)
    }

    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &Name) -> Option<&Node> {
        self.nodes.iter().find(|node| &node.name == name)
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &Name) -> Option<&Service> {
        self.services.iter().find(|service| &service.name == name)
    }

    /// The person of this name.
    #[must_use]
    pub fn person(&self, name: &Name) -> Option<&Person> {
        self.people.iter().find(|person| &person.name == name)
    }

    /// Whether a person or a service has this name: whether it can make requests.
    #[must_use]
    pub fn speaks(&self, name: &str) -> bool {
        let people = self.people.iter().map(|it| &it.name);
        let services = self.services.iter().map(|it| &it.name);
        people.chain(services).any(|it| it.as_str() == name)
    }

    /// The key of one person's device.
    #[must_use]
    pub fn device(&self, person: &Name, device: &Name) -> Option<&Device> {
        self.person(person)?.devices.iter().find(|it| &it.name == device)
    }

    /// Whose key this transport key is, for pinning connections.
    #[must_use]
    pub fn transport(&self, key: &TransportKey) -> Option<Peer<'_>> {
        if let Some(node) = self.nodes.iter().find(|it| &it.transport == key) {
            return Some(Peer::Node(&node.name));
        }
        if let Some(service) = self.services.iter().find(|it| &it.transport == key) {
            return Some(Peer::Service(&service.name));
        }
        self.people
            .iter()
            .find(|person| person.devices.iter().any(|device| &device.transport == key))
            .map(|person| Peer::Person(&person.name))
    }
}

/// An Ed25519 key that a TLS certificate is pinned by; it signs nothing but handshakes.
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
#[serde(transparent)]
pub struct TransportKey(pub Digest);

/// Who is at the other end of a pinned connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer<'a> {
    /// A signer node.
    Node(&'a Name),
    /// A coordinator or other service.
    Service(&'a Name),
    /// A person's device.
    Person(&'a Name),
}

/// A signer node. The labels let policy demand diversity and people see who could fail together.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: Name,
    /// The key that votes.
    pub key: HybridPublicKey,
    /// The key that its connections are pinned by.
    pub transport: TransportKey,
    /// Who runs it.
    pub operator: String,
    /// The machine.
    pub host: String,
    /// The cloud or data center.
    pub provider: String,
    /// The build that it runs.
    pub build: String,
    /// Counts its admissions: 0 at first, one more each time it is readmitted after it lost its record of votes.
    pub boot: u64,
}

/// A machine that submits requests: a coordinator, a trading engine.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: Name,
    /// The key that signs its requests.
    pub key: HybridPublicKey,
    /// The key that its connections are pinned by.
    pub transport: TransportKey,
    /// Its roles, ascending: Cedar groups.
    pub roles: Vec<Name>,
}

/// A person with devices and roles.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The person's name.
    pub name: Name,
    /// Roles, ascending: approver, vetoer, freezer, founder, or what the policy invents.
    pub roles: Vec<Name>,
    /// The devices that speak for the person, by name ascending.
    pub devices: Vec<Device>,
    /// An X-Wing public key (1,216 bytes) that backups are encrypted to.
    pub recipient: Option<Vec<u8>>,
}

impl Person {
    /// Whether the person has this role.
    #[must_use]
    pub fn has_role(&self, role: &Name) -> bool {
        self.roles.contains(role)
    }
}

/// A device with a key of its own.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its name, unique for the person.
    pub name: Name,
    /// What kind of factor it is.
    pub factor: Factor,
    /// The key that signs approvals.
    pub key: HybridPublicKey,
    /// The key that its connections are pinned by.
    pub transport: TransportKey,
}

/// What kind of factor a device is. Policy can demand kinds; more kinds come with later versions.
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
pub enum Factor {
    /// A key in a sealed file.
    Software,
}

impl Factor {
    /// The factor's stable name, as JSON writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Software => "software",
        }
    }
}

//! What one member brings to the ceremony: public keys and labels, signed with the member's own key.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, HybridPublicKey, HybridSigner, Name, Signed};
use keystead_policy::limits::{MAX_INNER, MAX_LABEL_BYTES, RECIPIENT_BYTES};
use keystead_policy::{Node, TransportKey};
use serde::{Deserialize, Serialize};

use super::CeremonyError;

/// The public side of one member of a cluster that is to be founded. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contribution {
    /// The name of the cluster to be founded: another ceremony has no use for this.
    pub ceremony: Name,
    /// The member's name.
    pub name: Name,
    /// The key that signs: votes, requests or approvals.
    pub key: HybridPublicKey,
    /// The key that its connections are pinned by.
    pub transport: TransportKey,
    /// What the member is to be.
    pub part: Part,
}

impl Canonical for Contribution {
    const DOMAIN: &'static str = "keystead/contribution/v1";
}

/// What a member is to be.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// A signer node.
    Node(NodePart),
    /// A coordinator, or another machine that asks for signatures.
    Service(ServicePart),
    /// A person whose signature makes the genesis valid.
    Founder(FounderPart),
}

/// A node's labels, and where the others reach it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePart {
    /// `host:port` that nodes and clients dial. It is configuration: the roster pins keys, not addresses.
    pub address: String,
    /// Who runs it.
    pub operator: String,
    /// The machine.
    pub host: String,
    /// The cloud or data center.
    pub provider: String,
    /// The build that it runs.
    pub build: String,
}

/// What a service may become.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePart {
    /// Its roles, ascending.
    pub roles: Vec<Name>,
}

/// A founder's device.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FounderPart {
    /// The roles, ascending.
    pub roles: Vec<Name>,
    /// The name of the device that holds the keys.
    pub device: Name,
    /// An X-Wing public key (1,216 bytes) that backups are encrypted to.
    pub recipient: Vec<u8>,
}

/// A contribution with its maker's signature: whoever signed holds the key that it names.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedContribution(pub Signed<Contribution>);

impl Canonical for SignedContribution {
    const DOMAIN: &'static str = "keystead/signed-contribution/v1";
}

impl SignedContribution {
    /// Signs a contribution with the key that it names.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] when the contribution breaks a rule, or the key is another one.
    pub fn new(body: Contribution, key: &HybridSigner) -> Result<Self, CeremonyError> {
        let signer = body.name.clone();
        let signed = Self(Signed::new(body, signer, key)?);
        signed.verify()?;
        Ok(signed)
    }

    /// What was contributed, not yet verified.
    #[must_use]
    pub fn body(&self) -> &Contribution {
        &self.0.body
    }

    /// Verifies that the holder of the contributed key made this, and that people can read it.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] names the member and the rule.
    pub fn verify(&self) -> Result<&Contribution, CeremonyError> {
        let Signed { body, signer, .. } = &self.0;
        if *signer != body.name {
            return Err(CeremonyError::Signer { name: body.name.clone(), found: signer.clone() });
        }
        let verified = self.0.verify(&body.key);
        verified.map_err(|error| CeremonyError::Contribution { name: body.name.clone(), error })?;
        body.check_form()?;
        Ok(body)
    }
}

impl Contribution {
    /// The node of the roster that this makes; none of another part.
    pub(crate) fn node(&self) -> Option<Node> {
        let Part::Node(part) = &self.part else { return None };
        Some(Node {
            name: self.name.clone(),
            key: self.key.clone(),
            transport: self.transport,
            operator: part.operator.clone(),
            host: part.host.clone(),
            provider: part.provider.clone(),
            build: part.build.clone(),
            boot: 0,
        })
    }

    fn check_form(&self) -> Result<(), CeremonyError> {
        match &self.part {
            Part::Node(node) => self.check_node(node),
            Part::Service(service) => self.check_roles(&service.roles),
            Part::Founder(founder) if founder.recipient.len() != RECIPIENT_BYTES => {
                Err(self.unfit("recipient key", format!("{} bytes", founder.recipient.len())))
            }
            Part::Founder(founder) => self.check_roles(&founder.roles),
        }
    }

    fn check_node(&self, node: &NodePart) -> Result<(), CeremonyError> {
        if !is_address(&node.address) {
            return Err(self.unfit("address", node.address.clone()));
        }
        let labels = [
            ("operator", &node.operator),
            ("host", &node.host),
            ("provider", &node.provider),
            ("build", &node.build),
        ];
        let unfit = labels.into_iter().find(|(_, label)| !is_label(label));
        unfit.map_or(Ok(()), |(what, label)| Err(self.unfit(what, label.clone())))
    }

    fn check_roles(&self, roles: &[Name]) -> Result<(), CeremonyError> {
        let ascending = roles.is_sorted_by(|a, b| a < b);
        if ascending && (1..=MAX_INNER).contains(&roles.len()) {
            return Ok(());
        }
        let found = roles.iter().map(Name::as_str).collect::<Vec<_>>().join(",");
        Err(self.unfit("roles", found))
    }

    fn unfit(&self, what: &'static str, found: String) -> CeremonyError {
        CeremonyError::Form { name: self.name.clone(), what, found }
    }
}

/// `host:port`, in characters that no terminal and no file of configuration reads in another way.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port: u16 = port.parse().unwrap_or_default();
    !host.is_empty() && port > 0 && text.len() <= MAX_ADDRESS_BYTES && text.chars().all(plain)
}

/// Letters, digits and a few signs: what turns the direction of a line or looks like nothing is no label.
fn is_label(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || " .,-_+/()&'".contains(c);
    !text.trim().is_empty() && text.len() <= MAX_LABEL_BYTES && text.chars().all(plain)
}

/// The longest address: a DNS name of 253 bytes, a colon and a port.
const MAX_ADDRESS_BYTES: usize = 259;

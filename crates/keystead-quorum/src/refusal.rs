//! Why one approval, veto or freeze does not count.

use keystead_base::{Blame, ClusterId, Coded, Digest, Name, RequestId, SignatureError, Timestamp};

/// Why one word of one person does not count (S11).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is for another cluster.
    #[error("it is for cluster {found}, this is {expected}")]
    Cluster {
        /// This cluster.
        expected: ClusterId,
        /// The cluster it names.
        found: ClusterId,
    },
    /// It is for another request.
    #[error("it is for request {found}, not {expected}")]
    Request {
        /// This request.
        expected: RequestId,
        /// The request it names.
        found: RequestId,
    },
    /// It is for other bytes.
    #[error("it is for digest {found}, and the payload has {expected}")]
    Digest {
        /// The digest recomputed from the payload.
        expected: Digest,
        /// The digest it names.
        found: Digest,
    },
    /// It was given under another policy version.
    #[error("it was given under policy version {found}, version {expected} is in force")]
    Policy {
        /// The version in force.
        expected: u64,
        /// The version it names.
        found: u64,
    },
    /// Too late.
    #[error("it expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It would live for longer than the policy allows.
    #[error("it expires at {found}; the policy allows {latest} at the latest")]
    LivesTooLong {
        /// The latest moment allowed.
        latest: Timestamp,
        /// The moment found.
        found: Timestamp,
    },
    /// No such person with such a device.
    #[error("`{person}` has no enrolled device `{device}`")]
    NotEnrolled {
        /// The person.
        person: Name,
        /// The device.
        device: Name,
    },
    /// Somebody else signed it.
    #[error("it speaks for `{person}` and is signed as `{signer}`")]
    Signer {
        /// The person in the body.
        person: Name,
        /// The name beside the signature.
        signer: Name,
    },
    /// Nobody approves an own request.
    #[error("`{person}` made the request and cannot approve it")]
    Requester {
        /// The person.
        person: Name,
    },
    /// The person spoke already.
    #[error("`{person}` counts once, and spoke already")]
    SamePerson {
        /// The person.
        person: Name,
    },
    /// The device's key spoke already, for whomever.
    #[error("device `{device}` of `{person}` has a key that spoke already")]
    SameDevice {
        /// The person.
        person: Name,
        /// The device.
        device: Name,
    },
    /// The person may not do this.
    #[error("`{person}` has none of the roles that may do this")]
    Role {
        /// The person.
        person: Name,
    },
    /// The person's yes fills no place: no need of the request names a role and factor of theirs.
    #[error("`{person}` fills no need of this request: {}", needed_roles(roles))]
    NotNeeded {
        /// The person.
        person: Name,
        /// The roles that the request needs.
        roles: Vec<Name>,
    },
    /// The signature fails.
    #[error("the signature of `{person}` fails: {error}")]
    Signature {
        /// The person.
        person: Name,
        /// Which half.
        error: SignatureError,
    },
    /// More approvals than are ever looked at.
    #[error("at most {limit} approvals of one request are looked at")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

fn needed_roles(roles: &[Name]) -> String {
    match roles {
        [] => "it needs nobody's approval".to_owned(),
        roles => {
            let roles: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
            format!("it needs {}, with the factors that policy asks for", roles.join(", "))
        }
    }
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "approval.cluster",
            Self::Request { .. } => "approval.request",
            Self::Digest { .. } => "approval.digest",
            Self::Policy { .. } => "approval.policy",
            Self::Expired { .. } => "approval.expired",
            Self::LivesTooLong { .. } => "approval.lives_too_long",
            Self::NotEnrolled { .. } => "approval.not_enrolled",
            Self::Signer { .. } => "approval.signer",
            Self::Requester { .. } => "approval.requester",
            Self::SamePerson { .. } => "approval.same_person",
            Self::SameDevice { .. } => "approval.same_device",
            Self::Role { .. } => "approval.role",
            Self::NotNeeded { .. } => "approval.not_needed",
            Self::Signature { .. } => "approval.signature",
            Self::TooMany { .. } => "approval.too_many",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

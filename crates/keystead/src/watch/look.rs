//! What is known of one node that is asked.

use keystead_base::{Name, Timestamp};
use keystead_wire::NodeStatus;
use serde_json::{Value, json};

use crate::failure::Failure;

/// The latest answer of one node, and the latest that was good.
pub(crate) struct Sighting {
    pub(crate) address: String,
    /// Whom the configuration expects there.
    pub(crate) expected: Option<Name>,
    /// Whether it was asked at all.
    pub(crate) asked: bool,
    /// Its latest good answer.
    pub(crate) status: Option<Box<NodeStatus>>,
    /// When that came.
    pub(crate) seen: Timestamp,
    /// Why the latest answer was none.
    pub(crate) failure: Option<Failure>,
}

impl Sighting {
    pub(crate) fn new(address: String, expected: Option<Name>) -> Self {
        Self { address, expected, asked: false, status: None, seen: Timestamp(0), failure: None }
    }

    pub(crate) fn take(&mut self, answer: Result<Box<NodeStatus>, Failure>, now: Timestamp) {
        self.asked = true;
        match answer {
            Ok(status) => {
                self.status = Some(status);
                self.seen = now;
                self.failure = None;
            }
            Err(failure) => self.failure = Some(failure),
        }
    }

    /// Its status, if it answered when it was asked last.
    pub(crate) fn answer(&self) -> Option<&NodeStatus> {
        self.status.as_deref().filter(|_| self.failure.is_none())
    }

    /// Who it is: by its own word, or by the configuration before the first one.
    pub(crate) fn node(&self) -> Option<&Name> {
        self.status.as_deref().map(|it| &it.node).or(self.expected.as_ref())
    }

    /// For scripts.
    pub(crate) fn value(&self) -> Value {
        match &self.failure {
            Some(it) => json!({"address": self.address, "error": {"code": it.code, "what": it.what}}),
            None => json!({"address": self.address, "status": self.status}),
        }
    }
}

//! Denials in words that people read: amounts with the symbols of the policy that denied.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keystead_base::Canonical as _;
use keystead_policy::{PolicyRef, PolicyVersion};
use keystead_wire::NodeClient;

use crate::RequestError;

/// The policy version that was last needed, and the one in force a moment ago. What they say is for convenience: nobody
/// decides by it.
#[derive(Default)]
pub(crate) struct Wording(Mutex<Known>);

#[derive(Default)]
struct Known {
    needed: Option<Arc<PolicyVersion>>,
    in_force: Option<(Instant, Arc<PolicyVersion>)>,
}

impl Wording {
    /// Puts a denial into words; without the policy it keeps its base units.
    pub(crate) async fn add(
        &self,
        node: &NodeClient,
        error: RequestError,
        policy: PolicyRef,
    ) -> RequestError {
        let RequestError::Denied { request, rules, reasons, words } = error else { return error };
        let words = match self.version(node, policy).await {
            Some(version) => reasons.iter().map(|reason| reason.words(&version)).collect(),
            None => words,
        };
        RequestError::Denied { request, rules, reasons, words }
    }

    /// The version in force a moment ago; none where the node does not show it. Whether a request passes it the log says.
    pub(crate) async fn current(&self, node: &NodeClient) -> Option<Arc<PolicyVersion>> {
        let known = self.known().in_force.clone();
        if let Some((_, version)) = known.filter(|(at, _)| at.elapsed() < IN_FORCE) {
            return Some(version);
        }
        let document = node.policy(None).await.ok()??;
        let version = Arc::new(PolicyVersion::from_document(&document).ok()?);
        self.known().in_force = Some((Instant::now(), Arc::clone(&version)));
        Some(version)
    }

    async fn version(&self, node: &NodeClient, policy: PolicyRef) -> Option<Arc<PolicyVersion>> {
        let known = self.known().needed.clone();
        if known.as_ref().is_some_and(|version| version.number == policy.number) {
            return known;
        }
        let document = node.policy(Some(policy.number)).await.ok()??;
        let version = Arc::new(PolicyVersion::from_document(&document).ok()?);
        self.known().needed = Some(Arc::clone(&version));
        Some(version)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For how long a version counts as the one in force.
const IN_FORCE: Duration = Duration::from_secs(2);

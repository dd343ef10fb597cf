//! Denials in words that people read: amounts with the symbols of the policy that denied.

use std::sync::{Arc, Mutex, PoisonError};

use keystead_base::Canonical as _;
use keystead_policy::{PolicyRef, PolicyVersion};
use keystead_wire::NodeClient;

use crate::RequestError;

/// The policy version that was last needed. What it says is for convenience: nobody decides by it.
#[derive(Default)]
pub(crate) struct Wording(Mutex<Option<Arc<PolicyVersion>>>);

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

    async fn version(&self, node: &NodeClient, policy: PolicyRef) -> Option<Arc<PolicyVersion>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.as_ref().is_some_and(|version| version.number == policy.number) {
            return known;
        }
        let document = node.policy(Some(policy.number)).await.ok()??;
        let version = Arc::new(PolicyVersion::from_document(&document).ok()?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&version));
        Some(version)
    }
}

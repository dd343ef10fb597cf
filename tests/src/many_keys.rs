//! Many keys at one node: a ceremony each, many ceremonies in one entry.

use keystead_decision::{Entry, Outcome};
use keystead_intent::{Action, Approval, AuthorityChange, KeyCeremony, KeyKind, Verdict};
use keystead_wire::{EntryAnswer, RequestStage, RequestView};

use crate::cluster::{Station, signed};
use crate::fixture::name;

impl Station {
    /// Makes `key-00001` and so on at `node-1`, each approved by two people. None of them is backed up, so that none
    /// signs. `made` is told of each entry how many keys there are.
    pub async fn make_keys(&self, count: usize, mut made: impl FnMut(usize)) {
        let numbers: Vec<usize> = (1..=count).collect();
        for some in numbers.chunks(AT_ONCE) {
            let now = self.now().await;
            let intent = |number: &usize| {
                let key = name(&format!("key-{number:05}"));
                let create = KeyCeremony::Create { key, kind: KeyKind::HdSecp256k1, home: name("node-1") };
                let mut intent = self.intent("cleo", Action::Authority(AuthorityChange::Key(create)), now);
                // The log forgets it soon, as it has forgotten most of what made the keys of a node of some age.
                intent.expires = now.plus_seconds(REMEMBERED_SECONDS);
                intent
            };
            let asked = self.submit("cleo", self.entry(some.iter().map(intent).collect())).await;
            let EntryAnswer::Requests(views) = asked else { panic!("not requests: {asked:?}") };
            self.approve_all(&views).await;
            for view in &views {
                assert_eq!(self.wait(&view.request).await.stage, RequestStage::Applied);
            }
            made(some.last().copied().unwrap_or_default());
        }
    }

    async fn approve_all(&self, views: &[RequestView]) {
        let now = self.now().await;
        for who in ["ana", "ben"] {
            let approval = |view: &RequestView| {
                let Outcome::Wait { signing_digest, .. } = view.decision.outcome else { panic!("{view:?}") };
                let approval = Approval {
                    cluster: self.node.cluster(),
                    request: view.request,
                    signing_digest,
                    policy_version: view.decision.policy.number,
                    verdict: Verdict::Approve,
                    person: name(who),
                    device: name("laptop"),
                    expires: now.plus_seconds(600),
                };
                Entry::Approval(signed(approval, self.member(who)))
            };
            let entries = views.iter().map(approval).collect();
            self.client(who).await.submit(entries).await.expect("approvals that count");
        }
    }
}

/// The ceremonies of one entry.
const AT_ONCE: usize = 128;
/// Longer than so many take.
const REMEMBERED_SECONDS: u64 = 120;

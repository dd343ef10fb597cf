//! Asking and answering as a person: requests, approvals, vetoes, freezes, each signed on this machine.

use std::time::Duration;

use keystead_approver::Reviewed;
use keystead_base::{ClusterId, Name, RequestId, Signed};
use keystead_decision::{Decision, Entry, Outcome};
use keystead_intent::{Action, Approval, Freeze, Intent, RequestBatch, Verdict, Veto};
use keystead_policy::{PolicyVersion, Reason};
use keystead_wire::{EntryAnswer, RequestStage, RequestView};

use crate::failure::Failure;
use crate::link::Link;
use crate::member::Member;
use crate::outside;

/// Somebody of a cluster, with a way to it.
pub(crate) struct Speaker<'a> {
    pub(crate) cluster: ClusterId,
    pub(crate) member: &'a Member,
    pub(crate) link: &'a Link,
}

impl Speaker<'_> {
    /// Submits a request; gives it back denied, waiting, signed or carried out.
    pub(crate) async fn ask(&self, action: Action, lifetime: Duration) -> Result<RequestView, Failure> {
        let intent = Intent {
            cluster: self.cluster,
            requester: self.member.name.clone(),
            nonce: outside::fresh_nonce(),
            expires: outside::now().plus_seconds(lifetime.as_secs()),
            action,
        };
        intent.check()?;
        let id = intent.id();
        let batch = RequestBatch { intents: vec![intent] };
        let signed = Signed::new(batch, self.member.name.clone(), &self.member.signer)?;
        match self.link.submit(Entry::Requests(signed)).await? {
            EntryAnswer::Requests(views) => {
                views.into_iter().find(|view| view.request == id).ok_or_else(|| missing(id))
            }
            EntryAnswer::Decided(_) | EntryAnswer::Refused(_) => Err(missing(id)),
        }
    }

    /// Says yes or no to what was understood here, and to nothing else.
    pub(crate) async fn answer(
        &self,
        understood: &Reviewed,
        verdict: Verdict,
        lifetime: Duration,
    ) -> Result<Vec<Decision>, Failure> {
        let approval = Approval {
            cluster: self.cluster,
            request: understood.request,
            signing_digest: understood.digest,
            policy_version: understood.policy.number,
            verdict,
            person: self.member.name.clone(),
            device: self.member.device(&understood.policy.roster)?,
            expires: outside::now().plus_seconds(lifetime.as_secs()),
        };
        let signed = Signed::new(approval, self.member.name.clone(), &self.member.signer)?;
        counted(self.link.submit(Entry::Approval(signed)).await?)
    }

    pub(crate) async fn veto(&self, request: RequestId, device: Name) -> Result<Vec<Decision>, Failure> {
        let veto = Veto {
            cluster: self.cluster,
            request,
            person: self.member.name.clone(),
            device,
            expires: outside::now().plus_seconds(ORDER_SECONDS),
        };
        let signed = Signed::new(veto, self.member.name.clone(), &self.member.signer)?;
        counted(self.link.submit(Entry::Veto(signed)).await?)
    }

    /// Orders a freeze; gives the order as it was signed, and what the other side says of it.
    pub(crate) async fn freeze(
        &self,
        key: Option<Name>,
        device: Name,
    ) -> Result<(Entry, Vec<Decision>), Failure> {
        let freeze = Freeze {
            cluster: self.cluster,
            key,
            person: self.member.name.clone(),
            device,
            expires: outside::now().plus_seconds(ORDER_SECONDS),
        };
        let signed = Signed::new(freeze, self.member.name.clone(), &self.member.signer)?;
        let order = Entry::Freeze(signed);
        let decisions = counted(self.link.submit(order.clone()).await?)?;
        Ok((order, decisions))
    }
}

/// A word that does not count is an error for the person who said it.
pub(crate) fn counted(answer: EntryAnswer) -> Result<Vec<Decision>, Failure> {
    let EntryAnswer::Decided(decisions) = answer else {
        return Err(Failure::new("cli.answer", "the node answered something else", "check its version"));
    };
    match decisions.first().map(|decision| &decision.outcome) {
        Some(Outcome::Refused { reason, .. }) => Err(Failure::new(
            "approval.refused",
            reason.to_string(),
            "`keystead request show ID` says who may approve, and under which policy version",
        )),
        _ => Ok(decisions),
    }
}

/// In one sentence, where a request stands and why.
pub(crate) fn standing(view: &RequestView) -> String {
    standing_under(view, None)
}

/// The same, with amounts in the symbols of the policy that decided.
pub(crate) fn standing_under(view: &RequestView, policy: Option<&PolicyVersion>) -> String {
    let say = |reason: &Reason| policy.map_or_else(|| reason.to_string(), |policy| reason.words(policy));
    let because = match &view.decision.outcome {
        Outcome::Deny { reasons, .. } if view.stage == RequestStage::Denied => {
            reasons.iter().map(say).collect::<Vec<_>>().join("; ")
        }
        Outcome::Wait { requirement, ready, .. } if view.stage == RequestStage::Waiting => {
            let needs: Vec<_> =
                requirement.needs.iter().map(|it| format!("{} of role `{}`", it.count, it.role)).collect();
            let delay = match requirement.delay_seconds {
                0 => String::new(),
                _ => format!(", not before {ready}"),
            };
            format!("needs {}{delay}", if needs.is_empty() { "time".to_owned() } else { needs.join(" and ") })
        }
        Outcome::Simulate { until, .. } if view.stage == RequestStage::Waiting => {
            format!("waits for a simulation by the nodes, until {until} at the latest")
        }
        _ => String::new(),
    };
    let refusal = view.refusal.as_ref().map(|it| format!("the enclave refused: {it}")).unwrap_or_default();
    let rules: Vec<_> = view.decision.rules.iter().map(|rule| format!("`{rule}`")).collect();
    let rules = if rules.is_empty() { String::new() } else { format!("rules: {}", rules.join(", ")) };
    let parts = [because, refusal, rules].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    match parts.is_empty() {
        true => view.stage.word().to_owned(),
        false => format!("{}: {}", view.stage.word(), parts.join(" · ")),
    }
}

/// Who has to go on with a request that waits for people, as a line of its own; nothing for any other.
pub(crate) fn approvers_next(view: &RequestView, command: &str) -> String {
    match view.stage {
        RequestStage::Waiting => format!("\nnext: others run `{command} {}`", view.request),
        _ => String::new(),
    }
}

fn missing(id: RequestId) -> Failure {
    Failure::new("request.missing", format!("the node says nothing about request {id}"), "ask it again")
}

const ORDER_SECONDS: u64 = 300;

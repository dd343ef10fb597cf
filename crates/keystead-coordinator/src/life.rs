//! The life of a request as the coordinator sees it: one closed table.

use serde::{Deserialize, Serialize};

/// Where a request stands. The node has the truth; this says what the coordinator still has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Taken from a caller.
    Received,
    /// Given to a node; its answer is not known.
    Submitted,
    /// Waits for people or for a delay.
    Waiting,
    /// The log said no.
    Denied,
    /// The log said yes and the signature is there.
    Signed,
    /// An endpoint took it.
    Broadcast,
    /// The log says that it is final.
    Settled,
    /// It will never be.
    Failed,
}

/// What moves a request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes to a node.
    Submit,
    /// The log waits.
    Wait,
    /// The log says no.
    Deny,
    /// The signature is there.
    Sign,
    /// An endpoint takes it, for the first time or again.
    Send,
    /// It is final.
    Settle,
    /// It never will be.
    Fail,
}

impl Stage {
    /// The only table of transitions; `None` is a transition that must not happen.
    #[must_use]
    pub fn after(self, step: Step) -> Option<Self> {
        match (self, step) {
            (Self::Received, Step::Submit) => Some(Self::Submitted),
            (Self::Submitted, Step::Wait) => Some(Self::Waiting),
            (Self::Submitted | Self::Waiting, Step::Deny) => Some(Self::Denied),
            (Self::Submitted | Self::Waiting, Step::Sign) => Some(Self::Signed),
            (Self::Signed | Self::Broadcast, Step::Send) => Some(Self::Broadcast),
            (Self::Signed | Self::Broadcast, Step::Settle) => Some(Self::Settled),
            (
                Self::Received | Self::Submitted | Self::Waiting | Self::Signed | Self::Broadcast,
                Step::Fail,
            ) => Some(Self::Failed),
            (Self::Received, Step::Wait | Step::Deny | Step::Sign | Step::Send | Step::Settle)
            | (Self::Submitted, Step::Submit | Step::Send | Step::Settle)
            | (Self::Waiting, Step::Submit | Step::Wait | Step::Send | Step::Settle)
            | (Self::Signed | Self::Broadcast, Step::Submit | Step::Wait | Step::Deny | Step::Sign)
            | (
                Self::Denied | Self::Settled | Self::Failed,
                Step::Submit | Step::Wait | Step::Deny | Step::Sign | Step::Send | Step::Settle | Step::Fail,
            ) => None,
        }
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Denied | Self::Settled | Self::Failed)
    }

    /// A word for tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Submitted => "submitted",
            Self::Waiting => "waiting",
            Self::Denied => "denied",
            Self::Signed => "signed",
            Self::Broadcast => "broadcast",
            Self::Settled => "settled",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d4_every_way_leads_forward_and_ends() {
        let whole = [Step::Submit, Step::Wait, Step::Sign, Step::Send, Step::Send, Step::Settle];
        let end = whole.into_iter().try_fold(Stage::Received, Stage::after);
        assert_eq!(end, Some(Stage::Settled));
        let steps = [Step::Submit, Step::Wait, Step::Deny, Step::Sign, Step::Send, Step::Settle, Step::Fail];
        for last in [Stage::Denied, Stage::Settled, Stage::Failed] {
            assert!(last.is_final() && steps.into_iter().all(|step| last.after(step).is_none()));
        }
        assert_eq!(Stage::Submitted.after(Step::Send), None, "nothing is sent that is not signed");
    }
}

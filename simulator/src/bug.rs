//! The bugs that can be planted in every honest node, one at a time: each must be found.

/// A mistake that a programmer could make. A node that has it makes it always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// No window is counted.
    WindowsIgnored,
    /// `>` instead of `>=`: a window takes one unit more than its limit.
    WindowOffByOne,
    /// Network fees are not counted.
    FeesIgnored,
    /// Amounts count from the decision for the span, not until they are settled.
    UnsettledNotCounted,
    /// Any number of requests may take one slot.
    SlotsIgnored,
    /// A replacement may name any request, not the latest.
    ReplacesAnything,
    /// What is frozen is allowed.
    FreezeIgnored,
    /// Approvals outlive a change of policy.
    ApprovalsSurvivePolicy,
    /// Approvals count for whatever digest they name.
    AnyDigest,
    /// Approvals count whatever policy version they name.
    AnyPolicyVersion,
    /// The requester may approve.
    OwnRequestApproved,
    /// One person may count twice.
    SamePersonTwice,
    /// Approvals count after they expired.
    ExpiredApproval,
    /// No approval is asked for, whatever the amount.
    ThresholdIgnored,
    /// No delay is waited out.
    DelayIgnored,
    /// A destination counts before its cool-off ends.
    CoolOffIgnored,
    /// Policy versions follow one another as they like.
    SuccessorUnchecked,
    /// Messages leave before the records that they rest on are durable.
    SendsBeforeWrite,
    /// The back end signs before the block that allows it is durable.
    SignsBeforeDurable,
    /// The disk says that a block is durable, and it is not.
    BlocksNotSynced,
    /// The records of the height under way do not survive a crash.
    RecordsLost,
    /// Nobody tells a restarted node what it said before.
    RollbackUntold,
    /// What an entry says of the chain is believed.
    FactsUnchecked,
    /// A request is believed to be settled by whichever transaction is final in its slot, another one's too.
    SettledByAnother,
    /// A block's time is believed.
    ClockUnchecked,
    /// The back end signs later with the head that it saw at the decision.
    StaleHead,
    /// A round waits forty times as long.
    RoundsTooLong,
    /// Nobody looks at what is due before somebody asks for something.
    DueForgotten,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::WindowsIgnored,
        Self::WindowOffByOne,
        Self::FeesIgnored,
        Self::UnsettledNotCounted,
        Self::SlotsIgnored,
        Self::ReplacesAnything,
        Self::FreezeIgnored,
        Self::ApprovalsSurvivePolicy,
        Self::AnyDigest,
        Self::AnyPolicyVersion,
        Self::OwnRequestApproved,
        Self::SamePersonTwice,
        Self::ExpiredApproval,
        Self::ThresholdIgnored,
        Self::DelayIgnored,
        Self::CoolOffIgnored,
        Self::SuccessorUnchecked,
        Self::SendsBeforeWrite,
        Self::SignsBeforeDurable,
        Self::BlocksNotSynced,
        Self::RecordsLost,
        Self::RollbackUntold,
        Self::FactsUnchecked,
        Self::SettledByAnother,
        Self::ClockUnchecked,
        Self::StaleHead,
        Self::RoundsTooLong,
        Self::DueForgotten,
    ];

    /// Its name on the command line: `WindowsIgnored`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The bug of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

//! The stable code of each reason, and who is to blame.

use keystead_base::{Blame, Coded};

use super::Reason;

impl Coded for Reason {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownRequester { .. } => "deny.unknown_requester",
            Self::KeyUnknown { .. } => "deny.key_unknown",
            Self::KeyInactive { .. } => "deny.key_inactive",
            Self::Undecodable { .. } => "deny.undecodable",
            Self::ChainNotAllowed { .. } => "deny.chain_not_allowed",
            Self::NoRulePermits { .. } => "deny.no_rule_permits",
            Self::Forbidden { .. } => "deny.forbidden",
            Self::RuleError { .. } => "deny.rule_error",
            Self::Opaque { .. } => "deny.opaque",
            Self::BlindDigest => "deny.blind_digest",
            Self::DestinationUnknown { .. } => "deny.destination_unknown",
            Self::DestinationCooling { .. } => "deny.destination_cooling",
            Self::NoQuorumRow { .. } => "deny.no_quorum_row",
            Self::CapExceeded { .. } => "deny.cap_exceeded",
            Self::AmountTooLarge { .. } => "deny.amount_too_large",
            Self::LimitExceeded { .. } => "deny.limit_exceeded",
            Self::NoPriceRule => "deny.no_price_rule",
            Self::PriceMissing { .. } => "deny.price_missing",
            Self::PriceStale { .. } => "deny.price_stale",
            Self::PriceSpread { .. } => "deny.price_spread",
            Self::SlotTaken { .. } => "deny.slot_taken",
            Self::Frozen { .. } => "deny.frozen",
            Self::Expired { .. } => "deny.expired",
            Self::LivesTooLong { .. } => "deny.lives_too_long",
            Self::NotReplacing { .. } => "deny.not_replacing",
            Self::PolicyChanged { .. } => "deny.policy_changed",
            Self::Vetoed { .. } => "deny.vetoed",
            Self::Rejected { .. } => "deny.rejected",
            Self::Duplicate { .. } => "deny.duplicate",
            Self::NotCounted { .. } => "deny.not_counted",
            Self::KeyExists { .. } => "deny.key_exists",
            Self::DrillFailed { .. } => "deny.drill_failed",
            Self::NoRecipients => "deny.no_recipients",
            Self::NotARecipient { .. } => "deny.not_a_recipient",
            Self::RequestUnknown { .. } => "deny.request_unknown",
            Self::NotOpen { .. } => "deny.not_open",
            Self::TooManyOpen { .. } => "deny.too_many_open",
            Self::PolicyRefused { .. } => "deny.policy_refused",
            Self::KeyStopped { .. } => "deny.key_stopped",
            Self::NotHome { .. } => "deny.not_home",
            Self::KeyStep { .. } => "deny.key_step",
            Self::Unprotected { .. } => "deny.unprotected",
            Self::ChangeNotNamed { .. } => "deny.change_not_named",
            Self::Simulation(reason) => reason.code(),
            Self::CoinTaken { .. } => "deny.coin_taken",
            Self::RequesterNotPermitted { .. } => "deny.requester_not_permitted",
            Self::TooManyPsbts { .. } => "deny.too_many_psbts",
            Self::LockTime { .. } => "deny.lock_time",
            Self::FeeTooHigh { .. } => "deny.fee_too_high",
            Self::HoldersRefused { .. } => "deny.holders",
            Self::DealersRefused { .. } => "deny.dealers",
            Self::KindRefused { .. } => "deny.kind",
            Self::ShareRefused { fault, .. } => fault.code(),
            Self::NotLost { .. } => "deny.not_lost",
            Self::RecipientsRefused { .. } => "deny.recipients",
            Self::BackupShape { .. } => "deny.backup_shape",
            Self::DevicesRefused { .. } => "deny.devices",
            Self::Life(reason) => reason.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::NoPriceRule
            | Self::PriceMissing { .. }
            | Self::PriceStale { .. }
            | Self::PriceSpread { .. }
            | Self::RuleError { .. }
            | Self::Unprotected { .. } => Blame::Environment,
            Self::Simulation(reason) => reason.blame(),
            Self::ShareRefused { fault, .. } => fault.blame(),
            _ => Blame::Caller,
        }
    }
}

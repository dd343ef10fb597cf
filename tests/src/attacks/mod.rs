//! Attacks played to the end, one file each: its story, its play, and the twin that lacks the control.
//!
//! An attack is played on the real state machine, votes, light client and EVM. With the product's
//! controls somebody refuses; wired with the twin, in a test binary of its own, the loot moves.

pub mod approval_before_policy_change;
pub mod chainless_delegation;
pub mod chainless_legacy;
pub mod delegatecall;
pub mod frozen_key;
pub mod hoarded_signatures;
pub mod increase_allowance;
pub mod look_alike_address;
pub mod many_requests_at_a_limit;
pub mod multisend;
pub mod operator_for_all;
pub mod own_request;
pub mod permit;
pub mod permit2;
pub mod policy_rollback;
pub mod proxy_upgrade;
pub mod replayed_approval;
pub mod rewritten_decision;
pub mod rewritten_request;
pub mod same_person_twice;
pub mod swapped_payload;
pub mod two_digests_at_one_nonce;
pub mod unlimited_approval;

/// Every attack by the name of its module: the control's and the twin's tests play all of them.
pub const CATALOGUE: [&str; 23] = [
    "approval_before_policy_change",
    "chainless_delegation",
    "chainless_legacy",
    "delegatecall",
    "frozen_key",
    "hoarded_signatures",
    "increase_allowance",
    "look_alike_address",
    "many_requests_at_a_limit",
    "multisend",
    "operator_for_all",
    "own_request",
    "permit",
    "permit2",
    "policy_rollback",
    "proxy_upgrade",
    "replayed_approval",
    "rewritten_decision",
    "rewritten_request",
    "same_person_twice",
    "swapped_payload",
    "two_digests_at_one_nonce",
    "unlimited_approval",
];

//! Attacks played to the end, one file each: its story, its play, and the twin that lacks the control.
//!
//! An attack is played on the real state machine, votes, light client and EVM, or against the real servers and
//! databases. With the product's controls somebody refuses; wired with the twin, in a test binary of its own, the
//! loot moves, or the honest ones go without.

pub mod address_poisoning;
pub mod approval_before_policy_change;
pub mod bad_share;
pub mod burnt_fees;
pub mod chainless_delegation;
pub mod chainless_legacy;
pub mod cloud_database;
pub mod copied_disk;
pub mod delegatecall;
pub mod double_limit;
pub mod early_thaw;
pub mod endless_fragments;
pub mod equivocating_dealer;
pub mod equivocating_node;
pub mod fee_attack;
pub mod foreign_change;
pub mod forged_rebuild;
pub mod forged_roster;
pub mod forked_log;
pub mod forwarded_administration;
pub mod frozen_key;
pub mod greedy_peer;
pub mod hidden_equivocator;
pub mod hoarded_signatures;
pub mod increase_allowance;
pub mod lone_voice;
pub mod look_alike_address;
pub mod lying_endpoint;
pub mod lying_server;
pub mod lying_token;
pub mod many_requests_at_a_limit;
pub mod mixed_epochs;
pub mod multisend;
pub mod old_backup;
pub mod old_snapshot;
pub mod operator_for_all;
pub mod other_key;
pub mod oversize_body;
pub mod own_request;
pub mod patched_holder;
pub mod patched_node;
pub mod permit;
pub mod permit2;
pub mod poisoned_state;
pub mod policy_rollback;
pub mod proxy_upgrade;
pub mod quorum_of_payments;
pub mod removed_member;
pub mod reorg_after_settlement;
pub mod replayed_approval;
pub mod replayed_nonces;
pub mod rewritten_decision;
pub mod rewritten_request;
pub mod rewritten_row;
pub mod risk_server;
pub mod rollback;
pub mod same_person_twice;
pub mod selective_aborts;
pub mod seven_keys_on_one_laptop;
pub mod sighash_downgrade;
pub mod slow_requests;
pub mod slow_strangers;
pub mod smuggled_key;
pub mod smuggled_order;
pub mod smuggled_parameters;
pub mod smuggled_request;
pub mod stale_certificate;
pub mod stale_head;
pub mod stolen_token;
pub mod subset_picking;
pub mod suppressed_freeze;
pub mod suppressed_veto;
pub mod suspended_key;
pub mod swapped_payload;
pub mod token_scope;
pub mod truncated_log;
pub mod two_digests_at_one_nonce;
pub mod two_payloads;
pub mod two_payloads_of_a_run;
pub mod unanchored_rebuild;
pub mod unanswered_flood;
pub mod undelayed_upgrade;
pub mod unlimited_approval;
pub mod unlogged_spend;
pub mod unlogged_transaction;
pub mod webhook_address;
pub mod withheld_freeze;

/// Every attack by the name of its module: the control's and the twin's tests play all of them.
pub const CATALOGUE: [&str; 87] = [
    "address_poisoning",
    "approval_before_policy_change",
    "bad_share",
    "burnt_fees",
    "chainless_delegation",
    "chainless_legacy",
    "cloud_database",
    "copied_disk",
    "delegatecall",
    "double_limit",
    "early_thaw",
    "endless_fragments",
    "equivocating_dealer",
    "equivocating_node",
    "fee_attack",
    "foreign_change",
    "forged_rebuild",
    "forged_roster",
    "forked_log",
    "forwarded_administration",
    "frozen_key",
    "greedy_peer",
    "hidden_equivocator",
    "hoarded_signatures",
    "increase_allowance",
    "lone_voice",
    "look_alike_address",
    "lying_endpoint",
    "lying_server",
    "lying_token",
    "many_requests_at_a_limit",
    "mixed_epochs",
    "multisend",
    "old_backup",
    "old_snapshot",
    "operator_for_all",
    "other_key",
    "oversize_body",
    "own_request",
    "patched_holder",
    "patched_node",
    "permit",
    "permit2",
    "poisoned_state",
    "policy_rollback",
    "proxy_upgrade",
    "quorum_of_payments",
    "removed_member",
    "reorg_after_settlement",
    "replayed_approval",
    "replayed_nonces",
    "rewritten_decision",
    "rewritten_request",
    "rewritten_row",
    "risk_server",
    "rollback",
    "same_person_twice",
    "selective_aborts",
    "seven_keys_on_one_laptop",
    "sighash_downgrade",
    "slow_requests",
    "slow_strangers",
    "smuggled_key",
    "smuggled_order",
    "smuggled_parameters",
    "smuggled_request",
    "stale_certificate",
    "stale_head",
    "stolen_token",
    "subset_picking",
    "suppressed_freeze",
    "suppressed_veto",
    "suspended_key",
    "swapped_payload",
    "token_scope",
    "truncated_log",
    "two_digests_at_one_nonce",
    "two_payloads",
    "two_payloads_of_a_run",
    "unanchored_rebuild",
    "unanswered_flood",
    "undelayed_upgrade",
    "unlimited_approval",
    "unlogged_spend",
    "unlogged_transaction",
    "webhook_address",
    "withheld_freeze",
];

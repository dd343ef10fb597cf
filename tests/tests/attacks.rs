//! Every attack of the catalogue against the product's controls: refused, by whom it should be.

#[path = "attacks/backups.rs"]
mod backups;
#[path = "attacks/catalogue.rs"]
mod catalogue;
#[path = "attacks/devices.rs"]
mod devices;
#[path = "attacks/life.rs"]
mod life;
#[path = "attacks/shares.rs"]
mod shares;

use std::time::Duration;

use keystead_decision::Strict;
use keystead_tests::attacks::{
    address_poisoning, approval_before_policy_change, burnt_fees, chainless_delegation, chainless_legacy,
    cloud_database, copied_disk, delegatecall, double_limit, endless_fragments, equivocating_node,
    fee_attack, foreign_change, forged_rebuild, forged_roster, forked_log, forwarded_administration,
    frozen_key, greedy_peer, hoarded_signatures, increase_allowance, lone_voice, look_alike_address,
    lying_endpoint, lying_server, lying_token, many_requests_at_a_limit, multisend, operator_for_all,
    oversize_body, own_request, patched_node, permit, permit2, poisoned_state, policy_rollback,
    proxy_upgrade, quorum_of_payments, reorg_after_settlement, replayed_approval, rewritten_decision,
    rewritten_request, rewritten_row, risk_server, rollback, same_person_twice, sighash_downgrade,
    slow_requests, slow_strangers, smuggled_order, smuggled_parameters, smuggled_request, stale_certificate,
    stale_head, stolen_token, suppressed_freeze, suppressed_veto, suspended_key, swapped_payload,
    token_scope, truncated_log, two_digests_at_one_nonce, two_payloads, unanchored_rebuild, unanswered_flood,
    undelayed_upgrade, unlimited_approval, unlogged_spend, unlogged_transaction, webhook_address,
    withheld_freeze,
};
use keystead_tests::{Anvil, Loot, Signer};

#[track_caller]
fn refused(loot: Loot, by: &str) {
    assert_eq!(loot, Loot::Refused { by: by.to_owned() });
}

#[test]
fn s02_a_permit_is_refused() {
    refused(permit::attack(Strict::default()), "deny.forbidden");
}

#[test]
fn s02_a_permit2_signature_is_refused() {
    refused(permit2::attack(Strict::default()), "deny.forbidden");
}

#[test]
fn s02_the_fee_attack_is_refused() {
    refused(fee_attack::attack(fee_attack::proven), "bitcoin.unproven_amount");
}

#[test]
fn s02_a_sighash_downgrade_is_refused() {
    refused(sighash_downgrade::attack(sighash_downgrade::whole), "bitcoin.sighash");
}

#[test]
fn s12_foreign_change_is_refused() {
    refused(foreign_change::attack(Strict::default()), "deny.destination_unknown");
}

#[test]
fn s02_a_rewritten_request_is_refused() {
    refused(rewritten_request::attack(rewritten_request::recomputed), "review.request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_server_that_shows_another_payload_is_refused() {
    let loot = lying_server::attack(lying_server::Lie::Payload, rewritten_request::recomputed).await;
    refused(loot, "review.request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_server_that_names_another_digest_is_refused() {
    let loot = lying_server::attack(lying_server::Lie::Digest, rewritten_request::recomputed).await;
    refused(loot, "review.digest");
}

#[test]
fn s02_smuggled_parameters_are_refused() {
    use smuggled_parameters::Trick;
    for trick in Trick::ALL {
        refused(smuggled_parameters::attack(smuggled_parameters::strict(), trick), "rpc.params");
    }
}

#[test]
fn s02_a_swapped_payload_is_refused() {
    refused(swapped_payload::attack(swapped_payload::computed), "certificate.digest");
}

#[test]
fn s02_an_increased_allowance_is_refused() {
    refused(increase_allowance::attack(Strict::default()), "deny.no_rule_permits allowance");
}

#[test]
fn s02_a_token_that_does_more_than_the_bytes_say_is_refused() {
    refused(lying_token::attack(Strict::default()), "deny.simulation_takes_more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_poisoned_state_is_outvoted() {
    refused(poisoned_state::attack(poisoned_state::agreeing()).await, "deny.simulation_takes_more");
}

/// More than half of the endpoints lie, and yet too few for a state to be believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_poisoned_state_that_too_few_show_is_unknown() {
    refused(poisoned_state::attack(poisoned_state::disagreeing()).await, "deny.simulation_unknown");
}

#[test]
fn s02_one_bad_call_among_eight_is_refused() {
    refused(multisend::attack(Strict::default()), "deny.destination_unknown");
}

#[test]
fn s02_an_order_that_nobody_understands_behind_a_payment_is_refused() {
    refused(smuggled_order::attack(Strict::default()), "deny.no_rule_permits opaque");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_two_payloads_of_one_request_are_refused() {
    let codes = "admission.requester, admission.signature";
    refused(two_payloads::attack(two_payloads::requester()).await, codes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_changed_risk_server_is_outvoted() {
    refused(risk_server::attack(risk_server::four_nodes()).await, "deny.destination_unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_rewritten_cloud_database_is_refused() {
    refused(cloud_database::attack(Signer::LightClient).await, "certificate.not_included");
    refused(cloud_database::against_a_home().await, "node.over");
}

#[test]
fn s03_a_rewritten_decision_is_refused() {
    refused(rewritten_decision::attack(Signer::LightClient), "certificate.not_included");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_patched_node_is_outvoted() {
    refused(patched_node::attack(patched_node::tolerated()).await, "deny.destination_unknown");
}

/// INVARIANT S3: a vote is a node's own; a copy of its disk is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_copied_disk_votes_for_nobody() {
    refused(copied_disk::attack(copied_disk::beside_a_token).await, "signature.ed25519");
}

/// One more than four nodes withstand, and they still do not commit what policy denies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_two_patched_nodes_stop_the_log_and_gain_nothing() {
    let loot = patched_node::attack(patched_node::tolerated() + 1).await;
    assert!(matches!(loot, Loot::Harmed { .. }), "{loot:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_an_equivocating_node_forks_no_log() {
    refused(equivocating_node::attack(equivocating_node::four()).await, "certificate.quorum");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_node_that_was_put_back_votes_only_once() {
    let standing = "was rolled back and stays silent until it is readmitted";
    refused(rollback::attack(rollback::told()).await, standing);
}

#[test]
fn s10_burnt_fees_are_refused() {
    refused(burnt_fees::attack(Strict::default()), "deny.fee_too_high");
}

#[test]
fn s04_two_digests_at_one_nonce_is_refused() {
    refused(two_digests_at_one_nonce::attack(Strict::default()), "deny.slot_taken");
}

#[test]
fn s08_a_delegation_with_chain_id_zero_is_refused() {
    refused(chainless_delegation::attack(Strict::default()), "build.wrong_chain");
}

#[test]
fn s08_a_legacy_withdrawal_without_chain_id_is_refused() {
    refused(chainless_legacy::attack(Strict::default()), "build.no_chain_id");
}

#[test]
fn s09_a_delegatecall_of_a_safe_is_refused() {
    refused(delegatecall::attack(Strict::default()), "deny.no_rule_permits delegate_call");
}

#[test]
fn s09_an_operator_for_all_is_refused() {
    refused(operator_for_all::attack(Strict::default()), "deny.no_rule_permits unlimited_allowance");
}

#[test]
fn s09_an_unlimited_approval_is_refused() {
    refused(unlimited_approval::attack(Strict::default()), "deny.no_rule_permits unlimited_allowance");
}

#[test]
fn s09_an_upgrade_behind_a_proxy_is_refused() {
    refused(proxy_upgrade::attack(Strict::default()), "deny.no_rule_permits authority");
}

#[test]
fn s09_an_undelayed_upgrade_is_refused() {
    refused(undelayed_upgrade::attack(Strict::default()), "deny.vetoed");
}

/// The delay alone stops nobody for ever: it is there to be used.
#[test]
fn s09_an_upgrade_that_nobody_vetoes_passes_after_its_delay() {
    let loot = undelayed_upgrade::unopposed(Strict::default());
    assert!(matches!(loot, Loot::Stolen { .. }), "{loot:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_a_suppressed_veto_is_refused() {
    refused(suppressed_veto::attack(suppressed_veto::any_node()).await, "deny.vetoed");
}

#[test]
fn s09_an_upgrade_by_the_quorum_of_payments_is_refused() {
    refused(quorum_of_payments::attack(Strict::default()), "deny.expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_as_many_liars_as_are_withstood_gain_nothing() {
    refused(double_limit::attack(double_limit::tolerated()).await, "certificate.quorum");
}

#[test]
fn s10_hoarded_signatures_is_refused() {
    refused(hoarded_signatures::attack(Strict::default()), "deny.limit_exceeded");
}

#[test]
fn s10_many_requests_at_a_limit_is_refused() {
    refused(many_requests_at_a_limit::attack(Strict::default()), "deny.limit_exceeded");
}

#[test]
fn s11_a_replayed_approval_is_refused() {
    refused(replayed_approval::attack(Strict::default()), "approval.digest");
}

#[test]
fn s11_an_approval_from_before_a_policy_change_is_refused() {
    refused(approval_before_policy_change::attack(Strict::default()), "approval.policy");
}

#[test]
fn s11_an_own_request_is_refused() {
    refused(own_request::attack(Strict::default()), "approval.requester");
}

#[test]
fn s11_the_same_person_twice_is_refused() {
    refused(same_person_twice::attack(Strict::default()), "approval.same_person");
}

#[test]
fn s12_a_look_alike_address_is_refused() {
    refused(look_alike_address::attack(Strict::default()), "deny.destination_unknown");
}

#[test]
fn s12_a_poisoned_address_is_kept_out_of_the_book() {
    refused(address_poisoning::attack(keystead_approver::change_words), "ana is warned");
}

#[test]
fn s13_a_policy_rollback_is_refused() {
    refused(policy_rollback::attack(Strict::default(), Signer::LightClient), "policy.rollback");
}

#[test]
fn s13_a_forged_rebuild_is_refused() {
    refused(forged_rebuild::attack(forged_rebuild::followed), "rebuild.missing");
}

#[test]
fn s13_a_rebuild_without_the_word_of_the_pinned_anchor_is_refused() {
    refused(unanchored_rebuild::attack(unanchored_rebuild::pinned), "anchor.missing");
}

#[test]
fn s13_a_forged_roster_is_refused() {
    refused(forged_roster::attack(forged_roster::followed), "certificate.voter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_forged_roster_reaches_neither_enclave_nor_node() {
    refused(forged_roster::against_an_enclave().await, "certificate.voter");
    refused(forged_roster::against_a_laggard().await, "certificate.voter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_stale_certificate_is_refused() {
    use stale_certificate::{Shown, long_lived, short_lived};
    refused(stale_certificate::attack(short_lived()).await, "certificate.expired");
    refused(stale_certificate::played(long_lived(), Shown::Restarted).await, "certificate.policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_suppressed_freeze_is_refused() {
    refused(suppressed_freeze::attack(suppressed_freeze::any_node()).await, "deny.frozen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_withheld_freeze_is_refused() {
    refused(withheld_freeze::attack(withheld_freeze::each_time()).await, "certificate.frozen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_lying_endpoint_with_the_others_down_is_refused() {
    use lying_endpoint::{failover, two_of_three};
    refused(lying_endpoint::attack(Strict::default(), two_of_three()).await, "deny.limit_exceeded");
    refused(lying_endpoint::attack(Strict::default(), failover()).await, "deny.frozen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_reorg_after_settlement_is_refused() {
    refused(reorg_after_settlement::attack(reorg_after_settlement::deep()).await, "deny.limit_exceeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_an_unlogged_transaction_is_refused() {
    refused(unlogged_transaction::attack(Strict::default()).await, "deny.frozen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_an_unlogged_spend_is_refused() {
    refused(unlogged_spend::attack(Strict::default()).await, "deny.frozen");
}

#[tokio::test]
async fn l02_a_truncated_log_is_refused() {
    refused(truncated_log::attack(truncated_log::remembering).await, "log.rolled_back");
}

#[tokio::test]
async fn l02_a_forked_log_is_refused() {
    refused(forked_log::attack(truncated_log::remembering).await, "log.forked");
}

#[test]
fn l02_a_witness_puts_its_name_to_no_other_past() {
    refused(forked_log::asks_the_witness(), "log.inconsistent");
}

#[tokio::test]
async fn l01_a_rewritten_row_is_refused() {
    refused(rewritten_row::attack(rewritten_row::replayed()).await, "audit.row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_slow_strangers_are_refused() {
    refused(slow_strangers::attack(slow_strangers::product(), PATIENCE).await, "wire.pushed_out");
}

#[tokio::test]
async fn a02_a_greedy_peer_is_refused() {
    refused(greedy_peer::attack(greedy_peer::product()).await, "wire.refused");
}

#[tokio::test]
async fn a02_an_unanswered_flood_is_refused() {
    refused(unanswered_flood::attack(unanswered_flood::product()).await, "limits.bytes_per_peer");
}

#[tokio::test]
async fn a01_slow_requests_are_refused() {
    refused(slow_requests::attack(slow_requests::product(), PATIENCE).await, "http.slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a04_a_token_with_a_scope_is_refused() {
    refused(token_scope::attack(token_scope::of_its_own()).await, "http.scope");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a06_a_stolen_token_is_refused() {
    refused(stolen_token::attack(stolen_token::bound()).await, "http.token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_webhook_s_address_inside_is_refused() {
    refused(webhook_address::attack(webhook_address::of_the_receivers()).await, "webhook.address");
}

#[tokio::test]
async fn a01_an_oversize_body_is_refused() {
    refused(oversize_body::attack(oversize_body::product()).await, "http.body");
}

#[tokio::test]
async fn a01_endless_fragments_are_refused() {
    refused(endless_fragments::attack(endless_fragments::product()).await, "http.body");
}

#[tokio::test]
async fn a01_a_smuggled_request_is_refused() {
    use smuggled_request::Seam;
    let folder = tempfile::tempdir().unwrap();
    let behind = smuggled_request::framed_in_one_way(folder.path()).await;
    for seam in Seam::ALL {
        let by = match seam {
            Seam::LengthAndChunks | Seam::ChunksAndLength => "http.framing",
            Seam::RefusedUpgrade => "http.upgrade",
            // The question is answered, here that there is no chain to ask, and then the connection ends.
            Seam::ClearHttp2 => "request.no_chain",
        };
        refused(smuggled_request::attack(&behind, seam).await, by);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_an_endpoints_administration_is_refused() {
    let (chain, folder) = (Anvil::start(&["--hardfork", "osaka"]), tempfile::tempdir().unwrap());
    let gate = forwarded_administration::reads(&chain, folder.path()).await;
    refused(forwarded_administration::attack(&gate).await, "rpc.unknown_method");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_lone_voice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    refused(lone_voice::attack(lone_voice::two_of_three(), folder.path()).await, "request.chain");
}

#[test]
fn s14_a_stale_head_is_refused() {
    use stale_head::Answer;
    refused(stale_head::attack(stale_head::drawn, Answer::Recorded), "certificate.fresh_nonce");
    refused(stale_head::attack(stale_head::drawn, Answer::Own), "certificate.quorum");
    refused(stale_head::attack(stale_head::drawn, Answer::Mixed), "certificate.fresh_ahead");
    refused(stale_head::attack(stale_head::drawn, Answer::Honest), "certificate.frozen");
    refused(stale_head::unconfirmed(), "certificate.stale_head");
}

/// The signer's check alone is not what the log relies on: a signer that believes its node changes nothing.
#[test]
fn s14_the_log_refuses_what_is_frozen_whatever_the_signer_does() {
    refused(frozen_key::attack(Strict::default(), Signer::Believer), "deny.frozen");
    refused(suspended_key::attack(Strict::default(), Signer::Believer), "deny.key_stopped");
    refused(policy_rollback::attack(Strict::default(), Signer::Believer), "policy.rollback");
}

/// Whatever a screen shows, a word about it counts for nothing else.
#[test]
fn s11_an_approval_of_what_is_shown_counts_for_nothing_else() {
    refused(rewritten_request::attack(rewritten_request::computed_only), "deny.request_unknown");
}

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

//! Every attack of the catalogue with one control taken out: the loot moves, so the control is what stops it.
//!
//! A binary of its own: nothing here is ever linked with what tests the product.

#[path = "attack_twins/shares.rs"]
mod shares;

use std::time::Duration;

use keystead_tests::attacks::{
    address_poisoning, approval_before_policy_change, burnt_fees, chainless_delegation, chainless_legacy,
    cloud_database, copied_disk, delegatecall, double_limit, early_thaw, endless_fragments,
    equivocating_node, fee_attack, foreign_change, forged_rebuild, forged_roster, forked_log,
    forwarded_administration, frozen_key, greedy_peer, hoarded_signatures, increase_allowance, lone_voice,
    look_alike_address, lying_endpoint, lying_server, lying_token, many_requests_at_a_limit, multisend,
    old_backup, old_snapshot, operator_for_all, oversize_body, own_request, patched_node, permit, permit2,
    poisoned_state, policy_rollback, proxy_upgrade, quorum_of_payments, reorg_after_settlement,
    replayed_approval, rewritten_decision, rewritten_request, rewritten_row, risk_server, rollback,
    same_person_twice, seven_keys_on_one_laptop, sighash_downgrade, slow_requests, slow_strangers,
    smuggled_key, smuggled_order, smuggled_parameters, smuggled_request, stale_certificate, stale_head,
    stolen_token, suppressed_freeze, suppressed_veto, suspended_key, swapped_payload, token_scope,
    truncated_log, two_digests_at_one_nonce, two_payloads, unanchored_rebuild, unanswered_flood,
    undelayed_upgrade, unlimited_approval, unlogged_spend, unlogged_transaction, webhook_address,
    withheld_freeze,
};
use keystead_tests::fixture::ETHER;
use keystead_tests::{Anvil, Approving, Loot, Signer};

#[track_caller]
fn stolen(loot: Loot) {
    assert!(matches!(loot, Loot::Stolen { .. }), "the twin is refused, too: {loot:?}");
}

#[track_caller]
fn harmed(loot: Loot) {
    assert!(matches!(loot, Loot::Harmed { .. }), "the twin holds, too: {loot:?}");
}

#[track_caller]
fn refused(loot: Loot, by: &str) {
    assert_eq!(loot, Loot::Refused { by: by.to_owned() });
}

#[test]
fn s02_a_permit_succeeds_without_its_control() {
    stolen(permit::attack(permit::WithoutTypedData));
}

#[test]
fn s02_a_permit2_signature_succeeds_without_its_control() {
    stolen(permit2::attack(permit2::WithoutTypedData));
}

#[test]
fn s02_the_fee_attack_succeeds_without_its_control() {
    stolen(fee_attack::attack(fee_attack::believed));
}

#[test]
fn s02_a_sighash_downgrade_succeeds_without_its_control() {
    stolen(sighash_downgrade::attack(sighash_downgrade::obeyed));
}

#[test]
fn s12_foreign_change_succeeds_without_its_control() {
    stolen(foreign_change::attack(foreign_change::WithoutDerivedChange));
}

#[test]
fn s02_a_rewritten_request_succeeds_without_its_control() {
    stolen(rewritten_request::attack(rewritten_request::believed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_lying_server_succeeds_without_its_control() {
    for lie in [lying_server::Lie::Payload, lying_server::Lie::Digest] {
        stolen(lying_server::attack(lie, lying_server::believed).await);
    }
}

#[test]
fn s02_smuggled_parameters_succeed_without_their_control() {
    use smuggled_parameters::Trick;
    for trick in Trick::ALL {
        stolen(smuggled_parameters::attack(smuggled_parameters::lenient(), trick));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_an_endpoints_administration_succeeds_without_its_control() {
    let chain = Anvil::start(&["--hardfork", "osaka"]);
    stolen(forwarded_administration::attack(&forwarded_administration::everything(&chain)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_lone_voice_succeeds_without_its_control() {
    let folder = tempfile::tempdir().unwrap();
    stolen(lone_voice::attack(lone_voice::failover(), folder.path()).await);
}

#[test]
fn s02_a_swapped_payload_succeeds_without_its_control() {
    stolen(swapped_payload::attack(swapped_payload::granted));
}

#[test]
fn s02_an_increased_allowance_succeeds_without_its_control() {
    stolen(increase_allowance::attack(increase_allowance::WithoutAllowances));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_poisoned_state_succeeds_where_one_endpoint_is_believed() {
    stolen(poisoned_state::attack(poisoned_state::alone()).await);
}

#[test]
fn s02_one_bad_call_among_eight_succeeds_without_its_control() {
    stolen(multisend::attack(multisend::WithoutLaterCalls));
}

#[test]
fn s09_an_action_that_gives_our_account_away_behind_a_payment_is_signed_unread() {
    stolen(smuggled_key::attack(smuggled_key::WithoutOtherActions));
}

#[test]
fn s02_an_order_that_nobody_understands_succeeds_without_its_control() {
    stolen(smuggled_order::attack(smuggled_order::WithoutUnknownOrders));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_two_payloads_succeed_without_their_control() {
    stolen(two_payloads::attack(two_payloads::service()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_changed_risk_server_succeeds_alone() {
    stolen(risk_server::attack(risk_server::one_server()).await);
}

#[tokio::test]
async fn s03_a_rewritten_cloud_database_succeeds_without_its_control() {
    stolen(cloud_database::attack(Signer::Believer).await);
}

#[test]
fn s03_a_rewritten_decision_succeeds_without_its_control() {
    stolen(rewritten_decision::attack(Signer::Believer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_patched_nodes_succeed_where_they_are_a_quorum() {
    stolen(patched_node::attack(patched_node::quorum()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_copied_disk_votes_where_the_whole_key_is_on_it() {
    harmed(copied_disk::attack(copied_disk::whole).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_an_equivocating_node_succeeds_among_three() {
    stolen(equivocating_node::attack(equivocating_node::three()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_node_that_was_put_back_votes_twice_where_nobody_tells_it() {
    harmed(rollback::attack(rollback::untold()).await);
}

#[test]
fn s10_fees_are_burnt_without_their_caps() {
    stolen(burnt_fees::attack(burnt_fees::WithoutFeeCaps));
}

#[test]
fn s04_two_digests_at_one_nonce_succeeds_without_its_control() {
    stolen(two_digests_at_one_nonce::attack(two_digests_at_one_nonce::WithoutSlots));
}

#[test]
fn s04_a_key_from_an_old_backup_spends_a_nonce_again_without_its_control() {
    stolen(old_backup::attack(old_backup::WithoutCounters));
}

#[test]
fn s13_a_node_from_an_old_backup_brings_dismissed_people_back_without_its_control() {
    stolen(old_snapshot::attack(old_snapshot::put_back, false));
}

#[test]
fn s08_a_delegation_with_chain_id_zero_succeeds_without_its_control() {
    stolen(chainless_delegation::attack(chainless_delegation::WithoutChainId));
}

#[test]
fn s08_a_legacy_withdrawal_without_chain_id_succeeds_without_its_control() {
    stolen(chainless_legacy::attack(chainless_legacy::WithoutChainId));
}

#[test]
fn s09_a_delegatecall_of_a_safe_succeeds_without_its_control() {
    stolen(delegatecall::attack(delegatecall::WithoutOperation));
}

#[test]
fn s09_an_operator_for_all_succeeds_without_its_control() {
    stolen(operator_for_all::attack(operator_for_all::WithoutOperators));
}

#[test]
fn s09_an_unlimited_approval_succeeds_without_its_control() {
    stolen(unlimited_approval::attack(unlimited_approval::WithoutAllowances));
}

#[test]
fn s02_a_token_that_does_more_than_the_bytes_say_succeeds_without_its_control() {
    stolen(lying_token::attack(lying_token::WithoutComparison));
}

#[test]
fn s09_an_upgrade_behind_a_proxy_succeeds_without_its_control() {
    stolen(proxy_upgrade::attack(proxy_upgrade::WithoutAuthority));
}

#[test]
fn s09_an_undelayed_upgrade_succeeds_without_its_control() {
    stolen(undelayed_upgrade::attack(undelayed_upgrade::WithoutDelay));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_a_suppressed_veto_succeeds_without_its_control() {
    stolen(suppressed_veto::attack(suppressed_veto::usual_ways()).await);
}

#[test]
fn s09_an_upgrade_by_the_quorum_of_payments_succeeds_without_its_control() {
    stolen(quorum_of_payments::attack(quorum_of_payments::WithoutClasses));
}

/// What SECURITY.md says of it: one limit more, to the wei.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_one_liar_more_gains_one_limit_and_no_more() {
    let what = format!("{} wei beyond the limit of the day", 10 * ETHER);
    assert_eq!(double_limit::attack(double_limit::one_more()).await, Loot::Stolen { what });
}

#[test]
fn s10_hoarded_signatures_succeeds_without_its_control() {
    stolen(hoarded_signatures::attack(hoarded_signatures::WithoutUnsettled));
}

#[test]
fn s10_many_requests_at_a_limit_succeeds_without_its_control() {
    stolen(many_requests_at_a_limit::attack(many_requests_at_a_limit::WithoutSum));
}

#[test]
fn s11_a_replayed_approval_succeeds_without_its_control() {
    stolen(replayed_approval::attack(Approving(replayed_approval::WithoutRequestBinding)));
}

#[test]
fn s11_an_approval_from_before_a_policy_change_succeeds_without_its_control() {
    stolen(approval_before_policy_change::attack(Approving(
        approval_before_policy_change::WithoutPolicyBinding,
    )));
}

#[test]
fn s11_an_own_request_succeeds_without_its_control() {
    stolen(own_request::attack(Approving(own_request::WithoutSeparation)));
}

#[test]
fn s11_the_same_person_twice_succeeds_without_its_control() {
    stolen(same_person_twice::attack(Approving(same_person_twice::WithoutDistinctPeople)));
}

#[test]
fn s11_seven_keys_on_one_laptop_succeed_without_its_control() {
    stolen(seven_keys_on_one_laptop::attack(seven_keys_on_one_laptop::WithoutDistinctDevices));
}

#[test]
fn s11_seven_keys_of_one_token_succeed_without_its_control() {
    stolen(seven_keys_on_one_laptop::on_one_token(seven_keys_on_one_laptop::WithoutDistinctDevices));
}

#[test]
fn s12_a_look_alike_address_succeeds_without_its_control() {
    stolen(look_alike_address::attack(look_alike_address::WithoutWholeAddresses));
}

#[test]
fn s12_a_poisoned_address_comes_into_the_book_without_its_control() {
    stolen(address_poisoning::attack(address_poisoning::by_their_ends));
}

#[test]
fn s13_a_policy_rollback_succeeds_without_its_control() {
    stolen(policy_rollback::attack(policy_rollback::WithoutSuccession, Signer::Believer));
}

#[test]
fn s13_a_forged_rebuild_succeeds_without_its_control() {
    stolen(forged_rebuild::attack(forged_rebuild::ordinary));
}

#[test]
fn s13_a_rebuild_without_the_word_of_an_anchor_is_followed_without_the_pin() {
    harmed(unanchored_rebuild::attack(unanchored_rebuild::unpinned));
}

#[test]
fn s13_a_forged_roster_succeeds_without_its_control() {
    stolen(forged_roster::attack(forged_roster::self_signed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_a_stale_certificate_succeeds_without_its_control() {
    stolen(stale_certificate::attack(stale_certificate::long_lived()).await);
}

#[test]
fn s14_an_early_thaw_succeeds_without_its_control() {
    stolen(early_thaw::attack(early_thaw::WithoutRotation));
}

#[test]
fn s14_a_suspended_key_succeeds_without_its_control() {
    stolen(suspended_key::attack(suspended_key::WithoutStates, Signer::Believer));
}

#[test]
fn s14_a_frozen_key_succeeds_without_its_control() {
    stolen(frozen_key::attack(frozen_key::WithoutFreeze, Signer::Believer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_suppressed_freeze_succeeds_without_its_control() {
    stolen(suppressed_freeze::attack(suppressed_freeze::coordinator_only()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_withheld_freeze_succeeds_without_its_control() {
    stolen(withheld_freeze::attack(withheld_freeze::at_boot()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_lying_endpoint_succeeds_without_its_control() {
    use lying_endpoint::{WithoutReconciliation, failover};
    stolen(lying_endpoint::attack(WithoutReconciliation, failover()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_reorg_after_settlement_succeeds_without_its_control() {
    stolen(reorg_after_settlement::attack(reorg_after_settlement::shallow()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_an_unlogged_transaction_succeeds_without_its_control() {
    stolen(unlogged_transaction::attack(unlogged_transaction::WithoutReconciliation).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l04_an_unlogged_spend_succeeds_without_its_control() {
    stolen(unlogged_spend::attack(unlogged_spend::Unfollowed).await);
}

#[tokio::test]
async fn l02_a_truncated_log_succeeds_without_its_control() {
    stolen(truncated_log::attack(truncated_log::forgetful).await);
}

#[tokio::test]
async fn l02_a_forked_log_succeeds_without_its_control() {
    stolen(forked_log::attack(forked_log::forgetful).await);
}

#[tokio::test]
async fn l01_a_rewritten_row_succeeds_without_its_control() {
    stolen(rewritten_row::attack(rewritten_row::as_stored()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_slow_strangers_succeed_without_their_control() {
    harmed(slow_strangers::attack(slow_strangers::waiting_for_all(), PATIENCE).await);
}

#[tokio::test]
async fn a02_a_greedy_peer_succeeds_without_its_control() {
    harmed(greedy_peer::attack(greedy_peer::without_shares()).await);
}

#[tokio::test]
async fn a02_an_unanswered_flood_succeeds_without_its_control() {
    harmed(unanswered_flood::attack(unanswered_flood::reading_all()).await);
}

#[tokio::test]
async fn a01_slow_requests_succeed_without_their_control() {
    harmed(slow_requests::attack(slow_requests::without_times(), PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a04_a_token_for_everything_succeeds_without_its_control() {
    harmed(token_scope::attack(token_scope::of_everybody()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a06_a_stolen_token_succeeds_without_its_control() {
    harmed(stolen_token::attack(stolen_token::of_whoever_has_it()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_a_webhook_s_address_inside_succeeds_without_its_control() {
    harmed(webhook_address::attack(webhook_address::anywhere()).await);
}

#[tokio::test]
async fn a01_an_oversize_body_succeeds_without_its_control() {
    harmed(oversize_body::attack(oversize_body::without_bound()).await);
}

#[tokio::test]
async fn a01_endless_fragments_succeed_without_their_control() {
    harmed(endless_fragments::attack(endless_fragments::without_bound()).await);
}

#[tokio::test]
async fn a01_a_smuggled_request_succeeds_without_its_control() {
    let folder = tempfile::tempdir().unwrap();
    let behind = smuggled_request::read_as_it_comes(folder.path()).await;
    for seam in smuggled_request::Seam::ALL {
        harmed(smuggled_request::attack(&behind, seam).await);
    }
}

#[test]
fn s14_a_stale_head_succeeds_without_its_control() {
    stolen(stale_head::attack(stale_head::repeated, stale_head::Answer::Recorded));
}

/// The second line of defense: where the log lets it pass, the signer's own light client does not.
#[test]
fn s14_the_signer_refuses_what_is_frozen_by_itself() {
    refused(frozen_key::attack(frozen_key::WithoutFreeze, Signer::LightClient), "certificate.frozen");
    refused(suspended_key::attack(suspended_key::WithoutStates, Signer::LightClient), "certificate.stopped");
}

#[test]
fn s13_the_signer_follows_no_rollback_by_itself() {
    let loot = policy_rollback::attack(policy_rollback::WithoutSuccession, Signer::LightClient);
    refused(loot, "certificate.gap");
}

#[test]
fn s11_an_old_approval_is_refused_even_where_it_was_kept() {
    let kept = approval_before_policy_change::KeepsApprovals;
    refused(approval_before_policy_change::attack(kept), "approval.policy");
}

/// How long an honest client waits: the twin's would wait as long as anybody likes.
const PATIENCE: Duration = Duration::from_secs(2);

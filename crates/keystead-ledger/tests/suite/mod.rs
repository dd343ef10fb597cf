//! The same tests for both engines: each takes the URL of an empty database.

// All of this is test code; the lints see tests only where the attribute stands.
#![allow(
    dead_code,
    unused_macros,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub(crate) mod audit;
pub(crate) mod cluster;
pub(crate) mod log;
pub(crate) mod raw;
pub(crate) mod rebuild;
pub(crate) mod store;

/// Gives the names of all cases to a macro that makes a test of each.
macro_rules! every_case {
    ($test:ident) => {
        $test! {
            store::a_life_is_written_and_loaded_again,
            store::a_batch_is_written_as_a_whole_or_not_at_all,
            store::s03_a_second_different_vote_is_refused,
            store::s04_a_request_is_signed_with_one_digest,
            store::l2_the_database_itself_keeps_the_chain,
            store::two_writers_cannot_both_extend_the_log,
            store::a_snapshot_is_believed_from_this_node_only,
            store::what_is_kept_beside_the_log_is_found_again,
            store::another_cluster_s_genesis_is_refused,
            store::s05_k06_the_journal_of_runs_keeps_its_order_and_forgets_old_beginnings_alone,
            log::l1_tree_proofs_from_the_database_verify,
            log::l1_a_decision_is_proven_offline,
            log::l1_a_proof_leads_through_changes_of_policy,
            log::l2_a_changed_proof_is_none,
            log::l2_a_checkpoint_of_another_root_is_refused,
            log::l2_an_exported_log_is_verified_without_the_database,
            rebuild::d01_an_exported_log_becomes_a_node_s_log_and_goes_on_with_its_rebuild,
            audit::l1_an_untouched_database_passes,
            audit::l2_one_changed_byte_of_any_row_is_detected,
            audit::l2_a_deleted_row_is_detected,
            audit::l2_a_changed_inner_hash_is_detected,
            audit::l2_truncation_is_detected_against_an_older_checkpoint,
            audit::l2_a_fork_is_detected_against_an_older_checkpoint,
            audit::s13_a_policy_that_was_swapped_is_detected,
        }
    };
}

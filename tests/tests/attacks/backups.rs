//! Attacks with old backups against the product's controls (A6).

use keystead_decision::Strict;
use keystead_tests::attacks::{old_backup, old_snapshot, stale_head};

use crate::refused;

#[test]
fn s04_a_key_from_an_old_backup_spends_no_nonce_again() {
    refused(old_backup::attack(Strict::default()), "deny.slot_taken");
}

#[test]
fn s13_a_node_from_an_old_backup_brings_no_old_rules_and_no_dismissed_people_back() {
    refused(old_snapshot::attack(stale_head::drawn, false), "certificate.fresh_nonce");
    refused(old_snapshot::attack(stale_head::drawn, true), "certificate.policy");
}

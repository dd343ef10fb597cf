//! Attacks on the life of keys against the product's controls.

use keystead_decision::Strict;
use keystead_tests::Signer;
use keystead_tests::attacks::{early_thaw, frozen_key, smuggled_key, suspended_key};

use crate::refused;

#[test]
fn s14_an_early_thaw_is_refused() {
    refused(early_thaw::attack(Strict::default()), "deny.not_rotated");
}

#[test]
fn s14_a_suspended_key_is_refused() {
    refused(suspended_key::attack(Strict::default(), Signer::LightClient), "deny.key_stopped");
}

#[test]
fn s14_a_frozen_key_is_refused() {
    refused(frozen_key::attack(Strict::default(), Signer::LightClient), "deny.frozen");
}

/// The key that comes with a payment is somebody else's, and would live with our account.
#[test]
fn s09_an_action_that_gives_our_account_away_behind_a_payment_is_refused() {
    refused(smuggled_key::attack(Strict::default()), "deny.no_rule_permits authority");
}

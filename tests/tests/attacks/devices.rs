//! Attacks by whoever has several keys on one device, against the product's controls.

use keystead_decision::Strict;
use keystead_tests::Loot;
use keystead_tests::attacks::{same_person_twice, seven_keys_on_one_laptop};

use crate::refused;

#[test]
fn s11_seven_keys_on_one_laptop_are_not_enrolled() {
    refused(seven_keys_on_one_laptop::attack(Strict::default()), "enrolment.same_device");
}

#[test]
fn s11_seven_keys_of_one_token_are_not_enrolled() {
    refused(seven_keys_on_one_laptop::on_one_token(Strict::default()), "enrolment.same_device");
}

/// What the control is about is the laptop alone: on seven of them the same seven keys are a quorum.
#[test]
fn s11_seven_keys_on_seven_laptops_are_a_quorum() {
    let loot = seven_keys_on_one_laptop::enrolled_apart(Strict::default());
    assert!(matches!(loot, Loot::Stolen { .. }), "{loot:?}");
}

#[test]
fn s11_one_key_is_never_enrolled_for_two_people() {
    refused(same_person_twice::one_key_for_two(), "policy.shared");
}

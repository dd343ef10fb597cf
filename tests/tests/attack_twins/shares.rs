//! Attacks on keys in shares with one control taken out.

use keystead_tests::attacks::{
    bad_share, equivocating_dealer, hidden_equivocator, mixed_epochs, other_key, patched_holder,
    removed_member, replayed_nonces, selective_aborts, subset_picking, two_payloads_of_a_run,
};
use keystead_tests::kinds::{Ecdsa, Occasion, Schnorr};
use keystead_threshold::{Bip340, Culprit, Ed25519, Fault};

use crate::{harmed, stolen};

#[test]
fn s03_as_many_patched_holders_as_sign_succeed() {
    stolen(patched_holder::attack(patched_holder::threshold()));
}

#[test]
fn s02_two_payloads_of_a_run_succeed_without_their_control() {
    stolen(two_payloads_of_a_run::attack(two_payloads_of_a_run::told));
}

#[test]
fn s10_picked_subsets_succeed_without_their_control() {
    stolen(subset_picking::attack(subset_picking::a_log_for_each()));
}

#[test]
fn s05_replayed_nonces_succeed_without_their_control() {
    use replayed_nonces::{Disk, restored};
    stolen(replayed_nonces::attack::<Ed25519>(restored, Disk::PutBack));
    stolen(replayed_nonces::attack::<Bip340>(restored, Disk::PutBack));
}

#[test]
fn k06_an_equivocating_dealer_succeeds_without_its_control() {
    use equivocating_dealer::{set_up_without_echoes, unechoed, where_all_sign};
    harmed(equivocating_dealer::attack(unechoed::<Bip340>));
    harmed(equivocating_dealer::attack(unechoed::<Ed25519>));
    harmed(where_all_sign(set_up_without_echoes));
}

/// Where as many honest ones hold as sign, the set-up of ECDSA is a second control. It ends the birth, and has the honest name
/// each other.
#[test]
fn k06_the_set_up_of_ecdsa_ends_the_birth_of_two_keys_and_names_the_honest() {
    let named = equivocating_dealer::named(equivocating_dealer::set_up_without_echoes);
    let honest = ["c", "a"].map(|it| Culprit::Node(it.parse().expect("a name")));
    assert_eq!(named.map(|it| (it.culprit, it.fault)), honest.map(|it| (it, Fault::Proof)));
}

#[test]
fn k06_a_hidden_equivocator_succeeds_without_its_control() {
    use hidden_equivocator::{framed, the_witness, told};
    harmed(hidden_equivocator::attack(told));
    harmed(framed(the_witness));
}

#[test]
fn k06_a_bad_share_succeeds_without_its_control() {
    for occasion in [Occasion::Birth, Occasion::Refresh, Occasion::HandOn] {
        harmed(bad_share::attack::<Schnorr>(occasion, bad_share::added()));
        harmed(bad_share::attack::<Ecdsa>(occasion, bad_share::added()));
    }
}

#[test]
fn k06_selective_aborts_succeed_without_their_control() {
    harmed(selective_aborts::attack(selective_aborts::forgotten));
}

#[test]
fn k03_a_share_of_the_last_epoch_succeeds_without_its_control() {
    stolen(mixed_epochs::attack::<Schnorr>(mixed_epochs::counted_up::<Schnorr>));
    stolen(mixed_epochs::attack::<Ecdsa>(mixed_epochs::counted_up::<Ecdsa>));
}

#[test]
fn k03_removed_members_succeed_without_their_control() {
    stolen(removed_member::attack::<Schnorr>(removed_member::struck_off));
    stolen(removed_member::attack::<Ecdsa>(removed_member::struck_off));
}

#[test]
fn k03_another_key_than_was_approved_succeeds_without_its_control() {
    harmed(other_key::attack(other_key::WithoutApproved));
}

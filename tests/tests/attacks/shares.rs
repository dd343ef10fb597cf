//! Attacks on keys in shares against the product's controls.

use keystead_tests::attacks::{
    bad_share, equivocating_dealer, hidden_equivocator, mixed_epochs, other_key, patched_holder,
    removed_member, replayed_nonces, selective_aborts, subset_picking, two_payloads_of_a_run,
};
use keystead_tests::kinds::{Ecdsa, Occasion, Schnorr};
use keystead_threshold::{Bip340, Ed25519};

use crate::refused;

#[test]
fn s03_fewer_patched_holders_than_sign_are_refused() {
    refused(patched_holder::attack(patched_holder::withstood()), "certificate.not_allowed");
}

#[test]
fn s02_two_payloads_of_a_run_are_refused() {
    refused(two_payloads_of_a_run::attack(two_payloads_of_a_run::granted), "threshold.other_session");
}

#[test]
fn s10_picked_subsets_are_refused() {
    refused(subset_picking::attack(subset_picking::one_log()), "deny.limit_exceeded");
}

#[test]
fn s05_replayed_nonces_are_refused() {
    use replayed_nonces::{Disk, drawn, restored};
    let own = "each start draws nonces of its own";
    refused(replayed_nonces::attack::<Ed25519>(drawn, Disk::PutBack), own);
    refused(replayed_nonces::attack::<Bip340>(drawn, Disk::PutBack), own);
    refused(replayed_nonces::attack::<Ed25519>(restored, Disk::Kept), "threshold_begin.begun_before");
    refused(replayed_nonces::attack::<Bip340>(restored, Disk::Kept), "threshold_begin.begun_before");
}

#[test]
fn k06_an_equivocating_dealer_is_refused() {
    use equivocating_dealer::{echoed, set_up_with_echoes, where_all_sign};
    refused(equivocating_dealer::attack(echoed::<Bip340>), "threshold.equivocation");
    refused(equivocating_dealer::attack(echoed::<Ed25519>), "threshold.equivocation");
    refused(equivocating_dealer::attack(set_up_with_echoes), "threshold.equivocation");
    refused(where_all_sign(set_up_with_echoes), "threshold.equivocation");
}

#[test]
fn k06_a_hidden_equivocator_is_refused() {
    use hidden_equivocator::{framed, neither, signed};
    refused(hidden_equivocator::attack(signed), "threshold_begin.blocked");
    refused(framed(neither), "whoever only says so shows nothing");
}

#[test]
fn k06_a_bad_share_is_refused() {
    for occasion in [Occasion::Birth, Occasion::Refresh, Occasion::HandOn] {
        refused(bad_share::attack::<Schnorr>(occasion, bad_share::checked()), "threshold.share");
        refused(bad_share::attack::<Ecdsa>(occasion, bad_share::checked()), "threshold.share");
    }
}

#[test]
fn k06_selective_aborts_are_refused() {
    refused(selective_aborts::attack(selective_aborts::written), "threshold_begin.blocked");
}

#[test]
fn k03_a_share_of_the_last_epoch_is_refused() {
    refused(
        mixed_epochs::attack::<Schnorr>(mixed_epochs::dealt_anew::<Schnorr>),
        "threshold.signature_share",
    );
    refused(mixed_epochs::attack::<Ecdsa>(mixed_epochs::dealt_anew::<Ecdsa>), "threshold.other_session");
}

#[test]
fn k03_removed_members_are_refused() {
    refused(removed_member::attack::<Schnorr>(removed_member::reshared), "threshold.signature_share");
    refused(removed_member::attack::<Ecdsa>(removed_member::reshared), "threshold.result");
}

#[test]
fn k03_another_key_than_was_approved_is_refused() {
    refused(other_key::attack(other_key::approved()), "deny.share.other_key");
}

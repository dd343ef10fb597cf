//! Plans pay what they say at the rate that was asked for, with as few coins as do it.

use super::*;
use crate::fixture::{ALL_FORMS, Desk, TR, WPKH, change, desk, receive, stranger};
use crate::{Psbt, check_replacement};

const RATE: u64 = 5_000;

fn coins(desk: &Desk, form: usize, amounts: &[u64]) -> Vec<DraftInput> {
    amounts.iter().map(|sat| desk.coin(receive(form), *sat)).collect()
}

fn pays(sat: u64) -> Vec<TxOut> {
    vec![TxOut { value: Amount::from_sat(sat), script_pubkey: stranger() }]
}

fn target(form: usize) -> Target {
    Target { sat_per_kvb: RATE, change: change(form) }
}

fn read(desk: &Desk, psbt: &Psbt) -> View {
    View::read(psbt, &desk.wallet, &Terms::default()).unwrap()
}

#[test]
fn the_fewest_coins_pay_at_the_rate_and_the_rest_comes_back() {
    let desk = desk();
    for form in ALL_FORMS {
        let all = coins(&desk, form, &[20_000, 900_000, 50_000, 300_000]);
        for (sat, used) in [(800_000, 1), (1_100_000, 2), (1_230_000, 3)] {
            let draft = plan(&desk.wallet, &all, &pays(sat), target(form)).unwrap();
            assert_eq!(draft.inputs.len(), used, "{sat}");
            let view = read(&desk, &desk.psbt(&draft));
            let exact = (view.virtual_bytes() * RATE).div_ceil(1_000);
            assert_eq!((draft.outputs.len(), view.fee_sat()), (2, exact), "{sat}");
            let signatures = desk.sign(&view);
            let done = view.finalize(&signatures).unwrap();
            let size = u64::try_from(done.transaction().vsize()).unwrap();
            assert!(exact * 1_000 >= size * RATE, "the real size is not larger than the planned one");
        }
    }
}

#[test]
fn what_would_be_dust_is_left_to_the_network_and_what_is_missing_is_said() {
    let desk = desk();
    let all = coins(&desk, WPKH, &[100_000]);
    let draft = plan(&desk.wallet, &all, &pays(99_200), target(WPKH)).unwrap();
    assert_eq!(draft.outputs.len(), 1);
    assert_eq!(read(&desk, &desk.psbt(&draft)).fee_sat(), 800);
    let error = plan(&desk.wallet, &all, &pays(99_800), target(WPKH)).unwrap_err();
    // 110 vB without change.
    assert_eq!(error, PlanError::TooLittle { missing_sat: 99_800 + 550 - 100_000 });
    assert_eq!(plan(&desk.wallet, &[], &pays(1), target(WPKH)).unwrap_err().code(), "plan.too_little");
    let many = vec![all[0].clone(); MAX_PLANNED_COINS + 1];
    assert_eq!(plan(&desk.wallet, &many, &pays(1), target(WPKH)).unwrap_err().code(), "plan.too_many");
    let mut foreign = all.clone();
    foreign[0].owned = change(WPKH);
    let error = plan(&desk.wallet, &foreign, &pays(1_000), target(WPKH)).unwrap_err();
    assert_eq!(error.code(), "compose.input_not_ours");
}

#[test]
fn consolidation_leaves_out_what_costs_more_than_it_is_worth() {
    let desk = desk();
    let all = coins(&desk, TR, &[40_000, 700, 30_000, 25_000]);
    let draft = consolidate(&desk.wallet, &all, target(TR)).unwrap();
    let view = read(&desk, &desk.psbt(&draft));
    assert_eq!((draft.inputs.len(), draft.outputs.len()), (3, 1));
    assert_eq!(view.fee_sat(), (view.virtual_bytes() * RATE).div_ceil(1_000));
    assert_eq!(consolidate(&desk.wallet, &all[1..2], target(TR)).unwrap_err().code(), "plan.nothing_worth");
}

#[test]
fn s04_the_same_at_a_higher_rate_replaces_the_first_one() {
    let desk = desk();
    let all = coins(&desk, WPKH, &[500_000]);
    let first = plan(&desk.wallet, &all, &pays(300_000), target(WPKH)).unwrap();
    let higher = Target { sat_per_kvb: 2 * RATE, ..target(WPKH) };
    let second = replan(&desk.wallet, &first, higher).unwrap();
    assert_eq!(second.outputs[0], first.outputs[0], "the payment stays");
    let (before, after) = (read(&desk, &desk.psbt(&first)), read(&desk, &desk.psbt(&second)));
    assert!(check_replacement(&before, &after, 1_000).is_ok());
    let dear = Target { sat_per_kvb: 2_000_000, ..target(WPKH) };
    assert_eq!(replan(&desk.wallet, &first, dear).unwrap_err().code(), "plan.too_little");
}

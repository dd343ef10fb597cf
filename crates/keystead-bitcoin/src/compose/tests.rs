//! What is composed is ours where it says so, or there is no PSBT.

use super::*;
use crate::Branch;
use crate::fixture::{ALL_FORMS, at, desk, receive};

#[test]
fn s02_a_draft_that_is_not_ours_where_it_says_so_is_refused() {
    let desk = desk();
    for form in ALL_FORMS {
        let draft = desk.draft(form);
        let refused = |change: &dyn Fn(&mut Draft)| {
            let mut draft = draft.clone();
            change(&mut draft);
            compose(&desk.wallet, &draft).unwrap_err()
        };
        let elsewhere = at(form, Branch::Change, 8);
        let foreign = ComposeError::OutputNotOurs { output: 1 };
        assert_eq!(refused(&|it| it.outputs[1].owned = Some(elsewhere)), foreign);
        assert_eq!(refused(&|it| it.outputs[1].owned = Some(at(9, Branch::Change, 7))), foreign);
        let foreign = ComposeError::InputNotOurs { input: 0 };
        assert_eq!(refused(&|it| it.inputs[0].owned = elsewhere), foreign);
        assert_eq!(refused(&|it| it.inputs[0].output = 0), foreign);
        assert_eq!(refused(&|it| it.inputs[0].output = 2), foreign);
        assert_eq!(draft.inputs[0].owned, receive(form));
    }
}

//! `policy prove`, by a real solver.

use std::path::Path;

use crate::script::{Script, fails, no, ok};

/// Before it is asked for: what a solver says of it.
pub(crate) fn of_a_version(script: &mut Script, home: &Path) {
    for (file, property) in [
        (
            "desk.cedar",
            "@id(\"nobody-alone\") forbid(principal, action, resource) when { context.requester_approves };",
        ),
        (
            "wrong.cedar",
            "forbid(principal, action == Action::\"transfer\", resource) when { context.approvals < 1 };",
        ),
        ("permit.cedar", "permit(principal, action, resource);"),
    ] {
        std::fs::write(home.join(file), property).unwrap();
    }
    script.play([
        ok("ana", "policy prove {tmp}/next.json --properties {tmp}/desk.cedar")
            .has("/proven", "true")
            .has("/findings", "nobody-alone")
            .has("/direction/label", "neither"),
        ok("ana", "policy prove {tmp}/next.json --against {tmp}/next.json").has("/direction/label", "same"),
        no("ana", "policy prove {tmp}/next.json --alone --properties {tmp}/wrong.cedar")
            .has("/findings", "Action::\\\"transfer\\\""),
        fails(
            "ana",
            "policy prove {tmp}/next.json --alone --properties {tmp}/permit.cedar",
            "prove.property",
        ),
    ]);
}

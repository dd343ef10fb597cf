//! What was aimed at, beside what was found.

use serde::Serialize;

use crate::table;

/// One aim.
#[derive(Debug, Serialize)]
pub(crate) struct Aim {
    pub(crate) what: String,
    pub(crate) aim: String,
    pub(crate) found: String,
    pub(crate) met: bool,
}

/// Prints all of them as one table.
pub(crate) fn print(aims: &[Aim]) {
    let mut rows = vec![["", "aim", "found", ""].map(str::to_owned).to_vec()];
    rows.extend(aims.iter().map(|it| {
        let met = if it.met { "met" } else { "NOT met" };
        vec![it.what.clone(), it.aim.clone(), it.found.clone(), met.to_owned()]
    }));
    table::print("Aims", &rows);
}

//! Tables that line up.

/// Prints a title and rows; the first row is the head. Words stand left, figures right.
pub(crate) fn print(title: &str, rows: &[Vec<String>]) {
    println!("\n{title}");
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        println!("  {}", cells.join("  ").trim_end());
        if index == 0 {
            println!("  {}", widths.iter().map(|&it| "-".repeat(it)).collect::<Vec<_>>().join("  "));
        }
    }
}

/// Nanoseconds, in groups of three digits.
pub(crate) fn nanos(nanos: f64) -> String {
    let digits = format!("{nanos:.0}");
    let grouped = digits.char_indices().flat_map(|(place, digit)| {
        let comma = place > 0 && (digits.len() - place).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    });
    grouped.collect()
}

/// Microseconds, as they are read best.
pub(crate) fn micros(nanos: f64) -> String {
    match nanos / 1000.0 {
        small if small < 10.0 => format!("{small:.2} us"),
        middle if middle < 1000.0 => format!("{middle:.0} us"),
        large => format!("{:.2} ms", large / 1000.0),
    }
}

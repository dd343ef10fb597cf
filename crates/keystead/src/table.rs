//! Aligned tables and pairs for terminals.

/// Rows under a head; every column as wide as its widest cell.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// Without a head.
    pub(crate) fn pairs() -> Self {
        Self { rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) -> &mut Self {
        self.rows.push(cells.map(|cell| plain(&cell)).to_vec());
        self
    }

    pub(crate) fn pair(&mut self, name: &str, value: impl ToString) -> &mut Self {
        self.row([name.to_owned(), value.to_string()])
    }

    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// What comes from outside moves no cursor and breaks no line.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_do_nothing() {
        let mut table = Table::new(&["who", "what"]);
        table.row(["ana".into(), "a\u{1b}[2Jb".into()]).row(["benjamin".into(), String::new()]);
        assert_eq!(table.render(), "who       what\nana       a\u{fffd}[2Jb\nbenjamin\n");
    }
}

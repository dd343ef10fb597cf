//! A table with a title, and how it becomes lines of a given width.

/// How something is meant. Colors say it again, never alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
    Faint,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: crate::table::plain(&text.into()), tone }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Plain)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// A row of a table, or a sentence across it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Cells(Vec<Cell>),
    Line(Cell),
}

/// A table with a title.
pub(crate) struct Pane {
    pub(crate) title: String,
    pub(crate) head: &'static [&'static str],
    pub(crate) rows: Vec<Row>,
}

impl Pane {
    /// The lines of the table, its head first; sentences are broken at `width`, cells are aligned and what does
    /// not fit is cut.
    pub(crate) fn lines(&self, width: usize) -> Vec<Vec<Cell>> {
        let widths = self.widths();
        let head = self.head.iter().map(|it| Cell::new(*it, Tone::Faint)).collect::<Vec<_>>();
        let head = (!head.is_empty()).then(|| cut(aligned(&head, &widths), width));
        let rows = self.rows.iter().flat_map(|row| match row {
            Row::Cells(cells) => vec![cut(aligned(cells, &widths), width)],
            Row::Line(cell) => broken(cell, width),
        });
        head.into_iter().chain(rows).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|it| it.chars().count()).collect();
        for row in &self.rows {
            let Row::Cells(cells) = row else { continue };
            widths.resize(widths.len().max(cells.len()), 0);
            widths.iter_mut().zip(cells).for_each(|(widest, cell)| *widest = cell.width().max(*widest));
        }
        widths
    }
}

fn aligned(cells: &[Cell], widths: &[usize]) -> Vec<Cell> {
    let last = cells.len().saturating_sub(1);
    let padded = cells.iter().zip(widths).enumerate().map(|(at, (cell, widest))| {
        let text = if at == last { cell.text.clone() } else { format!("{:<widest$}  ", cell.text) };
        Cell { text, tone: cell.tone }
    });
    padded.collect()
}

/// Cuts a line where the terminal ends, and says so.
fn cut(cells: Vec<Cell>, width: usize) -> Vec<Cell> {
    let mut left = width;
    let mut kept = Vec::new();
    for mut cell in cells {
        if cell.text.trim_end().chars().count() > left {
            cell.text = cell.text.chars().take(left.saturating_sub(1)).chain(['…']).collect();
            kept.push(cell);
            break;
        }
        left = left.saturating_sub(cell.width());
        kept.push(cell);
    }
    kept
}

/// A sentence over as many lines as it needs.
fn broken(cell: &Cell, width: usize) -> Vec<Vec<Cell>> {
    let mut lines = vec![String::new()];
    for word in cell.text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count().saturating_add(word.chars().count()) >= width {
            lines.push(format!("  {word}"));
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.into_iter().map(|text| cut(vec![Cell { text, tone: cell.tone }], width)).collect()
}

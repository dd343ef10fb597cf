//! A terminal of 80 columns and 24 lines, as far as a full-screen program of ours draws on one: the text that
//! stands where a person would see it, out of the bytes that went to the terminal.

/// The letters of the screen.
#[derive(Debug)]
pub struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// An escape sequence that has not ended.
    escape: Option<String>,
    /// A letter of several bytes that has not ended.
    partial: Vec<u8>,
    /// Whether the program is on the other screen.
    pub alternate: bool,
}

impl Default for Screen {
    fn default() -> Self {
        let cells = vec![vec![' '; COLUMNS]; ROWS];
        Self { cells, row: 0, column: 0, escape: None, partial: Vec::new(), alternate: false }
    }
}

impl Screen {
    /// Draws what a program wrote.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.partial.push(*byte);
            let letters = std::str::from_utf8(&self.partial).map(str::to_owned);
            match letters {
                Ok(letters) => {
                    self.partial.clear();
                    letters.chars().for_each(|letter| self.letter(letter));
                }
                Err(error) if error.error_len().is_some() => self.partial.clear(),
                Err(_) => {}
            }
        }
    }

    /// The lines, without what is empty at their ends.
    pub fn text(&self) -> String {
        let line = |row: &Vec<char>| row.iter().collect::<String>().trim_end().to_owned();
        self.cells.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn letter(&mut self, letter: char) {
        if let Some(mut escape) = self.escape.take() {
            escape.push(letter);
            let ends = escape.len() > 1 && ('@'..='~').contains(&letter);
            if ends || !escape.starts_with('[') {
                return self.obey(&escape);
            }
            self.escape = Some(escape);
            return;
        }
        match letter {
            '\u{1b}' => self.escape = Some(String::new()),
            '\r' => self.column = 0,
            '\n' => self.row = (self.row + 1).min(ROWS - 1),
            letter if letter.is_control() => {}
            letter => {
                if let Some(cell) = self.cells[self.row].get_mut(self.column) {
                    *cell = letter;
                }
                self.column += 1;
            }
        }
    }

    fn obey(&mut self, escape: &str) {
        let numbers = escape.trim_start_matches('[').trim_end_matches(|it: char| it.is_ascii_alphabetic());
        let number = |at: usize| numbers.split(';').nth(at).and_then(|it| it.parse::<usize>().ok());
        match (escape.chars().last(), numbers) {
            (Some('H'), _) => {
                self.row = number(0).unwrap_or(1).saturating_sub(1).min(ROWS - 1);
                self.column = number(1).unwrap_or(1).saturating_sub(1);
            }
            (Some('J'), _) => self.cells = vec![vec![' '; COLUMNS]; ROWS],
            (Some('h'), "?1049") => self.alternate = true,
            (Some('l'), "?1049") => self.alternate = false,
            _ => {}
        }
    }
}

const ROWS: usize = 24;
const COLUMNS: usize = 80;

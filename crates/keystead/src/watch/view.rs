//! Where the eye is: which pane, how far down, whether the help is open.

use super::screen::Key;

/// How many panes there are.
pub(crate) const PANES: usize = 6;

/// What the keys have chosen.
pub(crate) struct View {
    pub(crate) colors: bool,
    pub(crate) help: bool,
    pub(crate) focus: usize,
    /// The first line shown, of each pane.
    pub(crate) scroll: [usize; PANES],
    /// Lines of a page, as they were drawn last.
    pub(crate) page: usize,
}

impl View {
    pub(crate) fn new(colors: bool) -> Self {
        // The windows: nodes are always in sight.
        Self { colors, help: false, focus: 1, scroll: [0; PANES], page: 1 }
    }

    pub(crate) fn press(&mut self, key: Key) {
        match key {
            Key::Help => self.help = !self.help,
            Key::Next => self.focus = self.focus.saturating_add(1) % PANES,
            Key::Previous => self.focus = self.focus.checked_sub(1).unwrap_or(PANES - 1),
            Key::Down(lines) => self.move_by(|at| at.saturating_add(lines)),
            Key::Up(lines) => self.move_by(|at| at.saturating_sub(lines)),
            Key::PageDown => self.press(Key::Down(self.page)),
            Key::PageUp => self.press(Key::Up(self.page)),
            Key::Home => self.move_by(|_| 0),
            Key::End => self.move_by(|_| usize::MAX),
            Key::Quit | Key::Redraw => {}
        }
    }

    /// The first line of a pane of so many lines, of which so many can be seen; keeps it there.
    pub(crate) fn first_line(&mut self, pane: usize, lines: usize, seen: usize) -> usize {
        let Some(at) = self.scroll.get_mut(pane) else { return 0 };
        *at = (*at).min(lines.saturating_sub(seen));
        *at
    }

    fn move_by(&mut self, to: impl Fn(usize) -> usize) {
        if let Some(at) = self.scroll.get(self.focus).copied() {
            let to = to(at);
            if let Some(place) = self.scroll.get_mut(self.focus) {
                *place = to;
            }
        }
    }
}

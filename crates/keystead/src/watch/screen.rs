//! The terminal: taken over, given back whatever happens, and its keys.

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::board::Board;
use super::draw;
use super::view::View;
use crate::failure::Failure;

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Quit,
    Help,
    Next,
    Previous,
    Up(usize),
    Down(usize),
    PageUp,
    PageDown,
    Home,
    End,
    /// The size changed.
    Redraw,
}

/// A terminal in raw mode on its other screen. A panic gives it back before it is told, and dropping does.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal over; the keys come until it is gone.
    pub(crate) fn open() -> Result<(Self, mpsc::Receiver<Key>), Failure> {
        let terminal = ratatui::try_init().map_err(|error| {
            // Half a take-over is given back, too.
            let _ = ratatui::try_restore();
            failed(error)
        })?;
        let screen = Self { terminal };
        let (sender, keys) = mpsc::channel(MAX_UNREAD_KEYS);
        // Reading blocks; the thread ends with the process, or when nobody listens any more.
        std::thread::spawn(move || {
            while let Ok(event) = event::read() {
                if let Some(key) = key(&event)
                    && sender.blocking_send(key).is_err()
                {
                    return;
                }
            }
        });
        Ok((screen, keys))
    }

    pub(crate) fn draw(&mut self, board: &Board, view: &mut View) -> Result<(), Failure> {
        self.terminal.draw(|frame| draw::draw(frame, board, view)).map(drop).map_err(failed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = ratatui::try_restore();
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::new("watch.terminal", error.to_string(), "`keystead status --watch | cat` needs no terminal")
}

/// What an event means; nothing for most of them.
pub(crate) fn key(event: &Event) -> Option<Key> {
    match event {
        Event::Resize(..) => Some(Key::Redraw),
        Event::Key(it) if it.kind != KeyEventKind::Release => pressed(it),
        _ => None,
    }
}

fn pressed(it: &KeyEvent) -> Option<Key> {
    let control = it.modifiers.contains(KeyModifiers::CONTROL);
    Some(match it.code {
        KeyCode::Char('c' | 'd') if control => Key::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        KeyCode::Char('?' | 'h') => Key::Help,
        KeyCode::Tab | KeyCode::Right => Key::Next,
        KeyCode::BackTab | KeyCode::Left => Key::Previous,
        KeyCode::Down | KeyCode::Char('j') => Key::Down(1),
        KeyCode::Up | KeyCode::Char('k') => Key::Up(1),
        KeyCode::PageDown | KeyCode::Char(' ') => Key::PageDown,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

/// Keys that wait to be acted upon.
const MAX_UNREAD_KEYS: usize = 64;

//! `keystead status --watch`: the cluster as it goes on, on a terminal or line by line.

mod board;
mod draw;
mod look;
mod news;
mod nodes;
mod pane;
mod panes;
mod poll;
mod screen;
#[cfg(test)]
mod tests;
mod view;
pub(crate) mod words;

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

pub(crate) use panes::{key_state, waiting_lines, window_line};
pub(crate) use poll::Door;

use crate::failure::Failure;
use crate::output::Report;
use board::Board;
use poll::Seen;
use screen::{Key, Screen};
use view::View;

/// Watches through these doors until somebody ends it.
pub(crate) async fn run(doors: Vec<Door>, every: Duration, json: bool) -> Result<Report, Failure> {
    let board = Board::new(doors.iter().map(Door::node));
    let seen = poll::start(doors, every);
    let ends = Ends::new()?;
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let board = match !json && is_terminal() {
        true => live(board, seen, tick, ends).await?,
        false => lines(board, seen, tick, ends, json).await,
    };
    let looks = board.looks();
    Ok(Report::new(
        json!({"watched": {"looks": looks}}),
        format!("looked {looks} times; {}", board.headline()),
    ))
}

fn is_terminal() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && !dumb
}

/// The terminal view: drawn anew whenever something was seen, pressed or resized.
async fn live(
    mut board: Board,
    mut seen: mpsc::Receiver<Seen>,
    mut tick: Interval,
    mut ends: Ends,
) -> Result<Board, Failure> {
    let (mut screen, mut keys) = Screen::open()?;
    let mut view = View::new(std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()));
    loop {
        screen.draw(&board, &mut view)?;
        tokio::select! {
            it = seen.recv() => board.take(it),
            key = keys.recv() => match key {
                Some(Key::Quit) | None => return Ok(board),
                Some(key) => view.press(key),
            },
            _ = tick.tick() => board.look(),
            () = ends.wait() => return Ok(board),
        }
    }
}

/// Without a terminal: one snapshot for each interval, from the first moment at which every node was asked.
async fn lines(
    mut board: Board,
    mut seen: mpsc::Receiver<Seen>,
    mut tick: Interval,
    mut ends: Ends,
    json: bool,
) -> Board {
    loop {
        tokio::select! {
            it = seen.recv() => board.take(it),
            _ = tick.tick() => {
                if board.is_complete() {
                    board.look();
                    let text = if json { value(&board).to_string() } else { panes::text(&board) };
                    // Whoever read us hung up.
                    if writeln!(std::io::stdout(), "{text}").is_err() {
                        return board;
                    }
                }
            }
            () = ends.wait() => return board,
        }
    }
}

fn value(board: &Board) -> Value {
    let nodes: Vec<Value> = board.sightings().iter().map(look::Sighting::value).collect();
    let news: Vec<Value> = board.fresh_news().into_iter().map(news::News::value).collect();
    json!({"at": board.now(), "nodes": nodes, "news": news})
}

/// What ends a watch from outside.
struct Ends {
    signals: [Signal; 3],
}

impl Ends {
    fn new() -> Result<Self, Failure> {
        let open = |kind| {
            signal(kind).map_err(|error| {
                Failure::new("cli.signal", error.to_string(), "check the limits of this process")
            })
        };
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let [first, second, third] = kinds.map(open);
        Ok(Self { signals: [first?, second?, third?] })
    }

    async fn wait(&mut self) {
        let [first, second, third] = &mut self.signals;
        tokio::select! {
            _ = first.recv() => {}
            _ = second.recv() => {}
            _ = third.recv() => {}
        }
    }
}

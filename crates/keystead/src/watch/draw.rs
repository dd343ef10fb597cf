//! Puts the panes on the screen: nodes above, below them one pane, or all of them where there is room.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph};

use super::board::Board;
use super::pane::{Cell, Pane, Row, Tone};
use super::panes;
use super::view::View;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, board: &Board, view: &mut View) {
    let panes = panes::all(board);
    let area = frame.area();
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    let summary = panes::summary(board).map(|cell| line(&[cell], view.colors));
    frame.render_widget(Paragraph::new(summary.to_vec()), top);
    match middle.width >= WIDE_COLUMNS && middle.height >= TALL_LINES {
        true => everything(frame, middle, &panes, view),
        false => one_by_one(frame, middle, &panes, view),
    }
    frame.render_widget(Paragraph::new(footer(view)), bottom);
    if view.help {
        help(frame, area);
    }
}

/// A small terminal: the nodes, and the chosen pane with as much room as is left.
fn one_by_one(frame: &mut Frame<'_>, area: Rect, panes: &[Pane], view: &mut View) {
    let nodes = panes.first().map_or(0, |it| it.lines(usize::from(area.width)).len());
    let most = usize::from(area.height) / 2;
    let above = match view.focus {
        0 => usize::from(area.height),
        _ => nodes.saturating_add(1).min(most),
    };
    let above = u16::try_from(above).unwrap_or(area.height);
    let [upper, lower] = Layout::vertical([Constraint::Length(above), Constraint::Min(0)]).areas(area);
    pane(frame, upper, panes, 0, view);
    if view.focus != 0 {
        pane(frame, lower, panes, view.focus, view);
    }
}

/// A large one: the nodes above, and the other panes in two columns.
fn everything(frame: &mut Frame<'_>, area: Rect, panes: &[Pane], view: &mut View) {
    let nodes = panes.first().map_or(0, |it| it.lines(usize::from(area.width)).len());
    let above = u16::try_from(nodes.saturating_add(1)).unwrap_or(area.height).min(area.height / 3);
    let [upper, windows, waiting, rest] = Layout::vertical([
        Constraint::Length(above),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Fill(3),
    ])
    .areas(area);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(rest);
    let [chains, keys] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(left);
    for (at, place) in [upper, windows, waiting, chains, keys, right].into_iter().enumerate() {
        pane(frame, place, panes, at, view);
    }
}

fn pane(frame: &mut Frame<'_>, area: Rect, panes: &[Pane], at: usize, view: &mut View) {
    let Some(pane) = panes.get(at) else { return };
    let lines = pane.lines(usize::from(area.width));
    // The head stays where it is.
    let (head, body) = lines.split_at(usize::from(!pane.head.is_empty()).min(lines.len()));
    let seen = usize::from(area.height.saturating_sub(1)).saturating_sub(head.len());
    let first = view.first_line(at, body.len(), seen);
    if at == view.focus {
        view.page = seen.max(1);
    }
    let below = body.len().saturating_sub(first.saturating_add(seen));
    let shown = head.iter().chain(body.iter().skip(first).take(seen));
    let shown: Vec<Line<'_>> = shown.map(|cells| line(cells, view.colors)).collect();
    let block = Block::new().borders(Borders::TOP).title(title(pane, at, view, first, below));
    frame.render_widget(Paragraph::new(shown).block(block), area);
}

/// The name, whether it is chosen, and how much is out of sight.
fn title<'a>(pane: &Pane, at: usize, view: &View, above: usize, below: usize) -> Line<'a> {
    let rows = pane.rows.iter().filter(|row| matches!(row, Row::Cells(_))).count();
    let hidden = if above == 0 && below == 0 { String::new() } else { format!(" ↑{above} ↓{below}") };
    let text = format!(" {} ({rows}){hidden} ", pane.title);
    let text = if at == view.focus { format!("▶{text}") } else { text };
    let style = if at == view.focus { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    Line::from(Span::styled(text, style))
}

fn line<'a>(cells: &[Cell], colors: bool) -> Line<'a> {
    Line::from(
        cells
            .iter()
            .map(|cell| Span::styled(cell.text.clone(), style(cell.tone, colors)))
            .collect::<Vec<_>>(),
    )
}

fn style(tone: Tone, colors: bool) -> Style {
    let colored = |color| if colors { Style::new().fg(color) } else { Style::new() };
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => colored(Color::Green),
        Tone::Warn => colored(Color::Yellow),
        Tone::Bad => colored(Color::Red).add_modifier(Modifier::BOLD),
        Tone::Faint => Style::new().add_modifier(Modifier::DIM),
    }
}

fn footer(view: &View) -> &'static str {
    match view.help {
        true => "? closes the help",
        false => "q quit · tab next pane · ↑↓ scroll · ? help",
    }
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let [_, row, _] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(HELP_LINES), Constraint::Fill(1)])
            .areas(area);
    let [_, place, _] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(HELP_COLUMNS), Constraint::Fill(1)])
            .areas(row);
    frame.render_widget(Clear, place);
    let block = Block::new().borders(Borders::ALL).title(" help ");
    frame.render_widget(Paragraph::new(HELP).block(block), place);
}

/// From this size on everything is shown at once.
const WIDE_COLUMNS: u16 = 100;
const TALL_LINES: u16 = 32;
const HELP_LINES: u16 = 14;
const HELP_COLUMNS: u16 = 70;
const HELP: &str = "\x20q, Esc, Ctrl-C         quit
 tab, → / shift-tab, ←  next pane, previous pane
 ↑ ↓, j k               scroll by a line
 page up, page down     scroll by a page; home, end

 A node's height and lag are its own word where it answers, and else
 what the others say of it. DOWN: nobody who answers reaches it.
 A disagreement is the latest block that a node did not vote for.
 Windows count what is allowed and not final, and what became final
 within the span. What a node shows is no proof: `keystead audit`
 verifies.";

//! What the panes of the watch hold, each made of what was seen.

use keystead_base::Timestamp;
use keystead_decision::KeyState;
use keystead_wire::{ChainWatch, KeyView, NodeStatus, WaitingView, WindowView};

use super::board::Board;
use super::nodes::{self, NodeRow};
use super::pane::{Cell, Pane, Row, Tone};
use super::words;
use crate::vaulting::{Overdue, overdue};

/// All of them, in the order in which one walks through them.
pub(crate) fn all(board: &Board) -> Vec<Pane> {
    let status = board.furthest();
    vec![
        nodes_pane(board),
        windows(status),
        waiting(status, board.now()),
        chains(status),
        keys(status),
        news(board),
    ]
}

/// The cluster in two lines.
pub(crate) fn summary(board: &Board) -> [Cell; 2] {
    let Some(status) = board.furthest() else {
        return [Cell::new("no node answered yet; asking on", Tone::Warn), Cell::plain("")];
    };
    let tone = if status.frozen.everything { Tone::Bad } else { Tone::Good };
    let first =
        format!("{} · {} · policy {}", board.headline(), age(status.time, board.now()), status.policy);
    let second = format!(
        "{}; {} wait, {} allowed and not final",
        words::withstands(status.nodes, status.quorum, status.withstands),
        status.open,
        status.unsettled
    );
    [Cell::new(first, tone), Cell::plain(second)]
}

/// Everything as text, for a pipe.
pub(crate) fn text(board: &Board) -> String {
    let [first, second] = summary(board);
    let mut lines = vec![format!("{} · {}", board.now(), first.text), second.text];
    for pane in all(board).iter().filter(|pane| !pane.rows.is_empty()) {
        lines.push(format!("{}:", pane.title));
        for cells in pane.lines(usize::MAX) {
            let line: String = cells.iter().map(|cell| cell.text.as_str()).collect();
            lines.push(format!("  {}", line.trim_end()));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn nodes_pane(board: &Board) -> Pane {
    let rows = nodes::rows(board);
    let asked = board.sightings().iter().filter_map(|it| Some((it, it.failure.as_ref()?)));
    let silent = asked.map(|(it, failure)| {
        let seen = it.status.as_ref().map(|_| format!(", last seen {}", age(it.seen, board.now())));
        let text = format!("{}: {} [{}]{}", it.address, failure.what, failure.code, seen.unwrap_or_default());
        Row::Line(Cell::new(text, Tone::Bad))
    });
    let objections = rows.iter().filter_map(|row| {
        let text = format!("{} {}", row.name, words::objection(row.objection.as_ref()?));
        Some(Row::Line(Cell::new(text, Tone::Warn)))
    });
    let rows = rows.iter().map(node_row).chain(silent).chain(objections).collect();
    Pane { title: "nodes".to_owned(), head: &["node", "address", "height", "lag", "state"], rows }
}

fn node_row(row: &NodeRow) -> Row {
    let lag = if row.lag == 0 { Tone::Plain } else { Tone::Warn };
    let state = match (&row.standing, &row.objection) {
        (Some(standing), _) => Cell::new(standing.clone(), Tone::Warn),
        (None, Some(it)) => {
            Cell::new(format!("{}, disagreed at {}", row.presence.words(), it.height), row.presence.tone())
        }
        (None, None) => Cell::new(row.presence.words(), row.presence.tone()),
    };
    Row::Cells(vec![
        Cell::plain(row.name.to_string()),
        Cell::plain(row.address.clone().unwrap_or_else(|| "-".to_owned())),
        Cell::plain(row.height.to_string()),
        Cell::new(row.lag.to_string(), lag),
        state,
    ])
}

fn windows(status: Option<&NodeStatus>) -> Pane {
    let views = status.map(|it| it.windows.as_slice()).unwrap_or_default();
    let mut rows: Vec<_> = views.iter().map(window_row).collect();
    let shown = views.len() as u64;
    if let Some(more) = status.and_then(|it| it.counts.checked_sub(shown)).filter(|more| *more > 0) {
        rows.push(Row::Line(Cell::new(format!("{more} less full ones are not shown"), Tone::Faint)));
    }
    Pane { title: "windows".to_owned(), head: &["window", "used", "", "in", "amount"], rows }
}

fn window_row(view: &WindowView) -> Row {
    let percent = words::percent(view);
    let tone = match percent {
        0..WARN_PERCENT => Tone::Good,
        WARN_PERCENT..BAD_PERCENT => Tone::Warn,
        _ => Tone::Bad,
    };
    Row::Cells(vec![
        Cell::plain(words::count(view)),
        Cell::new(bar(percent), tone),
        Cell::new(format!("{percent:>3} %"), tone),
        Cell::plain(words::span(view.span_seconds)),
        Cell::plain(words::amounts(view)),
    ])
}

fn bar(percent: u64) -> String {
    let filled = percent.min(100).saturating_mul(BAR_CELLS).div_ceil(100);
    (0..BAR_CELLS).map(|at| if at < filled { '█' } else { '░' }).collect()
}

/// A window for one look, in one line.
pub(crate) fn window_line(view: &WindowView) -> String {
    let (percent, span) = (words::percent(view), words::span(view.span_seconds));
    format!("{} {percent:>3} %  {} in {span}", bar(percent), words::amounts(view))
}

fn waiting(status: Option<&NodeStatus>, now: Timestamp) -> Pane {
    let views = status.map(|it| it.waiting.as_slice()).unwrap_or_default();
    let mut rows: Vec<_> = views.iter().map(|view| waiting_row(view, now)).collect();
    let shown = views.len() as u64;
    if let Some(more) = status.and_then(|it| it.open.checked_sub(shown)).filter(|more| *more > 0) {
        rows.push(Row::Line(Cell::new(format!("{more} younger ones are not shown"), Tone::Faint)));
    }
    Pane {
        title: "waiting".to_owned(),
        head: &["request", "danger", "by", "left", "delay", "waits for"],
        rows,
    }
}

fn waiting_row(view: &WaitingView, now: Timestamp) -> Row {
    let tone = if view.class.as_str() == "transfer" { Tone::Plain } else { Tone::Bad };
    Row::Cells(vec![
        Cell::plain(view.request.0.short()),
        Cell::new(view.class.as_str(), tone),
        Cell::plain(view.requester.to_string()),
        Cell::plain(left(view.expires, now)),
        Cell::plain(if view.ready <= now { "over".to_owned() } else { left(view.ready, now) }),
        Cell::plain(words::missing(view)),
    ])
}

/// Who still has to say yes, for one look.
pub(crate) fn waiting_lines(views: &[WaitingView], now: Timestamp) -> Vec<String> {
    let line = |it: &WaitingView| {
        let (id, class) = (it.request.0.short(), it.class.as_str());
        format!("{id} {class}, {} left: {}", left(it.expires, now), words::missing(it))
    };
    views.iter().map(line).collect()
}

fn chains(status: Option<&NodeStatus>) -> Pane {
    let chains = status.iter().flat_map(|it| &it.chains);
    let row = |it: &keystead_wire::ChainStatus| {
        let tone = if matches!(it.watch, ChainWatch::Agreed { .. }) { Tone::Good } else { Tone::Warn };
        let watched = match it.watch {
            ChainWatch::NotConfigured => words::watch(&it.watch),
            _ => format!("{}; {}", words::watch(&it.watch), words::reconciled(&it.reconciled)),
        };
        Row::Cells(vec![Cell::plain(it.chain.to_string()), Cell::new(watched, tone)])
    };
    Pane {
        title: "chains".to_owned(),
        head: &["chain", "as the node's endpoints show it"],
        rows: chains.map(row).collect(),
    }
}

/// The kind of watch, which changes more seldom than the head.
pub(crate) fn watch_kind(watch: &ChainWatch) -> &'static str {
    match watch {
        ChainWatch::NotConfigured => "no endpoint",
        ChainWatch::Agreed { .. } => "its endpoints agree",
        ChainWatch::Unknown { .. } => "too few endpoints agree",
    }
}

fn keys(status: Option<&NodeStatus>) -> Pane {
    let row = |key: &KeyView| {
        let (state, tone) = drilled_state(key, status.map(|it| it.time).unwrap_or_default());
        let address = key.address.map(|it| it.to_string()).unwrap_or_default();
        Row::Cells(vec![
            Cell::plain(key.name.to_string()),
            Cell::new(state, tone),
            Cell::plain(crate::sharing::home(key)),
            Cell::plain(address),
        ])
    };
    let rows: Vec<Row> = status.iter().flat_map(|it| &it.keys).map(row).collect();
    let count = status.map_or(0, |it| it.key_count);
    let title = match rows.len() as u64 == count {
        true => "keys".to_owned(),
        false => format!("keys (the first {} of {count})", rows.len()),
    };
    Pane { title, head: &["key", "state", "home", "address 0"], rows }
}

/// The same, and whether its drill is overdue by the log's own time.
fn drilled_state(key: &KeyView, now: Timestamp) -> (&'static str, Tone) {
    match (key_state(key), overdue(key, now, None)) {
        (("active", _), Some(Overdue::Never)) => ("active; NEVER DRILLED", Tone::Warn),
        (("active", _), Some(Overdue::Days(_))) => ("active; DRILL OVERDUE", Tone::Warn),
        (state, _) => state,
    }
}

/// Where a key stands, in words.
pub(crate) fn key_state(key: &KeyView) -> (&'static str, Tone) {
    match (key.frozen, key.state) {
        (_, KeyState::Deactivated) => ("deactivated", Tone::Warn),
        (_, KeyState::Left) => ("left; its shares were handed out", Tone::Warn),
        (_, KeyState::Destroyed) => ("destroyed", Tone::Faint),
        (_, KeyState::Compromised) => ("COMPROMISED; sweep it", Tone::Bad),
        (_, KeyState::DestroyedCompromised) => ("destroyed, compromised", Tone::Faint),
        (true, _) => ("FROZEN", Tone::Bad),
        (false, KeyState::Created) => ("created; back it up", Tone::Warn),
        (false, KeyState::BackedUp) => ("backed up; drill it", Tone::Warn),
        (false, KeyState::Active) => ("active", Tone::Good),
        (false, KeyState::Suspended) => ("SUSPENDED", Tone::Bad),
    }
}

fn news(board: &Board) -> Pane {
    let row = |it: &super::news::News| {
        let when = Cell::new(clock(it.at), Tone::Faint);
        Row::Cells(vec![when, Cell::new(it.text.clone(), it.tone)])
    };
    Pane { title: "news".to_owned(), head: &[], rows: board.news().map(row).collect() }
}

fn clock(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

fn left(until: Timestamp, now: Timestamp) -> String {
    words::span(until.0.saturating_sub(now.0).div_ceil(1000))
}

fn age(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", words::span(now.0.saturating_sub(at.0) / 1000))
}

/// A bar's length.
const BAR_CELLS: u64 = 10;
/// From here on a window is worth a look, and from there on it soon denies.
const WARN_PERCENT: u64 = 70;
const BAD_PERCENT: u64 = 90;

//! The view on a terminal of two sizes and in a pipe, against the texts in `golden/`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use alloy_primitives::Address;
use keystead_base::{Amount, ClusterId, Digest, Name, RequestId, Timestamp};
use keystead_decision::{Frozen, KeyState};
use keystead_intent::{DangerClass, KeyKind};
use keystead_wire::{
    AbortView, ChainStatus, ChainWatch, ClockView, KeptOut, KeyView, LinkView, MissingView, NodeStatus,
    ObjectionView, PeerView, ReconciledView, Refused, RoundView, RunPurpose, RunView, WaitingView,
    WindowView, Withstands,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::board::Board;
use super::poll::Seen;
use super::screen::{self, Key};
use super::view::View;
use super::{draw, nodes, panes, words};
use crate::failure::Failure;

const NOW: Timestamp = Timestamp(1_795_464_902_417);
const ETHER: u128 = 1_000_000_000_000_000_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// As node `number` of four sees the cluster when all is well.
fn status(number: u32) -> NodeStatus {
    let peers = (1..=4).filter(|it| *it != number).map(|it| PeerView {
        name: name(&format!("node-{it}")),
        reachable: true,
        height: 120,
        objection: None,
        relay: None,
        since: Some(NOW.minus_seconds(60)),
        link: None,
    });
    NodeStatus {
        cluster: ClusterId(Digest([1; 32])),
        name: name("treasury"),
        node: name(&format!("node-{number}")),
        boot: 1,
        height: 120,
        time: NOW.minus_seconds(3),
        policy: 2,
        policy_digest: Digest([2; 32]),
        frozen: Frozen::default(),
        keys: vec![key("cold", KeyState::BackedUp), key("hot", KeyState::Active)],
        key_count: 2,
        sync_micros: None,
        runs: Vec::new(),
        aborts: Vec::new(),
        kept_out: Vec::new(),
        tokens: Vec::new(),
        rotate: Vec::new(),
        incident: Vec::new(),
        open: 2,
        unsettled: 1,
        nodes: 4,
        quorum: 3,
        withstands: Withstands::of(4, 3),
        standing: "votes".to_owned(),
        round: None,
        peers: peers.collect(),
        protections: Vec::new(),
        signatures: 7,
        refusals: 0,
        chains: vec![
            ChainStatus {
                chain: 1,
                watch: ChainWatch::Agreed { head: 23_456_789 },
                reconciled: ReconciledView {
                    upto: Some(23_456_725),
                    final_height: Some(23_456_725),
                    ..Default::default()
                },
            },
            ChainStatus { chain: 10, watch: ChainWatch::NotConfigured, reconciled: Default::default() },
        ],
        windows: vec![
            window("ether-per-day", Some("hot"), 95 * ETHER / 10),
            window("ether-per-hour", None, 3 * ETHER),
            window("untouched", None, 0),
        ],
        counts: 5,
        waiting: vec![waiting(4, DangerClass::Transfer, &["ben"]), waiting(5, DangerClass::Authority, &[])],
        found: Vec::new(),
        ceremonies: Vec::new(),
    }
}

fn key(called: &str, state: KeyState) -> KeyView {
    KeyView {
        name: name(called),
        kind: KeyKind::HdSecp256k1,
        epoch: 0,
        home: name("node-1"),
        state,
        frozen: false,
        backup: None,
        account: None,
        address: (state == KeyState::Active).then(|| Address::repeat_byte(0xaa)),
        wallets: Vec::new(),
        sharing: None,
        exits: Default::default(),
        drilled: (state == KeyState::Active).then_some(NOW),
        drilled_backup: None,
        imported: false,
        life: Default::default(),
        spend_only: None,
    }
}

fn window(id: &str, key: Option<&str>, used: u128) -> WindowView {
    WindowView {
        window: name(id),
        key: key.map(name),
        destination: None,
        chain: None,
        symbol: "ETH".to_owned(),
        decimals: 18,
        limit: Amount::from(10 * ETHER),
        used: Amount::from(used),
        span_seconds: 86_400,
    }
}

fn waiting(id: u8, class: DangerClass, approved: &[&str]) -> WaitingView {
    WaitingView {
        request: RequestId(Digest([id; 32])),
        requester: name("ana"),
        class,
        approved: approved.iter().map(|it| name(it)).collect(),
        missing: vec![MissingView {
            role: name("approver"),
            count: 1,
            people: vec![name("cleo"), name("dora")],
        }],
        ready: NOW.plus_seconds(3_700),
        expires: NOW.plus_seconds(12 * 3600),
    }
}

/// Asked at the first two of four nodes.
fn board(answers: [Result<NodeStatus, Failure>; 2]) -> Board {
    let nodes = (1..=2).map(|it| (format!("10.0.0.{it}:7400"), Some(name(&format!("node-{it}")))));
    let mut board = Board::new(nodes);
    answer(&mut board, answers, NOW);
    board
}

fn answer(board: &mut Board, answers: [Result<NodeStatus, Failure>; 2], now: Timestamp) {
    for (door, answer) in answers.into_iter().enumerate() {
        board.take_at(Seen { door, answer: answer.map(Box::new) }, now);
    }
    board.look_at(now);
}

fn down() -> Failure {
    Failure::new("wire.io", "connection refused", "is it running?")
}

/// Node 3 is down; node 4 is behind and did not vote for a block; the first node does not answer any more.
fn trouble() -> Board {
    let mut board = board([Ok(status(1)), Ok(status(2))]);
    let mut later = status(2);
    later.height = 124;
    for peer in &mut later.peers {
        let refused = Refused { code: "block.limits".to_owned(), text: "it counts otherwise".to_owned() };
        match peer.name.as_str() {
            "node-3" => peer.reachable = false,
            "node-4" => peer.objection = Some(ObjectionView { height: 123, refused }),
            _ => peer.height = 124,
        }
    }
    answer(&mut board, [Err(down()), Ok(later)], NOW.plus_seconds(5));
    board
}

fn frozen() -> Board {
    let mut later = status(1);
    later.frozen = Frozen { everything: true, keys: BTreeSet::new(), stopped: BTreeSet::new() };
    later.keys.iter_mut().for_each(|key| key.frozen = true);
    let mut board = board([Ok(status(1)), Ok(status(2))]);
    answer(&mut board, [Ok(later.clone()), Ok(NodeStatus { node: name("node-2"), ..later })], NOW);
    board
}

fn drawn(board: &Board, view: &mut View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(frame, board, view)).unwrap();
    let cells = terminal.backend().buffer().content();
    let line = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
    cells.chunks(usize::from(width)).map(|row| line(row).trim_end().to_owned() + "\n").collect()
}

/// Compares with `golden/NAME.txt`; `KEYSTEAD_BLESS=1` writes it.
fn check(name: &str, found: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/watch/golden/{name}.txt"));
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(&file, found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert_eq!(found, expected, "{name}:\n{found}");
}

fn check_both(name: &str, board: &Board) {
    for (width, height) in [(80, 24), (120, 40)] {
        check(&format!("{name}-{width}x{height}"), &drawn(board, &mut View::new(true), width, height));
    }
}

#[test]
fn a_calm_cluster_is_shown_on_both_sizes_and_in_a_pipe() {
    let board = board([Ok(status(1)), Ok(status(2))]);
    check_both("calm", &board);
    check("calm-pipe", &panes::text(&board));
}

#[test]
fn a_node_that_is_down_one_that_lags_and_one_that_disagrees_are_named() {
    let board = trouble();
    check_both("trouble", &board);
    let rows = nodes::rows(&board);
    let found: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.presence, row.lag)).collect();
    use nodes::Presence::{Answers, Connected, Down, PeersOnly};
    assert_eq!(
        found,
        [("node-1", PeersOnly, 0), ("node-2", Answers, 0), ("node-3", Down, 4), ("node-4", Connected, 4)]
    );
    let news: Vec<_> = board.fresh_news().iter().map(|it| it.text.clone()).collect();
    for said in ["node-1 does not answer us", "node-3 DOWN", "node-4 did not vote", "block.limits"] {
        assert!(news.iter().any(|it| it.contains(said)), "{said}: {news:?}");
    }
}

#[test]
fn a_freeze_is_the_first_thing_one_sees() {
    let board = frozen();
    check_both("frozen", &board);
    assert!(board.news().any(|it| it.text.contains("FROZEN, nothing signs")));
}

/// INVARIANT D2: whoever looks at nothing else sees that nobody knows whether a backup restores.
#[test]
fn d2_a_key_whose_drill_is_overdue_says_so() {
    let shown = |drilled: Option<Timestamp>, backup: Option<Digest>| {
        let mut one = status(1);
        one.keys.remove(0);
        (one.keys[0].drilled, one.keys[0].backup) = (drilled, backup);
        panes::text(&board([Ok(one), Ok(status(2))]))
    };
    let days = |days: u64| Some(Timestamp(NOW.0 - days * 24 * 3600 * 1000));
    assert!(!shown(days(89), None).contains("DRILL"));
    assert!(shown(days(91), None).contains("active; DRILL OVERDUE"));
    assert!(
        shown(days(1), Some(Digest([1; 32]))).contains("active; NEVER DRILLED"),
        "the latest one never was"
    );
}

#[test]
fn a_lost_cluster_is_shown_as_it_was_and_asked_on() {
    let mut board = board([Ok(status(1)), Ok(status(2))]);
    answer(&mut board, [Err(down()), Err(down())], NOW.plus_seconds(60));
    check_both("lost", &board);
    let never = super::tests::board([Err(down()), Err(down())]);
    check("never-80x24", &drawn(&never, &mut View::new(true), 80, 24));
}

#[test]
fn a_pane_scrolls_to_its_end_and_no_further() {
    let mut many = status(1);
    many.windows = (0..60).map(|it| window(&format!("window-{it:02}"), None, ETHER)).collect();
    let board = board([Ok(many), Ok(status(2))]);
    let mut view = View::new(true);
    assert!(drawn(&board, &mut view, 80, 24).contains("window-00"));
    [Key::End, Key::Down(3)].into_iter().for_each(|key| view.press(key));
    check("scrolled-80x24", &drawn(&board, &mut view, 80, 24));
    view.press(Key::Up(1));
    assert!(!drawn(&board, &mut view, 80, 24).contains("window-59"), "one line up from the end");
    [Key::Home, Key::PageDown].into_iter().for_each(|key| view.press(key));
    let page = drawn(&board, &mut view, 80, 24);
    assert!(!page.contains("window-00") && page.contains("window-15"), "{page}");
}

#[test]
fn the_keys_walk_through_the_panes_and_every_pane_is_reached() {
    let board = board([Ok(status(1)), Ok(status(2))]);
    let mut view = View::new(true);
    let titles = ["▶ windows", "▶ waiting", "▶ chains", "▶ keys", "▶ news", "▶ nodes", "▶ windows"];
    for title in titles {
        let text = drawn(&board, &mut view, 80, 24);
        assert!(text.contains(title), "{title}: {text}");
        view.press(Key::Next);
    }
    view.press(Key::Previous);
    assert!(drawn(&board, &mut view, 80, 24).contains("▶ windows"));
    view.press(Key::Help);
    check("help-80x24", &drawn(&board, &mut view, 80, 24));
    for (width, height) in [(1, 1), (3, 2), (20, 5), (79, 23), (300, 100)] {
        drawn(&board, &mut view, width, height);
    }
}

#[test]
fn colors_say_nothing_that_words_do_not() {
    let board = trouble();
    let colored = |colors: bool| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw::draw(frame, &board, &mut View::new(colors))).unwrap();
        let cells = terminal.backend().buffer().content().to_vec();
        cells.iter().filter(|cell| cell.fg != ratatui::style::Color::Reset).count()
    };
    assert!(colored(true) > 0);
    assert_eq!(colored(false), 0, "NO_COLOR");
}

#[test]
fn keys_mean_what_the_help_says() {
    let pressed = |code, modifiers| screen::key(&Event::Key(KeyEvent::new(code, modifiers)));
    let none = KeyModifiers::NONE;
    for (code, modifiers, means) in [
        (KeyCode::Char('q'), none, Some(Key::Quit)),
        (KeyCode::Esc, none, Some(Key::Quit)),
        (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Key::Quit)),
        (KeyCode::Char('c'), none, None),
        (KeyCode::Char('?'), none, Some(Key::Help)),
        (KeyCode::Tab, none, Some(Key::Next)),
        (KeyCode::BackTab, none, Some(Key::Previous)),
        (KeyCode::Down, none, Some(Key::Down(1))),
    ] {
        assert_eq!(pressed(code, modifiers), means, "{code:?}");
    }
    assert_eq!(screen::key(&Event::Resize(80, 24)), Some(Key::Redraw));
}

#[test]
fn fills_and_spans_are_said_in_round_numbers_that_err_upwards() {
    let with =
        |used: Amount, limit: Amount| words::percent(&WindowView { used, limit, ..window("w", None, 0) });
    let ether = Amount::from(ETHER);
    for (used, limit, percent) in [
        (Amount::ZERO, ether, 0),
        (Amount::from(1_u64), Amount::from(1_000_u64), 1),
        (Amount::from(999_u64), Amount::from(1_000_u64), 100),
        (ether, ether, 100),
        (Amount::MAX, Amount::MAX, 100),
        (Amount::from(3_u64), Amount::from(2_u64), 150),
        (Amount::ZERO, Amount::ZERO, 100),
    ] {
        assert_eq!(with(used, limit), percent, "{used} of {limit}");
    }
    for (seconds, said) in [(0, "0 s"), (61, "1 min 1 s"), (3600, "1 h"), (86_400 * 3 + 7_300, "3 d 2 h")] {
        assert_eq!(words::span(seconds), said);
    }
    for (nodes, quorum, said) in
        [(1, 1, "one node: withstands no"), (3, 2, "no lying node, 1 down"), (4, 3, "1 lying, 1 down")]
    {
        let found = words::withstands(nodes, quorum, Withstands::of(nodes, quorum));
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn a_node_that_is_slow_skewed_or_was_restarted_is_said_to_be_and_one_that_is_well_is_not() {
    let well = LinkView {
        boot: 3,
        restarts: 0,
        round_trip_micros: Some(412),
        clock: Some(ClockView { ahead: true, millis: 15 }),
        sync_micros: Some(1_200),
        round_trips: Vec::new(),
    };
    assert_eq!(words::link(&well), ["round trip 0.4 ms"]);
    let clock = Some(ClockView { ahead: false, millis: 3_600_000 });
    let ill = LinkView { restarts: 2, clock, sync_micros: Some(2_000_000), ..well };
    let said = words::link(&ill).join("; ");
    for word in
        ["SLOW, a write of the ledger takes 2000.0 ms", "is 1 h behind this node's", "restarted 2 times"]
    {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn k06_whoever_was_named_and_whoever_is_kept_out_is_said() {
    let abort = |culprits: &[&str]| AbortView {
        request: RequestId(Digest([1; 32])),
        culprits: culprits.iter().map(|it| name(it)).collect(),
        code: "threshold.equivocation".to_owned(),
        time: NOW,
    };
    for (culprits, said) in [
        (&[][..], "nobody is named (threshold.equivocation)"),
        (&["node-2"], "node-2 is named"),
        (&["node-2", "node-3"], "one of node-2 and node-3 is lying"),
    ] {
        let found = words::abort(&abort(culprits));
        assert!(found.contains(said), "{found}");
    }
    let at = |round, missing: &[&str]| RunView {
        request: RequestId(Digest([1; 32])),
        purpose: RunPurpose::Share,
        attempts: 2,
        signers: Vec::new(),
        since: NOW,
        round: Some(RoundView { round, rounds: 3, missing: missing.iter().map(|it| name(it)).collect() }),
    };
    for (round, missing, said) in [
        (0, &["node-2", "node-3"][..], "try 2, round 1 of 3: waits for node-2, node-3"),
        (1, &["node-3"], "try 2, round 1 of 3, echo: waits for node-3"),
        (4, &[], "try 2, round 3 of 3"),
    ] {
        let found = words::run(&at(round, missing), NOW);
        assert!(found.ends_with(said), "{found}");
    }
    let out = words::kept_out(&KeptOut { key: name("hot"), node: name("node-2") });
    assert_eq!(
        out,
        "node-2 of the runs of hot, since it was caught; `key lift hot --holder node-2` lets it in"
    );
}

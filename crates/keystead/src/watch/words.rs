//! The words of a status, for one look and for many.

use keystead_base::{Amount, Name, Timestamp};
use keystead_decision::Frozen;
use keystead_wire::{
    AbortView, ChainWatch, KeptOut, LinkView, MissingView, ObjectionView, ReconciledView, RoundView,
    RunPurpose, RunView, WaitingView, WindowView, Withstands,
};

/// Whether the cluster signs.
pub(crate) fn signing(frozen: &Frozen) -> String {
    match (frozen.everything, frozen.keys.len()) {
        (true, _) => "FROZEN, nothing signs".to_owned(),
        (false, 0) => "signing".to_owned(),
        (false, 1) => "signing, 1 key frozen".to_owned(),
        (false, keys) => format!("signing, {keys} keys frozen"),
    }
}

/// What the cluster withstands, plainly.
pub(crate) fn withstands(nodes: u32, quorum: u32, it: Withstands) -> String {
    let what = match (it.lying, it.down) {
        (0, 0) if nodes == 1 => "one node: withstands no lying node and no node down".to_owned(),
        (0, 0) => "withstands no lying node and no node down".to_owned(),
        (0, down) => format!("withstands no lying node, {down} down"),
        (lying, down) => format!("withstands {lying} lying, {down} down"),
    };
    format!("{quorum} of {nodes} votes commit; {what}")
}

/// A disagreement.
pub(crate) fn objection(it: &ObjectionView) -> String {
    format!("did not vote for a block at height {}: {}", it.height, it.refused)
}

/// How far another node is, and what is wrong with it.
pub(crate) fn link(it: &LinkView) -> Vec<String> {
    let far = it.round_trip_micros.map(|micros| format!("round trip {}", millis(micros)));
    let disk = it.sync_micros.filter(|micros| *micros >= SLOW_SYNC_MICROS).map(disk);
    let clock = it.clock.filter(|clock| clock.millis >= SKEW_MILLIS).map(|clock| {
        let way = if clock.ahead { "ahead of" } else { "behind" };
        format!("its clock is {} {way} this node's", millis_of(clock.millis))
    });
    let restarts = (it.restarts > 0).then(|| match it.restarts {
        1 => "restarted once".to_owned(),
        times => format!("restarted {times} times"),
    });
    far.into_iter().chain(disk).chain(clock).chain(restarts).collect()
}

/// How long a ledger takes.
pub(crate) fn disk(micros: u32) -> String {
    let slow = if micros >= SLOW_SYNC_MICROS { "SLOW, " } else { "" };
    format!("{slow}a write of the ledger takes {}", millis(micros))
}

/// A threshold run.
pub(crate) fn run(it: &RunView, now: Timestamp) -> String {
    let what = match it.purpose {
        RunPurpose::Signature => "a signature",
        RunPurpose::Proof => "the proof of a share",
        RunPurpose::Share => "a share",
    };
    let since = span(now.0.saturating_sub(it.since.0) / 1000);
    let with: Vec<_> = it.signers.iter().map(Name::as_str).collect();
    let with = if with.is_empty() { String::new() } else { format!(" by {}", with.join(", ")) };
    let stands = it.round.as_ref().map(|it| format!(", {}", round(it))).unwrap_or_default();
    format!("{what} for {}, wanted for {since}, try {}{with}{stands}", it.request, it.attempts)
}

/// People count rounds from 1, and an echo with the round that it is of.
pub(crate) fn round(it: &RoundView) -> String {
    let echo = if it.round % 2 == 1 { ", echo" } else { "" };
    let missing: Vec<_> = it.missing.iter().map(Name::as_str).collect();
    let waits =
        if missing.is_empty() { String::new() } else { format!(": waits for {}", missing.join(", ")) };
    format!("round {} of {}{echo}{waits}", it.round / 2 + 1, it.rounds)
}

/// A run that came to nothing.
pub(crate) fn abort(it: &AbortView) -> String {
    let who = match it.culprits.as_slice() {
        [] => "nobody is named".to_owned(),
        [name] => format!("{name} is named"),
        names => {
            let names: Vec<&str> = names.iter().map(Name::as_str).collect();
            format!("one of {} is lying", names.join(" and "))
        }
    };
    format!("{}: a run for {}, {who} ({})", it.time, it.request, it.code)
}

/// A node that is kept out of a key's runs.
pub(crate) fn kept_out(it: &KeptOut) -> String {
    format!(
        "{} of the runs of {}, since it was caught; `key lift {} --holder {}` lets it in",
        it.node, it.key, it.key, it.node
    )
}

fn millis(micros: u32) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

fn millis_of(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{millis} ms"),
        _ => span(millis / 1000),
    }
}

/// How a chain is watched.
pub(crate) fn watch(watch: &ChainWatch) -> String {
    match watch {
        ChainWatch::NotConfigured => "no endpoint: nothing settles, reservations go on counting".to_owned(),
        ChainWatch::Agreed { head } => format!("head {head}"),
        ChainWatch::Unknown { text } => text.clone(),
    }
}

/// How far a chain was compared with the log, where that is known.
pub(crate) fn reconciled(it: &ReconciledView) -> String {
    let upto = match (it.upto, it.final_height) {
        (Some(upto), Some(height)) if upto >= height => format!("reconciled up to block {upto}"),
        (Some(upto), Some(height)) => format!("reconciled up to block {upto} of {height}"),
        _ => "not reconciled".to_owned(),
    };
    let balances = it.balances_at.map(|block| format!("balances up to block {block}"));
    let held_up = it.held_up.iter().map(|why| format!("held up: {why}"));
    let suspects =
        (it.suspects > 0).then(|| format!("{} findings that the log does not hold yet", it.suspects));
    let gave_up = (it.reorganized > 0).then(|| format!("gave up final blocks {} times", it.reorganized));
    [upto]
        .into_iter()
        .chain(balances)
        .chain(held_up)
        .chain(suspects)
        .chain(gave_up)
        .collect::<Vec<_>>()
        .join("; ")
}

/// A span of time in at most two units.
pub(crate) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |first: u64, unit: &str, second: u64, next: &str| match second {
        0 => format!("{first} {unit}"),
        _ => format!("{first} {unit} {second} {next}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, ..) => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

/// Which count of a window it is.
pub(crate) fn count(view: &WindowView) -> String {
    let key = view.key.as_ref().map(|key| format!("key {key}"));
    let destination = view.destination.map(|address| format!("to {}", brief(&address.to_string())));
    let chain = view.chain.map(|chain| format!("on {chain}"));
    let parts: Vec<_> = [key, destination, chain].into_iter().flatten().collect();
    match parts.is_empty() {
        true => view.window.to_string(),
        false => format!("{} ({})", view.window, parts.join(", ")),
    }
}

/// How much of a window is used, in its unit.
pub(crate) fn amounts(view: &WindowView) -> String {
    let say = |amount: Amount| amount.with_decimals(view.decimals);
    format!("{} of {} {}", say(view.used), say(view.limit), view.symbol)
}

/// How full a window is, in hundredths rounded up: only an empty one shows nothing.
pub(crate) fn percent(view: &WindowView) -> u64 {
    let (used, limit) = (view.used.0, view.limit.0);
    let full = |value: u64| if used == limit { 100 } else { value };
    // Halving both leaves the ratio as it is, and what is left fits.
    let shift = limit.bit_len().max(used.bit_len()).saturating_sub(PERCENT_BITS);
    let (used, limit): (u64, u64) = ((used >> shift).saturating_to(), (limit >> shift).saturating_to());
    match limit {
        0 => 100,
        limit => full(used.saturating_mul(100).div_ceil(limit)),
    }
}

/// Who still has to say yes to a request.
pub(crate) fn missing(view: &WaitingView) -> String {
    let missing: Vec<_> = view.missing.iter().map(one_missing).collect();
    let yes: Vec<_> = view.approved.iter().map(ToString::to_string).collect();
    let needs = if missing.is_empty() { "nobody; its delay runs".to_owned() } else { missing.join(" and ") };
    match yes.is_empty() {
        true => needs,
        false => format!("{needs}; yes from {}", yes.join(", ")),
    }
}

fn one_missing(it: &MissingView) -> String {
    let people: Vec<_> = it.people.iter().map(ToString::to_string).collect();
    let people = if people.is_empty() { "nobody can".to_owned() } else { people.join(", ") };
    format!("{} of `{}` ({people})", it.count, it.role)
}

/// The beginning and the end of something long.
pub(crate) fn brief(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    match (letters.get(..6), letters.len().checked_sub(4).and_then(|at| letters.get(at..))) {
        (Some(first), Some(last)) if letters.len() > 12 => {
            format!("{}…{}", first.iter().collect::<String>(), last.iter().collect::<String>())
        }
        _ => text.to_owned(),
    }
}

/// Bits that a hundredfold of fits 64.
const PERCENT_BITS: usize = 56;

/// From here on a disk holds others up.
const SLOW_SYNC_MICROS: u32 = 100_000;
/// From here on a clock is worth a look: voters bear some seconds (`[timing] skew_seconds`).
const SKEW_MILLIS: u64 = 500;

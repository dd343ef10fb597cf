//! How the other nodes are: what this one measures on its connections, and what they say of themselves.
//!
//! It decides nothing but who signs with whom, and in which order others are asked; a liar among the nodes gains a place
//! in a run that it could have spoiled anyway.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keystead_base::{Canonical as _, Name, Timestamp};
use keystead_wire::{Client, ClockView, LinkView, NodeReply, NodeRequest, Pulse, RoundTrip, WireError};
use tokio::time::{Instant, sleep};

use crate::clock;
use crate::error::CallError;
use crate::shared::Shared;

/// What is known of the other nodes, by name, and of this node's own disk.
#[derive(Debug, Default)]
pub(crate) struct Health {
    others: Mutex<BTreeMap<Name, Condition>>,
    sync: Mutex<Option<u32>>,
}

/// What is known of one.
#[derive(Clone, Debug, Default)]
struct Condition {
    /// When it was found, or lost, last.
    since: Option<Timestamp>,
    boot: Option<u64>,
    restarts: u32,
    round_trip: Option<u32>,
    clock: Option<ClockView>,
    sync: Option<u32>,
    round_trips: Vec<RoundTrip>,
}

impl Condition {
    /// Another boot number than before is a node that was started anew.
    fn begins(&mut self, boot: u64) {
        self.restarts += u32::from(self.boot.is_some_and(|before| before != boot));
        self.boot = Some(boot);
    }
}

impl Health {
    /// A connection to it was made; `boot` is what it says.
    pub(crate) fn found(&self, node: &Name, boot: u64, now: Timestamp) {
        let mut all = self.lock();
        let it = all.entry(node.clone()).or_default();
        it.begins(boot);
        it.since = Some(now);
    }

    /// The connection to it ended.
    pub(crate) fn lost(&self, node: &Name, now: Timestamp) {
        let mut all = self.lock();
        let it = all.entry(node.clone()).or_default();
        (it.since, it.round_trip) = (Some(now), None);
    }

    /// It answered a question of `sent` after so long, over a connection on which it said that it is in this boot.
    fn answered(&self, node: &Name, boot: u64, (sent, took): (Timestamp, Duration), pulse: Option<Pulse>) {
        let mut all = self.lock();
        let it = all.entry(node.clone()).or_default();
        it.begins(boot);
        it.round_trip = Some(smoothed(it.round_trip, took));
        if let Some(pulse) = pulse {
            it.clock = Some(difference(pulse.time, sent, took));
            it.sync = pulse.sync_micros;
            it.round_trips = pulse.round_trips;
            it.round_trips.truncate(MAX_ROUND_TRIPS);
        }
    }

    /// The round trips measured here.
    pub(crate) fn round_trips(&self) -> Vec<RoundTrip> {
        let all = self.lock();
        let measured = all.iter().filter_map(|(node, it)| Some((node.clone(), it.round_trip?)));
        measured.map(|(node, micros)| RoundTrip { node, micros }).collect()
    }

    /// What each node measured, this one included: from whom to whom, in microseconds.
    pub(crate) fn table(&self, me: &Name) -> BTreeMap<Name, BTreeMap<Name, u32>> {
        let row = |it: &[RoundTrip]| it.iter().map(|it| (it.node.clone(), it.micros)).collect();
        let own = (me.clone(), row(&self.round_trips()));
        let all = self.lock();
        all.iter().map(|(node, it)| (node.clone(), row(&it.round_trips))).chain([own]).collect()
    }

    /// What is shown of one: since when it is as it is, and how.
    pub(crate) fn view(&self, node: &Name) -> (Option<Timestamp>, Option<LinkView>) {
        let all = self.lock();
        let Some(it) = all.get(node) else { return (None, None) };
        let view = it.boot.map(|boot| LinkView {
            boot,
            restarts: it.restarts,
            round_trip_micros: it.round_trip,
            clock: it.clock,
            sync_micros: it.sync,
            round_trips: it.round_trips.clone(),
        });
        (it.since, view)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Condition>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction of this node's ledger took so long.
    pub(crate) fn synced(&self, took: Duration) {
        let mut sync = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        *sync = Some(smoothed(*sync, took));
    }

    /// How long they take, in microseconds.
    pub(crate) fn sync(&self) -> Option<u32> {
        *self.sync.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// How this node is, for another node.
    pub(crate) fn pulse_for(&self, node: &Name) -> Result<Pulse, CallError> {
        if self.state().roster().node(node).is_none() {
            return Err(CallError::NotANode { name: node.clone() });
        }
        let round_trips = self.health.round_trips();
        Ok(Pulse { time: clock::now(), sync_micros: self.health.sync(), round_trips })
    }
}

/// Asks a node how it is, again and again, until it does not answer in time.
pub(crate) async fn beats(shared: &Arc<Shared>, client: &Client, node: &Name) -> WireError {
    loop {
        let (sent, start) = (clock::now(), Instant::now());
        let reply = match client.call(NodeRequest::Pulse.to_document()).await {
            Ok(reply) => reply,
            Err(error) => return error,
        };
        let pulse = match NodeReply::from_document(&reply) {
            Ok(NodeReply::Pulse(pulse)) => Some(pulse),
            // It is of before this question, and there.
            Ok(_) | Err(_) => None,
        };
        let took = start.elapsed();
        // A client makes a connection that ended anew by itself, perhaps with a node that was started anew.
        let boot = client.server_hello().await.map(|it| it.boot).unwrap_or_default();
        shared.health.answered(node, boot, (sent, took), pulse);
        sleep(BEAT).await;
    }
}

/// RFC 6298, section 2: an eighth of each new sample.
fn smoothed(before: Option<u32>, sample: Duration) -> u32 {
    let sample = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX);
    match before {
        None => sample,
        Some(before) => before - before / 8 + sample / 8,
    }
}

/// The other clock said `theirs` in the middle of the round trip, as far as anybody knows.
fn difference(theirs: Timestamp, sent: Timestamp, took: Duration) -> ClockView {
    let half = u64::try_from(took.as_millis() / 2).unwrap_or(u64::MAX);
    let ours = sent.0.saturating_add(half);
    ClockView { ahead: theirs.0 > ours, millis: theirs.0.abs_diff(ours) }
}

/// Between an answer and the next question.
const BEAT: Duration = Duration::from_secs(2);
/// Of one node's words: no roster has more nodes.
const MAX_ROUND_TRIPS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Name {
        "node-2".parse().unwrap()
    }

    #[test]
    fn d03_a_restart_a_skew_and_a_slow_disk_are_seen() {
        let (health, millis) = (Health::default(), Duration::from_millis);
        assert_eq!(health.view(&node()), (None, None));
        health.found(&node(), 4, Timestamp(1_000));
        let pulse =
            |time| Pulse { time: Timestamp(time), sync_micros: Some(250_000), round_trips: Vec::new() };
        health.answered(&node(), 4, (Timestamp(2_000), millis(80)), Some(pulse(7_040)));
        let (since, link) = health.view(&node());
        let link = link.unwrap();
        assert_eq!((since, link.boot, link.restarts), (Some(Timestamp(1_000)), 4, 0));
        assert_eq!(link.clock, Some(ClockView { ahead: true, millis: 5_000 }));
        assert_eq!((link.round_trip_micros, link.sync_micros), (Some(80_000), Some(250_000)));
        // The same boot number again is a connection that broke; another one is a node that was started anew.
        for (boot, restarts) in [(4, 0), (5, 1), (5, 1), (3, 2)] {
            health.lost(&node(), Timestamp(3_000));
            health.found(&node(), boot, Timestamp(4_000));
            assert_eq!(health.view(&node()).1.unwrap().restarts, restarts, "{boot}");
        }
        health.answered(&node(), 6, (Timestamp(9_000), millis(10)), Some(pulse(8_005)));
        let link = health.view(&node()).1.unwrap();
        assert_eq!((link.restarts, link.round_trip_micros), (3, Some(10_000)), "between two answers");
        assert_eq!(link.clock, Some(ClockView { ahead: false, millis: 1_000 }));
    }

    #[test]
    fn one_slow_answer_of_eight_makes_nobody_slow() {
        let micros = Duration::from_micros;
        let mut round_trip = smoothed(None, micros(800));
        for sample in [8_000, 800, 800, 800] {
            round_trip = smoothed(Some(round_trip), micros(sample));
        }
        assert!(round_trip < 1_600, "{round_trip}");
    }
}

//! What is measured of the other nodes.

use keystead_wire::{ClockView, PeerView};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Seconds = Family<Peer, Gauge<f64, std::sync::atomic::AtomicU64>>;

/// Gauges of the nodes to which a connection was made.
#[derive(Default)]
pub(super) struct PeerGauges {
    up: Family<Peer, Gauge>,
    round_trip: Seconds,
    clock_offset: Seconds,
    sync: Seconds,
    restarts: Family<Peer, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: String,
}

impl PeerGauges {
    pub(super) fn register(&self, it: &mut Registry) {
        it.register("peer_up", "Whether the connection to a node is open", self.up.clone());
        let help = "The smoothed round trip to a node";
        it.register("peer_round_trip_time_seconds", help, self.round_trip.clone());
        let help = "How far a node's clock is ahead of this one's, give or take half a round trip";
        it.register("peer_clock_offset_seconds", help, self.clock_offset.clone());
        let help = "How long a transaction of a node's ledger takes, as it says";
        it.register("peer_ledger_write_seconds", help, self.sync.clone());
        let help = "How often a node was started anew since this one began";
        it.register("peer_restarts", help, self.restarts.clone());
    }

    /// What is not known has no sample.
    pub(super) fn show(&self, peers: &[PeerView]) {
        for family in [&self.round_trip, &self.clock_offset, &self.sync] {
            family.clear();
        }
        self.up.clear();
        self.restarts.clear();
        for it in peers {
            let peer = Peer { peer: it.name.to_string() };
            self.up.get_or_create(&peer).set(it.reachable.into());
            let Some(link) = &it.link else { continue };
            self.restarts.get_or_create(&peer).set(link.restarts.into());
            for (family, micros) in
                [(&self.round_trip, link.round_trip_micros), (&self.sync, link.sync_micros)]
            {
                if let Some(micros) = micros {
                    family.get_or_create(&peer).set(f64::from(micros) / 1e6);
                }
            }
            if let Some(clock) = link.clock {
                self.clock_offset.get_or_create(&peer).set(offset(clock));
            }
        }
    }
}

fn offset(clock: ClockView) -> f64 {
    let seconds = clock.millis as f64 / 1e3;
    if clock.ahead { seconds } else { -seconds }
}

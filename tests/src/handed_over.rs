//! What a node makes of words about a run that a liar hands it over: the liar's own ones, and honest ones once more.

use std::time::Duration;

use keystead_base::{RequestId, Signed};
use keystead_consensus::Message;
use keystead_decision::{Entry, Simulation};

use crate::cluster::{NodeHome, Station, ether};
use crate::fixture::FRIEND;
use crate::liar::Liar;
use crate::nodes::{keys_of, start_all};
use crate::rehearsals::demanded;

/// Four nodes. `node-2` alone has an endpoint of the chain, so no run is ever found by a quorum; `node-1`, the home of
/// the key, was stopped, and a liar has its keys.
pub struct HandedOver {
    liar: Liar,
    /// `node-2`.
    pub station: Station,
    others: Vec<Station>,
}

impl HandedOver {
    /// Such a cluster.
    ///
    /// # Panics
    ///
    /// When a node does not start.
    pub async fn with(configure: impl FnOnce(&mut NodeHome)) -> Self {
        let mut homes = NodeHome::several(4, demanded);
        configure(&mut homes[1]);
        let mut stations = start_all(homes).await;
        stations[0].make_hot_key().await;
        let home = stations.remove(0).stop().await;
        let station = stations.remove(0);
        let liar = Liar::in_place_of(&home, keys_of(1), &[&station]).await;
        Self { liar, station, others: stations }
    }

    /// A request that waits for a run.
    pub async fn request(&self) -> RequestId {
        self.station.ask("desk", ether(FRIEND, 1, 0)).await.request
    }

    /// What `node-2` finds, and tells the others.
    pub async fn found(&mut self) -> Simulation {
        loop {
            let Message::Entries(entries) = self.liar.hears().await.1 else { continue };
            for entry in entries {
                if let Entry::Simulation(signed) = entry {
                    return signed.body;
                }
            }
        }
    }

    /// The liar hands these to `node-2`, each signed by the node with this number.
    ///
    /// # Panics
    ///
    /// When a signature fails.
    pub async fn hand_over(&self, by: u8, said: Vec<Simulation>) {
        let keys = keys_of(by);
        let signed = |it| Signed::new(it, keys.name.clone(), &keys.signer).expect("a signature");
        let entries = said.into_iter().map(|it| Entry::Simulation(signed(it))).collect();
        self.liar.say(&self.station, Message::Entries(entries)).await;
    }

    /// Waits until `node-2` said so many times that the liar's words are not believed.
    ///
    /// # Panics
    ///
    /// When it believes some of them.
    pub async fn not_believed(&self, times: usize) -> Vec<String> {
        let said = || {
            let events = self.station.events().into_iter();
            events.filter(|it| it.starts_with("node-1 sent")).collect::<Vec<_>>()
        };
        let all = async {
            while said().len() < times {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, all).await;
        assert!(waited.is_ok(), "{times} words, and some are believed: {:?}", said());
        said()
    }

    /// The end.
    pub async fn stop(self) {
        for station in self.others.into_iter().chain([self.station]) {
            station.stop().await;
        }
    }
}

/// Far longer than a node takes to look something up.
const PATIENCE: Duration = Duration::from_secs(60);

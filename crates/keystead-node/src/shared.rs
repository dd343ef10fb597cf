//! What all parts of a node share. Nothing in it changes but the board, and by channels.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use keystead_base::{ClusterId, Coded, Name};
use keystead_consensus::{Objection, Replica, Standing};
use keystead_decision::{Controls, SignedGenesis, State};
use keystead_intent::KeyCeremony;
use keystead_ledger::Ledger;
use keystead_signing::Refusal;
use keystead_transmit::ChainView;
use keystead_wire::{ChainStatus, Hello, Protection, Refused, Role, TokenView};
use tokio::sync::{Notify, mpsc, watch};

use crate::blocks::Submission;
use crate::board::Board;
use crate::checkpoint::OwnCheckpoints;
use crate::enclave::{SELF_TESTS, self_tests};
use crate::errands::Errands;
use crate::health::Health;
use crate::log_token::OwnKey;
use crate::meters::Meters;
use crate::peers::Peers;
use crate::recent::Recent;
use crate::reconcile::Suspects;
use crate::rehearse::Runs;
use crate::replica::{AWAY, Heard, standing_word};
use crate::restore::HandOver;
use crate::sightings::Sightings;
use crate::spent::CoinWatch;
use crate::threshold::{RunWord, Seen};
use crate::traces::Traces;
use crate::writer::Unstored;
use crate::{Event, Events};

/// The common ground.
pub(crate) struct Shared {
    pub(crate) genesis: SignedGenesis,
    pub(crate) cluster: ClusterId,
    pub(crate) node: Name,
    pub(crate) boot: u64,
    pub(crate) key: OwnKey,
    pub(crate) own_checkpoints: Arc<OwnCheckpoints>,
    pub(crate) ledger: Ledger,
    pub(crate) board: Board,
    /// The last durable state.
    pub(crate) state: watch::Receiver<Arc<State>>,
    /// To the builder.
    pub(crate) inbox: mpsc::Sender<Submission>,
    /// To the replica, from other nodes.
    pub(crate) heard: mpsc::Sender<Heard>,
    /// To the signer: backups for its enclave.
    pub(crate) hand_overs: mpsc::Sender<HandOver>,
    /// To the signer: words of runs.
    pub(crate) run_words: mpsc::Sender<RunWord>,
    /// To the other nodes.
    pub(crate) peers: Peers,
    /// The chains as this node's own endpoints show them.
    pub(crate) views: Arc<HashMap<u64, ChainView>>,
    /// Bitcoin's networks as this node's own sources show them.
    pub(crate) coins: HashMap<u64, CoinWatch>,
    /// Signatures that are not stored yet.
    pub(crate) unstored: Unstored,
    /// The decisions of the newest durable blocks.
    pub(crate) recent: Recent,
    /// Runs of transactions.
    pub(crate) runs: Runs,
    /// What the replica last saw of the cluster.
    pub(crate) cluster_view: Mutex<ClusterView>,
    /// How much is done for other nodes at once, besides taking their words.
    pub(crate) errands: Errands,
    /// Rung when something allowed could not be signed.
    pub(crate) sweep: Notify,
    pub(crate) protections: Mutex<Vec<Protection>>,
    /// The tokens of the enclave, as it saw them last.
    pub(crate) tokens: Mutex<Vec<TokenView>>,
    pub(crate) chains: Mutex<Vec<ChainStatus>>,
    /// Where signed transactions were seen in blocks.
    pub(crate) sightings: Sightings,
    /// What was found on the chains, and how far they were compared.
    pub(crate) suspects: Suspects,
    /// How the other nodes are.
    pub(crate) health: Health,
    /// Runs of keys in shares, for whoever looks.
    pub(crate) seen_runs: Mutex<Seen>,
    pub(crate) meters: Meters,
    /// What is told of requests, to whoever collects traces.
    pub(crate) traces: Traces,
    pub(crate) events: Arc<dyn Events>,
}

/// The cluster as the replica last saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClusterView {
    /// Whether this node votes, in words.
    pub(crate) standing: &'static str,
    /// The round under way, if there is one.
    pub(crate) round: Option<u32>,
    /// How far the other nodes said they are.
    pub(crate) heads: BTreeMap<Name, u64>,
    /// The latest objection of each node, and at which height of ours.
    pub(crate) objections: BTreeMap<Name, Objection>,
}

impl Shared {
    /// What this node says of itself.
    pub(crate) fn hello(&self) -> Hello {
        Hello::new(self.cluster, Role::Node, self.boot)
    }

    /// Whether this node's back end holds the key, or a share of it that it did not lose.
    pub(crate) fn holds(&self, state: &State, key: &Name) -> bool {
        state.key(key).is_some_and(|it| match &it.sharing {
            Some(sharing) => sharing.has_home(&self.node),
            None => it.home == self.node,
        })
    }

    /// Whether this node does first what one node is enough for: the key's home, or its first holder.
    pub(crate) fn is_home(&self, state: &State, key: &Name) -> bool {
        state.key(key).is_some_and(|it| it.home == self.node)
    }

    /// Whether this node's back end carries the ceremony out.
    pub(crate) fn is_home_of(&self, state: &State, ceremony: &KeyCeremony) -> bool {
        match ceremony {
            KeyCeremony::Create { home, .. }
            | KeyCeremony::Restore { home, .. }
            | KeyCeremony::CreateInTokens { home, .. } => *home == self.node,
            // INVARIANT K6: whoever lost its share, or holds none any more, keeps the ban in its journal and may hold again.
            KeyCeremony::Lift { .. } => true,
            other => self.holds(state, other.key()),
        }
    }

    /// The other nodes of the roster.
    pub(crate) fn other_nodes(&self) -> BTreeSet<Name> {
        let state = self.state();
        let nodes = state.roster().nodes.iter().map(|node| &node.name);
        nodes.filter(|name| **name != self.node).cloned().collect()
    }

    /// The boot number that the roster gives this node.
    pub(crate) fn roster_boot(&self) -> u64 {
        self.state().roster().node(&self.node).map(|node| node.boot).unwrap_or_default()
    }

    /// What another node handed over is not what this node finds.
    pub(crate) fn disbelieved(&self, peer: &Name, objection: &Objection) {
        let refused = Refused { code: objection.code.clone(), text: objection.text.clone() };
        self.event(Event::NotAdmitted { peer: peer.clone(), refused });
    }

    /// A node does not vote for a block.
    pub(crate) fn objected(&self, node: &Name, objection: Objection) {
        let refused = Refused { code: objection.code.clone(), text: objection.text.clone() };
        let height = objection.height;
        self.view_of_cluster(|view| drop(view.objections.insert(node.clone(), objection)));
        self.event(Event::Objected { node: node.clone(), height, refused });
    }

    /// Keeps what the replica sees.
    pub(crate) fn see<C: Controls>(&self, replica: &Replica<C>) {
        let heads = replica.heads().map(|(name, height)| (name.clone(), height)).collect();
        self.view_of_cluster(|view| {
            view.standing = self.standing_word(replica.standing());
            view.round = replica.round();
            view.heads = heads;
        });
    }

    /// A standing in words: whoever may vote and has no key does not.
    pub(crate) fn standing_word(&self, standing: &Standing) -> &'static str {
        if standing.votes() && !self.key.is_there() { AWAY } else { standing_word(standing) }
    }

    /// Looks at, or changes, what is known of the cluster.
    pub(crate) fn view_of_cluster<T>(&self, look: impl FnOnce(&mut ClusterView) -> T) -> T {
        look(&mut self.cluster_view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last durable state.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.borrow())
    }

    pub(crate) fn event(&self, event: Event) {
        self.events.event(event);
    }

    pub(crate) fn postponed(&self, what: &'static str, error: &impl Coded) {
        self.event(Event::Postponed { what, refused: Refused::of(error) });
    }

    pub(crate) fn protections(&self) -> Vec<Protection> {
        self.protections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_protections(&self, protections: Vec<Protection>) {
        *self.protections.lock().unwrap_or_else(PoisonError::into_inner) = protections;
    }

    pub(crate) fn tokens(&self) -> Vec<TokenView> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tokens.extend(self.key.token());
        tokens
    }

    pub(crate) fn set_tokens(&self, tokens: Vec<TokenView>) {
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// The enclave said that it is in its error state.
    pub(crate) fn enclave_is_unwell(&self, why: &Refusal) {
        let mut rows = self.protections.lock().unwrap_or_else(PoisonError::into_inner);
        rows.retain(|it| it.name != SELF_TESTS);
        rows.push(self_tests(Some(why)));
    }

    pub(crate) fn chains(&self) -> Vec<ChainStatus> {
        self.chains.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_chains(&self, chains: Vec<ChainStatus>) {
        *self.chains.lock().unwrap_or_else(PoisonError::into_inner) = chains;
    }
}

//! The watcher of requests that wait for a run: states what this node finds.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keystead_base::RequestId;
use keystead_decision::State;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::NodeError;
use crate::shared::Shared;

/// The watcher.
pub(crate) struct Simulator {
    pub(crate) shared: Arc<Shared>,
    /// When each request is looked at next; none while it is run.
    next: HashMap<RequestId, Option<Instant>>,
    runs: JoinSet<RequestId>,
}

impl Simulator {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, next: HashMap::new(), runs: JoinSet::new() }
    }

    /// Looks whenever the state changes, and from time to time.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
        let mut state = self.shared.state.clone();
        loop {
            self.look();
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                Some(ran) = self.runs.join_next() => self.ran(ran.ok()),
                _ = state.changed() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    fn look(&mut self) {
        let state = self.shared.state();
        let waiting: BTreeSet<RequestId> = state.awaiting_runs().map(|(id, _)| *id).collect();
        self.next.retain(|id, next| next.is_none() || waiting.contains(id));
        for id in waiting {
            if self.runs.len() < MAX_AT_ONCE && self.is_due(&state, id) {
                self.next.insert(id, None);
                self.runs.spawn(state_run(Arc::clone(&self.shared), id));
            }
        }
    }

    /// A run that broke off leaves its request to the other nodes.
    fn ran(&mut self, id: Option<RequestId>) {
        if let Some(id) = id {
            self.next.insert(id, Some(Instant::now() + PAUSE));
        }
    }

    /// The home of the key runs it first: one statement is enough, and each of them is an entry for ever. The
    /// others state theirs where it does not, one after the other.
    fn is_due(&mut self, state: &State, id: RequestId) -> bool {
        let now = Instant::now();
        let account = state.request(&id).and_then(|it| it.intent.action.account());
        let is_home = account.is_none_or(|it| self.shared.holds(state, &it.key));
        let others = state.roster().nodes.iter().filter(|node| node.name < self.shared.node).count();
        let turn = u32::try_from(others).unwrap_or(u32::MAX);
        let first = if is_home { now } else { now + PATIENCE + TURN.saturating_mul(turn) };
        self.next.entry(id).or_insert(Some(first)).is_some_and(|next| next <= now)
    }
}

/// Runs a request and tells the log. What is not known is tried again, and denied in the end by the log itself.
async fn state_run(shared: Arc<Shared>, id: RequestId) -> RequestId {
    match shared.simulate(id).await {
        Ok(simulation) => {
            let stated = tokio::time::timeout(PATIENCE, shared.report_simulation(simulation));
            // What takes longer is in the pool, and comes with a later block.
            if let Ok(Err(error)) = stated.await {
                shared.postponed("a simulation", &error);
            }
        }
        Err(error) => shared.postponed("a simulation", &error),
    }
    id
}

/// How often it looks where nothing changes.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a request is left alone after it was run.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the other nodes leave the first word to the key's home.
const PATIENCE: Duration = Duration::from_secs(4);
/// How much longer each of them than the one before.
const TURN: Duration = Duration::from_secs(1);
/// Requests that are run at once.
const MAX_AT_ONCE: usize = 8;

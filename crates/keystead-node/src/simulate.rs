//! The watcher of requests that wait for a run: states what this node finds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Name, RequestId, Timestamp};
use keystead_decision::State;
use keystead_policy::limits::{FIRST_RUN_SECONDS, NEXT_RUN_SECONDS};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::NodeError;
use crate::shared::Shared;

/// The watcher.
pub(crate) struct RunWatcher {
    pub(crate) shared: Arc<Shared>,
    seen: HashMap<RequestId, Seen>,
    runs: JoinSet<RequestId>,
}

/// What became of a request here so far.
struct Seen {
    attempts: u32,
    /// When it is looked at next; none while it is run.
    next: Option<Instant>,
    /// Whose it is, while it is run.
    runs_for: Option<Name>,
}

/// A request that could be run now. The order is the one in which they are: whoever had fewer turns, then whoever waits
/// longest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    attempts: u32,
    until: Timestamp,
    id: RequestId,
    requester: Name,
}

impl RunWatcher {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, seen: HashMap::new(), runs: JoinSet::new() }
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
        let waiting: BTreeMap<RequestId, Timestamp> =
            state.awaiting_runs().map(|(id, until)| (*id, until)).collect();
        self.seen.retain(|id, seen| seen.next.is_none() || waiting.contains_key(id));
        let due = waiting.into_iter().filter_map(|(id, until)| self.due(&state, id, until)).collect();
        let running: Vec<Name> = self.seen.values().filter_map(|it| it.runs_for.clone()).collect();
        for it in chosen(due, running) {
            let runs_for = Some(it.requester);
            self.seen.insert(it.id, Seen { attempts: it.attempts.saturating_add(1), next: None, runs_for });
            self.runs.spawn(state_run(Arc::clone(&self.shared), it.id));
        }
    }

    /// A run that broke off leaves its request to the other nodes.
    fn ran(&mut self, id: Option<RequestId>) {
        if let Some(seen) = id.and_then(|id| self.seen.get_mut(&id)) {
            seen.next = Some(Instant::now() + PAUSE);
            seen.runs_for = None;
        }
    }

    /// The home of the key runs it first: one statement is enough, and each of them is an entry for ever. The
    /// others state theirs where it does not, one after the other.
    fn due(&mut self, state: &State, id: RequestId, until: Timestamp) -> Option<Due> {
        let (now, intent) = (Instant::now(), &state.request(&id)?.intent);
        let is_home = intent.action.account().is_none_or(|it| self.shared.is_home(state, &it.key));
        let others = state.roster().nodes.iter().filter(|node| node.name < self.shared.node).count();
        let turn = u32::try_from(others).unwrap_or(u32::MAX);
        let first = if is_home { now } else { now + PATIENCE + TURN.saturating_mul(turn) };
        let unseen = || Seen { attempts: 0, next: Some(first), runs_for: None };
        let seen = self.seen.entry(id).or_insert_with(unseen);
        let is_due = seen.next.is_some_and(|next| next <= now);
        is_due.then(|| Due { attempts: seen.attempts, until, id, requester: intent.requester.clone() })
    }
}

/// Those that are run now, beside those that are run already for these requesters: none of them takes all places.
fn chosen(mut due: Vec<Due>, mut running: Vec<Name>) -> Vec<Due> {
    due.sort_unstable();
    let mut chosen = Vec::new();
    for it in due {
        let own = running.iter().filter(|name| **name == it.requester).count();
        if running.len() < MAX_AT_ONCE && own < MAX_OF_ONE_REQUESTER {
            running.push(it.requester.clone());
            chosen.push(it);
        }
    }
    chosen
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
const PATIENCE: Duration = Duration::from_secs(FIRST_RUN_SECONDS);
/// How much longer each of them than the one before.
const TURN: Duration = Duration::from_secs(NEXT_RUN_SECONDS);
/// Requests that are run at once.
const MAX_AT_ONCE: usize = 8;
/// Those of them that one requester asked for.
const MAX_OF_ONE_REQUESTER: usize = 3;

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    fn due(requester: &str, attempts: u32, until: u64, id: u8) -> Due {
        let (id, requester) = (RequestId(Digest([id; 32])), requester.parse().unwrap());
        Due { attempts, until: Timestamp(until), id, requester }
    }

    #[test]
    fn d03_a_requester_with_many_requests_keeps_nobody_from_a_run() {
        let flood: Vec<Due> = (0..50).map(|id| due("mallory", 0, 5, id)).collect();
        let honest = due("desk", 1, 9, 255);
        let ran = chosen([flood, vec![honest.clone()]].concat(), Vec::new());
        let own = ran.iter().filter(|it| it.requester.as_str() == "mallory").count();
        assert_eq!((own, ran.contains(&honest)), (MAX_OF_ONE_REQUESTER, true));
        let running = vec!["mallory".parse().unwrap(); MAX_OF_ONE_REQUESTER];
        let due = vec![due("mallory", 0, 5, 1), honest.clone()];
        assert_eq!(chosen(due, running), std::slice::from_ref(&honest));
        assert_eq!(chosen(vec![honest], vec!["other".parse().unwrap(); MAX_AT_ONCE]), []);
    }

    #[test]
    fn d03_whoever_had_fewer_turns_and_waits_longest_is_run_first() {
        let order = [due("a", 0, 3, 9), due("b", 0, 4, 1), due("c", 1, 1, 0)];
        assert_eq!(chosen(order.iter().rev().cloned().collect(), Vec::new()), order);
    }
}

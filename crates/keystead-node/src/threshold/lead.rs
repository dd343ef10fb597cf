//! Who leads a run, whom it takes, and when the next holder tries.

use std::collections::BTreeSet;
use std::time::Duration;

use keystead_base::{Name, RequestId};
use keystead_signing::{Abort, Culprit, SessionId};
use tokio::time::Instant;

/// The tries to sign one thing.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Counts them; each has another leader.
    pub(super) attempt: u32,
    /// When the next one begins.
    pub(super) due: Instant,
    /// Runs that this enclave takes part in.
    pub(super) sessions: Vec<SessionId>,
    /// Who was not heard in an earlier try.
    silent: BTreeSet<Name>,
}

impl Turns {
    /// The first try is due.
    pub(super) fn new(now: Instant) -> Self {
        Self { attempt: 0, due: now, sessions: Vec::new(), silent: BTreeSet::new() }
    }

    /// Begins a try, and says which one it is. Each of so many holders has led once before anybody waits longer: a right
    /// would expire while the turns of those who hang are waited out.
    pub(super) fn next(&mut self, now: Instant, holders: usize) -> u32 {
        let attempt = self.attempt;
        self.attempt = attempt.saturating_add(1);
        let rounds = usize::try_from(attempt).ok().and_then(|it| it.checked_div(holders)).unwrap_or_default();
        self.due = now + PATIENCE.saturating_mul(1 << rounds.min(MAX_DOUBLINGS));
        attempt
    }

    /// A try ended without a signature: the next begins, without whoever was named.
    pub(super) fn aborted(&mut self, session: SessionId, abort: &Abort, now: Instant) {
        if let Some(place) = self.sessions.iter().position(|it| *it == session) {
            self.sessions.swap_remove(place);
            if let Culprit::Node(name) = &abort.culprit {
                self.silent.insert(name.clone());
            }
            self.due = self.due.min(now + SHORT_PAUSE);
        }
    }

    /// Whom a leader takes: itself, and those next in the order that can be reached and were heard before. Where
    /// that is too few, whoever was silent gets another chance.
    pub(super) fn signers(
        &self,
        me: &Name,
        order: &[Name],
        threshold: usize,
        reachable: &BTreeSet<Name>,
    ) -> Option<Vec<Name>> {
        let others = || order.iter().filter(|it| *it != me && reachable.contains(*it));
        let heard = others().filter(|it| !self.silent.contains(*it));
        let silent = others().filter(|it| self.silent.contains(*it));
        let signers: Vec<Name> =
            std::iter::once(me).chain(heard).chain(silent).take(threshold).cloned().collect();
        (signers.len() == threshold).then_some(signers)
    }
}

/// The holders in the order in which they lead the runs of a request: everybody computes the same. Each request, being
/// a digest, begins elsewhere, and so does each right for it, which stands at another height.
pub(super) fn order(holders: &[Name], (request, height): (&RequestId, u64), attempt: u32) -> Vec<Name> {
    let [first, second, ..] = request.0.0;
    let begins = u64::from(u16::from_be_bytes([first, second])).wrapping_add(height);
    let turn = begins.wrapping_add(u64::from(attempt));
    let mut order = holders.to_vec();
    let shift = turn.checked_rem(order.len() as u64).and_then(|it| usize::try_from(it).ok());
    order.rotate_left(shift.unwrap_or_default());
    order
}

/// The first in the order that can be reached.
pub(super) fn leader<'a>(order: &'a [Name], me: &Name, reachable: &BTreeSet<Name>) -> Option<&'a Name> {
    order.iter().find(|name| *name == me || reachable.contains(*name))
}

/// How long each try of the first round has; each later round has twice as long as the one before.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_DOUBLINGS: usize = 4;
/// After an abort: time for the others to see it too.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use keystead_base::Digest;
    use keystead_signing::Fault;

    use super::*;

    fn names(text: &str) -> Vec<Name> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn set(text: &str) -> BTreeSet<Name> {
        names(text).into_iter().collect()
    }

    #[test]
    fn d03_every_holder_leads_once_and_who_is_away_is_passed_over() {
        let (holders, request) = (names("a b c"), RequestId(Digest([4; 32])));
        let first: BTreeSet<Name> =
            (0..3).map(|attempt| order(&holders, (&request, 7), attempt)[0].clone()).collect();
        assert_eq!(first, set("a b c"));
        let renewed = order(&holders, (&request, 8), 0);
        assert_ne!(renewed, order(&holders, (&request, 7), 0), "a right that is renewed begins elsewhere");
        let turns = order(&holders, (&request, 7), 0);
        let (me, rest) = (&turns[1], BTreeSet::from([turns[2].clone()]));
        assert_eq!(leader(&turns, me, &rest), Some(me), "the first cannot be reached");
        assert_eq!(leader(&turns, me, &turns.iter().cloned().collect()), Some(&turns[0]));
    }

    /// Of five holders the first four hang: the fifth leads within the life of a right.
    #[test]
    fn d03_every_holder_has_led_before_anybody_waits_longer() {
        let start = Instant::now();
        let mut turns = Turns::new(start);
        for attempt in 0..5 {
            assert_eq!(turns.next(turns.due, 5), attempt);
            assert_eq!(turns.due, start + PATIENCE * (attempt + 1));
        }
        turns.next(turns.due, 5);
        assert_eq!(turns.due, start + PATIENCE * 7, "the second round waits twice as long");
    }

    #[test]
    fn d03_whoever_was_named_is_taken_last() {
        let (me, order): (Name, _) = ("a".parse().unwrap(), names("a b c"));
        let mut turns = Turns::new(Instant::now());
        let session = SessionId(Digest([1; 32]));
        assert_eq!(turns.signers(&me, &order, 2, &set("b c")), Some(names("a b")));
        turns.sessions.push(session);
        let abort = Abort { session, culprit: Culprit::Node("b".parse().unwrap()), fault: Fault::Silence };
        turns.aborted(session, &abort, Instant::now());
        assert_eq!(turns.signers(&me, &order, 2, &set("b c")), Some(names("a c")));
        assert_eq!(turns.signers(&me, &order, 2, &set("b")), Some(names("a b")), "better than nobody");
        assert_eq!(turns.signers(&me, &order, 2, &set("")), None);
    }
}

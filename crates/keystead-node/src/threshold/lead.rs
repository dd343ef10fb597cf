//! Who leads a run, whom it takes, and when the next holder tries.

use std::collections::BTreeSet;
use std::time::Duration;

use keystead_base::{Name, RequestId, Timestamp};
use keystead_signing::{SessionId, Tried};
use tokio::time::Instant;

use super::nearness::Nearness;
use crate::clock;

/// The tries to sign one thing.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Counts them; each has another leader.
    pub(super) attempt: u32,
    /// When the next one begins.
    pub(super) due: Instant,
    /// Since when it is wanted.
    pub(super) begun: Timestamp,
    /// Who signs in the last run that this enclave takes part in.
    pub(super) signers: Vec<Name>,
    /// Runs that this enclave takes part in.
    sessions: Vec<Run>,
}

/// A run that this enclave takes part in.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    session: SessionId,
    /// The try that it belongs to.
    attempt: u32,
    signers: Vec<Name>,
}

impl Turns {
    /// The first try is due.
    pub(super) fn new(now: Instant) -> Self {
        Self { attempt: 0, due: now, begun: clock::now(), signers: Vec::new(), sessions: Vec::new() }
    }

    /// Begins a try, and says which one it is. Each of so many holders has led once before anybody waits longer: a right
    /// would expire while the turns of those who hang are waited out. A run takes its time among `others` that are wanted, too:
    /// where nobody waited for it, everybody's work would be begun anew and come to nothing.
    pub(super) fn next(&mut self, now: Instant, holders: usize, others: usize) -> u32 {
        let attempt = self.attempt;
        self.attempt = attempt.saturating_add(1);
        let rounds = usize::try_from(attempt).ok().and_then(|it| it.checked_div(holders)).unwrap_or_default();
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let patience = PATIENCE + SHARE_OF_OTHERS.saturating_mul(others).min(MAX_FOR_OTHERS);
        self.due = now + patience.saturating_mul(1 << rounds.min(MAX_DOUBLINGS));
        attempt
    }

    /// This enclave takes part in a run to which its leader called in this try.
    ///
    /// A leader whose clock, or whose block, was a moment ahead calls to a try that has not begun here: the run is of that try
    /// and not of the one before, with which it would be given up. None is of a later one than the next, whatever is said.
    pub(super) fn joined(&mut self, session: SessionId, attempt: u32, signers: &[Name]) {
        let attempt = attempt.min(self.attempt);
        self.sessions.push(Run { session, attempt, signers: signers.to_vec() });
        self.signers = signers.to_vec();
    }

    /// The runs of all tries before the one that begins next.
    pub(super) fn over(&self) -> Vec<SessionId> {
        self.sessions.iter().filter(|run| run.attempt < self.attempt).map(|run| run.session).collect()
    }

    /// Who signs in a run, if it is one of these tries.
    pub(super) fn signers_of(&self, session: SessionId) -> Option<&[Name]> {
        self.sessions.iter().find(|run| run.session == session).map(|run| run.signers.as_slice())
    }

    /// A try ended without a signature: the next begins. Who was to sign, if it was one of these tries.
    pub(super) fn aborted(&mut self, session: SessionId, now: Instant) -> Option<Vec<Name>> {
        let place = self.sessions.iter().position(|run| run.session == session)?;
        self.due = self.due.min(now + SHORT_PAUSE);
        Some(self.sessions.swap_remove(place).signers)
    }

    /// A run of it signed a part: the next part begins at once, in the try that signed, so that its leader leads on.
    ///
    /// INVARIANT D3: a part that was signed already moves no turn, or whoever signs it again would keep the next one waiting.
    pub(super) fn goes_on(&mut self, session: SessionId, is_new: bool, now: Instant) {
        self.sessions.retain(|run| run.session != session);
        if !is_new {
            return;
        }
        self.attempt = self.attempt.saturating_sub(1);
        // The leader may have called to the next part already: another try would give that run up.
        self.due = if self.sessions.is_empty() { now } else { now + PATIENCE };
    }
}

/// Whom a leader takes: itself, and of those that can be reached the nearest first, and of those about as near the next in the order.
/// Whoever was named not long ago is taken where that is too few, and no set again before every other one.
pub(super) fn signers(
    me: &Name,
    (order, threshold): (&[Name], usize),
    reachable: &BTreeSet<Name>,
    (near, tried): (&Nearness, &mut Tried),
) -> Option<Vec<Name>> {
    let mut others: Vec<_> = order.iter().filter(|it| *it != me && reachable.contains(*it)).collect();
    others.sort_by_key(|it| (near.ailing.contains(*it), near.class(me, it)));
    tried.next(me, &others, threshold)
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

/// The first in the order that can be reached. In the first try it is one that is not far from the others and was not named, if
/// there is any.
///
/// INVARIANT D3: in the later ones everybody's turn comes, whatever is measured or said.
pub(super) fn leader<'a>(
    order: &'a [Name],
    me: &Name,
    reachable: &BTreeSet<Name>,
    (near, threshold, attempt): (&Nearness, usize, u32),
) -> Option<&'a Name> {
    let mut there = order.iter().filter(|name| *name == me || reachable.contains(*name));
    let first = there.clone().next();
    let fit = |it: &&Name| !near.ailing.contains(*it) && !near.is_behind(it, order, threshold);
    if attempt == 0 { there.find(fit).or(first) } else { first }
}

/// How long each try of the first round has; each later round has twice as long as the one before.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_DOUBLINGS: usize = 4;
/// What each other run that is wanted adds: some of the CPU that it takes on a slow machine.
const SHARE_OF_OTHERS: Duration = Duration::from_millis(100);
const MAX_FOR_OTHERS: Duration = Duration::from_secs(6);
/// After an abort: time for the others to see it too.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use keystead_base::Digest;
    use keystead_signing::Culprit;

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
        let near = Nearness::default();
        assert_eq!(leader(&turns, me, &rest, (&near, 2, 0)), Some(me), "the first cannot be reached");
        assert_eq!(leader(&turns, me, &set("a b c"), (&near, 2, 0)), Some(&turns[0]));
    }

    /// From each of three to each other one; the last is far from both.
    fn far_c() -> Nearness {
        let row = |to: &[(&str, u32)]| to.iter().map(|(to, it)| (to.parse().unwrap(), *it)).collect();
        let rows = [
            ("a", row(&[("b", 300), ("c", 240_000)])),
            ("b", row(&[("a", 300), ("c", 240_000)])),
            ("c", row(&[("a", 240_000), ("b", 240_000)])),
        ];
        let table = rows.into_iter().map(|(from, row)| (from.parse().unwrap(), row)).collect();
        Nearness { table, ailing: BTreeSet::new() }
    }

    #[test]
    fn d03_the_nearest_sign_first_and_whoever_is_far_where_it_is_needed() {
        let (me, order, near): (Name, _, _) = ("a".parse().unwrap(), names("c b a"), far_c());
        let taken = |reachable: &str, threshold, near: &Nearness, tried: &mut Tried| {
            signers(&me, (&order, threshold), &set(reachable), (near, tried)).unwrap()
        };
        let mut tried = Tried::default();
        assert_eq!(taken("b c", 2, &near, &mut tried), names("a b"));
        assert_eq!(taken("c", 2, &near, &mut tried), names("a c"), "the only one");
        assert_eq!(taken("b c", 3, &near, &mut tried), names("a b c"));
        let ailing = Nearness { ailing: set("b"), ..near.clone() };
        assert_eq!(taken("b c", 2, &ailing, &mut tried), names("a c"), "b was named");
        tried.failed(&me, &names("a b"), &Culprit::Unknown);
        assert_eq!(taken("b c", 2, &near, &mut tried), names("a c"), "a and b came to nothing");
        assert_eq!(taken("b", 2, &near, &mut tried), names("a b"), "better than nobody");
        assert_eq!(signers(&me, (&order, 2), &set(""), (&near, &mut tried)), None);
    }

    #[test]
    fn d03_whoever_is_far_leads_no_first_try_and_has_its_turn_later() {
        let (order, near, all) = (names("c b a"), far_c(), set("a b c"));
        for me in &order {
            let led = |attempt| leader(&order, me, &all, (&near, 2, attempt)).map(Name::as_str);
            assert_eq!((led(0), led(1)), (Some("b"), Some("c")), "as {me} sees it");
        }
        let alone = BTreeSet::new();
        assert_eq!(leader(&order, &order[0], &alone, (&near, 2, 0)), Some(&order[0]), "nobody else is there");
        let near = Nearness { ailing: set("b"), ..near };
        assert_eq!(leader(&order, &order[2], &all, (&near, 2, 0)), Some(&order[2]), "b was named");
    }

    /// Of five holders the first four hang: the fifth leads within the life of a right.
    #[test]
    fn d03_every_holder_has_led_before_anybody_waits_longer() {
        let start = Instant::now();
        let mut turns = Turns::new(start);
        for attempt in 0..5 {
            assert_eq!(turns.next(turns.due, 5, 0), attempt);
            assert_eq!(turns.due, start + PATIENCE * (attempt + 1));
        }
        turns.next(turns.due, 5, 0);
        assert_eq!(turns.due, start + PATIENCE * 7, "the second round waits twice as long");
    }

    #[test]
    fn d03_a_try_among_many_has_longer_and_never_for_ever() {
        let start = Instant::now();
        for (others, longer) in [(0, Duration::ZERO), (10, SHARE_OF_OTHERS * 10), (100_000, MAX_FOR_OTHERS)] {
            let mut turns = Turns::new(start);
            turns.next(start, 5, others);
            assert_eq!(turns.due, start + PATIENCE + longer, "{others}");
        }
    }

    #[test]
    fn a_try_that_ends_says_who_was_to_sign_and_the_next_is_due_soon() {
        let (now, session) = (Instant::now(), SessionId(Digest([1; 32])));
        let mut turns = Turns::new(now);
        turns.next(now, 3, 0);
        turns.joined(session, 0, &names("a b"));
        assert_eq!(turns.signers_of(session), Some(&*names("a b")));
        assert_eq!(turns.aborted(session, now), Some(names("a b")));
        assert_eq!((turns.aborted(session, now), turns.due), (None, now + SHORT_PAUSE));
    }

    /// A leader that was a moment ahead, by its block or by its clock, called to a try before it was due here.
    #[test]
    fn d03_a_run_that_its_leader_began_a_moment_early_is_not_given_up_with_the_try_before() {
        let (now, [early, ahead, far]) = (Instant::now(), [1, 2, 3].map(|it| SessionId(Digest([it; 32]))));
        let mut turns = Turns::new(now);
        turns.joined(early, 0, &names("a b"));
        assert_eq!(turns.over(), [], "the first try begins with it");
        assert_eq!(turns.next(now, 3, 0), 0);
        turns.joined(ahead, 1, &names("b c"));
        turns.joined(far, u32::MAX, &names("b c"));
        assert_eq!(turns.over(), [early], "the second begins with the others");
        assert_eq!(turns.next(turns.due, 3, 0), 1);
        assert_eq!(turns.over(), [early, ahead, far], "nobody keeps a run for ever by a large number");
    }

    #[test]
    fn d03_the_next_part_has_the_leader_of_the_last_one_and_ends_no_run_that_began_meanwhile() {
        let (holders, request, now) = (names("a b c"), RequestId(Digest([4; 32])), Instant::now());
        let mut turns = Turns::new(now);
        let first = turns.next(now, 3, 0);
        let (signed, called) = (SessionId(Digest([1; 32])), SessionId(Digest([2; 32])));
        let run = |session| Run { session, attempt: first, signers: names("a b") };
        let begin = |turns: &mut Turns| {
            turns.sessions = vec![run(signed), run(called)];
        };
        begin(&mut turns);
        turns.goes_on(signed, true, now);
        assert_eq!((turns.sessions.as_slice(), turns.due), (&[run(called)][..], now + PATIENCE));
        turns.goes_on(called, true, now);
        assert_eq!(turns.due, now);
        turns.attempt = first + 1;
        let (before, later) = (turns.due, now + PATIENCE);
        begin(&mut turns);
        turns.goes_on(signed, false, later);
        assert_eq!((turns.due, turns.attempt), (before, first + 1), "signed once more, it moves nothing");
        turns.goes_on(called, true, now);
        let right = (&request, 7);
        assert_eq!(order(&holders, right, turns.next(now, 3, 0)), order(&holders, right, first));
    }
}

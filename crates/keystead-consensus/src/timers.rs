//! The timers that a replica asked for and that have not run out yet.

use std::collections::BTreeMap;

use crate::Timer;

/// Timers, each with the moment at which it runs out, in whatever its keeper tells time by.
///
/// A replica that sits down anew at a height asks again for what it asked for before. A timer that runs goes on as it was:
/// a second one would have the same words said twice for as long as the height lasts, and one that was put off each time
/// would never run out where a token comes and goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers<T>(BTreeMap<Timer, T>);

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + Ord> Timers<T> {
    /// Sets a timer that does not run yet.
    pub fn set(&mut self, timer: Timer, at: T) {
        self.0.entry(timer).or_insert(at);
    }

    /// How many run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the next one runs out.
    #[must_use]
    pub fn next(&self) -> Option<T> {
        self.0.values().min().copied()
    }

    /// Takes the one out that ran out first, if any has by now.
    pub fn take(&mut self, now: T) -> Option<Timer> {
        let (timer, _) =
            self.0.iter().filter(|(_, at)| **at <= now).min_by_key(|(timer, at)| (**at, **timer))?;
        let timer = *timer;
        self.0.remove(&timer);
        Some(timer)
    }

    /// Forgets those of heights that are over.
    pub fn keep_from(&mut self, height: u64) {
        self.0.retain(|timer, _| timer.height >= height);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TimeoutStep;

    fn timer(height: u64, round: u32) -> Timer {
        Timer { height, round, step: TimeoutStep::Rebroadcast }
    }

    #[test]
    fn d03_a_timer_that_is_asked_for_again_runs_out_once_and_is_not_put_off() {
        let mut timers = Timers::default();
        timers.set(timer(1, 0), 5);
        timers.set(timer(1, 1), 3);
        timers.set(timer(1, 0), 7);
        assert_eq!((timers.next(), timers.take(2)), (Some(3), None));
        assert_eq!(
            [timers.take(9), timers.take(9), timers.take(9)],
            [Some(timer(1, 1)), Some(timer(1, 0)), None]
        );
        timers.set(timer(1, 0), 9);
        assert_eq!(timers.next(), Some(9), "one that ran out may be asked for again");
        timers.set(timer(2, 0), 4);
        timers.keep_from(2);
        assert_eq!([timers.take(9), timers.take(9)], [Some(timer(2, 0)), None]);
    }
}

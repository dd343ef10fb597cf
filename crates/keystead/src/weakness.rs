//! The search for weak generators, on all cores, and how far it is.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use keystead_base::{Secret, Timestamp};
use keystead_entropy::weak::{Family, Material, WeakSeed, check};

use crate::output::Voice;

/// A seed or a key from elsewhere.
pub(crate) enum Brought {
    Entropy(Secret<Vec<u8>>),
    Key(Secret<[u8; 32]>),
}

/// What is tried beyond what is seen at once.
pub(crate) struct Aim {
    /// Every seed of the families of 2^32.
    pub(crate) all: bool,
    /// The milliseconds in which a browser's pool was filled.
    pub(crate) clock: Option<Range<u64>>,
}

/// The milliseconds of a day in UTC, `2013-06-01`, of those from which a browser of the family can be.
pub(crate) fn day(text: &str) -> Option<Range<u64>> {
    let years = Family::Randstorm { delay: POOL_DELAY_MILLIS }.seeds();
    let mut days = (years.start / DAY_MILLIS..years.end / DAY_MILLIS).map(|it| it * DAY_MILLIS);
    let is_it = |from: &u64| text.len() == 10 && Timestamp(*from).to_string().starts_with(text);
    days.find(is_it).map(|from| from..from + DAY_MILLIS)
}

/// Searches, and says what was tried.
pub(crate) fn search(brought: &Brought, aim: &Aim, voice: Voice) -> (String, Result<(), WeakSeed>) {
    let (material, secret) = match brought {
        Brought::Entropy(it) => (Material::Entropy(it.expose()), it.expose().as_slice()),
        Brought::Key(it) => (Material::Key(it.expose()), it.expose().as_slice()),
    };
    let mut told = match check(&material) {
        Ok(searched) => searched.to_string(),
        Err(weak) => return ("what is seen at once".to_owned(), Err(weak)),
    };
    let families = material.long_searches().iter().map(|it| (*it, it.seeds()));
    let families = families.filter(|_| aim.all);
    let browser = aim.clock.clone().map(|it| (Family::Randstorm { delay: POOL_DELAY_MILLIS }, it));
    for (family, seeds) in families.chain(browser) {
        told += &format!("; {} seeds of {family}", seeds.end - seeds.start);
        if let Err(weak) = everywhere(family, secret, &seeds, voice) {
            return (told, Err(weak));
        }
    }
    (told, Ok(()))
}

/// All of these seeds, piece by piece on each core, until one is found.
fn everywhere(family: Family, secret: &[u8], seeds: &Range<u64>, voice: Voice) -> Result<(), WeakSeed> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (next, done, ended) = (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicBool::new(false));
    let all = seeds.end - seeds.start;
    let work = || {
        while !ended.load(Ordering::Relaxed) {
            let from = next.fetch_add(PIECE, Ordering::Relaxed);
            if from >= seeds.end {
                break;
            }
            let to = (from + PIECE).min(seeds.end);
            if let Err(weak) = family.search(secret, from..to) {
                ended.store(true, Ordering::Relaxed);
                return Err(weak);
            }
            let before = done.fetch_add(to - from, Ordering::Relaxed);
            let [before, now] = [before, before + to - from].map(|it| it * STEPS / all);
            if now > before {
                voice.progress(&format!("{family}: {} of 100, of {all} seeds", now * 100 / STEPS));
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| match worker.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .fold(Ok(()), Result::and)
    })
}

/// Seeds that are tried between two looks at whether somebody else has found it.
const PIECE: u64 = 1 << 20;
/// How often a search says how far it is.
const STEPS: u64 = 20;
const DAY_MILLIS: u64 = 24 * 3600 * 1000;
/// How long after a page was loaded its wallet was made, at most.
const POOL_DELAY_MILLIS: u8 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Voice {
        Voice { json: true }
    }

    #[test]
    fn a_day_is_one_of_those_in_which_a_browser_had_the_pool() {
        assert_eq!(day("2013-06-01"), Some(1_370_044_800_000..1_370_131_200_000));
        for text in ["2010-12-31", "2016-01-01", "2013-06-31", "2013-06", "2013-06-01 ", ""] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    /// The entropy that `bx seed` gave at the time 0, and one byte beside it.
    #[test]
    fn e2_a_search_on_all_cores_finds_its_seed_and_ends() {
        let mut milk_sad =
            const_hex::decode("8c97b7d89adb8bd86c9fa562704ce40ef645627acacf877a9164ecd6125616a5").unwrap();
        let found = everywhere(Family::MilkSad, &milk_sad, &(0..3 * PIECE), silent());
        assert_eq!(found, Err(WeakSeed::Made { family: Family::MilkSad, seed: 0 }));
        milk_sad[31] ^= 1;
        assert_eq!(everywhere(Family::MilkSad, &milk_sad, &(0..2 * PIECE + 5), silent()), Ok(()));
    }
}

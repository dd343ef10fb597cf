//! What a pure function gave for its newest arguments. Each of our nodes reads one wallet and derives one place of it
//! many times for every request: where it is admitted, judged, applied, signed and heard of.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

/// Results by the whole argument, so that none is ever another argument's. Public data only: what a lookup takes says
/// what was asked for before.
pub(crate) struct Memo<K: Hash + Eq, V>(Mutex<LruCache<K, V>>);

impl<K: Hash + Eq, V: Clone> Memo<K, V> {
    /// Keeps so many results; the one that was used longest ago gives way.
    pub(crate) fn of(kept: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(kept)))
    }

    /// What is kept, or what `make` gives, which is kept unless it is an error.
    pub(crate) fn get<E>(&self, key: &K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        K: Clone,
    {
        if let Some(value) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(value.clone());
        }
        let made = make()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key.clone(), made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_made_once_while_it_is_kept_and_an_error_each_time() {
        let memo = Memo::of(NonZeroUsize::MIN.saturating_add(1));
        let made = std::cell::Cell::new(0);
        let ask = |key: u8| {
            memo.get(&key, || {
                made.set(made.get() + 1);
                if key == 9 { Err("nine") } else { Ok(key + 1) }
            })
        };
        assert_eq!((ask(1), ask(2), ask(1), made.get()), (Ok(2), Ok(3), Ok(2), 2));
        assert_eq!((ask(3), ask(1), made.get()), (Ok(4), Ok(2), 3), "2 was used longest ago");
        assert_eq!((ask(2), made.get()), (Ok(3), 4));
        assert_eq!((ask(9), ask(9), made.get()), (Err("nine"), Err("nine"), 6));
    }
}

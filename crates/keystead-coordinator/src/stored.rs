//! How much of what callers may ask for again is kept for each of them: no token fills the room of all.

use std::collections::HashMap;
use std::io;

/// What is kept, by whose it is.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    each: HashMap<String, Sum>,
    all: Sum,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: usize,
    bytes: usize,
}

impl Sum {
    fn with(self, other: Self) -> Self {
        Self { count: self.count.saturating_add(other.count), bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn fits(self, count: usize, bytes: usize) -> bool {
        self.count <= count && self.bytes <= bytes
    }
}

impl Stored {
    /// Of these owners and sizes.
    pub(crate) fn of<'a>(kept: impl Iterator<Item = (&'a str, usize)>) -> Self {
        let mut stored = Self::default();
        kept.for_each(|(owner, bytes)| stored.add(owner, bytes));
        stored
    }

    /// Something more is kept.
    pub(crate) fn add(&mut self, owner: &str, bytes: usize) {
        let one = Sum { count: 1, bytes };
        self.all = self.all.with(one);
        let own = self.each.entry(owner.to_owned()).or_default();
        *own = own.with(one);
    }

    /// Something is kept no longer.
    pub(crate) fn remove(&mut self, owner: &str, bytes: usize) {
        let less = |sum: &mut Sum| {
            sum.count = sum.count.saturating_sub(1);
            sum.bytes = sum.bytes.saturating_sub(bytes);
        };
        less(&mut self.all);
        if let Some(own) = self.each.get_mut(owner) {
            less(own);
            if own.count == 0 {
                self.each.remove(owner);
            }
        }
    }

    /// Whether so much more has room. Whoever may do everything has no name, and what all have together.
    ///
    /// # Errors
    ///
    /// `QuotaExceeded` when this owner has too much, `StorageFull` when all together have.
    pub(crate) fn check(&self, owner: &str, count: usize, bytes: usize) -> io::Result<()> {
        let more = Sum { count, bytes };
        let own = self.each.get(owner).copied().unwrap_or_default().with(more);
        if !owner.is_empty() && !own.fits(MAX_OWN, MAX_OWN_BYTES) {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "this caller has too much remembered"));
        }
        match self.all.with(more).fits(MAX_REMEMBERED, MAX_BYTES) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::StorageFull, "too many requests are remembered")),
        }
    }
}

/// The most requests that are remembered at once.
pub(crate) const MAX_REMEMBERED: usize = 100_000;
/// Of those, of one token.
const MAX_OWN: usize = 10_000;
/// Bytes of the requests that are remembered: most have some hundreds.
const MAX_BYTES: usize = 256 * 1024 * 1024;
const MAX_OWN_BYTES: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a04_no_token_fills_the_room_of_all() {
        let mut stored = Stored::of([("ci", MAX_OWN_BYTES - 1), ("", 5)].into_iter());
        let kind = |found: io::Result<()>| found.err().map(|error| error.kind());
        assert_eq!(kind(stored.check("ci", 1, 1)), None);
        assert_eq!(kind(stored.check("ci", 1, 2)), Some(io::ErrorKind::QuotaExceeded), "by bytes");
        assert_eq!(
            kind(stored.check("pay", MAX_OWN + 1, 0)),
            Some(io::ErrorKind::QuotaExceeded),
            "by number"
        );
        assert_eq!(kind(stored.check("pay", MAX_OWN, 2)), None, "another one has room");
        assert_eq!(kind(stored.check("", MAX_OWN + 1, MAX_OWN_BYTES)), None);
        assert_eq!(kind(stored.check("", 1, MAX_BYTES)), Some(io::ErrorKind::StorageFull));
        assert_eq!(kind(stored.check("", MAX_REMEMBERED, 0)), Some(io::ErrorKind::StorageFull));
        stored.remove("ci", MAX_OWN_BYTES - 1);
        stored.remove("", 5);
        assert_eq!((stored.all, stored.each.len()), (Sum::default(), 0));
    }
}

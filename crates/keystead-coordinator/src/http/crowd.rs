//! How many connections each address has: before anybody has shown anything, that is all that is known of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections that are open, by where they come from.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<HashMap<IpAddr, usize>>);

/// One of them, until its drop.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Arc<Crowd>,
    from: IpAddr,
}

impl Crowd {
    /// One more from there, unless there are `most` already.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr, most: usize) -> Option<Member> {
        let from = holder(from);
        let mut open = self.open();
        let count = open.entry(from).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Member { crowd: Arc::clone(self), from })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut open = self.crowd.open();
        if let Some(count) = open.get_mut(&self.from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.from);
            }
        }
    }
}

/// Whoever has one address of version 6 has the 64 bits behind it.
fn holder(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(it) => it.into(),
        IpAddr::V6(it) => std::net::Ipv6Addr::from_bits(it.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a01_one_address_never_has_the_connections_of_all() {
        let crowd = Arc::new(Crowd::default());
        let enter = |from: &str| crowd.enter(from.parse().unwrap(), 2);
        for (from, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
        ] {
            let mut held = vec![enter(from).unwrap(), enter(same).unwrap()];
            assert!(enter(from).is_none() && enter(same).is_none(), "{from}");
            assert!(enter(other).is_some(), "{other}");
            held.pop();
            assert!(enter(from).is_some(), "a place that is left is free");
        }
        assert!(crowd.open().is_empty(), "nothing is remembered of whoever left");
    }
}

//! Messages of runs that this enclave has not begun yet: its own certificate may come a moment later.

use std::collections::VecDeque;

use keystead_base::Name;
use keystead_threshold::{Message, SessionId};

/// Kept unverified; the oldest give way.
#[derive(Default)]
pub(super) struct Early {
    waiting: VecDeque<(Place, Vec<u8>)>,
    bytes: usize,
}

/// What a message says of itself; nothing of it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) session: SessionId,
    /// The round in which somebody says it to all; none where it is for one node.
    pub(super) to_all: Option<(Name, u8)>,
}

impl Place {
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        let message = Message::read(message).ok()?;
        let to_all = match &message {
            Message::Broadcast(signed) => Some((signed.signer.clone(), signed.body.round)),
            Message::Letter(_) => None,
        };
        Some(Self { session: message.session(), to_all })
    }
}

impl Early {
    pub(super) fn keep(&mut self, place: Place, message: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(message.len());
        self.waiting.push_back((place, message));
        while self.waiting.len() > MAX_EARLY || self.bytes > MAX_EARLY_BYTES {
            let Some((_, oldest)) = self.waiting.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    /// What else the same sender is said to have told all in the same round, the newest first.
    pub(super) fn beside<'a>(&'a self, place: &'a Place) -> impl Iterator<Item = &'a [u8]> {
        let of_it = self.waiting.iter().rev().filter(move |(it, _)| it.to_all.is_some() && it == place);
        of_it.map(|(_, message)| message.as_slice()).take(MAX_BESIDE)
    }

    /// Those of a run that begins, in the order in which they came.
    pub(super) fn take(&mut self, session: SessionId) -> Vec<Vec<u8>> {
        let (of_it, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(it, _)| it.session == session);
        self.waiting = left;
        let messages: Vec<Vec<u8>> = of_it.into_iter().map(|(_, message)| message).collect();
        self.bytes = self.bytes.saturating_sub(messages.iter().map(Vec::len).sum());
        messages
    }
}

const MAX_EARLY: usize = 1024;
const MAX_EARLY_BYTES: usize = 16 * 1024 * 1024;
/// Each is verified, once the newest one was.
const MAX_BESIDE: usize = 8;

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    #[test]
    fn what_comes_early_is_bounded_and_comes_in_its_order() {
        let mut early = Early::default();
        let [ours, other] = [1, 2].map(|byte| SessionId(Digest([byte; 32])));
        let direct = |session| Place { session, to_all: None };
        for n in 0..MAX_EARLY {
            early.keep(direct(if n % 2 == 0 { ours } else { other }), n.to_le_bytes().to_vec());
        }
        early.keep(direct(other), vec![0; 8]);
        let taken = early.take(ours);
        assert_eq!(taken.len(), MAX_EARLY / 2 - 1, "the oldest gave way");
        assert!(taken.windows(2).all(|pair| pair[0] < pair[1] || pair[0][0] > pair[1][0]));
        early.keep(direct(ours), vec![0; MAX_EARLY_BYTES]);
        assert!(early.take(other).is_empty());
        assert_eq!((early.take(ours).len(), early.bytes), (1, 0));
    }

    #[test]
    fn what_is_said_beside_it_is_a_few_of_one_place() {
        let mut early = Early::default();
        let session = SessionId(Digest([1; 32]));
        let place = |who: &str, round| Place { session, to_all: Some((who.parse().unwrap(), round)) };
        for n in 0..=MAX_BESIDE {
            early.keep(place("b", 0), vec![u8::try_from(n).unwrap()]);
        }
        early.keep(place("b", 2), vec![99]);
        early.keep(place("c", 0), vec![99]);
        early.keep(Place { session, to_all: None }, vec![99]);
        let newest: Vec<u8> = early.beside(&place("b", 0)).flatten().copied().collect();
        assert_eq!(newest, [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(early.beside(&Place { session, to_all: None }).count(), 0);
    }
}

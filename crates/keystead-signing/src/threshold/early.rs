//! Messages of runs that this enclave has not begun yet: its own certificate may come a moment later.

use std::collections::VecDeque;

use keystead_threshold::{Message, SessionId};

/// Kept unread and unverified; the oldest give way.
#[derive(Default)]
pub(super) struct Early {
    waiting: VecDeque<(SessionId, Vec<u8>)>,
    bytes: usize,
}

impl Early {
    pub(super) fn keep(&mut self, session: SessionId, message: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(message.len());
        self.waiting.push_back((session, message));
        while self.waiting.len() > MAX_EARLY || self.bytes > MAX_EARLY_BYTES {
            let Some((_, oldest)) = self.waiting.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    /// Those of a run that begins, in the order in which they came.
    pub(super) fn take(&mut self, session: SessionId) -> Vec<Vec<u8>> {
        let (of_it, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(id, _)| *id == session);
        self.waiting = left;
        let messages: Vec<Vec<u8>> = of_it.into_iter().map(|(_, message)| message).collect();
        self.bytes = self.bytes.saturating_sub(messages.iter().map(Vec::len).sum());
        messages
    }
}

/// Which run a message names; nothing of it is believed yet.
pub(super) fn named_run(message: &[u8]) -> Option<SessionId> {
    Message::read(message).ok().map(|it| it.session())
}

const MAX_EARLY: usize = 1024;
const MAX_EARLY_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    #[test]
    fn what_comes_early_is_bounded_and_comes_in_its_order() {
        let mut early = Early::default();
        let [ours, other] = [1, 2].map(|byte| SessionId(Digest([byte; 32])));
        for n in 0..MAX_EARLY {
            early.keep(if n % 2 == 0 { ours } else { other }, n.to_le_bytes().to_vec());
        }
        early.keep(other, vec![0; 8]);
        let taken = early.take(ours);
        assert_eq!(taken.len(), MAX_EARLY / 2 - 1, "the oldest gave way");
        assert!(taken.windows(2).all(|pair| pair[0] < pair[1] || pair[0][0] > pair[1][0]));
        early.keep(ours, vec![0; MAX_EARLY_BYTES]);
        assert!(early.take(other).is_empty());
        assert_eq!((early.take(ours).len(), early.bytes), (1, 0));
    }
}

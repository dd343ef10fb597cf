//! The parent's side of keys in shares.

use keystead_base::Name;
use keystead_decision::{Certificate, Dealing, ProvenSeat};
use keystead_threshold::{Record, SessionId};

use super::{ClientError, EnclaveClient, FRAME_SLACK, batches, unexpected};
use crate::MAX_FRAME_BYTES;
use crate::protocol::{Reply, Request, SeatFor, SplitWhole, TakeDealing, WholeKey};
use crate::threshold::{Progress, RunStart};

impl EnclaveClient {
    /// Tells the journal of threshold runs, before any run begins.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn recall(&mut self, records: Vec<Record>) -> Result<(), ClientError> {
        let parts = batches(records, MAX_FRAME_BYTES.saturating_sub(FRAME_SLACK));
        parts.into_iter().try_for_each(|records| self.done(&Request::Recall(records)))
    }

    /// Has the enclave draw the keys with which it takes part in a ceremony, and prove that it has them.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn seat(&mut self, it: SeatFor) -> Result<ProvenSeat, ClientError> {
        match self.call(&Request::Seat(Box::new(it)))? {
            Reply::Seated(seat) => Ok(*seat),
            other => Err(unexpected(other)),
        }
    }

    /// Has a ceremony begun that the log convened.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn convene(&mut self, certificate: Certificate) -> Result<Progress, ClientError> {
        self.moved(&Request::Convene(Box::new(certificate)))
    }

    /// Has a run begun that signs.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn join(&mut self, start: RunStart) -> Result<Progress, ClientError> {
        self.moved(&Request::Join(Box::new(start)))
    }

    /// Hands messages of other enclaves over; what they are, the enclave finds out.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn deliver(&mut self, messages: Vec<Vec<u8>>) -> Result<Progress, ClientError> {
        self.moved(&Request::Deliver(messages))
    }

    /// Has a run given up.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn give_up(&mut self, session: SessionId) -> Result<Progress, ClientError> {
        self.moved(&Request::GiveUp(session))
    }

    /// Has the shares of a key wiped up to an epoch.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn erase_shares(&mut self, key: Name, epoch: u32) -> Result<(), ClientError> {
        self.done(&Request::Erase { key, epoch, whole: false })
    }

    /// Has everything of a key wiped up to an epoch, the whole key, too, that its shares took over from.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn erase_before(&mut self, key: Name, epoch: u32) -> Result<(), ClientError> {
        self.done(&Request::Erase { key, epoch, whole: true })
    }

    /// Has the share of a key leave, as a committed exit allows: an age file for its recipients.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn leave(&mut self, certificate: Certificate) -> Result<Vec<u8>, ClientError> {
        match self.call(&Request::Leave(Box::new(certificate)))? {
            Reply::Left(file) => Ok(file),
            other => Err(unexpected(other)),
        }
    }

    /// Lets a node that was caught take part again, as the log says.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn lift(&mut self, certificate: Certificate) -> Result<(), ClientError> {
        self.done(&Request::Lift(Box::new(certificate)))
    }

    /// Has a whole key of this home dealt, as the log convened it.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn deal(&mut self, certificate: Certificate) -> Result<Dealing, ClientError> {
        match self.call(&Request::Deal(Box::new(certificate)))? {
            Reply::Dealt(dealing) => Ok(*dealing),
            other => Err(unexpected(other)),
        }
    }

    /// Hands over what was dealt for a ceremony that was convened.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn take(&mut self, it: TakeDealing) -> Result<Progress, ClientError> {
        self.moved(&Request::Take(Box::new(it)))
    }

    /// In a scratch enclave: which key its file holds, and what is dealt of it.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn whole(&mut self, it: SplitWhole) -> Result<WholeKey, ClientError> {
        match self.call(&Request::Whole(Box::new(it)))? {
            Reply::Whole(whole) => Ok(*whole),
            other => Err(unexpected(other)),
        }
    }

    fn moved(&mut self, request: &Request) -> Result<Progress, ClientError> {
        match self.call(request)? {
            Reply::Moved(progress) => Ok(*progress),
            other => Err(unexpected(other)),
        }
    }

    pub(super) fn done(&mut self, request: &Request) -> Result<(), ClientError> {
        match self.call(request)? {
            Reply::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}

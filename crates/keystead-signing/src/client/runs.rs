//! The parent's side of keys in shares.

use keystead_base::{Name, RequestId};
use keystead_decision::{Certificate, Seat};
use keystead_threshold::{Record, SessionId};

use super::{ClientError, EnclaveClient, FRAME_SLACK, batches, unexpected};
use crate::MAX_FRAME_BYTES;
use crate::protocol::{Reply, Request};
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

    /// Has the enclave draw the keys with which it takes part in the ceremony of a request.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn seat(&mut self, request: RequestId) -> Result<Seat, ClientError> {
        match self.call(&Request::Seat(request))? {
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
        self.done(&Request::Erase { key, epoch })
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

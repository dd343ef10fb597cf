//! Keys to whose seed people bring a source of their own, as a parent asks for them.

use keystead_entropy::EntropyPromise;

use super::{ClientError, EnclaveClient, unexpected};
use crate::protocol::{Brought, CreatedFrom, Creation, Reply, Request, SeedToOpen};

impl EnclaveClient {
    /// Hands over what the machine's TPM gives to the next draw.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn pour(&mut self, it: Brought) -> Result<(), ClientError> {
        match self.call(&Request::Pour(it))? {
            Reply::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Has the machine's part of a seed drawn, and bound by its promise: the same one until a key was made of it.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn promise(&mut self) -> Result<EntropyPromise, ClientError> {
        match self.call(&Request::Promise)? {
            Reply::Promised(promise) => Ok(*promise),
            other => Err(unexpected(other)),
        }
    }

    /// Has a key created of the promised part and of what people brought.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; what is too little, uneven or made for another promise makes no key.
    pub fn create_from(&mut self, it: Creation) -> Result<CreatedFrom, ClientError> {
        match self.call(&Request::CreateFrom(Box::new(it)))? {
            Reply::CreatedFrom(created) => Ok(*created),
            other => Err(unexpected(other)),
        }
    }

    /// Has the openings of a seed encrypted to the recipients of a committed backup or export: an age file.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn open_seed(&mut self, it: SeedToOpen) -> Result<Vec<u8>, ClientError> {
        match self.call(&Request::OpenSeed(Box::new(it)))? {
            Reply::Left(file) => Ok(file),
            other => Err(unexpected(other)),
        }
    }
}

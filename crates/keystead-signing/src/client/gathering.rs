//! Backups in shares, as a parent asks for them.

use keystead_decision::Certificate;
use keystead_keys::{BackupFile, SeedShares};

use super::{ClientError, EnclaveClient, unexpected};
use crate::protocol::{GatheredProof, Gathering, Reply, Request, ShareToOpen, ShareWords};

impl EnclaveClient {
    /// Has a key backed up in shares, as a committed ceremony allows.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn split(&mut self, certificate: Certificate) -> Result<SeedShares, ClientError> {
        match self.call(&Request::Split(Box::new(certificate)))? {
            Reply::Split(file) => Ok(*file),
            other => Err(unexpected(other)),
        }
    }

    /// In a scratch enclave: has the words of one person's share said.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn open_share(&mut self, it: ShareToOpen) -> Result<ShareWords, ClientError> {
        match self.call(&Request::OpenShare(Box::new(it)))? {
            Reply::Words(words) => Ok(words),
            other => Err(unexpected(other)),
        }
    }

    /// In a scratch enclave: has a key put together from shares, and control of its accounts proved.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn drill_shares(&mut self, it: Gathering) -> Result<GatheredProof, ClientError> {
        match self.call(&Request::Gather(Box::new(it)))? {
            Reply::Gathered(proof) => Ok(*proof),
            other => Err(unexpected(other)),
        }
    }

    /// In a scratch enclave: has a key put together from shares, and encrypted to another enclave's one-time key.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn hand_over_shares(&mut self, it: Gathering) -> Result<BackupFile, ClientError> {
        match self.call(&Request::Gather(Box::new(it)))? {
            Reply::BackedUp(file) => Ok(*file),
            other => Err(unexpected(other)),
        }
    }
}

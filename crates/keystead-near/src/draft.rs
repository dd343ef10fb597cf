//! A transaction that is built here, to be read like any other.

use keystead_quantum::QuantumPublicKey;

use crate::reader::write_bytes;
use crate::{AccountId, Action, PublicKey, Refusal, Transaction};

/// What a transaction is made of.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Whose account signs and pays.
    pub signer: AccountId,
    /// With which of its keys.
    pub key: QuantumPublicKey,
    /// More than that key's last nonce.
    pub nonce: u64,
    /// On whose account the actions work.
    pub receiver: AccountId,
    /// A recent block.
    pub block: [u8; 32],
    /// What is done.
    pub actions: Vec<Action>,
}

impl Draft {
    /// The unsigned bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal`] where the reader takes them for none.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        write_bytes(&mut out, self.signer.as_str().as_bytes());
        PublicKey::MlDsa65(self.key.clone()).write(&mut out);
        out.extend(self.nonce.to_le_bytes());
        write_bytes(&mut out, self.receiver.as_str().as_bytes());
        out.extend(self.block);
        out.extend(u32::try_from(self.actions.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.actions.iter().for_each(|it| it.write(&mut out));
        Transaction::read(&out)?;
        Ok(out)
    }
}

//! A transaction of version 0: read, hashed, signed.

use keystead_base::Digest;
use keystead_quantum::{QuantumPublicKey, QuantumSignature};

use crate::reader::{Reader, write_bytes};
use crate::{AccountId, Action, PublicKey, Refusal};

/// The longest transaction that is read: as long as any payload here. NEAR takes 4 MiB.
pub const MAX_TRANSACTION_BYTES: usize = 256 * 1024;
/// The most actions of a transaction, as NEAR has it.
pub const MAX_ACTIONS: usize = 100;

/// A transaction without its signature. There is no other way to one than [`Transaction::read`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    signer: AccountId,
    key: PublicKey,
    nonce: u64,
    receiver: AccountId,
    block: [u8; 32],
    actions: Vec<Action>,
    bytes: Vec<u8>,
}

impl Transaction {
    /// Reads an unsigned transaction of version 0.
    ///
    /// INVARIANT S2: what is accepted has one encoding, and it is the one that was given.
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the first thing that is not as it must be.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            return Err(Refusal::TooLong { limit: MAX_TRANSACTION_BYTES, found: bytes.len() });
        }
        // A version byte of 1 in front of a name, whose length is then at the second byte (nearcore's own rule).
        if matches!(bytes, [1, next, ..] if *next != 0) {
            return Err(Refusal::Version);
        }
        let mut reader = Reader::new(bytes);
        let (signer, key, nonce) = (reader.account()?, PublicKey::read(&mut reader)?, reader.u64()?);
        let (receiver, block) = (reader.account()?, reader.array()?);
        let actions = actions(&mut reader, &receiver)?;
        reader.end()?;
        let read = Self { signer, key, nonce, receiver, block, actions, bytes: bytes.to_vec() };
        match read.written() == bytes {
            true => Ok(read),
            false => Err(Refusal::Encoding),
        }
    }

    fn written(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        write_bytes(&mut out, self.signer.as_str().as_bytes());
        self.key.write(&mut out);
        out.extend(self.nonce.to_le_bytes());
        write_bytes(&mut out, self.receiver.as_str().as_bytes());
        out.extend(self.block);
        out.extend(u32::try_from(self.actions.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.actions.iter().for_each(|it| it.write(&mut out));
        out
    }

    /// Whose account signs and pays.
    #[must_use]
    pub fn signer(&self) -> &AccountId {
        &self.signer
    }

    /// With which of its keys.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// That key's next nonce, which two transactions never share.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// On whose account the actions work.
    #[must_use]
    pub fn receiver(&self) -> &AccountId {
        &self.receiver
    }

    /// A recent block, without which the transaction is good for nothing after about a day.
    #[must_use]
    pub fn block(&self) -> &[u8; 32] {
        &self.block
    }

    /// What is done, in this order, and all of it or nothing.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The SHA-256 of the bytes: the transaction's name, and the 32 bytes that its key signs.
    #[must_use]
    pub fn hash(&self) -> Digest {
        let hashed = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.bytes);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hashed.as_ref());
        Digest(bytes)
    }

    /// The key of ours that would sign.
    ///
    /// # Errors
    ///
    /// [`Refusal::Signer`] where the transaction names a key of another scheme.
    pub fn signing_key(&self) -> Result<&QuantumPublicKey, Refusal> {
        match &self.key {
            PublicKey::MlDsa65(key) => Ok(key),
            PublicKey::Ed25519(_) | PublicKey::Secp256k1(_) => Err(Refusal::Signer),
        }
    }

    /// The signed transaction: its bytes, 2, and the signature.
    ///
    /// INVARIANT S7: verified under the key that the transaction itself names.
    ///
    /// # Errors
    ///
    /// [`Refusal::Signer`] and [`Refusal::Signature`].
    pub fn assemble(&self, signature: &QuantumSignature) -> Result<Vec<u8>, Refusal> {
        let key = self.signing_key()?;
        key.verify(self.hash().as_bytes(), signature).map_err(|_| Refusal::Signature)?;
        Ok([self.bytes.as_slice(), &[ML_DSA_65_TAG], signature.as_bytes()].concat())
    }
}

fn actions(reader: &mut Reader<'_>, receiver: &AccountId) -> Result<Vec<Action>, Refusal> {
    let found = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
    if found == 0 || found > MAX_ACTIONS {
        return Err(Refusal::Actions { limit: MAX_ACTIONS, found });
    }
    let one = |_| match Action::read(reader)? {
        // What is left to an account that is gone, the chain burns.
        Action::DeleteAccount { beneficiary } if beneficiary == *receiver => Err(Refusal::Beneficiary),
        action => Ok(action),
    };
    (0..found).map(one).collect()
}

const ML_DSA_65_TAG: u8 = 2;

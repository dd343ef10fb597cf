//! The exact bytes that one account would sign, and the transaction that signatures make of them.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use keystead_base::{Amount, Blame, Coded, Digest};
use sha2::{Digest as _, Sha256};

use crate::reader::write_length;
use crate::{Cluster, Effects, Message, MessageError, Pubkey, explain, intents};

/// One account's message on one cluster. There is no other way to one than [`Unsigned::read`].
///
/// ```compile_fail,E0451
/// fn unchecked(unsigned: keystead_solana::Unsigned) -> keystead_solana::Unsigned {
///     keystead_solana::Unsigned { account: keystead_solana::Pubkey([0; 32]), ..unsigned }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    cluster: Cluster,
    account: Pubkey,
    message: Message,
}

impl Unsigned {
    /// Reads what an account is asked to sign. **The bytes name no cluster**: whoever signs for several with one key signs
    /// for all.
    ///
    /// # Errors
    ///
    /// [`UnsignedError`]: the bytes are no message, or want no signature of this account.
    pub fn read(cluster: Cluster, account: Pubkey, bytes: &[u8]) -> Result<Self, UnsignedError> {
        let message = Message::parse(bytes)?;
        match message.signers().contains(&account) {
            true => Ok(Self { cluster, account, message }),
            false => Err(UnsignedError::NotASigner { account }),
        }
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        self.cluster
    }

    /// The account that would sign.
    #[must_use]
    pub fn account(&self) -> Pubkey {
        self.account
    }

    /// What was read.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// SHA-256 of the message: what people agree to and the log grants. Ed25519 signs the message itself.
    #[must_use]
    pub fn signing_digest(&self) -> Digest {
        Digest(Sha256::digest(self.message.to_bytes()).into())
    }

    /// What signing does.
    #[must_use]
    pub fn explain(&self) -> Effects {
        explain(self.cluster, self.account, &self.message)
    }

    /// What signing does, as policy sees it: at least one effect for each instruction.
    #[must_use]
    pub fn effects(&self) -> keystead_intent::Effects {
        let effects = self.explain();
        let of = |it| intents::items(it, self.account, self.cluster);
        // Somebody else's fee is nothing that leaves.
        let fee = if effects.payer == self.account { effects.fee.total() } else { 0 };
        keystead_intent::Effects {
            signing_digest: self.signing_digest(),
            chain: self.cluster.chain(),
            slot: effects.nonce().map(|it| it.slot()),
            fee: keystead_intent::Fee { max: Amount::from(fee), ..keystead_intent::Fee::default() },
            items: effects.items.iter().flat_map(of).collect(),
            typed: None,
            coins: None,
        }
    }

    /// Joins the message with one signature of each signer, in any order.
    ///
    /// INVARIANT S7: each is verified under its key, over the bytes that were read here.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] names whose signature is missing, wrong, or nobody's.
    pub fn assemble(&self, signatures: &[(Pubkey, [u8; 64])]) -> Result<Assembled, SignatureError> {
        let (signers, bytes) = (self.message.signers(), self.message.to_bytes());
        if let Some((key, _)) = signatures.iter().find(|(key, _)| !signers.contains(key)) {
            return Err(SignatureError::Foreign { key: *key });
        }
        let mut raw = Vec::new();
        write_length(&mut raw, signers.len());
        let mut id = None;
        for signer in signers {
            let signature = only(signatures, *signer)?;
            verify(*signer, &bytes, &signature)?;
            id = id.or(Some(signature));
            raw.extend(signature);
        }
        raw.extend(&bytes);
        Ok(Assembled { raw, id: id.ok_or(SignatureError::Missing { signer: self.account })? })
    }

    /// The transaction with the account's signature in its place, and zeros in those of other signers, who add theirs. With one
    /// signer it is whole.
    ///
    /// INVARIANT S7: the signature is verified over the bytes that were read here.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Invalid`] where it is not the account's.
    pub fn sign_into(&self, signature: &[u8; 64]) -> Result<Vec<u8>, SignatureError> {
        self.verify(signature)?;
        let signers = self.message.signers();
        let mut raw = Vec::new();
        write_length(&mut raw, signers.len());
        for signer in signers {
            raw.extend(if *signer == self.account { *signature } else { [0; 64] });
        }
        raw.extend(self.message.to_bytes());
        Ok(raw)
    }

    /// Whether this is the account's signature of what was read.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Invalid`] where it is not.
    pub fn verify(&self, signature: &[u8; 64]) -> Result<(), SignatureError> {
        verify(self.account, &self.message.to_bytes(), signature)
    }
}

fn only(signatures: &[(Pubkey, [u8; 64])], signer: Pubkey) -> Result<[u8; 64], SignatureError> {
    let mut of_signer = signatures.iter().filter(|(key, _)| *key == signer);
    match (of_signer.next(), of_signer.next()) {
        (Some((_, signature)), None) => Ok(*signature),
        (None, _) => Err(SignatureError::Missing { signer }),
        (Some(_), Some(_)) => Err(SignatureError::Twice { signer }),
    }
}

fn verify(signer: Pubkey, bytes: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
    let key = UnparsedPublicKey::new(&ED25519, signer.0);
    key.verify(bytes, signature).map_err(|_| SignatureError::Invalid { signer })
}

/// What a cluster takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The transaction's bytes: signatures, then the message.
    pub raw: Vec<u8>,
    /// The payer's signature, by which clusters name the transaction.
    pub id: [u8; 64],
}

/// Why there is nothing to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsignedError {
    /// The bytes are no message that would be signed.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A message of others.
    #[error("the message wants no signature of {account}: is this the right account?")]
    NotASigner {
        /// The account.
        account: Pubkey,
    },
}

impl Coded for UnsignedError {
    fn code(&self) -> &'static str {
        match self {
            Self::Message(error) => error.code(),
            Self::NotASigner { .. } => "solana.not_a_signer",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

/// Why signatures make no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A signer without a signature.
    #[error("{signer} has not signed yet")]
    Missing {
        /// Whose it is.
        signer: Pubkey,
    },
    /// Two signatures of one signer.
    #[error("{signer} has two signatures")]
    Twice {
        /// Whose they are.
        signer: Pubkey,
    },
    /// A signature that is not of these bytes, or not by this key.
    #[error("the signature of {signer} is not one of these bytes")]
    Invalid {
        /// Whose it should be.
        signer: Pubkey,
    },
    /// A signature of somebody who does not sign.
    #[error("{key} is none of the signers")]
    Foreign {
        /// Who.
        key: Pubkey,
    },
}

impl Coded for SignatureError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "solana.signature_missing",
            Self::Twice { .. } => "solana.signature_twice",
            Self::Invalid { .. } => "solana.signature_invalid",
            Self::Foreign { .. } => "solana.signature_foreign",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Missing { .. } | Self::Twice { .. } | Self::Foreign { .. } => Blame::Caller,
            Self::Invalid { .. } => Blame::Peer,
        }
    }
}

#[cfg(test)]
mod tests;

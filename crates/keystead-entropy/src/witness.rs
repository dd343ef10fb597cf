//! The word of somebody who watched a seed being made, over its receipt.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, Coded, Digest, HybridPublicKey, Name, Signed, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{EntropyError, EntropyReceipt};

/// What a witness signs: that this receipt is of what they watched. The digest is of the whole receipt, the names in it
/// included, and the receipt has salted commitments: no other seed has it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntropyWitness {
    /// The digest of the [`EntropyReceipt`].
    pub receipt: Digest,
    /// The machine's promise as the witness wrote it down before anybody rolled; absent where they noted none.
    pub noted: Option<Digest>,
    /// When they signed, by the clock of their machine.
    pub at: Timestamp,
}

impl Canonical for EntropyWitness {
    const DOMAIN: &'static str = "keystead/entropy-witness/v1";
}

impl EntropyReceipt {
    /// What a witness of this receipt signs.
    ///
    /// # Errors
    ///
    /// [`WitnessError`] for a receipt that does not hold, and for a promise that is not the receipt's: nobody signs either.
    pub fn witness(&self, noted: Option<Digest>, at: Timestamp) -> Result<EntropyWitness, WitnessError> {
        let body = EntropyWitness { receipt: self.digest(), noted, at };
        self.is_watched_by(&body)?;
        Ok(body)
    }

    /// INVARIANT E1: a witness is who signed, by a key that the roster has of them; a name in the receipt is none.
    ///
    /// # Errors
    ///
    /// [`WitnessError`] says why this word counts for nothing.
    pub fn witnessed<'a>(
        &self,
        word: &Signed<EntropyWitness>,
        keys: impl IntoIterator<Item = &'a HybridPublicKey>,
    ) -> Result<(), WitnessError> {
        self.is_watched_by(&word.body)?;
        let mut keys = keys.into_iter().peekable();
        let witness = word.signer.clone();
        if keys.peek().is_none() {
            return Err(WitnessError::Stranger { witness });
        }
        match keys.any(|key| word.verify(key).is_ok()) {
            true => Ok(()),
            false => Err(WitnessError::Signature { witness }),
        }
    }

    /// Whether the words are about this receipt and its promise, whoever signed them.
    ///
    /// # Errors
    ///
    /// [`WitnessError`] says what they are about instead.
    pub fn is_watched_by(&self, body: &EntropyWitness) -> Result<(), WitnessError> {
        self.hold()?;
        let (expected, found) = (self.digest(), body.receipt);
        if expected != found {
            return Err(WitnessError::OtherReceipt { expected, found });
        }
        match body.noted.filter(|it| Some(*it) != self.promise) {
            Some(found) => Err(WitnessError::Promise { expected: self.promise, found }),
            None => Ok(()),
        }
    }
}

/// Why the word of a witness counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The receipt says less than a receipt says.
    #[error(transparent)]
    Receipt(#[from] EntropyError),
    /// The word is over another receipt.
    #[error("the receipt is {expected}, and the witness signed {found}")]
    OtherReceipt {
        /// This receipt's digest.
        expected: Digest,
        /// The word's.
        found: Digest,
    },
    /// What the witness wrote down is not what the machine kept.
    #[error("the witness wrote down the promise {found}, and the receipt has {}", shown(*.expected))]
    Promise {
        /// The receipt's.
        expected: Option<Digest>,
        /// The witness'.
        found: Digest,
    },
    /// Nobody of this name has a key.
    #[error("the roster has no person `{witness}`")]
    Stranger {
        /// Who is named.
        witness: Name,
    },
    /// Not signed by a key of theirs.
    #[error("no key that the roster has of `{witness}` signed this")]
    Signature {
        /// Who is named.
        witness: Name,
    },
}

impl Coded for WitnessError {
    fn code(&self) -> &'static str {
        match self {
            Self::Receipt(error) => error.code(),
            Self::OtherReceipt { .. } => "entropy_witness.receipt",
            Self::Promise { .. } => "entropy_witness.promise",
            Self::Stranger { .. } => "entropy_witness.stranger",
            Self::Signature { .. } => "entropy_witness.signature",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

fn shown(promise: Option<Digest>) -> String {
    promise.map_or_else(|| "none".to_owned(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn e1_a_word_counts_for_its_receipt_by_a_key_of_its_witness() {
        let (receipt, word, key) = vectors::watched();
        let code = |receipt: &EntropyReceipt, word: &Signed<EntropyWitness>, keys: &[HybridPublicKey]| {
            receipt.witnessed(word, keys).map_err(|it| it.code())
        };
        let other = vectors::signer(8).public().clone();
        assert_eq!(code(&receipt, &word, &[other.clone(), key.clone()]), Ok(()), "one of a person's devices");
        assert_eq!(code(&receipt, &word, &[]), Err("entropy_witness.stranger"));
        assert_eq!(code(&receipt, &word, &[other]), Err("entropy_witness.signature"));

        let keys = [key];
        // Whatever the receipt says otherwise is another receipt, be it who was named.
        let unnamed = EntropyReceipt { witnesses: Vec::new(), ..receipt.clone() };
        assert_eq!(code(&unnamed, &word, &keys), Err("entropy_witness.receipt"));
        let weaker = EntropyReceipt { promise: None, ..receipt.clone() };
        assert_eq!(code(&weaker, &word, &keys), Err("entropy.receipt"));
        // What a word says otherwise nobody signed.
        let later = EntropyWitness { at: Timestamp(1), ..word.body.clone() };
        let silent = EntropyWitness { noted: None, ..word.body.clone() };
        for body in [later, silent] {
            let changed = Signed { body, ..word.clone() };
            assert_eq!(code(&receipt, &changed, &keys), Err("entropy_witness.signature"));
        }
        let body = EntropyWitness { noted: Some(Digest([7; 32])), ..word.body.clone() };
        let lied = Signed::new(body, word.signer.clone(), &vectors::signer(7)).unwrap();
        assert_eq!(code(&receipt, &lied, &keys), Err("entropy_witness.promise"));
    }

    #[test]
    fn e1_nobody_signs_a_receipt_that_does_not_hold_or_another_promise() {
        let (receipt, word, _) = vectors::watched();
        let at = word.body.at;
        assert_eq!(receipt.witness(receipt.promise, at), Ok(word.body));
        assert_eq!(receipt.witness(None, at).unwrap().noted, None, "who noted none says so");
        let code = |receipt: &EntropyReceipt, noted| receipt.witness(noted, at).unwrap_err().code();
        assert_eq!(code(&receipt, Some(Digest([7; 32]))), "entropy_witness.promise");
        let weaker = EntropyReceipt { promise: None, ..receipt };
        assert_eq!(code(&weaker, None), "entropy.receipt");
    }
}

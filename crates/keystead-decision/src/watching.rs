//! The words of people who watched a key's seed being made, counted beside its receipt.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical as _, Coded as _, Name, RequestId, Signed};
use keystead_entropy::{EntropyWitness, MAX_WITNESSES};
use keystead_policy::Reason;
use serde::{Deserialize, Serialize};

use crate::turn::Turn;
use crate::{Controls, Outcome};

/// What a witness signed, and beside which receipt it belongs. Whoever has the word may bring it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessWord {
    /// The key.
    pub key: Name,
    /// The node whose receipt it is.
    pub node: Name,
    /// The word: its digest of the receipt has to be that of the one in the log.
    pub word: Signed<EntropyWitness>,
}

/// A word that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witnessed {
    /// The block that has the word, with its signature.
    pub height: u64,
    /// Whether the witness had written the machine's promise down before anybody rolled.
    pub noted: bool,
}

impl<C: Controls> Turn<'_, C> {
    /// INVARIANT E1: a person's word counts beside the receipt that it is over, once.
    pub(crate) fn witness(&mut self, entry: &WitnessWord) {
        let person = entry.word.signer.clone();
        let outcome = match self.watched(entry) {
            Ok(()) => Outcome::Counted { person },
            Err(reason) => Outcome::Refused { person, reason },
        };
        self.decide(RequestId(entry.word.body.digest()), Vec::new(), outcome);
    }

    fn watched(&mut self, entry: &WitnessWord) -> Result<(), Reason> {
        let WitnessWord { key: name, node, word } = entry;
        let height = self.state.height;
        let unknown = || Reason::KeyUnknown { key: name.clone() };
        let key = self.state.keys.get_mut(name).ok_or_else(unknown)?;
        let receipt = key.life.receipts.get(node).ok_or_else(unknown)?;
        receipt
            .is_watched_by(&word.body)
            .map_err(|it| Reason::NotCounted { code: it.code().to_owned(), text: it.to_string() })?;
        let noted = word.body.noted.is_some();
        let words = key.life.witnessed.get(node);
        match words.and_then(|it| it.get(&word.signer)) {
            Some(before) if before.noted || !noted => {
                let (witness, height) = (&word.signer, before.height);
                return Err(refused("repeated", format!("the word of `{witness}` stands in block {height}")));
            }
            None if words.is_some_and(|it| it.len() >= MAX_WITNESSES) => {
                return Err(refused(
                    "many",
                    format!("{MAX_WITNESSES} witnesses signed this receipt: no more count"),
                ));
            }
            _ => {}
        }
        let words = key.life.witnessed.entry(node.clone()).or_default();
        words.insert(word.signer.clone(), Witnessed { height, noted });
        Ok(())
    }
}

fn refused(what: &str, text: String) -> Reason {
    Reason::NotCounted { code: format!("entropy_witness.{what}"), text }
}

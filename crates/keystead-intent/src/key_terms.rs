//! What a key may be used for, how often and how long: terms that people approve beside its state.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{KeyScheme, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ChainId;

/// The terms of one key. Those of a key that nobody limited limit nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyTerms {
    /// The end of its originator usage period (NIST SP 800-57 part 1, 5.3.4), in block time: from then on it signs only
    /// what sweeps it to its successor, until people set a later end.
    pub until: Option<Timestamp>,
    /// The most rights to sign that it is given in its life.
    pub most_signatures: Option<u64>,
    /// The chains that it signs for, ascending; every chain of the policy where none is named.
    pub chains: Vec<ChainId>,
    /// What it signs with, ascending; every scheme of its kind where none is named.
    pub schemes: Vec<KeyScheme>,
    /// Whether it signs no digest that nobody can read, whatever policy lets be signed. Never taken back.
    pub no_blind: bool,
    /// Whether it never leaves its home but in backups. Never taken back.
    pub no_export: bool,
    /// How old the last proof that its home controls it may be while its addresses are handed out, in seconds; any age
    /// where none is named.
    pub proof_seconds: Option<u64>,
}

/// The part of a key's terms that a request does not keep to.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum KeyTerm {
    /// It is not used for this chain.
    Chain,
    /// It is not used with this scheme.
    Scheme,
    /// It signs nothing that nobody can read.
    Blind,
    /// It does not leave.
    Export,
    /// What was promised for good is not taken back.
    Kept,
    /// Lists that do not ascend, or an end, a number or an age that is over from the beginning.
    Form,
}

impl KeyTerm {
    /// What it says, as the end of a sentence about a key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "is not used for this chain",
            Self::Scheme => "is not used with this signature scheme",
            Self::Blind => "signs no digest that nobody can read",
            Self::Export => "never leaves its home",
            Self::Kept => "keeps `no_blind` and `no_export` for good, once it has them",
            Self::Form => "takes lists that ascend, an end in the future, and numbers above zero",
        }
    }
}

impl std::fmt::Display for KeyTerm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl KeyTerms {
    /// Whether a key with these terms may get those next, at this moment.
    ///
    /// # Errors
    ///
    /// [`KeyTerm::Form`] or [`KeyTerm::Kept`].
    pub fn can_become(&self, next: &Self, now: Timestamp) -> Result<(), KeyTerm> {
        let over = next.until.is_some_and(|it| it <= now);
        let empty = next.most_signatures == Some(0) || next.proof_seconds == Some(0);
        if over || empty || !ascend(&next.chains) || !ascend(&next.schemes) || next.chains.len() > MAX_CHAINS
        {
            return Err(KeyTerm::Form);
        }
        match (self.no_blind && !next.no_blind) || (self.no_export && !next.no_export) {
            true => Err(KeyTerm::Kept),
            false => Ok(()),
        }
    }

    /// Whether its usage period is over at this moment.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|it| it <= now)
    }
}

fn ascend<T: Ord>(list: &[T]) -> bool {
    list.iter().zip(list.iter().skip(1)).all(|(one, next)| one < next)
}

/// The most chains that the terms of one key name.
const MAX_CHAINS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn next(change: impl FnOnce(&mut KeyTerms)) -> KeyTerms {
        let mut next = KeyTerms { no_blind: true, no_export: true, ..KeyTerms::default() };
        change(&mut next);
        next
    }

    #[test]
    fn terms_are_well_formed_and_what_is_promised_for_good_stays() {
        let (now, has) = (Timestamp(1_000_000), next(|_| {}));
        let cases: [(KeyTerms, Result<(), KeyTerm>); 9] = [
            (next(|_| {}), Ok(())),
            (next(|it| it.until = Some(now)), Err(KeyTerm::Form)),
            (next(|it| it.until = Some(now.plus_seconds(1))), Ok(())),
            (next(|it| it.most_signatures = Some(0)), Err(KeyTerm::Form)),
            (next(|it| it.proof_seconds = Some(0)), Err(KeyTerm::Form)),
            (next(|it| it.chains = vec![ChainId(2), ChainId(1)]), Err(KeyTerm::Form)),
            (next(|it| it.schemes = vec![KeyScheme::Ecdsa, KeyScheme::Ecdsa]), Err(KeyTerm::Form)),
            (next(|it| it.no_blind = false), Err(KeyTerm::Kept)),
            (next(|it| it.no_export = false), Err(KeyTerm::Kept)),
        ];
        for (terms, expected) in cases {
            assert_eq!(has.can_become(&terms, now), expected, "{terms:?}");
            assert_eq!(KeyTerms::default().can_become(&KeyTerms::default(), now), Ok(()));
        }
    }
}

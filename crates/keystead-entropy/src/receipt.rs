//! The receipt of a seed: what went into it, what that was claimed to give, and what it is bound to.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Name, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{EntropyError, Source};

/// The most witnesses of a receipt.
pub const MAX_WITNESSES: usize = 16;

/// What is said of a seed. Nothing in it depends on the samples but commitments to them under salts, and a digest of the
/// seed: it may be shown to anybody.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntropyReceipt {
    /// The program and its version, such as `keystead 0.1.0`.
    pub maker: String,
    /// When, by the clock of the machine that made the seed.
    pub at: Timestamp,
    /// The sources, each once, ascending; the operating system is the first.
    pub sources: Vec<SourceRecord>,
    /// The digest of the [`EntropyPromise`] that the machine gave before people rolled.
    pub promise: Option<Digest>,
    /// The digest `keystead/seed-check/v1` of the seed.
    pub check: Digest,
    /// Who was there, as the machine was told. A name is not a signature: that is an [`crate::EntropyWitness`].
    pub witnesses: Vec<Name>,
}

impl Canonical for EntropyReceipt {
    const DOMAIN: &'static str = "keystead/entropy-receipt/v1";
    const MAX_BYTES: usize = 4096;
}

/// One source, as it was used.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRecord {
    /// Which.
    pub source: Source,
    /// How many raw samples were tested, and went in.
    pub samples: u32,
    /// What a sample is claimed to give, in thousandths of a bit, and was tested for.
    pub millibits: u32,
    /// The window of the adaptive proportion test.
    pub window: u32,
    /// The cut-off of the repetition count test.
    pub repetitions: u32,
    /// The cut-off of the adaptive proportion test.
    pub proportion: u32,
    /// The digest of the document `EntropyOpening`: source, salt, samples.
    pub commitment: Digest,
}

impl SourceRecord {
    /// Whole bits that the source is claimed to have given.
    #[must_use]
    pub fn bits(&self) -> u64 {
        u64::from(self.samples) * u64::from(self.millibits) / 1000
    }
}

/// What the machine's own sources gave, bound before people roll: whoever wrote the digest down knows afterwards that
/// the machine did not choose its part to go with theirs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntropyPromise {
    /// The machine's sources, ascending.
    pub sources: Vec<SourceRecord>,
}

impl Canonical for EntropyPromise {
    const DOMAIN: &'static str = "keystead/entropy-promise/v1";
    const MAX_BYTES: usize = 4096;
}

impl EntropyReceipt {
    /// INVARIANT E1: says that at least two sources went in, the operating system among them, with what this version
    /// claims and asks of each.
    ///
    /// # Errors
    ///
    /// [`EntropyError::Receipt`] says what is wrong.
    pub fn hold(&self) -> Result<(), EntropyError> {
        let fails = |what| Err(EntropyError::Receipt { what });
        let mut pairs = self.sources.iter().zip(self.sources.iter().skip(1));
        if self.sources.first().is_none_or(|it| it.source != Source::OperatingSystem) {
            return fails("the operating system is not the first source");
        }
        if self.sources.len() < 2 || pairs.any(|(one, next)| one.source >= next.source) {
            return fails("the sources are fewer than two, or not in their order, each once");
        }
        if !self.sources.iter().all(is_as_claimed) {
            return fails("a source has other claims or cut-offs than this version's, or too few samples");
        }
        if self.promise != self.expected_promise() {
            return fails("the machine's promise is not the one of its sources");
        }
        self.bounded()
    }

    fn bounded(&self) -> Result<(), EntropyError> {
        let mut names = self.witnesses.clone();
        names.sort();
        names.dedup();
        if names.len() != self.witnesses.len() || names.len() > MAX_WITNESSES {
            return Err(EntropyError::Receipt { what: "a witness stands twice, or there are more than 16" });
        }
        match self.maker.len() <= MAX_MAKER_BYTES {
            true => Ok(()),
            false => Err(EntropyError::Receipt { what: "the program's name is longer than 64 bytes" }),
        }
    }

    /// Where people bring a source the machine promised its own before.
    fn expected_promise(&self) -> Option<Digest> {
        let (brought, own): (Vec<_>, Vec<_>) =
            self.sources.iter().cloned().partition(|it| it.source.is_brought());
        (!brought.is_empty()).then(|| EntropyPromise { sources: own }.digest())
    }
}

fn is_as_claimed(record: &SourceRecord) -> bool {
    let claim = record.source.claim();
    record.samples >= claim.fewest
        && record.millibits == claim.millibits
        && (record.window, record.repetitions, record.proportion)
            == (claim.window, claim.repetitions, claim.proportion)
}

const MAX_MAKER_BYTES: usize = 64;

//! Canonical documents: one encoding each, so that what is accepted is written again as the same bytes.

use std::sync::LazyLock;

use keystead_base::{Canonical, Name, Secret};
use keystead_decision::SignedGenesis;
use keystead_keys::{BackupFile, RECIPIENT_SEED_BYTES, RecipientKey};
use keystead_ledger::Proof;

use crate::Verdict;
use crate::seeds::vectors;

/// Feeds the parser of one type.
pub(crate) fn canonical<T: Canonical>(data: &[u8]) -> Verdict {
    parsed::<T>(data).map_or(Verdict::Refused, |_| Verdict::Accepted)
}

/// The vectors of a type's domain.
pub(crate) fn seeds_of<T: Canonical>(_: &'static str) -> Vec<Vec<u8>> {
    vectors(T::DOMAIN)
}

/// A backup, and somebody who tries to open it with a key of their own.
pub(crate) fn backup(data: &[u8]) -> Verdict {
    static KEY: LazyLock<RecipientKey> =
        LazyLock::new(|| RecipientKey::from_seed(&Secret::new([9; RECIPIENT_SEED_BYTES])).expect("a key"));
    let Some(file) = parsed::<BackupFile>(data) else { return Verdict::Refused };
    let whoever: Name = "ann".parse().expect("a name");
    assert!(file.restore(&whoever, &KEY).is_err(), "a stranger's key opens a backup");
    Verdict::Accepted
}

/// A proof, checked against a genesis that is not its own or has been spoiled with it.
pub(crate) fn proof(data: &[u8]) -> Verdict {
    static GENESIS: LazyLock<SignedGenesis> = LazyLock::new(|| {
        let document = vectors(SignedGenesis::DOMAIN).into_iter().next().expect("a vector");
        SignedGenesis::from_document(&document).expect("a genesis")
    });
    let Some(proof) = parsed::<Proof>(data) else { return Verdict::Refused };
    if let Ok(shown) = proof.check(&GENESIS, GENESIS.genesis.cluster(), None) {
        assert_eq!(shown.decision, proof.certificate.decision, "a proof shows what it carries");
    }
    Verdict::Accepted
}

fn parsed<T: Canonical>(data: &[u8]) -> Option<T> {
    let value = T::from_document(data).ok()?;
    assert!(value.to_document() == data, "{} has two encodings", T::DOMAIN);
    Some(value)
}

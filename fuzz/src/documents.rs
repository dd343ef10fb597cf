//! Canonical documents: one encoding each, so that what is accepted is written again as the same bytes.

use std::sync::LazyLock;

use keystead_base::{Canonical, Name, Secret};
use keystead_decision::SignedGenesis;
use keystead_decision::ceremony::{SignedContribution, SignedTranscript, Transcript};
use keystead_decision::rebuild::RebuildBundle;
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
    let Some(proof) = parsed::<Proof>(data) else { return Verdict::Refused };
    if let Ok(shown) = proof.check(&GENESIS, GENESIS.genesis.cluster(), None) {
        assert_eq!(shown.decision, proof.certificate.decision, "a proof shows what it carries");
    }
    Verdict::Accepted
}

/// A contribution, as whoever puts a ceremony together reads it.
pub(crate) fn contribution(data: &[u8]) -> Verdict {
    let Some(signed) = parsed::<SignedContribution>(data) else { return Verdict::Refused };
    if let Ok(body) = signed.verify() {
        assert_eq!(body.name, signed.0.signer, "a member speaks for itself");
    }
    Verdict::Accepted
}

/// A transcript, as a member reads it before it signs.
pub(crate) fn transcript(data: &[u8]) -> Verdict {
    let Some(transcript) = parsed::<Transcript>(data) else { return Verdict::Refused };
    let members = transcript.contributions.len();
    if let Ok(checked) = transcript.check() {
        let roster = &checked.transcript().genesis.policy.roster;
        let listed = roster.nodes.len() + roster.services.len() + roster.people.len();
        assert_eq!(listed, members, "each contribution makes one member");
    }
    Verdict::Accepted
}

/// A finished ceremony, as a member reads it before it installs.
pub(crate) fn signed_ceremony(data: &[u8]) -> Verdict {
    let Some(signed) = parsed::<SignedTranscript>(data) else { return Verdict::Refused };
    if let Ok(finished) = signed.verify() {
        assert!(finished.genesis().verify().is_ok(), "a finished ceremony makes a genesis");
        assert!(finished.signed().to_document() == data, "a finished ceremony has one form");
    }
    Verdict::Accepted
}

/// A signed rebuild, as every machine reads it before it installs.
pub(crate) fn rebuild(data: &[u8]) -> Verdict {
    let Some(bundle) = parsed::<RebuildBundle>(data) else { return Verdict::Refused };
    let genesis = &*GENESIS;
    if let Ok(finished) = bundle.verify(genesis, genesis.genesis.cluster()) {
        let needed: u32 = finished.checked().needs().iter().map(|need| need.count).sum();
        assert!(finished.signed().signatures.len() >= needed as usize, "enough people signed");
        assert!(finished.bundle().to_document() == data, "a signed rebuild has one form");
    }
    Verdict::Accepted
}

/// The genesis of the fixture.
static GENESIS: LazyLock<SignedGenesis> = LazyLock::new(|| {
    let document = vectors(SignedGenesis::DOMAIN).into_iter().next().expect("a vector");
    SignedGenesis::from_document(&document).expect("a genesis")
});

fn parsed<T: Canonical>(data: &[u8]) -> Option<T> {
    let value = T::from_document(data).ok()?;
    assert!(value.to_document() == data, "{} has two encodings", T::DOMAIN);
    Some(value)
}

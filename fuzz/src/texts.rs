//! Texts of people: JSON that they write, and the words of a command line.

use std::fmt::Debug;
use std::str::FromStr;

use alloy_primitives::Address;
use keystead_base::{Amount, Canonical as _, Digest, Name};
use keystead_intent::Intent;
use keystead_keys::Mnemonic;
use keystead_policy::{Engine, PolicyVersion};
use keystead_prove::Properties;

use crate::Verdict;

/// An intent as JSON.
pub(crate) fn intent(data: &[u8]) -> Verdict {
    let Some(intent) = text(data).and_then(|it| Intent::from_json(it).ok()) else { return Verdict::Refused };
    let json = serde_json::to_string(&intent).expect("an intent is JSON");
    assert_eq!(Intent::from_json(&json).as_ref(), Ok(&intent), "another intent comes back");
    assert_eq!(Intent::from_document(&intent.to_document()), Ok(intent), "another intent comes back");
    Verdict::Accepted
}

/// A policy version as JSON; what is accepted is compiled, which may refuse it.
pub(crate) fn policy(data: &[u8]) -> Verdict {
    let parsed = text(data).and_then(|it| PolicyVersion::from_json(it).ok());
    let Some(version) = parsed else { return Verdict::Refused };
    let json = serde_json::to_string(&version).expect("a policy is JSON");
    let again = PolicyVersion::from_json(&json).expect("its own JSON");
    assert_eq!(again.digest(), version.digest(), "another version comes back");
    let digest = version.digest();
    match Engine::compile(version) {
        Ok(engine) => {
            assert_eq!(engine.version().digest(), digest, "another version is compiled");
            Verdict::Accepted
        }
        Err(_) => Verdict::Refused,
    }
}

/// Properties of policies, in Cedar.
pub(crate) fn properties(data: &[u8]) -> Verdict {
    text(data).map_or(Verdict::Refused, |it| Properties::read(it).into())
}

/// An amount.
pub(crate) fn amount(data: &[u8]) -> Verdict {
    let verdict = reads_back::<Amount>(data);
    if let Some(amount) = text(data).and_then(|it| it.parse::<Amount>().ok()) {
        for decimals in [0, 6, 18, 77, u8::MAX] {
            assert!(!amount.with_decimals(decimals).is_empty());
        }
    }
    verdict
}

/// A name.
pub(crate) fn name(data: &[u8]) -> Verdict {
    reads_back::<Name>(data)
}

/// An Ethereum address.
pub(crate) fn address(data: &[u8]) -> Verdict {
    reads_back::<Address>(data)
}

/// A digest, which ids of requests and clusters are as well.
pub(crate) fn digest(data: &[u8]) -> Verdict {
    reads_back::<Digest>(data)
}

/// The words of a BIP-39 mnemonic.
pub(crate) fn words(data: &[u8]) -> Verdict {
    let Some(mnemonic) = text(data).and_then(|it| Mnemonic::from_words(it).ok()) else {
        return Verdict::Refused;
    };
    let words = mnemonic.words();
    let again = Mnemonic::from_words(words.expose()).expect("its own words");
    assert_eq!(again.words().expose(), words.expose());
    if let Ok(entropy) = mnemonic.entropy_256() {
        let again = Mnemonic::from_entropy(entropy.expose()).expect("its own entropy");
        assert_eq!(again.words().expose(), words.expose());
    }
    Verdict::Accepted
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

fn reads_back<T: FromStr + ToString + PartialEq + Debug>(data: &[u8]) -> Verdict {
    let Some(value) = text(data).and_then(|it| it.parse::<T>().ok()) else { return Verdict::Refused };
    assert_eq!(value.to_string().parse::<T>().ok(), Some(value), "another value comes back");
    Verdict::Accepted
}

//! What keys might sign for NEAR: a transaction has one encoding, and nothing that it does goes unsaid.

use keystead_intent::AssetIndex;
use keystead_near::{Network, Speaker, Subject, Transaction, Unsigned, describe_as, explain};
use keystead_words::Language;

use crate::Verdict;

/// Bytes that may be an unsigned transaction.
pub(crate) fn transaction(data: &[u8]) -> Verdict {
    let Ok(transaction) = Transaction::read(data) else { return Verdict::Refused };
    assert_eq!(explain(&transaction).len(), transaction.actions().len(), "an action without an effect");
    Network::ALL.into_iter().for_each(|network| judged(network, data));
    let longer = [data, &[0]].concat();
    assert!(Transaction::read(&longer).is_err(), "a byte more changes nothing");
    Verdict::Accepted
}

fn judged(network: Network, data: &[u8]) {
    let Ok(unsigned) = Unsigned::of_any_key(network, data) else { return };
    let registry = &AssetIndex::default();
    let (ours, theirs) = (unsigned.explain(registry), unsigned.effects(registry));
    assert_eq!(ours.len(), theirs.items.len(), "an effect that policy does not read");
    let class = ours.iter().map(|it| it.kind.class()).max();
    assert_eq!(class, Some(theirs.class()), "people and policy read two classes");
    assert_eq!(unsigned.effects(registry), theirs, "two readings of the same bytes");
    let speaker = Speaker { registry, names: &|_| None, language: Language::English };
    assert!(describe_as(&unsigned, &speaker).len() > ours.len(), "effects without words");
    assert!(unsigned.sign_into(&[7; 3309]).is_err(), "a made-up signature is the key's");
}

/// Text that may be an account, a key or code.
pub(crate) fn subject(data: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(data) else { return Verdict::Refused };
    let Ok(subject) = text.parse::<Subject>() else { return Verdict::Refused };
    assert_eq!(subject.as_str(), text, "another text comes back");
    Verdict::Accepted
}

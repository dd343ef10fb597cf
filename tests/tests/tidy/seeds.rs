//! Who may make a wallet's seed out of bytes: few places, each with its reason (E2).

use std::collections::BTreeMap;

use crate::sources::Source;

/// What turns bytes or words into a seed or a root.
const MAKERS: [&str; 6] = [
    "HdSeed::from_entropy(",
    "HdSeed::generate(",
    "HdRoot::from_seed(",
    "Mnemonic::from_entropy(",
    "Mnemonic::from_words(",
    "Slip10Key::master(",
];

/// Every call in the product, by file. A new one is a new way for a seed to come in from outside: an import
/// is a ceremony of the authority class, named and logged, or it is not there.
const ALLOWED: [(&str, &str, usize, &str); 17] = [
    (
        "crates/keystead/src/commands/anchor.rs",
        "Mnemonic::from_words(",
        1,
        "an anchor's key, offline, for one signature: no key of the log; nothing of it enters",
    ),
    (
        "crates/keystead/src/commands/entropy.rs",
        "HdSeed::from_entropy(",
        1,
        "rolled offline and written down; nothing of it enters",
    ),
    (
        "crates/keystead/src/commands/entropy.rs",
        "Mnemonic::from_words(",
        1,
        "searched for weak generators; nothing of it enters",
    ),
    (
        "crates/keystead-keys/src/backup.rs",
        "HdSeed::from_entropy(",
        1,
        "a backup, opened by its recipient's key",
    ),
    (
        "crates/keystead-keys/src/seed_shares.rs",
        "HdSeed::from_entropy(",
        1,
        "a backup in shares, put together by as many people as it says",
    ),
    ("crates/keystead-keys/src/mnemonic.rs", "Mnemonic::from_entropy(", 1, "the library's, inside ours"),
    ("crates/keystead-keys/src/seed.rs", "Mnemonic::from_entropy(", 1, "the words of a seed that is there"),
    ("crates/keystead-keys/src/seed.rs", "HdRoot::from_seed(", 1, "the root of a seed that is there"),
    ("crates/keystead-signing/src/enclave.rs", "HdSeed::from_entropy(", 1, "an opened seal"),
    (
        "crates/keystead-signing/src/enclave/creating.rs",
        "HdSeed::from_entropy(",
        1,
        "a birth (E1): of the machine's sources, and of what people bring to them",
    ),
    ("crates/keystead-keys/src/self_test.rs", "HdRoot::from_seed(", 1, "BIP-32's vector, which is known"),
    (
        "crates/keystead-keys/src/self_test.rs",
        "Mnemonic::from_entropy(",
        1,
        "BIP-39's vector, which is known",
    ),
    ("crates/keystead-keys/src/self_test.rs", "Mnemonic::from_words(", 1, "BIP-39's vector, which is known"),
    ("crates/keystead-keys/src/self_test.rs", "Slip10Key::master(", 1, "SLIP-10's vector, which is known"),
    (
        "crates/keystead-signing/src/passphrase.rs",
        "Mnemonic::from_words(",
        1,
        "an import, in a scratch enclave: dealt in shares, and kept nowhere",
    ),
    (
        "crates/keystead-signing/src/passphrase.rs",
        "HdRoot::from_seed(",
        1,
        "an import, in a scratch enclave: dealt in shares, and kept nowhere",
    ),
    ("crates/keystead-signing/src/vault.rs", "HdSeed::from_entropy(", 1, "the vault's own secret pages"),
];

#[test]
fn e2_no_path_of_the_product_takes_a_seed_from_outside() {
    let sources = Source::below(&["crates"]);
    let mut found = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let code = source.code();
        for maker in MAKERS {
            let calls = code.matches(maker).count();
            if calls > 0 {
                found.insert((source.path.clone(), maker), calls);
            }
        }
    }
    let allowed: BTreeMap<_, _> =
        ALLOWED.iter().map(|(path, maker, calls, _)| (((*path).to_owned(), *maker), *calls)).collect();
    assert_eq!(found, allowed, "left: calls that make a seed, right: those that have a reason");
}

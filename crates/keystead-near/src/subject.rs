//! Whoever may stand in the address book: accounts, and the keys and the code that act for one.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::Address;
use keystead_base::Digest;
use keystead_intent::NearAccount;

use crate::{AccountId, Network, PublicKey, Refusal};

/// An account, a key as nodes list it, or `code:` with the SHA-256 of a contract's code. No account has a `:` in its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// Whoever has a key.
    #[must_use]
    pub fn of_key(key: &PublicKey) -> Self {
        Self(key.listed())
    }

    /// Code with this SHA-256.
    #[must_use]
    pub fn of_code(hash: Digest) -> Self {
        Self(format!("{CODE}{hash}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id under which effects and the address book name it on a network.
    #[must_use]
    pub fn id(&self, network: Network) -> Address {
        NearAccount { chain: network.chain(), name: self.0.clone() }.id()
    }
}

impl FromStr for Subject {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = |&(kind, length): &(&str, usize)| {
            let bytes = text.strip_prefix(kind).and_then(|it| bs58::decode(it).into_vec().ok());
            bytes.is_some_and(|it| it.len() == length)
        };
        let code = || {
            let hash = text.strip_prefix(CODE)?;
            hash.parse::<Digest>().ok().filter(|it| it.to_string() == hash)
        };
        match KEYS.iter().any(key) || code().is_some() || text.parse::<AccountId>().is_ok() {
            true => Ok(Self(text.to_owned())),
            false => {
                let found = text.chars().filter(char::is_ascii_graphic).take(64).collect();
                Err(Refusal::Subject { found })
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const CODE: &str = "code:";
/// How nodes list keys, and how many bytes stand in Base58 behind it.
const KEYS: [(&str, usize); 3] = [("ed25519:", 32), ("secp256k1:", 64), ("ml-dsa-65-hash:", 32)];

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    #[test]
    fn s12_a_key_and_code_are_named_as_they_are_read() {
        let key = Subject::of_key(&PublicKey::Secp256k1([4; 64]));
        let code = Subject::of_code(Digest([7; 32]));
        let account = Subject("bob.near".to_owned());
        for it in [&key, &code, &account] {
            assert_eq!(it.as_str().parse::<Subject>().as_ref(), Ok(it));
        }
        let named: AccountId = "bob.near".parse().unwrap();
        assert_eq!(account.id(Network::Mainnet), named.id(Network::Mainnet));
        assert_ne!(key.id(Network::Mainnet), key.id(Network::Testnet));
        let short = key.as_str().split_at(30).0;
        for text in ["Bob.near", "code:07", "ed25519:", "ml-dsa-65:1111", short, ""] {
            assert_eq!(text.parse::<Subject>().unwrap_err().code(), "near.subject", "{text}");
        }
        let loud = code.as_str().replace("07", "0A");
        assert_eq!(loud.parse::<Subject>().unwrap_err().code(), "near.subject");
    }
}

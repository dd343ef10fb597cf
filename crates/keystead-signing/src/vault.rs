//! The keys of the process, all of their secrets in secret pages and nowhere else.

use std::collections::{BTreeMap, HashMap};
use std::io;

use alloy_primitives::Address;
use keystead_base::{Blame, Coded, Name, PublicAccount, Secret};
use keystead_keys::{DeriveError, HdSeed};
use secp256k1::PublicKey;

use crate::kernel::{PageKind, SecretPages};

/// The most keys that one enclave holds.
pub const MAX_KEYS: usize = 256;

/// Keys by name, and the accounts derived from them so far.
pub(crate) struct Vault {
    slots: Slots,
    keys: BTreeMap<Name, Key>,
    accounts: HashMap<(Name, u32), Account>,
}

/// What is known of a key outside the secret pages.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// The key's epoch.
    pub(crate) epoch: u32,
    /// The public side.
    pub(crate) account: PublicAccount,
    entropy: Slot,
}

/// One account, ready to sign.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    /// Its address.
    pub(crate) address: Address,
    /// Its public key.
    pub(crate) public: PublicKey,
    scalar: Slot,
}

impl Vault {
    pub(crate) fn new() -> io::Result<Self> {
        let pages = SecretPages::new((MAX_KEYS + MAX_ACCOUNTS) * SLOT_BYTES)?;
        Ok(Self { slots: Slots(pages), keys: BTreeMap::new(), accounts: HashMap::new() })
    }

    pub(crate) fn kind(&self) -> PageKind {
        self.slots.0.kind()
    }

    /// Takes a seed over, under a name that has none.
    pub(crate) fn add(&mut self, name: Name, epoch: u32, seed: &HdSeed) -> Result<PublicAccount, VaultError> {
        if self.keys.contains_key(&name) {
            return Err(VaultError::Known { key: name });
        }
        if self.keys.len() >= MAX_KEYS {
            return Err(VaultError::Full { limit: MAX_KEYS });
        }
        let account = seed.root()?.ethereum()?.public();
        // INVARIANT E3: the same public key twice means that randomness failed or a file was copied.
        if let Some((twin, _)) = self.keys.iter().find(|(_, key)| key.account == account) {
            return Err(VaultError::Twin { key: name, twin: twin.clone() });
        }
        let entropy = self.free_slot().ok_or(VaultError::Full { limit: MAX_KEYS })?;
        self.slots.write(entropy, seed.entropy());
        self.keys.insert(name, Key { epoch, account, entropy });
        Ok(account)
    }

    /// Wipes a key and every account that was derived so far; those of other keys are derived anew.
    pub(crate) fn wipe(&mut self, name: &Name) -> Result<(), VaultError> {
        let key = self.keys.remove(name).ok_or_else(|| VaultError::Unknown { key: name.clone() })?;
        let scalars = self.accounts.drain().map(|(_, account)| account.scalar);
        let slots: Vec<Slot> = scalars.chain([key.entropy]).collect();
        slots.into_iter().for_each(|slot| self.slots.write(slot, &Secret::new([0; SLOT_BYTES])));
        Ok(())
    }

    fn free_slot(&self) -> Option<Slot> {
        (0..MAX_KEYS).find(|place| self.keys.values().all(|key| key.entropy.0 != *place)).map(Slot)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (&Name, &Key)> {
        self.keys.iter()
    }

    pub(crate) fn key(&self, name: &Name) -> Result<Key, VaultError> {
        self.keys.get(name).copied().ok_or_else(|| VaultError::Unknown { key: name.clone() })
    }

    pub(crate) fn seed(&self, key: &Key) -> HdSeed {
        HdSeed::from_entropy(self.slots.read(key.entropy))
    }

    /// The account, derived once and remembered.
    pub(crate) fn account(&mut self, name: &Name, index: u32) -> Result<Account, VaultError> {
        let place = (name.clone(), index);
        if let Some(account) = self.accounts.get(&place) {
            return Ok(*account);
        }
        let derived = self.seed(&self.key(name)?).root()?.ethereum()?.account(index)?;
        if self.accounts.len() >= MAX_ACCOUNTS {
            // Derivation is cheap enough to begin anew; the slots are written over.
            self.accounts.clear();
        }
        let scalar = Slot(MAX_KEYS + self.accounts.len());
        self.slots.write(scalar, &derived.scalar());
        let public = PublicKey::from_byte_array_compressed(derived.public().compressed())
            .map_err(|_| VaultError::Derive(DeriveError::Curve))?;
        let account = Account { address: address(&public), public, scalar };
        self.accounts.insert(place, account);
        Ok(account)
    }

    pub(crate) fn scalar(&self, account: &Account) -> Secret<[u8; SLOT_BYTES]> {
        self.slots.read(account.scalar)
    }
}

fn address(public: &PublicKey) -> Address {
    let uncompressed = public.serialize_uncompressed();
    let (_, coordinates) = uncompressed.split_at(1);
    Address::from_raw_public_key(coordinates)
}

/// The pages, cut into slots of 32 bytes.
struct Slots(SecretPages);

#[derive(Clone, Copy)]
struct Slot(usize);

impl Slots {
    fn write(&mut self, slot: Slot, secret: &Secret<[u8; SLOT_BYTES]>) {
        if let Some(place) = self.0.bytes_mut().chunks_exact_mut(SLOT_BYTES).nth(slot.0) {
            place.copy_from_slice(secret.expose());
        }
    }

    fn read(&self, slot: Slot) -> Secret<[u8; SLOT_BYTES]> {
        let mut secret = Secret::new([0; SLOT_BYTES]);
        if let Some(place) = self.0.bytes().chunks_exact(SLOT_BYTES).nth(slot.0) {
            secret.expose_mut().copy_from_slice(place);
        }
        secret
    }
}

/// Why the vault does not take or give a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No such key.
    #[error("this enclave holds no key `{key}`")]
    Unknown {
        /// The name.
        key: Name,
    },
    /// The name is taken.
    #[error("this enclave holds a key `{key}` already")]
    Known {
        /// The name.
        key: Name,
    },
    /// Another key has the same public side.
    #[error("`{key}` would have the public key of `{twin}`")]
    Twin {
        /// The new key.
        key: Name,
        /// The one that has it.
        twin: Name,
    },
    /// No room.
    #[error("an enclave holds at most {limit} keys")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// Nothing grows there.
    #[error(transparent)]
    Derive(#[from] DeriveError),
}

impl Coded for VaultError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "vault.unknown",
            Self::Known { .. } => "vault.known",
            Self::Twin { .. } => "vault.twin",
            Self::Full { .. } => "vault.full",
            Self::Derive(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Unknown { .. } | Self::Known { .. } | Self::Full { .. } => Blame::Peer,
            Self::Twin { .. } => Blame::Environment,
            Self::Derive(error) => error.blame(),
        }
    }
}

const SLOT_BYTES: usize = 32;
/// Accounts remembered at once: 4,096 slots with the keys', 128 KiB.
const MAX_ACCOUNTS: usize = 4096 - MAX_KEYS;

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(byte: u8) -> HdSeed {
        HdSeed::from_entropy(Secret::new([byte; 32]))
    }

    #[test]
    fn e3_a_key_has_one_name_and_a_name_one_key() {
        let mut vault = Vault::new().unwrap();
        let hot: Name = "hot".parse().unwrap();
        vault.add(hot.clone(), 1, &seed(1)).unwrap();
        assert_eq!(vault.add(hot.clone(), 1, &seed(2)).unwrap_err().code(), "vault.known");
        let twin = vault.add("cold".parse().unwrap(), 1, &seed(1)).unwrap_err();
        assert_eq!(twin.code(), "vault.twin");
        assert_eq!(
            vault.account(&"warm".parse().unwrap(), 0).map(|_| ()).unwrap_err().code(),
            "vault.unknown"
        );
        assert_eq!(vault.seed(&vault.key(&hot).unwrap()).entropy().expose(), &[1; 32]);
    }

    #[test]
    fn k05_a_wiped_key_leaves_no_byte_and_no_other_key_is_touched() {
        let mut vault = Vault::new().unwrap();
        let [hot, cold, warm]: [Name; 3] = ["hot", "cold", "warm"].map(|it| it.parse().unwrap());
        vault.add(hot.clone(), 1, &seed(1)).unwrap();
        vault.add(cold.clone(), 1, &seed(2)).unwrap();
        let before = vault.account(&cold, 0).unwrap().address;
        vault.account(&hot, 0).unwrap();
        vault.wipe(&hot).unwrap();
        assert_eq!(vault.account(&hot, 0).map(|_| ()).unwrap_err().code(), "vault.unknown");
        assert_eq!(vault.wipe(&hot).unwrap_err().code(), "vault.unknown");
        let cold_slot = vault.key(&cold).unwrap().entropy.0 * SLOT_BYTES;
        let bytes = vault.slots.0.bytes();
        let left = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(place, _)| place);
        assert_eq!(left.collect::<Vec<_>>(), (cold_slot..cold_slot + SLOT_BYTES).collect::<Vec<_>>());
        vault.add(warm, 1, &seed(3)).unwrap();
        assert_eq!(vault.seed(&vault.key(&cold).unwrap()).entropy().expose(), &[2; 32]);
        assert_eq!(vault.account(&cold, 0).unwrap().address, before);
    }

    #[test]
    fn accounts_are_those_of_the_seed() {
        let mut vault = Vault::new().unwrap();
        let hot: Name = "hot".parse().unwrap();
        vault.add(hot.clone(), 1, &seed(1)).unwrap();
        for index in [0, 1, 7, 0] {
            let account = vault.account(&hot, index).unwrap();
            let expected = seed(1).root().unwrap().ethereum().unwrap().account(index).unwrap();
            assert_eq!(account.public.serialize(), expected.public().compressed());
            assert_eq!(vault.scalar(&account).expose(), expected.scalar().expose());
        }
        assert_eq!(vault.account(&hot, 1 << 31).map(|_| ()).unwrap_err().code(), "derive.index");
    }
}

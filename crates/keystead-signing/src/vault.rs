//! The keys of the process, all of their secrets in secret pages and nowhere else.

mod slots;
mod twins;

use std::collections::{BTreeMap, HashMap, VecDeque};

use alloy_primitives::Address;
use keystead_base::{Blame, Coded, Name, PublicAccount, Secret};
use keystead_keys::{DeriveError, HdRoot, HdSeed, Purpose};
use keystead_quantum::QuantumKey;
use secp256k1::PublicKey;

pub(crate) use slots::Slots;
use slots::{SLOT_BYTES, Slot};
use twins::{Mark, Twins};

/// The most keys that one enclave holds.
pub const MAX_KEYS: usize = 10_240;

/// Keys by name, and the accounts that were derived last.
pub(crate) struct Vault {
    slots: Slots,
    keys: BTreeMap<Name, Key>,
    twins: Twins,
    accounts: HashMap<(Name, u32), Account>,
    /// The places of the accounts, oldest first.
    order: VecDeque<(Name, u32)>,
}

/// What is known of a key outside the secret pages.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// The key's epoch.
    pub(crate) epoch: u32,
    /// What its seed is for: [`Purpose::HdSeed`] or [`Purpose::MlDsa65Seed`].
    pub(crate) purpose: Purpose,
    /// The public side, once it was derived.
    account: Option<PublicAccount>,
    entropy: Slot,
    mark: Mark,
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
    /// Without keys. `twin_key` is random, and of this process alone.
    pub(crate) fn new(slots: Slots, twin_key: Secret<[u8; 32]>) -> Self {
        let (keys, accounts, order) = (BTreeMap::new(), HashMap::new(), VecDeque::new());
        Self { slots, keys, twins: Twins::new(twin_key), accounts, order }
    }

    /// Takes a seed over, under a name that has none, and derives its public side.
    pub(crate) fn add(
        &mut self,
        name: Name,
        epoch: u32,
        (purpose, seed): (Purpose, &HdSeed),
    ) -> Result<PublicAccount, VaultError> {
        let account = seed.account(purpose)?;
        self.open(name, epoch, (purpose, seed), Some(account))?;
        Ok(account)
    }

    /// Takes a seed over, as [`Self::add`]; a public side that is not known is derived when it is asked for.
    pub(crate) fn open(
        &mut self,
        name: Name,
        epoch: u32,
        (purpose, seed): (Purpose, &HdSeed),
        account: Option<PublicAccount>,
    ) -> Result<(), VaultError> {
        if self.keys.contains_key(&name) {
            return Err(VaultError::Known { key: name });
        }
        if self.keys.len() >= MAX_KEYS {
            return Err(VaultError::Full { limit: MAX_KEYS });
        }
        let mark = self.twins.mark(seed);
        // INVARIANT E3: the same public key twice means that randomness failed or a file was copied.
        if let Some(twin) = self.twins.find(&mark) {
            return Err(VaultError::Twin { key: name, twin: twin.clone() });
        }
        let entropy = self.slots.put(seed.entropy()).ok_or(VaultError::Full { limit: MAX_KEYS })?;
        self.twins.enter(mark, name.clone());
        self.keys.insert(name, Key { epoch, purpose, account, entropy, mark });
        Ok(())
    }

    /// INVARIANT K5: wipes a key and every account of it that is remembered.
    pub(crate) fn wipe(&mut self, name: &Name) -> Result<(), VaultError> {
        let key = self.keys.remove(name).ok_or_else(|| VaultError::Unknown { key: name.clone() })?;
        self.twins.leave(&key.mark);
        self.slots.wipe(key.entropy);
        let (gone, left) = std::mem::take(&mut self.order).into_iter().partition(|(of, _)| of == name);
        self.order = left;
        gone.iter().for_each(|place| self.forget(place));
        Ok(())
    }

    pub(crate) fn key(&self, name: &Name) -> Result<Key, VaultError> {
        self.keys.get(name).copied().ok_or_else(|| VaultError::Unknown { key: name.clone() })
    }

    pub(crate) fn seed(&self, key: &Key) -> HdSeed {
        HdSeed::from_entropy(self.slots.read(key.entropy))
    }

    /// Where the accounts of a key grow.
    ///
    /// INVARIANT S7: a seed serves the one scheme that its key was born for.
    pub(crate) fn root(&self, name: &Name) -> Result<HdRoot, VaultError> {
        let key = self.key(name)?;
        match key.purpose {
            Purpose::HdSeed => Ok(self.seed(&key).root()?),
            _ => Err(VaultError::Scheme { key: name.clone(), expected: "secp256k1" }),
        }
    }

    /// A key of ML-DSA-65, for as long as it signs.
    pub(crate) fn ml_dsa_65(&self, name: &Name) -> Result<QuantumKey, VaultError> {
        let key = self.key(name)?;
        match key.purpose {
            Purpose::MlDsa65Seed => Ok(self.seed(&key).ml_dsa_65()?),
            _ => Err(VaultError::Scheme { key: name.clone(), expected: "ML-DSA-65" }),
        }
    }

    /// The public side, derived once and remembered.
    pub(crate) fn public(&mut self, name: &Name) -> Result<PublicAccount, VaultError> {
        let key = self.key(name)?;
        if let Some(account) = key.account {
            return Ok(account);
        }
        let account = self.seed(&key).account(key.purpose)?;
        self.keys.insert(name.clone(), Key { account: Some(account), ..key });
        Ok(account)
    }

    /// The account, derived once and remembered, until so many others were derived after it.
    pub(crate) fn account(&mut self, name: &Name, index: u32) -> Result<Account, VaultError> {
        let place = (name.clone(), index);
        if let Some(account) = self.accounts.get(&place) {
            return Ok(*account);
        }
        let derived = self.root(name)?.ethereum()?.account(index)?;
        let public = PublicKey::from_byte_array_compressed(derived.public().compressed())
            .map_err(|_| VaultError::Derive(DeriveError::Curve))?;
        if self.order.len() >= MAX_ACCOUNTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(&oldest);
        }
        let scalar = self.slots.put(&derived.scalar()).ok_or(VaultError::Full { limit: MAX_KEYS })?;
        let account = Account { address: address(&public), public, scalar };
        self.accounts.insert(place.clone(), account);
        self.order.push_back(place);
        Ok(account)
    }

    pub(crate) fn scalar(&self, account: &Account) -> Secret<[u8; SLOT_BYTES]> {
        self.slots.read(account.scalar)
    }

    fn forget(&mut self, place: &(Name, u32)) {
        if let Some(account) = self.accounts.remove(place) {
            self.slots.wipe(account.scalar);
        }
    }
}

fn address(public: &PublicKey) -> Address {
    let uncompressed = public.serialize_uncompressed();
    let (_, coordinates) = uncompressed.split_at(1);
    Address::from_raw_public_key(coordinates)
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
    /// A key of another scheme.
    #[error("`{key}` is no key of {expected}, and signs nothing of that scheme")]
    Scheme {
        /// The key.
        key: Name,
        /// What was asked of it.
        expected: &'static str,
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
            Self::Scheme { .. } => "vault.scheme",
            Self::Derive(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Unknown { .. } | Self::Known { .. } | Self::Full { .. } | Self::Scheme { .. } => {
                Blame::Peer
            }
            Self::Twin { .. } => Blame::Environment,
            Self::Derive(error) => error.blame(),
        }
    }
}

/// Accounts remembered at once: with the keys' 20,480 slots, 640 KiB of the 8 MiB that a process may usually lock.
const MAX_ACCOUNTS: usize = 10_240;

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::new(Slots::new().unwrap(), Secret::new([9; 32]))
    }

    fn seed(byte: u8) -> HdSeed {
        HdSeed::from_entropy(Secret::new([byte; 32]))
    }

    fn numbered(number: u32) -> (Name, HdSeed) {
        let mut entropy = Secret::new([1; 32]);
        entropy.expose_mut()[..4].copy_from_slice(&number.to_be_bytes());
        (format!("key-{number}").parse().unwrap(), HdSeed::from_entropy(entropy))
    }

    #[test]
    fn e3_a_key_has_one_name_and_a_name_one_key() {
        let mut vault = vault();
        let [hot, cold, warm]: [Name; 3] = ["hot", "cold", "warm"].map(|it| it.parse().unwrap());
        vault.add(hot.clone(), 1, (Purpose::HdSeed, &seed(1))).unwrap();
        assert_eq!(vault.add(hot.clone(), 1, (Purpose::HdSeed, &seed(2))).unwrap_err().code(), "vault.known");
        let twin = vault.add(cold.clone(), 1, (Purpose::HdSeed, &seed(1))).unwrap_err();
        assert_eq!(twin.code(), "vault.twin");
        assert_eq!(
            vault.open(cold.clone(), 1, (Purpose::HdSeed, &seed(1)), None).unwrap_err().code(),
            "vault.twin"
        );
        vault.open(cold.clone(), 1, (Purpose::HdSeed, &seed(2)), None).unwrap();
        assert_eq!(vault.add(warm.clone(), 1, (Purpose::HdSeed, &seed(2))).unwrap_err().code(), "vault.twin");
        assert_eq!(vault.account(&warm, 0).map(|_| ()).unwrap_err().code(), "vault.unknown");
        assert_eq!(vault.seed(&vault.key(&hot).unwrap()).entropy().expose(), &[1; 32]);
        vault.wipe(&cold).unwrap();
        vault.add(warm, 1, (Purpose::HdSeed, &seed(2))).unwrap();
    }

    #[test]
    fn k05_a_wiped_key_leaves_no_byte_and_no_other_key_is_touched() {
        let mut vault = vault();
        let [hot, cold, warm]: [Name; 3] = ["hot", "cold", "warm"].map(|it| it.parse().unwrap());
        vault.add(hot.clone(), 1, (Purpose::HdSeed, &seed(1))).unwrap();
        vault.add(cold.clone(), 1, (Purpose::HdSeed, &seed(2))).unwrap();
        let before = vault.account(&cold, 0).unwrap();
        for index in 0..3 {
            vault.account(&hot, index).unwrap();
        }
        vault.wipe(&hot).unwrap();
        assert_eq!(vault.account(&hot, 0).map(|_| ()).unwrap_err().code(), "vault.unknown");
        assert_eq!(vault.wipe(&hot).unwrap_err().code(), "vault.unknown");
        assert_eq!(vault.slots.written(), [vault.key(&cold).unwrap().entropy, before.scalar]);
        vault.add(warm, 1, (Purpose::HdSeed, &seed(3))).unwrap();
        assert_eq!(vault.seed(&vault.key(&cold).unwrap()).entropy().expose(), &[2; 32]);
        assert_eq!(vault.account(&cold, 0).unwrap().address, before.address);
        vault.wipe(&cold).unwrap();
        vault.wipe(&"warm".parse().unwrap()).unwrap();
        assert_eq!(vault.slots.written(), []);
    }

    #[test]
    fn k05_every_place_is_taken_once_and_given_back_empty() {
        let mut vault = vault();
        for number in 0..MAX_KEYS as u32 {
            let (name, seed) = numbered(number);
            vault.open(name, 0, (Purpose::HdSeed, &seed), None).unwrap();
        }
        let (one_more, other) = numbered(MAX_KEYS as u32);
        let full = vault.open(one_more.clone(), 0, (Purpose::HdSeed, &other), None).unwrap_err();
        assert_eq!((full.code(), full), ("vault.full", VaultError::Full { limit: MAX_KEYS }));
        assert_eq!(vault.slots.written().len(), MAX_KEYS);
        for number in [0, 1, 5_000, MAX_KEYS as u32 - 1] {
            let (name, seed) = numbered(number);
            let held = vault.seed(&vault.key(&name).unwrap());
            assert_eq!(held.entropy().expose(), seed.entropy().expose(), "{name}");
        }
        vault.wipe(&numbered(5_000).0).unwrap();
        assert_eq!(vault.slots.written().len(), MAX_KEYS - 1);
        vault.open(one_more, 0, (Purpose::HdSeed, &other), None).unwrap();
        (0..=MAX_KEYS as u32).for_each(|number| drop(vault.wipe(&numbered(number).0)));
        assert_eq!(vault.slots.written(), []);
    }

    /// INVARIANT S7: what one scheme's equations say of a secret never meets the other's.
    #[test]
    fn s07_a_seed_signs_for_the_scheme_that_its_key_was_born_for_alone() {
        let mut vault = vault();
        let [hot, vera]: [Name; 2] = ["hot", "vera"].map(|it| it.parse().unwrap());
        vault.add(hot.clone(), 1, (Purpose::HdSeed, &seed(1))).unwrap();
        let twin = vault.add(vera.clone(), 1, (Purpose::MlDsa65Seed, &seed(1)));
        assert_eq!(twin.unwrap_err().code(), "vault.twin", "one seed is one key");
        vault.open(vera.clone(), 1, (Purpose::MlDsa65Seed, &seed(2)), None).unwrap();
        let account = seed(2).account(Purpose::MlDsa65Seed).unwrap();
        assert_eq!(vault.public(&vera).unwrap(), account);
        assert_eq!(vault.ml_dsa_65(&vera).unwrap().public(), seed(2).ml_dsa_65().unwrap().public());
        assert_eq!(vault.account(&vera, 0).map(|_| ()).unwrap_err().code(), "vault.scheme");
        assert_eq!(vault.root(&vera).map(|_| ()).unwrap_err().code(), "vault.scheme");
        assert_eq!(vault.ml_dsa_65(&hot).map(|_| ()).unwrap_err().code(), "vault.scheme");
        vault.wipe(&vera).unwrap();
        assert_eq!(vault.slots.written(), [vault.key(&hot).unwrap().entropy]);
    }

    #[test]
    fn accounts_are_those_of_the_seed() {
        let mut vault = vault();
        let hot: Name = "hot".parse().unwrap();
        vault.open(hot.clone(), 1, (Purpose::HdSeed, &seed(1)), None).unwrap();
        let node = seed(1).root().unwrap().ethereum().unwrap();
        assert_eq!(vault.public(&hot).unwrap(), node.public());
        assert_eq!(vault.public(&hot).unwrap(), node.public());
        for index in [0, 1, 7, 0] {
            let account = vault.account(&hot, index).unwrap();
            let expected = node.account(index).unwrap();
            assert_eq!(account.public.serialize(), expected.public().compressed());
            assert_eq!(vault.scalar(&account).expose(), expected.scalar().expose());
        }
        assert_eq!(vault.account(&hot, 1 << 31).map(|_| ()).unwrap_err().code(), "derive.index");
    }
}

//! From a descriptor and a place in it to the script that coins are locked with, and back.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::LazyLock;

use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpub};
use bitcoin::opcodes::all::OP_CHECKMULTISIG;
use bitcoin::secp256k1::{PublicKey, Secp256k1, VerifyOnly, XOnlyPublicKey};
use bitcoin::{CompressedPublicKey, Script, ScriptBuf};

use crate::memo::Memo;
use crate::{Descriptor, Form, Key};

/// Which of a descriptor's two branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Branch {
    /// Addresses that others pay to: `0`.
    Receive,
    /// Addresses that our own transactions pay back to: `1`.
    Change,
}

impl Branch {
    /// The step in the path (BIP-44, "Change").
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Receive => 0,
            Self::Change => 1,
        }
    }
}

/// One address of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The branch.
    pub branch: Branch,
    /// The index in it; below 2^31, as it is not hardened.
    pub index: u32,
}

impl Place {
    /// The first `count` indexes of both branches.
    pub(crate) fn first(count: u16) -> impl Iterator<Item = Self> {
        Self::within(0..u32::from(count))
    }

    fn within(indexes: Range<u32>) -> impl Iterator<Item = Self> {
        indexes.flat_map(|index| [Branch::Receive, Branch::Change].map(|branch| Self { branch, index }))
    }

    /// The place at the end of a path: its last two steps, neither of them hardened.
    pub(crate) fn of_steps(branch: ChildNumber, index: ChildNumber) -> Option<Self> {
        let branch = match branch {
            ChildNumber::Normal { index: 0 } => Branch::Receive,
            ChildNumber::Normal { index: 1 } => Branch::Change,
            _ => return None,
        };
        match index {
            ChildNumber::Normal { index } => Some(Self { branch, index }),
            ChildNumber::Hardened { .. } => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.branch.number(), self.index)
    }
}

/// Everything about one address that spending from it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The script that coins are locked with.
    pub script_pubkey: ScriptBuf,
    /// For `sh(wpkh)`, the script behind the hash (BIP-16).
    pub redeem_script: Option<ScriptBuf>,
    /// For `wsh`, the script behind the witness program (BIP-141).
    pub witness_script: Option<ScriptBuf>,
    /// The keys, in the order of the descriptor.
    pub keys: Vec<DerivedKey>,
}

/// A key at one place, and how its holder finds the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedKey {
    /// The public key; for taproot, the internal one.
    pub public: PublicKey,
    /// The fingerprint of the master key.
    pub fingerprint: Fingerprint,
    /// The whole path from the master key.
    pub path: DerivationPath,
}

impl DerivedKey {
    /// The key's x coordinate, as taproot names it (BIP-340).
    #[must_use]
    pub fn x_only(&self) -> XOnlyPublicKey {
        self.public.x_only_public_key().0
    }
}

impl Descriptor {
    /// Derives the script at a place.
    ///
    /// `None` when the index is hardened, or the child is invalid (probability below 2^-127).
    #[must_use]
    pub fn derive(&self, place: Place) -> Option<Derived> {
        static DERIVED: LazyLock<Memo<(Descriptor, Place), Derived>> = LazyLock::new(|| Memo::of(PLACES));
        DERIVED.get(&(self.clone(), place), || self.derive_anew(place).ok_or(())).ok()
    }

    fn derive_anew(&self, place: Place) -> Option<Derived> {
        let keys: Vec<DerivedKey> = self.keys().iter().map(|it| child(it, place)).collect::<Option<_>>()?;
        let first = CompressedPublicKey(keys.first()?.public);
        let (redeem_script, witness_script, script_pubkey) = match self.form() {
            Form::Pkh => (None, None, ScriptBuf::new_p2pkh(&first.pubkey_hash())),
            Form::Wpkh => (None, None, ScriptBuf::new_p2wpkh(&first.wpubkey_hash())),
            Form::ShWpkh => {
                let redeem = ScriptBuf::new_p2wpkh(&first.wpubkey_hash());
                let script = ScriptBuf::new_p2sh(&redeem.script_hash());
                (Some(redeem), None, script)
            }
            Form::Tr => (None, None, ScriptBuf::new_p2tr(&CURVE, first.0.x_only_public_key().0, None)),
            Form::WshSortedMulti { threshold } => {
                let witness = sorted_multi(threshold, &keys);
                let script = ScriptBuf::new_p2wsh(&witness.wscript_hash());
                (None, Some(witness), script)
            }
        };
        Some(Derived { script_pubkey, redeem_script, witness_script, keys })
    }

    /// Where a script is among `count` indexes from `first` on, in either branch.
    #[must_use]
    pub fn find(&self, script: &Script, first: u32, count: u16) -> Option<Place> {
        let end = first.saturating_add(u32::from(count)).min(FIRST_HARDENED);
        Place::within(first..end).find(|place| self.is_at(script, *place))
    }

    /// INVARIANT S2: whether a script is ours is computed from our own keys, and from nothing else.
    pub(crate) fn is_at(&self, script: &Script, place: Place) -> bool {
        self.derive(place).is_some_and(|it| it.script_pubkey.as_script() == script)
    }
}

fn child(key: &Key, place: Place) -> Option<DerivedKey> {
    let [receive, change] = key.branches();
    let branch: &Xpub = match place.branch {
        Branch::Receive => receive,
        Branch::Change => change,
    };
    let index = ChildNumber::from_normal_idx(place.index).ok()?;
    let public = branch.ckd_pub(&CURVE, index).ok()?.public_key;
    let steps = [ChildNumber::from_normal_idx(place.branch.number()).ok()?, index];
    Some(DerivedKey { public, fingerprint: key.fingerprint(), path: key.path().extend(steps) })
}

/// `k KEY… n OP_CHECKMULTISIG`, the keys sorted by their 33 bytes (BIP-67).
fn sorted_multi(threshold: u8, keys: &[DerivedKey]) -> ScriptBuf {
    let mut sorted: Vec<bitcoin::PublicKey> =
        keys.iter().map(|it| bitcoin::PublicKey::new(it.public)).collect();
    sorted.sort_by_key(|it| it.inner.serialize());
    let start = ScriptBuf::builder().push_int(i64::from(threshold));
    let pushed = sorted.iter().fold(start, |builder, key| builder.push_key(key));
    let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
    pushed.push_int(count).push_opcode(OP_CHECKMULTISIG).into_script()
}

/// Made once: a context costs nearly as much as an operation on it.
pub(crate) static CURVE: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// How many places stay derived: about a kilobyte each.
const PLACES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// From here on an index is a hardened one (BIP-32).
const FIRST_HARDENED: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, address_of};

    /// BIP-67, "Test Vectors", the first one: the BIP's own address is that of a script hash.
    #[test]
    fn s02_the_first_vector_of_bip_67() {
        let key = |hex: &str| DerivedKey {
            public: PublicKey::from_slice(&const_hex::decode(hex).unwrap()).unwrap(),
            fingerprint: Fingerprint::default(),
            path: DerivationPath::master(),
        };
        let keys = [
            key("02ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f8"),
            key("02fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f"),
        ];
        let script = sorted_multi(2, &keys);
        let address = address_of(&ScriptBuf::new_p2sh(&script.script_hash()), Network::Mainnet);
        assert_eq!(address.as_deref(), Some("39bgKC7RFbpoCRbtD5KEdkYKtNyhpsNa3Z"));
    }
}

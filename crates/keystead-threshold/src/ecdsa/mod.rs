//! ECDSA on secp256k1: a share, what an engine adds to it, and the ceremonies around both.
//!
//! Shares are dealt by [`crate::Deal`] and belong to no engine. An engine sets up among the holders what it needs
//! beside them, and signs. So another engine takes over by setting up anew, from the same shares
//! ([`Ceremony::set_up`], docs/decisions/0030).

mod ceremony;
mod dkls23;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Secret};
use zeroize::Zeroizing;

pub use self::ceremony::Ceremony;
pub use self::dkls23::Dkls23;
use crate::{Abort, Begun, KeyShare, Protocol};

/// Bytes of a BIP-32 chain code.
pub const CHAIN_CODE_BYTES: usize = 32;

/// A signature and how to find the key from it. `s` is in the lower half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcdsaSignature {
    /// `r`, big-endian.
    pub r: [u8; 32],
    /// `s`, big-endian, at most half of the order.
    pub s: [u8; 32],
    /// 0 to 3: bit 0 is the parity of the point's y, bit 1 whether its x was reduced.
    pub recovery_id: u8,
    /// The key that it verifies under, compressed: the child at the session's path.
    pub key: [u8; 33],
}

/// What turns shares into signatures. Two engines of one key never run together: a tag stands in what is stored,
/// and the session's scheme in what is sent.
pub trait EcdsaEngine: Sized {
    /// Written into stored shares.
    const TAG: u16;
    /// How many rounds its set-up has, echoes not counted.
    const SET_UP_ROUNDS: u8;
    /// Sets up among the holders; a node without a share only listens.
    type SetUp: Protocol<Output = Option<EcdsaShare<Self>>>;
    /// Signs once.
    type Sign: Protocol<Output = (EcdsaShare<Self>, EcdsaSignature)>;

    /// Begins a set-up from a share, with the key's chain code; `None` where the key is just born.
    fn set_up(share: Option<KeyShare>, chain_code: Option<[u8; CHAIN_CODE_BYTES]>) -> Self::SetUp;
    /// Begins a signature.
    fn sign(share: EcdsaShare<Self>) -> Self::Sign;
    /// What the engine keeps, to be sealed with the share.
    fn to_secret(&self) -> Option<Secret<Vec<u8>>>;
    /// What it kept. `None` where it does not belong to the share.
    fn from_secret(bytes: &Secret<Vec<u8>>, share: &KeyShare) -> Option<Self>;
}

/// A share of an ECDSA key with what its engine set up. Neither cloned nor shown; wiped when dropped.
///
/// ```compile_fail
/// fn twice(share: keystead_threshold::EcdsaShare<keystead_threshold::Dkls23>) {
///     let twin = share.clone();
/// }
/// ```
///
/// ```compile_fail
/// fn shown(share: &keystead_threshold::EcdsaShare<keystead_threshold::Dkls23>) -> String {
///     format!("{share:?}")
/// }
/// ```
pub struct EcdsaShare<E: EcdsaEngine> {
    pub(crate) share: KeyShare,
    pub(crate) chain_code: [u8; CHAIN_CODE_BYTES],
    pub(crate) engine: E,
}

impl<E: EcdsaEngine> EcdsaShare<E> {
    /// The share itself, which belongs to no engine.
    #[must_use]
    pub fn share(&self) -> &KeyShare {
        &self.share
    }

    /// The chain code (BIP-32). With the public key it tells every child's public key: keep it from strangers.
    #[must_use]
    pub fn chain_code(&self) -> &[u8; CHAIN_CODE_BYTES] {
        &self.chain_code
    }

    /// The share without its engine: what is refreshed, handed on, and what another engine begins with.
    #[must_use]
    pub fn into_parts(self) -> (KeyShare, [u8; CHAIN_CODE_BYTES]) {
        (self.share, self.chain_code)
    }

    pub(crate) fn check(&self, begun: &Begun) -> Result<(), Abort> {
        self.share.check(begun)
    }

    /// The bytes to be sealed in the enclave: a document of `keystead/threshold-ecdsa/v1`.
    #[must_use]
    pub fn to_secret(&self) -> Option<Secret<Vec<u8>>> {
        let state = self.engine.to_secret()?;
        let stored = StoredEcdsa {
            share: Zeroizing::new(self.share.to_secret().expose().clone()),
            chain_code: self.chain_code,
            engine: E::TAG,
            state: Zeroizing::new(state.expose().clone()),
        };
        Some(Secret::new(stored.to_document()))
    }

    /// The share of bytes that were sealed. What another engine kept gives the share alone, to be set up anew.
    #[must_use]
    pub fn from_secret(bytes: &Secret<Vec<u8>>) -> Option<Kept<E>> {
        let stored = StoredEcdsa::from_document(bytes.expose()).ok()?;
        let share = KeyShare::from_secret(&Secret::new(stored.share.to_vec()))?;
        if stored.engine != E::TAG {
            return Some(Kept::Bare(share, stored.chain_code));
        }
        let engine = E::from_secret(&Secret::new(stored.state.to_vec()), &share)?;
        Some(Kept::Whole(Self { share, chain_code: stored.chain_code, engine }))
    }
}

/// What was kept of an ECDSA share.
pub enum Kept<E: EcdsaEngine> {
    /// Ready to sign.
    Whole(EcdsaShare<E>),
    /// Another engine's: the share and its chain code.
    Bare(KeyShare, [u8; CHAIN_CODE_BYTES]),
}

/// A share at rest, with its engine's state.
pub(crate) struct StoredEcdsa {
    pub(crate) share: Zeroizing<Vec<u8>>,
    pub(crate) chain_code: [u8; CHAIN_CODE_BYTES],
    pub(crate) engine: u16,
    pub(crate) state: Zeroizing<Vec<u8>>,
}

impl Canonical for StoredEcdsa {
    const DOMAIN: &'static str = "keystead/threshold-ecdsa/v1";
}

impl BorshSerialize for StoredEcdsa {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        (self.share.as_slice(), self.chain_code, self.engine, self.state.as_slice()).serialize(writer)
    }
}

impl BorshDeserialize for StoredEcdsa {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let share = Zeroizing::new(Vec::<u8>::deserialize_reader(reader)?);
        let (chain_code, engine) = BorshDeserialize::deserialize_reader(reader)?;
        let state = Zeroizing::new(Vec::<u8>::deserialize_reader(reader)?);
        Ok(Self { share, chain_code, engine, state })
    }
}

/// INVARIANT S7: libsecp256k1, which had no part in it, verifies, and finds the same key back.
pub(crate) fn is_good(signature: &EcdsaSignature, digest: Digest) -> bool {
    use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
    let context = secp256k1::Secp256k1::verification_only();
    let message = secp256k1::Message::from_digest(digest.0);
    let verify = || {
        let id = RecoveryId::try_from(i32::from(signature.recovery_id)).ok()?;
        let bytes = [signature.r, signature.s].concat();
        let recoverable = RecoverableSignature::from_compact(&bytes, id).ok()?;
        let key = context.recover_ecdsa(message, &recoverable).ok()?;
        // libsecp256k1 refuses a high `s`.
        context.verify_ecdsa(message, &recoverable.to_standard(), &key).ok()?;
        Some(key.serialize() == signature.key)
    };
    verify() == Some(true)
}

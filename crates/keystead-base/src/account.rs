//! The public side of a key: addresses without a secret, and the proof that somebody holds the secret.

use std::sync::LazyLock;

use alloy_primitives::{Address, keccak256};
use aws_lc_rs::signature::{ED25519, ML_DSA_65, UnparsedPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::edwards::CompressedEdwardsY;
use hmac::{Hmac, KeyInit, Mac};
use secp256k1::{
    Message, PublicKey, Scalar, Secp256k1, VerifyOnly, XOnlyPublicKey, ecdsa::Signature, schnorr,
};
use serde::{Deserialize, Serialize};
use sha2::Sha512;

use crate::{Digest, ML_DSA_65_KEY_BYTES, tagged_hash};

/// A BIP-32 extended public key: for `m/44'/60'/0'/0` (BIP-44) enough to know every address of a key, and to
/// sign nothing.
///
/// Together with one account's *secret* it would give away the others (BIP-32, "implications"); accounts'
/// secrets therefore never leave the enclave.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct PublicAccount {
    /// 0x02 or 0x03: the parity of the point. With 0x10 more the key signs BIP-340 alone, and has no Ethereum address. With
    /// 0x40 more it signs ECDSA and has no children: its one account, with index 0, is the key itself.
    /// 0x20: the key is one of Ed25519. 0x80: one of ML-DSA-65.
    pub parity: u8,
    /// The point's x coordinate; of Ed25519 the 32 bytes of the public key (RFC 8032); of ML-DSA-65 the fingerprint of its
    /// 1,952 (specs/quantum.md).
    pub x: Digest,
    /// The chain code; zero for keys without children.
    pub chain_code: Digest,
}

/// What a key signs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum KeyScheme {
    /// ECDSA on secp256k1.
    Ecdsa,
    /// Schnorr on secp256k1 (BIP-340).
    Bip340,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ML-DSA-65 (FIPS 204).
    MlDsa65,
}

impl PublicAccount {
    /// From a compressed point (SEC 1, 2.3.3) and a chain code, as BIP-32 has them.
    #[must_use]
    pub fn new(compressed: [u8; 33], chain_code: [u8; 32]) -> Self {
        let [parity, x @ ..] = compressed;
        Self { parity, x: Digest(x), chain_code: Digest(chain_code) }
    }

    /// Of a key that signs BIP-340 alone: its point, compressed. Its chain code, which nobody draws for it, follows from
    /// that.
    #[must_use]
    pub fn bip340(compressed: [u8; 33]) -> Self {
        let chain_code = tagged_hash(CHAIN_CODE_DOMAIN, &compressed);
        let [parity, x @ ..] = compressed;
        Self { parity: parity | BIP340, x: Digest(x), chain_code }
    }

    /// Of an imported key that signs BIP-340 alone: the account of a wallet elsewhere, whose addresses are two steps below it
    /// (BIP-86), with the chain code that it has there.
    #[must_use]
    pub fn taproot(compressed: [u8; 33], chain_code: [u8; 32]) -> Self {
        let [parity, x @ ..] = compressed;
        Self { parity: parity | BIP340 | TAPROOT, x: Digest(x), chain_code: Digest(chain_code) }
    }

    /// Whether it is the account of a taproot wallet from elsewhere.
    #[must_use]
    pub fn is_taproot(&self) -> bool {
        *self == Self::taproot(self.compressed(), self.chain_code.0)
    }

    /// Of a key of Ed25519: its 32 bytes. It has no children, and so no chain code.
    #[must_use]
    pub fn ed25519(key: [u8; 32]) -> Self {
        Self { parity: ED25519_KEY, x: Digest(key), chain_code: Digest::ZERO }
    }

    /// The 32 bytes of a key of Ed25519; none for any other.
    #[must_use]
    pub fn ed25519_key(&self) -> Option<[u8; 32]> {
        (self.scheme() == Some(KeyScheme::Ed25519)).then_some(self.x.0)
    }

    /// Of a key of ML-DSA-65: its fingerprint. It has no children, and so no chain code.
    #[must_use]
    pub fn ml_dsa_65(key: &[u8; ML_DSA_65_KEY_BYTES]) -> Self {
        Self { parity: ML_DSA_65_ACCOUNT, x: ml_dsa_65_fingerprint(key), chain_code: Digest::ZERO }
    }

    /// The public key in front of a proof of control; none for a key of another scheme, whose account says it, and for another key.
    #[must_use]
    pub fn ml_dsa_65_key<'p>(&self, proof: &'p [u8]) -> Option<&'p [u8; ML_DSA_65_KEY_BYTES]> {
        let key = proof.first_chunk()?;
        (*self == Self::ml_dsa_65(key)).then_some(key)
    }

    /// The public key as its scheme's shares are written: 33 bytes compressed, of Ed25519 32.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        match self.parity {
            ED25519_KEY => self.x.0.to_vec(),
            _ => self.compressed().to_vec(),
        }
    }

    /// Of a key that was imported as one secret and nothing else: it has no chain code, and so no children.
    #[must_use]
    pub fn lone(compressed: [u8; 33]) -> Self {
        let [parity, x @ ..] = compressed;
        Self { parity: parity | LONE, x: Digest(x), chain_code: Digest::ZERO }
    }

    /// Whether the key itself is its one account.
    #[must_use]
    pub fn is_lone(&self) -> bool {
        *self == Self::lone(self.compressed())
    }

    /// The steps from the key to its account with this index (BIP-32): none for a lone key.
    #[must_use]
    pub fn path(&self, index: u32) -> Vec<u32> {
        if self.is_lone() { Vec::new() } else { vec![index] }
    }

    /// What its key signs; none where it is no account of any key.
    #[must_use]
    pub fn scheme(&self) -> Option<KeyScheme> {
        if self.parity == ED25519_KEY {
            let is_one = self.chain_code == Digest::ZERO && is_ed25519_point(&self.x.0);
            return is_one.then_some(KeyScheme::Ed25519);
        }
        if self.parity == ML_DSA_65_ACCOUNT {
            return (self.chain_code == Digest::ZERO).then_some(KeyScheme::MlDsa65);
        }
        PublicKey::from_slice(&self.compressed()).ok()?;
        match self.parity {
            EVEN | ODD => Some(KeyScheme::Ecdsa),
            _ if self.is_lone() => Some(KeyScheme::Ecdsa),
            _ if self.is_taproot() => Some(KeyScheme::Bip340),
            _ => (*self == Self::bip340(self.compressed())).then_some(KeyScheme::Bip340),
        }
    }

    /// The point as 33 compressed bytes; of Ed25519 no point of this curve.
    #[must_use]
    pub fn compressed(&self) -> [u8; 33] {
        let mut bytes = [self.parity & !(BIP340 | LONE | TAPROOT); 33];
        bytes.iter_mut().skip(1).zip(self.x.0).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The address with this index: BIP-32 `CKDpub`, then the last 20 bytes of Keccak-256.
    ///
    /// `None` when the point is not on the curve, the key signs no ECDSA, the index is hardened, or the child is invalid
    /// (which happens with probability below 2^-127). A key without children has the address of its point, with index 0.
    #[must_use]
    pub fn address(&self, index: u32) -> Option<Address> {
        self.child(index).map(|key| address_of(&key))
    }

    /// The public key with this index as 64 bytes `x || y`, the uncompressed point (SEC 1, 2.3.3) without its first byte;
    /// none where [`Self::address`] gives none.
    #[must_use]
    pub fn point(&self, index: u32) -> Option<[u8; 64]> {
        let uncompressed = self.child(index)?.serialize_uncompressed();
        uncompressed.get(1..)?.try_into().ok()
    }

    fn child(&self, index: u32) -> Option<PublicKey> {
        match self.parity {
            EVEN | ODD => self.step(index).map(|(_, child, _)| child),
            _ if self.is_lone() && index == 0 => PublicKey::from_slice(&self.compressed()).ok(),
            _ => None,
        }
    }

    /// One step of BIP-32 `CKDpub`: what is added to the key, the child, and its chain code.
    fn step(&self, index: u32) -> Option<(Scalar, PublicKey, [u8; 32])> {
        if index >= 1 << 31 || self.parity & LONE != 0 {
            return None;
        }
        let parent = PublicKey::from_slice(&self.compressed()).ok()?;
        let mut mac = Hmac::<Sha512>::new_from_slice(self.chain_code.as_bytes()).ok()?;
        mac.update(&self.compressed());
        mac.update(&index.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        let tweak = Scalar::from_be_bytes(bytes.get(..32)?.try_into().ok()?).ok()?;
        let child = parent.add_exp_tweak(&CURVE, &tweak).ok()?;
        Some((tweak, child, bytes.get(32..)?.try_into().ok()?))
    }

    /// What the steps of a path add to the key one after the other, 32 bytes each (BIP-32). `None` as in [`Self::address`].
    #[must_use]
    pub fn tweaks(&self, path: &[u32]) -> Option<Vec<[u8; 32]>> {
        let mut at = *self;
        let mut tweaks = Vec::with_capacity(path.len());
        for index in path {
            let (tweak, child, chain_code) = at.step(*index)?;
            at = Self::new(child.serialize(), chain_code);
            tweaks.push(tweak.to_be_bytes());
        }
        Some(tweaks)
    }

    /// Whether bytes over `challenge` are this key's: whoever made them holds the secret. ECDSA: r ‖ s of the first account, 64 bytes;
    /// BIP-340 and Ed25519: 64 bytes of the key itself; ML-DSA-65: the public key, then its signature (pure, empty context).
    #[must_use]
    pub fn proves_control(&self, challenge: &Digest, proof: &[u8]) -> bool {
        match self.scheme() {
            Some(KeyScheme::Ecdsa) => self.account_proves_control(0, challenge, proof),
            Some(KeyScheme::Bip340) => self.proves_bip340(challenge, proof),
            Some(KeyScheme::Ed25519) => verify_ed25519(&self.x.0, challenge.as_bytes(), proof),
            Some(KeyScheme::MlDsa65) => self.proves_ml_dsa_65(challenge, proof),
            None => false,
        }
    }

    /// Whether r ‖ s over `challenge` is of the account with this index, on Ethereum.
    #[must_use]
    pub fn account_proves_control(&self, index: u32, challenge: &Digest, proof: &[u8]) -> bool {
        let Some(key) = self.child(index) else { return false };
        let Ok(signature) = Signature::from_compact(proof) else { return false };
        let message = Message::from_digest(challenge.0);
        CURVE.verify_ecdsa(message, &signature, &key).is_ok()
    }

    fn proves_ml_dsa_65(&self, challenge: &Digest, proof: &[u8]) -> bool {
        let Some(key) = self.ml_dsa_65_key(proof) else { return false };
        let signature = proof.get(ML_DSA_65_KEY_BYTES..).unwrap_or_default();
        UnparsedPublicKey::new(&ML_DSA_65, key).verify(challenge.as_bytes(), signature).is_ok()
    }

    fn proves_bip340(&self, challenge: &Digest, proof: &[u8]) -> bool {
        let Ok(key) = XOnlyPublicKey::from_byte_array(self.x.0) else { return false };
        let signature = <[u8; 64]>::try_from(proof).map(schnorr::Signature::from_byte_array);
        signature.is_ok_and(|it| CURVE.verify_schnorr(&it, challenge.as_bytes(), &key).is_ok())
    }
}

/// Whether 64 bytes are the key's signature of a message (RFC 8032, 5.1.7).
fn verify_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

/// Whether 32 bytes are a point in its one encoding, of the group that keys are of: under a point of small order anybody's
/// signature is good.
fn is_ed25519_point(bytes: &[u8; 32]) -> bool {
    let Some(point) = CompressedEdwardsY(*bytes).decompress() else { return false };
    point.is_torsion_free() && !point.is_small_order() && point.compress().0 == *bytes
}

/// The digest of the key's document as `keystead-quantum` writes it: the scheme's code, then the key.
fn ml_dsa_65_fingerprint(key: &[u8; ML_DSA_65_KEY_BYTES]) -> Digest {
    tagged_hash(QUANTUM_KEY_DOMAIN, &[[ML_DSA_65_CODE].as_slice(), key].concat())
}

fn address_of(key: &PublicKey) -> Address {
    let uncompressed = key.serialize_uncompressed();
    let point = uncompressed.get(1..).unwrap_or_default();
    Address::from_word(keccak256(point))
}

/// The two parities of a point, what says that its key signs BIP-340 alone, and what says that it is none of this curve.
const EVEN: u8 = 0x02;
const ODD: u8 = 0x03;
const BIP340: u8 = 0x10;
const ED25519_KEY: u8 = 0x20;
/// What says that a key has no children.
const LONE: u8 = 0x40;
/// What says, beside [`BIP340`], that a key is the account of a wallet from elsewhere.
const TAPROOT: u8 = 0x80;
/// Alone, it says that what stands in the place of a point is the fingerprint of a key of ML-DSA-65.
const ML_DSA_65_ACCOUNT: u8 = 0x80;

const QUANTUM_KEY_DOMAIN: &str = "keystead/quantum-key/v1";
const ML_DSA_65_CODE: u8 = 1;

const CHAIN_CODE_DOMAIN: &str = "keystead/bip340-chain-code/v1";

/// Made once: a context costs nearly as much as an operation on it.
static CURVE: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    use secp256k1::{Keypair, SecretKey};

    use super::*;

    /// What signs BIP-340 has no Ethereum address, and what it proves is proven by no ECDSA signature of the same key.
    #[test]
    fn s07_a_key_proves_control_with_its_own_scheme_alone() {
        let secret = SecretKey::from_byte_array([7; 32]).unwrap();
        let compressed = PublicKey::from_secret_key(&Secp256k1::new(), &secret).serialize();
        let (account, challenge) = (PublicAccount::bip340(compressed), Digest([3; 32]));
        assert_eq!((account.scheme(), account.compressed()), (Some(KeyScheme::Bip340), compressed));
        assert_eq!((account.address(0), account.point(0)), (None, None));
        let pair = Keypair::from_secret_key(&Secp256k1::new(), &secret);
        let schnorr = Secp256k1::new().sign_schnorr_no_aux_rand(challenge.as_bytes(), &pair).to_byte_array();
        let ecdsa =
            Secp256k1::new().sign_ecdsa(Message::from_digest(challenge.0), &secret).serialize_compact();
        assert!(account.proves_control(&challenge, &schnorr));
        assert!(!account.proves_control(&challenge, &ecdsa));
        assert!(!account.proves_control(&Digest([4; 32]), &schnorr));
        let whole = PublicAccount::new(compressed, [5; 32]);
        assert_eq!(whole.scheme(), Some(KeyScheme::Ecdsa));
        assert!(!whole.proves_control(&challenge, &schnorr));
    }

    #[test]
    fn s02_an_account_of_no_key_has_no_scheme() {
        let secret = SecretKey::from_byte_array([7; 32]).unwrap();
        let good = PublicAccount::bip340(PublicKey::from_secret_key(&Secp256k1::new(), &secret).serialize());
        assert_eq!(
            PublicAccount { chain_code: Digest([1; 32]), ..good }.scheme(),
            None,
            "another chain code"
        );
        assert_eq!(PublicAccount { parity: 0x22, ..good }.scheme(), None);
        assert_eq!(PublicAccount { parity: 0x20, ..good }.scheme(), None, "a chain code");
        assert_eq!(PublicAccount { x: Digest([0xff; 32]), ..good }.scheme(), None, "no point");
    }

    /// A key in a token, or one imported as one secret, has its point's own address and nothing that derives from it.
    #[test]
    fn s07_a_key_without_children_is_its_own_only_account() {
        let secret = SecretKey::from_byte_array([7; 32]).unwrap();
        let compressed = PublicKey::from_secret_key(&Secp256k1::new(), &secret).serialize();
        let (account, challenge) = (PublicAccount::lone(compressed), Digest([3; 32]));
        assert_eq!((account.scheme(), account.compressed()), (Some(KeyScheme::Ecdsa), compressed));
        let point = PublicKey::from_secret_key(&Secp256k1::new(), &secret);
        assert_eq!(account.address(0), Some(address_of(&point)));
        assert_eq!((account.address(1), account.point(1), account.tweaks(&[0])), (None, None, None));
        let with_children = PublicAccount::new(compressed, [5; 32]);
        assert_eq!((account.path(0), with_children.path(3)), (vec![], vec![3]));
        assert_ne!(with_children.address(0), account.address(0));
        let sign = |secret: &SecretKey| {
            Secp256k1::new().sign_ecdsa(Message::from_digest(challenge.0), secret).serialize_compact()
        };
        assert!(account.proves_control(&challenge, &sign(&secret)));
        assert!(!account.proves_control(&challenge, &sign(&SecretKey::from_byte_array([8; 32]).unwrap())));
        let whole = PublicAccount::new(compressed, [0; 32]);
        assert!(account.is_lone() && !whole.is_lone() && !PublicAccount::bip340(compressed).is_lone());
        assert_ne!(whole.address(0), account.address(0));
        for (parity, chain_code) in
            [(account.parity, [1; 32]), (account.parity | BIP340, [0; 32]), (0x62, [0; 32])]
        {
            let none = PublicAccount { parity, chain_code: Digest(chain_code), ..account };
            assert_eq!(none.scheme(), None, "{parity:#x}");
        }
    }

    /// Its children are those that the wallet had, and what is born here never has its form.
    #[test]
    fn s07_an_imported_taproot_account_has_its_own_chain_code_and_proves_with_bip340_alone() {
        let secret = SecretKey::from_byte_array([7; 32]).unwrap();
        let compressed = PublicKey::from_secret_key(&Secp256k1::new(), &secret).serialize();
        let (account, born) =
            (PublicAccount::taproot(compressed, [5; 32]), PublicAccount::bip340(compressed));
        assert_eq!((account.scheme(), account.compressed()), (Some(KeyScheme::Bip340), compressed));
        assert!(account.is_taproot() && !account.is_lone() && !born.is_taproot());
        assert!(!PublicAccount::new(compressed, [5; 32]).is_taproot());
        assert_eq!((account.address(0), account.point(0)), (None, None));
        assert_eq!(account.tweaks(&[0, 3]), PublicAccount::new(compressed, [5; 32]).tweaks(&[0, 3]));
        assert_ne!(account.tweaks(&[0, 3]), born.tweaks(&[0, 3]));
        let (challenge, pair) = (Digest([3; 32]), Keypair::from_secret_key(&Secp256k1::new(), &secret));
        let proof = Secp256k1::new().sign_schnorr_no_aux_rand(challenge.as_bytes(), &pair).to_byte_array();
        assert!(account.proves_control(&challenge, &proof));
        for parity in [account.parity ^ BIP340, account.parity | LONE, account.parity | ED25519_KEY] {
            assert_eq!(PublicAccount { parity, ..account }.scheme(), None, "{parity:#x}");
        }
    }

    #[test]
    fn s07_a_key_of_ed25519_is_one_point_in_one_encoding_and_proves_with_ed25519_alone() {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let (account, challenge) = (PublicAccount::ed25519(key), Digest([3; 32]));
        assert_eq!((account.scheme(), account.ed25519_key()), (Some(KeyScheme::Ed25519), Some(key)));
        assert_eq!((account.address(0), account.point(0), account.tweaks(&[0])), (None, None, None));
        assert_eq!(account.public_key(), key);
        let proof = pair.sign(challenge.as_bytes());
        assert!(account.proves_control(&challenge, proof.as_ref()));
        assert!(!account.proves_control(&Digest([4; 32]), proof.as_ref()));
        assert!(!account.proves_control(&challenge, &proof.as_ref()[..63]));
        assert_eq!(PublicAccount { chain_code: Digest([1; 32]), ..account }.scheme(), None);
        let secp = PublicAccount::new([2; 33], [0; 32]);
        assert_eq!((secp.ed25519_key(), secp.public_key().len()), (None, 33));
    }

    /// The log knows a fingerprint; whoever proves control shows the key.
    #[test]
    fn s07_a_key_of_ml_dsa_65_is_its_fingerprint_and_proves_with_the_key_in_front() {
        use aws_lc_rs::signature::{KeyPair as _, ML_DSA_65_SIGNING, PqdsaKeyPair};

        let pair = |byte| PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &[byte; 32]).unwrap();
        let public =
            |it: &PqdsaKeyPair| -> [u8; ML_DSA_65_KEY_BYTES] { it.public_key().as_ref().try_into().unwrap() };
        let proof = |pair: &PqdsaKeyPair, shown: &PqdsaKeyPair, challenge: Digest| {
            let mut signature = vec![0; 3309];
            pair.sign(challenge.as_bytes(), &mut signature).unwrap();
            [public(shown).as_slice(), &signature].concat()
        };
        let (ours, other, challenge) = (pair(7), pair(8), Digest([3; 32]));
        let account = PublicAccount::ml_dsa_65(&public(&ours));
        assert_eq!(
            (account.scheme(), account.address(0), account.point(0)),
            (Some(KeyScheme::MlDsa65), None, None)
        );
        let good = proof(&ours, &ours, challenge);
        assert!(account.proves_control(&challenge, &good));
        assert_eq!(account.ml_dsa_65_key(&good), Some(&public(&ours)));
        assert!(!account.proves_control(&Digest([4; 32]), &good));
        assert!(!account.proves_control(&challenge, &good[..good.len() - 1]));
        assert!(
            !account.proves_control(&challenge, &proof(&other, &other, challenge)),
            "another key that is shown"
        );
        assert!(
            !account.proves_control(&challenge, &proof(&other, &ours, challenge)),
            "another key that signs"
        );
        assert_eq!(PublicAccount { chain_code: Digest([1; 32]), ..account }.scheme(), None);
        assert_eq!(PublicAccount::new([2; 33], [0; 32]).ml_dsa_65_key(&good), None);
    }

    /// Under a key of small order `R = s·B` verifies for whoever likes: it proves nothing.
    #[test]
    fn s07_points_of_small_order_and_doubled_encodings_are_no_keys_of_ed25519() {
        let identity = [[1].as_slice(), &[0; 31]].concat();
        let minus_one = [[0xec].as_slice(), &[0xff; 30], &[0x7f]].concat();
        let doubled = [[0xee].as_slice(), &[0xff; 30], &[0x7f]].concat();
        for bytes in [identity, minus_one, doubled, vec![0xff; 32]] {
            let account = PublicAccount::ed25519(bytes.as_slice().try_into().unwrap());
            assert_eq!(account.scheme(), None, "{bytes:02x?}");
        }
        // A key of the large order and something small beside it, and each encoding beyond the field of what is encoded below.
        let mixed = ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
        assert_eq!(PublicAccount::ed25519(mixed.compress().0).scheme(), None);
        for y in 0xed..=0xff {
            let beyond = [[y].as_slice(), &[0xff; 30], &[0x7f]].concat();
            let account = PublicAccount::ed25519(beyond.as_slice().try_into().unwrap());
            assert_eq!(account.scheme(), None, "{y:#x}");
        }
    }
}

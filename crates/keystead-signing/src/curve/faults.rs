//! Faults that strike while something is signed: one flipped bit of any intermediate, and no signature leaves (S7).

use bitcoin::bip32::{DerivationPath, Fingerprint};
use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::group::GroupEncoding as _;
use keystead_bitcoin::{DerivedKey, Scheme, Sighash, SigningDigest};

use super::*;
use crate::Struck;

#[derive(Clone)]
struct Flip {
    at: Struck,
    bit: usize,
}

impl EnclaveControls for Flip {
    fn strike(&self, at: Struck, bytes: &mut [u8]) {
        if at == self.at
            && let Some(byte) = bytes.get_mut(self.bit / 8)
        {
            *byte ^= 1 << (self.bit % 8);
        }
    }
}

const DIGEST: Digest = Digest([3; 32]);

fn secret() -> Secret<[u8; 32]> {
    Secret::new([0x11; 32])
}

fn public() -> PublicKey {
    let key = SecretKey::from_byte_array(*secret().expose()).unwrap();
    PublicKey::from_secret_key(&Secp256k1::new(), &key)
}

/// One curve serves all: making its tables is most of the work.
struct Bench(Curve<Flip>);

impl Bench {
    fn new() -> Self {
        Self(Curve::new(&Secret::new([7; 32]), Flip { at: Struck::Pair("nothing"), bit: 0 }))
    }

    fn struck(&mut self, at: Struck, bit: usize) -> &Curve<Flip> {
        self.0.1 = Flip { at, bit };
        &self.0
    }
}

/// What strikes where, and in how many bits. Of a recovery id two bits say something.
const STRUCK: [(Struck, usize); 5] = [
    (Struck::Digest, 256),
    (Struck::Key, 256),
    (Struck::Signature, 512),
    (Struck::RecoveryId, 8),
    (Struck::PublicKey, 264),
];

#[test]
fn s07_a_flipped_bit_of_any_intermediate_leaves_no_ethereum_signature() {
    let mut bench = Bench::new();
    let good = bench.struck(Struck::Pair("nothing"), 0).sign(&secret(), &public(), &DIGEST).unwrap();
    for (at, bits) in STRUCK {
        for bit in 0..bits {
            let made = bench.struck(at, bit).sign(&secret(), &public(), &DIGEST);
            assert!(made.is_err(), "{at:?}, bit {bit}: {made:?}");
        }
    }
    assert_eq!(bench.struck(Struck::Pair("nothing"), 0).sign(&secret(), &public(), &DIGEST), Ok(good));
}

#[test]
fn s07_a_flipped_bit_of_any_intermediate_leaves_no_bitcoin_signature() {
    let key = DerivedKey {
        public: bitcoin::secp256k1::PublicKey::from_slice(&public().serialize()).unwrap(),
        fingerprint: Fingerprint::default(),
        path: DerivationPath::master(),
    };
    let mut bench = Bench::new();
    for (scheme, sighash, bits) in [
        (Scheme::Ecdsa, Sighash::All, 560),
        (Scheme::Schnorr, Sighash::Default, 512),
        (Scheme::Schnorr, Sighash::All, 520),
    ] {
        let digest = SigningDigest { input: 0, digest: DIGEST, scheme, sighash, keys: vec![key.clone()] };
        let mut sign =
            |at, bit| bench.struck(at, bit).sign_input(&secret(), &key, &digest, &Secret::new([5; 32]));
        sign(Struck::Pair("nothing"), 0).unwrap();
        let mut struck = vec![(Struck::Digest, 256), (Struck::Key, 256), (Struck::Signature, bits)];
        struck.extend((scheme == Scheme::Schnorr).then_some((Struck::Tweak, 256)));
        for (at, bits) in struck {
            for bit in 0..bits {
                let made = sign(at, bit);
                assert!(made.is_err(), "{scheme:?}, {at:?}, bit {bit}: {made:?}");
            }
        }
    }
}

/// The nonce is the library's own, so that a fault in it is played here: `r` of one nonce, `s` of the same with a bit flipped.
/// Two such signatures would give the key away.
#[test]
fn s07_a_flipped_bit_of_the_nonce_leaves_no_signature() {
    let scalar = |bytes: &[u8; 32]| k256::Scalar::from_repr((*bytes).into()).unwrap();
    let curve = Curve::new(&Secret::new([7; 32]), Strict);
    let (nonce, d, z) = ([0x22; 32], scalar(secret().expose()), scalar(&DIGEST.0));
    let point = PublicKey::from_secret_key(&curve.0, &SecretKey::from_byte_array(nonce).unwrap());
    let x: [u8; 32] = point.serialize()[1..].try_into().unwrap();
    let released = |nonce: [u8; 32]| {
        let s = scalar(&nonce).invert().unwrap() * (z + scalar(&x) * d);
        let rs: [u8; 64] = [x, s.to_repr().into()].concat().try_into().unwrap();
        [0, 1].into_iter().any(|id| {
            let signature =
                RecoverableSignature::from_compact(&rs, RecoveryId::try_from(id).unwrap()).unwrap();
            let mut low = signature.to_standard();
            low.normalize_s();
            let both = [0, 1].map(|id| RecoveryId::try_from(id).unwrap()).into_iter();
            let mut lows =
                both.map(|id| RecoverableSignature::from_compact(&low.serialize_compact(), id).unwrap());
            lows.any(|it| curve.release(it, &public(), Message::from_digest(DIGEST.0)).is_ok())
        })
    };
    assert!(released(nonce), "without a fault it is a signature");
    for bit in 0..256 {
        let mut struck = nonce;
        struck[bit / 8] ^= 1 << (bit % 8);
        assert!(!released(struck), "bit {bit}");
    }
}

/// Puts a signature that a fault spoiled in the place of the one that the library made.
#[derive(Clone)]
struct Plays(Option<[u8; 64]>);

impl EnclaveControls for Plays {
    fn strike(&self, at: Struck, bytes: &mut [u8]) {
        if let (Struck::Signature, Some(played)) = (at, &self.0) {
            bytes.iter_mut().zip(played).for_each(|(to, from)| *to = *from);
        }
    }
}

/// A key and a nonce of BIP-340, both brought to an even y.
struct Schnorr {
    secret: k256::Scalar,
    nonce: k256::Scalar,
    key: [u8; 32],
    r: [u8; 32],
}

impl Schnorr {
    fn new(secret: k256::Scalar, nonce: k256::Scalar) -> Self {
        let ((secret, key), (nonce, r)) = (even(secret), even(nonce));
        Self { secret, nonce, key, r }
    }

    /// `R` of the nonce, and `s` of what the nonce became.
    fn signature(&self, struck: k256::Scalar, digest: &[u8; 32]) -> [u8; 64] {
        use sha2::{Digest as _, Sha256};
        let tag = Sha256::digest(b"BIP0340/challenge");
        let parts = [tag.as_slice(), tag.as_slice(), &self.r, &self.key, digest];
        let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
        // Of these inputs the hash is below the order.
        let challenge = k256::Scalar::from_repr(<[u8; 32]>::from(hash).into()).unwrap();
        let s: [u8; 32] = (struck + challenge * self.secret).to_repr().into();
        [self.r, s].concat().try_into().unwrap()
    }
}

fn even(scalar: k256::Scalar) -> (k256::Scalar, [u8; 32]) {
    let bytes = (k256::ProjectivePoint::GENERATOR * scalar).to_affine().to_bytes();
    let scalar = if bytes[0] == 2 { scalar } else { -scalar };
    (scalar, bytes[1..].try_into().unwrap())
}

/// As with ECDSA's: two signatures of one `R` with different nonces in `s` give the key away.
#[test]
fn s07_a_flipped_bit_of_the_nonce_leaves_no_bip340_signature() {
    let scalar = |bytes: [u8; 32]| k256::Scalar::from_repr(bytes.into()).unwrap();
    let key = DerivedKey {
        public: bitcoin::secp256k1::PublicKey::from_slice(&public().serialize()).unwrap(),
        fingerprint: Fingerprint::default(),
        path: DerivationPath::master(),
    };
    let tweak = scalar(keystead_bitcoin::tap_tweak(key.x_only()));
    let (internal, _) = even(scalar(*secret().expose()));
    let schnorr = Schnorr::new(internal + tweak, scalar([0x22; 32]));
    let keys = vec![key.clone()];
    let (scheme, sighash) = (Scheme::Schnorr, Sighash::Default);
    let digest = SigningDigest { input: 0, digest: DIGEST, scheme, sighash, keys };
    let mut curve = Curve::new(&Secret::new([7; 32]), Plays(None));
    let mut released = |played| {
        curve.1 = Plays(Some(played));
        curve.sign_input(&secret(), &key, &digest, &Secret::new([5; 32])).map(|(made, _)| made.bytes)
    };
    let good = schnorr.signature(schnorr.nonce, &DIGEST.0);
    assert_eq!(released(good), Ok(good.to_vec()), "without a fault it is a signature");
    let nonce: [u8; 32] = schnorr.nonce.to_repr().into();
    for bit in 0..256 {
        let mut struck = nonce;
        struck[bit / 8] ^= 1 << (bit % 8);
        let made = released(schnorr.signature(scalar(struck), &DIGEST.0));
        assert_eq!(made, Err(CurveError::Unverified), "bit {bit}");
    }
}

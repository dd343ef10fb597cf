//! What every home does, and refuses.

use std::collections::BTreeSet;
use std::thread;

use ed25519_dalek::{Signature as Edwards, VerifyingKey};
use keystead_base::{ClusterId, Coded as _, Digest, Secret, tagged_hash};
use keystead_homes::{
    Abilities, Home, HomeError, Label, Pool, PublicKey, Scheme, Signature, SoftwareHome, ToSign,
};
use keystead_keys::{Kdf, Purpose, SealLabel, Sealed, SealingKey};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId, Signature as Ecdsa};
use secp256k1::{Message, Secp256k1};

use crate::Test;
use crate::tokens::{apart, here, label, schemes, send};

pub(crate) const TESTS: &[Test] = &[
    ("s07_software_conforms", software),
    ("s07_a_token_conforms", || check(&|| Box::new(here("alone")), "in-process", &[])),
    ("s07_a_token_in_its_own_process_conforms", || check(&|| Box::new(apart("alone")), "apart", &[])),
    // SoftHSM 2 wraps no keys of Edwards curves, so that none goes from token to token.
    ("s07_three_tokens_together_conform", || {
        if send() {
            check(&three, "together", &[Scheme::Ed25519]);
        }
    }),
];

fn three() -> Box<dyn Home> {
    Box::new(Pool::new("the tokens", ["one", "two", "three"].map(apart).into()).unwrap())
}

/// One subject: how to open the home again is all that differs.
fn check(open: &dyn Fn() -> Box<dyn Home>, run: &str, not: &[Scheme]) {
    let home = open();
    let abilities = home.abilities().unwrap();
    let expected = if run == "software" { Scheme::ALL.to_vec() } else { schemes() };
    assert!(abilities.schemes == expected && abilities.random && !abilities.bip32, "{abilities:?}");
    for scheme in Scheme::ALL {
        let key = label(&format!("{run}/{scheme}"));
        if !abilities.schemes.contains(&scheme) || not.contains(&scheme) {
            assert_eq!(home.generate(&key, scheme).unwrap_err().code(), "home.cannot");
            if !not.contains(&scheme) {
                assert_eq!(
                    home.import(&key, scheme, &Secret::new([3; 32])).unwrap_err().code(),
                    "home.cannot"
                );
            }
            assert_eq!(home.public(&key).unwrap_err().code(), "home.unknown", "nothing is left of it");
            continue;
        }
        let public = home.generate(&key, scheme).unwrap();
        signs(home.as_ref(), &format!("{run}/{scheme}"), &public);
        refuses(home.as_ref(), &format!("{run}/{scheme}"), scheme);
        imports(home.as_ref(), &format!("{run}/{scheme}/imported"), scheme);
    }
    at_once(home.as_ref(), &format!("{run}/{}", abilities.schemes[0]));
    if abilities.wraps && wraps_alone(home.as_ref()) {
        wraps(home.as_ref(), run);
    }
    gives_random_bytes(home.as_ref());
    let made = abilities.schemes.iter().filter(|it| !not.contains(it));
    let before: Vec<PublicKey> =
        made.map(|it| home.public(&label(&format!("{run}/{it}"))).unwrap()).collect();
    drop(home);
    let again = open();
    for public in &before {
        let name = format!("{run}/{}", public.scheme);
        assert_eq!(again.public(&label(&name)).unwrap(), *public, "after a restart");
        signs(again.as_ref(), &name, public);
        again.destroy(&label(&name)).unwrap();
        assert_eq!(again.public(&label(&name)).unwrap_err().code(), "home.unknown");
        assert_eq!(sign(again.as_ref(), &name, public.scheme, 1).unwrap_err().code(), "home.unknown");
        assert_eq!(again.destroy(&label(&name)).unwrap_err().code(), "home.unknown");
    }
}

/// A group's homes wrap each with a key of its own.
fn wraps_alone(home: &dyn Home) -> bool {
    !matches!(home.make_wrapping(&label("probe")), Err(HomeError::Cannot { .. }))
}

/// The software home rests in seals of the house.
fn software() {
    let sealing = SealingKey::derive(b"a passphrase", Kdf::new(&mut |out| out.fill(7))).unwrap();
    let of = |name: &str| SealLabel {
        cluster: Some(ClusterId(Digest([1; 32]))),
        name: name.parse().unwrap(),
        purpose: Purpose::HdSeed,
        epoch: 0,
    };
    let home = SoftwareHome::new("software");
    let key = label("ecdsa");
    let public = home.generate(&key, Scheme::EcdsaSecp256k1).unwrap();
    let seals: Vec<Sealed> =
        home.each(|_, _, secret| sealing.seal(of("ecdsa"), secret.expose(), &mut |out| out.fill(9)).unwrap());
    drop(home);
    let again = SoftwareHome::new("software");
    let mut secret = Secret::new([0; 32]);
    sealing.open(&seals[0], &of("ecdsa"), secret.expose_mut()).unwrap();
    again.open(&key, Some(Scheme::EcdsaSecp256k1), secret).unwrap();
    assert_eq!(again.public(&key).unwrap(), public);
    // For the rest of the suite what rests is handed from one home to the next.
    let rest = std::cell::RefCell::new(std::sync::Arc::new(again));
    check(
        &|| {
            let next = SoftwareHome::new("software");
            rest.borrow().each(|label, scheme, secret| {
                next.open(label, scheme, Secret::new(*secret.expose())).unwrap();
            });
            let next = std::sync::Arc::new(next);
            *rest.borrow_mut() = next.clone();
            Box::new(Shared(next))
        },
        "software",
        &[],
    );
}

fn sign(home: &dyn Home, name: &str, scheme: Scheme, number: u32) -> Result<Signature, HomeError> {
    let digest = digest(number);
    match scheme {
        Scheme::Ed25519 => home.sign(&label(name), ToSign::Message(&message(number))),
        _ => home.sign(&label(name), ToSign::Digest(&digest)),
    }
}

pub(crate) fn digest(number: u32) -> Digest {
    tagged_hash("keystead/test", &number.to_le_bytes())
}

fn message(number: u32) -> Vec<u8> {
    vec![number as u8; number as usize * 7]
}

/// Forty signatures, each verified by code that has nothing to do with the home, all of them in the one form.
fn signs(home: &dyn Home, name: &str, public: &PublicKey) {
    let mut seen = BTreeSet::new();
    for number in 0..40 {
        let signature = sign(home, name, public.scheme, number).unwrap();
        assert!(verifies(public, number, &signature), "{name}: {number}");
        assert!(!verifies(public, number + 1, &signature), "{name}: {number}");
        assert!(seen.insert(signature.bytes[..32].to_vec()), "INVARIANT S7: an r twice");
    }
}

pub(crate) fn verifies(public: &PublicKey, number: u32, signature: &Signature) -> bool {
    let digest = digest(number);
    match public.scheme {
        Scheme::EcdsaSecp256k1 => {
            let (context, message) = (Secp256k1::verification_only(), Message::from_digest(digest.0));
            let key = secp256k1::PublicKey::from_slice(&public.bytes).unwrap();
            // libsecp256k1 takes low s alone.
            let plain = Ecdsa::from_compact(&signature.bytes).unwrap();
            let id = RecoveryId::try_from(i32::from(signature.recovery.unwrap())).unwrap();
            let recoverable = RecoverableSignature::from_compact(&signature.bytes, id).unwrap();
            context.verify_ecdsa(message, &plain, &key).is_ok()
                && context.recover_ecdsa(message, &recoverable) == Ok(key)
        }
        Scheme::EcdsaP256 => {
            use aws_lc_rs::digest::{Digest as Hashed, SHA256};
            use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
            assert!(signature.bytes[32] <= 0x7f, "s is low");
            let hashed = Hashed::import_less_safe(&digest.0, &SHA256).unwrap();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public.bytes);
            key.verify_digest(&hashed, &signature.bytes).is_ok()
        }
        Scheme::Ed25519 => {
            let key = VerifyingKey::from_bytes(&public.bytes.as_slice().try_into().unwrap()).unwrap();
            key.verify_strict(&message(number), &Edwards::from_bytes(&signature.bytes)).is_ok()
        }
    }
}

fn refuses(home: &dyn Home, name: &str, scheme: Scheme) {
    let key = label(name);
    let wrong = match scheme {
        Scheme::Ed25519 => home.sign(&key, ToSign::Digest(&Digest([1; 32]))),
        _ => home.sign(&key, ToSign::Message(b"a message")),
    };
    assert_eq!(wrong.unwrap_err().code(), "home.form");
    let nobody = label("nobody");
    assert_eq!(sign(home, "nobody", scheme, 1).unwrap_err().code(), "home.unknown");
    assert_eq!(home.public(&nobody).unwrap_err().code(), "home.unknown");
    assert_eq!(home.generate(&key, scheme).unwrap_err().code(), "home.exists");
    assert_eq!(home.import(&key, scheme, &Secret::new([3; 32])).unwrap_err().code(), "home.exists");
    if scheme != Scheme::Ed25519 {
        for none in [[0; 32], [0xff; 32]] {
            let refused = home.import(&nobody, scheme, &Secret::new(none)).unwrap_err();
            assert_eq!(refused.code(), "home.secret");
        }
    }
}

fn imports(home: &dyn Home, name: &str, scheme: Scheme) {
    let secret = Secret::new([0x5a; 32]);
    let software = SoftwareHome::new("software");
    let expected = software.import(&label(name), scheme, &secret).unwrap();
    assert_eq!(home.import(&label(name), scheme, &secret).unwrap(), expected);
    signs(home, name, &expected);
    home.destroy(&label(name)).unwrap();
}

/// Eight at once.
fn at_once(home: &dyn Home, name: &str) {
    let public = home.public(&label(name)).unwrap();
    thread::scope(|scope| {
        for first in (0..8).map(|it| it * 100) {
            let public = &public;
            scope.spawn(move || {
                for number in first..first + 25 {
                    assert!(verifies(public, number, &sign(home, name, public.scheme, number).unwrap()));
                }
            });
        }
    });
}

fn wraps(home: &dyn Home, run: &str) {
    let _probe = home.destroy(&label("probe"));
    let [key, other] = ["wrapping", "other"].map(|it| label(&format!("{run}/{it}")));
    home.make_wrapping(&key).unwrap();
    home.make_wrapping(&other).unwrap();
    assert_eq!(home.make_wrapping(&key).unwrap_err().code(), "home.exists");
    for length in [0, 1, 32, 4096] {
        let secret = Secret::new(vec![0xa5; length]);
        let wrapped = home.wrap(&key, b"share 1", &secret).unwrap();
        assert_eq!(wrapped.len(), length + 12 + 16);
        assert_ne!(home.wrap(&key, b"share 1", &secret).unwrap(), wrapped, "a nonce twice");
        assert_eq!(home.unwrap(&key, b"share 1", &wrapped).unwrap().expose(), secret.expose());
        let refused = |key: &Label, bound: &[u8], wrapped: &[u8]| {
            home.unwrap(key, bound, wrapped).map(drop).unwrap_err().code()
        };
        assert_eq!(refused(&key, b"share 2", &wrapped), "home.altered");
        assert_eq!(refused(&other, b"share 1", &wrapped), "home.altered");
        assert_eq!(refused(&label("nobody"), b"share 1", &wrapped), "home.unknown");
        for at in [0, 12, wrapped.len() - 1] {
            let mut altered = wrapped.clone();
            altered[at] ^= 1;
            assert_eq!(refused(&key, b"share 1", &altered), "home.altered");
        }
        assert_eq!(refused(&key, b"share 1", &wrapped[..11]), "home.altered");
    }
    let long = Secret::new(vec![0; 4097]);
    assert_eq!(home.wrap(&key, b"", &long).unwrap_err().code(), "home.too_long");
    // A key that wraps signs nothing.
    assert!(home.sign(&key, ToSign::Digest(&Digest([1; 32]))).is_err());
    [key, other].iter().for_each(|it| home.destroy(it).unwrap());
}

fn gives_random_bytes(home: &dyn Home) {
    let [mut one, mut two] = [[0; 5000]; 2];
    home.random(&mut one).unwrap();
    home.random(&mut two).unwrap();
    assert!(one != two && one[4900..] != [0; 100]);
}

/// The software home of a suite that opens it more than once.
struct Shared(std::sync::Arc<SoftwareHome>);

impl Home for Shared {
    fn name(&self) -> String {
        self.0.name()
    }

    fn abilities(&self) -> Result<Abilities, HomeError> {
        self.0.abilities()
    }

    fn generate(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        self.0.generate(label, scheme)
    }

    fn import(
        &self,
        label: &Label,
        scheme: Scheme,
        secret: &Secret<[u8; 32]>,
    ) -> Result<PublicKey, HomeError> {
        self.0.import(label, scheme, secret)
    }

    fn public(&self, label: &Label) -> Result<PublicKey, HomeError> {
        self.0.public(label)
    }

    fn sign(&self, label: &Label, what: ToSign<'_>) -> Result<Signature, HomeError> {
        self.0.sign(label, what)
    }

    fn destroy(&self, label: &Label) -> Result<(), HomeError> {
        self.0.destroy(label)
    }

    fn make_wrapping(&self, label: &Label) -> Result<(), HomeError> {
        self.0.make_wrapping(label)
    }

    fn wrap(&self, label: &Label, bound: &[u8], secret: &Secret<Vec<u8>>) -> Result<Vec<u8>, HomeError> {
        self.0.wrap(label, bound, secret)
    }

    fn unwrap(&self, label: &Label, bound: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, HomeError> {
        self.0.unwrap(label, bound, wrapped)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HomeError> {
        self.0.random(out)
    }
}

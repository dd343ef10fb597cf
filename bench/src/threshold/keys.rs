//! The three kinds of key: how each is born, dealt anew, read and used.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::marker::PhantomData;

use keystead_base::{Digest, Name, Secret};
use keystead_threshold::{
    Ceremony, Deal, Dkls23, EcdsaEngine, EcdsaShare, Generate, Holders, Kept, KeyShare, Protocol, Purpose,
    Scheme, Sign, Suite,
};
use sha2::{Digest as _, Sha256};

use super::runs::{Many, Ran, drive, many, session};

/// Shares as they are sealed.
pub(crate) type Sealed = BTreeMap<Name, Secret<Vec<u8>>>;

/// What is signed.
const TEXT: [u8; 32] = [7; 32];

/// A kind of key.
pub(crate) trait Kind: Sync {
    const NAME: &'static str;
    const CEREMONIES_ARE_CHEAP: bool;

    fn birth(&self, holders: &Holders, attempt: u64) -> Ran<Sealed>;
    fn refresh(&self, shares: &Sealed, attempt: u64) -> Ran<()>;
    /// By the first `t` holders, to as many others.
    fn reshare(&self, shares: &Sealed, holders: &Holders, attempt: u64) -> Ran<()>;
    /// Parses the shares of all.
    fn read(&self, shares: &Sealed) -> Ran<()>;
    fn sign(&self, shares: &Sealed, holders: &Holders, attempt: u64) -> Ran<()>;
    /// What makes one signature by a whole key, with the library that verifies ours.
    fn plain() -> Box<dyn Fn()>;
}

/// Milliseconds of one plain signature.
pub(crate) fn plain<K: Kind>(rounds: u64) -> f64 {
    let sign = K::plain();
    let Many { millis, .. } = many(rounds, |_| {
        sign();
        Ran { outputs: (), bytes: 0 }
    });
    millis
}

fn signers(holders: &Holders) -> Vec<Name> {
    holders.members().iter().take(usize::from(holders.threshold())).cloned().collect()
}

/// As many others: the same names with a letter before them.
fn others(holders: &Holders) -> Holders {
    let other = |name: &Name| format!("next-{name}").parse().expect("a name");
    Holders::new(holders.threshold(), holders.members().iter().map(other).collect()).expect("holders")
}

fn emptied<T>(ran: Ran<T>) -> Ran<()> {
    Ran { outputs: (), bytes: ran.bytes }
}

/// ECDSA by `DKLs23`.
pub(crate) struct Ecdsa;

fn whole(bytes: &Secret<Vec<u8>>) -> EcdsaShare<Dkls23> {
    match EcdsaShare::from_secret(bytes) {
        Some(Kept::Whole(share)) => share,
        _ => panic!("a share of this engine"),
    }
}

impl Kind for Ecdsa {
    const NAME: &'static str = "ECDSA";
    const CEREMONIES_ARE_CHEAP: bool = false;

    fn birth(&self, holders: &Holders, attempt: u64) -> Ran<Sealed> {
        let session = session(Scheme::EcdsaDkls23, holders, Purpose::Generate, attempt);
        let ran = drive(&session, |_| Ceremony::<Dkls23>::generate());
        let seal = |share: Option<EcdsaShare<Dkls23>>| share.and_then(|share| share.to_secret());
        let sealed = ran.outputs.into_iter().filter_map(|(name, share)| Some((name, seal(share)?)));
        Ran { outputs: sealed.collect(), bytes: ran.bytes }
    }

    fn refresh(&self, shares: &Sealed, attempt: u64) -> Ran<()> {
        let holders = whole(shares.values().next().expect("a share")).share().public().holders.clone();
        let session = session(Scheme::EcdsaDkls23, &holders, Purpose::Refresh, attempt);
        emptied(drive(&session, |me| {
            let (share, chain) = whole(&shares[me]).into_parts();
            Ceremony::<Dkls23>::refresh(share, chain)
        }))
    }

    fn reshare(&self, shares: &Sealed, holders: &Holders, attempt: u64) -> Ran<()> {
        let dealers = signers(holders);
        let purpose = Purpose::Reshare { dealers: dealers.clone(), next: others(holders) };
        let session = session(Scheme::EcdsaDkls23, holders, purpose, attempt);
        let (first, chain) = whole(&shares[&dealers[0]]).into_parts();
        emptied(drive(&session, |me| match shares.get(me) {
            Some(share) => Ceremony::<Dkls23>::reshare(whole(share).into_parts().0, chain),
            None => Ceremony::receive(first.public().clone(), chain),
        }))
    }

    fn read(&self, shares: &Sealed) -> Ran<()> {
        shares.values().for_each(|share| drop(whole(share)));
        Ran { outputs: (), bytes: 0 }
    }

    fn sign(&self, shares: &Sealed, holders: &Holders, attempt: u64) -> Ran<()> {
        let purpose = Purpose::Sign { signers: signers(holders), digest: Digest(TEXT), path: vec![0] };
        let session = session(Scheme::EcdsaDkls23, holders, purpose, attempt);
        emptied(drive(&session, |me| Dkls23::sign(whole(&shares[me]))))
    }

    fn plain() -> Box<dyn Fn()> {
        let context = secp256k1::Secp256k1::signing_only();
        let key = secp256k1::SecretKey::from_byte_array(TEXT).expect("a scalar");
        Box::new(move || {
            black_box(context.sign_ecdsa(secp256k1::Message::from_digest(TEXT), &key));
        })
    }
}

/// Schnorr signatures by FROST.
pub(crate) struct Frost<C>(PhantomData<C>);

impl<C> Frost<C> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

fn bare(bytes: &Secret<Vec<u8>>) -> KeyShare {
    KeyShare::from_secret(bytes).expect("a share")
}

impl<C: Suite> Kind for Frost<C>
where
    Sign<C>: Protocol,
{
    const NAME: &'static str = match C::SCHEME {
        Scheme::Ed25519Frost => "Ed25519",
        Scheme::Bip340Frost | Scheme::EcdsaDkls23 => "BIP-340",
    };
    const CEREMONIES_ARE_CHEAP: bool = true;

    fn birth(&self, holders: &Holders, attempt: u64) -> Ran<Sealed> {
        let session = session(C::SCHEME, holders, Purpose::Generate, attempt);
        let ran = drive(&session, |_| Generate::<C>::new());
        let sealed = ran.outputs.into_iter().map(|(name, share)| (name, share.to_secret()));
        Ran { outputs: sealed.collect(), bytes: ran.bytes }
    }

    fn refresh(&self, shares: &Sealed, attempt: u64) -> Ran<()> {
        let holders = bare(shares.values().next().expect("a share")).public().holders.clone();
        let session = session(C::SCHEME, &holders, Purpose::Refresh, attempt);
        emptied(drive(&session, |me| Deal::<C>::refresh(bare(&shares[me]))))
    }

    fn reshare(&self, shares: &Sealed, holders: &Holders, attempt: u64) -> Ran<()> {
        let dealers = signers(holders);
        let public = bare(&shares[&dealers[0]]).public().clone();
        let purpose = Purpose::Reshare { dealers, next: others(holders) };
        let session = session(C::SCHEME, holders, purpose, attempt);
        emptied(drive(&session, |me| match shares.get(me) {
            Some(share) => Deal::<C>::reshare(bare(share)),
            None => Deal::receive(public.clone()),
        }))
    }

    fn read(&self, shares: &Sealed) -> Ran<()> {
        shares.values().for_each(|share| drop(bare(share)));
        Ran { outputs: (), bytes: 0 }
    }

    fn sign(&self, shares: &Sealed, holders: &Holders, attempt: u64) -> Ran<()> {
        let digest = match C::SCHEME {
            Scheme::Ed25519Frost => Sha256::digest(TEXT).into(),
            Scheme::Bip340Frost | Scheme::EcdsaDkls23 => TEXT,
        };
        let purpose = Purpose::Sign { signers: signers(holders), digest: Digest(digest), path: Vec::new() };
        let session = session(C::SCHEME, holders, purpose, attempt);
        emptied(drive(&session, |me| Sign::<C>::new(bare(&shares[me]), TEXT.to_vec())))
    }

    fn plain() -> Box<dyn Fn()> {
        if C::SCHEME == Scheme::Ed25519Frost {
            let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&TEXT).expect("a seed");
            return Box::new(move || {
                black_box(pair.sign(&TEXT));
            });
        }
        let context = secp256k1::Secp256k1::signing_only();
        let pair = secp256k1::Keypair::from_seckey_byte_array(&context, TEXT).expect("a scalar");
        Box::new(move || {
            black_box(context.sign_schnorr_no_aux_rand(&TEXT, &pair));
        })
    }
}

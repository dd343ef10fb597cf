//! The kinds of keys in shares that one attack is played with.
//!
//! A holder of an ECDSA key keeps beside its number what the engine set up between it and each other holder. Whoever copies
//! the one copies the other.

use std::collections::BTreeMap;

use keystead_base::{Digest, Name, Secret};
use keystead_threshold::{
    Abort, Bip340, Ceremony, Deal, Delivery, Dkls23, EcdsaEngine as _, EcdsaShare, Generate, Holders,
    KeyShare, Protocol, Purpose, Scheme,
};
use secp256k1::{Keypair, Message, PublicKey, Secp256k1, SecretKey, ecdsa, schnorr};

use crate::circle::nodes;
use crate::table::{
    Shares, Table, again, born, scalar, seated, session, session_of, signed, signing, told, with_scalar,
};

/// A kind of key, as the thieves find it with its holders.
pub trait Kind: Sized {
    /// What a holder keeps.
    type Share;

    /// A key of `node-1`, `node-2` and `node-3`, of which any two sign.
    fn born() -> Kept<Self>;
    /// What is kept, but for what an engine set up.
    fn bare(share: &Self::Share) -> KeyShare;
    /// What a patched holder makes of what it kept: the same number and set-up, in the document of another share.
    fn forged(kept: &Self::Share, about: &KeyShare) -> Self::Share;
    /// The same, that says it is of the set-up of the other one, too.
    fn mixed(old: &Self::Share, new: &Self::Share) -> Self::Share {
        Self::forged(old, &Self::bare(new))
    }
    /// What was set up for one number, around another: more than a thief who kept the number alone.
    fn with_number(kept: &Self::Share, number: &[u8; 32]) -> Self::Share;
    /// A copy of it, as whoever reads the memory of its holder makes one.
    fn copied(share: &Self::Share) -> Self::Share {
        Self::forged(share, &Self::bare(share))
    }
    /// A ceremony of the product's machines. The thieves see and change each message, on its way to a place.
    ///
    /// # Errors
    ///
    /// The first holder that ended it.
    fn ceremony(
        old: &Kept<Self>,
        occasion: Occasion,
        thief: impl FnMut(usize, &mut Delivery),
    ) -> Result<Kept<Self>, Abort>;
    /// What shares are first used for that were only dealt.
    ///
    /// # Errors
    ///
    /// A holder ended it whose own share is good.
    fn used(dealt: &Shares) -> Result<(), Abort>;
    /// A run of the product's machines.
    ///
    /// # Errors
    ///
    /// A holder ended it whose own share is good.
    fn run(signers: &Kept<Self>, text: Digest) -> Result<Vec<u8>, Abort>;
    /// A signature by a key that is whole, without a protocol.
    fn by_hand(key: &[u8; 32], text: Digest) -> Vec<u8>;
    /// Whether this key signed it, by libsecp256k1, which had no part in it.
    fn verifies(key: &[u8], text: Digest, signature: &[u8]) -> bool;
}

/// What the holders of a key keep.
pub type Kept<K> = BTreeMap<Name, <K as Kind>::Share>;

/// When shares are dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A key is born.
    Birth,
    /// The same holders are dealt new shares.
    Refresh,
    /// Two deal to all three.
    HandOn,
}

impl Occasion {
    /// What the session says of it, of a key of `node-1`, `node-2` and `node-3`.
    #[must_use]
    pub fn purpose(self) -> Purpose {
        match self {
            Self::Birth => Purpose::Generate,
            Self::Refresh => Purpose::Refresh,
            Self::HandOn => Purpose::Reshare { dealers: nodes(&[2, 3]), next: first_holders() },
        }
    }
}

/// BIP-340, by FROST.
pub struct Schnorr;

/// ECDSA, by `DKLs23`.
pub struct Ecdsa;

impl Kind for Schnorr {
    type Share = KeyShare;

    fn born() -> Shares {
        born::<Bip340>(first_holders())
    }

    fn bare(share: &KeyShare) -> KeyShare {
        again(share)
    }

    fn forged(kept: &KeyShare, about: &KeyShare) -> KeyShare {
        with_scalar(about, &scalar(kept))
    }

    fn with_number(kept: &KeyShare, number: &[u8; 32]) -> KeyShare {
        with_scalar(kept, number)
    }

    fn ceremony(
        old: &Shares,
        occasion: Occasion,
        thief: impl FnMut(usize, &mut Delivery),
    ) -> Result<Shares, Abort> {
        let purpose = occasion.purpose();
        if occasion == Occasion::Birth {
            let session = session(Scheme::Bip340Frost, (1, first_holders()), purpose, "a ceremony");
            return ended(seated(&session, |_| Generate::<Bip340>::new()), thief, Some);
        }
        let any = &old[&nodes(&[1])[0]];
        let session = session_of(any, purpose, "a ceremony");
        let table = seated(&session, |me| match deals(&session.purpose, me) {
            true => Deal::<Bip340>::reshare(again(&old[me])),
            false => Deal::<Bip340>::receive(any.public().clone()),
        });
        ended(table, thief, |share| share)
    }

    fn used(dealt: &Shares) -> Result<(), Abort> {
        let two = nodes(&[1, 3]).into_iter().map(|name| (name.clone(), again(&dealt[&name]))).collect();
        Self::run(&two, keystead_base::tagged_hash("keystead/test", b"a payment")).map(drop)
    }

    fn run(signers: &Shares, text: Digest) -> Result<Vec<u8>, Abort> {
        signed::<Bip340>(signing(signers, text, "a run")).map(|it| it.0.to_vec())
    }

    fn by_hand(key: &[u8; 32], text: Digest) -> Vec<u8> {
        let pair = Keypair::from_secret_key(&Secp256k1::new(), &secret(key));
        Secp256k1::new().sign_schnorr_no_aux_rand(text.as_bytes(), &pair).to_byte_array().to_vec()
    }

    fn verifies(key: &[u8], text: Digest, signature: &[u8]) -> bool {
        let (key, _) = PublicKey::from_slice(key).expect("a key").x_only_public_key();
        let signature = schnorr::Signature::from_byte_array(signature.try_into().expect("64 bytes"));
        Secp256k1::verification_only().verify_schnorr(&signature, text.as_bytes(), &key).is_ok()
    }
}

impl Kind for Ecdsa {
    type Share = EcdsaShare<Dkls23>;

    fn born() -> Kept<Self> {
        nodes(&[1, 2, 3]).into_iter().map(|name| (name.clone(), crate::holders::share(&name))).collect()
    }

    fn bare(share: &Self::Share) -> KeyShare {
        again(share.share())
    }

    fn forged(kept: &Self::Share, about: &KeyShare) -> Self::Share {
        let (old, number) = (kept.share().to_secret(), scalar(kept.share()));
        let new = with_scalar(about, &number).to_secret();
        let all = kept.to_secret().expect("a share's bytes");
        let place = place_of_share();
        let behind = &all.expose()[place + 4 + old.expose().len()..];
        let length = u32::try_from(new.expose().len()).expect("a short document").to_le_bytes();
        let forged = [&all.expose()[..place], &length, new.expose(), behind].concat();
        whole(forged)
    }

    fn mixed(old: &Self::Share, new: &Self::Share) -> Self::Share {
        let [mut mixed, new] = [&Self::forged(old, &Self::bare(new)), new].map(|it| {
            let bytes = it.to_secret().expect("a share's bytes").expose().clone();
            (bytes, place_of_set_up(it))
        });
        mixed.0[mixed.1].copy_from_slice(&new.0[new.1]);
        whole(mixed.0)
    }

    fn with_number(kept: &Self::Share, number: &[u8; 32]) -> Self::Share {
        let old = scalar(kept.share());
        let mut bytes = kept.to_secret().expect("a share's bytes").expose().clone();
        let places: Vec<usize> = (0..bytes.len() - 32).filter(|at| bytes[*at..at + 32] == old).collect();
        assert!(places.len() > 1, "in the share, and where the engine keeps it");
        places.into_iter().for_each(|at| bytes[at..at + 32].copy_from_slice(number));
        whole(bytes)
    }

    fn ceremony(
        old: &Kept<Self>,
        occasion: Occasion,
        thief: impl FnMut(usize, &mut Delivery),
    ) -> Result<Kept<Self>, Abort> {
        let any = Self::bare(&old[&nodes(&[1])[0]]);
        let chain_code = *old[any.holder()].chain_code();
        let session = session_of(&any, occasion.purpose(), "a ceremony");
        let table = seated(&session, |me| match (occasion, deals(&session.purpose, me)) {
            (Occasion::Birth, _) => Ceremony::<Dkls23>::generate(),
            (Occasion::Refresh | Occasion::HandOn, true) => {
                let (share, chain_code) = Self::copied(&old[me]).into_parts();
                Ceremony::reshare(share, chain_code)
            }
            (Occasion::Refresh | Occasion::HandOn, false) => {
                Ceremony::receive(any.public().clone(), chain_code)
            }
        });
        ended(table, thief, |share| share)
    }

    fn used(dealt: &Shares) -> Result<(), Abort> {
        let any = dealt.values().next().expect("a share");
        let session = session_of(any, Purpose::Refresh, "a set-up");
        let mut table = seated(&session, |me| Ceremony::<Dkls23>::set_up(again(&dealt[me]), [7; 32]));
        table.run(|_, _| {});
        told(table).map(drop)
    }

    fn run(signers: &Kept<Self>, text: Digest) -> Result<Vec<u8>, Abort> {
        let any = Self::bare(signers.values().next().expect("a share"));
        let purpose =
            Purpose::Sign { signers: signers.keys().cloned().collect(), digest: text, path: Vec::new() };
        let session = session_of(&any, purpose, "a run");
        let mut table = seated(&session, |me| Dkls23::sign(Self::copied(&signers[me])));
        table.run(|_, _| {});
        told(table).map(|(_, signature)| [signature.r, signature.s].concat())
    }

    fn by_hand(key: &[u8; 32], text: Digest) -> Vec<u8> {
        Secp256k1::new().sign_ecdsa(Message::from_digest(text.0), &secret(key)).serialize_compact().to_vec()
    }

    fn verifies(key: &[u8], text: Digest, signature: &[u8]) -> bool {
        let key = PublicKey::from_slice(key).expect("a key");
        let signature = ecdsa::Signature::from_compact(signature).expect("64 bytes");
        let context = Secp256k1::verification_only();
        context.verify_ecdsa(Message::from_digest(text.0), &signature, &key).is_ok()
    }
}

/// The first holders of each key.
fn first_holders() -> Holders {
    Holders::new(2, nodes(&[1, 2, 3])).expect("holders")
}

fn deals(purpose: &Purpose, me: &Name) -> bool {
    match purpose {
        Purpose::Reshare { dealers, .. } => dealers.contains(me),
        _ => true,
    }
}

/// What a ceremony leaves with each holder, or who was the first to end it.
fn ended<P: Protocol, S>(
    mut table: Table<P>,
    thief: impl FnMut(usize, &mut Delivery),
    read: impl Fn(P::Output) -> Option<S>,
) -> Result<BTreeMap<Name, S>, Abort> {
    table.run(thief);
    let mut shares = BTreeMap::new();
    for (name, end) in table.ends() {
        if let Some(share) = read(end.expect("an end")?) {
            shares.insert(name, share);
        }
    }
    Ok(shares)
}

/// A share's document stands with its length behind the name of the whole.
fn place_of_share() -> usize {
    1 + "keystead/threshold-ecdsa/v1".len()
}

/// Where the set-up's run is named: behind the chain code, the engine's tag, the length of what it keeps, three small numbers
/// and the name's own length.
fn place_of_set_up(share: &EcdsaShare<Dkls23>) -> std::ops::Range<usize> {
    let at = place_of_share() + 4 + share.share().to_secret().expose().len() + 32 + 2 + 4 + 3 + 1;
    at..at + 32
}

fn whole(bytes: Vec<u8>) -> EcdsaShare<Dkls23> {
    match EcdsaShare::from_secret(&Secret::new(bytes)) {
        Some(keystead_threshold::Kept::Whole(share)) => share,
        _ => panic!("a share of this engine"),
    }
}

fn secret(key: &[u8; 32]) -> SecretKey {
    SecretKey::from_byte_array(*key).expect("a scalar")
}

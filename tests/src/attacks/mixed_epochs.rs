//! A share of the last epoch beside one of this epoch (K3, A6).
//!
//! The mobile adversary of Ostrovsky and Yung (1991): over the years every machine is taken once, and no two at the same time.
//! Proactive refresh is the answer to it (Herzberg and others, 1995).
//!
//! The thieves copied the share of `a` from a backup, years ago. The key was refreshed since; now they have `b`. Any
//! two of three sign. The product's refresh deals shares of another polynomial with the same constant. The twin's changes
//! the epoch and leaves the shares as they are.

use keystead_base::{Digest, tagged_hash};
use keystead_threshold::{Bip340, Purpose, Signature};
use secp256k1::{Secp256k1, XOnlyPublicKey, schnorr};

use crate::Loot;
use crate::fixture::name;
use crate::table::{Shares, again, born, dealt, holders, relabelled, scalar, signed, signing, with_scalar};

/// How the shares of the next epoch come about.
pub type Refresh = fn(&Shares) -> Shares;

/// The product's way.
#[must_use]
pub fn dealt_anew(shares: &Shares) -> Shares {
    dealt::<Bip340>(shares, Purpose::Refresh)
}

/// The naive way.
#[must_use]
pub fn counted_up(shares: &Shares) -> Shares {
    shares.iter().map(|(name, share)| (name.clone(), relabelled(share))).collect()
}

/// Plays it, with a refresh like this.
pub fn attack(refresh: Refresh) -> Loot {
    let old = born::<Bip340>(holders(2, "a b c"));
    let new = refresh(&old);
    assert_eq!(new[&name("a")].public().key, old[&name("a")].public().key, "the same key");
    assert_eq!(new[&name("b")].epoch(), 2);
    let copied = with_scalar(&new[&name("a")], &scalar(&old[&name("a")]));
    let pair: Shares = [(name("a"), copied), (name("b"), again(&new[&name("b")]))].into();
    cashed(&pair)
}

/// What two shares that the thieves brought together sign.
pub(crate) fn cashed(pair: &Shares) -> Loot {
    let key = &pair[&name("b")].public().key;
    match signed::<Bip340>(signing(pair, text(), "a theft")) {
        Ok(signature) if verifies(key, &signature) => {
            Loot::Stolen { what: "a signature of the key over what the thieves like".to_owned() }
        }
        Ok(_) => panic!("a signature that verifies nowhere"),
        Err(abort) => Loot::refused_for(&abort),
    }
}

/// By libsecp256k1, which had no part in it.
fn verifies(key: &[u8], signature: &Signature) -> bool {
    let key = XOnlyPublicKey::from_byte_array(key[1..].try_into().expect("32 bytes")).expect("a key");
    let signature = schnorr::Signature::from_byte_array(signature.0);
    Secp256k1::verification_only().verify_schnorr(&signature, text().as_bytes(), &key).is_ok()
}

fn text() -> Digest {
    tagged_hash("keystead/test", b"everything to the thieves")
}

//! The cheap engine: signers tell one another their weighted shares, and each signs with the sum.
//!
//! It keeps no secret and is nobody's protocol. What it has in common with one is what the log can see: only shares of
//! one epoch, of as many holders as the threshold says, make a signature of the key, and libsecp256k1 verifies it.

use alloy_primitives::U256;
use keystead_base::{Digest, PublicAccount, Secret};
use keystead_keys::Fill;
use keystead_threshold::{
    Abort, Begun, Bip340, Culprit, Deal, Draft, Expects, Fault, Heard, KeyShare, Kind, Next, Protocol,
    PublicShares, Purpose,
};
use secp256k1::{Message, Scalar, Secp256k1, SecretKey};
use sha2::{Digest as _, Sha512};

use crate::threshold::run::{Ended, Run, boxed};

/// A node's part in a ceremony: dealt as the product deals an ECDSA key, without what an engine sets up.
pub(super) fn ceremony(
    begun: Begun,
    share: Option<&[u8]>,
    old: Option<PublicShares>,
) -> Option<Box<dyn Run>> {
    let deals = match &begun.session().purpose {
        Purpose::Generate => return Some(boxed(begun, Deal::<Bip340>::generate(), held)),
        Purpose::Reshare { dealers, .. } => dealers.contains(begun.me()),
        _ => true,
    };
    let deal = match deals {
        true => Deal::<Bip340>::reshare(read(share?)?),
        false => Deal::<Bip340>::receive(old?),
    };
    Some(boxed(begun, deal, held))
}

/// A node's part in a signature by the first account.
pub(super) fn signing(begun: Begun, share: &[u8]) -> Option<Box<dyn Run>> {
    Some(boxed(begun, Pooled { share: read(share)?, told: false }, Ended::Signature))
}

fn held(share: Option<KeyShare>) -> Ended {
    share.map_or(Ended::Nothing, |share| Ended::Share(share.to_secret().expose().clone()))
}

pub(super) fn read(bytes: &[u8]) -> Option<KeyShare> {
    KeyShare::from_secret(&Secret::new(bytes.to_vec()))
}

/// The key's account: the chain code is the same for all keys here.
pub(super) fn account(public: &PublicShares) -> Option<PublicAccount> {
    Some(PublicAccount::new(public.key.as_slice().try_into().ok()?, CHAIN_CODE))
}

/// One round: everybody says its weighted share.
struct Pooled {
    share: KeyShare,
    told: bool,
}

impl Protocol for Pooled {
    type Output = [u8; 64];

    fn rounds(&self, _: &Begun) -> u8 {
        1
    }

    fn expects(&self, begun: &Begun) -> Expects {
        Expects::broadcast(Kind::SignatureShare, begun.others().cloned()).without_echo()
    }

    fn advance(mut self, begun: &Begun, heard: Heard, _: Fill<'_>) -> Result<Next<Self>, Abort> {
        let own = weighted(begun, &self.share).ok_or_else(|| abort(begun, Culprit::Ourselves, Fault::Own))?;
        if !self.told {
            self.told = true;
            let payload = Secret::new(own.to_be_bytes::<32>().to_vec());
            return Ok(Next::Round(self, vec![Draft::broadcast(Kind::SignatureShare, payload)]));
        }
        let mut sum = own;
        for (from, payload) in &heard.broadcasts {
            let bytes: Option<[u8; 32]> = payload.expose().as_slice().try_into().ok();
            let part = bytes.map(U256::from_be_bytes).filter(|it| *it < ORDER);
            let part = part.ok_or_else(|| abort(begun, Culprit::Node(from.clone()), Fault::Malformed))?;
            sum = sum.add_mod(part, ORDER);
        }
        // Who told a wrong one nobody knows, as with the product's engine.
        let failed = || abort(begun, Culprit::Unknown, Fault::Result);
        let signature = signed(begun, &self.share, sum).ok_or_else(failed)?;
        Ok(Next::Done(signature))
    }
}

fn abort(begun: &Begun, culprit: Culprit, fault: Fault) -> Abort {
    Abort { session: begun.id(), culprit, fault }
}

/// The share by its Lagrange coefficient at zero; none where it is not one of this session's.
fn weighted(begun: &Begun, share: &KeyShare) -> Option<U256> {
    let session = begun.session();
    let Purpose::Sign { signers, .. } = &session.purpose else { return None };
    let fits = share.epoch() == session.epoch
        && share.public().holders == session.holders
        && share.holder() == begun.me();
    let index =
        |name| session.holders.members().iter().position(|it| it == name).map(|it| U256::from(it + 1));
    let me = index(begun.me()).filter(|_| fits)?;
    let mut weight = U256::from(1);
    for other in signers.iter().filter(|it| *it != begun.me()) {
        let other = index(other)?;
        let apart = other.add_mod(ORDER - me, ORDER).inv_mod(ORDER)?;
        weight = weight.mul_mod(other, ORDER).mul_mod(apart, ORDER);
    }
    Some(weight.mul_mod(scalar(share), ORDER))
}

fn scalar(share: &KeyShare) -> U256 {
    // Behind the domain, the key's name, scheme, epoch and the holder's name (specs/threshold.md).
    let key = super::vault();
    let at = 1
        + "keystead/threshold-share/v1".len()
        + (4 + key.as_str().len())
        + 1
        + 4
        + (4 + share.holder().as_str().len());
    let bytes = share.to_secret();
    U256::from_be_slice(bytes.expose().get(at..at + 32).unwrap_or_default())
}

/// By the first child of the root that the shares make (BIP-32), where it is the key's.
fn signed(begun: &Begun, share: &KeyShare, root: U256) -> Option<[u8; 64]> {
    let Purpose::Sign { digest, .. } = &begun.session().purpose else { return None };
    let account = account(share.public())?;
    let left = hmac(&[&account.compressed()[..], &0_u32.to_be_bytes()].concat());
    let tweak = Scalar::from_be_bytes(left).ok()?;
    let child = SecretKey::from_byte_array(root.to_be_bytes()).ok()?.add_tweak(&tweak).ok()?;
    let made = Secp256k1::new().sign_ecdsa(Message::from_digest(digest.0), &child).serialize_compact();
    verifies(&account, digest, &made).then_some(made)
}

/// INVARIANT S7: what leaves is verified with the account's public key.
pub(super) fn verifies(account: &PublicAccount, digest: &Digest, signature: &[u8]) -> bool {
    account.proves_control(digest, signature)
}

/// The left half of HMAC-SHA-512 under the chain code (RFC 2104).
fn hmac(message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = [with; 128];
        block.iter_mut().zip(CHAIN_CODE).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha512::digest([&pad(0x36)[..], message].concat());
    let outer = Sha512::digest([&pad(0x5c)[..], &inner[..]].concat());
    let mut left = [0; 32];
    left.iter_mut().zip(outer).for_each(|(to, from)| *to = from);
    left
}

const CHAIN_CODE: [u8; 32] = [7; 32];
/// The order of secp256k1.
const ORDER: U256 = U256::from_limbs([
    0xbfd2_5e8c_d036_4141,
    0xbaae_dce6_af48_a03b,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
]);

//! One signature by t holders: nonces that are gone before the share that used them is sent.

use std::collections::BTreeMap;

use frost_core::keys::{KeyPackage, PublicKeyPackage};
use frost_core::round1::{SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare;
use frost_core::{Error, Identifier, SigningPackage};
use keystead_base::{Name, Secret};
use keystead_keys::Fill;

use super::child;
use crate::curve::{identifier, is_canonical, name_of};
use crate::source::Source;
use crate::{Abort, Begun, Draft, Expects, Fault, Heard, KeyShare, Kind, Next, Protocol, Purpose, Suite};

/// The longest message that is signed, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The 64 bytes of a signature (BIP-340, RFC 8032), verified under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A signer's part in one signature.
pub struct Sign<C: Suite> {
    message: Vec<u8>,
    state: State<C>,
}

enum State<C: Suite> {
    Start(Own),
    // INVARIANT S5: the nonces are in no other place; signing consumes them.
    Committed { own: Own, nonces: Box<SigningNonces<C>>, ours: SigningCommitments<C> },
    Sent { own: Own, package: SigningPackage<C>, ours: SignatureShare<C> },
}

/// What a signer brings: its share, and the chain code of an imported account.
struct Own {
    share: KeyShare,
    chain_code: Option<[u8; 32]>,
}

impl Own {
    /// What the library signs and verifies with at the session's path.
    fn at<C: Suite>(&self, begun: &Begun) -> Result<(KeyPackage<C>, PublicKeyPackage<C>), Abort> {
        let path = match &begun.session().purpose {
            Purpose::Sign { path, .. } => path.as_slice(),
            _ => &[],
        };
        child::at::<C>(&self.share, path, self.chain_code).ok_or_else(|| begun.own_fault())
    }
}

impl<C: Suite> Sign<C> {
    /// Signs `message` with a share: 32 bytes for BIP-340, up to [`MAX_MESSAGE_BYTES`] for Ed25519. That it is what
    /// the session's digest names is checked when the run starts.
    #[must_use]
    pub fn new(share: KeyShare, message: Vec<u8>) -> Self {
        Self { message, state: State::Start(Own { share, chain_code: None }) }
    }

    /// The same with a share of an imported account, whose children follow from the chain code that it has elsewhere.
    #[must_use]
    pub fn of_account(share: KeyShare, chain_code: [u8; 32], message: Vec<u8>) -> Self {
        Self { message, state: State::Start(Own { share, chain_code: Some(chain_code) }) }
    }
}

impl<C: Suite> Protocol for Sign<C> {
    /// The share comes back with the signature, for the next one.
    type Output = (KeyShare, Signature);

    fn rounds(&self, _: &Begun) -> u8 {
        2
    }

    fn expects(&self, begun: &Begun) -> Expects {
        let others = begun.others().cloned();
        match self.state {
            State::Start(_) | State::Committed { .. } => Expects::broadcast(Kind::NonceCommitment, others),
            // The signature is verified, and with it everybody's share.
            State::Sent { .. } => Expects::broadcast(Kind::SignatureShare, others).without_echo(),
        }
    }

    fn advance(self, begun: &Begun, heard: Heard, mut fill: Fill<'_>) -> Result<Next<Self>, Abort> {
        let Self { message, state } = self;
        match state {
            State::Start(own) => commit(begun, own, message, &mut fill),
            State::Committed { own, nonces, ours } => respond(begun, own, message, (nonces, ours), heard),
            State::Sent { own, package, ours } => aggregate(begun, own, &package, ours, heard),
        }
    }
}

fn commit<C: Suite>(
    begun: &Begun,
    own: Own,
    message: Vec<u8>,
    fill: &mut Fill<'_>,
) -> Result<Next<Sign<C>>, Abort> {
    own.share.check(begun)?;
    check_message::<C>(begun, &message)?;
    let signing = own.share.signing_share::<C>().ok_or_else(|| begun.own_fault())?;
    let (nonces, ours) = frost_core::round1::commit(&signing, &mut Source(fill));
    let payload = Secret::new(ours.serialize().map_err(|_| begun.own_fault())?);
    let state = State::Committed { own, nonces: Box::new(nonces), ours };
    Ok(Next::Round(Sign { message, state }, vec![Draft::broadcast(Kind::NonceCommitment, payload)]))
}

/// INVARIANT S2: what is signed is what the session's digest names, and nothing else.
fn check_message<C: Suite>(begun: &Begun, message: &[u8]) -> Result<(), Abort> {
    let Purpose::Sign { digest, .. } = &begun.session().purpose else {
        return Err(begun.own_fault());
    };
    let fits = C::SCHEME.names(message).as_ref() == Some(digest);
    if fits && begun.session().scheme == C::SCHEME { Ok(()) } else { Err(begun.own_fault()) }
}

fn respond<C: Suite>(
    begun: &Begun,
    own: Own,
    message: Vec<u8>,
    (nonces, ours): (Box<SigningNonces<C>>, SigningCommitments<C>),
    heard: Heard,
) -> Result<Next<Sign<C>>, Abort> {
    let me = id_of(begun, begun.me())?;
    let mut commitments = BTreeMap::from([(me, ours)]);
    for (from, payload) in &heard.broadcasts {
        let malformed = || begun.blame(from, Fault::Malformed);
        let theirs = SigningCommitments::<C>::deserialize(payload.expose()).map_err(|_| malformed())?;
        if !is_canonical(payload.expose(), theirs.serialize()) {
            return Err(malformed());
        }
        commitments.insert(id_of(begun, from)?, theirs);
    }
    let package = SigningPackage::new(commitments, &message);
    let (key, _) = own.at::<C>(begun)?;
    let ours = frost_core::round2::sign(&package, &nonces, &key).map_err(|_| begun.own_fault())?;
    // INVARIANT S5: wiped before the share leaves; no second share can come of them.
    drop(nonces);
    let draft = Draft::broadcast(Kind::SignatureShare, Secret::new(ours.serialize()));
    Ok(Next::Round(Sign { message, state: State::Sent { own, package, ours } }, vec![draft]))
}

fn aggregate<C: Suite>(
    begun: &Begun,
    own: Own,
    package: &SigningPackage<C>,
    ours: SignatureShare<C>,
    heard: Heard,
) -> Result<Next<Sign<C>>, Abort> {
    let mut shares = BTreeMap::from([(id_of(begun, begun.me())?, ours)]);
    for (from, payload) in &heard.broadcasts {
        let theirs = SignatureShare::<C>::deserialize(payload.expose());
        let theirs = theirs.map_err(|_| begun.blame(from, Fault::Malformed))?;
        shares.insert(id_of(begun, from)?, theirs);
    }
    let (_, public) = own.at::<C>(begun)?;
    // INVARIANT S7: the library verifies the signature, and where it fails each share, which names the culprit.
    let signature = frost_core::aggregate(package, &shares, &public).map_err(|error| blame(begun, &error))?;
    public.verifying_key().verify(package.message(), &signature).map_err(|_| begun.own_fault())?;
    let bytes = signature.serialize().ok().and_then(|bytes| bytes.try_into().ok());
    Ok(Next::Done((own.share, Signature(bytes.ok_or_else(|| begun.own_fault())?))))
}

fn id_of<C: Suite>(begun: &Begun, name: &Name) -> Result<Identifier<C>, Abort> {
    identifier(&begun.session().holders, name).ok_or_else(|| begun.own_fault())
}

fn blame<C: Suite>(begun: &Begun, error: &Error<C>) -> Abort {
    let names = error.culprits();
    let mut names = names.iter().filter_map(|id| name_of(&begun.session().holders, id));
    match names.find(|name| name != begun.me()) {
        Some(name) => begun.blame(&name, Fault::SignatureShare),
        None => begun.own_fault(),
    }
}

//! Dealing of shares, verifiably: a birth for ECDSA, a refresh, a handing over to other holders, an import.
//!
//! Each dealer commits to a polynomial whose constant is pinned by what everybody knows: nothing for a new key, zero
//! for a refresh, its weighted old share for resharing. All echo the commitments; then each holder gets one
//! point of each polynomial, which it checks, and adds them up.

mod commitment;
pub(crate) mod split;

use std::collections::BTreeMap;

use borsh::BorshDeserialize as _;
use frost_core::keys::SigningShare;
use frost_core::{Element, Field as _, Scalar};
use keystead_base::{Digest, Name, Secret};
use keystead_keys::Fill;

use self::commitment::Commitment;
#[cfg(test)]
pub(crate) use self::commitment::ProofPlace;
use crate::curve::{identifier, identifiers};
use crate::share::{SHARE_BYTES, take_scalar};
use crate::vss::{self, Polynomial, Scalars};
use crate::{
    Abort, Begun, Draft, Expects, Fault, Heard, Holders, KeyShare, Kind, Next, Protocol, PublicShares,
    Purpose, Suite, echo,
};

/// A node's part in a dealing: as a dealer, as a holder of what is dealt, or as both.
///
/// For an ECDSA key `C` is [`crate::Bip340`], whose curve it is.
pub struct Deal<C: Suite> {
    input: Input,
    state: State<C>,
}

/// What a node brings.
struct Input {
    share: Option<KeyShare>,
    secret: Option<Secret<[u8; SHARE_BYTES]>>,
    old: Option<PublicShares>,
}

enum State<C: Suite> {
    Start,
    Hashed { polynomial: Polynomial<C>, opening: Vec<u8> },
    Committed { polynomial: Option<Polynomial<C>>, hashes: Option<BTreeMap<Name, Secret<Vec<u8>>>> },
    Dealt { ours: Option<SigningShare<C>>, commitments: BTreeMap<Name, Vec<Element<C>>> },
}

impl<C: Suite> Deal<C> {
    /// A holder's part in the birth of a key.
    #[must_use]
    pub fn generate() -> Self {
        Self::with(Input { share: None, secret: None, old: None })
    }

    /// A holder's part in a refresh: the same key, the same holders, new shares.
    #[must_use]
    pub fn refresh(share: KeyShare) -> Self {
        let old = Some(share.public.clone());
        Self::with(Input { share: Some(share), secret: None, old })
    }

    /// A dealer's part in a resharing. It may be one of the next holders, too.
    #[must_use]
    pub fn reshare(share: KeyShare) -> Self {
        Self::refresh(share)
    }

    /// A next holder's part in a resharing. `old` is what the log says of the shares so far.
    #[must_use]
    pub fn receive(old: PublicShares) -> Self {
        Self::with(Input { share: None, secret: None, old: Some(old) })
    }

    /// The part of whoever has a whole key, in a ceremony that is named so (K4). The scalar is wiped with the
    /// machine; other copies are the caller's. Whether it is the key that was meant, the holders' callers see in
    /// [`KeyShare::public`], before they use it.
    #[must_use]
    pub fn import(secret: Secret<[u8; SHARE_BYTES]>) -> Self {
        Self::with(Input { share: None, secret: Some(secret), old: None })
    }

    /// A holder's part where shares were dealt at once by whoever had the whole key ([`crate::Split`]): FROST needs no more
    /// than the share that each has read.
    #[must_use]
    pub fn take(share: KeyShare) -> Self {
        Self::with(Input { share: Some(share), secret: None, old: None })
    }

    fn with(input: Input) -> Self {
        Self { input, state: State::Start }
    }
}

/// Who deals to whom, by the session.
struct Cast<'a> {
    dealers: &'a [Name],
    receivers: &'a Holders,
    next_epoch: Option<u32>,
}

fn cast(begun: &Begun) -> Result<Cast<'_>, Abort> {
    let session = begun.session();
    let (holders, after) = (&session.holders, session.epoch.checked_add(1));
    let all = holders.members();
    match &session.purpose {
        Purpose::Generate => Ok(Cast { dealers: all, receivers: holders, next_epoch: Some(session.epoch) }),
        Purpose::Refresh => Ok(Cast { dealers: all, receivers: holders, next_epoch: after }),
        Purpose::Reshare { dealers, next } => Ok(Cast { dealers, receivers: next, next_epoch: after }),
        Purpose::Import { dealer } => {
            let dealers = std::slice::from_ref(dealer);
            Ok(Cast { dealers, receivers: holders, next_epoch: Some(session.epoch) })
        }
        Purpose::Sign { .. } | Purpose::Repair { .. } | Purpose::Take { .. } => Err(begun.own_fault()),
    }
}

impl<C: Suite> Protocol for Deal<C> {
    /// A share of the next epoch, for those who hold one then.
    type Output = Option<KeyShare>;

    fn rounds(&self, begun: &Begun) -> u8 {
        match begun.session().purpose {
            Purpose::Generate => 3,
            Purpose::Refresh | Purpose::Reshare { .. } | Purpose::Import { .. } => 2,
            Purpose::Take { .. } | Purpose::Sign { .. } | Purpose::Repair { .. } => 0,
        }
    }

    fn expects(&self, begun: &Begun) -> Expects {
        let cast = cast(begun).ok();
        let others =
            |dealers: &[Name]| dealers.iter().filter(|name| *name != begun.me()).cloned().collect::<Vec<_>>();
        let dealers = cast.as_ref().map(|cast| others(cast.dealers)).unwrap_or_default();
        let receives = cast.is_some_and(|cast| cast.receivers.holds(begun.me()));
        match self.state {
            State::Start | State::Hashed { .. } => Expects::broadcast(Kind::DealHash, dealers),
            State::Committed { .. } => Expects::broadcast(Kind::DealCommitment, dealers),
            State::Dealt { .. } if receives => Expects::direct(Kind::DealShare, dealers),
            State::Dealt { .. } => Expects::direct(Kind::DealShare, []),
        }
    }

    fn advance(self, begun: &Begun, heard: Heard, mut fill: Fill<'_>) -> Result<Next<Self>, Abort> {
        let Self { input, state } = self;
        match state {
            State::Start => start(begun, input, &mut fill),
            State::Hashed { polynomial, opening } => {
                let state = State::Committed { polynomial: Some(polynomial), hashes: Some(heard.broadcasts) };
                let draft = Draft::broadcast(Kind::DealCommitment, Secret::new(opening));
                Ok(Next::Round(Self { input, state }, vec![draft]))
            }
            State::Committed { polynomial, hashes } => {
                deal(begun, input, polynomial.as_ref(), hashes.as_ref(), heard)
            }
            State::Dealt { ours, commitments } => finish(begun, input, ours, &commitments, heard),
        }
    }
}

fn start<C: Suite>(begun: &Begun, input: Input, fill: &mut Fill<'_>) -> Result<Next<Deal<C>>, Abort> {
    if !C::shares(begun.session().scheme) {
        return Err(begun.own_fault());
    }
    if let Some(share) = &input.share {
        share.check(begun)?;
    }
    if let Purpose::Take { .. } = begun.session().purpose {
        return Ok(Next::Done(Some(input.share.ok_or_else(|| begun.own_fault())?)));
    }
    let cast = cast(begun)?;
    if !cast.dealers.contains(begun.me()) {
        let state = State::Committed { polynomial: None, hashes: None };
        return Ok(Next::Round(Deal { input, state }, Vec::new()));
    }
    let mut constant = constant::<C>(begun, &input, fill)?;
    let polynomial = Polynomial::new(constant, cast.receivers.threshold(), fill);
    constant = Scalars::<C>::zero();
    let _ = constant;
    let opening = Commitment::of(begun, &polynomial, fill).ok_or_else(|| begun.own_fault())?.to_bytes();
    if begun.session().purpose == Purpose::Generate {
        // Whoever opens last must not choose its polynomial by what the others opened.
        let hash = echo::payload_digest(&opening).as_bytes().to_vec();
        let draft = Draft::broadcast(Kind::DealHash, Secret::new(hash));
        return Ok(Next::Round(Deal { input, state: State::Hashed { polynomial, opening } }, vec![draft]));
    }
    let draft = Draft::broadcast(Kind::DealCommitment, Secret::new(opening));
    let state = State::Committed { polynomial: Some(polynomial), hashes: None };
    Ok(Next::Round(Deal { input, state }, vec![draft]))
}

/// What this node deals.
fn constant<C: Suite>(begun: &Begun, input: &Input, fill: &mut Fill<'_>) -> Result<Scalar<C>, Abort> {
    let own = || begun.own_fault();
    match &begun.session().purpose {
        Purpose::Generate => Ok(Scalars::<C>::random(&mut crate::source::Source(fill))),
        Purpose::Refresh => Ok(Scalars::<C>::zero()),
        Purpose::Import { .. } => vss::scalar::<C>(input.secret.as_ref().ok_or_else(own)?).ok_or_else(own),
        Purpose::Reshare { dealers, .. } => {
            let share = input.share.as_ref().ok_or_else(own)?;
            let ours = vss::scalar::<C>(&share.scalar).ok_or_else(own)?;
            let weight = commitment::weight::<C>(&share.public.holders, dealers, begun.me());
            Ok(weight.ok_or_else(own)? * ours)
        }
        Purpose::Sign { .. } | Purpose::Repair { .. } | Purpose::Take { .. } => Err(own()),
    }
}

fn deal<C: Suite>(
    begun: &Begun,
    input: Input,
    polynomial: Option<&Polynomial<C>>,
    hashes: Option<&BTreeMap<Name, Secret<Vec<u8>>>>,
    heard: Heard,
) -> Result<Next<Deal<C>>, Abort> {
    let cast = cast(begun)?;
    let mut commitments = BTreeMap::new();
    for (dealer, payload) in &heard.broadcasts {
        let hash = hashes.and_then(|hashes| hashes.get(dealer));
        if hash.is_some_and(|hash| !opens(hash, payload)) {
            return Err(begun.blame(dealer, Fault::Opening));
        }
        let read = Commitment::read(payload.expose()).ok_or_else(|| begun.blame(dealer, Fault::Malformed))?;
        commitments.insert(dealer.clone(), read.verified::<C>(begun, input.old.as_ref(), dealer)?);
    }
    let (mut drafts, mut ours) = (Vec::new(), None);
    if let Some(polynomial) = polynomial {
        commitments.insert(begun.me().clone(), polynomial.commitment());
        for (name, id) in cast.receivers.members().iter().zip(identifiers::<C>(cast.receivers)) {
            if name == begun.me() {
                ours = Some(polynomial.at(id));
            } else {
                let point = Secret::new(polynomial.at(id).serialize());
                drafts.push(Draft::direct(Kind::DealShare, name.clone(), point));
            }
        }
    }
    Ok(Next::Round(Deal { input, state: State::Dealt { ours, commitments } }, drafts))
}

/// Whether a commitment is the one that its dealer bound itself to.
fn opens(hash: &Secret<Vec<u8>>, commitment: &Secret<Vec<u8>>) -> bool {
    let opened = echo::payload_digest(commitment.expose());
    let bound = Digest::try_from_slice(hash.expose());
    bound.is_ok_and(|bound| bound == opened)
}

fn finish<C: Suite>(
    begun: &Begun,
    input: Input,
    ours: Option<SigningShare<C>>,
    commitments: &BTreeMap<Name, Vec<Element<C>>>,
    heard: Heard,
) -> Result<Next<Deal<C>>, Abort> {
    let (cast, own) = (cast(begun)?, || begun.own_fault());
    let Some(id) = identifier::<C>(cast.receivers, begun.me()) else {
        return Ok(Next::Done(None));
    };
    let mut sum = ours.map_or_else(Scalars::<C>::zero, |share| share.to_scalar());
    for (dealer, payload) in &heard.directs {
        let point = SigningShare::<C>::deserialize(payload.expose());
        let point = point.map_err(|_| begun.blame(dealer, Fault::Malformed))?;
        let commitment = commitments.get(dealer).ok_or_else(own)?;
        if !vss::lies_on(id, point, commitment) {
            return Err(begun.blame(dealer, Fault::Share));
        }
        sum = sum + point.to_scalar();
    }
    let refreshed = input.share.as_ref().filter(|_| begun.session().purpose == Purpose::Refresh);
    if let Some(share) = refreshed {
        sum = sum + vss::scalar::<C>(&share.scalar).ok_or_else(own)?;
    }
    let scalar = take_scalar(SigningShare::<C>::new(sum).serialize()).ok_or_else(own)?;
    let public = public_shares::<C>(begun, &cast, input.old.as_ref(), commitments)?;
    let session = begun.session();
    Ok(Next::Done(Some(KeyShare {
        key: session.key.clone(),
        scheme: session.scheme,
        epoch: cast.next_epoch.ok_or_else(own)?,
        me: begun.me().clone(),
        scalar,
        public,
    })))
}

/// What everybody knows of the new shares.
fn public_shares<C: Suite>(
    begun: &Begun,
    cast: &Cast<'_>,
    old: Option<&PublicShares>,
    commitments: &BTreeMap<Name, Vec<Element<C>>>,
) -> Result<PublicShares, Abort> {
    let own = || begun.own_fault();
    let all: Vec<Vec<Element<C>>> = commitments.values().cloned().collect();
    let total = vss::sum::<C>(&all);
    let refreshes = begun.session().purpose == Purpose::Refresh;
    let mut shares = Vec::new();
    for (name, id) in cast.receivers.members().iter().zip(identifiers::<C>(cast.receivers)) {
        let mut element = vss::public_at::<C>(id, &total);
        if refreshes {
            let before = old.and_then(|old| old.share_of(name)).and_then(vss::element::<C>);
            element = element + before.ok_or_else(own)?;
        }
        shares.push(vss::element_bytes::<C>(element).ok_or_else(own)?);
    }
    let key = match old {
        Some(old) => old.key.clone(),
        None => total.first().and_then(|key| vss::element_bytes::<C>(*key)).ok_or_else(own)?,
    };
    // INVARIANT K3: what is dealt anew is the same key.
    let dealt = total.first().and_then(|key| vss::element_bytes::<C>(*key));
    if !refreshes && dealt.as_ref() != Some(&key) {
        return Err(begun.abort(crate::Culprit::Unknown, Fault::Result));
    }
    Ok(PublicShares { holders: cast.receivers.clone(), key, shares })
}

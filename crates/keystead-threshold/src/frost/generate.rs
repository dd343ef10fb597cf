//! A new key in shares: FROST's distributed key generation, with its broadcasts echoed.

use std::collections::BTreeMap;

use frost_core::keys::dkg::{part1, part2, part3, round1, round2};
use frost_core::{Error, Identifier};
use keystead_base::{Name, Secret};
use keystead_keys::Fill;

use crate::curve::{identifier, is_canonical, name_of};
use crate::share::take_scalar;
use crate::source::Source;
use crate::{
    Abort, Begun, Draft, Expects, Fault, Heard, KeyShare, Kind, Next, Protocol, PublicShares, Suite,
};

/// A holder's part in the birth of a key.
///
/// A BIP-340 key commits to no script (BIP-341): the library tweaks it with the empty root, so that no holder can
/// hide a script path in it.
pub struct Generate<C: Suite>(State<C>);

enum State<C: Suite> {
    Start,
    Committed(round1::SecretPackage<C>),
    Dealt(round2::SecretPackage<C>, BTreeMap<Identifier<C>, round1::Package<C>>),
}

impl<C: Suite> Generate<C> {
    /// Nothing is needed but the session.
    #[must_use]
    pub fn new() -> Self {
        Self(State::Start)
    }
}

impl<C: Suite> Default for Generate<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Suite> Protocol for Generate<C> {
    type Output = KeyShare;

    fn rounds(&self, _: &Begun) -> u8 {
        2
    }

    fn expects(&self, begun: &Begun) -> Expects {
        let others = begun.others().cloned();
        match self.0 {
            State::Start | State::Committed(_) => Expects::broadcast(Kind::DealCommitment, others),
            State::Dealt(..) => Expects::direct(Kind::DealShare, others),
        }
    }

    fn advance(self, begun: &Begun, heard: Heard, mut fill: Fill<'_>) -> Result<Next<Self>, Abort> {
        match self.0 {
            State::Start => commit(begun, &mut fill),
            State::Committed(secret) => deal(begun, secret, heard),
            State::Dealt(secret, packages) => finish(begun, &secret, &packages, heard),
        }
    }
}

fn commit<C: Suite>(begun: &Begun, fill: &mut Fill<'_>) -> Result<Next<Generate<C>>, Abort> {
    let (session, own) = (begun.session(), || begun.own_fault());
    if session.scheme != C::SCHEME {
        return Err(own());
    }
    let id = identifier::<C>(&session.holders, begun.me()).ok_or_else(own)?;
    let (count, threshold) = (session.holders.count(), session.holders.threshold());
    let (secret, package) =
        part1(id, u16::from(count), u16::from(threshold), Source(fill)).map_err(|_| own())?;
    let payload = Secret::new(package.serialize().map_err(|_| own())?);
    let draft = Draft::broadcast(Kind::DealCommitment, payload);
    Ok(Next::Round(Generate(State::Committed(secret)), vec![draft]))
}

fn deal<C: Suite>(
    begun: &Begun,
    secret: round1::SecretPackage<C>,
    heard: Heard,
) -> Result<Next<Generate<C>>, Abort> {
    let mut packages = BTreeMap::new();
    for (from, payload) in &heard.broadcasts {
        let (id, package) = commitment(begun, from, payload)?;
        packages.insert(id, package);
    }
    let (secret, points) = part2(secret, &packages).map_err(|error| abort(begun, &error))?;
    let holders = &begun.session().holders;
    let mut drafts = Vec::new();
    for (id, point) in points {
        let to = name_of(holders, &id).ok_or_else(|| begun.own_fault())?;
        let payload = Secret::new(point.signing_share().serialize());
        drafts.push(Draft::direct(Kind::DealShare, to, payload));
    }
    Ok(Next::Round(Generate(State::Dealt(secret, packages)), drafts))
}

fn commitment<C: Suite>(
    begun: &Begun,
    from: &Name,
    payload: &Secret<Vec<u8>>,
) -> Result<(Identifier<C>, round1::Package<C>), Abort> {
    let malformed = || begun.blame(from, Fault::Malformed);
    let holders = &begun.session().holders;
    let id = identifier(holders, from).ok_or_else(malformed)?;
    let package = round1::Package::deserialize(payload.expose()).map_err(|_| malformed())?;
    if !is_canonical(payload.expose(), package.serialize()) {
        return Err(malformed());
    }
    if package.commitment().coefficients().len() != usize::from(holders.threshold()) {
        return Err(malformed());
    }
    Ok((id, package))
}

fn finish<C: Suite>(
    begun: &Begun,
    secret: &round2::SecretPackage<C>,
    packages: &BTreeMap<Identifier<C>, round1::Package<C>>,
    heard: Heard,
) -> Result<Next<Generate<C>>, Abort> {
    let holders = &begun.session().holders;
    let mut points = BTreeMap::new();
    for (from, payload) in &heard.directs {
        let malformed = || begun.blame(from, Fault::Malformed);
        let id = identifier(holders, from).ok_or_else(malformed)?;
        let share = frost_core::keys::SigningShare::deserialize(payload.expose()).map_err(|_| malformed())?;
        points.insert(id, round2::Package::new(share));
    }
    let (key, public) = part3(secret, packages, &points).map_err(|error| abort(begun, &error))?;
    let session = begun.session();
    let scalar = take_scalar(key.signing_share().serialize()).ok_or_else(|| begun.own_fault())?;
    let public = PublicShares::from_package(holders, &public).ok_or_else(|| begun.own_fault())?;
    let (key, scheme, epoch) = (session.key.clone(), session.scheme, session.epoch);
    Ok(Next::Done(KeyShare { key, scheme, epoch, me: begun.me().clone(), scalar, public }))
}

/// Whom the library blames, in our words.
fn abort<C: Suite>(begun: &Begun, error: &Error<C>) -> Abort {
    let fault = match error {
        Error::InvalidProofOfKnowledge { .. } => Fault::Proof,
        Error::InvalidSecretShare { .. } => Fault::Share,
        _ => return begun.own_fault(),
    };
    let culprit = error.culprits().first().and_then(|id| name_of(&begun.session().holders, id));
    culprit.map_or_else(|| begun.own_fault(), |name| begun.blame(&name, fault))
}

//! A lost share, computed again by t others, none of whom learns it (`frost-core`'s repair).

use frost_core::keys::SigningShare;
use frost_core::keys::repairable::{Delta, Sigma, repair_share_part1, repair_share_part2};
use frost_core::{Element, Group as _};
use keystead_base::{Name, Secret};
use keystead_keys::Fill;

use crate::curve::{identifier, name_of};
use crate::share::take_scalar;
use crate::source::Source;
use crate::{
    Abort, Begun, Culprit, Draft, Expects, Fault, Heard, KeyShare, Kind, Next, Protocol, PublicShares,
    Purpose, Suite, vss,
};

/// A helper's part, or the part of whoever lost its share.
pub struct Repair<C: Suite>(State<C>);

enum State<C: Suite> {
    Helps(KeyShare),
    Summing(Delta<C>),
    Lost(PublicShares),
    Passing(PublicShares),
    Waiting(PublicShares),
    Helped,
}

impl<C: Suite> Repair<C> {
    /// A helper's part; it needs its own share.
    #[must_use]
    pub fn help(share: KeyShare) -> Self {
        Self(State::Helps(share))
    }

    /// The part of whoever lost its share. `public` is what the log says of all shares.
    #[must_use]
    pub fn recover(public: PublicShares) -> Self {
        Self(State::Lost(public))
    }
}

impl<C: Suite> Protocol for Repair<C> {
    /// The share that was lost, for whoever lost it.
    type Output = Option<KeyShare>;

    fn rounds(&self, _: &Begun) -> u8 {
        2
    }

    fn expects(&self, begun: &Begun) -> Expects {
        let helpers = helpers(begun).map(|(_, helpers)| helpers).unwrap_or_default();
        let others: Vec<Name> = helpers.iter().filter(|name| *name != begun.me()).cloned().collect();
        match self.0 {
            State::Helps(_) | State::Summing(_) => Expects::direct(Kind::RepairDelta, others),
            State::Lost(_) | State::Passing(_) | State::Helped => Expects::direct(Kind::RepairDelta, []),
            State::Waiting(_) => Expects::direct(Kind::RepairSigma, others),
        }
    }

    fn advance(self, begun: &Begun, heard: Heard, mut fill: Fill<'_>) -> Result<Next<Self>, Abort> {
        match self.0 {
            State::Helps(share) => split(begun, &share, &mut fill),
            State::Summing(ours) => sum(begun, ours, heard),
            State::Lost(_) if !C::shares(begun.session().scheme) => Err(begun.own_fault()),
            State::Lost(public) => Ok(Next::Round(Self(State::Passing(public)), Vec::new())),
            // The helpers talk among themselves: one round passes.
            State::Passing(public) => Ok(Next::Round(Self(State::Waiting(public)), Vec::new())),
            State::Waiting(public) => recover::<C>(begun, public, heard),
            State::Helped => Ok(Next::Done(None)),
        }
    }
}

fn helpers(begun: &Begun) -> Result<(&Name, &[Name]), Abort> {
    match &begun.session().purpose {
        Purpose::Repair { lost, helpers } => Ok((lost, helpers)),
        _ => Err(begun.own_fault()),
    }
}

fn split<C: Suite>(begun: &Begun, share: &KeyShare, fill: &mut Fill<'_>) -> Result<Next<Repair<C>>, Abort> {
    share.check(begun)?;
    let (own, holders) = (|| begun.own_fault(), &begun.session().holders);
    let (lost, helpers) = helpers(begun)?;
    let ids: Option<Vec<_>> = helpers.iter().map(|name| identifier::<C>(holders, name)).collect();
    let key = share.to_key_package::<C>().ok_or_else(own)?;
    let lost = identifier::<C>(holders, lost).ok_or_else(own)?;
    let deltas = repair_share_part1(&ids.ok_or_else(own)?, &key, &mut Source(fill), lost);
    let (mut drafts, mut ours) = (Vec::new(), None);
    for (id, delta) in deltas.map_err(|_| own())? {
        let to = name_of(holders, &id).ok_or_else(own)?;
        if to == *begun.me() {
            ours = Some(delta);
        } else {
            drafts.push(Draft::direct(Kind::RepairDelta, to, Secret::new(delta.serialize())));
        }
    }
    Ok(Next::Round(Repair(State::Summing(ours.ok_or_else(own)?)), drafts))
}

fn sum<C: Suite>(begun: &Begun, ours: Delta<C>, heard: Heard) -> Result<Next<Repair<C>>, Abort> {
    let mut deltas = vec![ours];
    for (from, payload) in &heard.directs {
        let delta = Delta::deserialize(payload.expose());
        deltas.push(delta.map_err(|_| begun.blame(from, Fault::Malformed))?);
    }
    let sigma = Secret::new(repair_share_part2(&deltas).serialize());
    let draft = Draft::direct(Kind::RepairSigma, helpers(begun)?.0.clone(), sigma);
    Ok(Next::Round(Repair(State::Helped), vec![draft]))
}

fn recover<C: Suite>(begun: &Begun, public: PublicShares, heard: Heard) -> Result<Next<Repair<C>>, Abort> {
    let own = || begun.own_fault();
    let mut sum = <vss::Scalars<C> as frost_core::Field>::zero();
    for (from, payload) in &heard.directs {
        let sigma = Sigma::<C>::deserialize(payload.expose());
        sum = sum + sigma.map_err(|_| begun.blame(from, Fault::Malformed))?.to_scalar();
    }
    let session = begun.session();
    if public.holders != session.holders {
        return Err(own());
    }
    let expected: Element<C> = public.share_of(begun.me()).and_then(vss::element::<C>).ok_or_else(own)?;
    // Which of the helpers was wrong the protocol does not tell: each sum mixes parts of all.
    if C::Group::generator() * sum != expected {
        return Err(begun.abort(Culprit::Unknown, Fault::Result));
    }
    let scalar = take_scalar(SigningShare::<C>::new(sum).serialize()).ok_or_else(own)?;
    let (key, scheme, epoch) = (session.key.clone(), session.scheme, session.epoch);
    Ok(Next::Done(Some(KeyShare { key, scheme, epoch, me: begun.me().clone(), scalar, public })))
}

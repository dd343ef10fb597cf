//! A dealer's commitment: its coefficients in public, and that it knows what it deals.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use frost_core::{Ciphersuite, Element, Group as _, Scalar};
use keystead_base::{Canonical, Name};
use keystead_keys::Fill;

use crate::curve::identifier;
use crate::vss::{self, Polynomial};
use crate::{Abort, Begun, Fault, Holders, PublicShares, Purpose, SessionId, Suite};

/// What a dealer says to all. In a refresh the constant is zero, and neither it nor a proof stands here.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Commitment {
    pub(crate) coefficients: Vec<Vec<u8>>,
    pub(crate) proof: Option<Vec<u8>>,
}

impl Commitment {
    pub(super) fn of<C: Suite>(
        begun: &Begun,
        polynomial: &Polynomial<C>,
        fill: &mut Fill<'_>,
    ) -> Option<Self> {
        let elements = polynomial.commitment();
        let skipped = usize::from(begun.session().purpose == Purpose::Refresh);
        let coefficients = elements.into_iter().skip(skipped).map(vss::element_bytes::<C>);
        let coefficients: Vec<Vec<u8>> = coefficients.collect::<Option<_>>()?;
        if skipped > 0 {
            return Some(Self { coefficients, proof: None });
        }
        let proof = polynomial.prove(&place(begun, begun.me(), &coefficients), fill)?;
        Some(Self { coefficients, proof: Some(proof) })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap_or_default()
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        Self::try_from_slice(payload).ok()
    }

    /// The committed coefficients, the constant's first, once everything about them is checked.
    pub(super) fn verified<C: Suite>(
        &self,
        begun: &Begun,
        old: Option<&PublicShares>,
        dealer: &Name,
    ) -> Result<Vec<Element<C>>, Abort> {
        let malformed = || begun.blame(dealer, Fault::Malformed);
        let read = |bytes: &Vec<u8>| {
            let element = vss::element::<C>(bytes)?;
            (vss::element_bytes::<C>(element).as_ref() == Some(bytes)).then_some(element)
        };
        let elements = self.coefficients.iter().map(read).collect::<Option<Vec<_>>>();
        let mut elements = elements.ok_or_else(malformed)?;
        let purpose = &begun.session().purpose;
        if *purpose == Purpose::Refresh {
            elements.insert(0, C::Group::identity());
        }
        if elements.len() != usize::from(threshold(begun))
            || self.proof.is_some() == (*purpose == Purpose::Refresh)
        {
            return Err(malformed());
        }
        self.check_constant::<C>(begun, old, dealer, &elements)?;
        Ok(elements)
    }

    fn check_constant<C: Suite>(
        &self,
        begun: &Begun,
        old: Option<&PublicShares>,
        dealer: &Name,
        elements: &[Element<C>],
    ) -> Result<(), Abort> {
        let (Some(constant), Some(proof)) = (elements.first(), &self.proof) else {
            return Ok(());
        };
        if !vss::proves::<C>(*constant, &place(begun, dealer, &self.coefficients), proof) {
            return Err(begun.blame(dealer, Fault::Proof));
        }
        let Purpose::Reshare { dealers, .. } = &begun.session().purpose else {
            return Ok(());
        };
        let own = || begun.own_fault();
        let old = old.filter(|old| old.holders == begun.session().holders).ok_or_else(own)?;
        let weight = weight::<C>(&old.holders, dealers, dealer).ok_or_else(own)?;
        let share = old.share_of(dealer).and_then(vss::element::<C>).ok_or_else(own)?;
        // INVARIANT K3: a dealer hands on its own old share and nothing else, or the key would be another.
        if *constant != share * weight {
            return Err(begun.blame(dealer, Fault::Share));
        }
        Ok(())
    }
}

fn threshold(begun: &Begun) -> u8 {
    match &begun.session().purpose {
        Purpose::Reshare { next, .. } => next.threshold(),
        _ => begun.session().holders.threshold(),
    }
}

/// What a dealer's old share counts in the key, when these deal (Lagrange's coefficient at zero).
pub(super) fn weight<C: Ciphersuite>(
    holders: &Holders,
    dealers: &[Name],
    dealer: &Name,
) -> Option<Scalar<C>> {
    let ids: Option<BTreeSet<_>> = dealers.iter().map(|name| identifier::<C>(holders, name)).collect();
    frost_core::compute_lagrange_coefficient(&ids?, None, identifier(holders, dealer)?).ok()
}

/// What a proof of knowledge is bound to: never good in another run, of another dealer, for another polynomial.
fn place(begun: &Begun, dealer: &Name, coefficients: &[Vec<u8>]) -> Vec<u8> {
    place_of(begun.id(), dealer, coefficients)
}

pub(super) fn place_of(session: SessionId, dealer: &Name, coefficients: &[Vec<u8>]) -> Vec<u8> {
    let coefficients = coefficients.to_vec();
    ProofPlace { session, dealer: dealer.clone(), coefficients }.digest().as_bytes().to_vec()
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct ProofPlace {
    pub(crate) session: SessionId,
    pub(crate) dealer: Name,
    pub(crate) coefficients: Vec<Vec<u8>>,
}

impl Canonical for ProofPlace {
    const DOMAIN: &'static str = "keystead/threshold-proof/v1";
}

//! A whole key dealt at once, by somebody who takes no part in any run: the holders read it wherever it was published.
//!
//! Everybody reads the same commitments, and each holder its own point (Feldman). That all read the same ones is the
//! publisher's to see to; the run that follows names the digest of what was published ([`Purpose::Take`]).

use frost_core::Field as _;
use keystead_base::{Blame, Coded, Name, Secret};
use keystead_keys::{ENCAPSULATED_BYTES, Encapsulated, Fill, RecipientKey, RecipientPublicKey, TAG_BYTES};

use super::commitment::place_of;
use crate::curve::identifiers;
use crate::post::associated;
use crate::share::{SHARE_BYTES, take_scalar};
use crate::vss::{self, Polynomial, Scalars};
use crate::{Holders, KeyShare, PublicShares, Purpose, Session, Suite};

/// What is published of a whole key that was dealt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The points of the polynomial's coefficients, the key's first.
    pub coefficients: Vec<Vec<u8>>,
    /// A signature under the key, of the digest of `ThresholdProof`.
    pub proof: Vec<u8>,
    /// In the holders' order: X-Wing ciphertext, and the point's ciphertext with its tag.
    pub points: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Split {
    /// Deals a whole key to the holders of an import's session. `to` are the keys of their seats, in the holders' order.
    ///
    /// # Errors
    ///
    /// [`SplitError`] for another session, another number of seats, a secret that is no scalar, or a seat that nobody can
    /// encrypt to.
    pub fn deal<C: Suite>(
        session: &Session,
        secret: &Secret<[u8; SHARE_BYTES]>,
        to: &[RecipientPublicKey],
        mut fill: Fill<'_>,
    ) -> Result<Self, SplitError> {
        let (dealer, holders) = cast::<C>(session)?;
        if to.len() != holders.members().len() {
            return Err(SplitError::Malformed);
        }
        let mut constant = vss::scalar::<C>(secret).ok_or(SplitError::Secret)?;
        let polynomial = Polynomial::<C>::new(constant, holders.threshold(), &mut fill);
        constant = Scalars::<C>::zero();
        let _ = constant;
        let coefficients = polynomial.commitment().into_iter().map(vss::element_bytes::<C>);
        let coefficients = coefficients.collect::<Option<Vec<_>>>().ok_or(SplitError::Secret)?;
        let place = place_of(session.id(), dealer, &coefficients);
        let proof = polynomial.prove(&place, &mut fill).ok_or(SplitError::Secret)?;
        let mut points = Vec::with_capacity(to.len());
        for ((name, id), to) in holders.members().iter().zip(identifiers::<C>(holders)).zip(to) {
            let mut point = Secret::new(polynomial.at(id).serialize());
            let place = associated(session.id(), 0, dealer, name);
            let sealed = to.seal(INFO, &place, point.expose_mut(), &mut *fill);
            let sealed = sealed.ok_or_else(|| SplitError::Seat { holder: name.clone() })?;
            points.push((sealed.key.to_vec(), [point.expose().as_slice(), &sealed.tag].concat()));
        }
        Ok(Self { coefficients, proof, points })
    }

    /// A holder's share of it, which nobody but the holder reads.
    ///
    /// INVARIANT K3, K6: it lies on what everybody reads, whose constant is `key`, and whoever dealt it knew that key.
    ///
    /// # Errors
    ///
    /// [`SplitError`] says what is wrong; whoever dealt it is to blame.
    pub fn share<C: Suite>(
        &self,
        session: &Session,
        me: &Name,
        recipient: &RecipientKey,
        key: &[u8],
    ) -> Result<KeyShare, SplitError> {
        let (dealer, holders) = cast::<C>(session)?;
        let elements = self.coefficients.iter().map(|bytes| {
            let element = vss::element::<C>(bytes)?;
            (vss::element_bytes::<C>(element).as_ref() == Some(bytes)).then_some(element)
        });
        let elements = elements.collect::<Option<Vec<_>>>().ok_or(SplitError::Malformed)?;
        let constant = *elements.first().ok_or(SplitError::Malformed)?;
        if elements.len() != usize::from(holders.threshold()) || self.points.len() != holders.members().len()
        {
            return Err(SplitError::Malformed);
        }
        if self.coefficients.first().map(Vec::as_slice) != Some(key) {
            return Err(SplitError::OtherKey);
        }
        if !vss::proves::<C>(constant, &place_of(session.id(), dealer, &self.coefficients), &self.proof) {
            return Err(SplitError::Proof);
        }
        let index = holders.members().iter().position(|it| it == me).ok_or(SplitError::Malformed)?;
        let id = *identifiers::<C>(holders).get(index).ok_or(SplitError::Malformed)?;
        let (encapsulated, ciphertext) = self.points.get(index).ok_or(SplitError::Malformed)?;
        let place = associated(session.id(), 0, dealer, me);
        let point = unseal(recipient, encapsulated, ciphertext, &place).ok_or(SplitError::Unreadable)?;
        let point = frost_core::keys::SigningShare::<C>::deserialize(point.expose());
        let point = point.map_err(|_| SplitError::Share)?;
        if !vss::lies_on(id, point, &elements) {
            return Err(SplitError::Share);
        }
        let scalar = take_scalar(point.serialize()).ok_or(SplitError::Share)?;
        let shares = identifiers::<C>(holders)
            .into_iter()
            .map(|id| vss::element_bytes::<C>(vss::public_at::<C>(id, &elements)));
        let shares = shares.collect::<Option<Vec<_>>>().ok_or(SplitError::Share)?;
        let public = PublicShares { holders: holders.clone(), key: key.to_vec(), shares };
        let (key, scheme, epoch) = (session.key.clone(), session.scheme, session.epoch);
        Ok(KeyShare { key, scheme, epoch, me: me.clone(), scalar, public })
    }
}

fn cast<C: Suite>(session: &Session) -> Result<(&Name, &Holders), SplitError> {
    match &session.purpose {
        Purpose::Import { dealer } if C::shares(session.scheme) => Ok((dealer, &session.holders)),
        _ => Err(SplitError::Malformed),
    }
}

fn unseal(key: &RecipientKey, encapsulated: &[u8], sealed: &[u8], place: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (content, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_BYTES)?)?;
    let encapsulated: [u8; ENCAPSULATED_BYTES] = encapsulated.try_into().ok()?;
    let from = Encapsulated { key: encapsulated, tag: tag.try_into().ok()? };
    let mut point = Secret::new(content.to_vec());
    key.open(INFO, &from, place, point.expose_mut())?;
    Some(point)
}

/// What HPKE binds a point to, beside its place.
const INFO: &[u8] = b"keystead/key-dealing/v1";

/// Why a whole key is not dealt, or what was dealt is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Not of the form of this session, or for another one.
    #[error("what was dealt does not have the form that this import takes")]
    Malformed,
    /// Bytes that are no secret key of the curve.
    #[error("the secret is no key of the curve")]
    Secret,
    /// A seat whose key is none.
    #[error("nobody can encrypt to the seat of `{holder}`")]
    Seat {
        /// Whose seat.
        holder: Name,
    },
    /// Another key than people approved.
    #[error("another key was dealt than the one that was approved")]
    OtherKey,
    /// Whoever dealt did not show that it knows the key.
    #[error("the dealer does not show that it knows the key")]
    Proof,
    /// Not for this seat, or changed on the way.
    #[error("this enclave cannot read the point that was dealt to it")]
    Unreadable,
    /// A point beside the polynomial that everybody reads.
    #[error("the point that was dealt does not lie on what everybody was shown")]
    Share,
}

impl Coded for SplitError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "threshold_split.malformed",
            Self::Secret => "threshold_split.secret",
            Self::Seat { .. } => "threshold_split.seat",
            Self::OtherKey => "threshold_split.other_key",
            Self::Proof => "threshold_split.proof",
            Self::Unreadable => "threshold_split.unreadable",
            Self::Share => "threshold_split.share",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Secret => Blame::Caller,
            _ => Blame::Peer,
        }
    }
}

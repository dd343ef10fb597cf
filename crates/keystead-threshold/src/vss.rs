//! Feldman's verifiable secret sharing, in the FROST library's own arithmetic: what its key generation does with a
//! random secret is done here with one that was given.

use frost_core::keys::{CoefficientCommitment, SecretShare, SigningShare, VerifiableSecretSharingCommitment};
use frost_core::{Ciphersuite, Element, Field, Group, Identifier, Scalar, SigningKey, VerifyingKey};
use keystead_base::Secret;
use keystead_keys::Fill;
use zeroize::Zeroize;

use crate::source::Source;

/// The arithmetic of a curve's scalars.
pub(crate) type Scalars<C> = <<C as Ciphersuite>::Group as Group>::Field;

/// A secret polynomial: its value at zero is what is dealt. Wiped when dropped.
pub(crate) struct Polynomial<C: Ciphersuite>(Vec<SigningShare<C>>);

impl<C: Ciphersuite> Drop for Polynomial<C> {
    // INVARIANT K5: who holds the coefficients holds every share.
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl<C: Ciphersuite> Polynomial<C> {
    /// A random polynomial with `threshold` coefficients and the given constant.
    pub(crate) fn new(constant: Scalar<C>, threshold: u8, fill: &mut Fill<'_>) -> Self {
        let mut source = Source(fill);
        let mut coefficients = vec![SigningShare::new(constant)];
        for _ in 1..threshold {
            coefficients.push(SigningShare::new(Scalars::<C>::random(&mut source)));
        }
        Self(coefficients)
    }

    /// The commitments to its coefficients, the constant's first.
    pub(crate) fn commitment(&self) -> Vec<Element<C>> {
        self.0.iter().map(|share| C::Group::generator() * share.to_scalar()).collect()
    }

    /// Its value at a holder's index.
    pub(crate) fn at(&self, id: Identifier<C>) -> SigningShare<C> {
        let mut coefficients: Vec<Scalar<C>> = self.0.iter().map(SigningShare::to_scalar).collect();
        let value = SigningShare::from_coefficients(&coefficients, id);
        coefficients.iter_mut().for_each(|it| *it = Scalars::<C>::zero());
        value
    }

    /// Proves that the dealer knows the constant: a signature under it, of what binds it to its place.
    pub(crate) fn prove(&self, place: &[u8], fill: &mut Fill<'_>) -> Option<Vec<u8>> {
        let key = SigningKey::<C>::from_scalar(self.0.first()?.to_scalar()).ok()?;
        key.sign(Source(fill), place).serialize().ok()
    }
}

/// Whether a proof of [`Polynomial::prove`] holds for the committed constant.
pub(crate) fn proves<C: Ciphersuite>(constant: Element<C>, place: &[u8], proof: &[u8]) -> bool {
    let signature = frost_core::Signature::<C>::deserialize(proof);
    signature.is_ok_and(|signature| VerifyingKey::new(constant).verify(place, &signature).is_ok())
}

/// Whether a share lies on the committed polynomial.
pub(crate) fn lies_on<C: Ciphersuite>(
    id: Identifier<C>,
    share: SigningShare<C>,
    commitment: &[Element<C>],
) -> bool {
    SecretShare::new(id, share, to_library(commitment)).verify().is_ok()
}

/// The public side of what a holder gets from the committed polynomial.
pub(crate) fn public_at<C: Ciphersuite>(id: Identifier<C>, commitment: &[Element<C>]) -> Element<C> {
    frost_core::keys::VerifyingShare::from_commitment(id, &to_library(commitment)).to_element()
}

/// Sums commitments of equal length, coefficient by coefficient.
pub(crate) fn sum<C: Ciphersuite>(commitments: &[Vec<Element<C>>]) -> Vec<Element<C>> {
    let longest = commitments.iter().map(Vec::len).max().unwrap_or_default();
    let column = |at: usize| commitments.iter().filter_map(move |it| it.get(at));
    let add = |at: usize| column(at).fold(C::Group::identity(), |sum, element| sum + *element);
    (0..longest).map(add).collect()
}

fn to_library<C: Ciphersuite>(commitment: &[Element<C>]) -> VerifiableSecretSharingCommitment<C> {
    let of = |element: &Element<C>| CoefficientCommitment::new(*element);
    VerifiableSecretSharingCommitment::new(commitment.iter().map(of).collect())
}

/// The scalar of stored bytes; `None` for one that is not below the order.
pub(crate) fn scalar<C: Ciphersuite>(bytes: &Secret<[u8; 32]>) -> Option<Scalar<C>> {
    SigningShare::<C>::deserialize(bytes.expose()).ok().map(|share| share.to_scalar())
}

/// An element of bytes; `None` for the identity, and for points of small order.
pub(crate) fn element<C: Ciphersuite>(bytes: &[u8]) -> Option<Element<C>> {
    CoefficientCommitment::<C>::deserialize(bytes).ok().map(|it| it.value())
}

/// The bytes of an element; `None` for the identity.
pub(crate) fn element_bytes<C: Ciphersuite>(element: Element<C>) -> Option<Vec<u8>> {
    C::Group::serialize(&element).ok().map(|bytes| bytes.as_ref().to_vec())
}

//! The engine of `dkls23-core` (`DKLs23`, ePrint 2023/765): multiplications by oblivious transfer.
//!
//! **The library draws its own randomness** (`rand::rng()`), in the set-up and in signing: what is passed in as `fill`
//! reaches the dealing only. So a run is not repeated byte for byte from a seed.

mod set_up;
mod sign;

use dkls23_core::protocols::{Abort as LibraryAbort, AbortKind, AbortReason, Party, PartyIndex};
use k256::Secp256k1;
use keystead_base::{Name, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::set_up::SetUp;
use self::sign::Sign;
use super::{CHAIN_CODE_BYTES, EcdsaEngine, EcdsaShare};
use crate::{Abort, Begun, Culprit, Fault, Holders, KeyShare};

/// What `DKLs23` keeps beside a share: seeds and transfers for each other holder, some 52 KB for each.
pub struct Dkls23(pub(super) Party<Secp256k1>);

impl EcdsaEngine for Dkls23 {
    const TAG: u16 = 1;
    const SET_UP_ROUNDS: u8 = 2;
    type SetUp = SetUp;
    type Sign = Sign;

    fn set_up(share: Option<KeyShare>, chain_code: Option<[u8; CHAIN_CODE_BYTES]>) -> SetUp {
        SetUp::new(share, chain_code)
    }

    fn sign(share: EcdsaShare<Self>) -> Sign {
        Sign::new(share)
    }

    fn to_secret(&self) -> Option<Secret<Vec<u8>>> {
        postcard::to_allocvec(&self.0).ok().map(Secret::new)
    }

    fn from_secret(bytes: &Secret<Vec<u8>>, share: &KeyShare) -> Option<Self> {
        let party: Party<Secp256k1> = read(bytes.expose())?;
        let holders = &share.public.holders;
        let fits = party.parameters.threshold == holders.threshold()
            && party.parameters.share_count == holders.count()
            && Some(party.party_index.as_u8()) == holders.index_of(&share.me)
            && compressed(&party.pk) == share.public.key;
        fits.then_some(Self(party))
    }
}

/// A message of the library, in postcard's form.
fn write<T: Serialize>(begun: &Begun, message: &T) -> Result<Secret<Vec<u8>>, Abort> {
    postcard::to_allocvec(message).map(Secret::new).map_err(|_| begun.own_fault())
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::take_from_bytes(bytes).ok().and_then(|(value, rest)| rest.is_empty().then_some(value))
}

fn heard<T: DeserializeOwned>(begun: &Begun, from: &Name, payload: &Secret<Vec<u8>>) -> Result<T, Abort> {
    read(payload.expose()).ok_or_else(|| begun.blame(from, Fault::Malformed))
}

fn index(begun: &Begun, holders: &Holders, name: &Name) -> Result<PartyIndex, Abort> {
    let index = holders.index_of(name).and_then(|index| PartyIndex::new(index).ok());
    index.ok_or_else(|| begun.own_fault())
}

/// The compressed form of a point (SEC 1).
fn compressed(point: &k256::AffinePoint) -> Vec<u8> {
    use k256::elliptic_curve::group::GroupEncoding as _;
    point.to_bytes().to_vec()
}

/// Whom the library blames, in our words.
fn abort(begun: &Begun, holders: &Holders, abort: &LibraryAbort) -> Abort {
    // INVARIANT K6: transfers are used again and again, so one failed check is one too many.
    if let AbortKind::BanCounterparty(index) = abort.kind {
        return named(begun, holders, index, Fault::Multiplication);
    }
    match abort.reason {
        AbortReason::ProofVerificationFailed { counterparty }
        | AbortReason::TrivialInstancePoint { counterparty } => {
            named(begun, holders, counterparty, Fault::Proof)
        }
        AbortReason::CommitmentMismatch { counterparty }
        | AbortReason::ZeroShareDecommitFailed { counterparty } => {
            named(begun, holders, counterparty, Fault::Opening)
        }
        AbortReason::ChainCodeCommitmentFailed { party } => named(begun, holders, party, Fault::Opening),
        AbortReason::SessionBindingMismatch { counterparty } => {
            named(begun, holders, counterparty, Fault::OtherSession)
        }
        AbortReason::OtConsistencyCheckFailed { counterparty }
        | AbortReason::GammaUInconsistency { counterparty }
        | AbortReason::MultiplicationVerificationFailed { counterparty, .. } => {
            named(begun, holders, counterparty, Fault::Multiplication)
        }
        AbortReason::PolynomialInconsistency
        | AbortReason::SignatureVerificationFailed
        | AbortReason::ZeroDenominator
        | AbortReason::TrivialPublicKey => begun.abort(Culprit::Unknown, Fault::Result),
        _ => begun.own_fault(),
    }
}

fn named(begun: &Begun, holders: &Holders, index: PartyIndex, fault: Fault) -> Abort {
    match holders.name_of(index.as_u8()).filter(|name| *name != begun.me()) {
        Some(name) => begun.blame(name, fault),
        None => begun.own_fault(),
    }
}

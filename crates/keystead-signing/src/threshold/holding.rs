//! The shares of this enclave, by key and epoch, each with the seat that its holders know it by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Seat;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name, PublicAccount, Secret};
use keystead_threshold::{Post, PublicShares, Scheme};
use zeroize::Zeroizing;

use super::ThresholdError;
use super::arena::{Arena, Place};
use super::seat::OwnSeat;
use super::share::AnyShare;

/// One epoch's share.
pub(crate) struct Holding {
    /// The shared key.
    pub(crate) account: PublicAccount,
    /// What it signs.
    pub(crate) scheme: Scheme,
    /// Who holds, and what is public of their shares.
    pub(crate) public: PublicShares,
    /// This node, as its holders name it.
    pub(crate) me: Name,
    /// Between the holders of this epoch.
    pub(crate) post: Arc<Post>,
    share: Place,
    seat: OwnSeat,
}

impl Holding {
    /// Puts a share that a ceremony made into secret pages, and gives the bytes to be sealed.
    pub(super) fn take(
        share: &AnyShare,
        seat: OwnSeat,
        seats: BTreeMap<Name, Seat>,
        arena: &mut Arena,
    ) -> Result<(Self, Secret<Vec<u8>>), ThresholdError> {
        let bytes = share.to_secret().ok_or(ThresholdError::Share)?;
        let stored = StoredHolding {
            share: Zeroizing::new(bytes.expose().clone()),
            seeds: Zeroizing::new(seat.seeds(arena).expose().clone()),
            seats,
        };
        let document = Secret::new(stored.to_document());
        Ok((Self::of(&bytes, share, seat, &stored.seats, arena)?, document))
    }

    /// Opens what was sealed.
    pub(crate) fn open(document: &Secret<Vec<u8>>, arena: &mut Arena) -> Result<Self, ThresholdError> {
        let stored = StoredHolding::from_document(document.expose()).map_err(|_| ThresholdError::Share)?;
        let bytes = Secret::new(stored.share.to_vec());
        let share = AnyShare::read(&bytes)?;
        let seat = OwnSeat::of(&Secret::new(stored.seeds.to_vec()), arena)?;
        Self::of(&bytes, &share, seat, &stored.seats, arena)
    }

    fn of(
        bytes: &Secret<Vec<u8>>,
        share: &AnyShare,
        seat: OwnSeat,
        seats: &BTreeMap<Name, Seat>,
        arena: &mut Arena,
    ) -> Result<Self, ThresholdError> {
        let bare = share.bare();
        let (public, me, scheme) = (bare.public().clone(), bare.holder().clone(), bare.scheme());
        let account = share.account().ok_or(ThresholdError::Share)?;
        let post = seat.post(&me, seats, arena)?;
        let place = arena.store(bytes.expose()).ok_or(ThresholdError::Full)?;
        Ok(Self { account, scheme, public, me, post, share: place, seat })
    }

    /// The share for one run, which consumes it: several runs of one key are under way at once.
    pub(super) fn share(&self, arena: &Arena) -> Result<AnyShare, ThresholdError> {
        AnyShare::read(&arena.read(&self.share))
    }

    pub(crate) fn wipe(self, arena: &mut Arena) {
        arena.wipe(self.share);
        self.seat.wipe(arena);
    }
}

/// A share at rest, with its seat's seeds and the seats of all holders.
struct StoredHolding {
    share: Zeroizing<Vec<u8>>,
    seeds: Zeroizing<Vec<u8>>,
    seats: BTreeMap<Name, Seat>,
}

impl Canonical for StoredHolding {
    const DOMAIN: &'static str = "keystead/threshold-holding/v1";
    const MAX_BYTES: usize = keystead_keys::MAX_SEALED_SHARE_BYTES;
}

impl BorshSerialize for StoredHolding {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        (self.share.as_slice(), self.seeds.as_slice(), &self.seats).serialize(writer)
    }
}

impl BorshDeserialize for StoredHolding {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let share = Zeroizing::new(Vec::<u8>::deserialize_reader(reader)?);
        let seeds = Zeroizing::new(Vec::<u8>::deserialize_reader(reader)?);
        Ok(Self { share, seeds, seats: BorshDeserialize::deserialize_reader(reader)? })
    }
}

//! The keys of this enclave in one ceremony and the epoch that it makes: nobody else on the machine has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Seat;
use keystead_base::{HYBRID_SEED_BYTES, HybridSigner, Name, Secret};
use keystead_keys::{RECIPIENT_SEED_BYTES, RecipientKey, RecipientPublicKey};
use keystead_threshold::{Address, Post};

use super::ThresholdError;
use super::arena::{Arena, Place};
use crate::entropy::kernel_random;
use crate::self_test::{recipient_fits, signer_fits};

/// Bytes of both seeds.
const SEEDS_BYTES: usize = HYBRID_SEED_BYTES + RECIPIENT_SEED_BYTES;

/// A seat of this enclave: its seeds lie in secret pages.
pub(crate) struct OwnSeat {
    pub(crate) public: Seat,
    seeds: Place,
}

impl OwnSeat {
    /// A fresh one, of the kernel's randomness.
    pub(crate) fn draw(arena: &mut Arena) -> Result<Self, ThresholdError> {
        let mut seeds = Secret::new(vec![0; SEEDS_BYTES]);
        kernel_random(seeds.expose_mut());
        let (signer, recipient) = keys(&seeds)?;
        signer_fits(&signer, &|_| {})?;
        recipient_fits(&recipient, &|_| {})?;
        Self::of(&seeds, arena)
    }

    /// The one of seeds that were sealed.
    pub(crate) fn of(seeds: &Secret<Vec<u8>>, arena: &mut Arena) -> Result<Self, ThresholdError> {
        let (signer, recipient) = keys(seeds)?;
        let recipient = recipient.public().as_bytes().to_vec();
        let public = Seat { signing: signer.public().clone(), recipient };
        let seeds = arena.store(seeds.expose()).ok_or(ThresholdError::Full)?;
        Ok(Self { public, seeds })
    }

    /// The seeds, to be sealed with a share.
    pub(crate) fn seeds(&self, arena: &Arena) -> Secret<Vec<u8>> {
        arena.read(&self.seeds)
    }

    pub(crate) fn wipe(self, arena: &mut Arena) {
        arena.wipe(self.seeds);
    }

    /// The post of this seat among the others, all of them as the log has them.
    pub(crate) fn post(
        &self,
        me: &Name,
        seats: &BTreeMap<Name, Seat>,
        arena: &Arena,
    ) -> Result<Arc<Post>, ThresholdError> {
        let (signer, recipient) = keys(&arena.read(&self.seeds))?;
        let addresses = seats.iter().map(|(name, seat)| Ok((name.clone(), address(seat)?)));
        let directory = addresses.collect::<Result<BTreeMap<_, _>, ThresholdError>>()?;
        Ok(Arc::new(Post::new(me.clone(), signer, recipient, directory)))
    }
}

fn address(seat: &Seat) -> Result<Address, ThresholdError> {
    let recipient = RecipientPublicKey::from_bytes(&seat.recipient).ok_or(ThresholdError::Seat)?;
    Ok(Address { signing: seat.signing.clone(), recipient })
}

fn keys(seeds: &Secret<Vec<u8>>) -> Result<(HybridSigner, RecipientKey), ThresholdError> {
    let mut signing = Secret::new([0; HYBRID_SEED_BYTES]);
    let mut recipient = Secret::new([0; RECIPIENT_SEED_BYTES]);
    let (left, right) = seeds.expose().split_at_checked(HYBRID_SEED_BYTES).ok_or(ThresholdError::Seat)?;
    if right.len() != RECIPIENT_SEED_BYTES {
        return Err(ThresholdError::Seat);
    }
    signing.expose_mut().copy_from_slice(left);
    recipient.expose_mut().copy_from_slice(right);
    let signer = HybridSigner::from_seed(&signing).map_err(|_| ThresholdError::Seat)?;
    Ok((signer, RecipientKey::from_seed(&recipient).ok_or(ThresholdError::Seat)?))
}

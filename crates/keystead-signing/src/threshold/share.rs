//! A share of any scheme: what it is at rest, and the protocols that it begins.

use keystead_base::{Name, PublicAccount, Secret};
use keystead_threshold::{
    Bip340, Ceremony, Deal, Dkls23, EcdsaEngine as _, EcdsaShare, Ed25519, Generate, Kept, KeyShare,
    PublicShares, Purpose, Scheme, Session, Sign, Suite,
};

use super::ThresholdError;
use super::run::{Made, Prepared, TurnEnd, prepared};

/// A share as its scheme signs with it.
pub(super) enum AnyShare {
    /// With what DKLs23 set up among the holders.
    Ecdsa(Box<EcdsaShare<Dkls23>>),
    /// FROST needs no more than the share.
    Frost(KeyShare),
}

/// What a node brings to a ceremony.
pub(super) struct Part {
    /// What the shares so far are: none at a birth.
    pub(super) old: Option<(PublicShares, PublicAccount)>,
    /// Its own share so far, where it deals.
    pub(super) share: Option<AnyShare>,
}

impl AnyShare {
    /// The share of bytes that were sealed.
    pub(super) fn read(bytes: &Secret<Vec<u8>>) -> Result<Self, ThresholdError> {
        match KeyShare::from_secret(bytes) {
            Some(share) if share.scheme() != Scheme::EcdsaDkls23 => return Ok(Self::Frost(share)),
            Some(_) => return Err(ThresholdError::Share),
            None => {}
        }
        match EcdsaShare::from_secret(bytes) {
            Some(Kept::Whole(share)) => Ok(Self::Ecdsa(Box::new(share))),
            Some(Kept::Bare(..)) | None => Err(ThresholdError::Share),
        }
    }

    /// The bytes to be sealed.
    pub(super) fn to_secret(&self) -> Option<Secret<Vec<u8>>> {
        match self {
            Self::Ecdsa(share) => share.to_secret(),
            Self::Frost(share) => Some(share.to_secret()),
        }
    }

    /// The share itself.
    pub(super) fn bare(&self) -> &KeyShare {
        match self {
            Self::Ecdsa(share) => share.share(),
            Self::Frost(share) => share,
        }
    }

    /// The key's public side.
    pub(super) fn account(&self) -> Option<PublicAccount> {
        let root = self.bare().public().key.as_slice();
        match self {
            // A key that was imported as one secret alone has no chain code.
            Self::Ecdsa(share) if *share.chain_code() == [0; 32] => {
                Some(PublicAccount::lone(root.try_into().ok()?))
            }
            Self::Ecdsa(share) => Some(PublicAccount::new(root.try_into().ok()?, *share.chain_code())),
            Self::Frost(share) if share.scheme() == Scheme::Ed25519Frost => {
                Some(PublicAccount::ed25519(root.try_into().ok()?))
            }
            Self::Frost(_) => Some(PublicAccount::bip340(root.try_into().ok()?)),
        }
    }

    /// Its part in a signature of a message; ECDSA signs what the session names.
    pub(super) fn sign(self, message: Vec<u8>) -> Prepared {
        match self {
            // The share that signed ends here: the next run reads it anew.
            Self::Ecdsa(share) => {
                prepared(Dkls23::sign(*share), |(_, made)| TurnEnd::Signed(Made::Ecdsa(made)))
            }
            Self::Frost(share) if share.scheme() == Scheme::Ed25519Frost => {
                frost_sign::<Ed25519>(share, message)
            }
            Self::Frost(share) => frost_sign::<Bip340>(share, message),
        }
    }
}

/// A holder's part after a whole key was dealt to it: an engine sets up among those who took their shares, and FROST has none.
pub(super) fn taken(share: KeyShare, account: &PublicAccount) -> Result<Prepared, ThresholdError> {
    match share.scheme() {
        Scheme::EcdsaDkls23 => Ok(set_up(Ceremony::set_up(share, account.chain_code.0))),
        Scheme::Ed25519Frost => Ok(prepared(Deal::<Ed25519>::take(share), kept)),
        Scheme::Bip340Frost => Err(ThresholdError::Share),
    }
}

fn set_up(machine: Ceremony<Dkls23>) -> Prepared {
    prepared::<Ceremony<Dkls23>>(machine, |share| {
        TurnEnd::Dealt(share.map(|it| Box::new(AnyShare::Ecdsa(Box::new(it)))))
    })
}

/// A node's part in a ceremony, by its session.
pub(super) fn ceremony(session: &Session, me: &Name, part: Part) -> Result<Prepared, ThresholdError> {
    match session.scheme {
        Scheme::EcdsaDkls23 => ecdsa(&session.purpose, me, part),
        Scheme::Bip340Frost => frost::<Bip340>(&session.purpose, me, part),
        Scheme::Ed25519Frost => frost::<Ed25519>(&session.purpose, me, part),
    }
}

fn frost_sign<C: Suite + 'static>(share: KeyShare, message: Vec<u8>) -> Prepared {
    prepared(Sign::<C>::new(share, message), |(_, made)| TurnEnd::Signed(Made::Schnorr(made.0)))
}

fn ecdsa(purpose: &Purpose, me: &Name, part: Part) -> Result<Prepared, ThresholdError> {
    let Part { old, share } = part;
    let share = || match share {
        Some(AnyShare::Ecdsa(share)) => Ok(share.into_parts()),
        _ => Err(ThresholdError::Share),
    };
    let machine = match purpose {
        Purpose::Generate => Ceremony::generate(),
        Purpose::Refresh => {
            let (share, chain_code) = share()?;
            Ceremony::refresh(share, chain_code)
        }
        Purpose::Reshare { dealers, .. } if dealers.contains(me) => {
            let (share, chain_code) = share()?;
            Ceremony::reshare(share, chain_code)
        }
        Purpose::Reshare { .. } => {
            let (public, account) = old.ok_or(ThresholdError::Share)?;
            Ceremony::receive(public, account.chain_code.0)
        }
        Purpose::Sign { .. } | Purpose::Repair { .. } | Purpose::Import { .. } | Purpose::Take { .. } => {
            return Err(ThresholdError::NotAdmitted);
        }
    };
    Ok(set_up(machine))
}

fn frost<C: Suite + 'static>(purpose: &Purpose, me: &Name, part: Part) -> Result<Prepared, ThresholdError> {
    let Part { old, share } = part;
    let share = || match share {
        Some(AnyShare::Frost(share)) => Ok(share),
        _ => Err(ThresholdError::Share),
    };
    let deal = match purpose {
        Purpose::Generate => return Ok(prepared(Generate::<C>::new(), |share| kept(Some(share)))),
        Purpose::Refresh => Deal::<C>::refresh(share()?),
        Purpose::Reshare { dealers, .. } if dealers.contains(me) => Deal::<C>::reshare(share()?),
        Purpose::Reshare { .. } => Deal::<C>::receive(old.ok_or(ThresholdError::Share)?.0),
        Purpose::Sign { .. } | Purpose::Repair { .. } | Purpose::Import { .. } | Purpose::Take { .. } => {
            return Err(ThresholdError::NotAdmitted);
        }
    };
    Ok(prepared(deal, kept))
}

fn kept(share: Option<KeyShare>) -> TurnEnd {
    TurnEnd::Dealt(share.map(|it| Box::new(AnyShare::Frost(it))))
}

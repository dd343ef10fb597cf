//! A share of any scheme: what it is at rest, and the protocols that it begins.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name, PublicAccount, Secret};
use keystead_threshold::{
    Bip340, Ceremony, Deal, Dkls23, EcdsaEngine as _, EcdsaShare, Ed25519, Generate, Kept, KeyShare,
    PublicShares, Purpose, Scheme, Session, Sign, Suite,
};
use zeroize::Zeroizing;

use super::ThresholdError;
use super::run::{Made, Prepared, TurnEnd, prepared};

/// A share as its scheme signs with it.
pub(super) enum AnyShare {
    /// With what DKLs23 set up among the holders.
    Ecdsa(Box<EcdsaShare<Dkls23>>),
    /// FROST needs no more than the share.
    Frost(KeyShare),
    /// Of a taproot account from elsewhere, with the chain code that its addresses follow from.
    Taproot(KeyShare, [u8; 32]),
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
        if let Ok(TaprootShare { chain_code, share }) = TaprootShare::from_document(bytes.expose()) {
            let share = KeyShare::from_secret(&Secret::new(share.to_vec()));
            let share = share.filter(|it| it.scheme() == Scheme::Bip340Frost).ok_or(ThresholdError::Share)?;
            return Ok(Self::Taproot(share, chain_code));
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
            Self::Taproot(share, chain_code) => {
                let share = Zeroizing::new(share.to_secret().expose().clone());
                Some(Secret::new(TaprootShare { chain_code: *chain_code, share }.to_document()))
            }
        }
    }

    /// The share itself.
    pub(super) fn bare(&self) -> &KeyShare {
        match self {
            Self::Ecdsa(share) => share.share(),
            Self::Frost(share) | Self::Taproot(share, _) => share,
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
            Self::Taproot(_, chain_code) => Some(PublicAccount::taproot(root.try_into().ok()?, *chain_code)),
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
                frost_sign(Sign::<Ed25519>::new(share, message))
            }
            Self::Frost(share) => frost_sign(Sign::<Bip340>::new(share, message)),
            Self::Taproot(share, chain_code) => {
                frost_sign(Sign::<Bip340>::of_account(share, chain_code, message))
            }
        }
    }
}

/// A holder's part after a whole key was dealt to it: an engine sets up among those who took their shares, and FROST has none.
pub(super) fn taken(share: KeyShare, account: &PublicAccount) -> Result<Prepared, ThresholdError> {
    match share.scheme() {
        Scheme::EcdsaDkls23 => Ok(set_up(Ceremony::set_up(share, account.chain_code.0))),
        Scheme::Ed25519Frost => Ok(prepared(Deal::<Ed25519>::take(share), kept)),
        // What is born here derives from itself: what comes whole is a wallet's account, which says what it derives from.
        Scheme::Bip340Frost => match chain_code_of(account) {
            Some(_) => Ok(dealt(Deal::<Bip340>::take(share), chain_code_of(account))),
            None => Err(ThresholdError::Share),
        },
    }
}

/// That of a taproot account from elsewhere.
fn chain_code_of(account: &PublicAccount) -> Option<[u8; 32]> {
    account.is_taproot().then_some(account.chain_code.0)
}

fn set_up(machine: Ceremony<Dkls23>) -> Prepared {
    prepared(machine, |share: Option<EcdsaShare<Dkls23>>| {
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

fn frost_sign<C: Suite + 'static>(sign: Sign<C>) -> Prepared {
    prepared(sign, |(_, made)| TurnEnd::Signed(Made::Schnorr(made.0)))
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
    let chain_code = old.as_ref().and_then(|(_, account)| chain_code_of(account));
    let share = || match share {
        Some(AnyShare::Frost(share) | AnyShare::Taproot(share, _)) => Ok(share),
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
    Ok(dealt(deal, chain_code))
}

/// New shares of the same key: its addresses follow from the chain code that it has.
fn dealt<C: Suite + 'static>(deal: Deal<C>, chain_code: Option<[u8; 32]>) -> Prepared {
    match chain_code {
        Some(chain_code) => prepared(deal, move |share| {
            TurnEnd::Dealt(share.map(|it| Box::new(AnyShare::Taproot(it, chain_code))))
        }),
        None => prepared(deal, kept),
    }
}

fn kept(share: Option<KeyShare>) -> TurnEnd {
    TurnEnd::Dealt(share.map(|it| Box::new(AnyShare::Frost(it))))
}

/// A share of a taproot account from elsewhere, at rest.
struct TaprootShare {
    chain_code: [u8; 32],
    share: Zeroizing<Vec<u8>>,
}

impl Canonical for TaprootShare {
    const DOMAIN: &'static str = "keystead/taproot-share/v1";
    const MAX_BYTES: usize = 16 * 1024;
}

impl BorshSerialize for TaprootShare {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        (&self.chain_code, self.share.as_slice()).serialize(writer)
    }
}

impl BorshDeserialize for TaprootShare {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let chain_code = BorshDeserialize::deserialize_reader(reader)?;
        Ok(Self { chain_code, share: Zeroizing::new(Vec::<u8>::deserialize_reader(reader)?) })
    }
}

//! Birth, refresh, resharing and import of an ECDSA key: shares are dealt, then the engine sets up.

use keystead_base::Secret;
use keystead_keys::Fill;

use super::{CHAIN_CODE_BYTES, EcdsaEngine, EcdsaShare};
use crate::share::SHARE_BYTES;
use crate::{Abort, Begun, Bip340, Deal, Expects, Heard, KeyShare, Next, Protocol, PublicShares, Purpose};

/// A node's part in a ceremony of an ECDSA key: one run, from the first commitment to shares that are ready to sign.
pub struct Ceremony<E: EcdsaEngine>(State<E>);

enum State<E: EcdsaEngine> {
    Dealing(Deal<Bip340>, Option<[u8; CHAIN_CODE_BYTES]>),
    Bare(KeyShare, [u8; CHAIN_CODE_BYTES]),
    SettingUp(E::SetUp),
}

impl<E: EcdsaEngine> Ceremony<E> {
    /// A holder's part in a birth.
    #[must_use]
    pub fn generate() -> Self {
        Self(State::Dealing(Deal::generate(), None))
    }

    /// A holder's part in a refresh. A share that was repaired ([`crate::Repair`]) has no engine before this.
    #[must_use]
    pub fn refresh(share: KeyShare, chain_code: [u8; CHAIN_CODE_BYTES]) -> Self {
        Self(State::Dealing(Deal::refresh(share), Some(chain_code)))
    }

    /// A dealer's part in a resharing.
    #[must_use]
    pub fn reshare(share: KeyShare, chain_code: [u8; CHAIN_CODE_BYTES]) -> Self {
        Self(State::Dealing(Deal::reshare(share), Some(chain_code)))
    }

    /// A next holder's part in a resharing.
    #[must_use]
    pub fn receive(old: PublicShares, chain_code: [u8; CHAIN_CODE_BYTES]) -> Self {
        Self(State::Dealing(Deal::receive(old), Some(chain_code)))
    }

    /// The part of whoever has a whole key (K4).
    #[must_use]
    pub fn import(secret: Secret<[u8; SHARE_BYTES]>, chain_code: [u8; CHAIN_CODE_BYTES]) -> Self {
        Self(State::Dealing(Deal::import(secret), Some(chain_code)))
    }

    /// A holder's part in an import.
    #[must_use]
    pub fn accept(chain_code: [u8; CHAIN_CODE_BYTES]) -> Self {
        Self(State::Dealing(Deal::generate(), Some(chain_code)))
    }

    /// A holder's part where another engine takes over the shares as they are: a refresh that deals nothing. The
    /// session is a refresh, too, and the shares stay in their epoch. Or where shares were dealt at once by whoever had the
    /// whole key ([`crate::Split`]); then the session takes them.
    #[must_use]
    pub fn set_up(share: KeyShare, chain_code: [u8; CHAIN_CODE_BYTES]) -> Self {
        Self(State::Bare(share, chain_code))
    }
}

impl<E: EcdsaEngine> Protocol for Ceremony<E> {
    /// For those who hold the key afterwards.
    type Output = Option<EcdsaShare<E>>;

    fn rounds(&self, begun: &Begun) -> u8 {
        match &self.0 {
            State::Dealing(deal, _) => deal.rounds(begun).saturating_add(E::SET_UP_ROUNDS),
            State::Bare(..) | State::SettingUp(_) => E::SET_UP_ROUNDS,
        }
    }

    fn expects(&self, begun: &Begun) -> Expects {
        match &self.0 {
            State::Dealing(deal, _) => deal.expects(begun),
            State::Bare(..) => Expects::direct(crate::Kind::SetupDirect, []),
            State::SettingUp(set_up) => set_up.expects(begun),
        }
    }

    fn advance(self, begun: &Begun, heard: Heard, fill: Fill<'_>) -> Result<Next<Self>, Abort> {
        match self.0 {
            State::Dealing(deal, chain_code) => match deal.advance(begun, heard, fill)? {
                Next::Round(deal, drafts) => Ok(Next::Round(Self(State::Dealing(deal, chain_code)), drafts)),
                Next::Done(share) => set_up(E::set_up(share, chain_code), begun, Heard::default(), fill),
            },
            State::Bare(share, chain_code) => {
                share.check(begun)?;
                if !matches!(begun.session().purpose, Purpose::Refresh | Purpose::Take { .. }) {
                    return Err(begun.own_fault());
                }
                set_up(E::set_up(Some(share), Some(chain_code)), begun, Heard::default(), fill)
            }
            State::SettingUp(engine) => set_up(engine, begun, heard, fill),
        }
    }
}

fn set_up<E: EcdsaEngine>(
    engine: E::SetUp,
    begun: &Begun,
    heard: Heard,
    fill: Fill<'_>,
) -> Result<Next<Ceremony<E>>, Abort> {
    match engine.advance(begun, heard, fill)? {
        Next::Round(engine, drafts) => Ok(Next::Round(Ceremony(State::SettingUp(engine)), drafts)),
        Next::Done(share) => Ok(Next::Done(share)),
    }
}

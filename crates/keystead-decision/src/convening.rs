//! The ceremony of a shared key while it is under way: who has a seat, who said what of the new shares.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{ClusterId, Digest, Name, PublicAccount, RequestId, Signed, Timestamp};
use keystead_intent::KeyCeremony;
use keystead_policy::{Roster, ShareFault};

use crate::importing::importer;
use crate::sharing::{are_shares, next_epoch};
use crate::{Dealing, Seat, ShareHome, Sharing, share_challenge};

/// How often the ceremony of one request is begun: after that people ask again, and leave out whoever breaks it.
pub const MAX_ATTEMPTS: u32 = 16;

/// A ceremony of a shared key under way.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Convening {
    /// The request that allowed it.
    pub request: RequestId,
    /// What is to be done.
    pub ceremony: KeyCeremony,
    /// The epoch of the shares that are used; of those that are made, where there are none yet.
    pub epoch: u32,
    /// The key's account, where there is a key.
    pub account: Option<PublicAccount>,
    /// How many of the next holders sign.
    pub threshold: u8,
    /// Who holds a share afterwards, in the order of the shares' indices.
    pub holders: Vec<Name>,
    /// How often it was begun.
    pub attempt: u32,
    /// The digest of the decision that began it last; none while a seat is missing or new.
    pub convened: Option<Digest>,
    /// The seats announced so far.
    pub seats: BTreeMap<Name, Seat>,
    /// What the next holders said of the new shares, in this attempt.
    pub dealt: BTreeMap<Name, DealtReport>,
    /// Whose new share has signed, in this attempt.
    pub proven: BTreeSet<Name>,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// Of an import, what was dealt in this attempt.
    pub dealing: Option<Box<Signed<Dealing>>>,
}

/// What a holder said of the new shares, once its own was sealed and durable.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DealtReport {
    /// What the key's addresses derive from.
    pub account: PublicAccount,
    /// The public side of each share, in the next holders' order.
    pub shares: Vec<Vec<u8>>,
    /// What kind of home its own share has.
    pub home: ShareHome,
}

impl DealtReport {
    fn says_as(&self, other: &Self) -> bool {
        self.account == other.account && self.shares == other.shares
    }
}

impl Convening {
    /// Everyone who takes part: who deals, and who holds a share afterwards.
    #[must_use]
    pub fn participants(&self) -> BTreeSet<&Name> {
        let dealers = match &self.ceremony {
            KeyCeremony::Reshare { dealers, .. } => dealers.as_slice(),
            _ => &[],
        };
        self.holders.iter().chain(dealers).collect()
    }

    /// The epoch of the shares that it makes.
    #[must_use]
    pub fn next_epoch(&self) -> u32 {
        next_epoch(&self.ceremony, self.epoch)
    }

    /// What all next holders say of the new shares; none while one is silent, or two disagree.
    #[must_use]
    pub fn agreed(&self) -> Option<&DealtReport> {
        let first = self.dealt.values().next()?;
        let all = self.holders.iter().all(|it| self.dealt.get(it).is_some_and(|said| said.says_as(first)));
        all.then_some(first)
    }

    /// Whether every participant has a seat, and not all enclaves were told yet.
    pub(crate) fn is_ready(&self) -> bool {
        self.convened.is_none() && self.participants().into_iter().all(|it| self.seats.contains_key(it))
    }

    /// Whether every next holder's share has signed.
    pub(crate) fn is_complete(&self) -> bool {
        self.holders.iter().all(|it| self.proven.contains(it))
    }

    /// INVARIANT S5: a new seat is a new beginning, from the first round; nothing resumes.
    pub(crate) fn seat(&mut self, node: &Name, seat: &Seat) -> Result<(), ShareFault> {
        if !self.participants().contains(node) {
            return Err(ShareFault::Stranger);
        }
        let is_taken = self.seats.iter().any(|(other, it)| other != node && it == seat);
        if !seat.is_well_formed() || is_taken {
            return Err(ShareFault::Seat);
        }
        if self.seats.get(node) == Some(seat) {
            return Ok(()); // The same word again is the same word.
        }
        if self.attempt >= MAX_ATTEMPTS {
            return Err(ShareFault::Spent);
        }
        self.seats.insert(node.clone(), seat.clone());
        self.convened = None;
        self.dealing = None;
        self.dealt.clear();
        self.proven.clear();
        Ok(())
    }

    /// A whole key was dealt, once in an attempt: whoever deals twice might deal two keys.
    pub(crate) fn import(
        &mut self,
        cluster: ClusterId,
        roster: &Roster,
        attempt: u32,
        dealing: &Signed<Dealing>,
        is_approved: bool,
    ) -> Result<(), ShareFault> {
        let from = importer(&self.ceremony).ok_or(ShareFault::Dealer)?;
        if self.convened.is_none() || attempt != self.attempt {
            return Err(ShareFault::Attempt);
        }
        dealing.body.fits(cluster, self)?;
        let key = dealing.body.dealer_key(from, roster).filter(|_| dealing.signer == *from.name());
        if key.is_none_or(|key| dealing.verify(key).is_err()) {
            return Err(ShareFault::Dealer);
        }
        if !is_approved {
            return Err(ShareFault::OtherKey);
        }
        match &self.dealing {
            Some(before) if before.body != dealing.body => return Err(ShareFault::Contradiction),
            Some(_) => {}
            None => self.dealing = Some(Box::new(dealing.clone())),
        }
        Ok(())
    }

    pub(crate) fn deal(&mut self, node: &Name, attempt: u32, report: DealtReport) -> Result<(), ShareFault> {
        self.is_of(node, attempt)?;
        let scheme = report.account.scheme().ok_or(ShareFault::Account)?;
        let is_born_so = match &self.ceremony {
            KeyCeremony::Generate { kind, .. } => scheme == kind.scheme() && !report.account.is_taproot(),
            // Nobody has a share of what was not dealt yet.
            KeyCeremony::Import { .. } if self.dealing.is_none() => return Err(ShareFault::Dealing),
            // Its point is a control's; here, that its addresses follow from it as was approved.
            KeyCeremony::Import { kind, account, .. } => {
                let forms = |it: &PublicAccount| (it.is_lone(), it.is_taproot());
                let alike = forms(account) == forms(&report.account);
                scheme == kind.scheme() && alike && account.chain_code == report.account.chain_code
            }
            _ => true,
        };
        if !is_born_so {
            return Err(ShareFault::Account);
        }
        if !are_shares(&report.shares, self.holders.len(), scheme) {
            return Err(ShareFault::Shares);
        }
        match self.dealt.get(node) {
            Some(before) if !before.says_as(&report) => return Err(ShareFault::Contradiction),
            Some(_) => {}
            None => drop(self.dealt.insert(node.clone(), report)),
        }
        Ok(())
    }

    /// INVARIANT D1: no epoch takes over before the new share of each holder has signed.
    pub(crate) fn prove(
        &mut self,
        cluster: ClusterId,
        node: &Name,
        attempt: u32,
        proof: &[u8],
    ) -> Result<(), ShareFault> {
        self.is_of(node, attempt)?;
        let convened = self.convened.ok_or(ShareFault::Attempt)?;
        let agreed = self.agreed().ok_or(ShareFault::Unagreed)?;
        let challenge = share_challenge(cluster, self.ceremony.key(), self.next_epoch(), &convened, node);
        if !agreed.account.proves_control(&challenge, proof) {
            return Err(ShareFault::Proof);
        }
        self.proven.insert(node.clone());
        Ok(())
    }

    fn is_of(&self, node: &Name, attempt: u32) -> Result<(), ShareFault> {
        if !self.holders.contains(node) {
            return Err(ShareFault::Stranger);
        }
        match self.convened {
            Some(_) if attempt == self.attempt => Ok(()),
            _ => Err(ShareFault::Attempt),
        }
    }

    /// What the key's shares are once all have signed.
    pub(crate) fn sharing(&self) -> Option<Sharing> {
        let shares = self.agreed()?.shares.clone();
        let seat = |name: &Name| Some((name.clone(), self.seats.get(name)?.clone()));
        let home = |(name, said): (&Name, &DealtReport)| (name.clone(), said.home.clone());
        Some(Sharing {
            threshold: self.threshold,
            holders: self.holders.clone(),
            seats: self.holders.iter().filter_map(seat).collect(),
            shares,
            homes: self.dealt.iter().map(home).collect(),
        })
    }
}

//! A key in shares as the log knows it: who holds one, where, and what a ceremony of all of them is begun with.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{ClusterId, Digest, KeyScheme, Name, PublicAccount, Timestamp, tagged_hash};
use keystead_intent::{Importer, KeyCeremony};
use keystead_policy::{AssuranceLevel, Feature};
use serde::{Deserialize, Serialize};

use crate::Seat;

/// Bytes of a compressed point (SEC 1, 2.3.3).
const POINT_BYTES: usize = 33;
/// Bytes of a point of Ed25519 (RFC 8032, 5.1.2).
const ED25519_BYTES: usize = 32;

/// What kind of home a share has.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareHome {
    /// The level.
    pub assurance: AssuranceLevel,
    /// The protections that were reported last as fully in force, ascending.
    pub protections: Vec<Feature>,
}

impl ShareHome {
    /// With each protection once, in order, whatever was reported.
    pub(crate) fn new(assurance: AssuranceLevel, protections: &[Feature]) -> Self {
        let protections: BTreeSet<_> = protections.iter().copied().collect();
        Self { assurance, protections: protections.into_iter().collect() }
    }
}

/// Who holds the shares of a key in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharing {
    /// How many of the holders sign.
    pub threshold: u8,
    /// The nodes that hold a share each, in the order of the shares' indices.
    pub holders: Vec<Name>,
    /// The keys of each holder's enclave.
    pub seats: BTreeMap<Name, Seat>,
    /// The public side of each share, in the holders' order: 33 bytes compressed.
    pub shares: Vec<Vec<u8>>,
    /// The home of each share that was neither wiped nor lost.
    pub homes: BTreeMap<Name, ShareHome>,
}

impl Sharing {
    /// Whether the node holds a share.
    #[must_use]
    pub fn holds(&self, node: &Name) -> bool {
        self.holders.contains(node)
    }

    /// Whether the node holds a share, as far as it said.
    #[must_use]
    pub fn has_home(&self, node: &Name) -> bool {
        self.homes.contains_key(node)
    }

    /// The holders whose shares are gone, in the shares' order.
    #[must_use]
    pub fn lost(&self) -> Vec<Name> {
        self.holders.iter().filter(|it| !self.has_home(it)).cloned().collect()
    }

    /// The least that all homes have; none where no home is left.
    pub(crate) fn least(&self) -> Option<ShareHome> {
        let assurance = self.homes.values().map(|it| it.assurance).min()?;
        let mut all = self.homes.values().map(|it| it.protections.iter().copied().collect::<BTreeSet<_>>());
        let first = all.next()?;
        let common = all.fold(first, |common, one| common.intersection(&one).copied().collect());
        Some(ShareHome { assurance, protections: common.into_iter().collect() })
    }
}

/// All participants of a ceremony have a seat: what each enclave begins it with.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convened {
    /// What is to be done.
    pub ceremony: KeyCeremony,
    /// The epoch of the shares that are used; of those that are made, where there are none yet.
    pub epoch: u32,
    /// Counts the beginnings of this ceremony, from 1 on. Nothing resumes: each has other seats.
    pub attempt: u32,
    /// How many of the next holders sign.
    pub threshold: u8,
    /// Who holds a share afterwards, in the order of the shares' indices.
    pub holders: Vec<Name>,
    /// What the shares so far are; none where there are none yet.
    pub old: Option<Sharing>,
    /// What the key's addresses derive from; none where there is no key yet.
    pub account: Option<PublicAccount>,
    /// The keys of each participant's enclave.
    pub seats: BTreeMap<Name, Seat>,
    /// After this moment it may not be begun.
    pub expires: Timestamp,
}

impl Convened {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &Name {
        self.ceremony.key()
    }

    /// The epoch of the shares that it makes.
    #[must_use]
    pub fn next_epoch(&self) -> u32 {
        next_epoch(&self.ceremony, self.epoch)
    }
}

pub(crate) fn next_epoch(ceremony: &KeyCeremony, epoch: u32) -> u32 {
    match ceremony {
        KeyCeremony::Generate { .. } | KeyCeremony::Import { from: Importer::Person(_), .. } => epoch,
        _ => epoch.saturating_add(1),
    }
}

/// The digest that new shares sign together with the share of `node` among them, by the address with index 0, of
/// other schemes by the key itself: it names
/// the cluster, the key, the epoch of the shares, the digest of the decision that convened the ceremony, and the node.
#[must_use]
pub fn share_challenge(cluster: ClusterId, key: &Name, epoch: u32, convened: &Digest, node: &Name) -> Digest {
    let body = borsh::to_vec(&(cluster, key, epoch, convened, node)).unwrap_or_default();
    tagged_hash("keystead/share-proof/v1", &body)
}

/// Whether each holder has one public share of the form that the scheme's have, and no two have the same.
pub(crate) fn are_shares(shares: &[Vec<u8>], holders: usize, scheme: KeyScheme) -> bool {
    let point = |it: &Vec<u8>| match scheme {
        KeyScheme::Ecdsa | KeyScheme::Bip340 => it.len() == POINT_BYTES && matches!(it.first(), Some(2 | 3)),
        KeyScheme::Ed25519 => it.len() == ED25519_BYTES,
        // Such keys have no shares here.
        KeyScheme::MlDsa65 => false,
    };
    let distinct: BTreeSet<_> = shares.iter().collect();
    shares.len() == holders && distinct.len() == holders && shares.iter().all(point)
}

//! What the log knows of a key's life beside its state: whose it is, its terms, what it did, and what comes after it.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};
use imbl::OrdMap;
use keystead_base::{Canonical as _, ClusterId, Coded as _, Digest, Name, RequestId, Timestamp, tagged_hash};
use keystead_bitcoin::{Branch, Owned, Place, read_account};
use keystead_entropy::EntropyReceipt;
use keystead_intent::{
    AccountRef, Action, BitcoinDestination, EffectKind, Effects, KeyCeremony, KeyKind, KeyState, KeyTerm,
    KeyTerms,
};
use keystead_policy::{AssuranceLevel, LifeReason, Reason};
use keystead_solana::{Cluster, Pubkey};
use serde::{Deserialize, Serialize};

use crate::judge::Understood;
use crate::turn::Turn;
use crate::{Controls, Key, KeyEvent, KeyStep, Phase, PublicAccount, Request, State, Witnessed};

/// Beside the state of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLife {
    /// Who asked for its birth; none where the log has forgotten the request.
    pub owner: Option<Name>,
    /// When the log heard of it first.
    pub born: Timestamp,
    /// What it may be used for, how often and how long.
    pub terms: KeyTerms,
    /// How many rights to sign it was given.
    pub signatures: u64,
    /// The key that it is swept to.
    pub successor: Option<Name>,
    /// The request by which people let its secret be wiped.
    pub wiping: Option<RequestId>,
    /// The receipt of its entropy, by the node that says so.
    pub receipts: BTreeMap<Name, EntropyReceipt>,
    /// Who signed that they watched, by the node whose receipt it is.
    pub witnessed: BTreeMap<Name, BTreeMap<Name, Witnessed>>,
    /// The time of the newest block that its home, or every holder of a share, proved control after.
    pub proven: Option<Timestamp>,
    /// The digests of the certificates of its destruction, by node.
    pub wipes: BTreeMap<Name, Digest>,
    /// The public key where the account is a fingerprint of it alone (ML-DSA-65), once a drill showed it; empty otherwise.
    pub public_key: Bytes,
}

impl Key {
    /// A key just born, whole or in shares: nothing is known of its home yet.
    pub(crate) fn born(kind: KeyKind, account: PublicAccount, home: Name, life: KeyLife) -> Self {
        Self {
            kind,
            epoch: 0,
            account,
            home,
            assurance: AssuranceLevel::Process,
            protections: Vec::new(),
            state: KeyState::Created,
            backup: None,
            wallets: BTreeMap::new(),
            sharing: None,
            exits: BTreeMap::new(),
            drilled: None,
            drilled_backup: None,
            imported: false,
            life,
            addresses: OrdMap::new(),
        }
    }

    /// Whether it signs what policy lets be signed (none), or only what sweeps it to its successor.
    ///
    /// # Errors
    ///
    /// [`Reason`] says why it signs nothing.
    pub fn signs_at(&self, name: &Name, now: Timestamp) -> Result<Option<&Name>, Reason> {
        let stopped = || Reason::KeyStopped { key: name.clone(), state: self.state };
        let over = match self.state {
            KeyState::Created | KeyState::BackedUp => {
                return Err(Reason::KeyInactive { key: name.clone() });
            }
            KeyState::Suspended | KeyState::Destroyed | KeyState::Left | KeyState::DestroyedCompromised => {
                return Err(stopped());
            }
            KeyState::Deactivated | KeyState::Compromised if self.life.wiping.is_some() => {
                return Err(stopped());
            }
            KeyState::Deactivated | KeyState::Compromised => stopped(),
            KeyState::Active => match self.life.terms.until.filter(|it| *it <= now) {
                None => return Ok(None),
                Some(at) => Reason::Life(LifeReason::PeriodOver { key: name.clone(), at }),
            },
        };
        self.life.successor.as_ref().map(Some).ok_or(over)
    }

    /// Whether headers say of it that it signs nothing, whatever was granted before.
    pub(crate) fn is_stopped_at(&self, name: &Name, now: Timestamp) -> bool {
        match self.state {
            KeyState::Created | KeyState::BackedUp => false,
            _ => self.signs_at(name, now).is_err(),
        }
    }

    /// Whether its addresses are handed out: it receives, and the last proof of control is as new as its terms ask.
    #[must_use]
    pub fn is_shown_at(&self, now: Timestamp) -> bool {
        let fresh = match self.life.terms.proof_seconds {
            None => true,
            Some(seconds) => self.life.proven.is_some_and(|it| it.plus_seconds(seconds) >= now),
        };
        self.state.receives() && fresh
    }

    /// Whether its home is to prove control again: half of what its terms ask for is over.
    #[must_use]
    pub fn proof_due_at(&self, now: Timestamp) -> bool {
        let Some(seconds) = self.life.terms.proof_seconds.filter(|_| self.state.receives()) else {
            return false;
        };
        self.life.proven.is_none_or(|it| it.plus_seconds(seconds / 2) <= now)
    }

    /// When a block is wanted for its sake: its period ends, or its home proves control again.
    fn moments(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let half = self.life.terms.proof_seconds.map(|it| it / 2);
        let proof = self.life.proven.zip(half).map(|(proven, half)| proven.plus_seconds(half));
        self.life.terms.until.into_iter().chain(proof)
    }

    /// The address that it signs with, whether or not somebody may be paid there.
    pub(crate) fn signing_address(&self, index: u32) -> Option<Address> {
        self.addresses.get(&index).copied().or_else(|| self.account.address(index))
    }
}

impl<C: Controls> Turn<'_, C> {
    /// From the header of this block on, back ends refuse for themselves what a key in this state, or after its
    /// period, does not sign.
    pub(crate) fn restop(&mut self, name: &Name) {
        let now = self.now();
        let stops = self.state.keys.get(name).is_some_and(|key| key.is_stopped_at(name, now));
        match stops {
            true => drop(self.state.frozen.stopped.insert(name.clone())),
            false => drop(self.state.frozen.stopped.remove(name)),
        }
    }

    /// INVARIANT S14: a usage period ends with the first block after its end, in block time.
    pub(crate) fn end_periods(&mut self) {
        let now = self.now();
        while let Some((at, name)) = self.state.ends.get_min().cloned() {
            if at > now {
                break;
            }
            self.state.ends.remove(&(at, name.clone()));
            self.restop(&name);
        }
    }

    /// INVARIANT S14: what the state and the terms of a key let it sign, asked again whenever a right is given.
    pub(crate) fn within_life(
        &self,
        request: &Request,
        understood: &Understood,
        account: &AccountRef,
    ) -> Result<(), Reason> {
        let name = &account.key;
        let key = self.state.keys.get(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        let terms = &key.life.terms;
        // A right that is renewed was counted when it was given.
        let used_up = terms
            .most_signatures
            .filter(|limit| request.phase == Phase::Open && key.life.signatures >= *limit)
            .map(|limit| Reason::Life(LifeReason::UsedUp { key: name.clone(), limit }));
        let sweeps = match (self.controls.signs(key, name, self.now())?, used_up) {
            (Some(successor), _) => Some(successor),
            (None, None) => None,
            (None, Some(reason)) => Some(key.life.successor.as_ref().ok_or(reason)?),
        };
        if sweeps.is_none() && self.state.incident.is_some() {
            return Err(self.state.not_rotated());
        }
        let refused = |term| Err(Reason::Life(LifeReason::Term { key: name.clone(), term }));
        let effects = &understood.effects;
        if !terms.chains.is_empty() && !terms.chains.contains(&effects.chain) {
            return refused(KeyTerm::Chain);
        }
        if !terms.schemes.is_empty() && !terms.schemes.contains(&key.kind.scheme()) {
            return refused(KeyTerm::Scheme);
        }
        let blind = |it: &keystead_intent::Effect| matches!(it.kind, EffectKind::BlindDigest { .. });
        if terms.no_blind && effects.items.iter().any(blind) {
            return refused(KeyTerm::Blind);
        }
        match sweeps {
            Some(successor) if !self.state.is_sweep(successor, &request.intent.action, understood) => {
                Err(Reason::Life(LifeReason::SweepsOnly { key: name.clone(), successor: successor.clone() }))
            }
            _ => Ok(()),
        }
    }

    /// Whether a key may take the place of another one.
    pub(crate) fn can_succeed(&self, name: &Name, key: &Key, successor: &Name) -> Result<(), Reason> {
        let fits = |next: &Key| {
            next.state == KeyState::Active
                && next.life.successor.is_none()
                && next.kind.scheme() == key.kind.scheme()
        };
        let lives = matches!(key.state, KeyState::Active | KeyState::Suspended) || key.state.sweeps();
        match lives && name != successor && self.state.keys.get(successor).is_some_and(fits) {
            true => Ok(()),
            false => Err(Reason::Life(LifeReason::NotASuccessor {
                key: name.clone(),
                successor: successor.clone(),
            })),
        }
    }

    /// Whether a key may get these terms.
    pub(crate) fn can_be_limited(&self, name: &Name, key: &Key, terms: &KeyTerms) -> Result<(), Reason> {
        if key.state.is_wiped() || key.life.wiping.is_some() {
            return Err(Reason::KeyStopped { key: name.clone(), state: key.state });
        }
        let can = key.life.terms.can_become(terms, self.now());
        can.map_err(|term| Reason::Life(LifeReason::Term { key: name.clone(), term }))
    }

    pub(crate) fn limited(&mut self, name: &Name, terms: &KeyTerms) {
        if let Some(key) = self.state.keys.get_mut(name) {
            key.life.terms = terms.clone();
            let moments = key.moments();
            // Those of earlier terms pass without effect.
            self.state.ends.extend(moments.map(|at| (at, name.clone())));
        }
        self.restop(name);
    }

    pub(crate) fn succeeded(&mut self, name: &Name, successor: &Name) {
        if let Some(key) = self.state.keys.get_mut(name) {
            key.life.successor = Some(successor.clone());
        }
        self.restop(name);
    }

    /// A right to sign was given.
    pub(crate) fn count_use(&mut self, name: &Name) {
        if let Some(key) = self.state.keys.get_mut(name) {
            key.life.signatures = key.life.signatures.saturating_add(1);
        }
    }

    /// INVARIANT E1: the home of a key says what its seed was made of. A receipt that claims less than it must is none, and
    /// the first one stays.
    pub(crate) fn received(
        &mut self,
        node: &Name,
        name: &Name,
        receipt: &EntropyReceipt,
    ) -> Result<KeyState, Reason> {
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        receipt
            .hold()
            .map_err(|error| Reason::NotCounted { code: error.code().to_owned(), text: error.to_string() })?;
        key.life.receipts.entry(node.clone()).or_insert_with(|| receipt.clone());
        Ok(key.state)
    }
}

impl<C: Controls> Turn<'_, C> {
    pub(crate) fn requester_of(&self, request: &RequestId) -> Option<Name> {
        self.state.requests.get(request).map(|it| it.intent.requester.clone())
    }

    pub(crate) fn let_be_wiped(&mut self, name: &Name, request: RequestId) {
        if let Some(key) = self.state.keys.get_mut(name) {
            // Asked for again where a node was away: certificates name the first one.
            key.life.wiping.get_or_insert(request);
        }
        self.restop(name);
    }

    /// What the terms of a key keep from leaving whole, or in shares.
    pub(crate) fn may_leave(&self, name: &Name, key: &Key, ceremony: &KeyCeremony) -> Result<(), Reason> {
        match ceremony {
            KeyCeremony::Export { .. } | KeyCeremony::Exit { .. } | KeyCeremony::Import { .. }
                if key.life.terms.no_export =>
            {
                Err(Reason::Life(LifeReason::Term { key: name.clone(), term: KeyTerm::Export }))
            }
            _ => Ok(()),
        }
    }

    /// What the home of a key says of its life beside its state.
    pub(crate) fn life_step(&mut self, node: &Name, event: &KeyEvent) -> Result<KeyState, Reason> {
        match &event.step {
            KeyStep::Received { receipt } => self.received(node, &event.key, receipt),
            KeyStep::Wiped { request, account, epoch, .. } => {
                self.certified(node, event, request, (account, *epoch))
            }
            KeyStep::Controlled { height, proof } => self.controlled(&event.key, *height, proof),
            _ => Ok(self.state_of(&event.key)),
        }
    }

    /// A node says that nothing of the key is left there; of a key in shares each holder does.
    pub(crate) fn certified(
        &mut self,
        node: &Name,
        event: &KeyEvent,
        request: &RequestId,
        (account, epoch): (&PublicAccount, u32),
    ) -> Result<KeyState, Reason> {
        let name = &event.key;
        let key = self.state.keys.get(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        if key.life.wiping != Some(*request) {
            return Err(Reason::RequestUnknown { request: *request });
        }
        if key.account != *account || key.epoch != epoch {
            let text = format!("the certificate is not about key `{name}` in epoch {}", key.epoch);
            return Err(Reason::NotCounted { code: "certificate.other_key".to_owned(), text });
        }
        let state = self.wiped(node, name)?;
        if let Some(key) = self.state.keys.get_mut(name) {
            key.life.wipes.insert(node.clone(), event.digest());
        }
        Ok(state)
    }

    /// The home of a key signed a block: the proof is as old as that block.
    pub(crate) fn controlled(&mut self, name: &Name, height: u64, proof: &[u8]) -> Result<KeyState, Reason> {
        let (cluster, block) = (self.state.cluster, self.state.recent.get(&height).copied());
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        let proven = block.filter(|(block, _)| {
            let challenge = control_challenge(cluster, name, key.epoch, height, block);
            key.account.proves_control(&challenge, proof)
        });
        let Some((_, time)) = proven else {
            let text =
                format!("no proof of control of key `{name}` that names one of the last {RECENT} blocks");
            return Err(Reason::NotCounted { code: "control.unproven".to_owned(), text });
        };
        key.life.proven = key.life.proven.max(Some(time));
        let (state, moments) = (key.state, key.moments());
        self.state.ends.extend(moments.map(|at| (at, name.clone())));
        Ok(state)
    }
}

/// What a key signs with its first account to say that its home controls it: the digest names the block that the home
/// knew as the newest. Its domain keeps it apart from every transaction.
#[must_use]
pub fn control_challenge(cluster: ClusterId, key: &Name, epoch: u32, height: u64, block: &Digest) -> Digest {
    let body = borsh::to_vec(&(cluster, key, epoch, height, block)).unwrap_or_default();
    tagged_hash("keystead/control-proof/v1", &body)
}

/// How many of the newest blocks a proof of control may name.
const RECENT: usize = 64;

impl State {
    /// Remembers the block that was just made.
    pub(crate) fn note_block(&mut self) {
        self.recent.insert(self.height, (self.parent, self.time));
        while self.recent.len() > RECENT {
            let Some(oldest) = self.recent.get_min().map(|(height, _)| *height) else { break };
            self.recent.remove(&oldest);
        }
    }

    /// Periods that are still to end. It follows from the keys.
    pub(crate) fn count_ends(&mut self) {
        let time = self.time;
        let ends = self.keys.iter().flat_map(|(name, key)| key.moments().map(|at| (at, name.clone())));
        self.ends = ends.filter(|(at, _)| *at > time).collect();
    }

    /// Whether everything that moves goes to accounts of this key, which receives.
    fn is_sweep(&self, successor: &Name, action: &Action, understood: &Understood) -> bool {
        let Some(next) = self.keys.get(successor).filter(|it| it.state == KeyState::Active) else {
            return false;
        };
        let (effects, own) = (&understood.effects, understood.address);
        let index = action.account().map_or(0, |it| it.index);
        let solana = Cluster::of(effects.chain)
            .and_then(|cluster| next.account.ed25519_key().map(|it| Pubkey(it).id(cluster)));
        let targets: Vec<Address> = match effects.coins {
            _ if solana.is_some() => solana.into_iter().collect(),
            None => [0, index].into_iter().filter_map(|it| next.signing_address(it)).collect(),
            Some(_) => coin_targets(next, effects),
        };
        let goes = |it: &keystead_intent::Effect| match &it.kind {
            EffectKind::Transfer { from, to, .. }
            | EffectKind::NftTransfer { from, to, .. }
            | EffectKind::MultiTokenTransfer { from, to, .. } => *from == own && targets.contains(to),
            _ => false,
        };
        !effects.items.is_empty() && effects.items.iter().all(goes)
    }
}

/// The destinations of the first addresses of a key's wallet.
fn coin_targets(next: &Key, effects: &Effects) -> Vec<Address> {
    let chain = effects.chain;
    let Some(wallet) = next.wallets.get(&chain).and_then(|it| read_account(it).ok()) else {
        return Vec::new();
    };
    let forms = 0..wallet.descriptors().len();
    let places = forms.flat_map(|descriptor| {
        (0..SWEPT_TO).map(move |index| Owned { descriptor, place: Place { branch: Branch::Receive, index } })
    });
    let scripts = places.filter_map(|it| wallet.derive(it)).map(|it| it.script_pubkey.to_bytes());
    scripts.map(|script| BitcoinDestination { chain, script: script.into() }.id()).collect()
}

/// So many receiving addresses of each form are known as a successor's: the gap that wallets look over (BIP-44).
const SWEPT_TO: u32 = 20;

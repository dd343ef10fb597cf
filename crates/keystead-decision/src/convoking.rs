//! Shared keys in the log: a ceremony is convened, reported on by each holder, and only then takes effect.

use std::sync::Arc;

use keystead_base::{Coded as _, Name, RequestId};
use keystead_intent::{
    ChangeKind, KeyCeremony, KeyKind, KeyMove, KeyState, MAX_EXIT_RECIPIENTS, MAX_HOLDERS,
};
use keystead_policy::{Feature, Reason, ShareFault};

use crate::key_moves::not_from;
use crate::turn::Turn;
use crate::{
    Controls, Convened, Convening, DealtReport, Event, Key, Outcome, ProvenSeat, PublicAccount, Request,
    SeatClaim, ShareHome, Sharing,
};

impl<C: Controls> Turn<'_, C> {
    /// Opens the ceremony of a shared key. One that was under way for the same key is over with it.
    pub(crate) fn open_convening(&mut self, request: &Request, ceremony: &KeyCeremony) {
        let key = self.state.keys.get(ceremony.key());
        let (threshold, holders) = match ceremony {
            KeyCeremony::Generate { threshold, holders, .. }
            | KeyCeremony::Import { threshold, holders, .. }
            | KeyCeremony::Reshare { threshold, holders, .. } => (*threshold, holders.clone()),
            _ => match key.and_then(|it| it.sharing.as_ref()) {
                Some(sharing) => (sharing.threshold, sharing.holders.clone()),
                None => return,
            },
        };
        let convening = Convening {
            request: request.intent.id(),
            ceremony: ceremony.clone(),
            epoch: key.map(|it| it.epoch).unwrap_or_default(),
            account: match ceremony {
                KeyCeremony::Import { account, .. } => Some(*account),
                _ => key.map(|it| it.account),
            },
            threshold,
            holders,
            attempt: 0,
            convened: None,
            seats: Default::default(),
            dealt: Default::default(),
            proven: Default::default(),
            expires: request.intent.expires,
            dealing: None,
        };
        self.state.convened.insert(ceremony.key().clone(), Arc::new(convening));
    }

    /// A request's time is over, and what it convened with it. The shares so far sign on.
    pub(crate) fn end_convening_if_over(&mut self, id: &RequestId) {
        let now = self.now();
        let over = self.state.convened.iter().find(|(_, it)| it.request == *id && it.expires <= now);
        if let Some(key) = over.map(|(key, _)| key.clone()) {
            self.state.convened.remove(&key);
        }
    }

    /// A key in shares that nobody froze, for recipients whose form shows that standard tools read what they get.
    pub(crate) fn can_leave(&self, name: &Name, key: &Key, recipients: &[String]) -> Result<(), Reason> {
        if !key.kind.is_shared() {
            return Err(Reason::KindRefused { key: name.clone(), kind: key.kind });
        }
        // INVARIANT S14: what leaves could sign; to thaw takes more people.
        if self.state.frozen.holds(name) {
            return Err(Reason::Frozen { key: Some(name.clone()) });
        }
        let distinct = recipients.iter().collect::<std::collections::BTreeSet<_>>().len();
        let fits = (1..=MAX_EXIT_RECIPIENTS).contains(&recipients.len()) && distinct == recipients.len();
        match fits && recipients.iter().all(|it| is_age_recipient(it)) {
            true => Ok(()),
            false => Err(Reason::RecipientsRefused { key: name.clone() }),
        }
    }

    /// Whom enclaves keep out they know alone; here it must be a node: one that is no holder any more is kept out of the
    /// ceremony in which it would become one again.
    pub(crate) fn can_be_lifted(&self, name: &Name, key: &Key, node: &Name) -> Result<(), Reason> {
        match key.sharing {
            None => Err(Reason::KindRefused { key: name.clone(), kind: key.kind }),
            Some(_) if self.state.roster().node(node).is_some() => Ok(()),
            Some(_) => Err(Reason::NotHome { key: name.clone(), home: key.home.clone(), node: node.clone() }),
        }
    }

    /// INVARIANT S9: people end the ceremony that they saw, and not the one that took its place.
    pub(crate) fn can_be_aborted(&self, key: &Name, request: &RequestId) -> Result<(), Reason> {
        match self.state.convened.get(key) {
            Some(convening) if convening.request == *request => Ok(()),
            Some(_) => Err(Reason::NotOpen { request: *request }),
            None => Err(Reason::KeyUnknown { key: key.clone() }),
        }
    }

    /// People end it, and the request that allowed it is over. The shares so far sign on; nothing resumes (S5).
    pub(crate) fn abort_convening(&mut self, key: &Name, request: &RequestId) -> Outcome {
        if let Err(reason) = self.can_be_aborted(key, request) {
            return Outcome::Deny { class: Some(Self::AUTHORITY), reasons: vec![reason] };
        }
        self.state.convened.remove(key);
        self.step(request, Event::Settle);
        Outcome::Key { key: key.clone(), state: self.state_of(key) }
    }

    pub(crate) fn seated(
        &mut self,
        node: &Name,
        key: &Name,
        request: &RequestId,
        proven: &ProvenSeat,
    ) -> Result<KeyState, Reason> {
        let (cluster, seat) = (self.state.cluster, &proven.seat);
        let convening = self.convening(key, request)?;
        // INVARIANT S3: a node's word alone gives it no seat: whoever has the secret of another one's keys did not sign this.
        let claim = SeatClaim {
            cluster,
            key: key.clone(),
            request: *request,
            node: node.clone(),
            seat: seat.clone(),
        };
        if !claim.is_proven(&proven.proof) {
            return Err(refused(key, node)(ShareFault::Seat));
        }
        convening.seat(node, seat).map_err(refused(key, node))?;
        Ok(self.state_of(key))
    }

    pub(crate) fn dealt(
        &mut self,
        node: &Name,
        key: &Name,
        (request, attempt): (&RequestId, u32),
        report: DealtReport,
    ) -> Result<KeyState, Reason> {
        // INVARIANT E3: said of a birth whose key is another one's, too.
        if self.state.keys.iter().any(|(other, it)| other != key && it.account == report.account) {
            return Err(Reason::KeyExists { key: key.clone() });
        }
        let controls = self.controls;
        let convening = self.convening(key, request)?;
        let is_approved = match &convening.ceremony {
            it @ KeyCeremony::Import { .. } => controls.imports(it, &report.account.public_key()),
            _ => convening.account.is_none_or(|it| it == report.account),
        };
        if !is_approved {
            return Err(refused(key, node)(ShareFault::Account));
        }
        convening.deal(node, attempt, report).map_err(refused(key, node))?;
        Ok(self.state_of(key))
    }

    pub(crate) fn proven(
        &mut self,
        node: &Name,
        key: &Name,
        (request, attempt): (&RequestId, u32),
        proof: &[u8],
    ) -> Result<KeyState, Reason> {
        let cluster = self.state.cluster;
        let convening = self.convening(key, request)?;
        convening.prove(cluster, node, attempt, proof).map_err(refused(key, node))?;
        match convening.is_complete() {
            true => self.take_over(key, request),
            false => Ok(self.state_of(key)),
        }
    }

    /// INVARIANT K3: from here on rights name the next epoch, whose shares all have signed; those so far do not
    /// combine with them.
    fn take_over(&mut self, name: &Name, request: &RequestId) -> Result<KeyState, Reason> {
        let not_open = Reason::NotOpen { request: *request };
        let Some(convening) = self.state.convened.get(name).map(Arc::clone) else { return Err(not_open) };
        if self.state.keys.get(name).is_some_and(|key| is_overtaken(key, &convening)) {
            self.state.convened.remove(name);
            return Err(not_open);
        }
        let sharing = convening.sharing().ok_or(not_open)?;
        match self.state.keys.get_mut(name) {
            Some(key) => {
                if let KeyCeremony::Import { kind, .. } = &convening.ceremony {
                    (key.kind, key.imported) = (*kind, true);
                }
                key.epoch = convening.next_epoch();
                key.share_among(sharing);
            }
            None => self.born_in_shares(name, &convening, sharing)?,
        }
        let now = self.now();
        if let Some(key) = self.state.keys.get_mut(name) {
            // The challenge that all of them signed names the decision of a block.
            key.life.proven = Some(now);
        }
        let state = self.move_key(name, KeyMove::Prove)?;
        self.state.convened.remove(name);
        self.step(request, Event::Settle);
        Ok(state)
    }

    fn born_in_shares(&mut self, name: &Name, convening: &Convening, sharing: Sharing) -> Result<(), Reason> {
        let (kind, imported) = match &convening.ceremony {
            KeyCeremony::Generate { kind, .. } => (*kind, false),
            KeyCeremony::Import { kind, .. } => (*kind, true),
            _ => return Err(Reason::KeyUnknown { key: name.clone() }),
        };
        let key = convening.agreed().and_then(|said| Key::in_shares(kind, said.account, sharing));
        let mut key = key.ok_or(Reason::NotOpen { request: convening.request })?;
        (key.life.owner, key.life.born) = (self.requester_of(&convening.request), self.now());
        self.new_key(name, Key { imported, ..key }).map(drop)
    }

    /// At the end of a block: every ceremony with a seat for all is begun, once, under the policy then in force.
    pub(crate) fn convoke(&mut self) {
        let ready = self.state.convened.iter().filter(|(_, it)| it.is_ready());
        let ready: Vec<Name> = ready.map(|(key, _)| key.clone()).collect();
        for key in ready {
            let Some(convening) = self.state.convened.get(&key).map(Arc::clone) else { continue };
            let attempt = convening.attempt.saturating_add(1);
            let outcome = Outcome::Convened(self.convened(&convening, attempt));
            self.decide(convening.request, Vec::new(), outcome);
            let digest = self.decided_last();
            if let Some(convening) = self.state.convened.get_mut(&key).map(Arc::make_mut) {
                (convening.attempt, convening.convened) = (attempt, digest);
            }
        }
    }

    fn convened(&self, convening: &Convening, attempt: u32) -> Convened {
        let old = self.state.keys.get(convening.ceremony.key()).and_then(|it| it.sharing.clone());
        let seconds = self.state.policy.engine.version().timing.certificate_seconds;
        Convened {
            ceremony: convening.ceremony.clone(),
            epoch: convening.epoch,
            attempt,
            threshold: convening.threshold,
            holders: convening.holders.clone(),
            old,
            account: convening.account,
            seats: convening.seats.clone(),
            expires: self.now().plus_seconds(seconds).min(convening.expires),
        }
    }

    pub(crate) fn convening(&mut self, key: &Name, request: &RequestId) -> Result<&mut Convening, Reason> {
        let found = self.state.convened.get_mut(key).map(Arc::make_mut);
        found.filter(|it| it.request == *request).ok_or(Reason::NotOpen { request: *request })
    }

    /// A key that is being born has no state of its own yet.
    pub(crate) fn state_of(&self, key: &Name) -> KeyState {
        self.state.keys.get(key).map_or(KeyState::Created, |it| it.state)
    }

    /// Each holder of a shared key wipes its own share: the key is destroyed once all have.
    pub(crate) fn wiped(&mut self, node: &Name, name: &Name) -> Result<KeyState, Reason> {
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        if key.life.wiping.is_none() {
            return Err(Reason::KeyStep {
                key: name.clone(),
                state: key.state,
                change: ChangeKind::DestroyKey,
            });
        }
        let state = key.state;
        let Some(sharing) = key.sharing.as_mut().filter(|_| !state.is_wiped()) else {
            return self.move_key(name, KeyMove::Wipe);
        };
        sharing.homes.remove(node);
        match sharing.homes.is_empty() {
            true => self.move_key(name, KeyMove::Wipe),
            false => Ok(state),
        }
    }

    /// A holder's share left in this file.
    pub(crate) fn left(
        &mut self,
        node: &Name,
        name: &Name,
        file: keystead_base::Digest,
    ) -> Result<KeyState, Reason> {
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        if key.state != KeyState::Left {
            return Err(Reason::KeyStep { key: name.clone(), state: key.state, change: ChangeKind::ExitKey });
        }
        key.exits.insert(node.clone(), file);
        Ok(key.state)
    }

    /// A holder says that its share of the epoch in force is gone.
    pub(crate) fn lost(&mut self, node: &Name, name: &Name, epoch: u32) -> Result<KeyState, Reason> {
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        if key.epoch != epoch || key.sharing.is_none() {
            return Err(refused(name, node)(ShareFault::Epoch));
        }
        if !key.state.receives() {
            return Err(Reason::KeyStep {
                key: name.clone(),
                state: key.state,
                change: ChangeKind::RepairKey,
            });
        }
        key.lost_at(node);
        Ok(key.state)
    }

    pub(crate) fn can_be_created(&self, key: &Name, kind: KeyKind) -> Result<(), Reason> {
        // INVARIANT K4: what has no backup has a change of its own, which policy names.
        if kind.is_shared() || kind.is_in_tokens() {
            return Err(Reason::KindRefused { key: key.clone(), kind });
        }
        self.is_free(key)
    }

    /// Whether no ceremony under way is to make a key of this name.
    pub(crate) fn is_free(&self, key: &Name) -> Result<(), Reason> {
        match self.state.convened.contains_key(key) {
            true => Err(Reason::KeyExists { key: key.clone() }),
            false => Ok(()),
        }
    }

    pub(crate) fn can_be_generated(
        &self,
        key: &Name,
        kind: KeyKind,
        threshold: u8,
        holders: &[Name],
    ) -> Result<(), Reason> {
        match kind.is_shared() {
            true => self.can_hold(key, threshold, holders),
            false => Err(Reason::KindRefused { key: key.clone(), kind }),
        }
    }

    pub(crate) fn can_be_shared_anew(&self, key: &Key, ceremony: &KeyCeremony) -> Result<(), Reason> {
        let name = ceremony.key();
        let Some(sharing) = &key.sharing else {
            return Err(Reason::KindRefused { key: name.clone(), kind: key.kind });
        };
        if key.state.after(KeyMove::Prove).is_none() {
            return Err(not_from(name, key.state, ceremony));
        }
        match ceremony {
            KeyCeremony::Reshare { threshold, holders, dealers, .. } => {
                self.can_hold(name, *threshold, holders)?;
                can_deal(name, sharing, dealers)
            }
            KeyCeremony::Repair { lost, helpers, .. } => {
                self.can_hold(name, sharing.threshold, &sharing.holders)?;
                is_lost(name, sharing, lost)?;
                can_deal(name, sharing, helpers)
            }
            // All of them deal, each from its own share.
            _ => {
                self.can_hold(name, sharing.threshold, &sharing.holders)?;
                can_deal(name, sharing, &sharing.holders)
            }
        }
    }

    pub(crate) fn can_hold(&self, key: &Name, threshold: u8, holders: &[Name]) -> Result<(), Reason> {
        let enough = threshold >= 2 && usize::from(threshold) <= holders.len();
        let nodes = holders.iter().all(|it| self.state.roster().node(it).is_some());
        if enough && nodes && holders.len() <= MAX_HOLDERS && are_distinct(holders) {
            self.state.roster().devices_of_holders(holders).map_err(|error| Reason::DevicesRefused {
                key: key.clone(),
                code: error.code().to_owned(),
                text: error.to_string(),
            })?;
            return Ok(());
        }
        let holders = first(holders);
        Err(Reason::HoldersRefused { key: key.clone(), threshold, holders })
    }
}

impl Key {
    fn in_shares(kind: KeyKind, account: PublicAccount, sharing: Sharing) -> Option<Self> {
        let home = sharing.holders.first()?.clone();
        let mut key = Self::born(kind, account, home, Default::default());
        key.share_among(sharing);
        Some(key)
    }

    fn share_among(&mut self, sharing: Sharing) {
        if let Some(first) = sharing.holders.first() {
            self.home = first.clone();
        }
        self.sharing = Some(sharing);
        self.count_homes();
    }

    /// A key in shares is protected as the least protected of its shares is.
    fn count_homes(&mut self) {
        if let Some(least) = self.sharing.as_ref().and_then(Sharing::least) {
            (self.assurance, self.protections) = (least.assurance, least.protections);
        }
    }

    /// The home of the key, or of one of its shares, has these protections now.
    pub(crate) fn protected_at(&mut self, node: &Name, protections: &[Feature]) {
        match &mut self.sharing {
            None => self.protections = protections.to_vec(),
            Some(sharing) => {
                if let Some(home) = sharing.homes.get_mut(node) {
                    *home = ShareHome::new(home.assurance, protections);
                }
                self.count_homes();
            }
        }
    }

    fn lost_at(&mut self, node: &Name) {
        if let Some(sharing) = &mut self.sharing {
            sharing.homes.remove(node);
        }
        self.count_homes();
    }

    /// Whether the node's back end holds the key, or a share of it.
    #[must_use]
    pub fn is_held_by(&self, node: &Name) -> bool {
        match &self.sharing {
            None => self.home == *node,
            Some(sharing) => sharing.holds(node),
        }
    }
}

/// Those who hold the key so far and did not lose their shares, at least as many as sign, each once.
fn can_deal(key: &Name, sharing: &Sharing, dealers: &[Name]) -> Result<(), Reason> {
    let enough = dealers.len() >= usize::from(sharing.threshold);
    if enough && are_distinct(dealers) && dealers.iter().all(|it| sharing.has_home(it)) {
        return Ok(());
    }
    let (key, threshold, dealers) = (key.clone(), sharing.threshold, first(dealers));
    Err(Reason::DealersRefused { key, threshold, dealers })
}

/// A holder whose own node said so: nobody else can tell, and nobody is given a second share.
fn is_lost(key: &Name, sharing: &Sharing, node: &Name) -> Result<(), Reason> {
    match sharing.holds(node) && !sharing.has_home(node) {
        true => Ok(()),
        false => Err(Reason::NotLost { key: key.clone(), node: node.clone() }),
    }
}

/// Length and alphabet alone: whether it is a key the enclave finds out, and then nothing leaves.
fn is_age_recipient(text: &str) -> bool {
    let data = text.strip_prefix(AGE_PREFIX).unwrap_or_default();
    data.len() == AGE_DATA_CHARACTERS && data.chars().all(|it| BECH32.contains(it))
}

const AGE_PREFIX: &str = "age1pq1";
/// Of 1,216 bytes, five bits each, and the checksum of six.
const AGE_DATA_CHARACTERS: usize = 1946 + 6;
/// The alphabet of BIP-173.
const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// As many names as show that they are too many.
fn first(names: &[Name]) -> Vec<Name> {
    names.iter().take(MAX_HOLDERS + 1).cloned().collect()
}

fn are_distinct(names: &[Name]) -> bool {
    names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len()
}

pub(crate) fn refused(key: &Name, node: &Name) -> impl FnOnce(ShareFault) -> Reason + use<> {
    let (key, node) = (key.clone(), node.clone());
    |fault| Reason::ShareRefused { key, node, fault }
}

/// INVARIANT K3, K4: whether something else became of a key while new shares of it were dealt: its epoch is another one, it does
/// not sign any more, or, where it was whole, it got a wallet that shares cannot spend or is to stay where it is.
fn is_overtaken(key: &Key, convening: &Convening) -> bool {
    let is_import = matches!(convening.ceremony, KeyCeremony::Import { .. });
    let was_whole = key.sharing.is_none() && key.wallets.is_empty() && !key.life.terms.no_export;
    key.epoch != convening.epoch || key.state.after(KeyMove::Prove).is_none() || (is_import && !was_whole)
}

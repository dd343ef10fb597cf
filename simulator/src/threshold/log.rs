//! A model of what the decision log says of one threshold key: grants, the epoch in force, and a ceremony on its way.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::{ClusterId, Digest, Name, tagged_hash};
use keystead_threshold::{Holders, PublicShares, Purpose, Scheme, Session};
use sha2::{Digest as _, Sha256};

use super::ThresholdBug;
use super::oracle::verifies;

/// How long a grant is good, in milliseconds.
pub(crate) const GRANT_MILLIS: u64 = 20_000;
/// How long a ceremony may take.
pub(crate) const CEREMONY_MILLIS: u64 = 9_000;

/// Something that one signature is allowed for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) text: [u8; 32],
    pub(crate) epoch: u32,
    pub(crate) asked: u64,
    pub(crate) expires: u64,
    pub(crate) signed: Option<u64>,
}

/// The shares of one epoch, as everybody knows them.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    pub(crate) epoch: u32,
    /// The ceremony that made them: shares of another attempt are others.
    pub(crate) attempt: Digest,
    pub(crate) public: PublicShares,
    pub(crate) chain: [u8; 32],
    pub(crate) since: u64,
}

/// A ceremony on its way.
#[derive(Clone, Debug)]
pub(crate) struct Convening {
    pub(crate) request: u64,
    pub(crate) purpose: Purpose,
    pub(crate) holders: Holders,
    pub(crate) epoch: u32,
    pub(crate) seats: BTreeMap<Name, u64>,
    pub(crate) dealt: BTreeMap<Name, (PublicShares, [u8; 32])>,
    pub(crate) proven: BTreeSet<Name>,
    pub(crate) expires: u64,
}

/// What a node tells the log.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Seated { request: u64, seat: u64 },
    Dealt { attempt: Digest, public: PublicShares, chain: [u8; 32] },
    Proven { attempt: Digest, signature: [u8; 64] },
    Signed { grant: u64, signature: [u8; 64] },
}

/// Everything that the log says.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) scheme: Scheme,
    pub(crate) grants: BTreeMap<u64, Grant>,
    pub(crate) sharings: BTreeMap<u32, Sharing>,
    pub(crate) epoch: u32,
    pub(crate) convening: Option<Convening>,
    pub(crate) repairs: u64,
    bug: Option<ThresholdBug>,
}

/// What is signed of a text: Ed25519 sessions name its SHA-256.
pub(crate) fn digest_of(scheme: Scheme, text: &[u8; 32]) -> Digest {
    match scheme {
        Scheme::Ed25519Frost => Digest(Sha256::digest(text).into()),
        Scheme::Bip340Frost | Scheme::EcdsaDkls23 => Digest(*text),
    }
}

/// A run of the key of this world.
pub(crate) fn session(
    scheme: Scheme,
    epoch: u32,
    holders: Holders,
    purpose: Purpose,
    attempt: Digest,
) -> Session {
    Session {
        cluster: ClusterId(tagged_hash("keystead/simulated", b"cluster")),
        key: "hot".parse().expect("a name"),
        scheme,
        epoch,
        holders,
        policy_version: 1,
        purpose,
        attempt,
    }
}

impl Convening {
    /// Which attempt it is: a new seat makes another.
    pub(crate) fn attempt(&self) -> Digest {
        let bytes = borsh::to_vec(&(self.request, &self.seats)).expect("bytes");
        tagged_hash("keystead/simulated-attempt", &bytes)
    }

    pub(crate) fn session(&self, scheme: Scheme) -> Session {
        session(scheme, self.epoch, self.holders.clone(), self.purpose.clone(), self.attempt())
    }

    /// Who holds a share afterwards.
    pub(crate) fn next(&self) -> &Holders {
        match &self.purpose {
            Purpose::Reshare { next, .. } => next,
            _ => &self.holders,
        }
    }

    /// The epoch that it makes.
    pub(crate) fn next_epoch(&self) -> u32 {
        match self.purpose {
            Purpose::Refresh | Purpose::Reshare { .. } => self.epoch + 1,
            _ => self.epoch,
        }
    }

    /// Whose share is made; in a repair that is one.
    pub(crate) fn makes(&self) -> Vec<Name> {
        match &self.purpose {
            Purpose::Repair { lost, .. } => vec![lost.clone()],
            _ => self.next().members().to_vec(),
        }
    }

    /// All have a seat.
    pub(crate) fn is_convened(&self, scheme: Scheme) -> bool {
        self.session(scheme).participants().iter().all(|name| self.seats.contains_key(name))
    }

    /// What all say that was dealt.
    pub(crate) fn agreed(&self) -> Option<&(PublicShares, [u8; 32])> {
        let mut all = self.makes().into_iter().map(|name| self.dealt.get(&name));
        let first = all.next()??;
        all.all(|other| other == Some(first)).then_some(first)
    }

    /// What a node signs to show that its new share does.
    pub(crate) fn challenge(&self, node: &Name) -> [u8; 32] {
        let bytes = [self.attempt().as_bytes().as_slice(), node.as_str().as_bytes()].concat();
        tagged_hash("keystead/simulated-challenge", &bytes).0
    }
}

impl State {
    pub(crate) fn new(scheme: Scheme, bug: Option<ThresholdBug>) -> Self {
        let (grants, sharings) = (BTreeMap::new(), BTreeMap::new());
        Self { scheme, grants, sharings, epoch: 0, convening: None, repairs: 0, bug }
    }

    pub(crate) fn sharing(&self) -> Option<&Sharing> {
        self.sharings.get(&self.epoch)
    }

    /// Takes a node's word in; whether it changed anything.
    pub(crate) fn hear(&mut self, from: &Name, word: Word, now: u64) -> bool {
        match word {
            Word::Signed { grant, signature } => self.signed(grant, &signature, now),
            Word::Seated { request, seat } => self.seated(from, request, seat),
            Word::Dealt { attempt, public, chain } => self.dealt(from, attempt, (public, chain), now),
            Word::Proven { attempt, signature } => self.proven(from, attempt, &signature, now),
        }
    }

    fn signed(&mut self, grant: u64, signature: &[u8; 64], now: u64) -> bool {
        let (scheme, key) = (self.scheme, self.sharing().map(|it| it.public.key.clone()));
        let Some(grant) = self.grants.get_mut(&grant).filter(|it| it.signed.is_none()) else { return false };
        let good = key.is_some_and(|key| verifies(scheme, &key, &grant.text, signature));
        grant.signed = good.then_some(now);
        good
    }

    fn seated(&mut self, from: &Name, request: u64, seat: u64) -> bool {
        let scheme = self.scheme;
        let Some(it) = self.convening.as_mut().filter(|it| it.request == request) else { return false };
        if !it.session(scheme).participants().contains(from)
            || it.seats.insert(from.clone(), seat) == Some(seat)
        {
            return false;
        }
        it.dealt.clear();
        it.proven.clear();
        true
    }

    fn dealt(&mut self, from: &Name, attempt: Digest, said: (PublicShares, [u8; 32]), now: u64) -> bool {
        let (scheme, key) = (self.scheme, self.sharing().map(|it| it.public.key.clone()));
        let Some(it) = self.convening.as_mut().filter(|it| it.attempt() == attempt) else { return false };
        let fits = it.is_convened(scheme)
            && it.makes().contains(from)
            && key.is_none_or(|key| key == said.0.key)
            && !it.dealt.contains_key(from);
        if !fits {
            return false;
        }
        it.dealt.insert(from.clone(), said.clone());
        if self.bug == Some(ThresholdBug::SwitchedOnOne) {
            self.switch(said, now);
        }
        true
    }

    fn proven(&mut self, from: &Name, attempt: Digest, signature: &[u8; 64], now: u64) -> bool {
        let scheme = self.scheme;
        let Some(it) = self.convening.as_mut().filter(|it| it.attempt() == attempt) else { return false };
        let Some(agreed) = it.agreed().cloned() else { return false };
        let good =
            it.makes().contains(from) && verifies(scheme, &agreed.0.key, &it.challenge(from), signature);
        if !good || !it.proven.insert(from.clone()) {
            return false;
        }
        if it.makes().iter().all(|name| it.proven.contains(name)) {
            self.switch(agreed, now);
        }
        true
    }

    fn switch(&mut self, (public, chain): (PublicShares, [u8; 32]), now: u64) {
        let Some(it) = self.convening.take() else { return };
        if let Purpose::Repair { .. } = it.purpose {
            self.repairs += 1;
            return;
        }
        let epoch = it.next_epoch();
        self.sharings.insert(epoch, Sharing { epoch, attempt: it.attempt(), public, chain, since: now });
        self.epoch = epoch;
    }

    /// Whether a ceremony's time is over.
    pub(crate) fn tick(&mut self, now: u64) -> bool {
        let over = self.convening.as_ref().is_some_and(|it| it.expires < now);
        if over {
            self.convening = None;
        }
        over
    }
}

//! What must not happen, watched from outside: by an account that shares nothing with the nodes' own.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::{Digest, Name};
use keystead_threshold::{Abort, Culprit, Fault, Kind, Purpose, Record, Scheme, Session, SessionId};

use super::log::{State, digest_of};
use super::node::{Disk, Node};
use super::report::Broken;
use super::shell::Wire;

/// The account of one world.
#[derive(Default)]
pub(crate) struct Oracle {
    /// Who lies.
    pub(crate) evil: BTreeSet<Name>,
    /// Who was put back to an older disk: what it says may differ from what it said.
    pub(crate) tainted: BTreeSet<Name>,
    /// Whoever lost a share with an older disk, until it has one again.
    pub(crate) hurt: BTreeSet<Name>,
    key: Option<Vec<u8>>,
    allowed: BTreeSet<(u32, Digest)>,
    sessions: BTreeMap<SessionId, Session>,
    nonces: BTreeMap<Vec<u8>, (SessionId, Name, u64)>,
    answers: BTreeMap<(SessionId, Name, u64), Vec<u8>>,
    broken: Option<Broken>,
}

/// Whether a signature of a text verifies under a key, by libraries that had no part in it.
pub(crate) fn verifies(scheme: Scheme, key: &[u8], text: &[u8; 32], signature: &[u8; 64]) -> bool {
    use secp256k1::{Message, PublicKey, Secp256k1, XOnlyPublicKey, ecdsa, schnorr};
    let context = Secp256k1::verification_only();
    match scheme {
        Scheme::Ed25519Frost => {
            use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
            UnparsedPublicKey::new(&ED25519, key).verify(text, signature).is_ok()
        }
        Scheme::Bip340Frost => {
            let key = key.get(1..).and_then(|x| x.try_into().ok()).map(XOnlyPublicKey::from_byte_array);
            let signature = schnorr::Signature::from_byte_array(*signature);
            matches!(key, Some(Ok(key)) if context.verify_schnorr(&signature, text, &key).is_ok())
        }
        Scheme::EcdsaDkls23 => {
            let (key, signature) = (PublicKey::from_slice(key), ecdsa::Signature::from_compact(signature));
            let message = Message::from_digest(*text);
            matches!((key, signature), (Ok(key), Ok(it)) if context.verify_ecdsa(message, &it, &key).is_ok())
        }
    }
}

impl Oracle {
    pub(crate) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    pub(crate) fn find(&mut self, rule: &'static str, what: String) {
        self.broken.get_or_insert(Broken { rule, what });
    }

    /// What may be signed from now on: what was granted, and what shows that a new share signs.
    pub(crate) fn allow(&mut self, log: &State) {
        let granted = log.grants.values().map(|grant| (grant.epoch, digest_of(log.scheme, &grant.text)));
        self.allowed.extend(granted);
        let agreed = log.convening.iter().filter(|it| it.agreed().is_some());
        for it in agreed {
            let digest = |name: &Name| digest_of(log.scheme, &it.challenge(name));
            self.allowed.extend(it.makes().iter().map(|name| (it.next_epoch(), digest(name))));
        }
    }

    fn is_honest(&self, name: &Name) -> bool {
        !self.evil.contains(name)
    }

    /// Whoever was put back misses what it lost; shares of epochs that are over nobody gives it again.
    fn is_excused(&self, name: &Name, in_force: bool) -> bool {
        self.hurt.contains(name) || (!in_force && self.tainted.contains(name))
    }

    /// A run is about to begin at a node.
    pub(crate) fn begins(&mut self, me: &Name, session: &Session, disk: &Disk) {
        self.sessions.insert(session.id(), session.clone());
        if !self.is_honest(me) {
            return;
        }
        if let Purpose::Sign { digest, .. } = &session.purpose
            && !self.allowed.contains(&(session.epoch, *digest))
        {
            self.find("S3", format!("{me} signs what nobody granted"));
        }
        // INVARIANT K6, counted again from what the node's disk says.
        for node in session.participants().iter().filter(|node| *node != me) {
            if is_out(disk, node) {
                self.find("K6", format!("{me} runs with {node}, whom its own disk keeps out"));
            }
        }
    }

    /// An honest node's message leaves.
    pub(crate) fn sends(&mut self, node: &Node, wire: &Wire) {
        let me = &node.name;
        if !self.is_honest(me) {
            return;
        }
        let begun =
            |record: &Record| matches!(record, Record::Begun { session, .. } if *session == wire.session);
        if !node.disk.records.iter().any(begun) {
            self.find("S1", format!("{me} speaks in a run of which its disk knows nothing"));
        }
        let place = (wire.session, me.clone(), node.incarnation);
        match wire.kind {
            Kind::NonceCommitment => {
                let before = self.nonces.entry(wire.payload.clone()).or_insert_with(|| place.clone());
                if *before != place {
                    self.find("S5", format!("{me} takes a nonce a second time"));
                }
            }
            Kind::SignatureShare => {
                let before = self.answers.entry(place).or_insert_with(|| wire.payload.clone());
                if *before != wire.payload {
                    self.find("S5", format!("{me} answers twice in one run"));
                }
            }
            _ => {}
        }
    }

    /// An honest node's run ended early, and the node goes on from it.
    pub(crate) fn aborted(&mut self, node: &Node, abort: &Abort) {
        let me = &node.name;
        if !self.is_honest(me) {
            return;
        }
        let liar = |name: &Name| self.evil.contains(name) || self.tainted.contains(name);
        let fair = match &abort.culprit {
            Culprit::Node(name) => liar(name) || abort.fault == Fault::Silence,
            Culprit::OneOf { sender, witness } => liar(sender) || liar(witness),
            Culprit::Unknown => {
                let of = self.sessions.get(&abort.session).map(|it| it.participants()).unwrap_or_default();
                abort.fault == Fault::Silence || of.iter().any(liar)
            }
            Culprit::Ourselves => false,
        };
        if !fair {
            let run = self.sessions.get(&abort.session).map(|it| (it.epoch, it.purpose.clone()));
            let liars = (&self.evil, &self.tainted);
            let what = format!("{me} says {abort:?} of {run:?}, where {liars:?} lie or were put back");
            self.find("K6", what);
        }
        let written = |record: &Record| matches!(record, Record::Aborted { abort: it, .. } if it == abort);
        if !node.disk.records.iter().any(written) {
            self.find("K6", format!("{me} goes on from an abort that is not on its disk"));
        }
    }

    /// A signature came out.
    pub(crate) fn signed(&mut self, me: &Name, text: &[u8; 32], signature: &[u8; 64], log: &State) {
        let Some(key) = self.key.clone() else { return };
        if self.is_honest(me) && !verifies(log.scheme, &key, text, signature) {
            self.find("S7", format!("{me} ends with a signature that does not verify"));
        }
    }

    /// After each step: the key is the same, and the epoch in force can sign.
    pub(crate) fn look(&mut self, nodes: &BTreeMap<Name, Node>, log: &State, now: u64) {
        let Some(sharing) = log.sharing() else { return };
        if self.key.get_or_insert_with(|| sharing.public.key.clone()) != &sharing.public.key {
            self.find("K3", "the public key changed".to_owned());
        }
        let before = log.sharings.get(&sharing.epoch.saturating_sub(1));
        if before.is_some_and(|old| old.public.shares.iter().any(|it| sharing.public.shares.contains(it))) {
            self.find("K3", "a share outlived its epoch".to_owned());
        }
        let promised = |grant: &super::log::Grant| grant.signed.is_none() && grant.expires > now;
        let mut epochs: BTreeSet<u32> =
            log.grants.values().filter(|it| promised(it)).map(|it| it.epoch).collect();
        epochs.insert(log.epoch);
        for epoch in epochs {
            let Some(sharing) = log.sharings.get(&epoch) else { continue };
            for name in sharing.public.holders.members() {
                let kept = nodes[name].disk.shares.contains_key(&(epoch, sharing.attempt));
                if kept && epoch == log.epoch {
                    self.hurt.remove(name);
                } else if !kept && self.is_honest(name) && !self.is_excused(name, epoch == log.epoch) {
                    self.find("D4", format!("{name} has no share of epoch {epoch}, which is to sign"));
                }
            }
        }
    }
}

/// Whether a disk's records keep a node out: one failed multiplication, two things told, or three aborts that name it.
fn is_out(disk: &Disk, node: &Name) -> bool {
    let blames = disk.records.iter().filter_map(|record| match record {
        Record::Aborted { abort, .. } if abort.culprit == Culprit::Node(node.clone()) => Some(abort.fault),
        _ => None,
    });
    let faults: Vec<Fault> = blames.filter(|fault| *fault != Fault::Silence).collect();
    faults.len() >= 3 || faults.iter().any(|it| [Fault::Multiplication, Fault::TwoThings].contains(it))
}

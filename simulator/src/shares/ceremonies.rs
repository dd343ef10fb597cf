//! A node's part in ceremonies, from the state of its disk alone: a seat, a share that is durable, the proof that it signs.

use keystead_base::{Canonical as _, Digest, HYBRID_SEED_BYTES, HybridSigner, RequestId, Secret, Signed};
use keystead_consensus::Committed;
use keystead_decision::{
    Convened, Convening, Decision, Entry, Grant, Header, KeyEvent, KeyStep, Outcome, ProvenSeat, Seat,
    SeatClaim, share_challenge,
};
use keystead_intent::KeyCeremony;
use keystead_policy::AssuranceLevel;
use keystead_threshold::{Holders, PublicShares, Purpose, Scheme, Session};

use super::{Aim, Begun, Right, engine, vault};
use crate::simulation::{Event, Simulation};

/// How long a node waits before it says something to the log again.
const AGAIN_MILLIS: u64 = 2_500;

impl Simulation {
    /// A block is durable at a node: what it begins and what it allows.
    pub(crate) fn shares_commit(&mut self, node: usize, committed: &Committed) {
        if !self.plan.shares {
            return;
        }
        for decision in &committed.applied.decisions {
            match &decision.outcome {
                Outcome::Convened(convened) if *convened.key() == vault() => {
                    self.convene(node, convened, decision);
                }
                Outcome::Allow(grant) if grant.account.key == vault() => {
                    self.allow(node, &committed.commit.header, decision, grant);
                }
                _ => {}
            }
        }
        let life = self.places[node].life;
        self.after(1, Event::SharesWake { node, life });
    }

    fn allow(&mut self, node: usize, header: &Header, decision: &Decision, grant: &Grant) {
        let right = Right {
            digest: grant.signing_digest,
            header: header.digest(),
            epoch: grant.epoch,
            policy_version: decision.policy.number,
            expires: grant.expires,
            since: self.now,
        };
        if let Some(holder) = &mut self.places[node].holder {
            holder.rights.insert(decision.subject, right);
        }
    }

    /// The run begins where this life's own seat is among those that were convened.
    fn convene(&mut self, node: usize, convened: &Convened, decision: &Decision) {
        let place = &mut self.places[node];
        let Some(holder) = &mut place.holder else { return };
        let request = decision.subject;
        let own = holder.seats.get(&request).map(|it| &it.seat);
        if own.is_none() || convened.seats.get(&place.name) != own {
            return;
        }
        let (digest, policy_version) = (decision.digest(), decision.policy.number);
        // A key has one ceremony at a time: a share of another one, coming late, would take the place of this one's.
        holder.runs.retain(|_, live| !matches!(live.aim, Aim::Deal { .. }));
        let begun = Begun { convened: convened.clone(), digest, policy_version, dealt: None, proof: None };
        holder.convened.insert(request, begun);
        let session = self.ceremony_session(convened, digest, policy_version);
        let (epoch, attempt) = (convened.next_epoch(), convened.attempt);
        let share = self.places[node].disk.share(&vault(), convened.epoch);
        let old = convened.old.as_ref().map(|old| PublicShares {
            holders: Holders::new(old.threshold, old.holders.clone()).expect("holders of the log"),
            key: convened.account.map(|it| it.compressed().to_vec()).unwrap_or_default(),
            shares: old.shares.clone(),
        });
        let aim = Aim::Deal { request, attempt, epoch };
        self.begin_run(node, session, aim, |begun| engine::ceremony(begun, share.as_deref(), old));
    }

    fn ceremony_session(&self, convened: &Convened, attempt: Digest, policy_version: u64) -> Session {
        let of = |threshold, members: &[_]| Holders::new(threshold, members.to_vec()).expect("of the log");
        let next = of(convened.threshold, &convened.holders);
        let before = convened.old.as_ref().map(|it| of(it.threshold, &it.holders));
        let (holders, purpose) = match (&convened.ceremony, before) {
            (KeyCeremony::Refresh { .. }, Some(before)) => (before, Purpose::Refresh),
            (KeyCeremony::Reshare { dealers, .. }, Some(before)) => {
                (before, Purpose::Reshare { dealers: dealers.clone(), next })
            }
            _ => (next, Purpose::Generate),
        };
        let cluster = self.genesis.genesis.cluster();
        let (key, scheme, epoch) = (vault(), Scheme::EcdsaDkls23, convened.epoch);
        Session { cluster, key, scheme, epoch, holders, policy_version, purpose, attempt }
    }

    /// Says to the log what it does not know yet, and leads the proof of this node's own share.
    pub(super) fn follow_ceremony(&mut self, node: usize) {
        let state = self.places[node].disk.state();
        let Some(convening) = state.convening(&vault()).cloned() else { return };
        let me = self.places[node].name.clone();
        if !convening.participants().contains(&me) {
            return;
        }
        let seat = self.own_seat(node, convening.request);
        if convening.seats.get(&me) != Some(&seat.seat) {
            return self.tell(
                node,
                convening.request,
                "seated",
                KeyStep::Seated { request: convening.request, seat: Box::new(seat) },
            );
        }
        self.follow_begun(node, &convening);
    }

    fn follow_begun(&mut self, node: usize, it: &Convening) {
        let me = self.places[node].name.clone();
        let Some(holder) = &self.places[node].holder else { return };
        let Some(begun) = holder.convened.get(&it.request) else { return };
        if begun.convened.attempt != it.attempt || !it.holders.contains(&me) {
            return;
        }
        let (request, attempt) = (it.request, it.attempt);
        if let (Some((account, shares)), false) = (begun.dealt.clone(), it.dealt.contains_key(&me)) {
            let (assurance, protections) = (AssuranceLevel::Process, Vec::new());
            let step = KeyStep::Dealt { request, attempt, account, shares, assurance, protections };
            return self.tell(node, request, "dealt", step);
        }
        if it.agreed().is_none() || it.proven.contains(&me) {
            return;
        }
        match begun.proof.clone() {
            Some(proof) => self.tell(node, request, "proven", KeyStep::Proven { request, attempt, proof }),
            None => self.lead_proof(node, request),
        }
    }

    /// What only this node's new share, with others, can have signed.
    pub(super) fn challenge(&self, begun: &Begun, prover: &keystead_base::Name) -> Digest {
        let cluster = self.genesis.genesis.cluster();
        share_challenge(cluster, &vault(), begun.convened.next_epoch(), &begun.digest, prover)
    }

    fn own_seat(&mut self, node: usize, request: RequestId) -> ProvenSeat {
        let drawn = self.draw_seat(node, request);
        let holder = self.places[node].holder.get_or_insert_default();
        holder.seats.entry(request).or_insert(drawn).clone()
    }

    fn draw_seat(&mut self, node: usize, request: RequestId) -> ProvenSeat {
        // Nothing else is signed with it here: the network knows who speaks.
        let mut seed = [0; HYBRID_SEED_BYTES];
        seed.iter_mut().for_each(|byte| *byte = self.share_dice.roll() as u8);
        let signer = HybridSigner::from_seed(&Secret::new(seed)).expect("a seed of a test");
        let seat = Seat { signing: signer.public().clone(), recipient: vec![7; RECIPIENT_BYTES] };
        let (cluster, node) = (self.genesis.genesis.cluster(), self.places[node].name.clone());
        SeatClaim { cluster, key: vault(), request, node, seat }.prove(&signer).expect("a signature")
    }

    fn tell(&mut self, node: usize, request: RequestId, what: &'static str, step: KeyStep) {
        let now = self.now;
        let Some(holder) = &mut self.places[node].holder else { return };
        let told = holder.told.entry((request, what)).or_default();
        if *told > 0 && *told + AGAIN_MILLIS > now {
            return;
        }
        *told = now;
        let place = &self.places[node];
        let event = KeyEvent { cluster: self.genesis.genesis.cluster(), key: vault(), step };
        let entry = Signed::new(event, place.name.clone(), &place.signer).expect("a signature");
        self.submitted(node, Entry::Key(entry));
    }
}

/// Of an X-Wing key.
const RECIPIENT_BYTES: usize = 1216;

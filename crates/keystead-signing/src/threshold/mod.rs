//! Shared keys in the enclave: shares in secret pages, and the runs that use and make them.
//!
//! Nothing here knows a certificate: the enclave verifies one before each call that begins a run, and builds the
//! [`Session`] itself. What a turn brings comes in a fixed order: **records first, which the parent makes durable,
//! and only then messages** (S5, K6).

mod arena;
mod dealing;
mod disputes;
mod early;
mod error;
mod holding;
mod leaving;
mod progress;
mod run;
mod runs;
mod seat;
mod share;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use keystead_base::{Digest, Name, PublicAccount, RequestId, Secret};
pub use keystead_decision::Seat;
use keystead_decision::{ProvenSeat, SeatClaim};
use keystead_threshold::{
    Abort, Begun, Bip340, Culprit, Ed25519, Fault, Journal, Post, PublicShares, Purpose, Record, Scheme,
    Session, SessionId, Split,
};

pub(crate) use self::arena::{ARENA_BYTES, Arena};
pub(crate) use self::dealing::DealingSeed;
pub use self::error::ThresholdError;
pub(crate) use self::holding::Holding;
pub use self::progress::{DealtShare, Ended, Outgoing, Progress, RunEnd, RunStart, Standing};
pub(crate) use self::run::Made;
use self::run::{Aim, AnyMachine, TurnEnd};
use self::runs::Runs;
pub(crate) use self::runs::Speech;
use self::seat::OwnSeat;
use self::share::{AnyShare, Part};
pub use keystead_decision::RunAim;

/// Shares, seats and runs of this process.
pub(crate) struct Threshold {
    arena: Arena,
    holdings: BTreeMap<(Name, u32), Holding>,
    seats: BTreeMap<RequestId, OwnSeat>,
    /// The requests of the seats, oldest first.
    drawn: VecDeque<RequestId>,
    journal: Journal,
    runs: Runs,
    /// A seat was taken, or a run begun.
    begun: bool,
}

/// A ceremony that the log convened, as its certificate proves.
pub(crate) struct Convoked {
    /// The request that people allowed.
    pub(crate) request: RequestId,
    /// The run; its attempt is the digest of what was convened.
    pub(crate) session: Session,
    /// The seats of all who take part.
    pub(crate) seats: BTreeMap<Name, Seat>,
    /// What the shares so far are: none at a birth.
    pub(crate) old: Option<(PublicShares, PublicAccount)>,
    /// Of this machine's sources, at a birth.
    pub(crate) seed: Option<DealingSeed>,
}

/// A whole key that was dealt, as its dealer signed it for a ceremony that the log convened.
pub(crate) struct Taking {
    /// The request that people allowed.
    pub(crate) request: RequestId,
    /// The import that it was dealt for.
    pub(crate) dealt: Session,
    /// The run of those who take it.
    pub(crate) run: Session,
    /// The seats of all who take part.
    pub(crate) seats: BTreeMap<Name, Seat>,
    /// What was dealt.
    pub(crate) split: Split,
    /// The key that people approved.
    pub(crate) account: PublicAccount,
}

/// A signature to be made: the grant was checked.
pub(crate) struct Signature {
    pub(crate) request: RequestId,
    pub(crate) height: u64,
    /// What is signed; the session names it.
    pub(crate) message: Vec<u8>,
    pub(crate) session: Session,
}

/// A proof to be made, or helped with.
pub(crate) struct Proving {
    pub(crate) request: RequestId,
    pub(crate) prover: Name,
    /// What is signed.
    pub(crate) challenge: Digest,
    pub(crate) session: Session,
}

/// What calls brought about, to be handed over in this order.
#[derive(Default)]
pub(crate) struct Moved {
    /// To be durable before anything else happens.
    pub(crate) records: Vec<Record>,
    /// Messages, each for one node.
    pub(crate) messages: Vec<(Name, Vec<u8>)>,
    /// Runs that ended.
    pub(crate) ended: Vec<(SessionId, Finish)>,
    /// Where each run that moved on stands now.
    pub(crate) stands: BTreeMap<SessionId, Standing>,
}

impl Moved {
    /// What came about after it.
    pub(crate) fn add(&mut self, later: Self) {
        self.records.extend(later.records);
        self.messages.extend(later.messages);
        self.ended.extend(later.ended);
        self.stands.extend(later.stands);
    }
}

/// How a run ended.
pub(crate) enum Finish {
    /// A share: these bytes are to be sealed.
    Dealt(Box<Dealt>),
    /// This node holds no share afterwards.
    Dismissed { request: RequestId },
    /// A signature that was granted.
    Signed { request: RequestId, height: u64, digest: Digest, signature: Made },
    /// 64 bytes over the challenge, verified.
    Proved { request: RequestId, prover: Name, proof: Vec<u8> },
    /// Nothing; the record of it is among the records.
    Aborted { request: RequestId, abort: Abort },
}

/// A share as a ceremony made it.
pub(crate) struct Dealt {
    pub(crate) request: RequestId,
    pub(crate) key: Name,
    pub(crate) epoch: u32,
    pub(crate) account: PublicAccount,
    pub(crate) shares: Vec<Vec<u8>>,
    pub(crate) document: Secret<Vec<u8>>,
}

impl Threshold {
    /// `speech` passes each message on before it is signed, and says whether it leaves.
    pub(crate) fn new(arena: Arena, speech: Speech) -> Self {
        let (holdings, seats, drawn) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        let (journal, runs) = (Journal::default(), Runs::new(speech));
        Self { arena, holdings, seats, drawn, journal, runs, begun: false }
    }

    /// What earlier lives of this node began and whom they caught.
    pub(crate) fn recall(&mut self, records: &[Record]) {
        for record in records {
            self.journal.apply(record);
            if let Record::Lifted { key, node } = record {
                self.runs.lifted(key, node);
            }
        }
    }

    /// Whether this life took a seat or began a run.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Takes a share over that was sealed.
    pub(crate) fn open(&mut self, key: Name, epoch: u32, it: &Secret<Vec<u8>>) -> Result<(), ThresholdError> {
        let holding = Holding::open(it, &mut self.arena)?;
        self.hold(key, epoch, holding);
        Ok(())
    }

    /// The share of a key in an epoch.
    pub(crate) fn holding(&self, key: &Name, epoch: u32) -> Result<&Holding, ThresholdError> {
        let unknown = || ThresholdError::Unknown { key: key.clone(), epoch };
        self.holdings.get(&(key.clone(), epoch)).ok_or_else(unknown)
    }

    /// Whether a key is held in shares here, in whatever epoch.
    pub(crate) fn holds(&self, key: &Name) -> bool {
        self.holdings.keys().any(|(it, _)| it == key)
    }

    /// Draws the keys with which this enclave takes part in a ceremony. Whatever it began for it before is over.
    pub(crate) fn seat(&mut self, request: RequestId) -> Result<Seat, ThresholdError> {
        self.begun = true;
        self.leave_seat(&request);
        while self.seats.len() >= MAX_SEATS
            && let Some(oldest) = self.drawn.front().copied()
        {
            self.leave_seat(&oldest);
        }
        let seat = OwnSeat::draw(&mut self.arena)?;
        let public = seat.public.clone();
        self.seats.insert(request, seat);
        self.drawn.push_back(request);
        Ok(public)
    }

    /// Whoever has the seat's secret says whose it is.
    pub(crate) fn prove_seat(&self, claim: SeatClaim) -> Result<ProvenSeat, ThresholdError> {
        let seat = self.seats.get(&claim.request).ok_or(ThresholdError::NoSeat)?;
        seat.prove(claim, &self.arena)
    }

    fn leave_seat(&mut self, request: &RequestId) {
        self.drawn.retain(|it| it != request);
        if let Some(seat) = self.seats.remove(request) {
            seat.wipe(&mut self.arena);
        }
    }

    /// Begins a ceremony from its first round.
    pub(crate) fn convene(&mut self, it: Convoked) -> Result<Moved, ThresholdError> {
        let Convoked { request, session, seats, old, seed } = it;
        let seat = self.seats.get(&request).ok_or(ThresholdError::NoSeat)?;
        let me = seats.iter().find(|(_, it)| **it == seat.public).map(|(name, _)| name.clone());
        let me = me.ok_or(ThresholdError::NoSeat)?;
        let post = seat.post(&me, &seats, &self.arena)?;
        let part = self.part(&session, &me, old)?;
        let prepared = share::ceremony(&session, &me, part)?;
        let (key, epoch) = (session.key.clone(), made_epoch(&session));
        let (begun, moved) = self.begin(session, &me)?;
        let mut machine = prepared(begun);
        if let Some(seed) = seed {
            machine.mix(seed);
        }
        self.runs.convened(request, seats);
        Ok(self.start(machine, post, Aim::Deal { request, key, epoch }, moved))
    }

    /// Whether this enclave has a seat in the ceremony of a request.
    pub(crate) fn has_seat(&self, request: &RequestId) -> bool {
        self.seats.contains_key(request)
    }

    /// Reads the point that was dealt to this seat, and begins the run of those who read theirs.
    pub(crate) fn take(&mut self, it: Taking) -> Result<Moved, ThresholdError> {
        let Taking { request, dealt, run, seats, split, account } = it;
        let seat = self.seats.get(&request).ok_or(ThresholdError::NoSeat)?;
        let me = seats.iter().find(|(_, it)| **it == seat.public).map(|(name, _)| name.clone());
        let me = me.ok_or(ThresholdError::NoSeat)?;
        let post = seat.post(&me, &seats, &self.arena)?;
        let recipient = seat.recipient(&self.arena)?;
        let key = account.public_key();
        let share = match dealt.scheme {
            Scheme::Ed25519Frost => split.share::<Ed25519>(&dealt, &me, &recipient, &key)?,
            _ => split.share::<Bip340>(&dealt, &me, &recipient, &key)?,
        };
        let prepared = share::taken(share, &account)?;
        let (key, epoch) = (run.key.clone(), made_epoch(&run));
        let (begun, moved) = self.begin(run, &me)?;
        let machine = prepared(begun);
        self.runs.convened(request, seats);
        Ok(self.start(machine, post, Aim::Deal { request, key, epoch }, moved))
    }

    /// This node's part in a ceremony: it deals from its share, or only receives.
    fn part(
        &self,
        session: &Session,
        me: &Name,
        old: Option<(PublicShares, PublicAccount)>,
    ) -> Result<Part, ThresholdError> {
        let Some((public, account)) = old else { return Ok(Part { old: None, share: None }) };
        let deals = match &session.purpose {
            Purpose::Reshare { dealers, .. } => dealers.contains(me),
            _ => true,
        };
        if !deals {
            return Ok(Part { old: Some((public, account)), share: None });
        }
        let holding = self.holding(&session.key, session.epoch)?;
        // INVARIANT K3: the share here is one of those that the log says are in force.
        if holding.public != public || holding.account != account {
            return Err(ThresholdError::Holders { key: session.key.clone() });
        }
        Ok(Part { old: Some((public, account)), share: Some(holding.share(&self.arena)?) })
    }

    /// Begins a signature that was granted.
    pub(crate) fn sign(&mut self, it: Signature) -> Result<Moved, ThresholdError> {
        let Signature { request, height, message, session } = it;
        let digest = signed_digest(&session);
        self.sign_for(session, message, Aim::Sign { request, height, digest })
    }

    /// Begins the proof of a holder's new share.
    pub(crate) fn prove(&mut self, it: Proving) -> Result<Moved, ThresholdError> {
        let Proving { request, prover, challenge, session } = it;
        let (key, epoch) = (session.key.clone(), session.epoch);
        let message = challenge.as_bytes().to_vec();
        self.sign_for(session, message, Aim::Prove { request, key, epoch, prover, challenge })
    }

    /// INVARIANT S2: the message is the one that the session names; a machine is not made of another.
    fn sign_for(&mut self, session: Session, message: Vec<u8>, aim: Aim) -> Result<Moved, ThresholdError> {
        let holding = self.holding(&session.key, session.epoch)?;
        if holding.public.holders != session.holders {
            return Err(ThresholdError::Holders { key: session.key.clone() });
        }
        let (me, post) = (holding.me.clone(), std::sync::Arc::clone(&holding.post));
        if session.scheme.names(&message) != Some(signed_digest(&session)) {
            return Err(ThresholdError::NotAdmitted);
        }
        let prepared = holding.share(&self.arena)?.sign(message);
        let (begun, moved) = self.begin(session, &me)?;
        Ok(self.start(prepared(begun), post, aim, moved))
    }

    fn begin(&mut self, session: Session, me: &Name) -> Result<(Begun, Moved), ThresholdError> {
        self.begun = true;
        let unwritten = self.journal.begin(session, me)?;
        let mut moved = Moved::default();
        let begun = unwritten.write(&mut self.journal, |record| keep(&mut moved, record));
        begun.map(|begun| (begun, moved)).map_err(|never| match never {})
    }

    fn start(
        &mut self,
        machine: Box<dyn AnyMachine>,
        post: std::sync::Arc<Post>,
        aim: Aim,
        mut moved: Moved,
    ) -> Moved {
        let ends = self.runs.start(machine, post, aim, &mut moved);
        self.finish_all(ends, &mut moved);
        moved
    }

    /// Takes messages of other enclaves in.
    pub(crate) fn deliver(&mut self, messages: Vec<Vec<u8>>) -> Moved {
        let mut moved = Moved::default();
        for message in messages {
            let ends = self.runs.deliver(message, &self.journal, &mut moved);
            self.finish_all(ends, &mut moved);
        }
        moved
    }

    /// The runs under way that sign for requests, and the right of each.
    pub(crate) fn signing(&self) -> Vec<(SessionId, (RequestId, u64))> {
        self.runs.signing()
    }

    /// Nothing more is waited for in this run.
    pub(crate) fn give_up(&mut self, session: SessionId) -> Moved {
        let mut moved = Moved::default();
        let ends = self.runs.give_up(session, &mut moved);
        self.finish_all(ends, &mut moved);
        moved
    }

    /// Wipes the shares of a key up to an epoch, once a later one is in force.
    pub(crate) fn erase(&mut self, key: &Name, up_to: u32) -> Vec<u32> {
        let epochs: Vec<u32> =
            self.holdings.keys().filter(|it| it.0 == *key && it.1 <= up_to).map(|it| it.1).collect();
        for epoch in &epochs {
            if let Some(holding) = self.holdings.remove(&(key.clone(), *epoch)) {
                holding.wipe(&mut self.arena);
            }
        }
        epochs
    }

    fn finish_all(&mut self, ends: Vec<(SessionId, Aim, TurnEnd)>, moved: &mut Moved) {
        for (session, aim, end) in ends {
            let request = aim.request();
            // What cannot be used has ended, too: whoever waits for it begins again.
            let abort = Abort { session, culprit: Culprit::Ourselves, fault: Fault::Own };
            let finish = self.finish(aim, end, moved).unwrap_or(Finish::Aborted { request, abort });
            moved.ended.push((session, finish));
        }
    }

    fn finish(&mut self, aim: Aim, end: TurnEnd, moved: &mut Moved) -> Option<Finish> {
        match (aim, end) {
            (aim, TurnEnd::Aborted(unwritten)) => {
                let written = unwritten.write(&mut self.journal, |record| keep(moved, record));
                let abort = written.unwrap_or_else(|never| match never {});
                Some(Finish::Aborted { request: aim.request(), abort })
            }
            (Aim::Deal { request, key, epoch }, TurnEnd::Dealt(Some(share))) => {
                // A share that cannot be kept is none: the ceremony begins again from its first round.
                self.keep_share(request, key, epoch, &share).ok().map(|dealt| Finish::Dealt(Box::new(dealt)))
            }
            (Aim::Deal { request, .. }, TurnEnd::Dealt(None)) => {
                self.runs.take_seats(&request);
                self.leave_seat(&request);
                Some(Finish::Dismissed { request })
            }
            (Aim::Sign { request, height, digest }, TurnEnd::Signed(signature)) => {
                Some(Finish::Signed { request, height, digest, signature })
            }
            (Aim::Prove { request, key, epoch, prover, challenge }, TurnEnd::Signed(signature)) => {
                let proof = signature.bytes().to_vec();
                let holding = self.holding(&key, epoch).ok()?;
                let proves = holding.account.proves_control(&challenge, &proof);
                proves.then_some(Finish::Proved { request, prover, proof })
            }
            (Aim::Deal { .. }, TurnEnd::Signed(_)) | (_, TurnEnd::Dealt(_)) => None,
        }
    }

    fn keep_share(
        &mut self,
        request: RequestId,
        key: Name,
        epoch: u32,
        share: &AnyShare,
    ) -> Result<Dealt, ThresholdError> {
        self.drawn.retain(|it| *it != request);
        let seat = self.seats.remove(&request).ok_or(ThresholdError::NoSeat)?;
        let mut seats = self.runs.take_seats(&request).ok_or(ThresholdError::NoSeat)?;
        seats.retain(|name, _| share.bare().public().holders.holds(name));
        let (holding, document) = Holding::take(share, seat, seats, &mut self.arena)?;
        let (account, shares) = (holding.account, holding.public.shares.clone());
        self.hold(key.clone(), epoch, holding);
        Ok(Dealt { request, key, epoch, account, shares, document })
    }

    fn hold(&mut self, key: Name, epoch: u32, holding: Holding) {
        if let Some(before) = self.holdings.insert((key, epoch), holding) {
            before.wipe(&mut self.arena);
        }
    }
}

/// The epoch of the shares that a ceremony makes.
fn made_epoch(session: &Session) -> u32 {
    match session.purpose {
        Purpose::Generate | Purpose::Import { .. } | Purpose::Take { .. } | Purpose::Sign { .. } => {
            session.epoch
        }
        Purpose::Refresh | Purpose::Reshare { .. } | Purpose::Repair { .. } => {
            session.epoch.saturating_add(1)
        }
    }
}

fn signed_digest(session: &Session) -> Digest {
    match &session.purpose {
        Purpose::Sign { digest, .. } => *digest,
        _ => Digest::ZERO,
    }
}

fn keep(moved: &mut Moved, record: &Record) -> Result<(), std::convert::Infallible> {
    moved.records.push(record.clone());
    Ok(())
}

/// Ceremonies that this enclave has a seat in at once.
const MAX_SEATS: usize = 16;

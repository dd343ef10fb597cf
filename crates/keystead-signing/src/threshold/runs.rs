//! The machines of this enclave, and the way of a message to its run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keystead_base::{Name, RequestId};
use keystead_threshold::{Journal, Parcel, Post, PostError, Record, Said, SessionId, Told, proven};

use super::disputes::Disputes;
use super::early::{Early, Place};
use super::progress::Standing;
use super::run::{Aim, AnyMachine, Run, Turn, TurnEnd};
use super::{Moved, Seat};
use crate::EnclaveControls;
use crate::entropy::kernel_random;

/// Runs under way. At the limit the oldest is given up.
pub(super) struct Runs {
    live: BTreeMap<SessionId, Run>,
    early: Early,
    disputes: Disputes,
    /// The seats of ceremonies under way: their next holders know one another by them.
    convened: BTreeMap<RequestId, BTreeMap<Name, Seat>>,
    begun: u64,
    speech: Speech,
}

/// What some node is told in the place of what all are told: in the product nothing else.
type Tells = Box<dyn Fn(&Name, &Parcel) -> Option<Parcel> + Send>;

/// What becomes of a message before it is signed: in the product nothing.
pub(crate) struct Speech {
    says: Box<dyn Fn(&mut Parcel) -> bool + Send>,
    tells: Tells,
}

impl Speech {
    pub(crate) fn of<C: EnclaveControls>(controls: &C) -> Self {
        let (one, other) = (controls.clone(), controls.clone());
        let says = Box::new(move |said: &mut Parcel| one.says(said));
        Self { says, tells: Box::new(move |to, said| other.tells(to, said)) }
    }

    /// Signs or encrypts it: where several are told it, once.
    fn send(&self, post: &Post, mut parcel: Parcel, others: &[Name], moved: &mut Moved) {
        if !(self.says)(&mut parcel) {
            return;
        }
        // What cannot be packed is lost, as on any network: the run ends by silence.
        let Ok(mut messages) = post.pack(&parcel, others, &mut kernel_random) else { return };
        for (to, bytes) in messages.iter_mut().filter(|_| parcel.to.is_none()) {
            if let Some(another) = (self.tells)(to, &parcel)
                && let Ok(signed) = post.sign(&another)
            {
                *bytes = signed;
            }
        }
        moved.messages.extend(messages);
    }
}

/// Runs that ended in a turn.
pub(super) type Ends = Vec<(SessionId, Aim, TurnEnd)>;

impl Runs {
    pub(super) fn new(speech: Speech) -> Self {
        let (live, early, disputes, convened) = Default::default();
        Self { live, early, disputes, convened, begun: 0, speech }
    }

    pub(super) fn convened(&mut self, request: RequestId, seats: BTreeMap<Name, Seat>) {
        while self.convened.len() >= super::MAX_SEATS {
            self.convened.pop_first();
        }
        self.convened.insert(request, seats);
    }

    pub(super) fn take_seats(&mut self, request: &RequestId) -> Option<BTreeMap<Name, Seat>> {
        self.convened.remove(request)
    }

    /// Sends the first messages, and reads what came before.
    pub(super) fn start(
        &mut self,
        mut machine: Box<dyn AnyMachine>,
        post: Arc<Post>,
        aim: Aim,
        moved: &mut Moved,
    ) -> Ends {
        let mut ends = self.make_room(&aim, moved);
        let (session, told) = (machine.id(), Told::new(machine.others()));
        let turn = machine.start();
        let number = self.begun;
        self.begun += 1;
        self.live.insert(session, Run { machine, post, aim, told, heard: BTreeSet::new(), number });
        self.turned(session, turn, moved, &mut ends);
        for message in self.early.take(session) {
            self.take_in(session, &message, moved, &mut ends);
        }
        ends
    }

    /// What belongs to no run here yet waits for it, but for what a dispute about a run waits for.
    pub(super) fn deliver(&mut self, message: Vec<u8>, journal: &Journal, moved: &mut Moved) -> Ends {
        let mut ends = Ends::new();
        match Place::of(&message) {
            Some(Place { session, .. }) if self.live.contains_key(&session) || self.disputes.has(session) => {
                self.take_in(session, &message, moved, &mut ends);
            }
            Some(place) => {
                ends.extend(self.proven(&place, &message, journal));
                self.early.keep(place, message);
            }
            None => {}
        }
        ends
    }

    /// INVARIANT K6: two broadcasts of one round of a run that this enclave knows nothing of keep their sender out, too, where
    /// it is known by the same keys in a run that is under way: they belong to the key of that one.
    fn proven(&self, place: &Place, message: &[u8], journal: &Journal) -> Option<(SessionId, Aim, TurnEnd)> {
        let (sender, _) = place.to_all.as_ref()?;
        self.early.beside(place).find(|it| *it != message)?;
        let mut posts: Vec<&Arc<Post>> = Vec::new();
        for run in self.live.values() {
            let (key, keys) = (run.machine.key(), run.post.keys_of(sender));
            let Some(keys) = keys.filter(|_| !journal.is_settled(&key, sender)) else { continue };
            if posts.iter().any(|it| Arc::ptr_eq(it, &run.post)) {
                continue;
            }
            posts.push(&run.post);
            let Some(theirs) = Said::signed(message, sender, keys) else { continue };
            let mut others = self.early.beside(place).filter_map(|it| Said::signed(it, sender, keys));
            if let Some(abort) = others.find_map(|other| proven(&key, &other, &theirs)) {
                return Some((place.session, run.aim.clone(), TurnEnd::Aborted(abort)));
            }
        }
        None
    }

    /// People let a node in.
    pub(super) fn lifted(&mut self, key: &Name, node: &Name) {
        self.disputes.forget(key, node);
    }

    /// Those that sign for requests, and the right of each.
    pub(super) fn signing(&self) -> Vec<(SessionId, (RequestId, u64))> {
        let of = |(session, run): (&SessionId, &Run)| match &run.aim {
            Aim::Sign { request, height, .. } => Some((*session, (*request, *height))),
            Aim::Deal { .. } | Aim::Prove { .. } => None,
        };
        self.live.iter().filter_map(of).collect()
    }

    pub(super) fn give_up(&mut self, session: SessionId, moved: &mut Moved) -> Ends {
        let mut ends = Ends::new();
        if let Some(run) = self.live.get_mut(&session) {
            let turn = run.machine.give_up();
            self.turned(session, turn, moved, &mut ends);
        }
        ends
    }

    /// A ceremony of the same key ends the one before.
    fn make_room(&mut self, aim: &Aim, moved: &mut Moved) -> Ends {
        let mut ends = Ends::new();
        let before = self.live.iter().filter(|(_, run)| run.aim.is_replaced_by(aim)).map(|(id, _)| *id);
        let mut over: Vec<SessionId> = before.collect();
        if self.live.len() >= MAX_RUNS {
            over.extend(self.live.iter().min_by_key(|(_, run)| run.number).map(|(id, _)| *id));
        }
        for session in over {
            ends.extend(self.give_up(session, moved));
        }
        ends
    }

    fn take_in(&mut self, session: SessionId, message: &[u8], moved: &mut Moved, ends: &mut Ends) {
        let Some(run) = self.live.get_mut(&session) else {
            ends.extend(self.disputes.settle(session, message));
            return;
        };
        let turn = match run.post.open(message, &run.machine.others()) {
            Ok(delivery) => {
                // It is there, and hears what this node says next.
                if run.machine.others().contains(&delivery.from) && run.heard.insert(delivery.from.clone()) {
                    self.disputes.show_again(&run.machine.key(), &delivery.from, moved);
                }
                run.on_message(delivery, message)
            }
            // Nobody's for certain: whoever carries messages cannot end a run with one.
            Err(
                PostError::Unknown { .. }
                | PostError::Malformed
                | PostError::Signature { .. }
                | PostError::Altered { .. }
                | PostError::Sealed { .. }
                | PostError::Misrouted { .. }
                | PostError::Library,
            ) => return,
        };
        self.turned(session, turn, moved, ends);
    }

    fn turned(&mut self, session: SessionId, turn: Turn, moved: &mut Moved, ends: &mut Ends) {
        let Some(run) = self.live.get(&session) else { return };
        let others = run.machine.others();
        for parcel in turn.parcels {
            self.speech.send(&run.post, parcel, &others, moved);
        }
        if let Some(end) = turn.end
            && let Some(run) = self.live.remove(&session)
        {
            if let TurnEnd::Aborted(unwritten) = &end
                && let Record::Aborted { key, abort } = unwritten.record()
                && let Some(shown) = run.told.show(key, abort)
            {
                self.disputes.open((key, abort), (&run.aim, &run.post), shown, moved);
            }
            ends.push((session, run.aim, end));
        } else if let Some(run) = self.live.get(&session) {
            let ((round, rounds, missing), request) = (run.machine.stands(), run.aim.request());
            moved.stands.insert(session, Standing { session, request, round, rounds, missing });
        }
    }
}

/// Machines in memory at once.
const MAX_RUNS: usize = 256;

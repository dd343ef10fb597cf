//! Drives one run: who must be heard in a round, what a message out of its turn means, and the echo of broadcasts.

use std::collections::BTreeMap;

use keystead_base::{Digest, Name, Secret};
use keystead_keys::Fill;

use crate::{
    Abort, Begun, Culprit, Delivery, Draft, Expects, Fault, Heard, Kind, MAX_PAYLOAD_BYTES, Next, Parcel,
    Protocol, Record, Unwritten, dispute::spoken, echo,
};

/// What came of a start, a message or a time-out.
#[derive(Debug)]
pub struct Step<T> {
    /// To be sent, in this order; what they depend on is wiped already.
    pub messages: Vec<Parcel>,
    /// How the run ended, if it did.
    pub end: Option<End<T>>,
    /// A message that was not let in; the run goes on.
    pub refused: Option<Abort>,
}

/// How a run ended.
#[derive(Debug)]
pub enum End<T> {
    /// With its result.
    Done(T),
    /// Without. The record is written before anybody is told (K6).
    Aborted(Unwritten<Abort>),
}

/// One run at one node: messages in, messages out. No clock, no socket, no randomness but what is passed in.
///
/// A machine is kept in memory only. What crashed is begun again from its first round, under another id.
pub struct Machine<P: Protocol> {
    begun: Begun,
    live: Option<Live<P>>,
    started: bool,
    round: u8,
    rounds: u8,
    inbox: BTreeMap<u8, BTreeMap<(Name, Way), Received>>,
    seen: BTreeMap<(u8, Name, Way), Digest>,
}

struct Live<P> {
    protocol: P,
    stage: Stage,
    ours: Option<Digest>,
}

/// A round of the protocol, or the echo of its broadcasts.
enum Stage {
    Round,
    Echo(Box<Waiting>),
}

/// What a round heard, kept until the echo agrees.
struct Waiting {
    heard: Heard,
    view: echo::View,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Broadcast,
    Direct,
}

struct Received {
    kind: Kind,
    payload: Secret<Vec<u8>>,
}

impl<P: Protocol> Machine<P> {
    /// A machine for a run that was begun; [`Self::start`] sends the first messages.
    ///
    /// The caller has verified the certificate for the session's digest before this: the machine does not know
    /// certificates.
    #[must_use]
    pub fn new(begun: Begun, protocol: P) -> Self {
        let rounds = protocol.rounds(&begun);
        let live = Some(Live { protocol, stage: Stage::Round, ours: None });
        Self { begun, live, started: false, round: 0, rounds, inbox: BTreeMap::new(), seen: BTreeMap::new() }
    }

    /// The run.
    #[must_use]
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.live.is_none()
    }

    /// The first messages. Messages of others that came before are read now.
    pub fn start(&mut self, fill: Fill<'_>) -> Step<P::Output> {
        if self.started {
            return Step::nothing();
        }
        let Some(live) = self.live.take() else {
            return Step::nothing();
        };
        self.started = true;
        let mut step = self.enter(live.protocol, Heard::default(), fill);
        self.run_on(&mut step, fill);
        step
    }

    /// Takes a message in. Identical copies of one that came before change nothing.
    pub fn on_message(&mut self, message: Delivery, fill: Fill<'_>) -> Step<P::Output> {
        if self.live.is_none() {
            return Step::nothing();
        }
        if message.from == *self.begun.me() || !self.begun.participants().contains(&message.from) {
            let refused = self.begun.blame(&message.from, Fault::Stranger);
            return Step { refused: Some(refused), ..Step::nothing() };
        }
        let mut step = Step::nothing();
        match self.admit(message) {
            Ok(()) => self.run_on(&mut step, fill),
            Err(abort) => self.end_with(abort, &mut step),
        }
        step
    }

    /// Ends the run because nothing more is waited for. Named is whoever has not been heard, if it is one.
    pub fn give_up(&mut self) -> Step<P::Output> {
        let mut step = Step::nothing();
        if self.live.is_some() {
            let missing = self.missing();
            let culprit = match missing.as_slice() {
                [one] => Culprit::Node(one.clone()),
                _ => Culprit::Unknown,
            };
            let abort = self.begun.abort(culprit, Fault::Silence);
            self.end_with(abort, &mut step);
        }
        step
    }

    /// The round that it is in, as envelopes count: even ones are the protocol's, odd ones echoes.
    #[must_use]
    pub fn round(&self) -> u8 {
        self.round
    }

    /// How many rounds it has, echoes not counted.
    #[must_use]
    pub fn rounds(&self) -> u8 {
        self.rounds
    }

    /// Who has not been heard in this round.
    #[must_use]
    pub fn missing(&self) -> Vec<Name> {
        let Some(expects) = self.expects() else {
            return Vec::new();
        };
        let mut missing: Vec<Name> =
            wanted(&expects).into_iter().filter(|it| !self.has(it)).map(|it| it.0).collect();
        missing.dedup();
        missing
    }

    fn admit(&mut self, message: Delivery) -> Result<(), Abort> {
        let fault = |fault| Err(self.begun.blame(&message.from, fault));
        if message.session != self.begun.id() {
            return fault(Fault::OtherSession);
        }
        if message.to.as_ref().is_some_and(|to| to != self.begun.me()) {
            return fault(Fault::Misaddressed);
        }
        if message.payload.expose().len() > MAX_PAYLOAD_BYTES {
            return fault(Fault::Malformed);
        }
        // A peer needs our last message to go on, so it is at most one round ahead: two numbers, echo included.
        if message.round > self.round.saturating_add(2) {
            return fault(Fault::OutOfOrder);
        }
        let way = if message.to.is_some() { Way::Direct } else { Way::Broadcast };
        let place = (message.round, message.from.clone(), way);
        let said = spoken(message.kind, message.payload.expose());
        match self.seen.get(&place) {
            Some(before) if *before == said => Ok(()),
            // INVARIANT K6: both are the sender's, signed or in its channel, whoever carried them here.
            Some(_) if way == Way::Broadcast => fault(Fault::TwoThings),
            Some(_) => fault(Fault::Contradiction),
            None if message.round < self.round => fault(Fault::OutOfOrder),
            None => {
                self.seen.insert(place, said);
                let round = self.inbox.entry(message.round).or_default();
                round.insert((message.from, way), Received { kind: message.kind, payload: message.payload });
                Ok(())
            }
        }
    }

    /// Advances as long as everything that a round waits for is there.
    fn run_on(&mut self, step: &mut Step<P::Output>, fill: Fill<'_>) {
        while let Some(expects) = self.expects() {
            if let Err(abort) = self.unexpected(&expects).and_then(|()| self.agreed_so_far(&expects)) {
                return self.end_with(abort, step);
            }
            if !wanted(&expects).iter().all(|it| self.has(it)) {
                return;
            }
            match self.close_round(&expects, fill) {
                Ok(more) => step.extend(more),
                Err(abort) => return self.end_with(abort, step),
            }
        }
    }

    fn close_round(&mut self, expects: &Expects, fill: Fill<'_>) -> Result<Step<P::Output>, Abort> {
        let received = self.inbox.remove(&self.round).unwrap_or_default();
        let Some(Live { protocol, stage, ours }) = self.live.take() else {
            return Ok(Step::nothing());
        };
        self.round = self.round.saturating_add(1);
        match stage {
            Stage::Echo(waiting) => {
                for ((witness, _), echo) in &received {
                    waiting.view.agrees(&self.begun, witness, echo.payload.expose())?;
                }
                Ok(self.enter(protocol, waiting.heard, fill))
            }
            Stage::Round if self.is_echoed(expects) => {
                let heard = payloads(received);
                let broadcasts = heard.broadcasts.iter().map(|(from, payload)| (from, payload.expose()));
                let view = echo::View::new(self.begun.me(), ours, broadcasts);
                let draft = Draft::broadcast(Kind::Echo, Secret::new(view.to_bytes()));
                let stage = Stage::Echo(Box::new(Waiting { heard, view }));
                self.live = Some(Live { protocol, stage, ours: None });
                Ok(Step { messages: vec![self.parcel(draft)], ..Step::nothing() })
            }
            Stage::Round => {
                self.round = self.round.saturating_add(1);
                Ok(self.enter(protocol, payloads(received), fill))
            }
        }
    }

    /// Hands over what was heard, and enters the next round. Echo rounds are odd, the protocol's own are even.
    fn enter(&mut self, protocol: P, heard: Heard, fill: Fill<'_>) -> Step<P::Output> {
        let mut step = Step::nothing();
        match protocol.advance(&self.begun, heard, fill) {
            Ok(Next::Round(protocol, drafts)) => {
                let ours = drafts.iter().find(|draft| draft.to.is_none());
                let ours = ours.map(|draft| echo::payload_digest(draft.payload.expose()));
                self.live = Some(Live { protocol, stage: Stage::Round, ours });
                step.messages = drafts.into_iter().map(|draft| self.parcel(draft)).collect();
            }
            Ok(Next::Done(output)) => step.end = Some(End::Done(output)),
            Err(abort) => self.end_with(abort, &mut step),
        }
        step
    }

    fn end_with(&mut self, abort: Abort, step: &mut Step<P::Output>) {
        // INVARIANT K6: the run ends here, and the record of who ended it comes before any answer.
        self.live = None;
        self.inbox.clear();
        step.messages.clear();
        let record = Record::Aborted { key: self.begun.session().key.clone(), abort: abort.clone() };
        step.end = Some(End::Aborted(Unwritten::new(record, abort)));
    }

    fn expects(&self) -> Option<Expects> {
        let live = self.live.as_ref().filter(|_| self.started)?;
        Some(match live.stage {
            Stage::Round => live.protocol.expects(&self.begun),
            Stage::Echo(_) => Expects::broadcast(Kind::Echo, self.begun.others().cloned()).without_echo(),
        })
    }

    /// What came in this round from somebody, or of a kind, that it does not wait for.
    fn unexpected(&self, expects: &Expects) -> Result<(), Abort> {
        let wanted = wanted(expects);
        let received = self.inbox.get(&self.round);
        for ((from, way), message) in received.into_iter().flatten() {
            if !wanted.contains(&(from.clone(), *way, message.kind)) {
                return Err(self.begun.blame(from, Fault::OutOfOrder));
            }
        }
        Ok(())
    }

    /// INVARIANT K6: what an echo says of another is held against what was heard here as soon as both are there. Whoever told two
    /// things, or is with somebody who did, keeps that from nobody by its silence.
    fn agreed_so_far(&self, expects: &Expects) -> Result<(), Abort> {
        match self.live.as_ref().map(|live| (&live.stage, live.ours)) {
            Some((Stage::Echo(waiting), _)) => {
                let mut echoes = self.broadcasts(self.round, Kind::Echo);
                echoes.try_for_each(|(witness, echo)| waiting.view.agrees_so_far(&self.begun, witness, echo))
            }
            Some((Stage::Round, ours)) if self.is_echoed(expects) => {
                let mut echoes = self.broadcasts(self.round.saturating_add(1), Kind::Echo).peekable();
                if echoes.peek().is_none() {
                    return Ok(());
                }
                let kind = expects.broadcast.as_ref().map_or(Kind::Echo, |(kind, _)| *kind);
                let so_far = echo::View::new(self.begun.me(), ours, self.broadcasts(self.round, kind));
                echoes.try_for_each(|(witness, echo)| so_far.agrees_so_far(&self.begun, witness, echo))
            }
            Some((Stage::Round, _)) | None => Ok(()),
        }
    }

    /// Two ends tell one another everything; an echo would say nothing new.
    fn is_echoed(&self, expects: &Expects) -> bool {
        expects.echo && self.begun.participants().len() > 2
    }

    /// What others said to all in a round.
    fn broadcasts(&self, round: u8, kind: Kind) -> impl Iterator<Item = (&Name, &Vec<u8>)> {
        let received = self.inbox.get(&round).into_iter().flatten();
        let of_it = received.filter(move |((_, way), it)| *way == Way::Broadcast && it.kind == kind);
        of_it.map(|((from, _), it)| (from, it.payload.expose()))
    }

    fn has(&self, (name, way, _): &(Name, Way, Kind)) -> bool {
        self.inbox.get(&self.round).is_some_and(|round| round.contains_key(&(name.clone(), *way)))
    }

    fn parcel(&self, draft: Draft) -> Parcel {
        let Draft { kind, to, payload } = draft;
        Parcel { session: self.begun.id(), round: self.round, kind, to, payload }
    }
}

impl<T> Step<T> {
    fn nothing() -> Self {
        Self { messages: Vec::new(), end: None, refused: None }
    }

    fn extend(&mut self, more: Self) {
        if matches!(more.end, Some(End::Aborted(_))) {
            self.messages.clear();
        }
        self.messages.extend(more.messages);
        self.end = more.end;
    }
}

fn wanted(expects: &Expects) -> Vec<(Name, Way, Kind)> {
    let of = |side: &Option<(Kind, Vec<Name>)>, way| {
        let names = side.iter().flat_map(|(kind, names)| names.iter().map(|name| (name.clone(), *kind)));
        names.map(|(name, kind)| (name, way, kind)).collect::<Vec<_>>()
    };
    let mut all = of(&expects.broadcast, Way::Broadcast);
    all.extend(of(&expects.direct, Way::Direct));
    all.sort();
    all
}

fn payloads(received: BTreeMap<(Name, Way), Received>) -> Heard {
    let mut heard = Heard::default();
    for ((from, way), message) in received {
        match way {
            Way::Broadcast => heard.broadcasts.insert(from, message.payload),
            Way::Direct => heard.directs.insert(from, message.payload),
        };
    }
    heard
}

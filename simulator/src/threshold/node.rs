//! A node's shell around the protocols: its disk, its runs, and what it does when it wakes.

mod ceremonies;
mod leading;

use std::collections::BTreeMap;
use std::rc::Rc;

use keystead_base::{Digest, Name};
use keystead_threshold::{
    Abort, Begun, Culprit, Dispute, Fault, Journal, Record, Said, Session, SessionId, Shown, Told, Unwritten,
};

use super::ThresholdBug;
use super::evil::Mischief;
use super::log::State;
use super::run::{Ended, Out, Run};
use super::shell::{Crashed, Mail, Shell, What, Wire};
use crate::Dice;

/// What is durable at a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) records: Vec<Record>,
    /// Sealed shares by epoch and by the attempt that made them.
    pub(crate) shares: BTreeMap<(u32, Digest), Vec<u8>>,
    /// Only where random bytes are drawn by mistake from a state that is kept.
    draws: u64,
}

/// A node.
pub(crate) struct Node {
    pub(crate) name: Name,
    pub(crate) evil: bool,
    pub(crate) disk: Disk,
    pub(crate) life: Option<Life>,
    pub(crate) incarnation: u64,
    /// How far its clock is off, in milliseconds, and how many per cent of the true time its timers take.
    pub(crate) skew: i64,
    pub(crate) pace: u64,
    /// What it heard; only a malicious one keeps it.
    heard: Vec<Wire>,
}

/// What a process has in memory.
pub(crate) struct Life {
    journal: Journal,
    runs: BTreeMap<SessionId, Live>,
    early: BTreeMap<SessionId, Vec<Wire>>,
    /// Runs that ended because two were told different things.
    disputes: BTreeMap<SessionId, Dispute>,
    view: Rc<State>,
    /// When the view was the newest.
    seen: u64,
    seat: u64,
    seated_at: u64,
    failures: BTreeMap<Name, u32>,
    led: BTreeMap<What, u64>,
    signatures: BTreeMap<What, [u8; 64]>,
    sulks: bool,
}

struct Live {
    run: Box<dyn Run>,
    what: What,
    text: [u8; 32],
    mischief: Mischief,
    deadline: u64,
    draw: Dice,
    others: Vec<Name>,
    told: Told<Wire>,
}

/// How long a run may take, by a node's own timer.
const RUN_MILLIS: u64 = 1_500;
/// How long a leader has before it is the next one's turn.
const TURN_MILLIS: u64 = 1_200;
/// How long a node waits before it takes another seat.
const SEAT_MILLIS: u64 = 900;
/// How many messages it keeps of a run that it does not know yet.
const MAX_EARLY: usize = 64;

impl Node {
    pub(crate) fn new(name: Name, evil: bool) -> Self {
        let (disk, heard) = (Disk::default(), Vec::new());
        Self { name, evil, disk, life: None, incarnation: 0, skew: 0, pace: 100, heard }
    }

    /// A process starts from what the disk has.
    pub(crate) fn start(&mut self, view: Rc<State>, shell: &mut Shell<'_>) {
        let mut journal = Journal::default();
        let forgets = shell.has(ThresholdBug::BanForgotten);
        let kept = |record: &&Record| !(forgets && matches!(record, Record::Aborted { .. }));
        self.disk.records.iter().filter(kept).for_each(|record| journal.apply(record));
        self.incarnation += 1;
        self.life = Some(Life {
            journal,
            runs: BTreeMap::new(),
            early: BTreeMap::new(),
            disputes: BTreeMap::new(),
            view,
            seen: shell.now,
            seat: shell.dice.roll(),
            seated_at: 0,
            failures: BTreeMap::new(),
            led: BTreeMap::new(),
            signatures: BTreeMap::new(),
            sulks: self.evil && shell.dice.chance(200),
        });
    }

    /// Its timers, and what the log says now.
    pub(crate) fn wake(&mut self, view: Option<Rc<State>>, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(life) = &mut self.life else { return Ok(()) };
        if let Some(view) = view {
            (life.view, life.seen) = (view, shell.now);
        }
        self.give_up(shell)?;
        self.erase(shell)?;
        self.convene(shell)?;
        self.prove(shell)?;
        self.lead(shell)
    }

    pub(crate) fn on_mail(&mut self, mail: Mail, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        match mail {
            Mail::Call(call) if call.signers.contains(&self.name) => self.join(&call, shell),
            Mail::Call(_) => Ok(()),
            Mail::Wire(wire) => self.on_wire(wire, shell),
        }
    }

    fn on_wire(&mut self, wire: Wire, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        if self.evil && self.heard.len() < MAX_EARLY {
            self.heard.push(wire.clone());
        }
        let Some(life) = &mut self.life else { return Ok(()) };
        let id = wire.session;
        if let Some(dispute) = life.disputes.get(&id) {
            let settled = Said::of(&wire.delivery()).and_then(|said| dispute.settle(&said));
            return settled.map_or(Ok(()), |settled| self.settled(id, settled, shell));
        }
        let Some(live) = life.runs.get_mut(&id) else {
            let early = life.early.entry(id).or_default();
            if early.len() < MAX_EARLY {
                early.push(wire);
            }
            return Ok(());
        };
        let Live { run, draw, told, .. } = live;
        let delivery = wire.delivery();
        told.keep(&delivery, || wire);
        let out = run.on_message(delivery, &mut |bytes| fill(draw, bytes));
        self.take(id, out, shell)
    }

    fn clock(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.skew)
    }

    fn view(&self) -> Option<Rc<State>> {
        self.life.as_ref().map(|life| Rc::clone(&life.view))
    }

    fn give_up(&mut self, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(life) = &mut self.life else { return Ok(()) };
        let late = life.runs.iter().filter(|(_, live)| live.deadline < shell.now).map(|(id, _)| *id);
        for id in late.collect::<Vec<_>>() {
            let Some(life) = &mut self.life else { return Ok(()) };
            let Some(live) = life.runs.get_mut(&id) else { continue };
            for name in live.run.missing() {
                *life.failures.entry(name).or_default() += 1;
            }
            let out = live.run.give_up();
            self.take(id, out, shell)?;
        }
        Ok(())
    }

    fn begin(
        &mut self,
        session: Session,
        what: What,
        text: [u8; 32],
        make: impl FnOnce(Begun) -> Option<Box<dyn Run>>,
        shell: &mut Shell<'_>,
    ) -> Result<(), Crashed> {
        let mischief = if self.evil { Mischief::draw(shell.dice) } else { Mischief::Nothing };
        let Some(life) = &mut self.life else { return Ok(()) };
        let mut none = Journal::default();
        let journal = if self.evil { &mut none } else { &mut life.journal };
        let Ok(unwritten) = journal.begin(session.clone(), &self.name) else { return Ok(()) };
        shell.oracle.begins(&self.name, &session, &self.disk);
        let late = shell.has(ThresholdBug::SentBeforeWritten).then(|| unwritten.record().clone());
        let disk = &mut self.disk;
        let begun = unwritten.write(journal, |record| match late.is_some() {
            true => Ok(()),
            false => shell.write(|| disk.records.push(record.clone())),
        })?;
        let (id, others): (_, Vec<Name>) = (begun.id(), begun.others().cloned().collect());
        let mut draw = self.draw(shell);
        let Some(mut run) = make(begun) else { return Ok(()) };
        let out = run.start(&mut |bytes| fill(&mut draw, bytes));
        let deadline = shell.now + RUN_MILLIS * self.pace / 100;
        if mischief != Mischief::Nothing {
            shell.report.fault(mischief.name());
        }
        let Some(life) = &mut self.life else { return Ok(()) };
        let early = life.early.remove(&id).unwrap_or_default();
        let told = Told::new(others.clone());
        life.runs.insert(id, Live { run, what, text, mischief, deadline, draw, others, told });
        self.take(id, out, shell)?;
        self.disk.records.extend(late);
        early.into_iter().try_for_each(|wire| self.on_wire(wire, shell))
    }

    /// Where a run's random bytes come from.
    fn draw(&mut self, shell: &mut Shell<'_>) -> Dice {
        if !shell.has(ThresholdBug::NonceAgain) {
            return Dice::new(shell.dice.roll());
        }
        self.disk.draws += 1;
        let name = self.name.as_str().bytes().map(u64::from).sum::<u64>();
        Dice::new(name << 32 | self.disk.draws)
    }

    /// Sends what a run says, and acts on its end.
    fn take(&mut self, id: SessionId, out: Out, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(life) = &self.life else { return Ok(()) };
        let Some(live) = life.runs.get(&id) else { return Ok(()) };
        let mischief = live.mischief;
        for parcel in &out.messages {
            let wire = Wire::of(&self.name, parcel);
            for to in live.others.iter().filter(|to| parcel.to.as_ref().is_none_or(|only| only == *to)) {
                for wire in mischief.twist(wire.clone(), &self.heard, shell.dice) {
                    shell.oracle.sends(self, &wire);
                    shell.send(to, Mail::Wire(wire))?;
                }
            }
        }
        let Some(end) = out.end else { return Ok(()) };
        let Some(live) = self.life.as_mut().and_then(|life| life.runs.remove(&id)) else { return Ok(()) };
        match end {
            Ok(ended) => self.ended(live.what, &live.text, ended, shell),
            Err(unwritten) => {
                let shown = match unwritten.record() {
                    Record::Aborted { key, abort } => live.told.show(key, abort),
                    Record::Begun { .. } | Record::Lifted { .. } => None,
                };
                self.aborted(&live.what, unwritten, shell)?;
                shown.map_or(Ok(()), |shown| self.shows(id, shown, shell))
            }
        }
    }

    /// INVARIANT K6: what it was told goes to the others as it came, behind the record.
    fn shows(&mut self, id: SessionId, shown: Shown<Wire>, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(life) = self.life.as_mut().filter(|_| !self.evil) else { return Ok(()) };
        life.disputes.extend(shown.dispute.map(|dispute| (id, dispute)));
        for wire in &shown.messages {
            for to in &shown.others {
                shell.send(to, Mail::Wire(wire.clone()))?;
            }
        }
        Ok(())
    }

    fn settled(
        &mut self,
        id: SessionId,
        settled: Unwritten<Abort>,
        shell: &mut Shell<'_>,
    ) -> Result<(), Crashed> {
        let Some(life) = &mut self.life else { return Ok(()) };
        life.disputes.remove(&id);
        let disk = &mut self.disk;
        let abort =
            settled.write(&mut life.journal, |record| shell.write(|| disk.records.push(record.clone())))?;
        shell.report.reach("equivocators caught");
        shell.oracle.aborted(self, &abort);
        Ok(())
    }

    fn aborted(&mut self, what: &What, end: Unwritten<Abort>, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(life) = &mut self.life else { return Ok(()) };
        let (disk, unwritten) = (&mut self.disk, shell.has(ThresholdBug::BanUnwritten));
        let abort = end.write(&mut life.journal, |record| match unwritten {
            true => Ok(()),
            false => shell.write(|| disk.records.push(record.clone())),
        })?;
        if let (Culprit::Node(name), true) = (&abort.culprit, abort.fault != Fault::Silence) {
            *life.failures.entry(name.clone()).or_default() += 5;
        }
        if matches!(what, What::Ceremony(..)) {
            life.seat = shell.dice.roll();
        }
        shell.report.reach(if abort.fault == Fault::Silence {
            "ends in silence"
        } else {
            "ends with a name"
        });
        shell.oracle.aborted(self, &abort);
        Ok(())
    }

    fn ended(
        &mut self,
        what: What,
        text: &[u8; 32],
        ended: Ended,
        shell: &mut Shell<'_>,
    ) -> Result<(), Crashed> {
        match ended {
            Ended::Nothing => Ok(()),
            Ended::Signature(signature) => {
                shell.oracle.signed(&self.name, text, &signature, shell.log);
                if let Some(life) = &mut self.life {
                    life.signatures.insert(what, signature);
                }
                Ok(())
            }
            Ended::Share(bytes) => {
                // Where it was begun for: the log may have gone on to another attempt.
                let What::Ceremony(epoch, attempt) = what else { return Ok(()) };
                let (place, disk) = ((epoch, attempt), &mut self.disk);
                shell.write(|| drop(disk.shares.insert(place, bytes)))?;
                if shell.has(ThresholdBug::ErasedEarly) {
                    self.disk.shares.retain(|key, _| *key == place);
                }
                Ok(())
            }
        }
    }
}

fn fill(dice: &mut Dice, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&dice.roll().to_le_bytes()[..chunk.len()]);
    }
}

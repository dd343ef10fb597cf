//! A holder sets two others against each other, run after run, and is never caught (K6).
//!
//! What is said to all is said by one message to each, and a holder that repeats what it heard only says what it heard. So
//! where two accounts differ, either the speaker lied or the witness does, and a third cannot tell. `b` tells `a` and `c`
//! two things in each birth, says nothing more, and stands in doubt beside an honest witness for ever.
//!
//! The product's holders show each other what `b` signed. The twin's only tell it, and go on.
//!
//! Whoever is believed without that can be framed: `c` says of an honest `b` what it never said ([`framed`]).

use std::collections::{BTreeMap, VecDeque};

use keystead_base::Name;
use keystead_threshold::{
    Abort, Bip340, Culprit, Delivery, Dispute, End, Fault, Generate, Journal, Kind, Machine, Purpose, Record,
    Said, Scheme, Session, Shown, Step, Told,
};

use crate::Loot;
use crate::fixture::name;
use crate::table::{Draw, begin, copy, delivery, holders, names, session};

/// What a holder does when a run ends because two were told different things.
pub type Shows = fn(&Record, Shown<Delivery>) -> Shown<Delivery>;

/// The product's way: it shows what it was told, and waits for what the others were.
pub fn signed(_: &Record, shown: Shown<Delivery>) -> Shown<Delivery> {
    shown
}

/// The naive way: it knows that somebody lies.
pub fn told(_: &Record, shown: Shown<Delivery>) -> Shown<Delivery> {
    Shown { messages: Vec::new(), dispute: None, ..shown }
}

/// How a holder judges an abort that leaves two in doubt.
pub type Believes = fn(Record) -> Record;

/// The product's way: neither is named.
pub fn neither(record: Record) -> Record {
    record
}

/// The naive way: the witness was there.
pub fn the_witness(record: Record) -> Record {
    let Record::Aborted { key, abort: Abort { session, culprit: Culprit::OneOf { sender, .. }, .. } } =
        record
    else {
        return record;
    };
    let abort = Abort { session, culprit: Culprit::Node(sender), fault: Fault::TwoThings };
    Record::Aborted { key, abort }
}

/// `b` equivocates in each birth. Whether any holder would begin another one with it.
pub fn attack(shows: Shows) -> Loot {
    let mut disks = Disks::default();
    for try_ in 0..ENOUGH {
        let session = birth(&format!("try {try_}"));
        if let Some(refused) = disks.refuse(&session) {
            assert!(disks.refuse_at("a", &session).is_some() && disks.refuse_at("c", &session).is_some());
            lifted(&disks, &session);
            return refused;
        }
        Hall::open(&session, &disks, "b").play(&mut disks, (shows, neither), |to, it| {
            if it.from == name("b") && it.kind == Kind::Echo {
                return false;
            }
            if it.from == name("b") && *to == name("a") {
                it.payload.expose_mut()[40] ^= 1;
            }
            true
        });
    }
    Loot::harmed(format!("{ENOUGH} births came to nothing, and nobody knows by whom"))
}

/// People let `b` in again, and it takes part again.
fn lifted(disks: &Disks, session: &Session) {
    let mut journal = disks.journal(&name("a"));
    journal.apply(&Record::Lifted { key: name("hot"), node: name("b") });
    assert!(journal.begin(session.clone(), &name("a")).is_ok(), "whoever is let in takes part again");
}

/// `c` says that `b` told it something else, and shows all that it has of `b`. Whether that keeps `b` out.
pub fn framed(believes: Believes) -> Loot {
    let mut disks = Disks::default();
    for try_ in 0..ENOUGH {
        let session = birth(&format!("try {try_}"));
        if disks.refuse_at("a", &session).is_some() {
            return Loot::harmed("an honest holder is kept out on the word of one who lies");
        }
        let lies = |to: &Name, it: &mut Delivery| {
            if it.from == name("c") && it.kind == Kind::Echo && *to == name("a") {
                // What it says of `b`: the second of three digests, each behind a name of one letter.
                it.payload.expose_mut()[4 + (5 + 32) + 5] ^= 1;
            }
            true
        };
        Hall::open(&session, &disks, "c").play(&mut disks, (signed, believes), lies);
    }
    let doubt = Culprit::OneOf { sender: name("b"), witness: name("c") };
    let doubted = |it: &&Record| matches!(it, Record::Aborted { abort, .. } if abort.culprit == doubt);
    assert_eq!(disks.0[&name("a")].iter().filter(doubted).count(), ENOUGH, "it stands in doubt itself");
    Loot::refused("whoever only says so shows nothing")
}

fn birth(attempt: &str) -> Session {
    session(Scheme::Bip340Frost, (1, holders(2, "a b c")), Purpose::Generate, attempt)
}

/// What each holder wrote; each starts anew from it before a run.
#[derive(Default)]
struct Disks(BTreeMap<Name, Vec<Record>>);

impl Disks {
    fn journal(&self, who: &Name) -> Journal {
        let mut journal = Journal::default();
        self.0.get(who).into_iter().flatten().for_each(|record| journal.apply(record));
        journal
    }

    fn refuse_at(&self, who: &str, session: &Session) -> Option<Loot> {
        let begun = self.journal(&name(who)).begin(session.clone(), &name(who)).map(drop);
        begun.err().map(|error| Loot::refused_for(&error))
    }

    fn refuse(&self, session: &Session) -> Option<Loot> {
        ["a", "c"].iter().find_map(|who| self.refuse_at(who, session))
    }
}

/// One run: its machines, and what each holder does beside them.
struct Hall {
    seats: BTreeMap<Name, Seat>,
    /// To whom, what, and whether a holder shows it that did not say it: that comes as its sender signed it.
    ways: VecDeque<(Name, Delivery, bool)>,
}

struct Seat {
    machine: Machine<Generate<Bip340>>,
    draw: Draw,
    told: Option<Told<Delivery>>,
    dispute: Option<Dispute>,
}

impl Hall {
    fn open(session: &Session, disks: &Disks, liar: &str) -> Self {
        let seat = |me: Name| {
            // Whoever lies forgets what it wrote of others.
            let mut journal = if me == name(liar) { Journal::default() } else { disks.journal(&me) };
            let begun = begin(&mut journal, session, &me).expect("a run");
            let told = Some(Told::new(begun.others().cloned().collect()));
            let (machine, draw) = (Machine::new(begun, Generate::new()), Draw::of(session, &me));
            (me, Seat { machine, draw, told, dispute: None })
        };
        Self { seats: names("a b c").into_iter().map(seat).collect(), ways: VecDeque::new() }
    }

    fn play(
        mut self,
        disks: &mut Disks,
        (shows, believes): (Shows, Believes),
        mut thief: impl FnMut(&Name, &mut Delivery) -> bool,
    ) {
        for me in names("a b c") {
            let Seat { machine, draw, .. } = self.seats.get_mut(&me).expect("a seat");
            let step = machine.start(&mut |bytes| draw.fill(bytes));
            self.took(&me, step, disks, (shows, believes));
        }
        while let Some((to, mut it, was_shown)) = self.ways.pop_front() {
            if was_shown || thief(&to, &mut it) {
                self.hears(&to, it, disks, (shows, believes));
            }
        }
    }

    fn hears(&mut self, to: &Name, it: Delivery, disks: &mut Disks, ways: (Shows, Believes)) {
        let Seat { machine, draw, told, dispute } = self.seats.get_mut(to).expect("a seat");
        if let Some(told) = told {
            told.keep(&it, || copy(&it));
            let step = machine.on_message(it, &mut |bytes| draw.fill(bytes));
            return self.took(to, step, disks, ways);
        }
        let settled = Said::of(&it).and_then(|said| dispute.as_ref()?.settle(&said));
        if let Some(settled) = settled {
            disks.0.entry(to.clone()).or_default().push(settled.record().clone());
        }
    }

    fn took(
        &mut self,
        me: &Name,
        step: Step<<Generate<Bip340> as keystead_threshold::Protocol>::Output>,
        disks: &mut Disks,
        (shows, believes): (Shows, Believes),
    ) {
        let seat = self.seats.get_mut(me).expect("a seat");
        let others: Vec<Name> = seat.machine.begun().others().cloned().collect();
        for parcel in &step.messages {
            let goes = |to: &&Name| parcel.to.as_ref().is_none_or(|only| only == *to);
            self.ways.extend(others.iter().filter(goes).map(|to| (to.clone(), delivery(me, parcel), false)));
        }
        let Some(End::Aborted(unwritten)) = step.end else { return };
        let record = unwritten.record().clone();
        let Record::Aborted { key, abort } = &record else { return };
        let shown = seat.told.take().and_then(|told| told.show(key, abort));
        if let Some(shown) = shown.map(|shown| shows(&record, shown)) {
            seat.dispute = shown.dispute;
            for it in &shown.messages {
                self.ways.extend(shown.others.iter().map(|to| (to.clone(), copy(it), true)));
            }
        }
        disks.0.entry(me.clone()).or_default().push(believes(record));
    }
}

/// So many that nobody would try again.
const ENOUGH: usize = 8;

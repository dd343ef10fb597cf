//! A birth at which `b` tells two things, or `c` says that it did.

mod room;

use std::collections::BTreeSet;

use keystead_base::Signed;
use keystead_threshold::{Abort, Culprit, Envelope, Kind, Message, Parcel};

use super::*;
use crate::threshold::disputes::MAX_AGAIN;

impl Table {
    fn seats(&mut self) -> BTreeMap<Name, Seat> {
        let seat = |it: Name| (it.clone(), self.at(&it).seat(REQUEST).unwrap());
        names("a b c").into_iter().map(seat).collect()
    }

    fn begins(&mut self, who: &str, seats: &BTreeMap<Name, Seat>, attempt: u8) -> Result<(), ThresholdError> {
        let (session, seats) = (session(Purpose::Generate, attempt), seats.clone());
        let convoked = Convoked { request: REQUEST, session, seats, old: None, seed: None };
        let moved = self.at(&name(who)).convene(convoked)?;
        self.took(&name(who), moved);
        Ok(())
    }

    /// What an enclave could sign that was patched.
    fn signs(&mut self, who: &str, seats: &BTreeMap<Name, Seat>, parcel: &Parcel) -> Vec<u8> {
        let enclave = self.at(&name(who));
        let post = enclave.seats[&REQUEST].post(&name(who), seats, &enclave.arena).unwrap();
        post.sign(parcel).unwrap()
    }

    /// Carries what is on the way; the thief sees it first, and may take it.
    fn carry_what(&mut self, mut passes: impl FnMut(&mut Self, &Name, &Message) -> Option<Vec<u8>>) {
        while let Some((to, message)) = self.wire.pop_front() {
            let carried = passes(self, &to, &Message::read(&message).unwrap());
            let moved = self.at(&to).deliver(vec![carried.unwrap_or(message)]);
            self.took(&to, moved);
        }
    }

    fn caught(&self, who: &str) -> Vec<&Abort> {
        let of =
            |(by, record): &'_ (Name, Record)| *by == name(who) && !matches!(record, Record::Begun { .. });
        let mine = self.records.iter().filter(|it| of(it));
        mine.map(|(_, record)| match record {
            Record::Aborted { abort, .. } => abort,
            other => panic!("{other:?}"),
        })
        .collect()
    }
}

fn says(round: u8, kind: Kind, payload: &[u8]) -> Parcel {
    let (session, payload) = (session(Purpose::Generate, 1).id(), Secret::new(payload.to_vec()));
    Parcel { session, round, kind, to: None, payload }
}

fn two_things(by: &str) -> Abort {
    let (session, culprit) = (session(Purpose::Generate, 1).id(), Culprit::Node(name(by)));
    Abort { session, culprit, fault: Fault::TwoThings }
}

/// `b` tells `c` another hash than `a`, and falls silent. The wire, for those who look at it again, too.
fn told_apart() -> (Table, Vec<(Name, Vec<u8>)>) {
    told_apart_where(|_| true)
}

/// The same where not all that is shown of `b` arrives: whatever of it is on the way to a holder that heard it already.
fn told_apart_where(arrives: impl Fn(&Name) -> bool) -> (Table, Vec<(Name, Vec<u8>)>) {
    let (mut table, mut all) = (Table::of("a b c"), Vec::new());
    let seats = table.seats();
    for who in ["a", "b", "c"] {
        table.begins(who, &seats, 1).unwrap();
    }
    let other = table.signs("b", &seats, &says(0, Kind::DealHash, &[7; 32]));
    let is_first = |it: &(Name, Vec<u8>)| {
        let message = Message::read(&it.1).unwrap();
        it.0 == name("c") && *message.sender() == name("b") && message.round() == 0
    };
    table.wire.iter_mut().filter(|it| is_first(it)).for_each(|it| it.1.clone_from(&other));
    table.wire.retain(|(to, _)| *to != name("b"));
    let mut heard = BTreeSet::new();
    while let Some((to, message)) = table.wire.pop_front() {
        all.push((to.clone(), message.clone()));
        let of_b = *Message::read(&message).unwrap().sender() == name("b");
        let is_shown = of_b && !heard.insert(to.clone());
        if to != name("b") && (!is_shown || arrives(&to)) {
            let moved = table.at(&to).deliver(vec![message]);
            table.took(&to, moved);
        }
    }
    (table, all)
}

#[test]
fn k06_whoever_told_two_things_is_kept_out_by_all_until_people_let_it_in() {
    let (table, _) = told_apart();
    for who in ["a", "c"] {
        assert_eq!(table.caught(who).last(), Some(&&two_things("b")), "{who}: {:?}", table.caught(who));
        let told = table.ended.iter().filter(|(by, _)| *by == name(who));
        let mut told = told.map(|(_, finish)| match finish {
            Finish::Aborted { request, abort } if *request == REQUEST => abort.clone(),
            _ => panic!("nothing else ended"),
        });
        assert_eq!(told.next_back(), Some(two_things("b")), "whoever looks is told, too");

        let mut after = Table::of("a b c");
        let records: Vec<Record> =
            table.records.iter().filter(|it| it.0 == name(who)).map(|it| it.1.clone()).collect();
        after.at(&name(who)).recall(&records);
        let seats = after.seats();
        let refused = after.begins(who, &seats, 2).unwrap_err();
        assert_eq!(refused.code(), "threshold_begin.blocked", "after a start, too");
        after.at(&name(who)).recall(&[Record::Lifted { key: name("treasury"), node: name("b") }]);
        after.begins(who, &seats, 2).unwrap();
    }
}

#[test]
fn k06_what_was_shown_once_keeps_nobody_out_again() {
    lifts(told_apart());
}

/// Nor where the dispute was still open: what another was told came after people had let the sender in.
#[test]
fn k06_what_is_shown_after_a_lift_settles_no_dispute_from_before() {
    lifts(told_apart_where(|_| false));
}

fn lifts((mut table, all): (Table, Vec<(Name, Vec<u8>)>)) {
    let before = table.records.len();
    let lifted = Record::Lifted { key: name("treasury"), node: name("b") };
    ["a", "c"].iter().for_each(|who| table.at(&name(who)).recall(std::slice::from_ref(&lifted)));
    for (_, message) in all {
        for to in names("a c") {
            let moved = table.at(&to).deliver(vec![message.clone()]);
            table.took(&to, moved);
        }
    }
    assert_eq!(table.records.len(), before);
    let seats = table.seats();
    table.begins("a", &seats, 2).unwrap();
}

/// `c` lies in its echo, and shows whatever it has of `b`: what all were told, another run's and another round's.
#[test]
fn k06_a_witness_that_lies_keeps_nobody_out() {
    let mut table = Table::of("a b c");
    let seats = table.seats();
    for who in ["a", "b", "c"] {
        table.begins(who, &seats, 1).unwrap();
    }
    let lie = borsh::to_vec(&BTreeMap::from([(name("b"), Digest([7; 32]))])).unwrap();
    let mut of_b = None;
    table.carry_what(|table, to, it| {
        let from = it.sender().as_str();
        if from == "b" && it.round() == 0 && of_b.is_none() {
            of_b = Some(broadcast(it));
        }
        let lies = from == "c" && it.kind() == Kind::Echo && *to == name("a");
        lies.then(|| table.signs("c", &seats, &says(1, Kind::Echo, &lie)))
    });
    let doubt = Culprit::OneOf { sender: name("b"), witness: name("c") };
    assert_eq!(table.caught("a").iter().map(|it| it.culprit.clone()).collect::<Vec<_>>(), [doubt]);

    let elsewhere = session(Purpose::Generate, 2).id();
    let said = says(0, Kind::DealHash, &[8; 32]);
    let first = of_b.unwrap().body.payload;
    let by_another = table.signs("c", &seats, &said);
    let mut forged = broadcast(&Message::read(&by_another).unwrap());
    forged.signer = name("b");
    for shown in [
        table.signs("b", &seats, &Parcel { session: elsewhere, ..says(0, Kind::DealHash, &[8; 32]) }),
        table.signs("b", &seats, &says(2, Kind::DealCommitment, &[8; 32])),
        table.signs("b", &seats, &says(0, Kind::DealHash, &first)),
        by_another,
        Message::Broadcast(forged).to_bytes().unwrap(),
    ] {
        let moved = table.at(&name("a")).deliver(vec![shown]);
        assert!(moved.records.is_empty() && moved.ended.is_empty());
    }
    assert_eq!(table.caught("a").len(), 1);
    let proof = table.signs("b", &seats, &said);
    let moved = table.at(&name("a")).deliver(vec![proof]);
    assert!(matches!(moved.records.as_slice(), [Record::Aborted { abort, .. }] if *abort == two_things("b")));
}

/// All that settles it comes before this enclave's own certificate does.
#[test]
fn k06_what_comes_early_settles_it_too() {
    let mut table = Table::of("a b c");
    let seats = table.seats();
    let view = borsh::to_vec(&BTreeMap::from([(name("b"), Digest([7; 32]))])).unwrap();
    for (by, parcel) in [
        ("b", says(0, Kind::DealHash, &[1; 32])),
        ("c", says(1, Kind::Echo, &view)),
        ("b", says(0, Kind::DealHash, &[2; 32])),
    ] {
        let message = table.signs(by, &seats, &parcel);
        assert!(table.at(&name("a")).deliver(vec![message]).records.is_empty(), "it waits");
    }
    table.begins("a", &seats, 1).unwrap();
    let faults: Vec<Fault> = table.caught("a").iter().map(|it| it.fault).collect();
    assert_eq!(faults, [Fault::Equivocation, Fault::TwoThings]);
}

/// What `c` was told reaches `a` while its run goes on: that is the proof itself.
#[test]
fn k06_a_run_that_goes_on_takes_the_proof_and_shows_it() {
    let mut table = Table::of("a b c");
    let seats = table.seats();
    table.begins("a", &seats, 1).unwrap();
    table.wire.clear();
    for said in [
        says(2, Kind::DealCommitment, &[3; 32]),
        says(0, Kind::DealHash, &[1; 32]),
        says(0, Kind::DealHash, &[2; 32]),
    ] {
        let message = table.signs("b", &seats, &said);
        let moved = table.at(&name("a")).deliver(vec![message]);
        table.took(&name("a"), moved);
    }
    assert_eq!(table.caught("a"), [&two_things("b")]);
    let shown: Vec<(&Name, u8)> = table.wire.iter().map(|(to, it)| (to, round_of(it))).collect();
    assert_eq!(shown, [(&name("c"), 0); 2], "both, and no more, to whoever else took part");
}

/// `b` says of itself in the echo what it did not tell `a`: named for certain, and what it told is shown.
#[test]
fn k06_whoever_contradicts_itself_is_shown_too() {
    let mut table = Table::of("a b c");
    let seats = table.seats();
    table.begins("a", &seats, 1).unwrap();
    for by in ["b", "c"] {
        let message = table.signs(by, &seats, &says(0, Kind::DealHash, &[1; 32]));
        let moved = table.at(&name("a")).deliver(vec![message]);
        table.took(&name("a"), moved);
    }
    let (_, echo) = table.wire.pop_back().unwrap();
    let echo = broadcast(&Message::read(&echo).unwrap()).body.payload;
    let mut lie: BTreeMap<Name, Digest> = borsh::from_slice(&echo).unwrap();
    lie.insert(name("b"), Digest([7; 32]));
    table.wire.clear();
    for (by, view) in [("b", borsh::to_vec(&lie).unwrap()), ("c", echo)] {
        let message = table.signs(by, &seats, &says(1, Kind::Echo, &view));
        let moved = table.at(&name("a")).deliver(vec![message]);
        table.took(&name("a"), moved);
    }
    let named = Abort { fault: Fault::Equivocation, ..two_things("b") };
    assert_eq!(table.caught("a"), [&named]);
    let shown: Vec<(&Name, u8)> = table.wire.iter().map(|(to, it)| (to, round_of(it))).collect();
    assert_eq!(shown, [(&name("c"), 0), (&name("c"), 1)], "its hash, and its echo");
    let other = table.signs("b", &seats, &says(0, Kind::DealHash, &[2; 32]));
    let moved = table.at(&name("a")).deliver(vec![other]);
    table.took(&name("a"), moved);
    assert_eq!(table.caught("a"), [&named, &two_things("b")]);
}

/// `b` signed a channel for a key that `a` had in an earlier seat. Whoever kept it brings it into this run.
#[test]
fn k06_a_channel_of_an_earlier_seat_names_nobody_and_ends_nothing() {
    let mut table = Table::of("a b c");
    let before = table.seats();
    let after = BTreeMap::from([(name("a"), table.at(&name("a")).seat(REQUEST).unwrap())]);
    let seats: BTreeMap<_, _> = before.clone().into_iter().chain(after).collect();
    table.begins("a", &seats, 1).unwrap();
    let enclave = table.at(&name("b"));
    let post = enclave.seats[&REQUEST].post(&name("b"), &before, &enclave.arena).unwrap();
    let parcel = Parcel { to: Some(name("a")), ..says(0, Kind::DealShare, &[7; 32]) };
    let packed = post.pack(&parcel, &names("a c"), &mut crate::entropy::kernel_random).unwrap();
    let moved = table.at(&name("a")).deliver(packed.into_iter().map(|(_, message)| message).collect());
    assert!(moved.records.is_empty() && moved.ended.is_empty(), "{:?}", moved.records);
    assert!(table.at(&name("a")).deliver(Vec::new()).ended.is_empty(), "the run goes on");
    assert_eq!(table.caught("a"), [] as [&Abort; 0]);
}

/// What is on the way to somebody, of what `b` signed.
fn shown_to(table: &Table, who: &str) -> usize {
    let of_b = |it: &[u8]| *Message::read(it).unwrap().sender() == name("b");
    table.wire.iter().filter(|(to, it)| *to == name(who) && of_b(it)).count()
}

/// Nobody hears what is first shown.
#[test]
fn k06_what_was_lost_is_shown_again_in_the_next_run_and_settles_it_once() {
    let (mut table, _) = told_apart_where(|_| false);
    for who in ["a", "c"] {
        let faults: Vec<Fault> = table.caught(who).iter().map(|it| it.fault).collect();
        assert_eq!(faults, [Fault::Equivocation], "{who}: it knows no more than that somebody lies");
    }
    let seats = table.seats();
    ["a", "c"].iter().for_each(|who| table.begins(who, &seats, 2).unwrap());
    let (mut all, before) = (Vec::new(), table.records.len());
    while let Some((to, message)) = table.wire.pop_front() {
        if to != name("b") {
            all.push((to.clone(), message.clone()));
            let moved = table.at(&to).deliver(vec![message]);
            table.took(&to, moved);
        }
    }
    for who in ["a", "c"] {
        assert_eq!(table.caught(who).last(), Some(&&two_things("b")), "{who}");
        assert_eq!(table.begins(who, &seats, 3).unwrap_err().code(), "threshold_begin.blocked");
    }
    assert_eq!(table.records.len(), before + 2);
    for (to, message) in all {
        let moved = table.at(&to).deliver(vec![message]);
        assert!(moved.records.is_empty() && moved.ended.is_empty(), "what comes twice counts once");
    }
}

/// All take part in run after run, and nobody but `a` hears anything.
#[test]
fn k06_it_is_shown_a_few_times_to_each_and_no_more() {
    let (mut table, _) = told_apart_where(|_| false);
    let mut shown = Vec::new();
    for attempt in 2..MAX_AGAIN + 4 {
        let seats = table.seats();
        ["a", "b", "c"].iter().for_each(|who| table.begins(who, &seats, attempt).unwrap());
        let mut to_a: Vec<_> = std::mem::take(&mut table.wire).into_iter().collect();
        to_a.retain(|(to, _)| *to == name("a"));
        for (_, message) in [to_a.clone(), to_a].concat() {
            let moved = table.at(&name("a")).deliver(vec![message]);
            table.took(&name("a"), moved);
        }
        assert_eq!(shown_to(&table, "b"), 0);
        shown.push(shown_to(&table, "c"));
        table.wire.clear();
    }
    assert_eq!(shown, [1, 1, 1, 1, 0, 0], "once in a run");
}

/// A key of which any three of four sign, and what each holder sealed.
fn born_of_four() -> (Table, BTreeMap<Name, Secret<Vec<u8>>>) {
    let (mut table, members) = (Table::of("a b c d"), names("a b c d"));
    let seats: BTreeMap<Name, Seat> =
        members.iter().map(|it| (it.clone(), table.at(it).seat(REQUEST).unwrap())).collect();
    for it in &members {
        let (session, seats) = (of_four(Purpose::Generate, 1), seats.clone());
        let convoked = Convoked { request: REQUEST, session, seats, old: None, seed: None };
        let moved = table.at(it).convene(convoked).unwrap();
        table.took(it, moved);
    }
    table.carry();
    let sealed = |(who, finish)| match finish {
        Finish::Dealt(dealt) => (who, dealt.document),
        _ => panic!("a share"),
    };
    let sealed = std::mem::take(&mut table.ended).into_iter().map(sealed).collect();
    (table, sealed)
}

fn of_four(purpose: Purpose, attempt: u8) -> Session {
    let holders = Holders::new(3, names("a b c d")).unwrap();
    Session { scheme: Scheme::Bip340Frost, holders, ..session(purpose, attempt) }
}

fn signing(signers: &str, attempt: u8) -> Session {
    let (signers, digest) = (names(signers), Digest([7; 32]));
    of_four(Purpose::Sign { signers, digest, path: Vec::new() }, attempt)
}

impl Table {
    /// What a holder of four could sign that was patched.
    fn a_hears(&mut self, from: &str, said: &Parcel) {
        let post = self.at(&name(from)).holding(&name("treasury"), 1).unwrap().post.clone();
        let moved = self.at(&name("a")).deliver(vec![post.sign(said).unwrap()]);
        self.took(&name("a"), moved);
    }

    /// All three sign, and so many keep `b` out afterwards that did not before.
    fn signs_and_learns(&mut self, signers: &str, attempt: u8) -> Vec<Name> {
        let before = self.records.len();
        for who in names(signers) {
            let moved = self.at(&who).sign(signature(signing(signers, attempt))).unwrap();
            self.took(&who, moved);
        }
        self.carry();
        let signed = |it: &&(Name, Finish)| matches!(it.1, Finish::Signed { .. });
        assert_eq!(std::mem::take(&mut self.ended).iter().filter(signed).count(), 3);
        let new = self.records[before..].iter();
        let learned = new.filter(|(_, it)| matches!(it, Record::Aborted { .. }));
        learned.map(|(who, _)| who.clone()).collect()
    }
}

/// `a` caught `b` in a run with `c`. What it showed is lost; `c` starts anew and `d` never had a part in that run.
#[test]
fn k06_whoever_was_down_keeps_it_out_after_the_next_run_until_people_let_it_in() {
    let (mut table, mut sealed) = born_of_four();
    let lied = signing("a b c", 1);
    let begins = table.at(&name("a")).sign(signature(lied.clone())).unwrap();
    table.took(&name("a"), begins);
    for payload in [[1; 32], [2; 32]] {
        let said = Parcel { session: lied.id(), ..says(0, Kind::NonceCommitment, &payload) };
        table.a_hears("b", &said);
    }
    assert_eq!((shown_to(&table, "c"), shown_to(&table, "d")), (2, 0));
    table.wire.clear();
    table.ended.clear();
    let mut anew = Threshold::new(Arena::new(ARENA_BYTES).unwrap(), Speech::of(&Strict));
    anew.open(lied.key.clone(), 1, &sealed.remove(&name("c")).unwrap()).unwrap();
    table.enclaves.insert(name("c"), anew);

    assert_eq!(table.signs_and_learns("a c d", 2), names("c d"));
    for who in ["c", "d"] {
        let Culprit::Node(liar) = &table.caught(who).last().unwrap().culprit else { panic!("for certain") };
        assert_eq!((liar, table.caught(who).len()), (&name("b"), 1));
        let refused = table.at(&name(who)).sign(signature(signing("b c d", 3))).map(drop).unwrap_err();
        assert_eq!(refused.code(), "threshold_begin.blocked");
    }
    assert_eq!(table.signs_and_learns("a c d", 4), [], "it is shown again, and says nothing new");
    let lifted = [Record::Lifted { key: lied.key, node: name("b") }];
    table.at(&name("c")).recall(&lifted);
    assert_eq!(table.signs_and_learns("a c d", 5), [], "nor to whoever let it in");
    names("a d").iter().for_each(|who| table.at(who).recall(&lifted));
    table.at(&name("a")).sign(signature(signing("a c d", 6))).unwrap();
    let moved = table.at(&name("c")).sign(signature(signing("a c d", 6))).unwrap();
    table.wire.clear();
    let to_a = moved.messages.into_iter().filter(|(to, _)| *to == name("a")).map(|it| it.1).collect();
    let moved = table.at(&name("a")).deliver(to_a);
    table.took(&name("a"), moved);
    assert_eq!(shown_to(&table, "c"), 0, "people let it in: nobody is shown it");
}

/// `a` shows one broadcast of `b` as often as it may, and gets the other one later.
#[test]
fn k06_both_are_shown_where_one_of_them_said_nothing() {
    let (mut table, _) = born_of_four();
    let lied = signing("a b c", 1);
    let begins = table.at(&name("a")).sign(signature(lied.clone())).unwrap();
    table.took(&name("a"), begins);
    let said = |round, kind, payload: &[u8]| Parcel { session: lied.id(), ..says(round, kind, payload) };
    let view = borsh::to_vec(&BTreeMap::from([(name("b"), Digest([7; 32]))])).unwrap();
    table.a_hears("b", &said(0, Kind::NonceCommitment, &[1; 32]));
    table.a_hears("c", &said(1, Kind::Echo, &view));
    table.wire.clear();
    table.ended.clear();
    for attempt in 2..MAX_AGAIN + 3 {
        assert_eq!(table.signs_and_learns("a c d", attempt), []);
    }
    table.a_hears("b", &said(0, Kind::NonceCommitment, &[2; 32]));
    table.ended.clear();
    assert_eq!(table.signs_and_learns("a c d", 99), names("c d"));
}

fn round_of(message: &[u8]) -> u8 {
    Message::read(message).unwrap().round()
}

fn broadcast(message: &Message) -> Signed<Envelope> {
    match message {
        Message::Broadcast(signed) => signed.clone(),
        Message::Letter(_) => panic!("for all"),
    }
}

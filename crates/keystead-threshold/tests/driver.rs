//! The driver of a run: turns, repeats, echoes, and aborts that name the sender.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

mod net;

use keystead_base::{Canonical, Coded, Name, Secret};
use keystead_keys::Fill;
use keystead_threshold::{
    Abort, BeginError, Begun, Culprit, Delivery, Draft, Expects, Fault, Heard, Journal, Kind, Machine, Next,
    Protocol, Purpose, QUARANTINE_ABORTS, Record, Scheme, Session,
};
use net::{Fate, Net, begin_in, copy, holders, name, names, session, written};

/// Everybody says a number to all, then another to each, and ends with the sum of what it heard.
struct Sum {
    round: u8,
    total: u64,
}

impl Protocol for Sum {
    type Output = u64;

    fn rounds(&self, _: &Begun) -> u8 {
        2
    }

    fn expects(&self, begun: &Begun) -> Expects {
        let others: Vec<Name> = begun.others().cloned().collect();
        match self.round {
            1 => Expects::broadcast(Kind::DealCommitment, others),
            _ => Expects::direct(Kind::DealShare, others),
        }
    }

    fn advance(mut self, begun: &Begun, heard: Heard, fill: Fill<'_>) -> Result<Next<Self>, Abort> {
        let all = heard.broadcasts.values().chain(heard.directs.values());
        self.total += all.map(|payload| u64::from(payload.expose()[0])).sum::<u64>();
        self.round += 1;
        let mut number = vec![0];
        fill(&mut number);
        match self.round {
            1 => Ok(Next::Round(self, vec![Draft::broadcast(Kind::DealCommitment, Secret::new(number))])),
            2 => {
                let to = begun.others().cloned();
                let draft = |to| Draft::direct(Kind::DealShare, to, Secret::new(vec![7]));
                Ok(Next::Round(self, to.map(draft).collect()))
            }
            _ => Ok(Next::Done(self.total)),
        }
    }
}

fn three(attempt: u64) -> Session {
    session(Scheme::Bip340Frost, 1, holders(2, "a b c"), Purpose::Generate, attempt)
}

fn sums(seed: u64, session: &Session) -> Net<Sum> {
    net::net(seed, session, |_| Sum { round: 0, total: 0 })
}

/// Runs with one copy of one message changed, and gives how `victim` ended.
fn changed(victim: &str, is_it: impl Fn(&Delivery) -> bool, change: impl Fn(&mut Delivery)) -> Net<Sum> {
    let mut net = sums(1, &three(1));
    net.run(|to, mut delivery, _| {
        if *to == name(victim) && is_it(&delivery) {
            change(&mut delivery);
        }
        Fate::Deliver(delivery)
    });
    net
}

fn from_b(round: u8) -> impl Fn(&Delivery) -> bool {
    move |delivery| delivery.from == name("b") && delivery.round == round
}

#[track_caller]
fn assert_blames(net: &Net<Sum>, victim: &str, node: &str, fault: Fault) {
    let abort = net.endings[&name(victim)].as_ref().unwrap_err();
    assert_eq!((&abort.culprit, abort.fault), (&Culprit::Node(name(node)), fault));
}

#[test]
fn everyone_ends_in_any_order_and_with_repeats() {
    for seed in 0..50 {
        let mut net = sums(seed, &three(seed));
        net.run(|_, delivery, rng| match rng.one_in(3) {
            true => Fate::Twice(copy(&delivery), delivery),
            false => Fate::Deliver(delivery),
        });
        assert_eq!(net.all().len(), 3, "seed {seed}");
    }
}

#[test]
fn k06_a_message_out_of_its_turn_names_its_sender() {
    let other = three(2).id();
    type Case = (u8, fn(&mut Delivery), Fault);
    let cases: [Case; 5] = [
        (2, |it| it.to = Some(name("c")), Fault::Misaddressed),
        (0, |it| it.kind = Kind::SignatureShare, Fault::OutOfOrder),
        (0, |it| it.round = 7, Fault::OutOfOrder),
        (0, |it| *it.payload.expose_mut() = vec![0; 600_000], Fault::Malformed),
        (1, |it| *it.payload.expose_mut() = vec![1, 2, 3], Fault::Malformed),
    ];
    for (round, change, fault) in cases {
        assert_blames(&changed("a", from_b(round), change), "a", "b", fault);
    }
    let replayed = changed("a", from_b(0), move |it| it.session = other);
    assert_blames(&replayed, "a", "b", Fault::OtherSession);
}

/// What is said to all and differs is proven by the sender's own signatures; what is said to one, to that one alone.
#[test]
fn k06_two_different_messages_of_one_round_name_their_sender() {
    for (round, fault) in [(0, Fault::TwoThings), (1, Fault::TwoThings), (2, Fault::Contradiction)] {
        let mut net = sums(1, &three(1));
        net.run(|to, delivery, _| {
            // Nobody ends before it hears the second.
            if *to == name("a") && delivery.from == name("c") && delivery.round == 2 {
                return Fate::Drop;
            }
            if *to == name("a") && from_b(round)(&delivery) {
                let mut second = copy(&delivery);
                // The last byte of an echo is of a digest.
                *second.payload.expose_mut().last_mut().unwrap() ^= 1;
                return Fate::Twice(delivery, second);
            }
            Fate::Deliver(delivery)
        });
        assert_blames(&net, "a", "b", fault);
    }
}

/// Whatever was heard long ago: what another node was told comes late.
#[test]
fn k06_another_broadcast_of_a_round_that_is_over_names_its_sender() {
    let mut net = sums(1, &three(1));
    let mut first = None;
    net.run(|to, delivery, _| {
        if *to == name("a") && from_b(0)(&delivery) {
            first = Some(copy(&delivery));
        }
        // `a` waits for ever, in the last round.
        if *to == name("a") && delivery.round == 2 { Fate::Drop } else { Fate::Deliver(delivery) }
    });
    let first = first.unwrap();
    net.deliver(&name("a"), copy(&first));
    assert!(!net.endings.contains_key(&name("a")), "the same again says nothing new");
    let mut other = first;
    other.payload.expose_mut()[0] ^= 1;
    net.deliver(&name("a"), other);
    assert_blames(&net, "a", "b", Fault::TwoThings);
}

#[test]
fn a_stranger_is_named_and_ends_nothing() {
    let mut net = sums(1, &three(1));
    let id = three(1).id();
    let payload = Secret::new(vec![1]);
    let stranger =
        Delivery { session: id, round: 0, kind: Kind::DealCommitment, from: name("x"), to: None, payload };
    net.inject(&name("a"), stranger);
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    assert_eq!(net.refused.len(), 1);
    assert_eq!(net.refused[0].culprit, Culprit::Node(name("x")));
    assert_eq!(net.all().len(), 3);
}

/// `b` tells `a` and `c` different numbers. Each hears from the other what it was told, and is shown what `b` signed.
#[test]
fn k06_a_broadcast_that_differs_from_node_to_node_ends_the_run_of_both() {
    let net = changed("a", from_b(0), |it| it.payload.expose_mut()[0] ^= 1);
    for victim in ["a", "c"] {
        assert_blames(&net, victim, "b", Fault::TwoThings);
    }
    assert!(net.endings.values().all(Result::is_err), "nobody builds on it");
}

/// `b` tells two numbers and then nothing more, so that the run would end by its silence.
#[test]
fn k06_whoever_told_two_things_hides_it_by_no_silence() {
    named_whoever_drops(&three(1), |_, it| it.from == name("b") && it.kind == Kind::Echo);
}

/// `d` helps it: it says nothing to `a`, which therefore never comes to compare what all heard.
#[test]
fn k06_nor_by_that_of_another() {
    let four = session(Scheme::Bip340Frost, 1, holders(2, "a b c d"), Purpose::Generate, 1);
    named_whoever_drops(&four, |to, it| {
        let echo = it.kind == Kind::Echo && [name("b"), name("d")].contains(&it.from);
        echo || (it.from == name("d") && *to == name("a"))
    });
}

/// `b` told `a` another number than the others, and these messages never come: both `a` and `c` name it, in any order of the rest.
fn named_whoever_drops(session: &Session, is_dropped: impl Fn(&Name, &Delivery) -> bool) {
    for seed in 0..20 {
        let mut net = sums(seed, session);
        net.run(|to, mut delivery, _| {
            if is_dropped(to, &delivery) {
                return Fate::Drop;
            }
            if *to == name("a") && from_b(0)(&delivery) {
                delivery.payload.expose_mut()[0] ^= 1;
            }
            Fate::Deliver(delivery)
        });
        ["a", "c"].iter().for_each(|victim| assert_blames(&net, victim, "b", Fault::TwoThings));
    }
}

/// `c` says of `b` what `b` never said, and has nothing to show: they stand in doubt together.
#[test]
fn k06_a_witness_that_lies_has_nobody_named() {
    for seed in 0..20 {
        let mut net = sums(seed, &three(1));
        net.run(|to, mut delivery, _| {
            if delivery.from == name("c") && delivery.kind == Kind::Echo && *to == name("a") {
                // The second of three digests, each behind a name of one letter.
                delivery.payload.expose_mut()[4 + (5 + 32) + 5] ^= 1;
            }
            Fate::Deliver(delivery)
        });
        let abort = net.endings[&name("a")].as_ref().unwrap_err();
        let doubt = Culprit::OneOf { sender: name("b"), witness: name("c") };
        assert_eq!((&abort.culprit, abort.fault), (&doubt, Fault::Equivocation), "seed {seed}");
    }
}

#[test]
fn silence_names_the_one_that_is_missing() {
    let mut net = sums(1, &three(1));
    net.run(|_, delivery, _| if delivery.from == name("b") { Fate::Drop } else { Fate::Deliver(delivery) });
    net.give_up();
    assert_blames(&net, "a", "b", Fault::Silence);
    let abort = net.endings[&name("b")].as_ref().unwrap_err();
    assert!(abort.code() == "threshold.silence", "b waits for echoes: {abort:?}");
}

#[test]
fn s05_a_session_is_begun_once() {
    let (mut journal, me) = (Journal::default(), name("a"));
    let first = begin_in(&mut journal, &three(1), &me);
    assert_eq!(journal.begin(three(1), &me).map(drop).unwrap_err(), BeginError::BegunBefore);
    let mut again = Journal::default();
    again.apply(&Record::Begun { key: name("hot"), session: first.id() });
    assert_eq!(again.begin(three(1), &me).map(drop).unwrap_err().code(), "threshold_begin.begun_before");
    assert!(journal.begin(three(2), &me).is_ok(), "another attempt is another session");
}

#[test]
fn s05_nothing_begins_before_its_record_is_written() {
    let mut journal = Journal::default();
    let unwritten = journal.begin(three(1), &name("a")).unwrap();
    assert_eq!(unwritten.write(&mut journal, |_| Err("disk full")).map(drop), Err("disk full"));
    assert!(journal.begin(three(1), &name("a")).is_ok(), "and it has not begun");
}

#[test]
fn k06_who_is_caught_stays_out_until_an_operator_lifts_it() {
    let abort = |fault| Abort { session: three(1).id(), culprit: Culprit::Node(name("b")), fault };
    let record = |fault| Record::Aborted { key: name("hot"), abort: abort(fault) };
    let blocked = |journal: &Journal| journal.is_blocked(&name("hot"), &name("b"));

    let mut journal = Journal::default();
    journal.apply(&record(Fault::Multiplication));
    assert!(blocked(&journal), "one is enough");
    assert_eq!(journal.kept_out().collect::<Vec<_>>(), [(&name("hot"), &name("b"))]);
    let refused = journal.begin(three(1), &name("a")).map(drop).unwrap_err();
    assert_eq!(refused, BeginError::Blocked { node: name("b") });
    journal.apply(&Record::Lifted { key: name("hot"), node: name("b") });
    assert!(!blocked(&journal) && journal.kept_out().next().is_none());

    for count in 1..=QUARANTINE_ABORTS {
        journal.apply(&record(Fault::Malformed));
        assert_eq!(blocked(&journal), count == QUARANTINE_ABORTS);
    }
    let mut silent = Journal::default();
    (0..10).for_each(|_| silent.apply(&record(Fault::Silence)));
    assert!(!blocked(&silent), "silence proves nothing");
}

/// The abort comes out of the machine only behind its record.
#[test]
fn k06_an_abort_is_written_before_anybody_is_told() {
    let begun = net::begin(&three(1), &name("a"));
    let mut machine = Machine::new(begun, Sum { round: 0, total: 0 });
    machine.start(&mut |bytes| bytes.fill(1));
    let mut garbled = sums(1, &three(1));
    garbled.run(|_, _, _| Fate::Drop);
    let elsewhere = Delivery {
        session: three(2).id(),
        round: 0,
        kind: Kind::DealHash,
        from: name("b"),
        to: None,
        payload: Secret::new(Vec::new()),
    };
    let step = machine.on_message(elsewhere, &mut |bytes| bytes.fill(1));
    let Some(keystead_threshold::End::Aborted(unwritten)) = step.end else { panic!("it ends") };
    assert!(step.messages.is_empty() && machine.is_over());
    let Record::Aborted { abort, .. } = unwritten.record() else { panic!("a record of it") };
    assert_eq!(abort.culprit, Culprit::Node(name("b")));
    let (mut journal, expected) = (Journal::default(), abort.clone());
    assert_eq!(unwritten.write(&mut journal, written).unwrap(), expected);
}

#[test]
fn s03_the_id_of_a_session_binds_all_that_it_is_about() {
    let signing = Purpose::Sign { signers: names("a b"), digest: three(9).digest(), path: vec![1] };
    let base = session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), signing, 1);
    let edits: [fn(&mut Session); 9] = [
        |it| it.key = name("cold"),
        |it| it.epoch = 2,
        |it| it.scheme = Scheme::Bip340Frost,
        |it| it.holders = holders(3, "a b c"),
        |it| it.policy_version = 4,
        |it| it.attempt = three(1).attempt,
        |it| it.purpose = Purpose::Sign { signers: names("a c"), digest: three(9).digest(), path: vec![1] },
        |it| it.purpose = Purpose::Sign { signers: names("a b"), digest: three(8).digest(), path: vec![1] },
        |it| it.purpose = Purpose::Sign { signers: names("a b"), digest: three(9).digest(), path: vec![2] },
    ];
    let mut ids = vec![base.id()];
    for edit in edits {
        let mut other = base.clone();
        edit(&mut other);
        ids.push(other.id());
    }
    ids.push(Session { attempt: three(5).attempt, ..base }.id());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10, "one edit repeats the attempt that it had");
}

#[test]
fn a_session_that_cannot_be_does_not_begin() {
    let sign = |signers: &str, path: Vec<u32>| Purpose::Sign {
        signers: names(signers),
        digest: three(1).digest(),
        path,
    };
    let repair = |lost: &str, helpers: &str| Purpose::Repair { lost: name(lost), helpers: names(helpers) };
    let check = |scheme, purpose| {
        session(scheme, 1, holders(2, "a b c"), purpose, 1).check().map_err(|error| error.code())
    };
    let (ecdsa, frost) = (Scheme::EcdsaDkls23, Scheme::Ed25519Frost);
    assert_eq!(check(ecdsa, sign("a b", vec![0, 7])), Ok(()));
    assert_eq!(check(Scheme::Bip340Frost, sign("a b c", vec![86, 0])), Ok(()));
    assert_eq!(check(frost, sign("a b c", vec![])), Ok(()));
    assert_eq!(check(ecdsa, sign("a b c", vec![])), Err("threshold_session.quorum"));
    assert_eq!(check(frost, sign("a", vec![])), Err("threshold_session.quorum"));
    assert_eq!(check(frost, sign("a a", vec![])), Err("threshold_session.twice"));
    assert_eq!(check(frost, sign("a x", vec![])), Err("threshold_session.no_holder"));
    assert_eq!(check(ecdsa, sign("a b", vec![1 << 31])), Err("threshold_session.hardened"));
    assert_eq!(check(ecdsa, sign("a b", vec![0; 11])), Err("threshold_session.deep"));
    assert_eq!(check(frost, sign("a b", vec![0])), Err("threshold_session.no_children"));
    assert_eq!(check(frost, repair("c", "a b")), Ok(()));
    assert_eq!(check(frost, repair("b", "a b")), Err("threshold_session.lost"));
    assert_eq!(check(frost, repair("x", "a b")), Err("threshold_session.lost"));
}

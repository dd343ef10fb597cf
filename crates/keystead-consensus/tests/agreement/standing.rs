//! When a node votes and when it stays silent.

use keystead_base::{Digest, HybridSignature, ML_DSA_65_SIGNATURE_BYTES};
use keystead_consensus::{Ballot, Input, Message, Purpose, Standing, Step};
use keystead_fixture::name;

use crate::Net;

#[test]
fn s03_a_node_whose_disk_was_lost_stays_silent_until_readmitted() {
    let mut net = Net::new(4, 3);
    for _ in 0..3 {
        net.ask(0);
    }
    // Its disk is empty, and the others hold its votes.
    net.places.remove(&name("node-4"));
    net.start(3);
    net.beat();
    net.beat();
    assert!(matches!(net.places[&name("node-4")].replica.standing(), Standing::RolledBack { height: 3, .. }));
    assert_eq!(net.heights(), vec![3; 4], "it follows the log all the same");
    net.ask(0);
    assert_eq!(net.heights(), vec![4; 4]);
    net.places.remove(&name("node-2"));
    net.ask(0);
    assert_eq!(net.heights(), vec![4; 3], "its vote would have been the third");
}

/// Found by the storms: a node that came to vote in the middle of a height knew the block that two others were bound
/// to, from the time when it only listened, and voted against it for ever.
#[test]
fn d03_a_node_that_comes_to_vote_in_the_middle_votes_for_what_it_heard_as_a_listener() {
    let mut net = Net::new(4, 3);
    let late = name("node-4");
    // It starts anew and only listens: nobody's answer reaches it. The votes that would commit are lost.
    net.loses = |_, to, message| match message {
        Message::Head { .. } => to.as_str() == "node-4",
        Message::Ballot(ballot) => ballot.step == Step::Precommit,
        _ => false,
    };
    net.start(3);
    net.ask(0);
    assert!(!net.places[&late].replica.standing().votes());
    assert!(net.heights().iter().all(|height| *height == 0));
    // One of the three that are bound to the block is gone, and the late one may vote.
    net.places.remove(&name("node-2"));
    net.loses = |_, _, _| false;
    for other in ["node-1", "node-3"] {
        net.step(&late, Input::Connected(name(other)));
        net.step(&name(other), Input::Connected(late.clone()));
    }
    net.deliver();
    assert!(net.places[&late].replica.standing().votes());
    for _ in 0..60 {
        net.run_out();
    }
    assert_eq!(net.heights(), vec![1; 3], "{:?}", net.objections);
}

/// A node that starts from nothing knows only its first number, and what it signed under a later one looks like
/// nobody's word: it waits until it knows the height that the word is for.
#[test]
fn s03_a_word_under_a_number_not_learned_yet_is_no_answer() {
    let mut net = Net::new(4, 3);
    let me = name("node-4");
    net.places.clear();
    net.start(3);
    let signature = HybridSignature::from_parts([1; 64], Box::new([2; ML_DSA_65_SIGNATURE_BYTES]));
    let seen = Ballot {
        step: Step::Precommit,
        height: 7,
        round: 0,
        header: Some(Digest([7; 32])),
        node: me.clone(),
        signature,
    };
    for from in ["node-1", "node-2", "node-3"] {
        let seen = Some(Box::new(seen.clone()));
        let message = Box::new(Message::Head { height: 6, seen, purpose: Purpose::Answers });
        net.step(&me, Input::Received { from: name(from), message });
    }
    assert!(!net.places[&me].replica.standing().votes(), "{:?}", net.places[&me].replica.standing());
}

/// Found by the simulator: two beats of others gave a node on an older disk its right to vote back.
#[test]
fn s03_what_is_told_in_passing_answers_no_question() {
    let mut net = Net::new(4, 3);
    net.places.clear();
    net.start(3);
    let me = name("node-4");
    let mut hear = |from: &str, purpose| {
        let message = Box::new(Message::Head { height: 0, seen: None, purpose });
        net.step(&me, Input::Received { from: name(from), message });
        net.places[&me].replica.standing().votes()
    };
    let told = ["node-1", "node-2", "node-3"].map(|from| hear(from, Purpose::Tells));
    assert_eq!(told, [false; 3]);
    let answered = ["node-1", "node-2"].map(|from| hear(from, Purpose::Answers));
    assert_eq!(answered, [false, true]);
}

/// What arrives late does not hide what was said after it: a node that lost its disk is told the latest.
#[test]
fn s03_of_what_a_node_said_the_latest_is_kept() {
    let mut net = Net::new(4, 3);
    let (here, there) = (name("node-1"), name("node-4"));
    net.places.retain(|name, _| *name == here);
    net.ask(0);
    let said = |step| Ballot {
        step,
        height: 1,
        round: 0,
        header: None,
        node: there.clone(),
        signature: HybridSignature::from_parts([1; 64], Box::new([2; ML_DSA_65_SIGNATURE_BYTES])),
    };
    let asks = Message::Head { height: 0, seen: None, purpose: Purpose::Asks };
    for message in [Message::Ballot(said(Step::Precommit)), Message::Ballot(said(Step::Prevote)), asks] {
        net.step(&here, Input::Received { from: there.clone(), message: Box::new(message) });
    }
    let told = net.mail.iter().filter_map(|(_, to, message)| match message {
        Message::Head { seen: Some(seen), .. } if *to == there => Some(seen.step),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [Step::Precommit]);
}

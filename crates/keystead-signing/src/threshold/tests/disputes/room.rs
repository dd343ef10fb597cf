//! What `a` keeps of whom: one proof of a liar, and no accusation in the place of one.

use std::sync::Arc;

use keystead_threshold::{Post, Told};

use super::*;
use crate::threshold::disputes::{Disputes, MAX_DISPUTES};
use crate::threshold::run::Aim;

struct Room {
    disputes: Disputes,
    posts: BTreeMap<Name, Arc<Post>>,
}

impl Room {
    fn empty() -> Self {
        let mut table = Table::of("a b c");
        let seats = table.seats();
        let mut post = |who: Name| {
            let enclave = table.at(&who);
            let post = enclave.seats[&REQUEST].post(&who, &seats, &enclave.arena).unwrap();
            (who, post)
        };
        let posts = names("a b c").into_iter().map(&mut post).collect();
        Self { disputes: Disputes::default(), posts }
    }

    /// What `b` says to all in a run, as it is where several hear it.
    fn signed(&self, attempt: u8, payload: u8) -> Vec<u8> {
        self.posts[&name("b")].sign(&said(attempt, payload)).unwrap()
    }

    /// The same where `a` alone hears it.
    fn written(&self, attempt: u8, payload: u8) -> Vec<u8> {
        let mut fill = crate::entropy::kernel_random;
        let packed = self.posts[&name("b")].pack(&said(attempt, payload), &names("a"), &mut fill).unwrap();
        packed.into_iter().map(|(_, message)| message).next().unwrap()
    }

    /// A run with `b` and `c`, or with `b` alone, ended after these messages of `b`: so many are shown to `c` at once.
    fn ended(&mut self, others: &str, end: (Culprit, Fault), messages: &[Vec<u8>]) -> usize {
        let (post, others) = (&self.posts[&name("a")], names(others));
        let (mut told, mut moved) = (Told::new(others.clone()), Moved::default());
        let mut session = None;
        for bytes in messages {
            let delivery = post.open(bytes, &others).unwrap();
            session = Some(delivery.session);
            told.keep(&delivery, || bytes.clone());
        }
        let (culprit, fault) = end;
        let abort = Abort { session: session.unwrap(), culprit, fault };
        let key = name("treasury");
        let aim = Aim::Deal { request: REQUEST, key: key.clone(), epoch: 1 };
        let shown = told.show(&key, &abort).unwrap();
        self.disputes.open((&key, &abort), (&aim, post), shown, &mut moved);
        moved.messages.len()
    }

    /// `b` told `a` two things in a run with `c`.
    fn proven(&mut self, attempt: u8) -> Vec<Vec<u8>> {
        let messages = [1, 2].map(|it| self.signed(attempt, it)).to_vec();
        assert_eq!(self.ended("b c", two(), &messages), 2);
        messages
    }

    /// Only `c` says that `b` told it something else.
    fn accused(&mut self, attempt: u8) -> Vec<u8> {
        let (sender, witness) = (name("b"), name("c"));
        let message = self.signed(attempt, 1);
        let end = (Culprit::OneOf { sender, witness }, Fault::Equivocation);
        assert_eq!(self.ended("b c", end, std::slice::from_ref(&message)), 1);
        message
    }

    /// What `c` is shown in a later run.
    fn shown_again(&mut self) -> Vec<Vec<u8>> {
        let mut moved = Moved::default();
        self.disputes.show_again(&name("treasury"), &name("c"), &mut moved);
        moved.messages.into_iter().map(|(_, message)| message).collect()
    }
}

fn said(attempt: u8, payload: u8) -> Parcel {
    let session = session(Purpose::Generate, attempt).id();
    Parcel { session, ..says(0, Kind::DealHash, &[payload; 32]) }
}

fn two() -> (Culprit, Fault) {
    (Culprit::Node(name("b")), Fault::TwoThings)
}

/// `b` told `a` alone two things first: they show nobody anything, and keep no room from what does.
#[test]
fn k06_letters_of_a_liar_keep_no_room_from_a_proof_of_it() {
    let mut room = Room::empty();
    let letters = [1, 2].map(|it| room.written(1, it));
    assert_eq!(room.ended("b", two(), &letters), 0);
    assert_eq!(room.shown_again(), [] as [Vec<u8>; 0]);
    let proof = room.proven(2);
    assert_eq!(room.shown_again(), proof);
}

#[test]
fn k06_a_second_proof_of_a_liar_is_kept_neither_beside_the_first_nor_in_its_place() {
    let mut room = Room::empty();
    let first = room.proven(1);
    room.proven(2);
    assert_eq!(room.shown_again(), first);
}

/// However many runs end by what `c` says of the honest: the oldest word gives way, and the proof stays.
#[test]
fn k06_accusations_push_no_proof_out() {
    let mut room = Room::empty();
    let proof = room.proven(1);
    let accusations: Vec<Vec<u8>> = (2..).take(MAX_DISPUTES).map(|attempt| room.accused(attempt)).collect();
    let kept: Vec<Vec<u8>> = proof.into_iter().chain(accusations[1..].iter().cloned()).collect();
    assert_eq!(room.shown_again(), kept);
}

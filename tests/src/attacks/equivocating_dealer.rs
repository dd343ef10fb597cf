//! One dealer deals two keys at the birth of one (K6).
//!
//! Lamport's generals, at a key's birth: what is said to all is said by one message to each. A dealer that commits to one
//! polynomial towards `a` and to another towards `c` leaves both with a share that fits what it heard, and each
//! of them with another public key, of which only the dealer can sign with it.
//!
//! The product's machines repeat to one another what they heard before anybody goes on. The twin is the same
//! protocol with the echo switched off.

use keystead_base::{Digest, Name, tagged_hash};
use keystead_keys::Fill;
use keystead_threshold::{
    Abort, Begun, Bip340, Expects, Generate, Heard, KeyShare, Next, Protocol, Purpose, Scheme,
};

use crate::Loot;
use crate::fixture::name;
use crate::table::{Draw, Shares, Table, again, begin, holders, names, session, signed, signing};

/// Plays it, with honest dealers who deal like this.
pub fn attack<P: Protocol<Output = KeyShare>>(dealer: fn() -> P) -> Loot {
    let session = session(Scheme::Bip340Frost, (1, holders(2, "a b c")), Purpose::Generate, "a birth");
    let mut table = Table::new();
    for (number, me) in (0_u8..).zip(names("a b b c")) {
        let begun = begin(&mut Default::default(), &session, &me).expect("a run");
        table.seat(begun, dealer(), Draw::new(tagged_hash("a dealer", &[number])));
    }
    // `a` hears the first of the two that speak for `b`, `c` the second; both hear everybody.
    let deaf = [(0, 2), (3, 1)];
    table.run_where(|to, from| !deaf.contains(&(to, from)), &mut |_, _| {});
    let ends: Vec<(Name, _)> = table.ends();
    let mut shares = Vec::new();
    for (name, end) in ends {
        match end.expect("an end") {
            Ok(share) => shares.push((name, share)),
            Err(abort) => return Loot::refused_for(&abort),
        }
    }
    harm(&shares)
}

/// Two keys: the dealer signs for each with one of the honest, and they for none.
fn harm(shares: &[(Name, KeyShare)]) -> Loot {
    let [(_, a), (_, first), (_, second), (_, c)] = shares else { panic!("four places") };
    assert_ne!(a.public().key, c.public().key);
    for (honest, liar) in [(a, first), (c, second)] {
        let pair: Shares = [honest, liar].map(|it| (it.holder().clone(), again(it))).into();
        signed::<Bip340>(signing(&pair, text(), "with the dealer")).expect("a signature");
    }
    let honest: Shares = [(name("a"), again(a)), (name("c"), again(c))].into();
    signed::<Bip340>(signing(&honest, text(), "without it")).expect_err("they have no key together");
    Loot::harmed("each honest holder has another address, and only the dealer signs for it")
}

fn text() -> Digest {
    tagged_hash("keystead/test", b"a payment")
}

/// The product's way.
#[must_use]
pub fn echoed() -> Generate<Bip340> {
    Generate::new()
}

/// The naive way.
#[must_use]
pub fn unechoed() -> Unechoed<Generate<Bip340>> {
    Unechoed(Generate::new())
}

/// A protocol that goes on without comparing what was said to all.
pub struct Unechoed<P>(P);

impl<P: Protocol> Protocol for Unechoed<P> {
    type Output = P::Output;

    fn rounds(&self, begun: &Begun) -> u8 {
        self.0.rounds(begun)
    }

    fn expects(&self, begun: &Begun) -> Expects {
        self.0.expects(begun).without_echo()
    }

    fn advance(self, begun: &Begun, heard: Heard, fill: Fill<'_>) -> Result<Next<Self>, Abort> {
        Ok(match self.0.advance(begun, heard, fill)? {
            Next::Round(protocol, drafts) => Next::Round(Self(protocol), drafts),
            Next::Done(output) => Next::Done(output),
        })
    }
}

//! One dealer deals two keys at the birth of one (K6).
//!
//! Lamport's generals, at a key's birth: what is said to all is said by one message to each. A dealer that commits to one
//! polynomial towards `a` and to another towards `c` leaves both with a share that fits what it heard, and each
//! of them with another public key, of which only the dealer can sign with it.
//!
//! The product's machines repeat to one another what they heard before anybody goes on. The twin is the same
//! protocol with the echo switched off.

use keystead_base::{Digest, tagged_hash};
use keystead_keys::Fill;
use keystead_threshold::{
    Abort, Begun, Bip340, Ed25519, Expects, Generate, Heard, KeyShare, Next, Protocol, Purpose, Scheme, Suite,
};

use crate::Loot;
use crate::table::{Draw, Shares, Table, again, begin, holders, names, session, signed, signing};

/// How a key of some kind is born.
pub trait Birth: Protocol {
    /// Of the key.
    const SCHEME: Scheme;

    /// What a holder keeps.
    fn bare(born: &Self::Output) -> KeyShare;
    /// Whether two sign with what they have.
    fn sign(pair: [&Self::Output; 2]) -> Result<(), Abort>;
}

/// Plays it, with honest dealers who deal like this.
pub fn attack<P: Birth>(dealer: fn() -> P) -> Loot {
    let session = session(P::SCHEME, (1, holders(2, "a b c")), Purpose::Generate, "a birth");
    let mut table = Table::new();
    for (number, me) in (0_u8..).zip(names("a b b c")) {
        let begun = begin(&mut Default::default(), &session, &me).expect("a run");
        table.seat(begun, dealer(), Draw::new(tagged_hash("a dealer", &[number])));
    }
    // `a` hears the first of the two that speak for `b`, `c` the second; both hear everybody.
    let deaf = [(0, 2), (3, 1)];
    table.run_where(|to, from| !deaf.contains(&(to, from)), &mut |_, _| {});
    let ends: Vec<_> = table.ends().into_iter().map(|(_, end)| end).collect();
    let ends: [_; 4] = ends.try_into().ok().expect("four places");
    let [Some(a), first, second, Some(c)] = ends else { panic!("an honest holder waits for ever") };
    match (a, c) {
        (Ok(a), Ok(c)) => harm::<P>(&a, &c, [first, second].map(|it| it.and_then(Result::ok))),
        (Err(abort), _) | (_, Err(abort)) => Loot::refused_for(&abort),
    }
}

/// Two keys: the dealer signs for each with one of the honest, and they for none.
fn harm<P: Birth>(a: &P::Output, c: &P::Output, dealers: [Option<P::Output>; 2]) -> Loot {
    assert_ne!(P::bare(a).public().key, P::bare(c).public().key);
    for (honest, liar) in [a, c].into_iter().zip(&dealers) {
        let liar = liar.as_ref().expect("a share of its own");
        P::sign([honest, liar]).expect("a signature");
    }
    P::sign([a, c]).expect_err("they have no key together");
    Loot::harmed("each honest holder has another address, and only the dealer signs for it")
}

fn text() -> Digest {
    tagged_hash("keystead/test", b"a payment")
}

impl Birth for Generate<Bip340> {
    const SCHEME: Scheme = Scheme::Bip340Frost;

    fn bare(born: &KeyShare) -> KeyShare {
        again(born)
    }

    fn sign(pair: [&KeyShare; 2]) -> Result<(), Abort> {
        sign::<Bip340>(pair)
    }
}

impl Birth for Generate<Ed25519> {
    const SCHEME: Scheme = Scheme::Ed25519Frost;

    fn bare(born: &KeyShare) -> KeyShare {
        again(born)
    }

    fn sign(pair: [&KeyShare; 2]) -> Result<(), Abort> {
        sign::<Ed25519>(pair)
    }
}

fn sign<C: Suite>(pair: [&KeyShare; 2]) -> Result<(), Abort> {
    let pair: Shares = pair.map(|it| (it.holder().clone(), again(it))).into();
    signed::<C>(signing(&pair, text(), "a run")).map(drop)
}

/// The product's way.
#[must_use]
pub fn echoed<C: Suite>() -> Generate<C> {
    Generate::new()
}

/// The naive way.
#[must_use]
pub fn unechoed<C: Suite>() -> Unechoed<Generate<C>> {
    Unechoed(Generate::new())
}

/// A protocol that goes on without comparing what was said to all.
pub struct Unechoed<P>(P);

impl<P: Birth> Birth for Unechoed<P> {
    const SCHEME: Scheme = P::SCHEME;

    fn bare(born: &P::Output) -> KeyShare {
        P::bare(born)
    }

    fn sign(pair: [&P::Output; 2]) -> Result<(), Abort> {
        P::sign(pair)
    }
}

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

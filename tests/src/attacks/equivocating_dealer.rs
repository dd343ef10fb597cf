//! One dealer deals two keys at the birth of one (K6).
//!
//! Lamport's generals, at a key's birth: what is said to all is said by one message to each. A dealer that commits to one
//! polynomial towards `a` and to another towards `c` leaves both with a share that fits what it heard, and each
//! of them with another public key, of which only the dealer can sign with it.
//!
//! The product's machines repeat to one another what they heard before anybody goes on. The twin is the same
//! protocol with the echo switched off.
//!
//! With ECDSA the holders set up among themselves after the dealing, and each proves the share that all know it by. Where as many
//! honest ones hold as sign, two polynomials cannot agree at all of them: one finds the other's proof wrong, and names it.
//! Where all have to sign they can ([`where_all_sign`]), and there the echo is all there is.

use alloy_primitives::U256;
use keystead_base::{Digest, tagged_hash};
use keystead_keys::Fill;
use keystead_threshold::{
    Abort, Begun, Bip340, Ceremony, Dkls23, EcdsaEngine as _, EcdsaShare, Ed25519, Expects, Generate, Heard,
    KeyShare, Next, Protocol, Purpose, Scheme, Suite,
};

use super::replayed_nonces::Curve;
use crate::Loot;
use crate::kinds::{Ecdsa, Kind as _};
use crate::table::{Draw, Shares, Table, again, begin, holders, names, session, session_of, signed, signing};

/// How a key of some kind is born.
pub trait Birth: Protocol {
    /// Of the key.
    const SCHEME: Scheme;

    /// What a holder keeps, but for what an engine set up.
    fn bare(born: &Self::Output) -> KeyShare;
    /// Whether these sign with what they have.
    fn sign(signers: &[&Self::Output]) -> Result<(), Abort>;
}

/// Plays it where two of three sign, with honest dealers who deal like this.
pub fn attack<P: Birth>(dealer: fn() -> P) -> Loot {
    let (honest, faces) = match ends(dealer, 2, [1, 2].map(drawn)) {
        ([Ok(a), Ok(c)], faces) => ([a, c], faces),
        ([Err(abort), _] | [_, Err(abort)], _) => return Loot::refused_for(&abort),
    };
    let [a, c] = &honest;
    assert_ne!(P::bare(a).public().key, P::bare(c).public().key);
    for (honest, face) in honest.iter().zip(&faces) {
        P::sign(&[honest, born(face)]).expect("a signature");
    }
    P::sign(&[a, c]).expect_err("they have no key together");
    Loot::harmed("each honest holder has another address, and only the dealer signs for it")
}

/// Plays it with ECDSA where all three sign: of two polynomials that differ at the dealer and at zero alone, both honest holders
/// have the same points.
pub fn where_all_sign<P: Birth<Output = Option<EcdsaShare<Dkls23>>>>(dealer: fn() -> P) -> Loot {
    let (honest, faces) = match ends(dealer, 3, polynomials().map(Draw::saying)) {
        ([Ok(a), Ok(c)], faces) => ([a, c], faces),
        ([Err(abort), _] | [_, Err(abort)], _) => return Loot::refused_for(&abort),
    };
    let [a, c] = &honest;
    assert_ne!(P::bare(a).public().key, P::bare(c).public().key);
    let shares = [a, born(&faces[0]), born(&faces[1]), c].map(|it| it.as_ref().expect("a holder"));
    assert!(!sign_faced(shares), "a key of all three");
    Loot::harmed("each honest holder has another address, and all three sign for neither")
}

/// Whether an honest holder has a signature where the dealer keeps its two faces. The engine binds what the two honest say to
/// one another to the key.
fn sign_faced(shares: [&EcdsaShare<Dkls23>; 4]) -> bool {
    let purpose = Purpose::Sign { signers: names("a b c"), digest: text(), path: Vec::new() };
    let session = session_of(shares[0].share(), purpose, "a run");
    let mut table = Table::new();
    for share in shares {
        let me = share.share().holder();
        let begun = begin(&mut Default::default(), &session, me).expect("a run");
        table.seat(begun, Dkls23::sign(Ecdsa::copied(share)), Draw::of(&session, me));
    }
    table.run_where(hears, &mut |_, _| {});
    table.ends().iter().any(|(me, end)| me.as_str() != "b" && matches!(end, Some(Ok(_))))
}

/// Whom the honest holders name, and for what.
pub fn named<P: Birth>(dealer: fn() -> P) -> [Abort; 2] {
    let ([a, c], _) = ends(dealer, 2, [1, 2].map(drawn));
    [a, c].map(|it| it.err().expect("nobody has a share"))
}

/// What a birth leaves with a holder.
type Born<P> = Result<<P as Protocol>::Output, Abort>;

/// What the honest holders `a` and `c` have, and what the dealer has towards each of them.
fn ends<P: Birth>(
    dealer: fn() -> P,
    threshold: u8,
    [one, other]: [Draw; 2],
) -> ([Born<P>; 2], [Option<Born<P>>; 2]) {
    let session = session(P::SCHEME, (1, holders(threshold, "a b c")), Purpose::Generate, "a birth");
    let mut table = Table::new();
    for (me, draw) in names("a b b c").into_iter().zip([drawn(0), one, other, drawn(3)]) {
        let begun = begin(&mut Default::default(), &session, &me).expect("a run");
        table.seat(begun, dealer(), draw);
    }
    table.run_where(hears, &mut |_, _| {});
    let ends: Vec<_> = table.ends().into_iter().map(|(_, end)| end).collect();
    let ends: [_; 4] = ends.try_into().ok().expect("four places");
    let [Some(a), first, second, Some(c)] = ends else { panic!("an honest holder waits for ever") };
    ([a, c], [first, second])
}

/// `a` hears the first of the two that speak for `b`, `c` the second; both hear everybody.
fn hears(to: usize, from: usize) -> bool {
    ![(0, 2), (3, 1)].contains(&(to, from))
}

fn born<T>(face: &Option<Result<T, Abort>>) -> &T {
    face.as_ref().and_then(|it| it.as_ref().ok()).expect("a share of its own")
}

fn drawn(number: u8) -> Draw {
    Draw::new(tagged_hash("a dealer", &[number]))
}

/// The coefficients of two polynomials that agree at 1 and 3, the constant's first: the second is the first and
/// `k·(x - 1)·(x - 3)`.
fn polynomials() -> [Vec<[u8; 32]>; 2] {
    let of = |number| Bip340::read(tagged_hash("a coefficient", &[number]).as_bytes()) % Bip340::ORDER;
    let (first, k) = ([0, 1, 2].map(of), of(3));
    let times = |n: u64| k.mul_mod(U256::from(n), Bip340::ORDER);
    let more = [times(3), Bip340::ORDER - times(4), k];
    let second = [0, 1, 2].map(|at: usize| first[at].add_mod(more[at], Bip340::ORDER));
    [first, second].map(|it| it.map(|coefficient| coefficient.to_be_bytes()).to_vec())
}

fn text() -> Digest {
    tagged_hash("keystead/test", b"a payment")
}

impl Birth for Generate<Bip340> {
    const SCHEME: Scheme = Scheme::Bip340Frost;

    fn bare(born: &KeyShare) -> KeyShare {
        again(born)
    }

    fn sign(signers: &[&KeyShare]) -> Result<(), Abort> {
        sign::<Bip340>(signers)
    }
}

impl Birth for Generate<Ed25519> {
    const SCHEME: Scheme = Scheme::Ed25519Frost;

    fn bare(born: &KeyShare) -> KeyShare {
        again(born)
    }

    fn sign(signers: &[&KeyShare]) -> Result<(), Abort> {
        sign::<Ed25519>(signers)
    }
}

impl Birth for Ceremony<Dkls23> {
    const SCHEME: Scheme = Scheme::EcdsaDkls23;

    fn bare(born: &Option<EcdsaShare<Dkls23>>) -> KeyShare {
        Ecdsa::bare(born.as_ref().expect("a holder"))
    }

    fn sign(signers: &[&Option<EcdsaShare<Dkls23>>]) -> Result<(), Abort> {
        let shares = signers.iter().map(|it| Ecdsa::copied(it.as_ref().expect("a holder")));
        let shares = shares.map(|it| (it.share().holder().clone(), it)).collect();
        Ecdsa::run(&shares, text()).map(drop)
    }
}

fn sign<C: Suite>(signers: &[&KeyShare]) -> Result<(), Abort> {
    let shares: Shares = signers.iter().map(|it| (it.holder().clone(), again(it))).collect();
    signed::<C>(signing(&shares, text(), "a run")).map(drop)
}

/// The product's way.
#[must_use]
pub fn echoed<C: Suite>() -> Generate<C> {
    Generate::new()
}

/// The product's way with a key of ECDSA.
#[must_use]
pub fn set_up_with_echoes() -> Ceremony<Dkls23> {
    Ceremony::generate()
}

/// The naive way.
#[must_use]
pub fn unechoed<C: Suite>() -> Unechoed<Generate<C>> {
    Unechoed(Generate::new())
}

/// The naive way with a key of ECDSA.
#[must_use]
pub fn set_up_without_echoes() -> Unechoed<Ceremony<Dkls23>> {
    Unechoed(Ceremony::generate())
}

/// A protocol that goes on without comparing what was said to all.
pub struct Unechoed<P>(P);

impl<P: Birth> Birth for Unechoed<P> {
    const SCHEME: Scheme = P::SCHEME;

    fn bare(born: &P::Output) -> KeyShare {
        P::bare(born)
    }

    fn sign(signers: &[&P::Output]) -> Result<(), Abort> {
        P::sign(signers)
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

//! Runs of a key in shares: the product's machines and journals, over a network that the thieves own.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;

use keystead_base::{ClusterId, Digest, Name, Secret, tagged_hash};
use keystead_threshold::{
    Abort, BeginError, Begun, Culprit, Deal, Delivery, End, Generate, Holders, Journal, KeyShare, Machine,
    Parcel, Protocol, Purpose, Record, Scheme, Session, Sign, Signature, Step, Suite,
};

use crate::fixture::name;

/// Where the random bytes of a machine come from.
pub(crate) struct Draw {
    chosen: VecDeque<[u8; 32]>,
    seed: Digest,
    count: u64,
}

impl Draw {
    /// The same seed is the same bytes.
    pub(crate) fn new(seed: Digest) -> Self {
        Self { chosen: VecDeque::new(), seed, count: 0 }
    }

    /// These first, as a liar chooses what its machine should draw.
    pub(crate) fn saying(chosen: Vec<[u8; 32]>) -> Self {
        let seed = tagged_hash("keystead/test-draw", &chosen.concat());
        Self { chosen: chosen.into(), seed, count: 0 }
    }

    /// Bytes that no other machine of a test draws.
    pub(crate) fn of(session: &Session, me: &Name) -> Self {
        Self::new(tagged_hash(
            "keystead/test-draw",
            &[session.id().0.as_bytes(), me.as_str().as_bytes()].concat(),
        ))
    }

    /// The next bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.count += 1;
            let block = [self.seed.as_bytes().as_slice(), &self.count.to_be_bytes()].concat();
            let drawn = tagged_hash("keystead/test-draw", &block);
            let block = self.chosen.pop_front().unwrap_or(drawn.0);
            chunk.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
        }
    }
}

/// How a run ended at one machine; none when it waits for ever.
pub(crate) type Ending<T> = Option<Result<T, Abort>>;

/// Machines of one run, and what is on its way between them.
pub(crate) struct Table<P: Protocol> {
    places: Vec<Place<P>>,
    ways: VecDeque<(usize, usize, Delivery)>,
}

struct Place<P: Protocol> {
    me: Name,
    machine: Machine<P>,
    draw: Draw,
    end: Ending<P::Output>,
}

impl<P: Protocol> Table<P> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), ways: VecDeque::new() }
    }

    /// A machine takes part. A liar may have two of one name.
    pub(crate) fn seat(&mut self, begun: Begun, protocol: P, draw: Draw) {
        let me = begun.me().clone();
        self.places.push(Place { me, machine: Machine::new(begun, protocol), draw, end: None });
    }

    /// Runs until nothing is on its way. The thieves see and change each message, on its way to a place.
    pub(crate) fn run(&mut self, mut thief: impl FnMut(usize, &mut Delivery)) {
        self.run_where(|_, _| true, &mut thief);
    }

    /// The same where not every place is heard by every other.
    pub(crate) fn run_where(
        &mut self,
        hears: impl Fn(usize, usize) -> bool,
        thief: &mut impl FnMut(usize, &mut Delivery),
    ) {
        for at in 0..self.places.len() {
            let Place { machine, draw, .. } = &mut self.places[at];
            let step = machine.start(&mut |bytes| draw.fill(bytes));
            self.took(at, step);
        }
        while let Some((from, to, mut delivery)) = self.ways.pop_front() {
            if hears(to, from) {
                thief(to, &mut delivery);
                let Place { machine, draw, .. } = &mut self.places[to];
                let step = machine.on_message(delivery, &mut |bytes| draw.fill(bytes));
                self.took(to, step);
            }
        }
    }

    /// How it ended at each place, in the order in which they were taken.
    pub(crate) fn ends(self) -> Vec<(Name, Ending<P::Output>)> {
        self.places.into_iter().map(|it| (it.me, it.end)).collect()
    }

    fn took(&mut self, at: usize, step: Step<P::Output>) {
        let place = &mut self.places[at];
        match step.end {
            Some(End::Done(output)) => place.end = Some(Ok(output)),
            Some(End::Aborted(unwritten)) => {
                let abort = unwritten.write(&mut Journal::default(), written);
                place.end = Some(Err(abort.unwrap_or_else(|never| match never {})));
            }
            None => {}
        }
        let me = place.me.clone();
        for parcel in &step.messages {
            let goes = |to: &Name| *to != me && parcel.to.as_ref().is_none_or(|only| only == to);
            for to in (0..self.places.len()).filter(|it| goes(&self.places[*it].me)) {
                self.ways.push_back((at, to, delivery(&me, parcel)));
            }
        }
    }
}

/// What a parcel is to whoever gets it.
pub(crate) fn delivery(from: &Name, parcel: &Parcel) -> Delivery {
    Delivery {
        session: parcel.session,
        round: parcel.round,
        kind: parcel.kind,
        from: from.clone(),
        to: parcel.to.clone(),
        payload: Secret::new(parcel.payload.expose().clone()),
    }
}

/// The same message again.
pub(crate) fn copy(of: &Delivery) -> Delivery {
    let Delivery { session, round, kind, from, to, payload } = of;
    let payload = Secret::new(payload.expose().clone());
    Delivery { session: *session, round: *round, kind: *kind, from: from.clone(), to: to.clone(), payload }
}

/// A disk that takes everything.
pub(crate) fn written(_: &Record) -> Result<(), Infallible> {
    Ok(())
}

/// Begins a run, its record written.
pub(crate) fn begin(journal: &mut Journal, session: &Session, me: &Name) -> Result<Begun, BeginError> {
    let unwritten = journal.begin(session.clone(), me)?;
    Ok(unwritten.write(journal, written).unwrap_or_else(|never| match never {}))
}

/// A run in which everybody takes part, with journals that are empty.
pub(crate) fn seated<P: Protocol>(session: &Session, mut part: impl FnMut(&Name) -> P) -> Table<P> {
    let mut table = Table::new();
    for me in session.participants() {
        let begun = begin(&mut Journal::default(), session, &me).expect("a run that begins");
        let draw = Draw::of(session, &me);
        table.seat(begun, part(&me), draw);
    }
    table
}

/// The shares of a key, by holder.
pub(crate) type Shares = BTreeMap<Name, KeyShare>;

/// The names of `text`, by its spaces.
pub(crate) fn names(text: &str) -> Vec<Name> {
    text.split_whitespace().map(name).collect()
}

/// The nodes that hold a key.
pub(crate) fn holders(threshold: u8, text: &str) -> Holders {
    Holders::new(threshold, names(text)).expect("holders")
}

/// A run of the key `hot`.
pub(crate) fn session(
    scheme: Scheme,
    (epoch, holders): (u32, Holders),
    purpose: Purpose,
    attempt: &str,
) -> Session {
    Session {
        cluster: ClusterId(tagged_hash("keystead/test", b"cluster")),
        key: name("hot"),
        scheme,
        epoch,
        holders,
        policy_version: 1,
        purpose,
        attempt: tagged_hash("keystead/test", attempt.as_bytes()),
    }
}

/// A run of the key of a share, among those who hold it.
pub(crate) fn session_of(share: &KeyShare, purpose: Purpose, attempt: &str) -> Session {
    let holding = (share.epoch(), share.public().holders.clone());
    Session { key: share.key().clone(), ..session(share.scheme(), holding, purpose, attempt) }
}

/// A key is born among these.
pub(crate) fn born<C: Suite>(holders: Holders) -> Shares {
    let session = session(C::SCHEME, (1, holders), Purpose::Generate, "a birth");
    let mut table = seated(&session, |_| Generate::<C>::new());
    table.run(|_, _| {});
    let done = |(name, end): (Name, Ending<KeyShare>)| (name, end.expect("an end").expect("a share"));
    table.ends().into_iter().map(done).collect()
}

/// Whoever is in the session deals, or is dealt to: the shares of the next epoch, without what an engine adds to them.
pub(crate) fn dealt<C: Suite>(shares: &Shares, purpose: Purpose) -> Shares {
    let any = shares.values().next().expect("a share");
    let public = any.public().clone();
    let session = session_of(any, purpose, "a dealing");
    let deals = |me: &Name| match &session.purpose {
        Purpose::Reshare { dealers, .. } => dealers.contains(me),
        _ => true,
    };
    let mut table = seated(&session, |me| match deals(me) {
        true => Deal::<C>::reshare(again(&shares[me])),
        false => Deal::<C>::receive(public.clone()),
    });
    table.run(|_, _| {});
    let done = |(name, end): (Name, Ending<Option<KeyShare>>)| {
        Some((name, end.expect("an end").expect("a dealing")?))
    };
    table.ends().into_iter().filter_map(done).collect()
}

/// A run that signs 32 bytes among those who bring a share.
pub(crate) fn signing<C: Suite>(shares: &Shares, text: Digest, attempt: &str) -> Table<Sign<C>> {
    let any = shares.values().next().expect("a share");
    let signers = shares.keys().cloned().collect();
    // Ed25519 signs a message, which the session names by its digest.
    let digest = C::SCHEME.names(text.as_bytes()).expect("a text that it signs");
    let purpose = Purpose::Sign { signers, digest, path: Vec::new() };
    let session = session_of(any, purpose, attempt);
    seated(&session, |me| Sign::<C>::new(again(&shares[me]), text.as_bytes().to_vec()))
}

/// The signature of a run, or why it has none, as a signer says whose own share is good.
pub(crate) fn signed<C: Suite>(mut table: Table<Sign<C>>) -> Result<Signature, Abort> {
    table.run(|_, _| {});
    told(table).map(|(_, signature)| signature)
}

/// How a run ended that is over, as somebody says whose own share is good.
pub(crate) fn told<P: Protocol>(table: Table<P>) -> Result<P::Output, Abort> {
    let own = |it: &Result<_, Abort>| it.as_ref().is_err_and(|abort| abort.culprit == Culprit::Ourselves);
    let ends = table.ends().into_iter().filter_map(|(_, end)| end);
    ends.min_by_key(own).expect("somebody who is at its end")
}

/// A copy of a share, as whoever reads the memory of its holder makes one.
pub(crate) fn again(share: &KeyShare) -> KeyShare {
    KeyShare::from_secret(&share.to_secret()).expect("a share")
}

/// Where the scalar lies in a share's document, behind the key's name, scheme, epoch and holder.
fn place_of_scalar(share: &KeyShare) -> std::ops::Range<usize> {
    let at = place_of_epoch(share).end + 4 + share.holder().as_str().len();
    at..at + 32
}

fn place_of_epoch(share: &KeyShare) -> std::ops::Range<usize> {
    let at = 1 + "keystead/threshold-share/v1".len() + 4 + share.key().as_str().len() + 1;
    at..at + 4
}

/// The bare scalar of a share.
pub(crate) fn scalar(share: &KeyShare) -> [u8; 32] {
    let place = place_of_scalar(share);
    share.to_secret().expose()[place].try_into().expect("32 bytes")
}

/// The same document about another scalar.
pub(crate) fn with_scalar(share: &KeyShare, scalar: &[u8; 32]) -> KeyShare {
    let mut bytes = share.to_secret().expose().clone();
    bytes[place_of_scalar(share)].copy_from_slice(scalar);
    KeyShare::from_secret(&Secret::new(bytes)).expect("a share")
}

/// The same share under the number of the next epoch.
pub(crate) fn relabelled(share: &KeyShare) -> KeyShare {
    let mut bytes = share.to_secret().expose().clone();
    bytes[place_of_epoch(share)].copy_from_slice(&(share.epoch() + 1).to_le_bytes());
    KeyShare::from_secret(&Secret::new(bytes)).expect("a share")
}

//! Machines of one run in one process, over a network that a seed makes lose, repeat and reorder.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;

use keystead_base::{ClusterId, Name, Secret, tagged_hash};
use keystead_threshold::{
    Abort, Begun, Delivery, Dispute, End, Holders, Journal, Machine, Parcel, Protocol, Purpose, Record, Said,
    Scheme, Session, Step, Told,
};

/// Bytes from a seed; never outside of tests.
pub(crate) struct Seeded {
    seed: u64,
    count: u64,
}

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.count += 1;
            let block =
                tagged_hash("keystead/test", &[self.seed.to_le_bytes(), self.count.to_le_bytes()].concat());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % limit as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, odds: usize) -> bool {
        odds > 0 && self.below(odds) == 0
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn names(text: &str) -> Vec<Name> {
    text.split_whitespace().map(name).collect()
}

pub(crate) fn holders(threshold: u8, text: &str) -> Holders {
    Holders::new(threshold, names(text)).unwrap()
}

pub(crate) fn session(
    scheme: Scheme,
    epoch: u32,
    holders: Holders,
    purpose: Purpose,
    attempt: u64,
) -> Session {
    Session {
        cluster: ClusterId(tagged_hash("keystead/test", b"cluster")),
        key: name("hot"),
        scheme,
        epoch,
        holders,
        policy_version: 3,
        purpose,
        attempt: tagged_hash("keystead/test", &attempt.to_le_bytes()),
    }
}

/// Writes nothing, and says that it did.
pub(crate) fn written(_: &Record) -> Result<(), std::convert::Infallible> {
    Ok(())
}

pub(crate) fn begin(session: &Session, me: &Name) -> Begun {
    begin_in(&mut Journal::default(), session, me)
}

pub(crate) fn begin_in(journal: &mut Journal, session: &Session, me: &Name) -> Begun {
    journal.begin(session.clone(), me).unwrap().write(journal, written).unwrap()
}

/// What the network does to one copy of a message.
pub(crate) enum Fate {
    Deliver(Delivery),
    Drop,
    Twice(Delivery, Delivery),
}

/// How one run ended at one node.
pub(crate) type Ending<T> = Result<T, Abort>;

/// The machines of one run, and the messages on their way.
pub(crate) struct Net<P: Protocol> {
    pub(crate) machines: BTreeMap<Name, Machine<P>>,
    pub(crate) endings: BTreeMap<Name, Ending<P::Output>>,
    pub(crate) refused: Vec<Abort>,
    pub(crate) rng: Seeded,
    /// Who crashes after how many more deliveries to it: its machine is gone, and never comes back.
    pub(crate) crashes: BTreeMap<Name, usize>,
    told: BTreeMap<Name, Told<Delivery>>,
    disputes: BTreeMap<Name, Dispute>,
    on_the_way: Vec<(Name, Way)>,
}

enum Way {
    Sent(Delivery),
    /// By another than who said it: it comes as it was signed.
    Shown(Delivery),
}

impl<P: Protocol> Net<P> {
    pub(crate) fn new(seed: u64, machines: BTreeMap<Name, Machine<P>>) -> Self {
        let rng = Seeded::new(seed);
        let others = |it: &Machine<P>| Told::new(it.begun().others().cloned().collect());
        let told = machines.iter().map(|(me, it)| (me.clone(), others(it))).collect();
        Self {
            machines,
            endings: BTreeMap::new(),
            refused: Vec::new(),
            rng,
            crashes: BTreeMap::new(),
            told,
            disputes: BTreeMap::new(),
            on_the_way: Vec::new(),
        }
    }

    /// Runs until nothing is on its way any more; `fate` decides on each copy of each message.
    pub(crate) fn run(&mut self, mut fate: impl FnMut(&Name, Delivery, &mut Seeded) -> Fate) {
        self.run_each(|to, delivery, rng| match fate(to, delivery, rng) {
            Fate::Drop => vec![],
            Fate::Deliver(one) => vec![one],
            Fate::Twice(one, two) => vec![one, two],
        });
    }

    /// Runs likewise; `fate` gives what arrives instead of each copy.
    pub(crate) fn run_each(&mut self, mut fate: impl FnMut(&Name, Delivery, &mut Seeded) -> Vec<Delivery>) {
        let everyone: Vec<Name> = self.machines.keys().cloned().collect();
        for me in everyone {
            let rng = &mut self.rng;
            let step = self.machines.get_mut(&me).unwrap().start(&mut |bytes| rng.fill(bytes));
            self.take(&me, step);
        }
        while !self.on_the_way.is_empty() {
            let next = self.rng.below(self.on_the_way.len());
            let (to, way) = self.on_the_way.swap_remove(next);
            let arrives = match way {
                Way::Sent(delivery) => fate(&to, delivery, &mut self.rng),
                Way::Shown(delivery) => vec![delivery],
            };
            arrives.into_iter().for_each(|one| self.deliver(&to, one));
        }
    }

    /// Puts a message on its way that no machine sent.
    pub(crate) fn inject(&mut self, to: &Name, delivery: Delivery) {
        self.on_the_way.push((to.clone(), Way::Sent(delivery)));
    }

    pub(crate) fn deliver(&mut self, to: &Name, delivery: Delivery) {
        match self.crashes.get_mut(to) {
            Some(0) => drop(self.machines.remove(to)),
            Some(left) => *left -= 1,
            None => {}
        }
        let Some(machine) = self.machines.get_mut(to) else { return };
        if let (Some(dispute), Some(said)) = (self.disputes.get(to), Said::of(&delivery)) {
            if let Some(settled) = dispute.settle(&said) {
                let abort = settled.write(&mut Journal::default(), written).unwrap();
                self.endings.insert(to.clone(), Err(abort));
            }
            return;
        }
        if let Some(told) = self.told.get_mut(to) {
            told.keep(&delivery, || copy(&delivery));
        }
        let rng = &mut self.rng;
        let step = machine.on_message(delivery, &mut |bytes| rng.fill(bytes));
        self.take(to, step);
    }

    /// Nobody waits any longer.
    pub(crate) fn give_up(&mut self) {
        for me in self.machines.keys().cloned().collect::<Vec<_>>() {
            let step = self.machines.get_mut(&me).unwrap().give_up();
            self.take(&me, step);
        }
    }

    fn take(&mut self, me: &Name, step: Step<P::Output>) {
        self.refused.extend(step.refused);
        match step.end {
            Some(End::Done(output)) => {
                // What people are shown of a run is true of every protocol, at every node.
                let machine = &self.machines[me];
                assert_eq!(machine.round(), 2 * machine.rounds(), "it ends after as many rounds as it said");
                self.endings.insert(me.clone(), Ok(output));
            }
            Some(End::Aborted(unwritten)) => {
                assert!(step.messages.is_empty(), "nothing is sent behind an abort");
                let abort = unwritten.write(&mut Journal::default(), written).unwrap();
                let told = self.told.remove(me).unwrap();
                if let Some(shown) = told.show(&name("hot"), &abort) {
                    for it in &shown.messages {
                        let ways = shown.others.iter().map(|to| (to.clone(), Way::Shown(copy(it))));
                        self.on_the_way.extend(ways);
                    }
                    self.disputes.extend(shown.dispute.map(|dispute| (me.clone(), dispute)));
                }
                self.endings.insert(me.clone(), Err(abort));
            }
            None => {}
        }
        for parcel in step.messages {
            let to: Vec<Name> = match &parcel.to {
                Some(to) => vec![to.clone()],
                None => self.machines[me].begun().others().cloned().collect(),
            };
            for to in to {
                self.on_the_way.push((to, Way::Sent(delivery(me, &parcel))));
            }
        }
    }

    /// Everyone's result.
    pub(crate) fn all(self) -> BTreeMap<Name, P::Output> {
        let machines = self.machines.len();
        let all: BTreeMap<Name, P::Output> =
            self.endings.into_iter().map(|(me, ending)| (me, ending.unwrap())).collect();
        assert_eq!(all.len(), machines, "everyone ends");
        all
    }
}

/// The copy of a parcel that one node gets.
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

pub(crate) fn copy(of: &Delivery) -> Delivery {
    Delivery {
        session: of.session,
        round: of.round,
        kind: of.kind,
        from: of.from.clone(),
        to: of.to.clone(),
        payload: Secret::new(of.payload.expose().clone()),
    }
}

/// An honest run on a network that only reorders.
pub(crate) fn honest<P: Protocol>(
    seed: u64,
    session: &Session,
    protocol: impl FnMut(&Name) -> P,
) -> BTreeMap<Name, P::Output> {
    let mut net = net(seed, session, protocol);
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    net.all()
}

pub(crate) fn net<P: Protocol>(seed: u64, session: &Session, mut protocol: impl FnMut(&Name) -> P) -> Net<P> {
    let machine = |me: &Name| (me.clone(), Machine::new(begin(session, me), protocol(me)));
    Net::new(seed, session.participants().iter().map(machine).collect())
}

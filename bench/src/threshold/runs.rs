//! Runs of a protocol among machines in one process, and what they cost.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read as _;

use keystead_base::{ClusterId, Name, Secret, tagged_hash};
use keystead_threshold::{
    Begun, Delivery, End, Holders, Journal, Machine, Parcel, Protocol, Purpose, Scheme, Session, Step,
};

use crate::usage::cpu_seconds;

/// What one run ended in, and the bytes that its parties sent.
pub(crate) struct Ran<T> {
    pub(crate) outputs: T,
    pub(crate) bytes: usize,
}

/// What a round costs on average, and what the last one ended in.
pub(crate) struct Many<T> {
    pub(crate) millis: f64,
    pub(crate) bytes: f64,
    pub(crate) last: T,
}

/// Runs a step many times, for each its number.
pub(crate) fn many<T>(rounds: u64, mut step: impl FnMut(u64) -> Ran<T>) -> Many<T> {
    let pid = std::process::id();
    let cpu = || cpu_seconds(pid).expect("/proc");
    let start = cpu();
    let mut bytes = 0;
    let mut last = None;
    for round in 0..rounds {
        let ran = step(round);
        bytes += ran.bytes;
        last = Some(ran.outputs);
    }
    let millis = (cpu() - start) * 1e3 / rounds as f64;
    Many { millis, bytes: bytes as f64 / rounds as f64, last: last.expect("a round") }
}

/// Milliseconds of CPU of a step while every processor takes such steps.
pub(crate) fn everywhere<T>(rounds: u64, step: impl Fn(u64) -> Ran<T> + Sync) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let pid = std::process::id();
    let cpu = || cpu_seconds(pid).expect("/proc");
    let start = cpu();
    std::thread::scope(|scope| {
        for processor in 0..processors {
            let step = &step;
            scope.spawn(move || (0..rounds).for_each(|round| drop(step(processor * rounds + round))));
        }
    });
    (cpu() - start) * 1e3 / (rounds * processors) as f64
}

/// A run of the benchmark's key.
pub(crate) fn session(scheme: Scheme, holders: &Holders, purpose: Purpose, attempt: u64) -> Session {
    Session {
        cluster: ClusterId(tagged_hash("keystead/bench", b"cluster")),
        key: "hot".parse().expect("a name"),
        scheme,
        epoch: 1,
        holders: holders.clone(),
        policy_version: 1,
        purpose,
        attempt: tagged_hash("keystead/bench", &attempt.to_le_bytes()),
    }
}

/// Runs a protocol among all that take part, in the order in which they speak.
pub(crate) fn drive<P: Protocol>(
    session: &Session,
    mut protocol: impl FnMut(&Name) -> P,
) -> Ran<BTreeMap<Name, P::Output>> {
    let mut source = File::open("/dev/urandom").expect("randomness");
    let mut fill = |bytes: &mut [u8]| source.read_exact(bytes).expect("randomness");
    let machine = |me: &Name| (me.clone(), Machine::new(begun(session, me), protocol(me)));
    let mut machines: BTreeMap<Name, Machine<P>> = session.participants().iter().map(machine).collect();
    let mut net = Net { on_the_way: VecDeque::new(), outputs: BTreeMap::new(), bytes: 0 };
    for (me, machine) in &mut machines {
        let step = machine.start(&mut fill);
        net.take(me, session, step);
    }
    while let Some((to, delivery)) = net.on_the_way.pop_front() {
        if let Some(machine) = machines.get_mut(&to) {
            let step = machine.on_message(delivery, &mut fill);
            net.take(&to, session, step);
        }
    }
    assert_eq!(net.outputs.len(), machines.len(), "everyone ends");
    Ran { outputs: net.outputs, bytes: net.bytes }
}

fn begun(session: &Session, me: &Name) -> Begun {
    let mut journal = Journal::default();
    let unwritten = journal.begin(session.clone(), me).expect("a session");
    unwritten.write(&mut journal, |_| Ok::<(), std::convert::Infallible>(())).expect("a record")
}

struct Net<T> {
    on_the_way: VecDeque<(Name, Delivery)>,
    outputs: BTreeMap<Name, T>,
    bytes: usize,
}

impl<T> Net<T> {
    fn take(&mut self, me: &Name, session: &Session, step: Step<T>) {
        for parcel in step.messages {
            let others = session.participants().into_iter().filter(|name| name != me);
            for to in others.filter(|to| parcel.to.as_ref().is_none_or(|only| only == to)) {
                self.bytes += parcel.payload.expose().len();
                self.on_the_way.push_back((to, delivery(me, &parcel)));
            }
        }
        match step.end {
            Some(End::Done(output)) => drop(self.outputs.insert(me.clone(), output)),
            Some(End::Aborted(unwritten)) => panic!("a run ended: {:?}", unwritten.record()),
            None => {}
        }
    }
}

fn delivery(from: &Name, parcel: &Parcel) -> Delivery {
    Delivery {
        session: parcel.session,
        round: parcel.round,
        kind: parcel.kind,
        from: from.clone(),
        to: parcel.to.clone(),
        payload: Secret::new(parcel.payload.expose().clone()),
    }
}

//! One world: nodes, network, clocks, clients and weather, in the order of one queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use keystead_base::{Name, tagged_hash};
use keystead_threshold::{Holders, Purpose, Scheme};

use super::ThresholdPlan;
use super::log::{CEREMONY_MILLIS, Convening, GRANT_MILLIS, Grant, State, Word};
use super::node::{Disk, Node};
use super::oracle::Oracle;
use super::report::{Broken, ThresholdReport};
use super::shell::{Crashed, Mail, Shell};
use crate::Dice;

/// When everything but the lies is healed.
const HEALED: u64 = 45_000;
/// When clients ask no more.
const LAST_ASKED: u64 = 57_000;
/// When it is over: whatever was granted is signed or has expired.
const END: u64 = LAST_ASKED + GRANT_MILLIS + 2_000;
/// How often a node looks at its timers.
const WAKE_MILLIS: u64 = 230;

enum Event {
    Mail(Name, Mail),
    Word(Name, Word),
    Wake(Name, u64),
    Start(Name),
    Client,
    Weather,
    Heal,
}

/// What the network does now.
#[derive(Default)]
struct Weather {
    loss_per_mille: u64,
    apart: BTreeSet<Name>,
    clears: u64,
}

pub(crate) struct World {
    plan: ThresholdPlan,
    dice: Dice,
    now: u64,
    count: u64,
    queue: BTreeMap<(u64, u64), Event>,
    nodes: BTreeMap<Name, Node>,
    names: Vec<Name>,
    threshold: u8,
    log: State,
    views: VecDeque<Rc<State>>,
    oracle: Oracle,
    report: ThresholdReport,
    weather: Weather,
    snapshots: BTreeMap<Name, Disk>,
}

impl World {
    pub(crate) fn new(plan: ThresholdPlan) -> Self {
        let mut dice = Dice::new(plan.seed ^ 0x7468_7265_7368_6f6c);
        let cheap = plan.scheme != Scheme::EcdsaDkls23;
        let threshold = if cheap { dice.between(2, 3) as u8 } else { 2 };
        let count = if cheap { usize::from(threshold) * 2 + 1 } else { 3 };
        let names: Vec<Name> =
            "abcdefg".chars().take(count).map(|it| it.to_string().parse().expect("a name")).collect();
        let mut oracle = Oracle::default();
        for _ in 0..dice.below(u64::from(threshold)) {
            oracle.evil.insert(dice.pick(&names).clone());
        }
        let node = |name: &Name| (name.clone(), Node::new(name.clone(), oracle.evil.contains(name)));
        let nodes = names.iter().map(node).collect();
        let log = State::new(plan.scheme, plan.bug);
        let views = VecDeque::from([Rc::new(log.clone())]);
        let report = ThresholdReport { seeds: 1, ..ThresholdReport::default() };
        let mut world = Self {
            plan,
            dice,
            now: 0,
            count: 0,
            queue: BTreeMap::new(),
            nodes,
            names,
            threshold,
            log,
            views,
            oracle,
            report,
            weather: Weather::default(),
            snapshots: BTreeMap::new(),
        };
        world.names.clone().into_iter().for_each(|name| world.at(0, Event::Start(name)));
        world.at(100, Event::Client);
        world.at(1_500, Event::Weather);
        world.at(HEALED, Event::Heal);
        world
    }

    pub(crate) fn run(mut self) -> ThresholdReport {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > END {
                break;
            }
            self.now = at;
            self.report.steps += 1;
            self.handle(event);
            if self.log.tick(self.now) {
                self.published();
            }
            self.oracle.look(&self.nodes, &self.log, self.now);
            if self.oracle.broken().is_some() {
                break;
            }
        }
        self.close()
    }

    fn close(mut self) -> ThresholdReport {
        self.report.millis = self.now;
        let calm = self.log.grants.values().filter(|grant| grant.asked > HEALED);
        let late = calm.clone().find(|grant| grant.signed.is_none() && grant.expires < self.now);
        let took = calm.filter_map(|grant| Some(grant.signed? - grant.asked)).max();
        self.report.slowest_millis = took.unwrap_or_default();
        let signed = self.log.grants.values().filter(|grant| grant.signed.is_some()).count();
        for (kind, count) in [
            ("grants", self.log.grants.len() as u64),
            ("signatures", signed as u64),
            ("epochs", u64::from(self.log.epoch)),
            ("repairs", self.log.repairs),
        ] {
            *self.report.reached.entry(kind).or_default() += count;
        }
        let unsigned = late.map(|grant| Broken {
            rule: "D3",
            what: format!("what was granted at {} ms, all being healed, is not signed", grant.asked),
        });
        let broken = self.oracle.broken().cloned().or(unsigned);
        self.report.violations.extend(broken.map(|broken| (self.plan.seed, broken)));
        self.report
    }

    fn at(&mut self, delay: u64, event: Event) {
        self.count += 1;
        self.queue.insert((self.now + delay, self.count), event);
    }

    fn stormy(&self) -> bool {
        self.now < HEALED
    }

    fn handle(&mut self, event: Event) {
        self.trace(&event);
        match event {
            Event::Mail(to, mail) => self.step(&to, |node, shell| node.on_mail(mail, shell)),
            Event::Word(from, word) => {
                if self.log.hear(&from, word, self.now) {
                    self.published();
                }
            }
            Event::Wake(name, incarnation) => self.wake(name, incarnation),
            Event::Start(name) => self.start(name),
            Event::Client => self.client(),
            Event::Weather => self.turn_weather(),
            Event::Heal => self.heal(),
        }
    }

    /// Of what is said in ECDSA only that it is said: its library draws by itself.
    fn trace(&mut self, event: &Event) {
        let drawn = self.plan.scheme == Scheme::EcdsaDkls23;
        let what = match event {
            Event::Mail(to, Mail::Wire(wire)) if drawn => format!("{to} {} {}", wire.from, wire.round),
            Event::Mail(to, Mail::Wire(wire)) => format!("{to} {wire:?}"),
            Event::Mail(to, Mail::Call(call)) => format!("{to} {} {:?}", call.leader, call.signers),
            Event::Word(from, word) if drawn => format!("{from} {:?}", std::mem::discriminant(word)),
            Event::Word(from, word) => format!("{from} {word:?}"),
            Event::Wake(name, incarnation) => format!("{name} {incarnation}"),
            Event::Start(name) => format!("{name} starts"),
            Event::Client => "client".to_owned(),
            Event::Weather => "weather".to_owned(),
            Event::Heal => "heal".to_owned(),
        };
        self.report.trace(format!("{} {what}", self.now).as_bytes());
    }

    fn published(&mut self) {
        self.oracle.allow(&self.log);
        self.views.push_back(Rc::new(self.log.clone()));
        if self.views.len() > 3 {
            self.views.pop_front();
        }
    }

    /// Lets a node act, and sends what it says on its way.
    fn step(&mut self, name: &Name, act: impl FnOnce(&mut Node, &mut Shell<'_>) -> Result<(), Crashed>) {
        let stormy = self.stormy();
        let Some(node) = self.nodes.get_mut(name) else { return };
        let mut shell = Shell {
            now: self.now,
            dice: &mut self.dice,
            oracle: &mut self.oracle,
            report: &mut self.report,
            log: &self.log,
            bug: self.plan.bug,
            stormy,
            mail: Vec::new(),
            words: Vec::new(),
        };
        let crashed = act(node, &mut shell).is_err();
        let (mail, words) = (shell.mail, shell.words);
        if crashed {
            self.crash(name);
        }
        mail.into_iter().for_each(|(to, mail)| self.post(name, to, mail));
        for word in words {
            let delay = self.dice.between(20, 200);
            if !self.weather.apart.contains(name) {
                self.at(delay, Event::Word(name.clone(), word));
            }
        }
    }

    fn crash(&mut self, name: &Name) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.life = None;
        let delay = if self.stormy() { self.dice.between(100, 2_500) } else { 50 };
        self.at(delay, Event::Start(name.clone()));
    }

    /// A copy on its way: lost, late, twice, or cut off.
    fn post(&mut self, from: &Name, to: Name, mail: Mail) {
        let apart = |name: &Name| self.weather.apart.contains(name);
        if apart(from) != apart(&to) {
            return self.report.fault("cut off");
        }
        if self.dice.chance(self.weather.loss_per_mille) {
            return self.report.fault("loss");
        }
        let stormy = self.stormy();
        if self.dice.chance(if stormy { 30 } else { 5 }) {
            self.report.fault("duplicate");
            let delay = self.dice.between(5, 2_000);
            self.at(delay, Event::Mail(to.clone(), mail.clone()));
        }
        let long = stormy && self.dice.chance(20);
        let delay = if long { self.dice.between(200, 2_500) } else { self.dice.between(2, 40) };
        if long {
            self.report.fault("long delay");
        }
        self.at(delay, Event::Mail(to, mail));
    }

    fn start(&mut self, name: Name) {
        let view = self.views.back().map(Rc::clone).expect("a view");
        self.step(&name, |node, shell| {
            node.start(view, shell);
            Ok(())
        });
        let incarnation = self.nodes[&name].incarnation;
        let delay = self.dice.below(WAKE_MILLIS);
        self.at(delay, Event::Wake(name, incarnation));
    }

    fn wake(&mut self, name: Name, incarnation: u64) {
        let node = &self.nodes[&name];
        if node.incarnation != incarnation || node.life.is_none() {
            return;
        }
        let reads = !self.weather.apart.contains(&name) && self.dice.chance(800);
        let lag = if self.stormy() && self.dice.chance(200) { 0 } else { self.views.len() - 1 };
        let view = reads.then(|| Rc::clone(&self.views[lag]));
        self.step(&name, |node, shell| node.wake(view, shell));
        self.at(WAKE_MILLIS, Event::Wake(name, incarnation));
    }

    fn client(&mut self) {
        if self.now > LAST_ASKED {
            return;
        }
        let keyless = self.log.epoch == 0;
        let cheap = self.plan.scheme != Scheme::EcdsaDkls23;
        let hurt = !self.oracle.hurt.is_empty() && self.dice.chance(500);
        if self.log.convening.is_none() && (keyless || hurt || self.dice.chance(if cheap { 250 } else { 30 }))
        {
            self.ask_ceremony();
        } else if !keyless {
            self.ask_signature();
        }
        let pause = self.dice.between(200, 900);
        self.at(pause, Event::Client);
    }

    fn ask_signature(&mut self) {
        let id = self.log.grants.len() as u64;
        let text = tagged_hash(
            "keystead/simulated-grant",
            &[self.plan.seed.to_le_bytes(), id.to_le_bytes()].concat(),
        );
        let (epoch, asked, expires) = (self.log.epoch, self.now, self.now + GRANT_MILLIS);
        self.log.grants.insert(id, Grant { text: text.0, epoch, asked, expires, signed: None });
        self.published();
    }

    fn ask_ceremony(&mut self) {
        let old = self.log.sharing().map(|it| it.public.holders.clone());
        let Some((holders, purpose)) = self.purpose(old) else { return };
        let epoch = self.log.epoch.max(1);
        self.count += 1;
        self.log.convening = Some(Convening {
            request: self.count,
            purpose,
            holders,
            epoch,
            seats: BTreeMap::new(),
            dealt: BTreeMap::new(),
            proven: BTreeSet::new(),
            expires: self.now + CEREMONY_MILLIS,
        });
        self.published();
    }

    fn purpose(&mut self, old: Option<Holders>) -> Option<(Holders, Purpose)> {
        let Some(old) = old else { return Some((self.draw_holders()?, Purpose::Generate)) };
        let threshold = usize::from(old.threshold());
        let lost = self.oracle.hurt.iter().find(|name| old.holds(name)).cloned();
        let repairs = self.plan.scheme != Scheme::EcdsaDkls23 && self.dice.chance(900);
        if let (Some(lost), true) = (lost, repairs) {
            let others: Vec<Name> = old.members().iter().filter(|name| **name != lost).cloned().collect();
            let helpers = self.some_of(others, threshold)?;
            return Some((old, Purpose::Repair { lost, helpers }));
        }
        if self.dice.chance(400) {
            return Some((old, Purpose::Refresh));
        }
        let dealers = self.candidates(old.members(), threshold);
        let dealers = self.some_of(dealers, threshold)?;
        let next = self.draw_holders()?;
        Some((old, Purpose::Reshare { dealers, next }))
    }

    /// Holders of whom as many as sign neither lie nor were put back.
    fn draw_holders(&mut self) -> Option<Holders> {
        for _ in 0..50 {
            let cheap = self.plan.scheme != Scheme::EcdsaDkls23;
            let threshold = self.threshold + u8::from(cheap && self.dice.chance(300));
            let most = self.names.len() as u64;
            let count = self.dice.between(u64::from(threshold), most);
            let Some(members) = self.some_of(self.names.clone(), usize::try_from(count).ok()?) else {
                continue;
            };
            if members.iter().filter(|name| self.is_sound(name)).count() >= usize::from(threshold) {
                return Holders::new(threshold, members).ok();
            }
        }
        None
    }

    /// Every other time those alone who neither lie nor were put back, as people choose who saw aborts that name somebody.
    fn candidates(&mut self, from: &[Name], least: usize) -> Vec<Name> {
        let sound: Vec<Name> = from.iter().filter(|name| self.is_sound(name)).cloned().collect();
        if sound.len() >= least && self.dice.chance(500) { sound } else { from.to_vec() }
    }

    fn is_sound(&self, name: &Name) -> bool {
        !self.oracle.evil.contains(name) && !self.oracle.tainted.contains(name)
    }

    fn some_of(&mut self, mut from: Vec<Name>, count: usize) -> Option<Vec<Name>> {
        let mut some = Vec::new();
        while some.len() < count {
            if from.is_empty() {
                return None;
            }
            let at = self.dice.index(from.len());
            some.push(from.swap_remove(at));
        }
        Some(some)
    }

    fn turn_weather(&mut self) {
        if !self.stormy() {
            return;
        }
        if self.weather.clears < self.now {
            self.weather = Weather::default();
        }
        let name = self.dice.pick(&self.names.clone()).clone();
        match self.dice.below(8) {
            0 => {
                self.weather.loss_per_mille = self.dice.between(50, 300);
                self.weather.clears = self.now + self.dice.between(500, 3_000);
            }
            1 => {
                self.report.fault("partition");
                let count = self.dice.index(self.names.len() / 2) + 1;
                self.weather.apart = self.some_of(self.names.clone(), count).into_iter().flatten().collect();
                self.weather.clears = self.now + self.dice.between(500, 4_000);
            }
            2 => {
                self.report.fault("clock");
                let node = self.nodes.get_mut(&name).expect("a node");
                node.skew = self.dice.between(0, 7_200_000) as i64 - 3_600_000;
                node.pace = self.dice.between(50, 200);
            }
            3 => {
                self.report.fault("power");
                self.crash(&name);
            }
            4 | 5 => self.put_back(&name),
            _ => {
                let disk = self.nodes[&name].disk.clone();
                self.snapshots.insert(name, disk);
            }
        }
        let pause = self.dice.between(300, 1_800);
        self.at(pause, Event::Weather);
    }

    /// A node's disk is an older one, or empty; only where enough others hold what it may lose.
    fn put_back(&mut self, name: &Name) {
        let convening = self.log.convening.as_ref();
        let sharings = self.log.sharing().into_iter().map(|it| &it.public.holders);
        let sound = |holders: &Holders| {
            let others = holders.members().iter().filter(|it| *it != name && self.is_sound(it));
            others.count() >= usize::from(holders.threshold())
        };
        let spared = sharings.chain(convening.iter().map(|it| it.next())).all(sound);
        if !self.is_sound(name) || !spared || self.log.epoch == 0 {
            return;
        }
        self.report.fault("put back");
        let disk = self.snapshots.get(name).cloned().unwrap_or_default();
        let lost = self.log.sharing().is_some_and(|it| {
            it.public.holders.holds(name) && !disk.shares.contains_key(&(it.epoch, it.attempt))
        });
        self.nodes.get_mut(name).expect("a node").disk = disk;
        self.oracle.tainted.insert(name.clone());
        let reported = convening.is_some_and(|it| it.dealt.contains_key(name));
        if lost || reported {
            self.oracle.hurt.insert(name.clone());
        }
        self.crash(name);
    }

    fn heal(&mut self) {
        self.weather = Weather::default();
        for node in self.nodes.values_mut() {
            (node.skew, node.pace) = (0, 100);
        }
    }
}

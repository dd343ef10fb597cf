//! `cargo xtask bench threshold`: what signatures of shared keys cost, beside the same library's plain signature.
//!
//! The floor is the bare protocols in one process, all parties on one thread, without disk, network, policy or log; the
//! full path is five nodes as processes. docs/bench-threshold.md says what each figure is.

mod ceremonies;
mod keys;
mod path;
mod report;
mod runs;

use std::time::Duration;

use keystead_intent::KeyKind;
use keystead_threshold::{Bip340, Ed25519, Holders};
use serde::Serialize;
use tokio::runtime::Runtime;

use self::keys::{Ecdsa, Frost, Kind, plain};
use self::path::{Plan, Sharing};
use self::report::Report;

/// How it is told, and how much is measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    quick: bool,
    json: bool,
}

impl Options {
    /// Reads the words after `threshold`; gives the one that it does not know back.
    pub(crate) fn parse(words: &[String]) -> Result<Self, &str> {
        let mut options = Self::default();
        for word in words {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--json" => options.json = true,
                unknown => return Err(unknown),
            }
        }
        Ok(options)
    }
}

const FULL: Plan = Plan { added: &[10, 40, 120], clients: &[1, 8, 64], span: Duration::from_secs(5) };

/// Every figure once, too short to mean much: for the test that all of them are there.
const QUICK: Plan = Plan { added: &[10], clients: &[1, 8], span: Duration::from_millis(500) };

/// The same for the kinds whose ceremonies and messages take the same way.
const QUICK_OTHERS: Plan = Plan { added: &[], clients: &[8], span: Duration::from_millis(500) };

/// One kind of key in one sharing. Milliseconds are of CPU, of all parties together.
#[derive(Debug, Serialize)]
pub(crate) struct Floor {
    pub(crate) scheme: &'static str,
    pub(crate) threshold: u8,
    pub(crate) holders: u8,
    pub(crate) sign_millis: f64,
    /// The same while every processor of the machine signs so: what a second costs where nothing is idle. Processors that
    /// share a core slow each other, and the clock of CPU goes on.
    pub(crate) busy_millis: f64,
    /// What all signers sent for one signature, without envelopes.
    pub(crate) sign_bytes: f64,
    /// The library's own signature by one whole key, in the same run.
    pub(crate) plain_millis: f64,
    /// Parsing a sealed share: for each run, by each signer. Not in `sign_millis`.
    pub(crate) read_millis: f64,
    pub(crate) share_bytes: f64,
    pub(crate) birth_millis: f64,
    pub(crate) birth_bytes: f64,
    pub(crate) refresh_millis: f64,
    pub(crate) reshare_millis: f64,
}

/// Measures and tells.
pub(crate) fn run(runtime: &Runtime, options: Options) {
    let plan = if options.quick { &QUICK } else { &FULL };
    let sharings = if options.quick { &SHARINGS[..1] } else { &SHARINGS };
    let floor = sharings.iter().flat_map(|sharing| floors(*sharing, options.quick)).collect();
    let other = if options.quick { &QUICK_OTHERS } else { plan };
    let kinds = [
        (KeyKind::ThresholdSecp256k1, plan),
        (KeyKind::ThresholdBip340, other),
        (KeyKind::ThresholdEd25519, other),
    ];
    let each = |sharing: &Sharing| kinds.map(|(kind, plan)| path::run(runtime, plan, kind, *sharing));
    let paths = sharings.iter().flat_map(each).collect();
    let report = Report::new(floor, paths);
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&report).expect("JSON")),
        false => report.print(),
    }
}

fn floors(sharing: Sharing, quick: bool) -> [Floor; 3] {
    let names = (0..sharing.holders).map(|it| format!("floor-{it}").parse().expect("a name")).collect();
    let holders = Holders::new(sharing.threshold, names).expect("holders");
    [
        measure(&Ecdsa, &holders, if quick { 10 } else { 100 }),
        measure(&Frost::<Bip340>::new(), &holders, if quick { 30 } else { 1_000 }),
        measure(&Frost::<Ed25519>::new(), &holders, if quick { 30 } else { 1_000 }),
    ]
}

fn measure<K: Kind>(kind: &K, holders: &Holders, rounds: u64) -> Floor {
    eprintln!("{} {} of {}", K::NAME, holders.threshold(), holders.count());
    // Ceremonies of FROST take milliseconds, and the clock ticks in tens of them.
    let ceremonies = if K::CEREMONIES_ARE_CHEAP { rounds.div_ceil(10) } else { 1 };
    let birth = runs::many(ceremonies, |attempt| kind.birth(holders, attempt));
    let (refresh, reshare) = (
        runs::many(ceremonies, |attempt| kind.refresh(&birth.last, attempt)),
        runs::many(ceremonies, |attempt| kind.reshare(&birth.last, holders, attempt)),
    );
    let read = runs::many(rounds, |_| kind.read(&birth.last));
    let sign = runs::many(rounds, |attempt| kind.sign(&birth.last, holders, attempt));
    let busy = runs::everywhere(rounds, |attempt| kind.sign(&birth.last, holders, attempt));
    let one_share = birth.last.values().next().map_or(0, |share| share.expose().len());
    Floor {
        scheme: K::NAME,
        threshold: holders.threshold(),
        holders: holders.count(),
        sign_millis: without_reading(sign.millis, read.millis, holders),
        busy_millis: without_reading(busy, read.millis, holders),
        sign_bytes: sign.bytes,
        plain_millis: plain::<K>(rounds * 20),
        read_millis: read.millis / f64::from(holders.count()),
        share_bytes: one_share as f64,
        birth_millis: birth.millis,
        birth_bytes: birth.bytes,
        refresh_millis: refresh.millis,
        reshare_millis: reshare.millis,
    }
}

/// Each run parses the shares that it consumes.
fn without_reading(sign: f64, read: f64, holders: &Holders) -> f64 {
    sign - read * f64::from(holders.threshold()) / f64::from(holders.count())
}

fn millis(millis: f64) -> String {
    format!("{millis:.3} ms")
}

const SHARINGS: [Sharing; 2] = [Sharing { threshold: 2, holders: 3 }, Sharing { threshold: 3, holders: 5 }];

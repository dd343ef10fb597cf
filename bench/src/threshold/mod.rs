//! `cargo xtask bench threshold`: what signatures of shared keys cost, beside the same library's plain signature.
//!
//! Today it has the floor: the bare protocols in one process, all parties on one thread, without disk, network, policy or
//! log. docs/bench-threshold.md says what each figure is.

mod keys;
mod runs;

use keystead_threshold::{Bip340, Ed25519, Holders};
use serde::Serialize;

use self::keys::{Ecdsa, Frost, Kind, plain};
use crate::table;

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

/// Everything.
#[derive(Debug, Serialize)]
struct Report {
    /// Processors of the machine; the floor uses one.
    processors: usize,
    floor: Vec<Floor>,
}

/// One kind of key in one sharing. Milliseconds are of CPU, of all parties together.
#[derive(Debug, Serialize)]
pub(crate) struct Floor {
    pub(crate) scheme: &'static str,
    pub(crate) threshold: u8,
    pub(crate) holders: u8,
    pub(crate) sign_millis: f64,
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
pub(crate) fn run(options: Options) {
    let sharings: &[(u8, &str)] =
        if options.quick { &[(2, "a b c")] } else { &[(2, "a b c"), (3, "a b c d e")] };
    let mut floor = Vec::new();
    for (threshold, names) in sharings {
        let names = names.split(' ').map(|name| name.parse().expect("a name")).collect();
        let holders = Holders::new(*threshold, names).expect("holders");
        floor.push(measure(&Ecdsa, &holders, if options.quick { 10 } else { 100 }));
        floor.push(measure(&Frost::<Bip340>::new(), &holders, if options.quick { 30 } else { 1_000 }));
        floor.push(measure(&Frost::<Ed25519>::new(), &holders, if options.quick { 30 } else { 1_000 }));
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let report = Report { processors, floor };
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&report).expect("JSON")),
        false => report.print(),
    }
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
    let one_share = birth.last.values().next().map_or(0, |share| share.expose().len());
    Floor {
        scheme: K::NAME,
        threshold: holders.threshold(),
        holders: holders.count(),
        // Each run parses the shares that it consumes.
        sign_millis: sign.millis - read.millis * f64::from(holders.threshold()) / f64::from(holders.count()),
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

impl Report {
    fn print(&self) {
        let head =
            ["key", "t of n", "sign", "a signer", "plain", "times", "bytes", "read a share", "share bytes"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.floor.iter().map(|it| {
            let (sign, plain) = (it.sign_millis, it.plain_millis);
            vec![
                it.scheme.to_owned(),
                format!("{} of {}", it.threshold, it.holders),
                millis(sign),
                millis(sign / f64::from(it.threshold)),
                millis(plain),
                format!("{:.0}", sign / plain),
                table::nanos(it.sign_bytes),
                millis(it.read_millis),
                table::nanos(it.share_bytes),
            ]
        }));
        table::print("One signature in one process: CPU of all signers, beside the plain one", &rows);
        let mut rows =
            vec![["key", "t of n", "birth", "bytes", "refresh", "reshare"].map(str::to_owned).to_vec()];
        rows.extend(self.floor.iter().map(|it| {
            vec![
                it.scheme.to_owned(),
                format!("{} of {}", it.threshold, it.holders),
                millis(it.birth_millis),
                table::nanos(it.birth_bytes),
                millis(it.refresh_millis),
                millis(it.reshare_millis),
            ]
        }));
        table::print("One ceremony in one process: CPU of all holders", &rows);
        println!("\n{} processors, of which this uses one; ms of CPU from /proc", self.processors);
    }
}

fn millis(millis: f64) -> String {
    format!("{millis:.3} ms")
}

//! Two classes of inputs, measured in random order: Welch's t says how far apart their means are. Above 4.5 in either direction,
//! run after run, is a leak; on a busy machine a single run says little. Nothing is asserted of a time.

use std::hint::black_box;
use std::time::Instant;

use keystead_base::Secret;
use keystead_keys::Slip39Share;
use subtle::ConstantTimeEq as _;

use crate::subjects::{combined, early_exit, split};

/// Prints a line for each subject.
pub(crate) fn run() {
    println!("{:<44}{:>10}{:>10}", "subject (fixed secret against random ones)", "samples", "t");
    let fixed = [0x5a; 64];
    line("comparison", 100_000, &|bytes| {
        let other = Secret::new(fixed);
        black_box(Secret::new(*bytes).ct_eq(&other));
    });
    line("SLIP-39 split", 400, &|bytes| {
        black_box(split(&Secret::new(bytes.iter().take(32).copied().collect())));
    });
    let shares = [split(&Secret::new(fixed.iter().take(32).copied().collect())), split(&random_secret())];
    pair("SLIP-39 combine", 400, &|class| {
        black_box(combined(shares.get(usize::from(class)).map_or(&[], Vec::as_slice)));
    });
    let words = shares.each_ref().map(|it| it.first().map(|it| it.words()));
    pair("SLIP-39 words read (of one length or not)", 2_000, &|class| {
        if let Some(Some(words)) = words.get(usize::from(class)) {
            black_box(Slip39Share::from_words(words.expose()).is_ok());
        }
    });
    line("control: a comparison that ends early", 100_000, &|bytes| {
        black_box(early_exit(bytes, &fixed));
    });
}

fn random_secret() -> Secret<Vec<u8>> {
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    Secret::new((0..32).map(|_| draw.byte()).collect())
}

/// The fixed class is what the subject compares with.
fn line(name: &str, samples: usize, subject: &dyn Fn(&[u8; 64])) {
    let mut draw = Draw(samples as u64 | 1);
    let inputs: Vec<(bool, [u8; 64])> = (0..samples)
        .map(|_| {
            let class = draw.byte() & 1 == 1;
            (class, if class { std::array::from_fn(|_| draw.byte()) } else { [0x5a; 64] })
        })
        .collect();
    report(name, inputs.iter().map(|(class, input)| (*class, timed(&|| subject(input)))));
}

fn pair(name: &str, samples: usize, subject: &dyn Fn(bool)) {
    let mut draw = Draw(samples as u64 | 1);
    let classes: Vec<bool> = (0..samples).map(|_| draw.byte() & 1 == 1).collect();
    report(name, classes.into_iter().map(|class| (class, timed(&|| subject(class)))));
}

fn timed(what: &dyn Fn()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_nanos() as f64
}

/// The slowest tenth is the machine's, and left out of both classes alike.
fn report(name: &str, measured: impl Iterator<Item = (bool, f64)>) {
    let measured: Vec<(bool, f64)> = measured.collect();
    let mut all: Vec<f64> = measured.iter().map(|it| it.1).collect();
    all.sort_by(f64::total_cmp);
    let cut = all.get(all.len() * 9 / 10).copied().unwrap_or(f64::MAX);
    let of = |class: bool| {
        let times: Vec<f64> =
            measured.iter().filter(|it| it.0 == class && it.1 <= cut).map(|it| it.1).collect();
        let count = times.len().max(2) as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((one, spread), (other, spread_of_other)) = (of(false), of(true));
    let t = (one - other) / (spread + spread_of_other).sqrt();
    println!("{name:<44}{:>10}{t:>10.1}", measured.len());
}

/// SplitMix64: only what order and bytes are measured in.
struct Draw(u64);

impl Draw {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 56) as u8
    }
}

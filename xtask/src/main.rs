//! The chores of the house: what a person or the CI types instead of remembering command lines.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the terminal it runs in")]

mod apart;
mod bench;
mod constant_time;
mod debian;
mod fuzz;
mod kryoptic;
mod libsecp256k1;
mod licenses;
mod miri;
mod mutants;
mod npm;
mod places;
mod python;
mod secrets;
mod simulate;
mod spdx;
mod step;
mod swap;
mod test;

use std::process::ExitCode;

use step::Failure;

/// A chore: its words on the command line, what it does, and the function that does it.
struct Chore {
    words: &'static [&'static str],
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<(), Failure>,
}

const CHORES: &[Chore] = &[
    Chore {
        words: &["test"],
        arguments: "[ARGUMENTS OF cargo test]",
        about: "install what the tests need, build everything, run every test",
        run: test::run,
    },
    Chore {
        words: &["packages"],
        arguments: "",
        about: "install the Debian packages that building the whole workspace and its tests need",
        run: debian::run,
    },
    Chore {
        words: &["licenses"],
        arguments: "",
        about: "check the license, the name and the source of every dependency",
        run: licenses::run,
    },
    Chore {
        words: &["apart"],
        arguments: "",
        about: "check formatting, lints and documentation of what has a workspace of its own",
        run: apart::check,
    },
    Chore {
        words: &["bench", "build"],
        arguments: "",
        about: "build the product from nothing: crates, minutes, the dearest dependencies",
        run: bench::build,
    },
    Chore {
        words: &["bench"],
        arguments: "[micro|floors|path] | cluster [--quick] [--json] [--nodes 1|3|4] | surfaces|threshold [--quick] [--json]",
        about: "print figures and their ratios to the floors measured in the same run",
        run: bench::figures,
    },
    Chore {
        words: &["fuzz"],
        arguments: "TARGET [-- ARGUMENTS OF libFuzzer, for instance -max_total_time=60]",
        about: "feed one parser under libFuzzer; needs a nightly toolchain and cargo-fuzz",
        run: fuzz::run,
    },
    Chore {
        words: &["simulate"],
        arguments: "--seeds N [--seed S] [--nodes 1|3|4|7] [--bug NAME] [--lost 1] [--shares 1] | --threshold [SCHEME] --seeds N [--seed S] [--bug NAME]",
        about: "simulate whole clusters, or threshold keys, under faults and lies; print what was found and how to run it again",
        run: simulate::run,
    },
    Chore {
        words: &["mutants"],
        arguments: "[quorum|decision|policy|chain ...] [--file PART] [--shard K/N] [--jobs N] [--list] [--fresh]",
        about: "change the policy, decision, chain and quorum crates one place at a time; print what no test noticed",
        run: mutants::run,
    },
    Chore {
        words: &["secrets"],
        arguments: "",
        about: "run a whole scenario, and search all that it left and holds for its secrets",
        run: secrets::run,
    },
    Chore {
        words: &["constant-time"],
        arguments: "",
        about: "look for branches, addresses and time that depend on secrets in our own code; needs valgrind",
        run: constant_time::run,
    },
    Chore {
        words: &["miri"],
        arguments: "[ARGUMENTS OF cargo miri test]",
        about: "run the tests of crates that call no C under Miri; needs a nightly toolchain that has it",
        run: miri::run,
    },
    Chore {
        words: &["kryoptic"],
        arguments: "[-- NAMES OF TESTS]",
        about: "run the suite of all homes over Kryoptic's PKCS#11 module, ML-DSA among it; compiles OpenSSL",
        run: kryoptic::run,
    },
    Chore {
        words: &["libsecp256k1"],
        arguments: "",
        about: "run the linked C library's own suites from its crate's sources; needs cc and valgrind",
        run: libsecp256k1::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((chore, rest)) = find(&arguments) else {
        print_usage();
        let asked = arguments.first().is_some_and(|first| first == "--help");
        return if asked { ExitCode::SUCCESS } else { ExitCode::from(USAGE_ERROR) };
    };
    if asks_for_help(rest) {
        println!("{}", usage_of(chore));
        return ExitCode::SUCCESS;
    }
    match (chore.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The chore whose words come first, and the arguments after them.
fn find(arguments: &[String]) -> Option<(&'static Chore, &[String])> {
    CHORES.iter().find_map(|chore| {
        let (words, rest) = arguments.split_at_checked(chore.words.len())?;
        (words == chore.words).then_some((chore, rest))
    })
}

fn asks_for_help(arguments: &[String]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--help")
}

fn print_usage() {
    println!("cargo xtask CHORE\n");
    for chore in CHORES {
        println!("{}", usage_of(chore));
    }
}

fn usage_of(chore: &Chore) -> String {
    let line = format!("cargo xtask {} {}", chore.words.join(" "), chore.arguments);
    format!("  {}\n      {}", line.trim_end(), chore.about)
}

/// What shells and `sysexits.h` users expect for a wrong command line.
const USAGE_ERROR: u8 = 2;

//! Figures, each beside the floor measured in the same run.
//!
//! `cargo xtask bench` runs everything but the last three; `cargo xtask bench micro|floors|path` one part;
//! `cargo xtask bench cluster` clusters of nodes, `cargo xtask bench surfaces` what programs speak to, `cargo xtask bench
//! threshold` shared keys. Nothing here asserts a time: a benchmark prints, a person judges.

mod aim;
mod cluster;
mod desk;
mod floors;
mod load;
mod micro;
mod path;
mod surfaces;
mod table;
mod threshold;
mod usage;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    if let [word, folder @ ..] = parts.as_slice()
        && word == floors::SERVE
    {
        runtime.block_on(floors::serve_alone(folder.first().map(Path::new)));
    }
    if let [word, options @ ..] = parts.as_slice()
        && word == "cluster"
    {
        return clusters(&runtime, options);
    }
    if let [word, options @ ..] = parts.as_slice()
        && word == "surfaces"
    {
        return surfaces(&runtime, options);
    }
    if let [word, options @ ..] = parts.as_slice()
        && word == "threshold"
    {
        return thresholds(&runtime, options);
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|it| it == part);
    if let Some(unknown) = parts.iter().find(|it| !["micro", "floors", "path"].contains(&it.as_str())) {
        eprintln!(
            "error[bench.part]: expected micro, floors, path, cluster, surfaces or threshold, found {unknown:?}"
        );
        return ExitCode::FAILURE;
    }
    if wanted("micro") {
        micro::run();
    }
    if wanted("floors") || wanted("path") {
        let floors = runtime.block_on(floors::run());
        if wanted("path") {
            path::run(&runtime, &floors);
        }
    }
    ExitCode::SUCCESS
}

fn clusters(runtime: &tokio::runtime::Runtime, options: &[String]) -> ExitCode {
    match cluster::Options::parse(options) {
        Ok(options) => {
            cluster::run(runtime, options);
            ExitCode::SUCCESS
        }
        Err(unknown) => {
            eprintln!("error[bench.option]: expected --quick, --json or --nodes 1|3|4, found {unknown:?}");
            ExitCode::FAILURE
        }
    }
}

fn surfaces(runtime: &tokio::runtime::Runtime, options: &[String]) -> ExitCode {
    match surfaces::Options::parse(options) {
        Ok(options) => {
            surfaces::run(runtime, options);
            ExitCode::SUCCESS
        }
        Err(unknown) => {
            eprintln!("error[bench.option]: expected --quick or --json, found {unknown:?}");
            ExitCode::FAILURE
        }
    }
}

fn thresholds(runtime: &tokio::runtime::Runtime, options: &[String]) -> ExitCode {
    match threshold::Options::parse(options) {
        Ok(options) => {
            threshold::run(runtime, options);
            ExitCode::SUCCESS
        }
        Err(unknown) => {
            eprintln!("error[bench.option]: expected --quick or --json, found {unknown:?}");
            ExitCode::FAILURE
        }
    }
}

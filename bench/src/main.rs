//! Figures, each beside the floor measured in the same run.
//!
//! `cargo xtask bench` runs everything; `cargo xtask bench micro|floors|path` one part. Nothing here
//! asserts a time: a benchmark prints, a person judges.

mod floors;
mod load;
mod micro;
mod path;
mod table;
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
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|it| it == part);
    if let Some(unknown) = parts.iter().find(|it| !["micro", "floors", "path"].contains(&it.as_str())) {
        eprintln!("error[bench.part]: expected micro, floors or path, found {unknown:?}");
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

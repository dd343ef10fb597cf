//! `cargo xtask bench build`: what a first build costs, and which dependencies cost it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::step::{Failure, Step};

/// Builds the product into an empty folder and prints crates, minutes and the dearest dependencies.
pub(crate) fn build(_: &[String]) -> Result<(), Failure> {
    let folder = EmptyFolder::create()?;
    let start = Instant::now();
    Step::new(&["cargo", "build", "--release", "--locked", "--timings"])
        .setting("CARGO_TARGET_DIR", &folder.0.display().to_string())
        .setting("CARGO_INCREMENTAL", "0")
        .run()?;
    let elapsed = start.elapsed();
    let report = folder.0.join("cargo-timings/cargo-timing.html");
    let page = std::fs::read_to_string(&report).map_err(Failure::file(&report))?;
    print(elapsed, &mut units_of(&page)?);
    Ok(())
}

/// Builds the benchmarks and the product, and runs the parts that are named, or all.
pub(crate) fn figures(parts: &[String]) -> Result<(), Failure> {
    // Tests run the clients unoptimized; what is measured is not to wait for them (decision 0058).
    // All members at once: with fewer of them dependencies have other features, and are compiled again.
    let optimized = |package: &str| format!("profile.release.package.{package}.opt-level=3");
    let (bench, tests) = (optimized("keystead-bench"), optimized("keystead-tests"));
    Step::new(&["cargo", "--config", &bench, "--config", &tests])
        .with(&["build", "--release", "--locked", "--workspace", "--bins"].map(str::to_owned))
        .run()?;
    // It stands beside this program, whichever folder that was built into.
    let own = std::env::current_exe().map_err(Failure::file(Path::new("xtask")))?;
    Step::new(&[&own.with_file_name("keystead-bench").display().to_string()]).with(parts).run()
}

/// One call of the compiler, or one run of a build script.
#[derive(Debug)]
struct Unit {
    /// Name and version.
    package: String,
    /// Which part of it, for instance ` build-script (run)`; empty for the library.
    part: String,
    seconds: f64,
}

fn print(elapsed: Duration, units: &mut [Unit]) {
    let packages: BTreeSet<&str> = units.iter().map(|unit| unit.package.as_str()).collect();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let minutes = elapsed.as_secs_f64() / 60.0;
    println!("\n{} crates, {minutes:.1} minutes on {processors} processors", packages.len());
    println!("{:>9}  the dearest {DEAREST}", "seconds");
    units.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    for unit in units.iter().take(DEAREST) {
        println!("{:>9.1}  {}{}", unit.seconds, unit.package, unit.part);
    }
}

/// Cargo's report is a page whose data is one JSON array in a script.
fn units_of(page: &str) -> Result<Vec<Unit>, Failure> {
    let (_, rest) = page.split_once(DATA_START).ok_or_else(|| answer("no unit data".to_owned()))?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Vec<Value>>();
    let units = values.next().ok_or_else(|| answer("no array".to_owned()))?;
    let units = units.map_err(|error| answer(error.to_string()))?;
    units.iter().map(unit_of).collect()
}

fn unit_of(value: &Value) -> Result<Unit, Failure> {
    let text = |key: &'static str| {
        let found = value.get(key).and_then(Value::as_str);
        found.ok_or_else(|| answer(format!("a unit without {key}")))
    };
    let seconds = value.get("duration").and_then(Value::as_f64);
    let seconds = seconds.ok_or_else(|| answer("a unit without duration".to_owned()))?;
    Ok(Unit {
        package: format!("{} {}", text("name")?, text("version")?),
        part: text("target")?.to_owned(),
        seconds,
    })
}

fn answer(reason: String) -> Failure {
    Failure::Answer { tool: "cargo build --timings", reason }
}

/// A folder that is there for this build and gone after it.
struct EmptyFolder(PathBuf);

impl EmptyFolder {
    fn create() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("keystead-bench-build-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(Failure::file(&path))?;
        Ok(Self(path))
    }
}

impl Drop for EmptyFolder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        eprintln!("{}: {error}", folder.display());
    }
}

const DATA_START: &str = "const UNIT_DATA = ";
const DEAREST: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_found_in_the_page() {
        let page = r#"<script>const UNIT_DATA = [
            {"name":"cedar","version":"4.1.0","target":"","duration":61.5},
            {"name":"aws-lc-sys","version":"0.3.0","target":" build-script (run)","duration":80.25}];
            const CONCURRENCY_DATA = [];</script>"#;
        let units = units_of(page).unwrap();
        assert_eq!(units.len(), 2);
        assert_eq!((units[1].package.as_str(), units[1].seconds), ("aws-lc-sys 0.3.0", 80.25));
        assert!(units_of("<html></html>").is_err());
    }
}

//! `cargo xtask licenses`: the license, the name and the source of every dependency.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::apart;
use crate::places::root;
use crate::spdx;
use crate::step::{Failure, Step};

/// Checks every package that the lock file can bring in, on any platform and with any feature that is on.
pub(crate) fn run(_: &[String]) -> Result<(), Failure> {
    let apart = apart::FOLDERS.iter().map(|folder| root().join(folder));
    let counts = std::iter::once(root()).chain(apart).map(|folder| findings_of(&folder));
    match counts.sum::<Result<usize, Failure>>()? {
        0 => Ok(()),
        count => Err(Failure::Found { check: "licenses", count }),
    }
}

/// Prints what is found in one workspace, and how much it is.
fn findings_of(folder: &Path) -> Result<usize, Failure> {
    let metadata = metadata(folder)?;
    let lock_path = folder.join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock_path).map_err(Failure::file(&lock_path))?;
    let checksums = packages_with_checksum(&lock);
    let packages = packages_of(&metadata)?;
    let mut findings: Vec<String> = packages.iter().flat_map(|package| check(package, &checksums)).collect();
    findings.extend(registries(&packages));
    for finding in &findings {
        println!("licenses: {finding}");
    }
    println!("licenses: {} packages checked, {} findings", packages.len(), findings.len());
    Ok(findings.len())
}

/// Licenses that any dependency may have: permissive, no duty but the notice.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// File-level copyleft, and MIT with a duty for whoever changes it (`hex_lit`, which `bitcoin` names and uses in its own
/// tests): allowed for these, which we link unchanged.
const ALLOWED_BY_NAME: &[(&str, &str)] =
    &[("imbl", "MPL-2.0"), ("imbl-sized-chunks", "MPL-2.0"), ("fastrlp", "MPL-2.0"), ("hex_lit", "MITNFA")];

/// Names that may not appear, each with the reason. A name that ends in `*` is the start of names.
const BANNED: &[(&str, &str)] = &[
    ("gg18*", "protocol with published key-extraction attacks"),
    ("gg20*", "protocol with published key-extraction attacks"),
    ("multi-party-ecdsa", "GG18 and GG20, unmaintained"),
    ("cggmp21*", "RUSTSEC-2025-0127: forgery from presignatures, never patched"),
    ("sharks", "RUSTSEC-2024-0398: biased polynomials leak the secret"),
    ("openssl*", "one C library for cryptography is enough: aws-lc"),
    ("native-tls", "would bring OpenSSL"),
];

struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

fn metadata(folder: &Path) -> Result<Value, Failure> {
    let metadata = ["cargo", "metadata", "--format-version", "1", "--locked"];
    let output = Step::new(&metadata).within(folder).output()?;
    serde_json::from_slice(&output).map_err(|error| answer(error.to_string()))
}

fn packages_of(metadata: &Value) -> Result<Vec<Package>, Failure> {
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.ok_or_else(|| answer("no packages".to_owned()))?;
    packages.iter().map(package_of).collect()
}

fn package_of(value: &Value) -> Result<Package, Failure> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let required = |key: &str| text(key).ok_or_else(|| answer(format!("a package without {key}")));
    let (name, version) = (required("name")?, required("version")?);
    Ok(Package { name, version, license: text("license"), source: text("source") })
}

fn answer(reason: String) -> Failure {
    Failure::Answer { tool: "cargo metadata", reason }
}

fn check(package: &Package, checksums: &BTreeSet<(String, String)>) -> Vec<String> {
    let problems = [license_problem(package), ban_problem(package), source_problem(package, checksums)];
    let named = |problem: String| format!("{} {}: {problem}", package.name, package.version);
    problems.into_iter().flatten().map(named).collect()
}

fn license_problem(package: &Package) -> Option<String> {
    let Some(license) = &package.license else {
        return Some("has no license expression".to_owned());
    };
    let accepts =
        |one: &str| ALLOWED.contains(&one) || ALLOWED_BY_NAME.contains(&(package.name.as_str(), one));
    match spdx::is_satisfied(license, &accepts) {
        Ok(true) => None,
        Ok(false) => Some(format!("the license `{license}` is not among the allowed ones")),
        Err(error) => Some(format!("the license `{license}` is no expression: {error}")),
    }
}

fn ban_problem(package: &Package) -> Option<String> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => package.name.starts_with(start) && package.name != "openssl-probe",
        None => package.name == pattern,
    };
    let (_, reason) = BANNED.iter().find(|(pattern, _)| matches(pattern))?;
    Some(format!("is banned: {reason}"))
}

/// Our own crates have no source. Everything else comes from a registry and is pinned by its checksum; git
/// and paths outside the tree are not.
fn source_problem(package: &Package, checksums: &BTreeSet<(String, String)>) -> Option<String> {
    let source = package.source.as_deref()?;
    if !source.starts_with("registry+") {
        return Some(format!("comes from `{source}` and not from the registry"));
    }
    let key = (package.name.clone(), package.version.clone());
    (!checksums.contains(&key)).then(|| "has no checksum in Cargo.lock".to_owned())
}

/// A second registry could serve another package under a name that we trust.
fn registries(packages: &[Package]) -> Option<String> {
    let sources: BTreeSet<&str> = packages.iter().filter_map(|package| package.source.as_deref()).collect();
    (sources.len() > 1).then(|| format!("more than one source: {sources:?}"))
}

fn packages_with_checksum(lock: &str) -> BTreeSet<(String, String)> {
    let blocks = lock.split("[[package]]").filter(|block| block.contains("\nchecksum = "));
    blocks.filter_map(|block| Some((field(block, "name")?, field(block, "version")?))).collect()
}

fn field(block: &str, name: &str) -> Option<String> {
    let start = format!("{name} = \"");
    let line = block.lines().find_map(|line| line.strip_prefix(start.as_str()))?;
    Some(line.trim_end_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "registry+https://registry.example/index";

    fn problems(name: &str, license: Option<&str>, source: Option<&str>) -> usize {
        let package = Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        };
        let lock = "[[package]]\nname = \"good\"\nversion = \"1.0.0\"\nchecksum = \"00\"\n";
        check(&package, &packages_with_checksum(lock)).len()
    }

    #[test]
    fn each_rule_finds_its_own_violation() {
        for (name, license, source, expected) in [
            ("good", Some("MIT"), Some(REGISTRY), 0),
            ("keystead-base", Some("MIT OR Apache-2.0"), None, 0),
            ("good", None, Some(REGISTRY), 1),
            ("good", Some("AGPL-3.0"), Some(REGISTRY), 1),
            ("good", Some("MPL-2.0"), Some(REGISTRY), 1),
            ("imbl", Some("MPL-2.0+"), None, 0),
            ("good", Some("MIT"), Some("git+https://example.org/good"), 1),
            ("unpinned", Some("MIT"), Some(REGISTRY), 1),
            ("gg20-mpc", Some("MIT"), None, 1),
            ("openssl-sys", Some("MIT"), None, 1),
            ("openssl-probe", Some("MIT"), None, 0),
        ] {
            assert_eq!(problems(name, license, source), expected, "{name} {license:?} {source:?}");
        }
    }
}

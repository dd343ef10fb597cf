//! `cargo xtask libsecp256k1`: the suites of the C library that is linked, from the very sources that are linked.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::places::{is_installed, root};
use crate::step::{Failure, Step};

/// Takes the sources of the locked crate, gives them back the names and the functions that the crate took from them (the crate
/// ships its patches), and runs the library's tests, its exhaustive tests on a small group, and, under Valgrind, its test that no
/// branch and no address depends on a secret.
pub(crate) fn run(_: &[String]) -> Result<(), Failure> {
    require()?;
    let (version, sources) = sources()?;
    println!("libsecp256k1 as in secp256k1-sys {version}: {}", sources.display());
    let folder = root().join("target/libsecp256k1").join(&version);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    copied(&sources, &folder)?;
    let library = folder.join("secp256k1");
    restore(&folder, &library)?;
    let tables = ["src/precomputed_ecmult.c", "src/precomputed_ecmult_gen.c"];
    let constant_time = [&["-DVALGRIND", "src/ctime_tests.c", "src/secp256k1.c"][..], &tables].concat();
    compile(&library, "ctime_tests", &constant_time)?;
    Step::new(&["valgrind", "--quiet", "--error-exitcode=1", "./ctime_tests"]).within(&library).run()?;
    compile(&library, "tests", &[&["-DVERIFY", "src/tests.c"][..], &tables].concat())?;
    Step::new(&["./tests", "1"]).within(&library).run()?;
    compile(&library, "exhaustive", &["-DVERIFY", "-DEXHAUSTIVE_TEST_ORDER=13", "src/tests_exhaustive.c"])?;
    Step::new(&["./exhaustive"]).within(&library).run()?;
    println!("libsecp256k1: all three suites passed");
    Ok(())
}

fn require() -> Result<(), Failure> {
    for program in ["cc", "valgrind"] {
        if !is_installed(program) {
            return Err(Failure::Missing(format!(
                "`{program}` is not installed: apt-get install gcc valgrind"
            )));
        }
    }
    Ok(())
}

/// The version that the enclave links, and where its sources are.
fn sources() -> Result<(String, PathBuf), Failure> {
    let linked = ["cargo", "tree", "--locked", "--package", "keystead-signing", "--depth", "2"];
    let rest = ["--prefix", "none", "--edges", "normal", "--no-dedupe"];
    let tree = Step::new(&linked).with(&rest.map(str::to_owned)).output()?;
    let tree = String::from_utf8_lossy(&tree).into_owned();
    let version = tree.lines().find_map(|line| line.strip_prefix("secp256k1-sys v"));
    let version = version
        .and_then(|it| it.split(' ').next())
        .ok_or_else(|| answer("cargo tree", "no secp256k1-sys"))?;
    let metadata = Step::new(&["cargo", "metadata", "--locked", "--format-version", "1"]).output()?;
    let metadata: Value =
        serde_json::from_slice(&metadata).map_err(|error| answer("cargo metadata", &error.to_string()))?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let mut ours = packages.filter(|it| {
        let says = |key: &str, what: &str| it.get(key).and_then(Value::as_str) == Some(what);
        says("name", "secp256k1-sys") && says("version", version)
    });
    let manifest = ours.next().and_then(|it| it.get("manifest_path")).and_then(Value::as_str);
    let folder = manifest.and_then(|it| Path::new(it).parent());
    let folder = folder.ok_or_else(|| answer("cargo metadata", "no sources of secp256k1-sys"))?;
    Ok((version.to_owned(), folder.join("depend")))
}

fn answer(tool: &'static str, reason: &str) -> Failure {
    Failure::Answer { tool, reason: reason.to_owned() }
}

/// A copy in which every symbol has its own name again.
fn copied(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to).map_err(Failure::file(to))?;
    for entry in from.read_dir().map_err(Failure::file(from))?.flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copied(&path, &target)?;
        } else if path.extension().is_some_and(|it| ["c", "h", "patch"].iter().any(|kind| it == *kind)) {
            let text = std::fs::read(&path).map_err(Failure::file(&path))?;
            let text = renamed(&String::from_utf8_lossy(&text));
            std::fs::write(&target, text).map_err(Failure::file(&target))?;
        }
    }
    Ok(())
}

/// `rustsecp256k1_v0_11_ecdsa_sign` is `secp256k1_ecdsa_sign` upstream.
fn renamed(text: &str) -> String {
    let mut parts = text.split(PREFIX);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("secp256k1_");
        out.push_str(part.trim_start_matches(|it: char| it.is_ascii_digit() || it == '_'));
    }
    out
}

/// One change that the crate made to a file: the lines that it took, and those that it put in their place.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    taken: Vec<String>,
    put: Vec<String>,
}

impl Change {
    /// The lines taken, as whole definitions: where a change begins with the end of one, its own end is that line.
    fn definitions(&self) -> String {
        let mut lines = self.taken.clone();
        if lines.first().is_some_and(|line| line == "}") {
            lines.rotate_left(1);
        }
        lines.join("\n") + "\n"
    }
}

fn changes(patch: &str) -> Vec<Change> {
    let mut all = Vec::new();
    for line in patch.lines() {
        if line.starts_with(|it: char| it.is_ascii_digit()) {
            all.push(Change::default());
        }
        let Some(last) = all.last_mut() else { continue };
        match line.split_at_checked(1) {
            Some(("<", rest)) => last.taken.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned()),
            Some((">", rest)) => last.put.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned()),
            _ => {}
        }
    }
    all
}

/// The crate took whatever allocates and prints; the tests need it.
fn restore(folder: &Path, library: &Path) -> Result<(), Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(Failure::file(path));
    let of = |file: &str| Ok::<_, Failure>(changes(&read(&folder.join(format!("{file}.patch")))?));
    let whole = |file: &str| {
        let changes = of(file)?;
        Ok::<_, Failure>(
            changes.iter().filter(|it| it.put.is_empty()).map(Change::definitions).collect::<String>(),
        )
    };
    let edit = |file: &str, edit: &dyn Fn(String) -> Option<String>| {
        let path = library.join(file);
        let edited = edit(read(&path)?);
        let edited = edited
            .ok_or_else(|| Failure::Missing(format!("{file} of the crate is another file than known")))?;
        std::fs::write(&path, edited).map_err(Failure::file(&path))
    };
    let (declarations, util, top) = (whole("secp256k1.h")?, of("util.h")?, whole("util.h")?);
    edit("include/secp256k1.h", &|text| inserted(&text, text.rfind("#ifdef __cplusplus")?, &declarations))?;
    edit("src/util.h", &|mut text| {
        for change in util.iter().filter(|it| !it.put.is_empty()) {
            let (put, taken) = (change.put.join("\n"), change.taken.join("\n"));
            text = text.contains(&put).then(|| text.replace(&put, &taken))?;
        }
        let at = text.find("#include <stdlib.h>")?;
        inserted(&text, at, &format!("#include <stdlib.h>\n{top}"))
    })?;
    let definitions = whole("scratch_impl.h")? + &whole("secp256k1.c")?;
    edit("src/secp256k1.c", &|text| Some(text + &definitions))
}

fn inserted(text: &str, at: usize, what: &str) -> Option<String> {
    let (before, after) = text.split_at_checked(at)?;
    Some([before, what, after].concat())
}

fn compile(library: &Path, program: &str, words: &[&str]) -> Result<(), Failure> {
    let words: Vec<String> = words.iter().map(|&it| it.to_owned()).collect();
    Step::new(&["cc", "-w", "-O2", "-I.", "-Iinclude", "-Isrc", "-o", program])
        .with(&OPTIONS.map(str::to_owned))
        .with(&words)
        .within(library)
        .run()
}

const PREFIX: &str = "rustsecp256k1_v";
/// The sizes of tables that the crate builds with, and every module.
const OPTIONS: [&str; 9] = [
    "-DECMULT_WINDOW_SIZE=15",
    "-DCOMB_BLOCKS=11",
    "-DCOMB_TEETH=6",
    "-DENABLE_MODULE_ECDH=1",
    "-DENABLE_MODULE_EXTRAKEYS=1",
    "-DENABLE_MODULE_SCHNORRSIG=1",
    "-DENABLE_MODULE_RECOVERY=1",
    "-DENABLE_MODULE_ELLSWIFT=1",
    "-DENABLE_MODULE_MUSIG=1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_functions_come_back() {
        assert_eq!(
            renamed("int rustsecp256k1_v0_11_ecdsa_sign(rustsecp256k1_v0_10_0_context"),
            "int secp256k1_ecdsa_sign(secp256k1_context"
        );
        let patch = "14d13\n< #include <stdio.h>\n2,5d1\n< }\n< \n< int f(void) {\n<     return 1;\n8c7\n<     taken;\n---\n>     put;\n";
        let found = changes(patch);
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].definitions(), "\nint f(void) {\n    return 1;\n}\n");
        assert_eq!((found[2].taken[0].as_str(), found[2].put[0].as_str()), ("    taken;", "    put;"));
    }
}

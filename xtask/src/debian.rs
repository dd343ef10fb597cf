//! The Debian packages that the tests need beside the toolchains.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::places::is_installed;
use crate::step::{Failure, Step};

/// Installs the packages whose programs are not there, as root or through `sudo`.
pub(crate) fn install_what_is_missing() -> Result<(), Failure> {
    require_toolchains()?;
    let missing: Vec<&str> = PACKAGES.iter().filter(|it| !(it.is_there)()).map(|it| it.name).collect();
    if missing.is_empty() {
        println!("debian packages: all there");
        return Ok(());
    }
    println!("debian packages: {} missing", missing.join(", "));
    install(&missing).map_err(|failure| explain(&missing, &failure))
}

struct Package {
    name: &'static str,
    is_there: fn() -> bool,
}

/// PostgreSQL for the ledger's tests, strace to kill a process at a chosen system call, gdb for core dumps, zsh
/// and fish to load their completions; nftables and iproute2 to part a network, faketime to put a clock wrong; a broker; g++
/// for the consensus code of Bitcoin Core; venv for Python packages, cvc5 to prove properties of policies; a TPM in a process, its
/// library for programs, and what finds that.
const PACKAGES: &[Package] = &[
    Package { name: "postgresql", is_there: has_postgresql },
    Package { name: "strace", is_there: || is_installed("strace") },
    Package { name: "gdb", is_there: || is_installed("gdb") },
    Package { name: "zsh", is_there: || is_installed("zsh") },
    Package { name: "fish", is_there: || is_installed("fish") },
    Package { name: "nftables", is_there: || is_system_program("nft") },
    Package { name: "iproute2", is_there: || is_system_program("ip") },
    Package { name: "faketime", is_there: || is_installed("faketime") },
    Package { name: "nats-server", is_there: || is_system_program("nats-server") },
    Package { name: "python3-venv", is_there: has_venv },
    Package { name: "g++", is_there: || is_installed("c++") },
    Package { name: "swtpm", is_there: || is_installed("swtpm") },
    Package { name: "swtpm-tools", is_there: || is_installed("swtpm_setup") },
    Package { name: "libtss2-dev", is_there: || has_library("tss2-esys") },
    Package { name: "libtss2-tcti-swtpm0", is_there: || has_shared_object("libtss2-tcti-swtpm.so.0") },
    Package { name: "pkg-config", is_there: || is_installed("pkg-config") },
    Package { name: "cvc5", is_there: || is_installed("cvc5") },
];

/// Whether programs can be linked with a library.
fn has_library(name: &str) -> bool {
    let asked = std::process::Command::new("pkg-config").args(["--exists", name]).status();
    asked.is_ok_and(|status| status.success())
}

/// What is loaded at run time lies in the folder of the machine's architecture.
fn has_shared_object(file: &str) -> bool {
    let folders = Path::new("/usr/lib").read_dir().into_iter().flatten().flatten();
    folders.into_iter().any(|folder| folder.path().join(file).is_file())
}

/// Debian ships the module without what it needs.
fn has_venv() -> bool {
    let asked = std::process::Command::new("python3").args(["-c", "import ensurepip, venv"]).status();
    asked.is_ok_and(|status| status.success())
}

/// What only administrators have in their search path.
fn is_system_program(program: &str) -> bool {
    is_installed(program) || Path::new("/usr/sbin").join(program).is_file()
}

/// Debian keeps the server's programs in one folder per major version, outside the search path.
fn has_postgresql() -> bool {
    let versions = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    is_installed("psql") && versions.into_iter().any(|version| version.path().join("bin/initdb").is_file())
}

fn require_toolchains() -> Result<(), Failure> {
    for (program, package) in [("node", "nodejs"), ("npm", "npm"), ("python3", "python3")] {
        if !is_installed(program) {
            return Err(Failure::Missing(format!("`{program}` is not installed: apt-get install {package}")));
        }
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    let prefix: &[&str] = if is_root() { &["env"] } else { &["sudo", "env"] };
    let apt = [prefix, &["DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", "--quiet"]].concat();
    Step::new(&apt).with(&["update".to_owned()]).run()?;
    let install = ["install", "--no-install-recommends"];
    let words: Vec<String> = install.iter().chain(packages).map(|&word| word.to_owned()).collect();
    Step::new(&apt).with(&words).run()
}

fn explain(packages: &[&str], failure: &Failure) -> Failure {
    Failure::Missing(format!(
        "{failure}\nThe tests need these Debian packages: {}. Install them and run this again.",
        packages.join(" ")
    ))
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

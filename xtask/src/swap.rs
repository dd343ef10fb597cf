//! Swap for the length of a chore: a file of its own, so that what goes there can be read.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file that the kernel writes pages to, before any other swap of this machine. It is gone with this value.
pub(crate) struct Swap {
    file: PathBuf,
}

impl Swap {
    /// Makes one in the folder for temporary files.
    ///
    /// # Errors
    ///
    /// Why there can be none: it takes root, a file system that has swap files, and a kernel that writes pages as they are.
    pub(crate) fn on() -> Result<Self, String> {
        let compressed = std::fs::read_to_string("/sys/module/zswap/parameters/enabled");
        if compressed.is_ok_and(|it| it.trim() == "Y") {
            return Err(
                "zswap keeps pages compressed in memory: turn it off for as long as this runs".to_owned()
            );
        }
        let file = std::env::temp_dir().join(format!("keystead-swap-{}", std::process::id()));
        // A new one, and nobody else's: whatever stands there under that name is left alone.
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        made.map_err(|error| format!("{}: {error}", file.display()))?;
        let swap = Self { file };
        let of = format!("of={}", swap.file.display());
        // Written and not only reserved: a reserved block reads as zeros, whatever the kernel has put there.
        tool("dd", &["if=/dev/zero", &of, "bs=1M", MEGABYTES, "conv=fsync", "status=none"])?;
        let file = swap.file.display().to_string();
        tool("mkswap", &[&file])?;
        tool("swapon", &["--priority", "32767", &file])?;
        println!("swap goes to {file}; if this is interrupted: swapoff {file} && rm {file}");
        Ok(swap)
    }

    /// The file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let file = self.file.display().to_string();
        let is_on = std::fs::read_to_string("/proc/swaps").is_ok_and(|all| all.contains(&file));
        if is_on && let Err(error) = tool("swapoff", &[&file]) {
            println!("{file} is still swap: {error}. Turn it off (`swapoff {file}`) and remove it.");
        }
        let _gone = std::fs::remove_file(&self.file);
    }
}

fn tool(name: &str, words: &[&str]) -> Result<(), String> {
    let output = Command::new(name).args(words).output().map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// More than the programs of a scenario have in memory.
const MEGABYTES: &str = "count=1024";

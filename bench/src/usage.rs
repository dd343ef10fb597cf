//! What a process has used, from /proc.

use std::collections::BTreeMap;
use std::fs;

/// CPU seconds of a process.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    seconds(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// CPU seconds of some processes by the names of their threads.
pub(crate) fn threads(processes: &[u32]) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for (name, used) in processes.iter().flat_map(|pid| cpu_by_thread(*pid)) {
        *all.entry(name).or_default() += used;
    }
    all
}

/// CPU seconds of a process by the names of its threads; threads of one name count together.
fn cpu_by_thread(pid: u32) -> BTreeMap<String, f64> {
    let mut seconds_of = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        // A thread may end between the listing and the look.
        let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { continue };
        let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map(|(name, _)| name);
        if let (Some(name), Some(used)) = (name, seconds(&stat)) {
            *seconds_of.entry(name.to_owned()).or_default() += used;
        }
    }
    seconds_of
}

fn seconds(stat: &str) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // USER_HZ is 100 on every Linux that Rust runs on.
    Some(ticks as f64 / 100.0)
}

/// Resident memory of a process, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// The processes that any thread of this one started.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

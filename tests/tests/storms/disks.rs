//! Disks that are full, and disks that are slow.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use keystead_tests::tracer::{Tracer, has_strace};

use crate::cluster::Cluster;
use crate::founded::HOME;
use crate::ground::Ground;
use crate::process::copy;

/// The node whose disk it is: not the key's home, so that signing goes on.
const SUFFERS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_node_whose_disk_is_full_stops_and_comes_back_when_there_is_room() {
    let mut cluster = Cluster::placed(Ground::Loopback).await;
    cluster.disk = SmallDisk::below(&cluster.data(SUFFERS));
    if cluster.disk.is_none() {
        return;
    }
    let cluster = cluster.all_up().await;
    let disk = cluster.disk.as_ref().expect("it is there");
    cluster.takes_part(SUFFERS).await;
    let load = cluster.load();
    load.answers(15).await;
    disk.fill();
    let ended = cluster.ended(SUFFERS).await;
    assert_eq!(ended, Ok(1), "a node that cannot write ends by itself");
    assert!(cluster.words(SUFFERS).contains("error[ledger."), "and says why, with a code");
    println!("full: node-4 ended; next decision after {:?}", load.next_decision().await);
    // A supervisor tries again while nothing has changed.
    cluster.launch(SUFFERS);
    assert_eq!(cluster.ended(SUFFERS).await, Ok(1), "it does not start on a full disk");
    load.answers(15).await;
    disk.free();
    cluster.launch(SUFFERS);
    println!("room again: node-4 takes part after {:?}", cluster.takes_part(SUFFERS).await);
    cluster.verify("a full disk", load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_node_whose_disk_is_slow_holds_nobody_up() {
    if !has_strace() {
        return;
    }
    let cluster = Cluster::start().await;
    let load = cluster.load();
    load.answers(15).await;
    for node in [SUFFERS, HOME] {
        let slow = slowed(&cluster, node);
        println!("node-{}'s disk is slow: next decision after {:?}", node + 1, load.next_decision().await);
        load.answers(15).await;
        println!("heights: {:?}", cluster.heights().await);
        slow.detach();
        println!("fast again: node-{} takes part after {:?}", node + 1, cluster.takes_part(node).await);
    }
    cluster.verify("a slow disk", load).await;
}

/// Each sync of a node takes its time until the tracer lets go.
fn slowed(cluster: &Cluster, node: usize) -> Tracer {
    let threads: Vec<u32> = cluster.with(node, |it| it.as_ref().unwrap().threads()).into_values().collect();
    let delay = format!("inject={SYNCS}:delay_enter={SLOW_MICROSECONDS}");
    Tracer::attach(&threads, &["-o", "/dev/null", "-e", &format!("trace={SYNCS}"), "-e", &delay])
}

/// A file system of its own, too small to grow. It is unmounted at the end, however that comes.
pub(crate) struct SmallDisk {
    folder: PathBuf,
    guard: Child,
    held: Option<ChildStdin>,
}

impl SmallDisk {
    /// Puts one below a folder, with the folder's files in it; none where this machine does not let us.
    pub(crate) fn below(folder: &Path) -> Option<Self> {
        let aside = folder.with_extension("aside");
        copy(folder, &aside);
        let mut guard = Command::new("sh")
            .args(["-c", "read -r _; umount --lazy \"$1\"", "guard"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let held = guard.stdin.take();
        let disk = Self { folder: folder.to_owned(), guard, held };
        let size = format!("size={DISK}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).output();
        let mount = mount.expect("mount starts");
        if !mount.status.success() {
            println!(
                "SKIPPED: no file system can be mounted here: {}",
                String::from_utf8_lossy(&mount.stderr)
            );
            return None;
        }
        copy(&aside, folder);
        Some(disk)
    }

    /// Writes until nothing more fits.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.ballast()).expect("a file");
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("a file");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.held.take());
        let _ = self.guard.wait();
    }
}

const SYNCS: &str = "fsync,fdatasync";
/// Far longer than the others need for a block.
const SLOW_MICROSECONDS: u32 = 400_000;
const DISK: &str = "64m";

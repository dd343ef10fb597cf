//! D4: the process that writes the log is killed at every write and every sync; what it had said stays true.

#[path = "../../crates/keystead-ledger/tests/suite/cluster.rs"]
#[allow(dead_code)]
mod cluster;

use std::path::Path;
use std::process::{Command, Output};

use cluster::Cluster;
use keystead_base::{Canonical as _, Digest};
use keystead_decision::Strict;
use keystead_ledger::{Ledger, Report};
use keystead_tests::Postgres;
use tempfile::TempDir;

#[tokio::test]
async fn d4_killed_at_every_sync_the_log_recovers_on_sqlite() {
    let kills = killed_at_each("fsync,fdatasync", sqlite).await;
    assert!(kills >= 8, "only {kills} syncs were reached");
}

#[tokio::test]
async fn d4_killed_at_every_write_the_log_recovers_on_sqlite() {
    let kills = killed_at_each("pwrite64", sqlite).await;
    assert!(kills >= 20, "only {kills} writes were reached");
}

#[tokio::test]
async fn d4_killed_at_every_send_the_log_recovers_on_postgres() {
    let kills = killed_at_each("sendto", postgres).await;
    assert!(kills >= 20, "only {kills} sends were reached");
}

/// An empty database in a folder, or beside it.
fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("ledger.db").display())
}

fn postgres(_: &Path) -> String {
    Postgres::shared().new_database()
}

/// Kills the appender at its first, second, third … call, until it reaches its end unharmed.
async fn killed_at_each(calls: &str, database: fn(&Path) -> String) -> usize {
    if !has_strace() {
        println!("SKIPPED: strace is not installed, so no process was killed at a system call");
        return usize::MAX;
    }
    let expected = Expected::new().await;
    for when in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let url = database(folder.path());
        let killed = append_and_die(&url, &expected, calls, when);
        if killed.status.success() {
            println!("killed at each of {} calls of {calls}", when - 1);
            return when - 1;
        }
        expected.recovers(&url, &killed).await;
    }
    unreachable!("the appender ends")
}

/// The log that is copied, and what every copy must look like.
struct Expected {
    cluster: Cluster,
    folder: TempDir,
    /// The digests of the headers, after the cluster's id.
    digests: Vec<Digest>,
}

impl Expected {
    async fn new() -> Self {
        let mut cluster = Cluster::new();
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&sqlite(folder.path())).await.unwrap();
        ledger.begin(&cluster.genesis).await.unwrap();
        ledger.append(cluster.activate_key()).await.unwrap();
        let (asked, _) = cluster.message();
        ledger.append(vec![cluster.step(vec![asked])]).await.unwrap();
        ledger.export(folder.path(), &cluster.checkpoint()).await.unwrap();
        let mut digests = vec![cluster.state.cluster().0];
        digests.extend(ledger.blocks(1, 100).await.unwrap().iter().map(|block| block.commit.header.digest()));
        ledger.close().await;
        Self { cluster, folder, digests }
    }

    /// What was said to be durable is there; what is there is a beginning of the log; the rest follows.
    async fn recovers(&self, url: &str, killed: &Output) {
        let said = String::from_utf8_lossy(&killed.stdout);
        let durable = said.lines().filter_map(|line| line.strip_prefix("durable ")?.parse().ok()).max();
        let ledger = Ledger::open(url).await.unwrap();
        ledger.begin(&self.cluster.genesis).await.unwrap();
        let (height, digest) = ledger.tip().await.unwrap();
        assert!(height >= durable.unwrap_or(0), "{height} blocks are there, but it said:\n{said}");
        assert_eq!(digest, self.digests[usize::try_from(height).unwrap()]);
        assert_eq!(self.audited(&ledger).await.blocks, height);
        ledger.close().await;
        let again = Command::new(appender()).arg(url).arg(self.folder.path()).output().unwrap();
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        let ledger = Ledger::open(url).await.unwrap();
        assert_eq!(self.audited(&ledger).await.state, self.cluster.state.digest());
        ledger.close().await;
    }

    async fn audited(&self, ledger: &Ledger) -> Report {
        ledger.audit(self.cluster.state.cluster(), None, &Strict::default()).await.unwrap()
    }
}

fn append_and_die(url: &str, expected: &Expected, calls: &str, when: usize) -> Output {
    let inject = format!("inject={calls}:signal=SIGKILL:when={when}");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject]);
    strace.arg(appender()).arg(url).arg(expected.folder.path()).output().unwrap()
}

fn appender() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ledger_appender"))
}

fn has_strace() -> bool {
    Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success())
}

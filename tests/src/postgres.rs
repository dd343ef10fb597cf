//! PostgreSQL, as a private cluster in a temporary folder that listens on a socket there and nowhere else.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Service;
use crate::tracer::is_gone;

/// A running PostgreSQL server with nothing in it.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    databases: AtomicU32,
    /// A later run of the server, in the folder of the first.
    again: Option<Service>,
    _first: Service,
}

impl Postgres {
    /// Starts a server for one test that wants to break or stop it.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("keystead-pg-").tempdir().expect("a folder").keep();
        let account = Account::of_the_server();
        account.give(&folder);
        account.run(&folder, &init_arguments(&folder));
        let first = Service::start(&folder, &account.command(&server_arguments(&folder)), READY);
        Self { folder, databases: AtomicU32::new(0), again: None, _first: first }
    }

    /// SIGKILL for the server and everything that it started: no last words, no checkpoint.
    pub fn kill(&self) {
        let server = self.process();
        // A server that stands still starts nobody while its children are counted.
        signal("STOP", &[server]);
        let mut all = children_of(server);
        all.push(server);
        signal("KILL", &all);
        retire(&all);
    }

    /// SIGQUIT: the server ends at once, without a checkpoint, and its connections with it.
    pub fn stop_hard(&self) {
        let server = self.process();
        let mut all = children_of(server);
        all.push(server);
        signal("QUIT", &[server]);
        retire(&all);
    }

    /// Starts the server again on the same data, once it was killed or stopped.
    pub fn restart(&mut self) {
        self.again = None;
        // Nobody has waited for the killed process yet, and PostgreSQL takes what has its number for alive.
        for lock in ["data/postmaster.pid", ".s.PGSQL.5432.lock"] {
            let _ = std::fs::remove_file(self.folder.join(lock));
        }
        let scratch = tempfile::Builder::new().prefix("keystead-pg-").tempdir().expect("a folder").keep();
        let account = Account::of_the_server();
        account.give(&scratch);
        self.again = Some(Service::start(&scratch, &account.command(&server_arguments(&self.folder)), READY));
    }

    /// Where its files are: tables in `base`, what is written ahead in `pg_wal`.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn process(&self) -> u32 {
        let file =
            std::fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("a running server");
        file.lines().next().and_then(|line| line.parse().ok()).expect("the number of its process")
    }

    /// The one server that all tests of a test binary share; each takes a database of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Creates an empty database and returns its URL, for instance
    /// `postgres://keystead@localhost/test_3?host=/tmp/keystead-pg-x`.
    pub fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let status = Command::new(program("createdb"))
            .arg("--host")
            .arg(&self.folder)
            .args(["--username", OWNER, "--no-password", &name])
            .status()
            .expect("createdb starts");
        assert!(status.success(), "createdb {name}: {status}");
        format!("postgres://{OWNER}@localhost/{name}?host={}", self.folder.display())
    }
}

fn children_of(process: u32) -> Vec<u32> {
    let file = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(file).unwrap_or_default();
    children.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

fn signal(name: &str, processes: &[u32]) {
    let numbers = processes.iter().map(u32::to_string);
    // One of them may be gone already.
    let _ = Command::new("kill").arg(format!("-{name}")).args(numbers).stderr(Stdio::null()).status();
}

/// Waits until all of them are gone: what is left of a server keeps the next one from starting.
fn retire(processes: &[u32]) {
    while !processes.iter().all(|it| is_gone(*it)) {
        std::thread::yield_now();
    }
}

/// Whom the server runs as: it refuses to run as root, so root hands it to the packaged account `postgres`.
struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    fn of_the_server() -> Self {
        let ours = std::fs::metadata("/proc/self").expect("/proc is mounted").uid();
        Self { ids: (ours == 0).then(|| (id_of_postgres("-u"), id_of_postgres("-g"))) }
    }

    fn give(&self, folder: &Path) {
        if let Some((user, group)) = self.ids {
            chown(folder, Some(user), Some(group)).expect("root gives folders away");
        }
    }

    fn command(&self, command: &[OsString]) -> Vec<OsString> {
        let Some((user, group)) = self.ids else {
            return command.to_vec();
        };
        let change = ["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"];
        change.into_iter().map(OsString::from).chain(command.iter().cloned()).collect()
    }

    fn run(&self, folder: &Path, command: &[OsString]) {
        let command = self.command(command);
        let output = Command::new(&command[0]).args(&command[1..]).current_dir(folder).output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn id_of_postgres(flag: &str) -> u32 {
    let output = Command::new("id").args([flag, "postgres"]).output().expect("id starts");
    let id = String::from_utf8_lossy(&output.stdout);
    id.trim().parse().expect("the package postgresql brings an account `postgres`")
}

fn init_arguments(folder: &Path) -> Vec<OsString> {
    let mut arguments = vec![program("initdb").into(), "--pgdata".into(), folder.join("data").into()];
    let rest = ["--username", OWNER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"];
    arguments.extend(rest.map(OsString::from));
    arguments
}

/// No TCP at all: a port can be taken by somebody else, a socket in our own folder cannot.
fn server_arguments(folder: &Path) -> Vec<OsString> {
    let mut arguments = vec![program("postgres").into(), "-D".into(), folder.join("data").into()];
    arguments.extend(["-k".into(), folder.into(), "-c".into(), "listen_addresses=".into()]);
    arguments.extend(["-c", "logging_collector=off", "-c", "log_destination=stderr"].map(OsString::from));
    arguments
}

/// Debian keeps the server's programs outside the search path, one folder per major version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.pop().expect("PostgreSQL is missing: run `cargo xtask test`, which installs it")
}

const OWNER: &str = "keystead";
const READY: &str = "database system is ready to accept connections";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_database_answers_and_is_durable() {
        let url = Postgres::shared().new_database();
        let query = ["--no-psqlrc", "--tuples-only", "--no-align", "--command", "show fsync"];
        let output = Command::new("psql").args(query).arg(&url).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "on", "{output:?}");
    }

    #[test]
    fn what_was_committed_survives_a_kill_and_a_hard_stop() {
        let mut server = Postgres::start();
        let url = server.new_database();
        let ask = |query: &str| {
            let query = ["--no-psqlrc", "--tuples-only", "--no-align", "--command", query];
            let output = Command::new("psql").args(query).arg(&url).output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        assert!(ask("create table kept (number int)").0);
        for (number, end) in [(1, Postgres::kill as fn(&Postgres)), (2, Postgres::stop_hard)] {
            assert!(ask(&format!("insert into kept values ({number})")).0);
            end(&server);
            assert!(!ask("select 1").0, "nobody answers any more");
            server.restart();
            assert_eq!(ask("select count(*) from kept"), (true, number.to_string()));
        }
    }

    #[test]
    fn two_databases_are_two() {
        let server = Postgres::shared();
        assert_ne!(server.new_database(), server.new_database());
    }
}

//! A log in a real database, and what somebody does to it who has the machine.

use keystead_base::HybridSigner;
use keystead_decision::{Block, Commit, SignedGenesis, State, Strict, validate};
use keystead_ledger::{Appended, Checkpoint, Ledger, SignedCheckpoint, origin};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// The log of a node on SQLite, in a folder of its own.
pub(crate) struct Archive {
    /// The ledger.
    pub(crate) ledger: Ledger,
    url: String,
    _folder: tempfile::TempDir,
}

impl Archive {
    /// A ledger with these blocks, written as a node writes them.
    pub(crate) async fn of(genesis: &SignedGenesis, blocks: &[(Commit, Block)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("ledger.sqlite").display());
        let ledger = Ledger::open(&url).await.expect("a database");
        ledger.begin(genesis).await.expect("a log that begins");
        let mut state = State::genesis(&genesis.genesis).expect("a policy that compiles");
        let rows = blocks.iter().map(|block| rows(&mut state, block)).collect();
        ledger.append(rows).await.expect("blocks that fit");
        Self { ledger, url, _folder: folder }
    }

    /// What whoever has the database can do, past the program and its constraints.
    pub(crate) async fn run(&self, statement: &str) {
        run(&self.url, statement).await;
    }
}

/// The same in any database.
pub(crate) async fn run(url: &str, statement: &str) {
    let mut raw = SqliteConnection::connect(url).await.expect("the same file");
    for statement in ["PRAGMA foreign_keys = OFF", statement] {
        let statement = AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&mut raw).await.expect("a statement that runs");
    }
    raw.close().await.expect("a connection that closes");
}

fn rows(state: &mut State, (commit, block): &(Commit, Block)) -> Appended {
    let applied = validate(state, block.clone(), &Strict::default()).expect("a valid block");
    let rows = Appended::new(&applied, commit.round, commit.votes.clone());
    *state = applied.state;
    rows
}

/// The checkpoint of the log as this state knows it, signed by the node.
pub(crate) fn checkpoint(genesis: &SignedGenesis, state: &State, node: &HybridSigner) -> SignedCheckpoint {
    let origin = origin(&genesis.genesis.name, state.cluster());
    let (size, root) = (state.history().size(), state.history().root());
    SignedCheckpoint::sign(Checkpoint { origin, size, root }, node).expect("a signature")
}

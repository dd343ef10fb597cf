//! One way to speak to two databases: the same text, the same binds, the same rows.

use std::fmt::Write as _;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction};

use crate::LedgerError;

/// The pools of one database: one connection writes, a few others read.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres { writer: PgPool, readers: PgPool },
}

impl Engine {
    /// Opens `sqlite:…` or `postgres:…`; a SQLite file that is missing is created.
    pub(crate) async fn open(url: &str) -> Result<Self, LedgerError> {
        match url.split(':').next() {
            Some("sqlite") => Self::open_sqlite(url).await,
            Some("postgres" | "postgresql") => Self::open_postgres(url).await,
            scheme => Err(LedgerError::Url { found: scheme.unwrap_or_default().to_owned() }),
        }
    }

    async fn open_sqlite(url: &str) -> Result<Self, LedgerError> {
        // INVARIANT S1: FULL makes every commit wait for the disk; WAL alone would not.
        let options = SqliteConnectOptions::from_str(url)
            .map_err(failed("parse the database URL"))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("wal_autocheckpoint", PAGES_BETWEEN_CHECKPOINTS)
            .pragma("cache_size", CACHE_KIB)
            // A row that moves to another page leaves nothing of itself on the one before, nor on a page that is free.
            .pragma("secure_delete", "ON")
            // A statement of many rows can be taken back by itself; its undo pages need no file.
            .pragma("temp_store", "MEMORY")
            .statement_cache_capacity(CACHED_STATEMENTS);
        let writer = PoolOptions::<Sqlite>::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(failed("open the database"))?;
        let readers = PoolOptions::<Sqlite>::new()
            .max_connections(READERS)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self::Sqlite { writer, readers })
    }

    async fn open_postgres(url: &str) -> Result<Self, LedgerError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(failed("parse the database URL"))?
            .application_name("keystead")
            // INVARIANT S1: a server that is set to answer before the disk did is overruled.
            .options([("synchronous_commit", "on")])
            .statement_cache_capacity(CACHED_STATEMENTS);
        let writer = PoolOptions::<Postgres>::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(failed("open the database"))?;
        let readers = PoolOptions::<Postgres>::new().max_connections(READERS).connect_lazy_with(options);
        Ok(Self::Postgres { writer, readers })
    }

    /// Begins the one transaction that may write.
    pub(crate) async fn write(&self) -> Result<Session, LedgerError> {
        let session = match self {
            Self::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Session::Sqlite),
            Self::Postgres { writer, .. } => writer.begin().await.map(Session::Postgres),
        };
        session.map_err(failed("begin a transaction"))
    }

    /// Begins a transaction that sees one moment of the database and writes nothing.
    pub(crate) async fn read(&self) -> Result<Session, LedgerError> {
        let session = match self {
            Self::Sqlite { readers, .. } => readers.begin().await.map(Session::Sqlite),
            Self::Postgres { readers, .. } => {
                readers.begin_with(READ_ONE_MOMENT).await.map(Session::Postgres)
            }
        };
        session.map_err(failed("begin a transaction"))
    }

    /// Has SQLite fold its write-ahead file into the database and cut it to nothing: what was written over is in neither
    /// any more. A reader that takes longer than it waits keeps the file as it is, until it is folded in the course of
    /// things. PostgreSQL writes the table of seals anew where some are `gone`.
    pub(crate) async fn fold(&self, gone: u64) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite { writer, .. } => {
                let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await;
                folded.map(drop).map_err(failed("fold the write-ahead file"))
            }
            Self::Postgres { .. } if gone == 0 => Ok(()),
            Self::Postgres { .. } => self.write_seals_anew().await,
        }
    }

    /// PostgreSQL keeps rows that were written over where they lay: its table of seals is written anew, without those that
    /// nobody sees any more. Where others use the table for longer than is waited, at the next erasure or start. The one
    /// connection that writes waits for none of it.
    pub(crate) async fn write_seals_anew(&self) -> Result<(), LedgerError> {
        let Self::Postgres { readers, .. } = self else { return Ok(()) };
        let mut reader = readers.acquire().await.map_err(failed(ANEW))?;
        sqlx::query("SET lock_timeout = '2s'").execute(&mut *reader).await.map_err(failed(ANEW))?;
        let anew = sqlx::query("VACUUM (FULL) sealed_keys").execute(&mut *reader).await;
        sqlx::query("RESET lock_timeout").execute(&mut *reader).await.map_err(failed(ANEW))?;
        match anew {
            Err(error) if is_in_use(&error) => Ok(()),
            anew => anew.map(drop).map_err(failed(ANEW)),
        }
    }

    /// The schema text in this engine's words.
    pub(crate) fn dialect(&self, schema: &str) -> String {
        match self {
            Self::Sqlite { .. } => {
                SQLITE_WORDS.iter().fold(schema.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
            }
            Self::Postgres { .. } => schema.to_owned(),
        }
    }

    /// Ends all connections; SQLite folds its write-ahead file into the database then.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// One transaction. Dropped without [`Session::commit`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) enum Session {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs the same lines for both engines.
macro_rules! on_both {
    ($value:expr, $type:ident, $inner:ident => $body:expr) => {
        match $value {
            $type::Sqlite($inner) => $body,
            $type::Postgres($inner) => $body,
        }
    };
}

/// A query with its values bound in order.
macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for value in $values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Session {
    /// Runs one statement and says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, LedgerError> {
        on_both!(self, Session, tx => bound!(sql, values)
            .execute(&mut **tx)
            .await
            .map(|done| done.rows_affected())
            .map_err(failed("write")))
    }

    /// Runs one query.
    pub(crate) async fn rows(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, LedgerError> {
        match self {
            Self::Sqlite(tx) => {
                let rows = bound!(sql, values).fetch_all(&mut **tx).await.map_err(failed("read"))?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(tx) => {
                let rows = bound!(sql, values).fetch_all(&mut **tx).await.map_err(failed("read"))?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Runs one query that finds at most one row.
    pub(crate) async fn row(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, LedgerError> {
        self.rows(sql, values).await.map(|rows| rows.into_iter().next())
    }

    /// Inserts many rows with few statements, and says how many went in.
    pub(crate) async fn insert(&mut self, into: &Insert, rows: Vec<Vec<Value>>) -> Result<u64, LedgerError> {
        let mut inserted = 0;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<_> = rows.by_ref().take(ROWS_PER_STATEMENT).collect();
            let sql = into.text(chunk.len(), matches!(self, Self::Postgres(_)));
            inserted += self.execute(&sql, chunk.into_iter().flatten().collect()).await?;
        }
        Ok(inserted)
    }

    /// Runs a text of many statements.
    pub(crate) async fn script(&mut self, text: String) -> Result<(), LedgerError> {
        on_both!(self, Session, tx => sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut **tx)
            .await
            .map(drop)
            .map_err(failed("change the schema")))
    }

    /// Makes it durable: returns only after the disk has it.
    pub(crate) async fn commit(self) -> Result<(), LedgerError> {
        on_both!(self, Session, tx => tx.commit().await.map_err(failed("commit")))
    }
}

/// A multi-row insert: table, columns, and what to do about a row that is there already.
pub(crate) struct Insert {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) conflict: &'static str,
}

impl Insert {
    /// SQLite finds a numbered bind by searching its name, so that many of them cost their square; its binds
    /// without a number stand in the same order.
    fn text(&self, rows: usize, numbered: bool) -> String {
        let mut text = format!("INSERT INTO {} ({}) VALUES ", self.table, self.columns.join(", "));
        let mut bind = 0;
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns.len() {
                bind += 1;
                let comma = if column == 0 { "" } else { ", " };
                // Writing to a string does not fail.
                let _ = if numbered { write!(text, "{comma}${bind}") } else { write!(text, "{comma}?") };
            }
            text.push(')');
        }
        text.push_str(self.conflict);
        text
    }
}

/// What is bound to a statement.
#[derive(Debug)]
pub(crate) enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
}

/// A number of this house as the database's: heights, sizes and times stay far below 2^63.
pub(crate) fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Bytes as a value.
pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
    Value::Bytes(bytes.into())
}

/// A word as a value.
pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// One row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// A column as a signed number.
    pub(crate) fn signed(&self, column: usize) -> Result<i64, LedgerError> {
        on_both!(self, Row, row => row.try_get(column).map_err(failed("read a number")))
    }

    /// A column as a number; the schema holds no negative one.
    pub(crate) fn int(&self, column: usize) -> Result<u64, LedgerError> {
        let found = self.signed(column)?;
        u64::try_from(found).map_err(|_| LedgerError::Negative { found })
    }

    /// A column as bytes.
    pub(crate) fn bytes(&self, column: usize) -> Result<Vec<u8>, LedgerError> {
        on_both!(self, Row, row => row.try_get(column).map_err(failed("read bytes")))
    }

    /// A column as text.
    pub(crate) fn text(&self, column: usize) -> Result<String, LedgerError> {
        on_both!(self, Row, row => row.try_get(column).map_err(failed("read a text")))
    }

    /// A column as a digest.
    pub(crate) fn digest(&self, column: usize) -> Result<keystead_base::Digest, LedgerError> {
        let bytes = self.bytes(column)?;
        let found = bytes.len();
        bytes.try_into().map(keystead_base::Digest).map_err(|_| LedgerError::DigestLength { found })
    }
}

fn failed(during: &'static str) -> impl FnOnce(sqlx::Error) -> LedgerError {
    move |source| LedgerError::Database { during, source }
}

/// Whether a lock was not had in time (`lock_not_available`).
fn is_in_use(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|it| it.code()).is_some_and(|code| code == "55P03")
}

/// What [`Engine::write_seals_anew`] does.
const ANEW: &str = "write the table of seals anew";

/// `INTEGER PRIMARY KEY` is SQLite's own row number; without a row number the key's order is the rows' order.
const SQLITE_WORDS: [(&str, &str); 4] =
    [("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY"), ("BYTEA", "BLOB"), ("/*+ ", ""), (" */", "")];

/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// 32 MiB: a page that is written again and again goes to the database file once in a while only.
const PAGES_BETWEEN_CHECKPOINTS: &str = "8192";

/// 16 MiB at most, taken when needed; a negative number counts KiB.
const CACHE_KIB: &str = "-16384";

/// Each number of rows is a statement of its own text: all of them stay prepared.
const CACHED_STATEMENTS: usize = 512;

/// The most rows of one statement: more would gain nothing and prepare longer texts.
const ROWS_PER_STATEMENT: usize = 64;

const READERS: u32 = 4;

const READ_ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_numbers_its_binds_in_the_order_of_the_rows() {
        let insert = Insert { table: "t", columns: &["a", "b"], conflict: " ON CONFLICT DO NOTHING" };
        let numbered = "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING";
        assert_eq!(insert.text(2, true), numbered);
        assert_eq!(
            insert.text(2, false),
            "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING"
        );
    }
}

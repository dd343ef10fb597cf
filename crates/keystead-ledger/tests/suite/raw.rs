//! What somebody can do who holds the database and not the node: change cells, delete rows, check nothing.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

/// A connection without constraints.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
}

/// What is in a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Int,
    Bytes,
    Text,
}

macro_rules! both {
    ($raw:expr, $connection:ident => $body:expr) => {
        match $raw {
            Raw::Sqlite($connection) => $body,
            Raw::Postgres($connection) => $body,
        }
    };
}

macro_rules! cell {
    ($row:expr, $kind:expr) => {
        match $kind {
            Kind::Int => Cell::Int($row.get(0)),
            Kind::Bytes => Cell::Bytes($row.get(0)),
            Kind::Text => Cell::Text($row.get(0)),
        }
    };
}

impl Raw {
    /// Connects, and switches the checking of foreign keys off.
    pub(crate) async fn connect(url: &str) -> Self {
        let mut raw = if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await.unwrap())
        } else {
            Self::Postgres(PgConnection::connect(url).await.unwrap())
        };
        let off = match &raw {
            Self::Sqlite(_) => "PRAGMA foreign_keys = OFF",
            Self::Postgres(_) => "SET session_replication_role = replica",
        };
        raw.run(off).await.unwrap();
        raw
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        both!(self, it => sqlx::raw_sql(AssertSqlSafe(sql)).execute(it).await.map(|done| done.rows_affected()))
    }

    /// A column of numbers.
    pub(crate) async fn numbers(&mut self, sql: &str) -> Vec<i64> {
        both!(self, it => {
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(it).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        })
    }

    /// One cell.
    pub(crate) async fn read(&mut self, table: &str, column: &str, row: &str, kind: Kind) -> Cell {
        let sql = format!("SELECT {column} FROM {table} WHERE {row}");
        both!(self, it => {
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(it).await.unwrap();
            cell!(row, kind)
        })
    }

    /// Writes one cell.
    pub(crate) async fn write(
        &mut self,
        table: &str,
        column: &str,
        row: &str,
        cell: Cell,
    ) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE {row}"));
        both!(self, it => {
            let query = sqlx::query(sql);
            let query = match cell {
                Cell::Int(value) => query.bind(value),
                Cell::Bytes(value) => query.bind(value),
                Cell::Text(value) => query.bind(value),
            };
            query.execute(it).await.map(drop)
        })
    }
}

impl Cell {
    /// The same cell with one byte changed: at the beginning, in the middle and at the end.
    pub(crate) fn changes(&self) -> Vec<Self> {
        match self {
            Self::Int(value) => vec![Self::Int(value + 1)],
            Self::Bytes(bytes) => places(bytes.len())
                .map(|at| {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1;
                    Self::Bytes(bytes)
                })
                .collect(),
            Self::Text(text) => places(text.len())
                .map(|at| {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= 1;
                    String::from_utf8(bytes).map_or_else(|_| Self::Text(String::new()), Self::Text)
                })
                .collect(),
        }
    }
}

fn places(length: usize) -> impl Iterator<Item = usize> {
    let mut places = vec![0, length / 3, length / 2, length.saturating_sub(1)];
    places.dedup();
    places.into_iter().filter(move |at| *at < length)
}

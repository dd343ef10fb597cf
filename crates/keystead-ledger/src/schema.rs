//! The schema's versions, and how an older database becomes a current one.

use keystead_base::Digest;
use sha2::{Digest as _, Sha256};

use crate::LedgerError;
use crate::engine::{Engine, Session, bytes, int};

/// The schema version that this program writes.
pub const SCHEMA_VERSION: u64 = MIGRATIONS.len() as u64;

/// Brings the database to [`SCHEMA_VERSION`], in one transaction, and says which version it had.
pub(crate) async fn migrate(engine: &Engine) -> Result<u64, LedgerError> {
    let mut session = engine.write().await?;
    session.script(engine.dialect(HISTORY)).await?;
    let had = check_history(&mut session).await?;
    for (version, text) in versions().skip(usize::try_from(had).unwrap_or(usize::MAX)) {
        session.script(engine.dialect(text)).await?;
        let values = vec![int(version), bytes(digest(text).0)];
        session.execute("INSERT INTO migrations (version, digest) VALUES ($1, $2)", values).await?;
    }
    session.commit().await?;
    Ok(had)
}

/// The versions applied so far; each must be the very text that this program knows.
async fn check_history(session: &mut Session) -> Result<u64, LedgerError> {
    let rows = session.rows("SELECT version, digest FROM migrations ORDER BY version", vec![]).await?;
    let found = rows.len() as u64;
    if found > SCHEMA_VERSION {
        return Err(LedgerError::SchemaNewer { known: SCHEMA_VERSION, found });
    }
    for (row, (version, text)) in rows.iter().zip(versions()) {
        let (expected, found) = (digest(text), row.digest(1)?);
        if expected != found {
            return Err(LedgerError::SchemaChanged { version, expected, found });
        }
    }
    Ok(found)
}

fn versions() -> impl Iterator<Item = (u64, &'static str)> {
    (1_u64..).zip(MIGRATIONS.iter().copied())
}

fn digest(text: &str) -> Digest {
    Digest(Sha256::digest(text).into())
}

/// Each text once, for ever: a released one is never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
];

const HISTORY: &str =
    "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, digest BYTEA NOT NULL)";

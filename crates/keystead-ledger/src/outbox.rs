//! What has to be sent, kept until it is known to be over: a crash between two sends loses nothing.

use keystead_base::{Name, RequestId};

use crate::engine::{Insert, Row, Session, bytes, int, text};
use crate::{Ledger, LedgerError};

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxItem {
    /// The request that it is for.
    pub request: RequestId,
    /// What kind of thing it is; the sender knows.
    pub kind: Name,
    /// Where it stands.
    pub state: OutboxState,
    /// What is sent.
    pub payload: Vec<u8>,
    /// How often it was tried.
    pub attempts: u64,
    /// Why it stands where it stands, for people; empty where there is nothing to say.
    pub reason: String,
}

impl OutboxItem {
    /// Something that was not tried yet.
    #[must_use]
    pub fn new(request: RequestId, kind: Name, payload: Vec<u8>) -> Self {
        Self { request, kind, state: OutboxState::Queued, payload, attempts: 0, reason: String::new() }
    }
}

/// Where something to send stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxState {
    /// Not sent yet, or not known to have arrived.
    Queued,
    /// Taken by the other side; its end is not known yet.
    Sent,
    /// Over, well.
    Done,
    /// Over, and it never will be.
    Dropped,
}

impl OutboxState {
    /// The only table of transitions. A try that fails leads from `Queued` to `Queued`, one attempt later.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Queued, Self::Queued | Self::Sent | Self::Done | Self::Dropped)
            | (Self::Sent, Self::Queued | Self::Done | Self::Dropped) => true,
            (Self::Sent, Self::Sent)
            | (Self::Done | Self::Dropped, Self::Queued | Self::Sent | Self::Done | Self::Dropped) => false,
        }
    }

    /// The word in the database and in tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }

    fn from_word(word: &str) -> Result<Self, LedgerError> {
        let all = [Self::Queued, Self::Sent, Self::Done, Self::Dropped];
        all.into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| LedgerError::Word { table: "outbox", found: word.to_owned() })
    }
}

impl Ledger {
    /// At most `limit` items in this state, by request.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn outbox(&self, state: OutboxState, limit: u64) -> Result<Vec<OutboxItem>, LedgerError> {
        let sql = "SELECT request, kind, state, payload, attempts, reason FROM outbox \
                   WHERE state = $1 ORDER BY request LIMIT $2";
        let values = vec![text(state.word()), int(limit)];
        self.engine.read().await?.rows(sql, values).await?.iter().map(item).collect()
    }

    /// Moves an item on, durably. A step back to [`OutboxState::Queued`] counts as an attempt.
    ///
    /// # Errors
    ///
    /// [`LedgerError::OutboxStep`] when the table has no such step, [`LedgerError::Outbox`] when
    /// somebody else moved it meanwhile.
    pub async fn outbox_step(
        &self,
        request: &RequestId,
        from: OutboxState,
        to: OutboxState,
        reason: &str,
    ) -> Result<(), LedgerError> {
        if !from.may_become(to) {
            return Err(LedgerError::OutboxStep { from, to });
        }
        let sql = "UPDATE outbox SET state = $1, attempts = attempts + $2, reason = $3 \
                   WHERE request = $4 AND state = $5";
        let tried = int(u64::from(to == OutboxState::Queued));
        let values = vec![text(to.word()), tried, text(reason), bytes(request.0.0), text(from.word())];
        let mut session = self.engine.write().await?;
        if session.execute(sql, values).await? == 1 {
            return session.commit().await;
        }
        let row =
            session.row("SELECT state FROM outbox WHERE request = $1", vec![bytes(request.0.0)]).await?;
        let found = row.map(|row| OutboxState::from_word(&row.text(0)?)).transpose()?;
        Err(LedgerError::Outbox { request: *request, expected: from, found })
    }
}

/// Inserts items; one that is there already stays as it is.
pub(crate) async fn insert(session: &mut Session, items: &[OutboxItem]) -> Result<(), LedgerError> {
    let row = |it: &OutboxItem| {
        vec![
            bytes(it.request.0.0),
            text(it.kind.as_str()),
            text(it.state.word()),
            bytes(it.payload.clone()),
            int(it.attempts),
            text(it.reason.as_str()),
        ]
    };
    session.insert(&OUTBOX, items.iter().map(row).collect()).await.map(drop)
}

fn item(row: &Row) -> Result<OutboxItem, LedgerError> {
    let word = row.text(1)?;
    Ok(OutboxItem {
        request: RequestId(row.digest(0)?),
        kind: word.parse().map_err(|_| LedgerError::Word { table: "outbox", found: word })?,
        state: OutboxState::from_word(&row.text(2)?)?,
        payload: row.bytes(3)?,
        attempts: row.int(4)?,
        reason: row.text(5)?,
    })
}

const OUTBOX: Insert = Insert {
    table: "outbox",
    columns: &["request", "kind", "state", "payload", "attempts", "reason"],
    conflict: " ON CONFLICT (request) DO NOTHING",
};

//! The ledger: opened by URL, begun with a genesis, loaded into a state.

use keystead_base::{
    Canonical, ClusterId, Digest, HybridPublicKey, HybridSigner, KeyError, Name, Signed, Timestamp,
};
use keystead_decision::{Controls, SignedGenesis, Snapshot, State};
use sha2::{Digest as _, Sha256};

use crate::document::parse_long;
use crate::engine::{Engine, Session, bytes, int, text};
use crate::read::{PAGE, blocks, parsed};
use crate::schema::migrate;
use crate::{LedgerError, Replay};

/// The durable side of one node: everything that survives it.
///
/// Cheap to clone. All writes go through one connection, one transaction after the other.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) engine: Engine,
    found: u64,
}

impl Ledger {
    /// Opens a database, `sqlite:path` or `postgres://…`, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when it cannot be reached, or when a newer program wrote it.
    pub async fn open(url: &str) -> Result<Self, LedgerError> {
        let engine = Engine::open(url).await?;
        let found = migrate(&engine).await?;
        Ok(Self { engine, found })
    }

    /// The schema version that the database had when it was opened; 0 for a new one.
    #[must_use]
    pub fn schema_found(&self) -> u64 {
        self.found
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    /// Begins the log. Asked again with the same genesis, it does nothing.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Genesis`] when a founder's signature fails, [`LedgerError::Cluster`] when the
    /// database belongs to another cluster.
    pub async fn begin(&self, signed: &SignedGenesis) -> Result<ClusterId, LedgerError> {
        let (genesis, expected) = signed.verify()?;
        let mut session = self.engine.write().await?;
        if let Some(document) = genesis_document(&mut session).await? {
            let found = parse_genesis(&document)?.genesis.cluster();
            return if found == expected { Ok(found) } else { Err(LedgerError::Cluster { expected, found }) };
        }
        let document = signed.to_document();
        let values =
            vec![bytes(expected.0.0), int(genesis.created.0), bytes(Vec::new()), bytes(document.clone())];
        session.execute(BLOCK_ZERO, values).await?;
        session
            .execute("INSERT INTO meta (name, document) VALUES ('genesis', $1)", vec![bytes(document)])
            .await?;
        let policy = vec![bytes(genesis.policy.to_document())];
        session.execute("INSERT INTO policies (number, height, document) VALUES (0, 0, $1)", policy).await?;
        session.commit().await?;
        Ok(expected)
    }

    /// The genesis, its signatures verified.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Empty`] before [`Ledger::begin`].
    pub async fn genesis(&self) -> Result<SignedGenesis, LedgerError> {
        let mut session = self.engine.read().await?;
        let document = genesis_document(&mut session).await?.ok_or(LedgerError::Empty)?;
        let signed = parse_genesis(&document)?;
        signed.verify()?;
        Ok(signed)
    }

    /// Counts a start of this node, durably: 1, 2, 3, … The number stands in what the node says of itself.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database.
    pub async fn boot(&self, node: &Name) -> Result<u64, LedgerError> {
        let mut session = self.engine.write().await?;
        let sql = "INSERT INTO boots (node, number) VALUES ($1, 1) \
                   ON CONFLICT (node) DO UPDATE SET number = boots.number + 1";
        session.execute(sql, vec![text(node.as_str())]).await?;
        let sql = "SELECT number FROM boots WHERE node = $1";
        let row = session.row(sql, vec![text(node.as_str())]).await?.ok_or(LedgerError::Empty)?;
        let number = row.int(0)?;
        session.commit().await?;
        Ok(number)
    }

    /// The state: the latest snapshot that this node signed, and every block after it, verified again.
    ///
    /// Without a snapshot the whole log is replayed from the genesis. A rebuild that was kept here and that goes on from
    /// the end of the log is awaited.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Replay`] names the first block that is not committed or not valid,
    /// [`LedgerError::Snapshot`] and [`LedgerError::SnapshotMark`] a snapshot that was changed,
    /// [`LedgerError::Rebuild`] a rebuild that does not hold.
    pub async fn load<C: Controls>(&self, key: &HybridPublicKey, controls: &C) -> Result<State, LedgerError> {
        let mut session = self.engine.read().await?;
        let state = match latest_snapshot(&mut session, key).await? {
            Some(state) => state,
            None => self.genesis_state().await?,
        };
        let state = self.play(state, controls, session).await?;
        self.awaiting(state).await
    }

    /// The state, replayed from the genesis whatever snapshots there are.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Replay`] names the first block that is not committed or not valid.
    pub async fn replay<C: Controls>(&self, controls: &C) -> Result<State, LedgerError> {
        let state = self.genesis_state().await?;
        self.play(state, controls, self.engine.read().await?).await
    }

    async fn genesis_state(&self) -> Result<State, LedgerError> {
        Ok(State::genesis(&self.genesis().await?.genesis)?)
    }

    async fn play<C: Controls>(
        &self,
        state: State,
        controls: &C,
        mut session: Session,
    ) -> Result<State, LedgerError> {
        let mut replay = Replay::from(state, controls);
        loop {
            let page = blocks(&mut session, replay.state().height() + 1, PAGE).await?;
            if page.is_empty() {
                return Ok(replay.into_state());
            }
            for block in page {
                replay.step(block)?;
            }
        }
    }

    /// Keeps a state to start from, signed by this node: whoever can write the database but does not
    /// have the node's key cannot put another state there. The two latest are kept.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Height`] when the log is not that far.
    pub async fn save_snapshot(
        &self,
        state: &State,
        node: &Name,
        key: &HybridSigner,
    ) -> Result<(), LedgerError> {
        self.save_marked(MarkedSnapshot::new(state, node.clone(), key)?).await
    }

    /// The same with a state that was marked before: whose key is slow marks it elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Self::save_snapshot`].
    pub async fn save_marked(&self, marked: MarkedSnapshot) -> Result<(), LedgerError> {
        let MarkedSnapshot { height, document, mark } = marked;
        let mut session = self.engine.write().await?;
        let tip = crate::write::tip(&mut session).await?.height;
        if tip < height {
            return Err(LedgerError::Height { expected: tip, found: height });
        }
        let sql = "INSERT INTO snapshots (height, document, mark) VALUES ($1, $2, $3) \
                   ON CONFLICT (height) DO UPDATE SET document = excluded.document, mark = excluded.mark";
        let values = vec![int(height), bytes(document), bytes(mark.to_document())];
        session.execute(sql, values).await?;
        session.execute(FORGET_SNAPSHOTS, vec![]).await?;
        session.commit().await
    }
}

/// A state to start from, with the word of the node whose ledger keeps it.
pub struct MarkedSnapshot {
    height: u64,
    document: Vec<u8>,
    mark: SignedMark,
}

impl MarkedSnapshot {
    /// Marks a state.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the key does not sign.
    pub fn new(state: &State, node: Name, key: &HybridSigner) -> Result<Self, KeyError> {
        let document = Snapshot(state.clone()).to_document();
        let mark = SnapshotMark {
            cluster: state.cluster(),
            height: state.height(),
            time: state.time(),
            state: Digest(Sha256::digest(&document).into()),
        };
        let mark = SignedMark(Signed::new(mark, node, key)?);
        Ok(Self { height: state.height(), document, mark })
    }
}

/// A node's word that this is the state at this height.
#[derive(Clone, Debug, PartialEq, Eq, borsh::BorshSerialize, borsh::BorshDeserialize)]
pub(crate) struct SnapshotMark {
    pub(crate) cluster: ClusterId,
    pub(crate) height: u64,
    pub(crate) time: Timestamp,
    pub(crate) state: Digest,
}

impl Canonical for SnapshotMark {
    const DOMAIN: &'static str = "keystead/snapshot-mark/v1";
}

/// The mark as it is stored, with its signature.
#[derive(Clone, Debug, PartialEq, Eq, borsh::BorshSerialize, borsh::BorshDeserialize)]
pub(crate) struct SignedMark(pub(crate) Signed<SnapshotMark>);

impl Canonical for SignedMark {
    const DOMAIN: &'static str = "keystead/signed-snapshot-mark/v1";
}

async fn latest_snapshot(session: &mut Session, key: &HybridPublicKey) -> Result<Option<State>, LedgerError> {
    let sql = "SELECT height, document, mark FROM snapshots ORDER BY height DESC LIMIT 1";
    let Some(row) = session.row(sql, vec![]).await? else { return Ok(None) };
    let (height, document) = (row.int(0)?, row.bytes(1)?);
    let mark = parsed("snapshots", height, SignedMark::from_document(&row.bytes(2)?))?.0;
    // A database that somebody else can write is not a state to believe.
    if mark.verify(key).is_err() || mark.body.height != height {
        return Err(LedgerError::SnapshotMark { height });
    }
    let expected = mark.body.state;
    let found = Digest(Sha256::digest(&document).into());
    if expected != found {
        return Err(LedgerError::Snapshot { height, expected, found });
    }
    let Snapshot(state) = parsed("snapshots", height, parse_long(&document, MAX_SNAPSHOT_BYTES))?;
    Ok(Some(state))
}

async fn genesis_document(session: &mut Session) -> Result<Option<Vec<u8>>, LedgerError> {
    let row = session.row("SELECT document FROM meta WHERE name = 'genesis'", vec![]).await?;
    row.map(|row| row.bytes(0)).transpose()
}

fn parse_genesis(document: &[u8]) -> Result<SignedGenesis, LedgerError> {
    parsed("meta", "genesis", SignedGenesis::from_document(document))
}

/// The longest state that is read back.
pub const MAX_SNAPSHOT_BYTES: usize = 1 << 30;

const BLOCK_ZERO: &str = "INSERT INTO blocks (height, digest, leaf, time, header, entries, votes) \
                          VALUES (0, $1, $1, $2, $4, $3, $3)";

const FORGET_SNAPSHOTS: &str = "DELETE FROM snapshots WHERE height NOT IN \
                                (SELECT height FROM snapshots ORDER BY height DESC LIMIT 2)";

//! What must be on disk before a node acts: runs that were begun, and nodes that are not run with any more.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, Coded, Name};
use serde::{Deserialize, Serialize};

use crate::{Abort, Culprit, Session, SessionError, SessionId};

/// After how many aborts that name it a node is kept out of a key's runs.
pub const QUARANTINE_ABORTS: u32 = 3;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// A run was begun. It never is again: nothing resumes from the middle, and no id serves twice.
    Begun {
        /// The key.
        key: Name,
        /// The run.
        session: SessionId,
    },
    /// A run ended without a result.
    Aborted {
        /// The key.
        key: Name,
        /// How it ended.
        abort: Abort,
    },
    /// An operator lets a node take part again.
    Lifted {
        /// The key.
        key: Name,
        /// The node.
        node: Name,
    },
}

impl Canonical for Record {
    const DOMAIN: &'static str = "keystead/threshold-record/v1";
    const MAX_BYTES: usize = 4 * 1024;
}

/// All records so far, as one state. The caller stores the records and applies them again after a start.
///
/// It grows by a digest with each run. Records of runs in epochs that are over may be left out: no share of theirs
/// takes part any more (K3). Those of aborts stay.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    begun: BTreeSet<SessionId>,
    blamed: BTreeMap<(Name, Name), Standing>,
    lifted: BTreeSet<(Name, Name)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    aborts: u32,
    banned: bool,
}

impl Journal {
    /// Takes a record in.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Begun { session, .. } => {
                self.begun.insert(*session);
            }
            Record::Aborted { key, abort } => self.blame(key, abort),
            Record::Lifted { key, node } => {
                self.blamed.remove(&(key.clone(), node.clone()));
                self.lifted.insert((key.clone(), node.clone()));
            }
        }
    }

    fn blame(&mut self, key: &Name, abort: &Abort) {
        // Silence is no proof of anything: whoever is only unreachable is not kept out.
        if let (Culprit::Node(node), false) = (&abort.culprit, abort.fault == crate::Fault::Silence) {
            let standing = self.blamed.entry((key.clone(), node.clone())).or_default();
            standing.aborts = standing.aborts.saturating_add(1);
            standing.banned |= abort.fault.bans();
        }
    }

    /// Whether a node is kept out of a key's runs.
    #[must_use]
    pub fn is_blocked(&self, key: &Name, node: &Name) -> bool {
        let standing = self.blamed.get(&(key.clone(), node.clone()));
        standing.is_some_and(|it| it.banned || it.aborts >= QUARANTINE_ABORTS)
    }

    /// Whether what others show of a node, from a run that is not under way here, says nothing new: it is kept out, or people let
    /// it in once, and nobody knows whether they knew of that run.
    #[must_use]
    pub fn is_settled(&self, key: &Name, node: &Name) -> bool {
        self.is_blocked(key, node) || self.lifted.contains(&(key.clone(), node.clone()))
    }

    /// Who is kept out, and of which key's runs.
    pub fn kept_out(&self) -> impl Iterator<Item = (&Name, &Name)> {
        let blocked = self.blamed.keys().filter(|(key, node)| self.is_blocked(key, node));
        blocked.map(|(key, node)| (key, node))
    }

    /// Begins a run as `me`. The run is there once its record is written ([`Unwritten::write`]).
    ///
    /// # Errors
    ///
    /// [`BeginError`] when the run cannot be, was begun before, or has a node in it that is kept out.
    pub fn begin(&self, session: Session, me: &Name) -> Result<Unwritten<Begun>, BeginError> {
        session.check().map_err(BeginError::Session)?;
        let (id, participants) = (session.id(), session.participants());
        if !participants.contains(me) {
            return Err(BeginError::NoPart);
        }
        // INVARIANT S5: an id serves once, so that nothing said in one run is an answer in another.
        if self.begun.contains(&id) {
            return Err(BeginError::BegunBefore);
        }
        // INVARIANT K6: whoever was caught stays out until an operator lets it in again.
        let blocked = participants.iter().find(|node| *node != me && self.is_blocked(&session.key, node));
        if let Some(node) = blocked {
            return Err(BeginError::Blocked { node: node.clone() });
        }
        let record = Record::Begun { key: session.key.clone(), session: id };
        Ok(Unwritten { record, then: Begun { session, id, participants, me: me.clone() } })
    }
}

/// Something that may be used only after a record is durable.
///
/// There is no way to it but [`Self::write`]: writing, then acting (S1, S5, K6).
#[derive(Debug)]
#[must_use = "nothing happens before the record is written"]
pub struct Unwritten<T> {
    record: Record,
    then: T,
}

impl<T> Unwritten<T> {
    pub(crate) fn new(record: Record, then: T) -> Self {
        Self { record, then }
    }

    /// What is to be written.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Writes the record with `durably`, takes it into the journal, and gives what waited for it.
    ///
    /// # Errors
    ///
    /// What `durably` says; then nothing is given.
    pub fn write<E>(
        self,
        journal: &mut Journal,
        durably: impl FnOnce(&Record) -> Result<(), E>,
    ) -> Result<T, E> {
        durably(&self.record)?;
        journal.apply(&self.record);
        Ok(self.then)
    }
}

/// A run that was begun, once: what a machine is made of. Neither cloned nor written down.
///
/// ```compile_fail
/// fn twice(begun: keystead_threshold::Begun) -> (keystead_threshold::Begun, keystead_threshold::Begun) {
///     (begun.clone(), begun)
/// }
/// ```
#[derive(Debug)]
pub struct Begun {
    session: Session,
    id: SessionId,
    participants: BTreeSet<Name>,
    me: Name,
}

impl Begun {
    /// What it is about.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// This node.
    #[must_use]
    pub fn me(&self) -> &Name {
        &self.me
    }

    /// Everyone in it, this node too.
    #[must_use]
    pub fn participants(&self) -> &BTreeSet<Name> {
        &self.participants
    }

    /// Everyone in it but this node.
    pub fn others(&self) -> impl Iterator<Item = &Name> {
        self.participants.iter().filter(|name| **name != self.me)
    }

    pub(crate) fn blame(&self, node: &Name, fault: crate::Fault) -> Abort {
        self.abort(Culprit::Node(node.clone()), fault)
    }

    pub(crate) fn own_fault(&self) -> Abort {
        self.abort(Culprit::Ourselves, crate::Fault::Own)
    }

    pub(crate) fn abort(&self, culprit: Culprit, fault: crate::Fault) -> Abort {
        Abort { session: self.id, culprit, fault }
    }
}

/// Why a run does not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// Such a run cannot be.
    #[error(transparent)]
    Session(SessionError),
    /// This node takes no part in it.
    #[error("this node takes no part in the session")]
    NoPart,
    /// It was begun before; nothing resumes.
    #[error("the session was begun before: take a new attempt")]
    BegunBefore,
    /// A node is kept out.
    #[error("`{node}` was caught and is kept out until an operator lifts it")]
    Blocked {
        /// The node.
        node: Name,
    },
}

impl Coded for BeginError {
    fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::NoPart => "threshold_begin.no_part",
            Self::BegunBefore => "threshold_begin.begun_before",
            Self::Blocked { .. } => "threshold_begin.blocked",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Blocked { .. } => Blame::Peer,
            Self::Session(_) | Self::NoPart | Self::BegunBefore => Blame::Caller,
        }
    }
}

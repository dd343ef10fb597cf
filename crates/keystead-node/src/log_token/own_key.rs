//! The node's signing key as its parts use it: the replica votes with it at once, all others wait their turn.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use keystead_base::{ClassicalHalf, HybridSigner, KeyError, Name};
use keystead_keys::{MemberError, MemberKey};
use keystead_wire::TokenView;
use tokio::sync::{Mutex, Semaphore};

use super::{AT_START, AfterVotes, LogToken};
use crate::{Config, NodeError};

/// The node's signing key, and the token with half of it where one has.
pub(crate) struct OwnKey {
    votes: Arc<HybridSigner>,
    beside: Option<Beside>,
}

/// What a key has that a token has half of.
struct Beside {
    token: Arc<LogToken>,
    /// What signs all but votes.
    others: Arc<HybridSigner>,
    /// One after the other: a thread waits with each, and a vote for one at the most.
    turn: Arc<Mutex<()>>,
    /// The places of those who ask from outside.
    places: Arc<Semaphore>,
    /// The nodes that have a fresh head to come.
    heads: Arc<Heads>,
}

type Heads = StdMutex<BTreeSet<Name>>;

/// The place of one node's fresh head, until it is dropped.
struct HeadPlace(Arc<Heads>, Name);

impl HeadPlace {
    /// None where that node asked before and has no answer yet.
    fn of(heads: &Arc<Heads>, node: &Name) -> Option<Self> {
        let is_free = heads.lock().unwrap_or_else(PoisonError::into_inner).insert(node.clone());
        is_free.then(|| Self(Arc::clone(heads), node.clone()))
    }
}

impl Drop for HeadPlace {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// On whose behalf something is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The node's own: it never asks for much at once.
    Node,
    /// The back end of this node of the roster, about a fresh head: it signs nothing without, and asks for one at a time.
    Head(Name),
    /// Another node, or a person: as often as it likes.
    Peer,
}

impl OwnKey {
    pub(crate) fn whole(signer: HybridSigner) -> Self {
        Self { votes: Arc::new(signer), beside: None }
    }

    pub(super) fn beside(token: Arc<LogToken>, member: &MemberKey) -> Result<Self, MemberError> {
        let votes = member.signer_beside(Arc::clone(&token) as Arc<dyn ClassicalHalf>)?;
        let others = Arc::new(member.signer_beside(Arc::new(AfterVotes(Arc::clone(&token))))?);
        let (turn, places) = (Arc::default(), Arc::new(Semaphore::new(MAX_ASKING_PEERS)));
        let beside = Beside { token, others, turn, places, heads: Arc::default() };
        Ok(Self { votes: Arc::new(votes), beside: Some(beside) })
    }

    /// What the replica votes with, and nobody else.
    pub(crate) fn votes(&self) -> &Arc<HybridSigner> {
        &self.votes
    }

    pub(crate) fn is_there(&self) -> bool {
        self.votes.is_there()
    }

    #[cfg(test)]
    pub(super) fn free_places(&self) -> usize {
        self.beside.as_ref().map_or(0, |it| it.places.available_permits())
    }

    #[cfg(test)]
    pub(super) fn heads(&self) -> usize {
        let taken = |it: &Beside| it.heads.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.beside.as_ref().map_or(0, taken)
    }

    /// The token in one line of the status.
    pub(crate) fn token(&self) -> Option<TokenView> {
        self.beside.as_ref().and_then(|it| it.token.view())
    }

    /// Signs what is no vote: after the votes, in its turn, and on a thread on which nobody is served.
    ///
    /// INVARIANT D3: whoever asks from outside finds few places, none of them that of a node's fresh head, and what the node has to sign
    /// itself waits for no more than those.
    ///
    /// # Errors
    ///
    /// [`KeyError::Busy`] where no place is free, and the errors of `sign`.
    pub(crate) async fn sign<T, E>(
        &self,
        asker: Asker,
        sign: impl FnOnce(&HybridSigner) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<KeyError> + Send + 'static,
    {
        let Some(beside) = &self.beside else { return sign(&self.votes) };
        let (mut place, mut head) = (None, None);
        match asker {
            Asker::Node => {}
            Asker::Head(node) => head = Some(HeadPlace::of(&beside.heads, &node).ok_or(KeyError::Busy)?),
            Asker::Peer => {
                place = Some(Arc::clone(&beside.places).try_acquire_owned().map_err(|_| KeyError::Busy)?);
            }
        }
        let turn = Arc::clone(&beside.turn).lock_owned().await;
        let key = Arc::clone(&beside.others);
        // Who asked may go away meanwhile: place and turn are free when the token is.
        let signed = tokio::task::spawn_blocking(move || {
            let _held = (place, head, turn);
            sign(&key)
        });
        signed.await.unwrap_or_else(|_| Err(KeyError::Sign.into()))
    }
}

/// The key of this node's file, with its token where keystead.toml names one.
pub(crate) fn own_key(config: &Config, member: &MemberKey) -> Result<OwnKey, NodeError> {
    let Some(named) = &config.member.token else {
        return Ok(OwnKey::whole(member.signer()?));
    };
    // Whoever named a token believes that half of the key is in it.
    let half = member.token_half().ok_or_else(|| MemberError::Half { name: member.name().clone() })?;
    let program = match &config.enclave.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()
            .map_err(|error| NodeError::File { path: PathBuf::from("the running program"), error })?,
    };
    let token = named.open(&program, &half)?;
    let key = OwnKey::beside(Arc::clone(&token), member)?;
    // A token may show a key that it signs nothing with: better found out before the node sits among the others.
    key.votes.sign(AT_START).map_err(|_| token.failure(&named.token))?;
    Ok(key)
}

/// The most that waits for the token at once on behalf of others.
const MAX_ASKING_PEERS: usize = 8;

//! A quorum's word on which head is the newest, against a nonce that nobody could know before.
//!
//! Votes show that a block was committed, not that nothing was committed after it: whoever kept an old commit
//! can show it for ever. So a back end draws a nonce, and each node signs its own last durable head together
//! with it. The nodes of a quorum need not stand at one height; the head shown is at least as high as each.

use std::cmp::Ordering;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{
    Canonical, ClusterId, Digest, HybridSignature, HybridSigner, KeyError, Name, Timestamp, signing_message,
};
use keystead_policy::Roster;
use serde::{Deserialize, Serialize};

use crate::{Commit, LightError, verify_commit};

/// How long a back end waits for the answer to its nonce, and how long a round of signatures rests on it,
/// in seconds of its own clock.
pub const FRESH_SECONDS: u64 = 10;

/// What one node signs: "this is the last block that is durable here, and I was asked just now".
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshHead {
    /// The cluster.
    pub cluster: ClusterId,
    /// What the back end drew.
    pub nonce: Digest,
    /// The height of the node's last durable block; 0 before the first.
    pub height: u64,
    /// The digest of its header; the cluster's id at height 0.
    pub header: Digest,
}

impl Canonical for FreshHead {
    const DOMAIN: &'static str = "keystead/fresh-head/v1";
}

/// One node's signature on its [`FreshHead`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshWord {
    /// The node.
    pub node: Name,
    /// The height of its last durable block.
    pub height: u64,
    /// The digest of that block's header.
    pub header: Digest,
    /// Its signature.
    pub signature: HybridSignature,
}

/// The newest head of those that answered, and their words.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshAnswer {
    /// The nonce that was asked with.
    pub nonce: Digest,
    /// The highest head that a word names; none before the first block.
    pub head: Option<Commit>,
    /// The words, by node name ascending.
    pub words: Vec<FreshWord>,
}

impl FreshAnswer {
    /// One node's answer: `head` is its last durable block, never an older one.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the library fails to sign.
    pub fn by_node(
        cluster: ClusterId,
        nonce: Digest,
        head: Option<Commit>,
        node: Name,
        key: &HybridSigner,
    ) -> Result<Self, KeyError> {
        let (height, header) = place(cluster, head.as_ref());
        let said = FreshHead { cluster, nonce, height, header };
        let signature = key.sign(&signing_message(&said.digest()))?;
        Ok(Self { nonce, head, words: vec![FreshWord { node, height, header, signature }] })
    }

    /// Whether this is one node's answer that can be put beside `own`: its own word, and a head that is not newer,
    /// or whose votes hold under this roster. Whoever gathers leaves others out: one of them among the words of a
    /// quorum would have the back end refuse all.
    #[must_use]
    pub fn stands_beside(&self, own: &Self, cluster: ClusterId, roster: &Roster) -> bool {
        let [word] = self.words.as_slice() else { return false };
        let (height, header) = place(cluster, own.head.as_ref());
        let holds = match word.height.cmp(&height) {
            Ordering::Less => true,
            Ordering::Equal => word.header == header,
            Ordering::Greater => {
                self.head.as_ref().is_some_and(|head| verify_commit(cluster, roster, head).is_ok())
            }
        };
        let shown = place(cluster, self.head.as_ref()) == (word.height, word.header);
        self.nonce == own.nonce && shown && holds && word.verify(cluster, self.nonce, roster).is_ok()
    }

    /// Puts the answers of several nodes to one nonce together; none when there are none. What they are worth
    /// the back end finds out.
    #[must_use]
    pub fn gather(answers: Vec<Self>) -> Option<Self> {
        let nonce = answers.first()?.nonce;
        let (mut head, mut words) = (None, Vec::new());
        for answer in answers.into_iter().filter(|answer| answer.nonce == nonce) {
            head = newer(head, answer.head);
            words.extend(answer.words);
        }
        words.sort_by(|a, b| a.node.cmp(&b.node));
        words.dedup_by(|a, b| a.node == b.node);
        Some(Self { nonce, head, words })
    }

    /// INVARIANT S14: a quorum of the roster, each node counted once, says for this nonce that nothing is
    /// newer than the head shown. The head's own votes are checked by the caller.
    pub(crate) fn verify_words(&self, cluster: ClusterId, roster: &Roster) -> Result<(), LightError> {
        let (height, header) = place(cluster, self.head.as_ref());
        let mut last: Option<&Name> = None;
        let mut count = 0_u32;
        for word in &self.words {
            if last.is_some_and(|last| last >= &word.node) {
                return Err(LightError::VoteOrder { node: word.node.clone() });
            }
            last = Some(&word.node);
            let names_another = word.height == height && word.header != header;
            if word.height > height || names_another {
                return Err(LightError::Ahead { node: word.node.clone(), shown: height, named: word.height });
            }
            word.verify(cluster, self.nonce, roster)?;
            count += 1;
        }
        let expected = roster.quorum.max(1);
        if count < expected { Err(LightError::Quorum { expected, found: count }) } else { Ok(()) }
    }
}

impl FreshWord {
    fn verify(&self, cluster: ClusterId, nonce: Digest, roster: &Roster) -> Result<(), LightError> {
        let node = roster.node(&self.node).ok_or(LightError::Voter { node: self.node.clone() })?;
        let said = FreshHead { cluster, nonce, height: self.height, header: self.header };
        node.key
            .verify(&signing_message(&said.digest()), &self.signature)
            .map_err(|error| LightError::Vote { node: self.node.clone(), error })
    }
}

/// Height and header digest of a head; the beginning of the log when there is none.
pub(crate) fn place(cluster: ClusterId, head: Option<&Commit>) -> (u64, Digest) {
    head.map_or((0, cluster.0), |commit| (commit.header.height, commit.header.digest()))
}

fn newer(one: Option<Commit>, other: Option<Commit>) -> Option<Commit> {
    let height = |it: &Option<Commit>| it.as_ref().map(|commit| commit.header.height);
    if height(&other) > height(&one) { other } else { one }
}

/// A nonce that was drawn and not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    nonce: Digest,
    at: Timestamp,
}

impl Asked {
    pub(crate) fn new(nonce: Digest, at: Timestamp) -> Self {
        Self { nonce, at }
    }

    /// When it was asked, if this is the answer to it and has come in time.
    pub(crate) fn answered(self, nonce: &Digest, now: Timestamp) -> Result<Timestamp, LightError> {
        if &self.nonce != nonce {
            return Err(LightError::Nonce);
        }
        if is_recent(self.at, now) { Ok(self.at) } else { Err(LightError::Late { asked: self.at, now }) }
    }
}

/// Whether `now` is at most [`FRESH_SECONDS`] after `at`. A clock that went back makes nothing fresh.
pub(crate) fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    at <= now && now <= at.plus_seconds(FRESH_SECONDS)
}

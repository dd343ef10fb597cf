//! How far everybody is: laggards learn committed blocks, restarted nodes learn what they said before.

use std::collections::BTreeSet;

use keystead_base::{Digest, Name, merkle};
use keystead_decision::{Block, Commit, Controls, Entry, leaves, validate, verify_commit};
use keystead_policy::Node;

use crate::ballot::vote_message;
use crate::engine::Deliberation;
use crate::{Ballot, CommittedBlock, MAX_MESSAGE_BLOCKS, Message, Output, Purpose, Replica, Standing};

impl<C: Controls> Replica<C> {
    /// A connection was opened: both learn how far the other is.
    pub(crate) fn greet(&mut self, node: &Name) {
        let message = self.my_head(None, Purpose::Asks);
        self.send(node, message);
    }

    /// From time to time everybody says how far it is, so that nobody stays behind for long.
    pub(crate) fn beat(&mut self) {
        self.told.clear();
        self.wants = false;
        let asks = matches!(self.standing, Standing::Asks { .. });
        let message = self.my_head(None, if asks { Purpose::Asks } else { Purpose::Tells });
        self.send_all(message);
        self.want_more();
        self.speak_again();
    }

    /// INVARIANT D3: whoever could not sign and now may sits down as if it had been started anew: its record binds it to what
    /// it said, and what it did not say it says now.
    fn speak_again(&mut self) {
        if self.table.as_ref().is_some_and(Deliberation::is_unsigned) && self.signer.is_there() {
            self.sit_anew();
        }
    }

    fn my_head(&self, seen: Option<Ballot>, purpose: Purpose) -> Message {
        Message::Head { height: self.state.height(), seen: seen.map(Box::new), purpose }
    }

    /// Another node says how far it is, and which vote of this node's it knows.
    pub(crate) fn head(&mut self, from: &Name, height: u64, seen: Option<Ballot>, purpose: Purpose) {
        self.heads.insert(from.clone(), height);
        match purpose {
            Purpose::Tells => {}
            Purpose::Asks => {
                let known = self.heard.get(from).cloned();
                let answer = self.my_head(known, Purpose::Answers);
                self.send(from, answer);
            }
            Purpose::Answers => self.hear_of_myself(from, seen),
        }
        if height > self.state.height() + 1
            || (height > self.state.height() && self.state.height() == self.since)
        {
            self.want_more();
        }
    }

    /// INVARIANT S3: a node that runs on an older disk learns of votes that it does not remember, and stays
    /// silent: it could contradict them.
    fn hear_of_myself(&mut self, from: &Name, seen: Option<Ballot>) {
        match seen {
            Some(ballot) if self.is_mine(&ballot) => {
                if !self.remembers(&ballot) {
                    let boot = self.my_boot();
                    self.standing = Standing::RolledBack { height: ballot.height, round: ballot.round, boot };
                    return self.sit_anew();
                }
            }
            // A roster that this node has not learned yet may give it another boot number. What it cannot read it
            // asks for again, once it knows that height.
            Some(ballot) if ballot.height > self.state.height() => return,
            Some(_) | None => {}
        }
        let voted = self.standing.votes();
        self.standing.heard(from);
        if self.standing.votes() && !voted {
            self.sit_anew();
        }
    }

    fn is_mine(&self, ballot: &Ballot) -> bool {
        let Some(Node { key, .. }) = self.my_seat() else { return false };
        let place = (ballot.height, ballot.round);
        let message = vote_message(self.state.cluster(), ballot.step, place, ballot.header, self.my_boot());
        ballot.node == self.me && key.verify(&message, &ballot.signature).is_ok()
    }

    /// Votes of heights that were committed when this node started can contradict nothing any more.
    fn remembers(&self, ballot: &Ballot) -> bool {
        let said = |it: &Ballot| (it.step, it.place(), it.header);
        ballot.height <= self.since
            || self.own.iter().any(|it| said(it) == said(ballot))
            || (self.standing.votes() && ballot.height <= self.state.height())
    }

    /// This node in the roster: another machine may have taken over its name, with a key of its own.
    fn my_seat(&self) -> Option<&Node> {
        self.state.roster().node(&self.me).filter(|node| node.key == *self.signer.public())
    }

    fn my_boot(&self) -> u64 {
        self.my_seat().map(|node| node.boot).unwrap_or_default()
    }

    /// Its message was of a height that is over.
    pub(crate) fn is_behind(&mut self, node: &Name, height: u64) {
        if height < self.state.height() && self.told.insert(node.clone()) {
            let message = self.my_head(None, Purpose::Tells);
            self.send(node, message);
        }
    }

    /// Its message was of a height that this node has not reached.
    pub(crate) fn is_ahead(&mut self, node: &Name, height: u64) {
        let head = self.heads.entry(node.clone()).or_default();
        *head = (*head).max(height.saturating_sub(1));
        if height > self.state.height() + 2 {
            self.want_more();
        }
    }

    /// Asks for what this node lacks, once for each beat. INVARIANT D3: whoever says that it is ahead is asked in its
    /// turn, the farthest first. Anybody can say that it is, and give nothing.
    fn want_more(&mut self) {
        if self.wants {
            return;
        }
        let mine = self.state.height();
        let ahead = |(name, height): (&Name, &u64)| (*height > mine).then(|| (*height, name.clone()));
        let ahead: BTreeSet<(u64, Name)> = self.heads.iter().filter_map(ahead).collect();
        if ahead.iter().all(|(_, name)| self.asked.contains(name)) {
            self.asked.clear();
        }
        let next = ahead.into_iter().rev().find(|(_, name)| !self.asked.contains(name));
        if let Some((_, node)) = next {
            self.wants = true;
            self.asked.insert(node.clone());
            self.send(&node, Message::Want(mine + 1));
        }
    }

    /// Committed blocks, each verified as if nobody were to be trusted: nobody is.
    pub(crate) fn learn(&mut self, from: &Name, blocks: Vec<CommittedBlock>) {
        let before = self.state.height();
        for CommittedBlock { commit, entries } in blocks.into_iter().take(MAX_MESSAGE_BLOCKS) {
            let next = self.state.height() + 1;
            if commit.header.height < next {
                continue;
            }
            if commit.header.height > next || !self.learn_one(commit, entries) {
                break;
            }
        }
        let more = self.heads.get(from).is_some_and(|head| *head > self.state.height());
        if self.state.height() > before {
            self.wants = false;
            self.asked.clear();
            if more {
                self.want_more();
            }
        }
    }

    fn learn_one(&mut self, commit: Commit, entries: Vec<Entry>) -> bool {
        if verify_commit(self.state.cluster(), self.state.roster(), &commit).is_err() {
            return false;
        }
        // Entries that do not belong to the header are the sender's lie.
        if merkle::root(&leaves(&entries)) != commit.header.entries {
            return false;
        }
        let height = commit.header.height;
        let block = Block { header: commit.header.clone(), entries };
        match validate(&self.state, block, &self.controls) {
            Ok(applied) => {
                self.commit(applied, commit, true);
                true
            }
            // A header that the quorum signed and that this node computes differently is a split.
            Err(keystead_decision::BlockError::Header { expected, found }) => {
                self.diverged(height, expected, found)
            }
            Err(_) => false,
        }
    }

    fn diverged(&mut self, height: u64, expected: Digest, found: Digest) -> bool {
        self.standing = Standing::Diverged { height };
        self.sit_anew();
        self.out.push(Output::Diverged { height, expected, found });
        false
    }

    /// A new roster is in force: this node may have come in, gone, or been readmitted.
    pub(crate) fn roster_changed(&mut self) {
        let (is_member, boot) = (self.my_seat().is_some(), self.my_boot());
        self.standing = match &self.standing {
            Standing::Diverged { .. } => return,
            _ if !is_member => Standing::Outside,
            Standing::Outside => Standing::at_start(true, self.state.roster().quorum),
            // Under the later number too it may have voted before its disk was lost.
            Standing::RolledBack { boot: old, .. } if boot > *old => {
                Standing::at_start(true, self.state.roster().quorum)
            }
            other => other.clone(),
        };
        let roster = self.state.roster().clone();
        self.heads.retain(|name, _| roster.node(name).is_some());
        self.heard.retain(|name, _| roster.node(name).is_some());
    }
}

//! What people ask of the key in shares: its birth, refreshes, other holders, and statements that it signs.

use alloy_primitives::Bytes;
use keystead_base::Name;
use keystead_fixture::CHAIN;
use keystead_intent::{AccountRef, Action, AuthorityChange, KeyCeremony, KeyKind, Message};

use super::vault;
use crate::asked::What;
use crate::simulation::{Event, Simulation};

/// So many of them sign.
const THRESHOLD: u8 = 2;
/// So many hold.
const HOLDERS: usize = 3;
/// Each counts for ever, and policy lets thirty pass.
const MOST_STATEMENTS: u64 = 26;

impl Simulation {
    /// People's next idea about the key in shares.
    pub(crate) fn shares_clients(&mut self) {
        if !self.plan.shares || self.places.len() < HOLDERS {
            return;
        }
        let pause = self.share_dice.between(3_000, 7_000);
        self.after(pause, Event::SharesClients);
        let Some((_, place)) = self.honest_front() else { return };
        let (born, hangs) =
            (place.state().key(&vault()).cloned(), place.state().convening(&vault()).is_some());
        match born {
            None if !hangs || self.share_dice.chance(200) => self.ask_ceremony(None),
            Some(key) if !hangs && self.share_dice.chance(300) && !self.healed => {
                let sharing = key.sharing.map(|it| it.holders);
                self.ask_ceremony(sharing);
            }
            Some(key) => {
                if let Some(address) = key.address(0) {
                    self.ask_statement(address);
                }
            }
            None => {}
        }
    }

    /// The honest node that is farthest.
    pub(super) fn honest_front(&self) -> Option<(usize, &crate::place::Place)> {
        let honest = self.places.iter().enumerate().filter(|(_, it)| !it.lies && it.rolled_back.is_none());
        honest.max_by_key(|(_, it)| it.disk.height())
    }

    fn ask_ceremony(&mut self, before: Option<Vec<Name>>) {
        let (key, kind, threshold) = (vault(), KeyKind::ThresholdSecp256k1, THRESHOLD);
        let ceremony = match before {
            None => KeyCeremony::Generate { key, kind, threshold, holders: self.some_nodes() },
            Some(_) if self.share_dice.chance(500) => KeyCeremony::Refresh { key },
            Some(dealers) => {
                let holders = self.some_nodes();
                KeyCeremony::Reshare { key, threshold, holders, dealers }
            }
        };
        self.report.count("ceremony asked for");
        self.change_authority(AuthorityChange::Key(ceremony), None);
    }

    /// At most one of them lies: one less than sign.
    fn some_nodes(&mut self) -> Vec<Name> {
        let mut all: Vec<usize> = (0..self.places.len()).collect();
        let (mut some, mut liars): (Vec<Name>, u8) = (Vec::new(), 0);
        while some.len() < HOLDERS && !all.is_empty() {
            let pick = self.share_dice.index(all.len());
            let place = &self.places[all.swap_remove(pick)];
            let bad = place.lies || place.rolled_back.is_some();
            liars += u8::from(bad);
            if !bad || liars < THRESHOLD {
                some.push(place.name.clone());
            }
        }
        some
    }

    fn ask_statement(&mut self, address: alloy_primitives::Address) {
        if self.shares.asked >= MOST_STATEMENTS {
            return;
        }
        self.shares.asked += 1;
        let bytes = Bytes::from(format!("statement {}", self.shares.asked).into_bytes());
        let account = AccountRef { key: vault(), index: 0 };
        let action = Action::Message(Message { account, chain: CHAIN, bytes });
        let unsigned = keystead_chain::build(&action, address).expect("a statement has bytes");
        let what = What::Statement(unsigned.signing_digest());
        let (id, entry) = self.request("desk", action, what, 60_000);
        self.shares.statements.insert(id, self.now);
        self.submit_everywhere(&entry);
        self.later(8_000, crate::clients::Act::Retry(id));
    }
}

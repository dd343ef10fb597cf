//! All nodes are lost for ever: other machines go on from one's log, as people sign, and the key comes back to one of them.

use keystead_base::{Canonical as _, RequestId, Signed, tagged_hash};
use keystead_consensus::Committed;
use keystead_decision::{Entry, KeyEvent, KeyStep, Rebuild, SignedRebuild, State, drill_challenge};
use keystead_fixture::{Desk, Member, name};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_policy::{AssuranceLevel, PolicyVersion, Roster};

use crate::asked::What;
use crate::back_end::BackEnd;
use crate::clients::{Act, Bend};
use crate::disk::Disk;
use crate::place::Place;
use crate::prelude::proof;
use crate::shell::HOME;
use crate::simulation::{Event, Simulation};

impl Simulation {
    /// What an honest node had made durable is the backup; nothing newer was ever seen.
    pub(crate) fn lose_all(&mut self) {
        self.report.count("loss of all nodes");
        let nodes = self.places.len();
        let honest = self.places.iter().filter(|it| !it.lies);
        let backup = honest.max_by_key(|it| it.disk.height()).expect("an honest node").disk.clone();
        let signed = self.places[HOME].disk.signed();
        let numbers = (nodes + 1..=2 * nodes).map(|it| u8::try_from(it).expect("few nodes"));
        self.desk.nodes = numbers.map(|it| Member::new(&format!("node-{it}"), it)).collect();
        let rebuild = self.rebuild_of(backup.state());
        self.oracle.expect(rebuild.clone());
        for index in 0..nodes {
            let old = &self.places[index];
            let mut place = Place::new(index + nodes, backup.state().clone(), self.plan.bug, old.lies);
            place.life = old.life + 1;
            place.disk = Disk::imported(&backup, signed.clone(), rebuild.clone());
            self.places[index] = place;
            let pause = self.dice.between(500, 6_000);
            self.after(pause, Event::Restart { node: index });
        }
        self.later(8_000, Act::Restore);
        self.later(12_000, Act::Thaw);
    }

    fn rebuild_of(&self, state: &State) -> SignedRebuild {
        let in_force = state.policy().engine.version().clone();
        let nodes = Desk { nodes: self.new_members(), ..Desk::default() }.roster().nodes;
        let roster = Roster { nodes, ..in_force.roster.clone() };
        let (number, previous) = (in_force.number + 1, in_force.digest());
        let rebuild = Rebuild {
            cluster: state.cluster(),
            height: state.height(),
            last: state.parent(),
            root: state.history().root(),
            remembered: state.height(),
            at: state.time().plus_seconds(1),
            policy: PolicyVersion { number, previous, roster, ..in_force }.into_canonical(),
        };
        let sign = |who| {
            let key = &self.desk.person(who).signer;
            rebuild.sign(name(who), name("laptop"), key).expect("a signature")
        };
        let signatures = ["ana", "ben", "cleo"].map(sign).to_vec();
        SignedRebuild { rebuild, signatures }
    }

    fn new_members(&self) -> Vec<Member> {
        let again = |it: &Member| Member::new(it.name.as_str(), it.transport_seed[0] ^ 0x80);
        self.desk.nodes.iter().map(again).collect()
    }

    /// Whether the log says that the key is where its back end is.
    pub(crate) fn is_home(&self) -> bool {
        let home = &self.places[HOME];
        home.disk.state().key(&name("hot")).is_some_and(|key| key.home == home.name)
    }

    /// People ask for the key at its new home, until it is there: a change of policy voids what they approved.
    pub(crate) fn restore_key(&mut self) {
        if self.healed || self.is_home() {
            return;
        }
        let home = self.places[HOME].name.clone();
        let ceremony = KeyCeremony::Restore { key: name("hot"), home };
        let action = Action::Authority(AuthorityChange::Key(ceremony));
        let (id, entry) = self.request("cleo", action, What::Ceremony, 60_000);
        self.submit_everywhere(&entry);
        self.later(8_000, Act::Retry(id));
        for who in ["ana", "ben"] {
            self.later(2_500, Act::Approve(id, who, Bend::Straight));
        }
        for pause in [6_000, 9_000, 14_000] {
            self.later(pause, Act::HandOver(id));
        }
        self.later(20_000, Act::Restore);
    }

    /// The new home says that it holds the key, and proves it. Where people did not say so it counts for nothing.
    pub(crate) fn hand_over(&mut self, request: RequestId) {
        if self.healed || self.is_home() {
            return;
        }
        let (cluster, key) = (self.genesis.genesis.cluster(), name("hot"));
        let recipient = tagged_hash("a one-time key of the simulator", b"");
        let proof = proof(&drill_challenge(cluster, &key, 1, &recipient, None));
        let (assurance, protections) = (AssuranceLevel::Process, Vec::new());
        let step = KeyStep::Restored { request, recipient, assurance, protections, proof };
        let home = &self.places[HOME];
        let event = Signed::new(KeyEvent { cluster, key, step }, home.name.clone(), &home.signer);
        self.submitted(HOME, Entry::Key(event.expect("a signature")));
    }

    /// The back end of a home that just got the key begins with the block that says so.
    pub(crate) fn received(&mut self, committed: &Committed) {
        let place = &self.places[HOME];
        let key = committed.applied.state.key(&name("hot"));
        if place.back_end.is_some() || key.is_none_or(|key| key.home != place.name) {
            return;
        }
        self.report.count("key restored");
        match BackEnd::start(&self.genesis, &self.places[HOME].disk) {
            Ok(back_end) => self.places[HOME].back_end = Some(back_end),
            Err(error) => self.oracle.object("S3", format!("the back end does not start: {error}")),
        }
    }
}

//! What happened before a run: the key `hot` was born, backed up and drilled in block 1.

use alloy_primitives::Address;
use keystead_base::{Digest, Name, Secret, Signed, tagged_hash};
use keystead_consensus::Committed;
use keystead_decision::{
    Admitted, Applied, Commit, Entry, KeyEvent, KeyStep, drill_challenge, propose, sign_vote, vote_for,
};
use keystead_fixture::name;
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_keys::{ChildSecret, HdSeed};
use keystead_policy::AssuranceLevel;
use secp256k1::{Message, Secp256k1, SecretKey};

use crate::asked::What;
use crate::disk::{Stored, Write};
use crate::rules::START;
use crate::simulation::Simulation;

/// The first address of `hot`.
pub(crate) fn address() -> Address {
    hot().public().address(0).expect("an address")
}

/// 64 bytes r ‖ s by the first address of `hot`: whoever makes it has the key.
pub(crate) fn proof(challenge: &Digest) -> Vec<u8> {
    let secret = hot().account(0).expect("an account").scalar();
    let scalar = SecretKey::from_byte_array(*secret.expose()).expect("a scalar");
    Secp256k1::new().sign_ecdsa(Message::from_digest(challenge.0), &scalar).serialize_compact().to_vec()
}

fn hot() -> ChildSecret {
    HdSeed::from_entropy(Secret::new([7; 32])).root().expect("a root").ethereum().expect("an account")
}

impl Simulation {
    /// Block 1 on every disk.
    pub(crate) fn prelude(&mut self) {
        let entries = self.birth_of_the_key();
        let state = self.state_after.clone();
        let admitted: Vec<Admitted> =
            entries.into_iter().map(|it| state.admit(it).expect("an entry of the fixture")).collect();
        let controls = keystead_decision::Strict::default();
        let applied = propose(&state, START.minus_seconds(10), &self.places[0].name, &admitted, &controls);
        let active = applied.state.key(&name("hot")).and_then(|it| it.address(0));
        assert_eq!(active, Some(self.address), "the key is active: {:?}", applied.decisions);
        let commit = self.commit_of_all(&applied);
        let stored = Stored {
            commit: commit.clone(),
            entries: applied.block.entries.clone(),
            decisions: applied.decisions.clone(),
            state: applied.state.clone(),
        };
        for place in &mut self.places {
            place.disk.write(Write::Block(Box::new(stored.clone())));
            place.disk.sync();
        }
        self.state_after = applied.state.clone();
        let committed = Committed { applied, commit, entries: Vec::new(), learned: false };
        self.oracle.committed(self.now, &self.asked, &self.chain, &committed);
    }

    fn commit_of_all(&self, applied: &Applied) -> Commit {
        let vote = vote_for(&applied.block.header, 0, 0);
        let sign = |it: &keystead_fixture::Member| sign_vote(&vote, it.name.clone(), &it.signer);
        let votes = self.desk.nodes.iter().map(|it| sign(it).expect("a vote")).collect();
        Commit { header: applied.block.header.clone(), round: 0, votes }
    }

    fn birth_of_the_key(&mut self) -> Vec<Entry> {
        let (hot, key) = (hot(), name("hot"));
        let kind = KeyKind::HdSecp256k1;
        let mut entries = Vec::new();
        let request =
            self.ceremony(KeyCeremony::Create { key: key.clone(), kind, home: name("node-1") }, &mut entries);
        let (account, assurance) = (hot.public(), AssuranceLevel::Process);
        entries.push(self.key_event(KeyStep::Created {
            request,
            kind,
            account,
            assurance,
            protections: Vec::new(),
        }));
        let recipients: Vec<Name> = self.desk.people.iter().map(|it| it.name.clone()).collect();
        let request = self.ceremony(KeyCeremony::Backup { key: key.clone(), recipients }, &mut entries);
        let backup = tagged_hash("a backup of the simulator", b"");
        entries.push(self.key_event(KeyStep::BackedUp { request, backup }));
        let challenge = drill_challenge(self.genesis.genesis.cluster(), &key, 0, &backup, None);
        entries.push(self.key_event(KeyStep::Drilled { backup, proof: proof(&challenge) }));
        entries
    }

    fn ceremony(&mut self, ceremony: KeyCeremony, entries: &mut Vec<Entry>) -> keystead_base::RequestId {
        let action = Action::Authority(AuthorityChange::Key(ceremony));
        let (id, entry) = self.request("cleo", action, What::Ceremony, 3_600_000);
        entries.push(entry);
        for who in ["ana", "ben"] {
            entries.push(self.approval(&id, who, id.0, 0, 600_000));
        }
        id
    }

    fn key_event(&self, step: KeyStep) -> Entry {
        let event = KeyEvent { cluster: self.genesis.genesis.cluster(), key: name("hot"), step };
        let node = &self.desk.nodes[0];
        Entry::Key(Signed::new(event, node.name.clone(), &node.signer).expect("a signature"))
    }
}

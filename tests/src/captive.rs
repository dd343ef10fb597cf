//! A signing enclave in the hands of whoever has its machine: the real process over the node's own folder.
//!
//! What it is shown, and when, its captor decides; what it signs, it decides itself.

use keystead_base::Canonical as _;
use keystead_chain::{Assembled, assemble, build};
use keystead_decision::{Certificate, Commit, FreshAnswer, Outcome, Transition};
use keystead_intent::Action;
use keystead_keys::Sealed;
use keystead_ledger::Ledger;
use keystead_node::enclave_arguments;
use keystead_signing::{Advance, BatchItem, ClientError, EnclaveClient, Hello, ItemResult};

use crate::binary;
use crate::cluster::NodeHome;

/// The process. As many can be started over one folder as its captor likes.
pub(crate) struct Captive(EnclaveClient);

impl Captive {
    /// Starts it with the keys, and the versions of the policy, that lie in the folder of a stopped node.
    pub(crate) async fn of(home: &NodeHome) -> Self {
        let ledger = Ledger::open(&home.config.ledger_url()).await.expect("the node's database");
        let sealed = ledger.sealed_keys(None).await.expect("sealed keys");
        let (height, _) = ledger.tip().await.expect("a log");
        let transitions = ledger.transitions(height).await.expect("the versions of the policy");
        ledger.close().await;
        let seals = sealed.iter().map(|(_, _, document)| Sealed::from_document(document).expect("a seal"));
        let cluster = home.genesis.genesis.cluster();
        let arguments =
            enclave_arguments(cluster, home.config.enclave.passphrase.as_os_str(), &[], None, &[]);
        let mut client = EnclaveClient::spawn(binary("test_enclave"), arguments).expect("a process");
        client.open(seals.collect()).expect("an enclave that takes its keys");
        client.hello(Hello { genesis: home.genesis.clone() }).expect("an enclave that takes the genesis");
        let mut captive = Self(client);
        captive.follow(transitions, None).expect("versions that verify");
        captive
    }

    /// Shows it how the log went on: the code of its refusal, if it does not believe it.
    pub(crate) fn follow(
        &mut self,
        transitions: Vec<Transition>,
        head: Option<Commit>,
    ) -> Result<(), String> {
        self.0.advance(Advance { transitions, head }).map(drop).map_err(code)
    }

    /// Has it draw a nonce and brings it an answer.
    pub(crate) async fn confirm<F: Future<Output = FreshAnswer>>(
        &mut self,
        answer: impl FnOnce(keystead_base::Digest) -> F,
    ) -> Result<(), String> {
        let nonce = self.0.ask_fresh().map_err(code)?;
        self.0.confirm_fresh(answer(nonce).await).map(drop).map_err(code)
    }

    /// Has it sign what a certificate allows.
    pub(crate) fn sign(&mut self, certificate: &Certificate, action: &Action) -> Result<Assembled, String> {
        let Outcome::Allow(grant) = &certificate.decision.outcome else {
            return Err(certificate.decision.outcome.word().to_owned());
        };
        let unsigned = build(action, grant.address).expect("a payload");
        let item = BatchItem {
            decision: certificate.decision.clone(),
            proof: certificate.proof.clone(),
            unsigned: unsigned.to_document(),
        };
        let results = self.0.sign(&certificate.commit, vec![item]).map_err(code)?;
        match results.into_iter().next().expect("one result") {
            ItemResult::Refused(refusal) => Err(refusal.code),
            ItemResult::Spent(_) => Err("spent".to_owned()),
            ItemResult::Admitted => Err("admitted".to_owned()),
            ItemResult::SignedMessage(_) => Err("signed a message".to_owned()),
            ItemResult::Signed(released) => {
                let signature = released.signature;
                let (r, s) = signature.rs.split_at(32);
                let (r, s) = (alloy_primitives::B256::from_slice(r), alloy_primitives::B256::from_slice(s));
                Ok(assemble(&unsigned, r, s, signature.y_parity == 1).expect("the account's signature"))
            }
        }
    }
}

fn code(error: ClientError) -> String {
    match error {
        ClientError::Refused(refusal) => refusal.code,
        other => panic!("the enclave's process: {other}"),
    }
}

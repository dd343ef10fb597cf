//! What a node tells the log of the life of the keys at home: receipts of their entropy, and proofs of control.

use keystead_base::{Canonical as _, Name};
use keystead_decision::{EntropyReceipt, Key, KeyStep, State};
use keystead_signing::ClientError;

use crate::NodeError;
use crate::signer::Signer;

impl Signer {
    /// Tells the log what the seeds of keys at home were made of, where it does not know and this node does; and proves
    /// control of those whose terms ask for it, in good time. What is lost is told again later.
    pub(crate) async fn report_life(&mut self, state: &State) -> Result<(), NodeError> {
        let due = |name: &Name| {
            self.lived.get(name).is_none_or(|at| state.height() >= at.saturating_add(HEIGHTS_TO_WAIT))
        };
        let here = state.keys().filter(|(name, key)| {
            (self.lives_here(key) || self.shares_here(key)) && !key.state.is_wiped() && due(name)
        });
        let untold = |key: &Key| match &key.sharing {
            Some(_) => !key.life.receipts.contains_key(&self.shared.node),
            None => key.life.receipts.is_empty(),
        };
        let proof_due = |key: &Key| self.lives_here(key) && key.proof_due_at(state.time());
        let here: Vec<(Name, bool, bool)> = here
            .map(|(name, key)| (name.clone(), untold(key), proof_due(key)))
            .filter(|(_, receipt, proof)| *receipt || *proof)
            .collect();
        for (name, receipt, proof) in here {
            self.lived.insert(name.clone(), state.height());
            let told = !receipt || self.report_receipt(&name).await?;
            if !told && state.key(&name).is_some_and(|it| it.sharing.is_some()) {
                // Dealt to this holder later: it contributed nothing to the birth.
                self.lived.insert(name.clone(), u64::MAX);
            }
            if proof {
                self.prove_control(name)?;
            }
        }
        Ok(())
    }

    /// Whether a key at home is to prove control: with the newest head, which the enclave of a node that signs little does not
    /// know yet.
    pub(crate) fn owes_a_proof(&self, state: &State) -> bool {
        state.keys().any(|(_, key)| self.lives_here(key) && key.proof_due_at(state.time()))
    }

    /// Whole, at home here, and not let be wiped.
    fn lives_here(&self, key: &Key) -> bool {
        key.home == self.shared.node && key.sharing.is_none() && key.life.wiping.is_none()
    }

    /// INVARIANT E1: of a key that was born in shares, each holder says what its own contribution was made of.
    fn shares_here(&self, key: &Key) -> bool {
        let holds = key.sharing.as_ref().is_some_and(|it| it.holds(&self.shared.node));
        holds && !key.imported && key.life.wiping.is_none()
    }

    /// Whether there is one.
    async fn report_receipt(&self, name: &Name) -> Result<bool, NodeError> {
        let document = self.shared.ledger.receipt(name).await?;
        // A key from before there were receipts has none.
        let Some(receipt) = document.and_then(|it| EntropyReceipt::from_document(&it).ok()) else {
            return Ok(false);
        };
        self.shared.report_key_later(name.clone(), KeyStep::Received { receipt });
        Ok(true)
    }

    fn prove_control(&mut self, name: Name) -> Result<(), NodeError> {
        match self.enclave.control(name.clone()) {
            Ok(it) => {
                let step = KeyStep::Controlled { height: it.height, proof: it.proof };
                self.shared.report_key_later(name, step);
                Ok(())
            }
            // A key that it does not hold yet, or that is lost: then its addresses are not shown any more.
            Err(ClientError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// How many blocks a report has time to be committed before it is made again.
const HEIGHTS_TO_WAIT: u64 = 8;

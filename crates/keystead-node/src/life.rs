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
        let here =
            state.keys().filter(|(name, key)| self.lives_here(key) && !key.state.is_wiped() && due(name));
        let here: Vec<(Name, bool, bool)> = here
            .map(|(name, key)| (name.clone(), key.life.receipts.is_empty(), key.proof_due_at(state.time())))
            .filter(|(_, receipt, proof)| *receipt || *proof)
            .collect();
        for (name, receipt, proof) in here {
            self.lived.insert(name.clone(), state.height());
            if receipt {
                self.report_receipt(&name).await?;
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

    async fn report_receipt(&self, name: &Name) -> Result<(), NodeError> {
        let document = self.shared.ledger.receipt(name).await?;
        // A key from before there were receipts has none.
        if let Some(receipt) = document.and_then(|it| EntropyReceipt::from_document(&it).ok()) {
            self.shared.report_key_later(name.clone(), KeyStep::Received { receipt });
        }
        Ok(())
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
